"""Histograms that are state: pairs of classes, and groups by bucket of a score.

Runs on executors: numpy only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sparkclean.confident.joint import add_pairs
from sparkclean.examples.counts import count_codes, state_of
from sparkclean.examples.kernels import KERNEL_KEYS
from sparkclean.jobs.audit.row_types import BUCKETS, COUNTS
from sparkclean.rows.emitted import Emitted

#: What kernels count by pair of classes, in the order of its state.
COUNTS_STATE = ("confident", "predictions", "entries_found")
#: Pairs of classes that a task counts in a matrix.
_DENSE_PAIRS = 1 << 20
#: A score lies between -1 and 1: unit intervals that the codes of a group have room for, as a score
#: of 1 has a bucket of its own, and those of them that are for scores below 0.
_INTERVALS, _BELOW_ZERO = 4, 2


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
        """Count entries; scores are between -1 and 1."""
        buckets = self._buckets
        first = (_INTERVALS * group + _BELOW_ZERO) * buckets
        count_codes(self._counts, first + bucket_of(score, buckets))

    def state(self, keys: tuple[str, str]) -> Emitted:
        """Give columns of state: group and bucket, by the names of the keys, and count."""
        columns, bucket = state_of(BUCKETS, self._counts, _INTERVALS * self._buckets, keys), keys[1]
        zero = _BELOW_ZERO * self._buckets
        return columns | {bucket: [place - zero for place in columns[bucket]]}


class PairCounter:
    """Counts the (given, true) pairs of a task.

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
