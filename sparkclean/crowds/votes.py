"""Votes: what annotators say about items, grouped by item; and how often they say it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Numbers of a table of votes and classes that are held at once.
PART_CELLS = 1 << 22


@dataclass(frozen=True)
class Votes:
    """The votes of some items; those of an item stand together, by annotator.

    Attributes
    ----------
    starts : ndarray of int64, shape (N + 1,)
        Votes of item i are those from ``starts[i]`` to ``starts[i + 1]``: at least one.
    annotators : ndarray of int, shape (V,)
        Annotator of each vote, in 0..A-1; rising within an item.
    labels : ndarray of int, shape (V,)
        Class of each vote, in 0..K-1.
    """

    starts: NDArray[np.int64]
    annotators: NDArray[np.integer]
    labels: NDArray[np.integer]

    @property
    def num_items(self) -> int:
        """N."""
        return len(self.starts) - 1

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """Votes of each item, shape (N,)."""
        return np.diff(self.starts)

    @cached_property
    def items(self) -> NDArray[np.int64]:
        """Item of each vote, shape (V,)."""
        return np.repeat(np.arange(self.num_items), self.sizes)

    def tally(self, num_classes: int) -> NDArray[np.int64]:
        """Count the votes of each item for each class.

        Parameters
        ----------
        num_classes : int
            K.

        Returns
        -------
        ndarray of int64, shape (N, K)
        """
        cells = self.items * num_classes + self.labels
        counts = np.bincount(cells, minlength=self.num_items * num_classes)
        return counts.reshape(self.num_items, num_classes)

    def sum_by_item(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """Add up integers of votes by item: exact in any order.

        Parameters
        ----------
        values : ndarray of int64, shape (V,) or (V, K)

        Returns
        -------
        ndarray of int64, shape (N,) or (N, K)
        """
        if not self.num_items:
            return np.zeros((0, *values.shape[1:]), np.int64)
        sums: NDArray[np.int64] = np.add.reduceat(values, self.starts[:-1], axis=0)
        return sums

    def parts(self, num_classes: int) -> Iterator[tuple[slice, Votes]]:
        """Divide the items so that a table of votes and classes stays small.

        Parameters
        ----------
        num_classes : int
            K.

        Yields
        ------
        slice
            Of the items.
        Votes
        """
        most, first = max(1, PART_CELLS // num_classes), 0
        while first < self.num_items:
            last = int(np.searchsorted(self.starts, self.starts[first] + most, side="right")) - 1
            last = min(max(last, first + 1), self.num_items)
            low, high = self.starts[first], self.starts[last]
            rows = slice(int(low), int(high))
            part = Votes(
                self.starts[first : last + 1] - low, self.annotators[rows], self.labels[rows]
            )
            yield slice(first, last), part
            first = last


def group_votes(
    items: NDArray[np.integer], annotators: NDArray[np.integer], labels: NDArray[np.integer]
) -> Votes:
    """Group a long table of votes by item.

    Parameters
    ----------
    items, annotators, labels : ndarray of int, shape (V,)
        Item in 0..N-1, annotator in 0..A-1 and class in 0..K-1 of each vote. Every item has a vote,
        and an annotator at most one for each item.

    Returns
    -------
    Votes
    """
    order = np.lexsort((annotators, items))
    counts = np.bincount(items)
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Votes(starts, annotators[order], labels[order])


@dataclass(frozen=True)
class Decision:
    """What a method says of some items.

    Attributes
    ----------
    labels : ndarray of int64, shape (N,)
        Consensus.
    posterior : ndarray of float64, shape (N, K)
        Probability of each class.
    quality : ndarray of float64, shape (N,)
        Of the consensus: the probability that it is right, as the method sees it.
    without : ndarray of int64, shape (V,)
        What the consensus of an item would be without each of its votes; -1 where the other votes
        are tied, or none.
    """

    labels: NDArray[np.int64]
    posterior: NDArray[np.float64]
    quality: NDArray[np.float64]
    without: NDArray[np.int64]


def unique_best(scores: NDArray[Any]) -> NDArray[np.int64]:
    """Find the class of the highest score in each row; -1 where several have it.

    Parameters
    ----------
    scores : ndarray, shape (N, K)

    Returns
    -------
    ndarray of int64, shape (N,)
    """
    best = scores.argmax(axis=1)
    highest = scores == scores.max(axis=1, keepdims=True)
    best[highest.sum(axis=1) > 1] = -1
    return best


def best_without(votes: Votes, scores: NDArray[Any], shares: NDArray[Any]) -> NDArray[np.int64]:
    """Find the best class of an item without each of its votes.

    Parameters
    ----------
    votes : Votes
    scores : ndarray, shape (N, K)
        Of all votes.
    shares : ndarray, shape (V, K)
        What each vote has added to them.

    Returns
    -------
    ndarray of int64, shape (V,)
        -1 where the best is not unique, or where there are no other votes.
    """
    found = unique_best(scores[votes.items] - shares)
    found[votes.sizes[votes.items] == 1] = -1
    return found


def one_hot(labels: NDArray[np.integer], num_classes: int) -> NDArray[np.int64]:
    """Write classes as rows of one 1 each.

    Parameters
    ----------
    labels : ndarray of int, shape (V,)
    num_classes : int
        K.

    Returns
    -------
    ndarray of int64, shape (V, K)
    """
    found = np.zeros((len(labels), num_classes), np.int64)
    found[np.arange(len(labels)), labels] = 1
    return found
