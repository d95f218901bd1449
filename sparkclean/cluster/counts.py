"""Histograms that are state: counts by code, and by group and bucket of a score.

Runs on executors: numpy only.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from sparkclean.cluster.kernels import BUCKETS, KIND, STATE, Emitted

#: A histogram may be this many times longer than what it counts; beyond, sorting is cheaper.
_DENSE = 8


def count_codes(counts: Counter[int], codes: NDArray[np.int64]) -> None:
    """Add codes to counts, in place.

    Parameters
    ----------
    counts : Counter
    codes : ndarray of int64
    """
    if not len(codes):
        return
    first = int(codes.min())
    if int(codes.max()) - first < _DENSE * len(codes):
        number = np.bincount(codes - first)
        values = np.flatnonzero(number)
        number, values = number[values], values + first
    else:
        values, number = np.unique(codes, return_counts=True)
    counts.update(dict(zip(values.tolist(), number.tolist(), strict=True)))


def bucket_of(score: NDArray[np.float64], buckets: int) -> NDArray[np.int64]:
    """Find the bucket of a score.

    Parameters
    ----------
    score : ndarray of float64
    buckets : int
        In the unit interval.

    Returns
    -------
    ndarray of int64
    """
    return np.floor(score * float(buckets)).astype(np.int64)


class BucketCounts:
    """Counts by group and bucket of the score.

    Parameters
    ----------
    buckets : int
        In the unit interval.
    """

    def __init__(self, buckets: int) -> None:
        self._buckets = buckets
        self._counts: Counter[int] = Counter()

    def __bool__(self) -> bool:
        return bool(self._counts)

    def add(self, group: NDArray[np.int64], score: NDArray[np.float64]) -> None:
        """Count places; scores are between -1 and 1."""
        buckets = self._buckets
        count_codes(self._counts, (4 * group + 2) * buckets + bucket_of(score, buckets))

    def state(self) -> Emitted:
        """Give columns of state: group, bucket, count."""
        keys = [divmod(code, 4 * self._buckets) for code in self._counts]
        return {
            KIND: BUCKETS,
            "given": [group for group, _ in keys],
            "true": [bucket - 2 * self._buckets for _, bucket in keys],
            STATE: [[count] for count in self._counts.values()],
        }
