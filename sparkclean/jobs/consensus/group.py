"""Group annotations by item, beside the predictions of it. Runs on executors: numpy and pyarrow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sparkclean.crowds.majority import count_untied
from sparkclean.crowds.votes import Votes
from sparkclean.jobs.consensus.batches import matrix_batches
from sparkclean.jobs.consensus.row_types import (
    ANNOTATOR,
    ANNOTATORS,
    BAD_PREDICTION,
    CLASS,
    EXAMPLE,
    HASHED,
    ITEM,
    ITEM_HASH,
    LABEL,
    LABELS,
    NO_PREDICTION,
    NO_TIME,
    NULL_ANNOTATOR,
    NULL_ITEM,
    PRED_PROBS,
    PROBLEM,
    PROBS,
    SAME_TIME,
    SHOWN,
    SOURCE,
    TIME,
    TOTALS,
    TWICE,
    TWO_PREDICTIONS,
    UNKNOWN_LABEL,
    WHO,
    item_fields,
)
from sparkclean.rows.emitted import ANY_KEYS, ID_PREFIX, KIND, to_batch
from sparkclean.rows.types import Fields, arrow_type

_FIRST = ANY_KEYS[0]
#: Rows, their annotators, their classes.
_Chosen = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]
#: Rows that are gathered before they are grouped, and bytes: a prediction of many classes is wide.
_ROWS, _BYTES = 1 << 17, 1 << 26


@dataclass(frozen=True)
class GroupItems:
    """Makes items of rows that are sorted by record id, source, annotator, time and label.

    Attributes
    ----------
    id_types : tuple of str
        Of the record id columns.
    annotators : pyarrow.Array
        All annotators, in their order.
    classes : pyarrow.Array
        The K labels.
    orders : tuple of tuple of int
        For each model the classes of its numbers, by position; -1 for one that is no class.
    row_sum_tolerance : float
        How far the probabilities of a row may be from a sum of 1.
    has_time : bool
    stops_at_duplicates : bool
    """

    id_types: tuple[str, ...]
    annotators: pa.Array
    classes: pa.Array
    orders: tuple[tuple[int, ...], ...]
    row_sum_tolerance: float
    has_time: bool
    stops_at_duplicates: bool
    keys: ClassVar[tuple[str, str]] = ANY_KEYS
    kinds: ClassVar[tuple[int, ...]] = (ITEM, EXAMPLE)
    state_kinds: ClassVar[tuple[int, ...]] = (TOTALS, CLASS, ANNOTATOR, PROBLEM)

    @property
    def fields(self) -> Fields:
        """Columns of the output."""
        return item_fields(self.id_types)

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield items, then what was counted.

        Memory: 131,072 rows or 64 MiB of them, whatever is less, and those of the largest item.
        """
        grouping = _Grouping(self)
        for table in _whole_items(batches, len(self.id_types)):
            yield from grouping.items_of(table)
        yield from grouping.counted()


def _whole_items(batches: Iterable[pa.RecordBatch], num_ids: int) -> Iterator[pa.Table]:
    """Put batches together so that the rows of an item stay together."""
    waiting: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        waiting.append(batch)
        rows, size = rows + len(batch), size + batch.nbytes
        if rows < _ROWS and size < _BYTES:
            continue
        table = pa.Table.from_batches(waiting).combine_chunks()
        last = int(_first_rows(table, num_ids)[-1])
        if last:
            yield table.slice(0, last)
        waiting = table.slice(last).to_batches()
        rows, size = len(table) - last, sum(part.nbytes for part in waiting)
    if rows:
        yield pa.Table.from_batches(waiting).combine_chunks()


def _first_rows(table: pa.Table, num_ids: int) -> NDArray[np.int64]:
    """Find the first row of each item."""
    if not len(table):
        return np.zeros(0, np.int64)
    changes = np.ones(len(table), bool)
    changes[1:] = False
    for number in range(num_ids):
        column = _plain(table.column(f"{ID_PREFIX}{number}"))
        differs = pc.not_equal(column[1:], column[:-1]).fill_null(False).to_numpy(False)
        nulls = column.is_null().to_numpy(False)
        changes[1:] |= differs | (nulls[1:] != nulls[:-1])
    return np.flatnonzero(changes)


