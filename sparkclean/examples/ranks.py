"""The order of suspects by label quality: buckets that tasks count, and pieces to rank apart.

Runs on executors, too: numpy only.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

#: Buckets of quality keep this many of the highest bits of a float64: 256 buckets an octave.
_QUALITY_SHIFT = 44


def quality_bucket(quality: NDArray[np.float64]) -> NDArray[np.int64]:
    """Find the bucket of a quality, which is not negative; buckets rise with it."""
    # + 0.0, as the bits of -0.0 are those of a negative number
    return (np.ascontiguousarray(quality) + 0.0).view(np.int64) >> _QUALITY_SHIFT


def bucket_end(bucket: int) -> float:
    """Give the smallest quality beyond a bucket."""
    return float(np.array((bucket + 1) << _QUALITY_SHIFT, np.int64).view(np.float64))


def divide(qualities: Mapping[int, int], share: int) -> tuple[list[float], list[int]]:
    """Divide suspects by their quality.

    Parameters
    ----------
    qualities : mapping
        Rows by `quality_bucket`.
    share : int
        Rows of a piece, at least; all of the last bucket go with it.

    Returns
    -------
    edges : list of float, of length P - 1
        Between the pieces: the smallest quality of the next one.
    before : list of int, of length P
        Rows of earlier pieces. The last piece may have none.
    """
    edges, before, rows = [], [0], 0
    for bucket, count in sorted(qualities.items()):
        rows += count
        if rows - before[-1] >= share:
            edges.append(bucket_end(bucket))
            before.append(rows)
    return edges, before
