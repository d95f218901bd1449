"""The tables of a consensus beside that of items, and what flags follow from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import functions as F

from sparkclean import schema
from sparkclean.crowds.agreement import Agreement, AgreementCounts
from sparkclean.crowds.annotators import AnnotatorStats, CellSums
from sparkclean.crowds.flags import (
    LEAST_ERRORS,
    PairErrors,
    error_classes,
    error_rates,
    flag_copiers,
    flag_disagreement,
    flag_one_class,
)
from sparkclean.jobs.consensus.fit import Items
from sparkclean.jobs.consensus.item_functions import CompareAnnotators
from sparkclean.jobs.consensus.row_types import ANNOTATORS, LABELS, PAIR, PAIRS
from sparkclean.numbers.fixed_point import ONE
from sparkclean.rows.driver_rows import typed_columns
from sparkclean.rows.emitted import ANY_KEYS, KIND, STATE
from sparkclean.rows.types import arrow_type, schema_json
from sparkclean.runs.provenance import Provenance

if TYPE_CHECKING:
    from sparkclean.rows.streams import Stream

#: Flags, in the order in which they are listed.
ONE_CLASS, DISAGREEMENT, COPIER = "one_class", "disagreement", "copier"
#: Pairs of annotators with most shared errors, which are looked at.
_MOST_PAIRS = 100_000


@dataclass(frozen=True)
class Names:
    """What indices stand for.

    Attributes
    ----------
    annotators, classes : sequence
    annotator_type, label_type : str
        Spark's names.
    """

    annotators: Sequence[Any]
    classes: Sequence[Any]
    annotator_type: str
    label_type: str

    @property
    def types(self) -> tuple[tuple[str, str], ...]:
        """Words for types in the columns of outputs."""
        return (("<annotator>", self.annotator_type),)

    def labels(self, indices: NDArray[np.int64]) -> pa.Array:
        """Give labels; -1 is null."""
        return _take(self.classes, self.label_type, indices)

    def who(self, indices: NDArray[np.int64]) -> pa.Array:
        """Give annotators; -1 is null."""
        return _take(self.annotators, self.annotator_type, indices)


def _take(values: Sequence[Any], kind: str, indices: NDArray[np.int64]) -> pa.Array:
    places = pa.array(indices, pa.int64(), mask=indices < 0)
    return pa.array(values, arrow_type(kind)).take(places)


# -- what tasks have emitted ---------------------------------------------------------------------


def read_cells(stream: Stream, num_classes: int) -> CellSums:
    """Add up the confusions of all tasks.

    Parameters
    ----------
    stream : Stream
    num_classes : int
        K.

    Returns
    -------
    CellSums
    """
    cells = CellSums(num_classes)
    first, second = ANY_KEYS
    for batch in stream.select((first, second, STATE)).read_here():
        keys = batch.column(first).to_numpy(False).astype(np.int64) * num_classes * num_classes
        keys += batch.column(second).to_numpy(False)
        values = batch.column(STATE).flatten().to_numpy(False)
        cells.add_rows(keys, values.reshape(len(batch), -1))
    cells.compress()
    return cells


def read_agreement(stream: Stream, num_classes: int, replicates: int) -> AgreementCounts:
    """Add up the sums of agreement of all tasks.

    Parameters
    ----------
    stream : Stream
    num_classes, replicates : int
        K and B.

    Returns
    -------
    AgreementCounts
    """
    sums: dict[int, NDArray[np.int64]] = {}
    first, second = ANY_KEYS
    for batch in stream.select((first, second, STATE)).read_here():
        sizes = batch.column(first).to_numpy(False)
        places = batch.column(second).to_numpy(False)
        values = batch.column(STATE).flatten().to_numpy(False).reshape(len(batch), 2, num_classes)
        for size in np.unique(sizes).tolist():
            chosen = sizes == size
            if size not in sums:
                sums[size] = np.zeros((1 + replicates, 2, num_classes), np.int64)
            np.add.at(sums[size], places[chosen], values[chosen])
    return AgreementCounts(sums)


# -- flags ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Flags:
    """What is odd about annotators.

    Attributes
    ----------
    one_class, disagreement, copier : ndarray of bool, shape (A,)
    partners : ndarray of int64, shape (A,)
        With whom a copier shares most errors; -1 of others.
    """

    one_class: NDArray[np.bool_]
    disagreement: NDArray[np.bool_]
    copier: NDArray[np.bool_]
    partners: NDArray[np.int64]

    @property
    def any(self) -> NDArray[np.bool_]:
        """Whether an annotator has a flag."""
        return self.one_class | self.disagreement | self.copier

    def listed(self) -> pa.Array:
        """List the flags of each annotator."""
        table = np.stack([self.one_class, self.disagreement, self.copier], axis=1)
        offsets = np.concatenate([[0], np.cumsum(table.sum(axis=1))]).astype(np.int32)
        texts = pa.array([ONE_CLASS, DISAGREEMENT, COPIER]).take(pa.array(np.nonzero(table)[1]))
        return pa.ListArray.from_arrays(pa.array(offsets), texts)


def collect_flags(items: Items, cells: CellSums) -> Flags:
    """Test annotators, and pairs of them.

    Parameters
    ----------
    items : Items
    cells : CellSums
        Of all items.

    Returns
    -------
    Flags

    Notes
    -----
    One job over the items; another one where annotators share errors. The driver holds at most
    100,000 pairs: those that share most errors.
    """
    size = items.num_annotators
    copier, partners = _copiers(items, cells)
    return Flags(flag_one_class(cells, size), flag_disagreement(cells, size), copier, partners)


def _copiers(items: Items, cells: CellSums) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    size = items.num_annotators
    rates, wrong = error_rates(cells, size), error_classes(cells)
    stream = items.stream.select((ANNOTATORS, LABELS))
    compare = CompareAnnotators(items.num_classes, rates, wrong)
    all_pairs, keys, num_pairs = _shared_errors(stream, compare)
    if not len(keys):
        return np.zeros(size, bool), np.full(size, -1)
    found = {
        state.first * size + state.second: state.values
        for state in stream.collect(CompareAnnotators(items.num_classes, rates, wrong, keys))
        if state.kind == PAIR
    }
    table = np.array([found[key] for key in keys.tolist()], np.int64)
    pairs = PairErrors(
        keys // size, keys % size, table[:, 0], table[:, 1], table[:, 2:] / (ONE >> 20)
    )
    errors, high, low = all_pairs
    expected = ((high << 32) + low) / ONE / 2
    return flag_copiers(pairs, size, num_pairs, errors / max(expected, 1e-9))


def _shared_errors(
    stream: Stream, compare: CompareAnnotators
) -> tuple[list[int], NDArray[np.int64], int]:
    """Find the pairs of annotators with most shared errors; and the sums of all pairs."""
    size = len(compare.rates)
    first, second = ANY_KEYS
    here = stream.collect_here(compare)
    if here is not None:
        states = stream.collect(compare)
        totals = next((s.values for s in states if s.kind == PAIRS), [0, 0, 0])
        rows = [(s.first, s.second, s.values[1]) for s in states if s.kind == PAIR]
        num_pairs = len(rows)
        rows = [row for row in rows if row[2] >= LEAST_ERRORS]
        rows = sorted(rows, key=lambda row: (-row[2], row[0], row[1]))[:_MOST_PAIRS]
    else:
        frame = stream.map(compare)
        parts = [F.sum(F.get(STATE, F.lit(i))).alias(f"part_{i}") for i in range(3)]
        sums = frame.where(F.col(KIND) == PAIRS).agg(*parts).collect()[0]
        totals = [int(value or 0) for value in sums]
        pairs = frame.where(F.col(KIND) == PAIR).groupBy(first, second).agg(parts[1])
        num_pairs = pairs.count()
        best = pairs.where(F.col("part_1") >= LEAST_ERRORS).orderBy(
            F.col("part_1").desc(), first, second
        )
        rows = [tuple(row) for row in best.limit(_MOST_PAIRS).collect()]
    keys = np.array(sorted(one * size + other for one, other, _ in rows), np.int64)
    return totals, keys, num_pairs


# -- tables --------------------------------------------------------------------------------------


def annotators_table(
    stats: AnnotatorStats, flags: Flags, names: Names, provenance: Provenance
) -> tuple[pa.Table, str]:
    """Arrange what annotators are like.

    Parameters
    ----------
    stats : AnnotatorStats
    flags : Flags
    names : Names
    provenance : Provenance

    Returns
    -------
    table : pyarrow.Table
        Annotators of at least one item, in their order.
    schema : str
        Spark's JSON.
    """
    rows = np.flatnonzero(stats.items)
    given, true = names.labels(stats.confused[rows, 0]), names.labels(stats.confused[rows, 1])
    none = pa.array(stats.confused[rows, 0] < 0)
    columns = [
        names.who(rows),
        pa.array(stats.items[rows]),
        pa.array(stats.agreement[rows], from_pandas=True),
        pa.array(stats.quality[rows], from_pandas=True),
        names.labels(stats.worst_class[rows]),
        pa.StructArray.from_arrays([given, true], ["given", "true"], mask=none),
        flags.listed().take(pa.array(rows)),
        names.who(flags.partners[rows]),
    ]
    return _table(columns, schema.ANNOTATORS, names, provenance)


def confusions_table(cells: CellSums, names: Names, provenance: Provenance) -> tuple[pa.Table, str]:
    """Arrange the confusions of annotators.

    Parameters
    ----------
    cells : CellSums
    names : Names
    provenance : Provenance

    Returns
    -------
    table : pyarrow.Table
        Cells that occur, by annotator, given and true class.
    schema : str
        Spark's JSON.
    """
    there = np.flatnonzero(cells.counts)
    who, given, true = cells.annotators[there], cells.given[there], cells.true[there]
    counts = cells.counts[there]
    _, places = np.unique(who * cells.num_classes + true, return_inverse=True)
    total = np.bincount(places, counts)
    rate = counts / total[places] if len(counts) else counts.astype(np.float64)
    columns = [
        names.who(who),
        names.labels(given),
        names.labels(true),
        pa.array(counts),
        pa.array(rate),
    ]
    return _table(columns, schema.CONFUSIONS, names, provenance)


def agreement_table(
    found: Iterable[Agreement], names: Names, provenance: Provenance
) -> tuple[pa.Table, str]:
    """Arrange numbers of agreement.

    Parameters
    ----------
    found : iterable of Agreement
    names : Names
    provenance : Provenance

    Returns
    -------
    table : pyarrow.Table
    schema : str
        Spark's JSON.
    """
    rows = list(found)
    labels = np.array([-1 if row.label is None else row.label for row in rows], np.int64)
    columns = [
        pa.array([row.statistic for row in rows]),
        names.labels(labels),
        *(
            pa.array([getattr(row, name) for row in rows], pa.float64())
            for name in ("value", "lower", "upper")
        ),
        pa.array([row.items for row in rows], pa.int64()),
        pa.array([row.annotations for row in rows], pa.int64()),
    ]
    return _table(columns, schema.AGREEMENT, names, provenance)


def _table(
    columns: Sequence[pa.Array], contract: schema.Columns, names: Names, provenance: Provenance
) -> tuple[pa.Table, str]:
    typed = typed_columns(contract, names.label_type, names.types)
    length = len(columns[0])
    more = [pa.repeat(pa.scalar(text), length) for text in provenance.values().values()]
    arrays = [
        array.cast(arrow_type(kind))
        for array, (_, kind) in zip([*columns, *more], typed, strict=True)
    ]
    return pa.table(arrays, names=[name for name, _ in typed]), schema_json(typed)
