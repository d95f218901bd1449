"""Compare answers with labels and add up, item by item. Runs on executors.

The rows of an item come one after the other: first its label, then its answers by model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sparkclean.jobs.rank_models.totals import (
    BAD,
    CLASS_ITEMS,
    FIXED,
    HITS,
    ITEMS,
    LOSS_PAIRS,
    LOSSES,
    PREDICTED,
    PROBLEM,
    RIGHT,
    SHOWN,
    STRATA,
    VALID,
    Totals,
)
from sparkclean.noise.metrics import LOSS_UNIT
from sparkclean.noise.pair_sums import HitSums, LossSums
from sparkclean.numbers.fixed_point import portable_log, sum_rows

#: Columns of the rows; a row of model -1 holds the label of its item.
ITEM, MODEL, TEXT, CORRECTED, IS_VALID, PROBS = (
    "item", "model", "text", "corrected", "is_valid", "probs",
)  # fmt: skip
LABEL_ROW = -1
#: A probability below this counts as this much: the loss of a null is that of 2**-52.
_SMALLEST = 2.0**-52
_ROW_SUM = 1e-2

# what may be wrong with items
NULL_ITEM, NULL_LABEL, NO_LABEL = "null item", "null label", "no label"
TWICE_LABELLED, TWICE_ANSWERED, MISSING = "two labels", "two answers", "missing answers"
CONTRADICTION, UNKNOWN_CLASS, BAD_PROBS = "valid and corrected", "unknown class", "probabilities"

Bools = NDArray[np.bool_]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class CountAnswers:
    """A function over sorted rows.

    Attributes
    ----------
    num_models : int
        M.
    classes : tuple of str or None
        Labels as text, for metrics by class and for probabilities; None counts hits alone.
    by_class : bool
        Whether hits are counted by class, too.
    has_probs : bool
        Whether answers are probabilities.
    missing_is_wrong : bool
        Whether an item without a row of some model is one that this model has wrong.
    """

    num_models: int
    classes: tuple[str, ...] | None
    by_class: bool
    has_probs: bool
    missing_is_wrong: bool

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield what `Totals.batches` gives."""
        count = _Count(self)
        for table in whole_items(batches):
            count.add(table)
        yield from count.batches()


