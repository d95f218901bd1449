"""Histograms that are state: counts by code, and by group and bucket of a score.

Runs on executors: numpy only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sparkclean.confident.joint import add_pairs
from sparkclean.examples.kernels import KERNEL_KEYS
from sparkclean.jobs.audit.kinds import BUCKETS, COUNTS
from sparkclean.rows.emitted import KIND, STATE, Emitted

#: What kernels count by pair of classes, in the order of its state.
COUNTS_STATE = ("confident", "predictions", "entries_found")
#: A histogram may be this many times longer than what it counts; beyond, sorting is cheaper.
_DENSE = 8
#: Pairs of classes that a task counts in a matrix.
_DENSE_PAIRS = 1 << 20


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


def find_sorted(
    values: NDArray[np.int64], wanted: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Find numbers among ascending ones.

    Parameters
    ----------
    values : ndarray of int64, shape (M,)
    wanted : ndarray of int64, shape (N,)

    Returns
    -------
    place : ndarray of int64, shape (N,)
        Any, where it is not there.
    found : ndarray of bool, shape (N,)
    """
    if not len(values):
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), np.bool_)
    place = np.searchsorted(values, wanted)
    place[place == len(values)] = 0
    return place, values[place] == wanted


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

    def state(self, keys: tuple[str, str]) -> Emitted:
        """Give columns of state: group and bucket, by the names of the keys, and count."""
        columns, bucket = state_of(BUCKETS, self._counts, 4 * self._buckets, keys), keys[1]
        return columns | {bucket: [place - 2 * self._buckets for place in columns[bucket]]}


class PairCounts:
    """Counts of (given, true) pairs.

    Parameters
    ----------
    num_classes : int
        K. A matrix of K x K is held while that is small; beyond, the pairs that were seen.
    """

    def __init__(self, num_classes: int) -> None:
        self._size = num_classes
        self._dense = num_classes * num_classes <= _DENSE_PAIRS
        # made by the first pair: a kernel goes to every task
        self._matrix = np.zeros((0, 0), np.int64)
        self._counts: Counter[int] = Counter()

    def add(self, given: NDArray[np.integer], true: NDArray[np.integer]) -> None:
        """Add pairs; a negative true class is not counted."""
        if self._dense:
            if not len(self._matrix):
                self._matrix = np.zeros((self._size, self._size), np.int64)
            add_pairs(self._matrix, given, true)
        else:
            there = true >= 0
            count_codes(self._counts, given[there].astype(np.int64) * self._size + true[there])

    def state(self, name: str) -> Emitted | None:
        """Give columns of state, in one place of `COUNTS_STATE`; None where nothing was counted."""
        counts: Mapping[int, int] = self._counts
        if self._dense:
            codes = np.flatnonzero(self._matrix)
            found = self._matrix.reshape(-1)[codes]
            counts = dict(zip(codes.tolist(), found.tolist(), strict=True))
        if not counts:
            return None
        return state_of(COUNTS, counts, self._size, KERNEL_KEYS, COUNTS_STATE.index(name))
