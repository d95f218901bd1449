"""Hashes of rows as Spark's ``xxhash64`` gives them, by numpy.

Of each value in turn; the hash so far is the seed. Runs on executors: numpy only. See
https://github.com/Cyan4973/xxHash, XXH64 of less than 32 bytes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_P1 = np.uint64(0x9E3779B185EBCA87)
_P2 = np.uint64(0xC2B2AE3D27D4EB4F)
_P3 = np.uint64(0x165667B19E3779F9)
_P4 = np.uint64(0x85EBCA77C2B2AE63)
_P5 = np.uint64(0x27D4EB2F165667C5)
_WORD_BYTES, _HALF_BYTES, _HALF = np.uint64(8), np.uint64(4), np.uint64(0xFFFFFFFF)
#: Columns that are turned into rows at once: with 16,384 rows a megabyte, which a core keeps.
_COLUMNS = 8


def hash_numbers(numbers: NDArray[np.floating], seed: int) -> NDArray[np.int64]:
    """Hash rows of numbers, as Spark does an array of double.

    Parameters
    ----------
    numbers : ndarray of float, shape (N, D)
    seed : int
        Hash of what comes before the numbers, or 42.

    Returns
    -------
    ndarray of int64, shape (N,)

    Notes
    -----
    All rows at once, of each number the 8 bytes of its float64. Zeros are one number, and so are
    NaN.
    """
    hashed = np.full(len(numbers), np.int64(seed).view(np.uint64))
    spare = np.empty_like(hashed)
    for first in range(0, numbers.shape[1], _COLUMNS):
        columns = np.array(numbers[:, first : first + _COLUMNS].T, np.float64, order="C")
        columns += 0.0  # -0.0 becomes 0.0
        if columns.size and np.isnan(columns.min()):
            columns[np.isnan(columns)] = np.nan
        for column in columns.view(np.uint64):
            _add_words(hashed, column, spare)
    return hashed.view(np.int64)


def hash_integers(values: NDArray[np.signedinteger], seeds: NDArray[np.int64]) -> NDArray[np.int64]:
    """Hash integers, each on top of a hash.

    Parameters
    ----------
    values : ndarray of int, shape (N,)
        Of 8, 16 or 32 bits Spark hashes 4 bytes, of 64 bits 8 bytes.
    seeds : ndarray of int64, shape (N,)

    Returns
    -------
    ndarray of int64, shape (N,)
    """
    hashed, spare = seeds.view(np.uint64).copy(), np.empty(len(seeds), np.uint64)
    words = values.astype(np.int64).view(np.uint64)
    if values.dtype.itemsize == _WORD_BYTES:
        _add_words(hashed, words, spare)
        return hashed.view(np.int64)
    words &= _HALF
    words *= _P1
    hashed += _P5 + _HALF_BYTES
    hashed ^= words
    _rotate(hashed, 23, spare)
    hashed *= _P2
    hashed += _P3
    _finish(hashed, spare)
    return hashed.view(np.int64)


def _add_words(
    hashed: NDArray[np.uint64], words: NDArray[np.uint64], spare: NDArray[np.uint64]
) -> None:
    """Hash 8 bytes of each row, in place; the words are lost."""
    words *= _P2
    _rotate(words, 31, spare)
    words *= _P1
    hashed += _P5 + _WORD_BYTES
    hashed ^= words
    _rotate(hashed, 27, spare)
    hashed *= _P1
    hashed += _P4
    _finish(hashed, spare)


def _finish(hashed: NDArray[np.uint64], spare: NDArray[np.uint64]) -> None:
    for shift, prime in ((33, _P2), (29, _P3), (32, None)):
        np.right_shift(hashed, np.uint64(shift), out=spare)
        hashed ^= spare
        if prime is not None:
            hashed *= prime


def _rotate(values: NDArray[np.uint64], left: int, spare: NDArray[np.uint64]) -> None:
    np.right_shift(values, np.uint64(64 - left), out=spare)
    np.left_shift(values, np.uint64(left), out=values)
    values |= spare
