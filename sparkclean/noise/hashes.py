"""Pseudo-random numbers that are hashes: the same in any order, on any machine. Numpy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def row_hashes(count: int, seed: int) -> NDArray[np.int64]:
    """Hash the row numbers 0..N-1, by SplitMix64.

    Parameters
    ----------
    count, seed : int

    Returns
    -------
    ndarray of int64, shape (N,)

    References
    ----------
    Steele, Lea and Flood (2014), Fast Splittable Pseudorandom Number Generators.
    """
    x = np.arange(1, count + 1, dtype=np.uint64)
    with np.errstate(over="ignore"):
        x = x * np.uint64(0x9E3779B97F4A7C15) + _mixed(np.uint64(seed + 1))
        return _mixed(x).view(np.int64)


def _mixed(x: NDArray[np.uint64] | np.uint64) -> NDArray[np.uint64]:
    with np.errstate(over="ignore"):
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(x ^ (x >> np.uint64(31)))


def unit_hashes(count: int, seed: int) -> NDArray[np.float64]:
    """Hash the numbers 0..N-1 to multiples of 2**-53 in [0, 1)."""
    top = row_hashes(count, seed).view(np.uint64) >> np.uint64(11)
    return top.astype(np.float64) * 2.0**-53
