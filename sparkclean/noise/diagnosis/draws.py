"""Poisson numbers by hash, for replicates of counts. On the driver only: scipy."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from sparkclean.numbers.hashes import unit_hashes

Integers = NDArray[np.int64]

#: Means below this are drawn from tables; above, the normal quantile with a correction is within
#: one of the exact number.
_TABLED = 64


class PoissonDraws:
    """Draws Poisson numbers, always the same for a number of the replicate.

    Parameters
    ----------
    number : int
    """

    def __init__(self, number: int) -> None:
        self._seed = number * 64

    def poisson(self, mean: Integers) -> Integers:
        """Draw a number for each mean.

        Parameters
        ----------
        mean : ndarray of int64
            Any shape.

        Returns
        -------
        ndarray of int64
            Same shape; 0 for 0.
        """
        from scipy.special import ndtri  # noqa: PLC0415 (slow, and on the driver only)

        self._seed += 1
        flat = np.maximum(mean.reshape(-1), 0)
        unit = unit_hashes(len(flat), self._seed)
        drawn = np.zeros(len(flat), np.int64)
        small = flat < _TABLED
        # row m of the table lies in [2 m, 2 m + 1], so one search finds all
        places = np.searchsorted(_table().reshape(-1), unit[small] + 2.0 * flat[small])
        drawn[small] = places - flat[small] * _table().shape[1]
        large = flat[~small].astype(np.float64)
        z = ndtri(np.maximum(unit[~small], 2.0**-54))
        drawn[~small] = np.floor(large + np.sqrt(large) * z + (z * z + 2.0) / 6.0)
        return np.maximum(drawn, 0).reshape(mean.shape)


@cache
def _table() -> NDArray[np.float64]:
    """Give P(X <= n) for means 0..63, row m raised by 2 m."""
    from scipy.special import pdtr  # noqa: PLC0415 (slow, and on the driver only)

    means = np.arange(_TABLED, dtype=np.float64)[:, None]
    table: NDArray[np.float64] = pdtr(np.arange(4 * _TABLED)[None, :], means)
    table[0] = 1.0
    return table + 2.0 * means
