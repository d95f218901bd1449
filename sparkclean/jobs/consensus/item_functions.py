"""What tasks do with items: read their votes, add up what a method needs, decide, compare.

Runs on executors: numpy and pyarrow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sparkclean.crowds.crowdlab import Crowdlab, count_crowdlab
from sparkclean.crowds.dawid_skene import Confusions, Sums, expect
from sparkclean.crowds.flags import shared_errors
from sparkclean.crowds.majority import UntiedCounts, count_agreeing, majority_labels, mean_probs
from sparkclean.crowds.votes import Decision, Votes
from sparkclean.jobs.consensus.batches import matrix_batches, state_batch
from sparkclean.jobs.consensus.row_types import (
    ANNOTATOR,
    ANNOTATORS,
    CONSENSUS,
    LABELS,
    MODEL,
    PAIR,
    PAIRS,
    PRED_PROBS,
    SIZE,
    SUMS,
    VOTERS,
)
from sparkclean.rows.emitted import ANY_KEYS, STATE, state_fields
from sparkclean.rows.types import Fields

_FIRST, _SECOND = ANY_KEYS
#: Keys of the sums of all annotators together.
CLASSES, LIKELIHOOD = -1, -2


class Decider(Protocol):
    """A method that is fitted: it decides on any items."""

    def decide(self, votes: Votes, pred_probs: NDArray[np.float64] | None = None) -> Decision:
        """Decide on items."""


def read_items(
    batch: pa.RecordBatch, num_models: int, num_classes: int
) -> tuple[Votes, NDArray[np.float64] | None]:
    """Read the votes of items, and the probabilities of models.

    Parameters
    ----------
    batch : pyarrow.RecordBatch
    num_models, num_classes : int
        P and K.

    Returns
    -------
    votes : Votes
    pred_probs : ndarray of float64, shape (P, N, K), or None
    """
    column = batch.column(ANNOTATORS)
    sizes = column.value_lengths().to_numpy(False)
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    labels = batch.column(LABELS).flatten().to_numpy(False)
    votes = Votes(starts, column.flatten().to_numpy(False), labels)
    if not num_models:
        return votes, None
    numbers = batch.column(PRED_PROBS).flatten().to_numpy(False)
    shaped = numbers.reshape(len(batch), num_models, num_classes)
    return votes, np.ascontiguousarray(shaped.transpose(1, 0, 2))


class _StateOnly:
    """A function over items that emits state alone."""

    keys: ClassVar[tuple[str, str]] = ANY_KEYS
    fields: ClassVar[Fields] = state_fields(ANY_KEYS)
    kinds: ClassVar[tuple[int, ...]] = ()


@dataclass(frozen=True)
class Expect:
    """One pass of EM: the sums of a task, by annotator.

    Attributes
    ----------
    num_annotators, num_classes : int
        A and K.
    confusions : Confusions or None
        None starts at the shares of the votes.
    """

    num_annotators: int
    num_classes: int
    confusions: Confusions | None
    keys: ClassVar[tuple[str, str]] = ANY_KEYS
    fields: ClassVar[Fields] = state_fields(ANY_KEYS)
    kinds: ClassVar[tuple[int, ...]] = (SUMS,)
    state_kinds: ClassVar[tuple[int, ...]] = ()

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the sums. Memory: A K K numbers of 16 bytes, and tables of a batch."""
        sums = Sums.of(self.num_annotators, self.num_classes)
        confusions = None if self.confusions is None else self.confusions.opened()
        for batch in batches:
            votes, _ = read_items(batch, 0, self.num_classes)
            expect(votes, confusions, sums)
        for limb in (0, 1):
            rows = sums.cells[limb].reshape(self.num_annotators, -1)
            used = np.flatnonzero(rows.any(axis=1))
            yield from matrix_batches(SUMS, used, np.full(len(used), limb), rows[used], self.fields)
        yield state_batch(SUMS, [CLASSES] * 2, [0, 1], sums.classes.tolist(), self.fields)
        yield state_batch(SUMS, [LIKELIHOOD], [0], [sums.likelihood.tolist()], self.fields)


def add_sums(batches: Iterable[pa.RecordBatch], num_annotators: int, num_classes: int) -> Sums:
    """Add up the sums of all tasks, on the driver.

    Parameters
    ----------
    batches : iterable of pyarrow.RecordBatch
        Of `Expect`.
    num_annotators, num_classes : int
        A and K.

    Returns
    -------
    Sums
    """
    sums = Sums.of(num_annotators, num_classes)
    cells = sums.cells.reshape(2, num_annotators, -1)
    for batch in batches:
        first = batch.column(_FIRST).to_numpy(False)
        second = batch.column(_SECOND).to_numpy(False)
        is_row = first >= 0
        if is_row.any():
            chosen = batch.filter(pa.array(is_row))
            values = chosen.column(STATE).flatten().to_numpy(False).reshape(-1, cells.shape[2])
            np.add.at(cells, (second[is_row], first[is_row]), values)
        for place in np.flatnonzero(~is_row).tolist():
            values = np.array(batch.column(STATE)[place].as_py(), np.int64)
            if first[place] == CLASSES:
                sums.classes[second[place]] += values
            else:
                sums.likelihood += values
    return sums


