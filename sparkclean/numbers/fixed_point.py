"""Sums, logarithms and exponentials whose bits do not depend on order, batch or processor.

A probability becomes the integer round(p * 2**40); integers add exactly in any order. Logarithms
and exponentials use only operations that IEEE 754 rounds one by one (numpy's own
``log`` and ``exp`` differ by processor).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

ONE = 1 << 40

# 8,192 integers of at most 2**40 stay below 2**53: every partial float64 sum is an exact integer.
EXACT_ROWS = 8192
_LOW_BITS = (1 << 32) - 1


def to_fixed(pred_probs: NDArray[np.floating]) -> NDArray[np.float64]:
    """Round probabilities to multiples of 2**-40, as integer-valued float64.

    Parameters
    ----------
    pred_probs : ndarray of float
        Probabilities, any shape.

    Returns
    -------
    ndarray of float64
        round(p * 2**40), half to even, same shape.
    """
    scaled = np.multiply(pred_probs, float(ONE), dtype=np.float64)
    fixed: NDArray[np.float64] = np.rint(scaled, out=scaled if scaled.ndim else None)
    return fixed


def sum_by_class(
    given: NDArray[np.integer], values: NDArray[np.float64], num_classes: int
) -> NDArray[np.int64]:
    """Sum values by class as exact integers in units of 2**-40.

    Parameters
    ----------
    given : ndarray of int, shape (N,)
        Class of each value, in 0..K-1.
    values : ndarray of float64, shape (N,)
        Probabilities in [0, 1].
    num_classes : int
        K.

    Returns
    -------
    ndarray of int64, shape (K,)
        Exact while N < 2**23; add the parts as Python integers beyond.
    """
    totals = np.zeros(num_classes, np.int64)
    for start in range(0, len(values), EXACT_ROWS):
        part = slice(start, start + EXACT_ROWS)
        totals += np.bincount(given[part], to_fixed(values[part]), num_classes).astype(np.int64)
    return totals


def sum_columns(pred_probs: NDArray[np.floating]) -> NDArray[np.int64]:
    """Sum each column as exact integers in units of 2**-40.

    Parameters
    ----------
    pred_probs : ndarray of float64, shape (N, K)
        Probabilities in [0, 1]; N < 2**23.

    Returns
    -------
    ndarray of int64, shape (K,)
    """
    totals = np.zeros(pred_probs.shape[1], np.int64)
    for start in range(0, len(pred_probs), EXACT_ROWS):
        totals += to_fixed(pred_probs[start : start + EXACT_ROWS]).sum(axis=0).astype(np.int64)
    return totals


def sum_rows(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum each row in one fixed order, that of numpy's pairwise summation.

    Written out, because numpy promises neither the order nor that it stays the same; the
    reference's counts with ``frac_noise`` below 1 depend on it.

    Parameters
    ----------
    matrix : ndarray of float64, shape (N, K)

    Returns
    -------
    ndarray of float64, shape (N,)
    """
    width = matrix.shape[1]
    if width < 8:
        total = np.zeros(len(matrix))
        for column in range(width):
            total = total + matrix[:, column]
        return total
    if width > 128:
        half = width // 2
        half -= half % 8
        return sum_rows(matrix[:, :half]) + sum_rows(matrix[:, half:])
    lanes = matrix[:, :8].copy()
    whole = width - width % 8
    for start in range(8, whole, 8):
        lanes += matrix[:, start : start + 8]
    total = ((lanes[:, 0] + lanes[:, 1]) + (lanes[:, 2] + lanes[:, 3])) + (
        (lanes[:, 4] + lanes[:, 5]) + (lanes[:, 6] + lanes[:, 7])
    )
    for column in range(whole, width):
        total = total + matrix[:, column]
    return total


_LN2_HIGH = 0.693147180369123816490  # leading bits of ln 2: times an exponent this is exact
_LN2_LOW = 1.90821492927058770002e-10
_SERIES = tuple(1.0 / odd for odd in range(23, 1, -2))


def portable_log(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Natural logarithm, the same bits on every processor.

    Parameters
    ----------
    values : ndarray of float64
        Positive finite numbers, any shape.

    Returns
    -------
    ndarray of float64
        Within a few units in the last place, near 1, too: the entropy of a nearly certain row is
        all in those digits.

    Notes
    -----
    x = m 2**e with m in [sqrt(1/2), sqrt(2)); ln m = 2 artanh((m - 1) / (m + 1)) by its series.
    """
    mantissa, exponent = np.frexp(values)
    small = mantissa < 0.7071067811865476
    mantissa = np.where(small, mantissa * 2.0, mantissa)
    power = exponent - small
    s = (mantissa - 1.0) / (mantissa + 1.0)
    z = s * s
    series = np.zeros_like(z)
    for coefficient in _SERIES:
        series = (series + coefficient) * z
    logarithm: NDArray[np.float64] = power * _LN2_HIGH + (power * _LN2_LOW + 2.0 * (s + s * series))
    return logarithm


_INVERSE_FACTORIALS = tuple(1.0 / math.factorial(n) for n in range(13, -1, -1))
#: Below this the result is less than 1e-300, and 0 is given.
_LOWEST_EXPONENT = -690.0


def portable_exp(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Exponential function, the same bits on every processor.

    Parameters
    ----------
    values : ndarray of float64
        Finite numbers of at most 700, any shape.

    Returns
    -------
    ndarray of float64
        Within a few units in the last place; 0 below -690.

    Notes
    -----
    x = n ln 2 + r with |r| <= ln(2) / 2; e^x = 2^n e^r, and e^r by its Taylor series of degree 13.
    """
    x = np.maximum(values, _LOWEST_EXPONENT)
    power = np.rint(x * 1.4426950408889634)
    rest = (x - power * _LN2_HIGH) - power * _LN2_LOW
    series = np.full_like(rest, _INVERSE_FACTORIALS[0])
    for coefficient in _INVERSE_FACTORIALS[1:]:
        series *= rest
        series += coefficient
    exponential: NDArray[np.float64] = np.ldexp(series, power.astype(np.int32))
    exponential[values < _LOWEST_EXPONENT] = 0.0
    return exponential


def split_limbs(total: int) -> tuple[int, int]:
    """Split a sum into limbs that Spark can add as 64-bit integers without overflow.

    Parameters
    ----------
    total : int
        In units of 2**-40, not negative.

    Returns
    -------
    high, low : int
        total = high * 2**32 + low.
    """
    return total >> 32, total & _LOW_BITS


def join_limbs(high: int, low: int) -> int:
    """Put the added limbs together again."""
    return (int(high) << 32) + int(low)
