"""Counts of pairs of classes: the one type of what is K x K and counts examples."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray


class PairCounts:
    """Counts by given class and another one: the true, suggested or most probable class.

    A value: nothing changes it. Dense today; whoever needs an array says so (`as_array`), and all
    else is a question that counts of few pairs could answer, too.

    Parameters
    ----------
    counts : array_like of int, shape (K, K)
        Rows given. Not copied where it is an array of int64: leave it alone afterwards.

    Raises
    ------
    ValueError
        If the counts are not square.

    Examples
    --------
    >>> counts = PairCounts([[5, 2], [0, 7]])
    >>> counts.total, counts.trace, counts.off_diagonal, counts[0, 1]
    (14, 12, 2, 2)
    >>> list(counts.pairs())
    [(0, 0), (0, 1), (1, 1)]
    """

    __slots__ = ("_counts",)

    def __init__(self, counts: ArrayLike) -> None:
        array = np.asarray(counts, np.int64).view()
        if array.ndim != 2 or array.shape[0] != array.shape[1]:
            raise ValueError(f"counts of pairs of K classes have shape (K, K), not {array.shape}")
        array.flags.writeable = False
        self._counts: NDArray[np.int64] = array

    @classmethod
    def of_entries(cls, num_classes: int, entries: Iterable[tuple[int, int, int]]) -> PairCounts:
        """Arrange single counts.

        Parameters
        ----------
        num_classes : int
            K.
        entries : iterable of (int, int, int)
            Given class, other class, count. Those of one pair add up.

        Returns
        -------
        PairCounts
        """
        counts = np.zeros((num_classes, num_classes), np.int64)
        flat = np.fromiter(itertools.chain.from_iterable(entries), np.int64)
        given, other, count = flat.reshape(-1, 3).T
        np.add.at(counts, (given, other), count)
        return cls(counts)

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self._counts)

    @property
    def total(self) -> int:
        """Examples in all."""
        return int(self._counts.sum())

    @property
    def trace(self) -> int:
        """Examples whose two classes are the same."""
        return int(self._counts.trace())

    @property
    def off_diagonal(self) -> int:
        """Examples whose two classes differ."""
        return self.total - self.trace

    def by_given(self) -> NDArray[np.int64]:
        """Examples by given class, shape (K,)."""
        return self._counts.sum(axis=1)

    def by_other(self) -> NDArray[np.int64]:
        """Examples by the other class, shape (K,)."""
        return self._counts.sum(axis=0)

    def diagonal(self) -> NDArray[np.int64]:
        """Examples whose two classes are the same, by class, shape (K,)."""
        return self._counts.diagonal()

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Yield the pairs that have a count, by given class, then by the other."""
        for given, other in zip(*np.nonzero(self._counts), strict=True):
            yield int(given), int(other)

    def largest_off_diagonal(self, most: int) -> list[tuple[int, int]]:
        """Find the pairs of two classes that have the largest counts.

        Parameters
        ----------
        most : int
            Pairs, at most.

        Returns
        -------
        list of (int, int)
            Largest count first, ties in the order of `pairs`. None of count 0.
        """
        counts = self._counts.copy()
        np.fill_diagonal(counts, 0)
        order = np.argsort(-counts, axis=None, kind="stable")[:most]
        pairs = [divmod(int(place), len(counts)) for place in order]
        return [pair for pair in pairs if counts[pair] > 0]

    def as_array(self) -> NDArray[np.int64]:
        """Give the counts as an array, shape (K, K), that cannot be written to."""
        return self._counts

    def __getitem__(self, pair: tuple[int, int]) -> int:
        """Give the count of one pair."""
        return int(self._counts[pair])

    def __add__(self, other: PairCounts) -> PairCounts:
        """Add the counts of the same classes."""
        return PairCounts(self._counts + other._counts)

    def __repr__(self) -> str:
        return f"PairCounts({self._counts.tolist()})"
