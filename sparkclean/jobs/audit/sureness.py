"""How often labels differ from the prediction, by how sure the model is.

Runs on executors: numpy only.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sparkclean.examples.kernels import KERNEL_KEYS
from sparkclean.jobs.audit.row_types import SURENESS
from sparkclean.rows.emitted import KIND, STATE, Emitted

#: A bucket for each 8th of an octave of 1 - p, as models differ in how near to 1 they come.
_OCTAVES, _PARTS = 22, 8
BUCKETS = _OCTAVES * _PARTS
#: Classes that are told apart; of more the core is that of the whole table.
_CLASSES = 256


def sureness_bucket(probability: NDArray[np.floating]) -> NDArray[np.int64]:
    """Find the bucket of a probability; surer is higher.

    Parameters
    ----------
    probability : ndarray of float, shape (N,)
        Of the predicted class, in [0, 1].

    Returns
    -------
    ndarray of int64, shape (N,)
        In [0, `BUCKETS`). Exact: by the bits of 1 - p.
    """
    mantissa, exponent = np.frexp(1.0 - probability.astype(np.float64))
    # 1 - p is mantissa * 2**exponent, and the mantissa in [1/2, 1), or 0
    octave = np.clip(1 - exponent, 0, _OCTAVES - 1)
    part = np.minimum((2.0 * _PARTS * (1.0 - mantissa)).astype(np.int64), _PARTS - 1)
    bucket = octave.astype(np.int64) * _PARTS + part
    bucket[mantissa == 0.0] = BUCKETS - 1
    return bucket


class SurenessCounts:
    """Counts rows by predicted class, by whether the label differs, and by sureness.

    Parameters
    ----------
    num_classes : int
        K.
    """

    def __init__(self, num_classes: int) -> None:
        self._by_class = num_classes <= _CLASSES
        self._groups = 2 * (num_classes if self._by_class else 1)
        # made by the first chunk: a kernel goes to every task
        self._counts = np.zeros(0, np.int64)

    def add(
        self,
        predicted: NDArray[np.integer],
        probability: NDArray[np.floating],
        *,
        differs: bool | NDArray[np.bool_],
    ) -> None:
        """Count rows.

        Parameters
        ----------
        predicted : ndarray of int, shape (N,)
        probability : ndarray of float, shape (N,)
            Of the predicted class.
        differs : bool or ndarray of bool, shape (N,)
            Whether the given label is another.
        """
        groups = 2 * predicted.astype(np.int64) if self._by_class else np.int64(0)
        codes = (groups + differs) * BUCKETS + sureness_bucket(probability)
        found = np.bincount(codes, minlength=self._groups * BUCKETS)
        self._counts = found if not len(self._counts) else self._counts + found

    def state(self) -> Iterator[Emitted]:
        """Yield the counts as columns of state."""
        codes = np.flatnonzero(self._counts)
        if len(codes):
            first, second = KERNEL_KEYS
            counts = [[count] for count in self._counts[codes].tolist()]
            group, bucket = np.divmod(codes, BUCKETS)
            yield {KIND: SURENESS, first: group, second: bucket, STATE: counts}
