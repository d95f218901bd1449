"""Counts by code, and how they become state. Runs on executors: numpy only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sparkclean.rows.emitted import KIND, STATE, Emitted

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


def state_of(
    kind: int, counts: Mapping[int, int], size: int, keys: tuple[str, str], place: int = 0
) -> Emitted:
    """Give counts as columns of state, keyed by the code's quotient and remainder.

    Parameters
    ----------
    kind : int
    counts : mapping
        By code.
    size : int
        Divides the code.
    keys : tuple of (str, str)
        Names for quotient and remainder.
    place : int
        Of the count in the state.

    Returns
    -------
    dict
    """
    first, second = keys
    codes = [divmod(code, size) for code in counts]
    state = [[*[0] * place, count] for count in counts.values()]
    quotients, remainders = [code[0] for code in codes], [code[1] for code in codes]
    return {KIND: kind, first: quotients, second: remainders, STATE: state}