def whole_items(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Cut sorted rows between items: no item is divided.

    Parameters
    ----------
    batches : iterable of RecordBatch

    Yields
    ------
    Table
    """
    kept: list[pa.RecordBatch] = []
    for batch in batches:
        if not len(batch):
            continue
        item = batch.column(ITEM)
        starts = np.flatnonzero(_is_new(item))
        is_same = bool(kept) and _same(kept[-1].column(ITEM)[-1], item[0])
        if is_same and len(starts) == 1:
            kept.append(batch)
            continue
        last = int(starts[-1])
        whole = [*kept, batch.slice(0, last)]
        kept = [batch.slice(last)]
        if sum(map(len, whole)):
            yield pa.Table.from_batches(whole)
    if kept:
        yield pa.Table.from_batches(kept)


def _same(one: pa.Scalar, other: pa.Scalar) -> bool:
    return bool(one.as_py() == other.as_py())


def _is_new(item: pa.Array) -> Bools:
    """Tell the first row of each item; rows without an item stand together."""
    first = np.ones(len(item), bool)
    if len(item) > 1:
        before, here = item.slice(0, len(item) - 1), item.slice(1)
        same = pc.fill_null(pc.equal(before, here), False)
        both_null = pc.and_(pc.is_null(before), pc.is_null(here))
        first[1:] = ~_numpy(pc.or_(same, both_null))
    return first


def _numpy(array: pa.Array | pa.ChunkedArray) -> NDArray[Any]:
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    return array.to_numpy(zero_copy_only=False)


class _Count:
    """What one task has added up so far."""

    def __init__(self, of: CountAnswers) -> None:
        self.of, self.totals = of, Totals()
        self.hits = [HitSums(of.num_models) for _ in STRATA]
        self.classes = pa.array(of.classes or (), pa.string())
        if of.has_probs:
            self.loss_pairs = [LossSums(of.num_models) for _ in STRATA]
            self.losses = np.zeros((len(STRATA), of.num_models), np.int64)
        if of.by_class:
            shape = (len(STRATA), of.num_models, len(self.classes))
            self.right, self.predicted = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
            self.class_items = np.zeros((len(STRATA), len(self.classes)), np.int64)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Give all that was added up."""
        add = self.totals.add
        for stratum in STRATA:
            hits = self.hits[stratum]
            if not hits.items:
                continue
            add((ITEMS, stratum, 0), np.array([hits.items]))
            for model, row in enumerate(hits.sums()):
                add((HITS, stratum, model), row[model:])
            if self.of.has_probs:
                add((LOSSES, stratum, 0), self.losses[stratum])
                for model, row in enumerate(self.loss_pairs[stratum].sums()):
                    add((LOSS_PAIRS, stratum, model), row[model:])
            if self.of.by_class:
                add((CLASS_ITEMS, stratum, 0), self.class_items[stratum])
                for model in range(self.of.num_models):
                    add((RIGHT, stratum, model), self.right[stratum, model])
                    add((PREDICTED, stratum, model), self.predicted[stratum, model])
        yield from self.totals.batches()

    def _report(self, reason: str, items: pa.Array, wrong: Bools) -> None:
        """Count what is wrong with some of the items (or rows), and keep some ids."""
        count = int(np.count_nonzero(wrong))
        if count:
            some = items.filter(pa.array(wrong)).slice(0, SHOWN).to_pylist()
            self.totals.add((PROBLEM + reason, 0, 0), np.array([count]), map(str, some))

    def add(self, table: pa.Table) -> None:
        """Add whole items."""
        table = table.combine_chunks()
        item = table.column(ITEM).combine_chunks()
        if item.null_count:
            self._report(NULL_ITEM, item, _numpy(item.is_null()))
            table = table.filter(pc.is_valid(table.column(ITEM))).combine_chunks()
            if not len(table):
                return
            item = table.column(ITEM).combine_chunks()
        is_first = _is_new(item)
        number, starts = np.cumsum(is_first) - 1, np.flatnonzero(is_first)
        model, ids = _numpy(table.column(MODEL)), item.take(pa.array(starts))
        is_label = model == LABEL_ROW
        usable = self._check_rows(ids, number, model, is_label)
        labels = table.select([TEXT, CORRECTED, IS_VALID]).take(pa.array(starts))
        has_label = _numpy(pc.is_valid(labels.column(TEXT)))
        self._report(NULL_LABEL, ids, usable & ~has_label)
        usable &= has_label
        answers = table.filter(pa.array(~is_label & usable[number]))
        where = number[~is_label & usable[number]]
        entries = _Answers(
            self.of, self.classes, answers, where, model=_numpy(answers.column(MODEL))
        )
        self._report(BAD_PROBS, answers.column(ITEM).combine_chunks(), entries.is_bad)
        is_valid = _numpy(pc.fill_null(labels.column(IS_VALID), False)) & usable
        corrected = labels.column(CORRECTED).combine_chunks()
        other = pc.fill_null(pc.not_equal(corrected, labels.column(TEXT)), False)
        self._report(CONTRADICTION, ids, is_valid & _numpy(other))
        text = labels.column(TEXT).combine_chunks()
        is_bad = usable & ~is_valid
        self._add_stratum(VALID, entries, ids, text, is_valid)
        self._add_stratum(BAD, entries, ids, text, is_bad)
        is_fixed = is_bad & _numpy(pc.is_valid(corrected))
        self._add_stratum(FIXED, entries, ids, corrected, is_fixed)

    def _check_rows(
        self, ids: pa.Array, number: Integers, model: Integers, is_label: Bools
    ) -> Bools:
        """Find items that have not one label and one answer of each model."""
        count = len(ids)
        labels = np.bincount(number[is_label], minlength=count)
        self._report(NO_LABEL, ids, labels == 0)
        self._report(TWICE_LABELLED, ids, labels > 1)
        again = np.zeros(len(number), bool)
        again[1:] = (number[1:] == number[:-1]) & (model[1:] == model[:-1])
        twice = np.bincount(number[again & ~is_label], minlength=count) > 0
        self._report(TWICE_ANSWERED, ids, twice)
        answers = np.bincount(number[~is_label], minlength=count)
        missing = (labels > 0) & ~twice & (answers < self.of.num_models)
        if not self.of.missing_is_wrong:
            self._report(MISSING, ids, missing)
        return (labels == 1) & ~twice

    def _add_stratum(
        self, stratum: int, entries: _Answers, ids: pa.Array, label: pa.Array, of: Bools
    ) -> None:
        """Compare the answers to some items with their labels."""
        if not of.any():
            return
        place = np.cumsum(of) - 1  # of an item among those of the stratum
        mine = of[entries.item]
        item, model = place[entries.item[mine]], entries.model[mine]
        wanted = label.take(pa.array(entries.item))
        right = _numpy(pc.fill_null(pc.equal(entries.text, wanted), False))[mine]
        hits = np.zeros((int(of.sum()), self.of.num_models), bool)
        hits[item, model] = right
        self.hits[stratum].add(hits)
        if self.of.classes is None:
            return
        found = pc.index_in(label, self.classes)
        self._report(UNKNOWN_CLASS, ids, of & _numpy(found.is_null()))
        true = _numpy(found.fill_null(0)).astype(np.int64)
        if self.of.has_probs:
            losses = np.full(hits.shape, -float(portable_log(np.array([_SMALLEST]))[0]))
            losses[item, model] = entries.losses(true)[mine]
            self.loss_pairs[stratum].add(losses)
            self.losses[stratum] += np.rint(losses * LOSS_UNIT).astype(np.int64).sum(axis=0)
        if self.of.by_class:
            self.class_items[stratum] += np.bincount(true[of], minlength=len(self.classes))
            chosen = entries.classes[mine]
            known = chosen >= 0
            np.add.at(self.predicted[stratum], (model[known], chosen[known]), 1)
            np.add.at(self.right[stratum], (model[right], true[entries.item[mine]][right]), 1)


class _Answers:
    """The answers to the items of one table.

    Attributes
    ----------
    item, model : ndarray of int64, shape (N,)
        Number of the item in the table, and of the model.
    text : pyarrow.Array
        Predicted labels.
    classes : ndarray of int64, shape (N,)
        Numbers of their classes, -1 for strangers.
    is_bad : ndarray of bool, shape (N,)
        Whether the probabilities are none.
    """

    def __init__(
        self,
        of: CountAnswers,
        classes: pa.Array,
        answers: pa.Table,
        item: Integers,
        *,
        model: Integers,
    ) -> None:
        self.item, self.model = item, model
        self.is_bad = np.zeros(len(item), bool)
        self._probs = np.zeros((len(item), 0))
        if of.has_probs:
            column = answers.column(PROBS).combine_chunks()
            self._read_probs(column, len(classes))
            best = pa.array(self._probs.argmax(axis=1), mask=_numpy(column.is_null()))
            self.text = classes.take(best)
        else:
            self.text = answers.column(TEXT).combine_chunks()
        self.classes = np.zeros(0, np.int64)
        if of.by_class:
            found = pc.index_in(self.text, classes, skip_nulls=True)
            self.classes = _numpy(found.fill_null(-1)).astype(np.int64)

    def _read_probs(self, column: pa.Array, num_classes: int) -> None:
        """Read the arrays; null is certain of no class."""
        there = _numpy(column.is_valid())
        lengths = _numpy(pc.fill_null(pc.list_value_length(column), 0))
        self.is_bad = there & (lengths != num_classes)
        probs = np.zeros((len(column), num_classes))
        fits = there & ~self.is_bad
        flat = column.filter(pa.array(fits)).flatten()
        values = _numpy(flat.cast(pa.float64()).fill_null(np.nan)).reshape(-1, num_classes)
        wrong = ~((values >= 0.0) & (values <= 1.0 + _ROW_SUM)).all(axis=1)
        sums = sum_rows(np.nan_to_num(values))
        wrong |= np.abs(sums - 1.0) > _ROW_SUM
        probs[fits] = values
        self.is_bad[fits] |= wrong
        probs[self.is_bad] = 0.0
        self._probs = probs

    def losses(self, true: Integers) -> NDArray[np.float64]:
        """Give the log loss of each answer, shape (N,).

        Parameters
        ----------
        true : ndarray of int64
            Class of each item.
        """
        chosen = self._probs[np.arange(len(self.item)), true[self.item]]
        return -portable_log(np.clip(chosen, _SMALLEST, 1.0))