def _plain(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


@dataclass(frozen=True)
class _Rows:
    """Rows that are whole items.

    Attributes
    ----------
    table : pyarrow.Table
    ids : list of pyarrow.Array
        Record id columns.
    firsts : ndarray of int64
        First row of each item.
    """

    table: pa.Table
    ids: list[pa.Array]
    firsts: NDArray[np.int64]

    def column(self, name: str) -> pa.Array:
        """Give a column."""
        return _plain(self.table.column(name))

    @cached_property
    def item_of(self) -> NDArray[np.int64]:
        """Item of each row."""
        return np.repeat(np.arange(len(self.firsts)), np.diff([*self.firsts, len(self.table)]))

    @cached_property
    def source(self) -> NDArray[np.int64]:
        """Model of each row, from 1; 0 is an annotator."""
        found: NDArray[np.int64] = self.column(SOURCE).to_numpy(False)
        return found


class _Grouping:
    """One task: counts while it makes items."""

    def __init__(self, function: GroupItems) -> None:
        self.function = function
        num_annotators, num_classes = len(function.annotators), len(function.classes)
        self.totals = np.zeros(6, np.int64)
        self.classes = np.zeros(num_classes, np.int64)
        self.untied = np.zeros((num_annotators, 2), np.int64)
        self.problems: dict[int, int] = {}
        self.examples: dict[int, list[tuple[Any, ...]]] = {}

    # -- items -----------------------------------------------------------------------------------

    def items_of(self, table: pa.Table) -> Iterator[pa.RecordBatch]:
        """Yield the items of rows that are whole items."""
        function = self.function
        ids = [_plain(table.column(f"{ID_PREFIX}{i}")) for i in range(len(function.id_types))]
        rows_in = _Rows(table, ids, _first_rows(table, len(ids)))
        firsts, is_vote = rows_in.firsts, rows_in.source == 0
        null_item = np.zeros(len(table), bool)
        for column in ids:
            null_item |= column.is_null().to_numpy(False)
        self._report(NULL_ITEM, ids, np.flatnonzero(null_item & is_vote), shown=False)
        rows, who, label = self._votes(rows_in, is_vote & ~null_item)
        counts = np.bincount(rows_in.item_of[rows], minlength=len(firsts))
        voted = np.flatnonzero(counts)
        starts = np.concatenate([[0], np.cumsum(counts[voted])]).astype(np.int64)
        probs = self._predictions(rows_in, voted)
        self.totals[0] += int(is_vote.sum())
        self.totals[1] += len(rows)
        self.totals[2] += len(voted)
        if not len(voted):
            return
        grouped = Votes(starts, who, label)
        self._count(grouped)
        lists = pa.array(starts.astype(np.int32))
        yield to_batch(
            {
                KIND: ITEM,
                "ids": [column.take(pa.array(firsts[voted])) for column in ids],
                ITEM_HASH: _plain(table.column(HASHED)).take(pa.array(firsts[voted])),
                ANNOTATORS: pa.ListArray.from_arrays(lists, pa.array(who)),
                LABELS: pa.ListArray.from_arrays(lists, pa.array(label)),
                PRED_PROBS: probs,
            },
            function.fields,
        )

    def _votes(self, rows_in: _Rows, chosen: NDArray[np.bool_]) -> _Chosen:
        """Find the rows that count, with annotator and class."""
        function, ids = self.function, rows_in.ids
        annotator, label = rows_in.column(WHO), rows_in.column(LABEL)
        no_label = label.is_null().to_numpy(False)
        no_annotator = annotator.is_null().to_numpy(False)
        self.totals[3] += int((chosen & no_label).sum())
        self._report(NULL_ANNOTATOR, ids, np.flatnonzero(chosen & no_annotator & ~no_label))
        who = pc.index_in(annotator, function.annotators).fill_null(-1).to_numpy(False)
        given = pc.index_in(label, function.classes).fill_null(-1).to_numpy(False)
        chosen = chosen & ~no_label & ~no_annotator
        self._report(UNKNOWN_LABEL, ids, np.flatnonzero(chosen & (given < 0)))
        rows = np.flatnonzero(chosen & (given >= 0) & (who >= 0))
        return self._without_duplicates(rows_in, rows, who, given)

    def _without_duplicates(
        self,
        rows_in: _Rows,
        rows: NDArray[np.int64],
        who: NDArray[np.int32],
        given: NDArray[np.int32],
    ) -> _Chosen:
        """Keep the last row of each annotator and item."""
        ids, item = rows_in.ids, rows_in.item_of[rows]
        same = np.zeros(len(rows), bool)  # as the row before it
        same[1:] = (item[1:] == item[:-1]) & (who[rows][1:] == who[rows][:-1])
        if same.any():
            again = rows[same]
            if self.function.stops_at_duplicates:
                self._report(TWICE, ids, again)
            else:
                other = same.copy()
                other[1:] &= given[rows][1:] != given[rows][:-1]
                if not self.function.has_time:
                    self._report(NO_TIME, ids, rows[other])
                else:
                    self._report(
                        SAME_TIME, ids, _undecided(rows_in.column(TIME), rows, same, other)
                    )
            self.totals[4] += int(same.sum())
        last = np.ones(len(rows), bool)
        last[:-1] = ~same[1:]
        kept = rows[last]
        return kept, who[kept].astype(np.int32), given[kept].astype(np.int32)

    def _count(self, votes: Votes) -> None:
        """Count what ties are broken by."""
        counts = count_untied(votes, len(self.classes), len(self.untied))
        self.classes += counts.classes
        self.untied[:, 0] += counts.agreeing
        self.untied[:, 1] += counts.votes

    # -- predictions -----------------------------------------------------------------------------

    def _predictions(self, rows_in: _Rows, voted: NDArray[np.int64]) -> pa.Array | None:
        """Arrange the probabilities of items by model and class."""
        ids, firsts, source = rows_in.ids, rows_in.firsts, rows_in.source
        orders, num_classes = self.function.orders, len(self.classes)
        if not orders:
            return None
        place = np.full(len(firsts), -1)
        place[voted] = np.arange(len(voted))
        found = np.zeros((len(voted), len(orders), num_classes))
        column, item_of = rows_in.column(PROBS), rows_in.item_of
        for model, order in enumerate(orders):
            rows = np.flatnonzero((source == model + 1) & (place[item_of] >= 0))
            items = place[item_of[rows]]
            there = np.bincount(items, minlength=len(voted))
            key = model * 16
            self._report(key + NO_PREDICTION, ids, firsts[voted[there == 0]])
            self._report(key + TWO_PREDICTIONS, ids, firsts[voted[there > 1]])
            numbers, is_good = _matrix(
                column.take(pa.array(rows)), len(order), self.function.row_sum_tolerance
            )
            self._report(key + BAD_PREDICTION, ids, rows[~is_good])
            for position, label in enumerate(order):
                if label >= 0:
                    found[items, model, label] = numbers[:, position]
        self.totals[5] += int((source > 0).sum()) - len(voted) * len(orders)
        width = len(orders) * num_classes
        offsets = np.arange(len(voted) + 1, dtype=np.int32) * width
        return pa.ListArray.from_arrays(pa.array(offsets), pa.array(found.ravel()))

    # -- what was counted ------------------------------------------------------------------------

    def _report(
        self, code: int, ids: Sequence[pa.Array], rows: NDArray[np.int64], *, shown: bool = True
    ) -> None:
        """Count rows with a problem; keep the first record ids."""
        if not len(rows):
            return
        self.problems[code] = self.problems.get(code, 0) + len(rows)
        kept = self.examples.setdefault(code, [])
        if shown:
            some = [column.take(pa.array(rows[: 4 * SHOWN])).to_pylist() for column in ids]
            kept += list(zip(*some, strict=True))
            self.examples[code] = sorted(set(kept))[:SHOWN]

    def counted(self) -> Iterator[pa.RecordBatch]:
        """Yield examples of problems, and the state."""
        function = self.function
        for code, examples in self.examples.items():
            if examples:
                columns = list(zip(*examples, strict=True))
                ids = [
                    pa.array(column, arrow_type(kind))
                    for column, kind in zip(columns, function.id_types, strict=True)
                ]
                yield to_batch({KIND: EXAMPLE, _FIRST: [code] * len(examples), "ids": ids},
                               function.fields)  # fmt: skip
        classes = np.flatnonzero(self.classes)
        annotators = np.flatnonzero(self.untied[:, 1])
        codes = np.array(list(self.problems), np.int64)
        counts = np.array(list(self.problems.values()), np.int64)
        for kind, keys, values in (
            (TOTALS, np.zeros(1, np.int64), self.totals[None]),
            (CLASS, classes, self.classes[classes, None]),
            (ANNOTATOR, annotators, self.untied[annotators]),
            (PROBLEM, codes, counts[:, None]),
        ):
            yield from matrix_batches(kind, keys, np.zeros_like(keys), values, function.fields)


def _undecided(
    time: pa.Array, rows: NDArray[np.int64], same: NDArray[np.bool_], other: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Find last rows whose time another label of the same annotator has, too."""
    moments = time.fill_null(np.iinfo(np.int64).min).to_numpy(False)[rows]
    level = np.zeros(len(rows), bool)
    level[1:] = same[1:] & (moments[1:] == moments[:-1])
    last = np.ones(len(rows), bool)
    last[:-1] = ~same[1:]
    # labels of one moment are sorted: they differ if one of them differs from the one before it
    moment = np.cumsum(~level)
    differs = np.zeros(len(rows) + 1, bool)
    differs[moment[level & other]] = True
    return rows[last & differs[moment]]


def _matrix(
    column: pa.Array, width: int, tolerance: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Read lists of probabilities; and tell which are some."""
    lengths = pc.list_value_length(column).fill_null(-1).to_numpy(False)
    numbers = np.zeros((len(column), width))
    is_good = lengths == width
    if is_good.any():
        chosen = column.filter(pa.array(is_good))
        values = chosen.flatten().fill_null(np.nan).to_numpy(False)
        numbers[is_good] = values.reshape(-1, width)
    in_range = ((numbers >= 0) & (numbers <= 1 + tolerance)).all(axis=1)
    is_good &= in_range & (np.abs(numbers.sum(axis=1) - 1) <= tolerance)
    return numbers, is_good
