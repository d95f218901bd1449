"""Pseudo-random numbers that are hashes: the same in any order, on any machine. Numpy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def mix_bits(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scatter 64-bit numbers, one to one (the end of SplitMix64).

    Parameters
    ----------
    values : ndarray of uint64

    Returns
    -------
    ndarray of uint64, same shape
    """
    mixed = values.copy()
    mixed ^= mixed >> np.uint64(30)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


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
        x = x * np.uint64(0x9E3779B97F4A7C15) + mix_bits(np.uint64(seed + 1))
        return mix_bits(x).view(np.int64)


def unit_hashes(count: int, seed: int) -> NDArray[np.float64]:
    """Hash the numbers 0..N-1 to multiples of 2**-53 in [0, 1)."""
    top = row_hashes(count, seed).view(np.uint64) >> np.uint64(11)
    return top.astype(np.float64) * 2.0**-53
