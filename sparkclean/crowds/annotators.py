"""What annotators are like: how often they agree, and what they confuse.

A number of the consensus of the others is of an item's consensus without the annotator's own vote.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparkclean.crowds.votes import Decision, Votes
from sparkclean.numbers.fixed_point import ONE, to_fixed

_BITS = 20
#: Columns of `CellSums.values`.
_COUNT, _WITHOUT, _SEVERAL, _QUALITY, _POSTERIOR = 0, 1, 2, 3, 5
WIDTH = 7
_COMPRESSED = 1 << 20


@dataclass
class CellSums:
    """Counts of votes by annotator, given class and true class; only cells that occur.

    Attributes
    ----------
    num_classes : int
        K.
    keys : ndarray of int64, shape (C,)
        (annotator * K + given) * K + true.
    values : ndarray of int64, shape (C, 7)
        Votes whose consensus is the true class; votes whose consensus without them is; those of
        items with several votes; then, of the first ones, two sums in two limbs of 20 bits, in
        units of 2**-40: of the quality of the consensus, and of the probability of the given class.
    """

    num_classes: int
    keys: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    values: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, WIDTH), np.int64))
    _waiting: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = field(default_factory=list)

    def add(self, votes: Votes, decision: Decision) -> None:
        """Add items on which a method has decided.

        Parameters
        ----------
        votes : Votes
        decision : Decision
        """
        given = votes.annotators.astype(np.int64) * self.num_classes + votes.labels
        rows = np.zeros((len(given), WIDTH), np.int64)
        rows[:, _COUNT] = 1
        rows[:, _SEVERAL] = votes.sizes[votes.items] > 1
        quality = to_fixed(decision.quality).astype(np.int64)[votes.items]
        own = to_fixed(decision.posterior[votes.items, votes.labels]).astype(np.int64)
        for place, numbers in ((_QUALITY, quality), (_POSTERIOR, own)):
            rows[:, place], rows[:, place + 1] = numbers >> _BITS, numbers & ((1 << _BITS) - 1)
        self.add_rows(given * self.num_classes + decision.labels[votes.items], rows)
        known = decision.without >= 0
        rows = np.zeros((int(known.sum()), WIDTH), np.int64)
        rows[:, _WITHOUT] = 1
        self.add_rows(given[known] * self.num_classes + decision.without[known], rows)

    def add_rows(self, keys: NDArray[np.int64], values: NDArray[np.int64]) -> None:
        """Add cells."""
        self._waiting.append((keys, values))
        if sum(len(keys) for keys, _ in self._waiting) > max(_COMPRESSED, len(self.keys)):
            self.compress()

    def compress(self) -> None:
        """Add up what is waiting, so that each cell is there once, in order."""
        keys = np.concatenate([self.keys, *(keys for keys, _ in self._waiting)])
        values = np.concatenate([self.values, *(values for _, values in self._waiting)])
        self._waiting.clear()
        order = np.argsort(keys, kind="stable")
        keys, values = keys[order], values[order]
        first = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]])[: len(keys)])
        self.keys = keys[first]
        self.values = np.add.reduceat(values, first, axis=0) if len(first) else values

    @property
    def annotators(self) -> NDArray[np.int64]:
        """Annotator of each cell."""
        return self.keys // (self.num_classes * self.num_classes)

    @property
    def given(self) -> NDArray[np.int64]:
        """Given class of each cell."""
        return self.keys // self.num_classes % self.num_classes

    @property
    def true(self) -> NDArray[np.int64]:
        """True class of each cell."""
        return self.keys % self.num_classes

    @property
    def counts(self) -> NDArray[np.int64]:
        """Votes of each cell, by the consensus."""
        return self.values[:, _COUNT]

    @property
    def without(self) -> NDArray[np.int64]:
        """Votes of each cell, by the consensus of the others."""
        return self.values[:, _WITHOUT]

    @property
    def several(self) -> NDArray[np.int64]:
        """Votes of each cell on items with several votes, by the consensus."""
        return self.values[:, _SEVERAL]

    @property
    def quality(self) -> NDArray[np.float64]:
        """Sum of the quality of the consensus over the votes of each cell."""
        return self._joined(_QUALITY)

    @property
    def posterior(self) -> NDArray[np.float64]:
        """Sum of the probability of the given class over the votes of each cell."""
        return self._joined(_POSTERIOR)

    def _joined(self, place: int) -> NDArray[np.float64]:
        high, low = self.values[:, place], self.values[:, place + 1]
        found: NDArray[np.float64] = (high * float(1 << _BITS) + low) / ONE
        return found

    def sum_by(
        self, keys: NDArray[np.int64], values: NDArray[Any], size: int
    ) -> NDArray[np.float64]:
        """Add up numbers of cells by a key, in the order of the cells."""
        sums: NDArray[Any] = np.bincount(keys, values, size)
        return sums


@dataclass(frozen=True)
class AnnotatorStats:
    """Numbers of each annotator; NaN or -1 where there is none.

    Attributes
    ----------
    items : ndarray of int64, shape (A,)
    agreement : ndarray of float64, shape (A,)
        Share of votes for the consensus of the others, where they have one.
    quality : ndarray of float64, shape (A,)
    worst_class : ndarray of int64, shape (A,)
        Given class that agrees least with the consensus.
    confused : ndarray of int64, shape (A, 2)
        Given and true class of most disagreements with the consensus.
    """

    items: NDArray[np.int64]
    agreement: NDArray[np.float64]
    quality: NDArray[np.float64]
    worst_class: NDArray[np.int64]
    confused: NDArray[np.int64]


def annotator_stats(
    cells: CellSums, num_annotators: int, *, quality: str, model_share: float = 0.0
) -> AnnotatorStats:
    """Work out what annotators are like.

    Parameters
    ----------
    cells : CellSums
        Of all items, compressed.
    num_annotators : int
        A.
    quality : {"agreement", "posterior", "crowdlab"}
        Agreement with the consensus on items with several votes; mean probability of the given
        label; or both, weighed as CROWDLAB does.
    model_share : float
        Weight of the probability (`sparkclean.crowds.crowdlab.Weights.model_share`).

    Returns
    -------
    AnnotatorStats
    """
    who, size = cells.annotators, num_annotators
    right = cells.given == cells.true
    items = cells.sum_by(who, cells.counts, size).astype(np.int64)
    known = cells.sum_by(who, cells.without, size)
    agreeing = cells.sum_by(who[right], cells.without[right], size)
    several = cells.sum_by(who, cells.several, size)
    with_others = _ratio(cells.sum_by(who[right], cells.several[right], size), several)
    mean = _ratio(cells.sum_by(who, cells.posterior, size), items)
    chosen = {
        "agreement": with_others,
        "posterior": mean,
        "crowdlab": model_share * mean + (1 - model_share) * with_others,
    }
    return AnnotatorStats(
        items,
        _ratio(agreeing, known),
        chosen[quality],
        _worst_classes(cells, num_annotators),
        _confused_pairs(cells, num_annotators),
    )


def _ratio(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    safe = np.maximum(whole, 1)
    found: NDArray[np.float64] = np.where(whole > 0, part / safe, np.nan)
    return found


def _worst_classes(cells: CellSums, num_annotators: int) -> NDArray[np.int64]:
    """Find the given class of lowest agreement; then of most votes, best consensus, first."""
    pairs, places = np.unique(cells.keys // cells.num_classes, return_inverse=True)
    right = cells.given == cells.true
    count = np.bincount(places, cells.counts, len(pairs))
    there = count > 0
    agreeing = np.bincount(places[right], cells.counts[right], len(pairs))
    quality = np.bincount(places, cells.quality, len(pairs))
    who, given = pairs // cells.num_classes, pairs % cells.num_classes
    accuracy, mean = _ratio(agreeing, count), _ratio(quality, count)
    order = np.lexsort((given, -mean, -count, accuracy, who))
    order = order[there[order]]
    worst = np.full(num_annotators, -1)
    found, first = np.unique(who[order], return_index=True)
    worst[found] = given[order][first]
    return worst


def _confused_pairs(cells: CellSums, num_annotators: int) -> NDArray[np.int64]:
    """Find the cell of most disagreements of each annotator; then the first."""
    wrong = np.flatnonzero((cells.given != cells.true) & (cells.counts > 0))
    order = wrong[np.lexsort((cells.keys[wrong], -cells.counts[wrong], cells.annotators[wrong]))]
    confused = np.full((num_annotators, 2), -1)
    found, first = np.unique(cells.annotators[order], return_index=True)
    confused[found, 0] = cells.given[order][first]
    confused[found, 1] = cells.true[order][first]
    return confused