@dataclass(frozen=True)
class CountAgreeing(_StateOnly):
    """Counts the votes of each annotator for the majority.

    Attributes
    ----------
    untied : UntiedCounts
    num_models : int
        P.
    """

    untied: UntiedCounts
    num_models: int
    state_kinds: ClassVar[tuple[int, ...]] = (ANNOTATOR,)

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the counts."""
        num_annotators, num_classes = len(self.untied.votes), len(self.untied.classes)
        totals = np.zeros((num_annotators, 2), np.int64)
        for batch in batches:
            votes, probs = read_items(batch, self.num_models, num_classes)
            labels = majority_labels(votes, self.untied, mean_probs(probs))
            for place, counts in enumerate(count_agreeing(votes, labels, num_annotators)):
                totals[:, place] += counts
        used = np.flatnonzero(totals[:, 1])
        zeros = np.zeros(len(used), np.int64)
        yield from matrix_batches(ANNOTATOR, used, zeros, totals[used], self.fields)


@dataclass(frozen=True)
class CountVoters(_StateOnly):
    """Counts what CROWDLAB weighs voters by.

    Attributes
    ----------
    untied : UntiedCounts
    num_models : int
        P.
    fitted : Crowdlab or None
        Whose labels the voters are compared with; None takes the majority.
    """

    untied: UntiedCounts
    num_models: int
    fitted: Crowdlab | None
    state_kinds: ClassVar[tuple[int, ...]] = (VOTERS, ANNOTATOR, CONSENSUS, MODEL, SIZE)

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the counts."""
        num_annotators, num_classes = len(self.untied.votes), len(self.untied.classes)
        for batch in batches:
            votes, probs = read_items(batch, self.num_models, num_classes)
            if probs is None:
                raise ValueError("CROWDLAB needs a model")
            if self.fitted is None:
                labels = majority_labels(votes, self.untied, mean_probs(probs))
            else:
                labels = self.fitted.labels(votes, probs)
            found = count_crowdlab(votes, labels, probs, num_annotators)
            used = np.flatnonzero(found.possible)
            pairs = np.stack([found.pairs, found.possible], axis=1)[used]
            zeros = np.zeros(len(used), np.int64)
            yield state_batch(VOTERS, [0], [0], [[found.items, found.annotations]], self.fields)
            yield from matrix_batches(ANNOTATOR, used, zeros, pairs, self.fields)
            for kind, counts in ((CONSENSUS, found.classes), (MODEL, found.model_errors)):
                used = np.flatnonzero(counts)
                zeros = np.zeros(len(used), np.int64)
                yield from matrix_batches(kind, used, zeros, counts[used, None], self.fields)
            for size, counts_of_size in found.agreeing.items():
                yield state_batch(SIZE, [size], [0], [list(counts_of_size)], self.fields)


@dataclass(frozen=True)
class CompareAnnotators(_StateOnly):
    """Counts errors that two annotators share.

    Attributes
    ----------
    num_classes : int
        K.
    rates : ndarray of float64, shape (A,)
    wrong_classes : ndarray of float64, shape (K, K)
        As `sparkclean.crowds.flags.shared_errors` takes them.
    candidates : ndarray of int64 or None
        Pairs, as first * A + second, whose items are counted. None: shared errors of all pairs.
    """

    num_classes: int
    rates: NDArray[np.float64]
    wrong_classes: NDArray[np.float64]
    candidates: NDArray[np.int64] | None = None
    state_kinds: ClassVar[tuple[int, ...]] = (PAIR, PAIRS)

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield counts by pair: items, shared errors, and what is expected of them."""
        for batch in batches:
            votes, _ = read_items(batch, 0, self.num_classes)
            for _, part in votes.parts(self.num_classes * 8):
                yield from self._compared(part)

    def _compared(self, votes: Votes) -> Iterator[pa.RecordBatch]:
        found = shared_errors(votes, self.num_classes, self.rates, self.wrong_classes)
        same, expected = found.same.astype(np.int64), found.expected
        if self.candidates is None:
            totals = [int(same.sum()), *(int(part) for part in _limbs(expected.sum(axis=1).sum()))]
            yield state_batch(PAIRS, [0], [0], [totals], self.fields)
        keys = found.first * len(self.rates) + found.second
        chosen = found.same if self.candidates is None else np.isin(keys, self.candidates)
        if not chosen.any():
            return
        pairs, places = np.unique(keys[chosen], return_inverse=True)
        rows = np.zeros((len(pairs), 4), np.int64)
        np.add.at(rows[:, 0], places, 1)
        np.add.at(rows[:, 1], places, same[chosen])
        for side in (0, 1):
            # 2**-20 is fine enough for an expectation, and sums stay far below 2**63
            np.add.at(rows[:, 2 + side], places, expected[chosen, side] >> 20)
        size = len(self.rates)
        yield from matrix_batches(PAIR, pairs // size, pairs % size, rows, self.fields)


def _limbs(total: np.int64) -> tuple[int, int]:
    return int(total) >> 32, int(total) & ((1 << 32) - 1)
