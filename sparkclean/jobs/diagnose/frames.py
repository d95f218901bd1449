"""The narrow rows of a diagnosis, and what Spark counts of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pyspark.sql import Window
from pyspark.sql import functions as F

from sparkclean.errors import InputError
from sparkclean.jobs.diagnose.rows import (
    BUCKET,
    DOUBT,
    EXPECTED_FIELDS,
    GIVEN,
    HALF,
    POSITION,
    PREDICTED,
    REJECTED,
    SUBJECT,
    ExpectCells,
)
from sparkclean.noise.diagnosis.arrays import FEWEST
from sparkclean.noise.diagnosis.buckets import tier_cutoffs
from sparkclean.noise.diagnosis.counts import (
    DISTANCES,
    LAGS,
    NeighbourCounts,
    ShapeCounts,
    SubjectCounts,
)
from sparkclean.numbers.fixed_point import ONE
from sparkclean.rows.tasks import map_in_arrow

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

#: Subjects of a kind, and cells of subject and classes, that the driver holds.
MOST_SUBJECTS, MOST_CELLS = 10_000, 20_000
TIER = "tier"


@dataclass(frozen=True)
class Narrow:
    """The rows that are admitted, a few numbers each.

    Attributes
    ----------
    frame : DataFrame
        Record ids, subjects, `HALF`, `POSITION`, and what `ReduceRows` adds.
    ids : tuple of str
        Internal names.
    kinds : tuple of (str, str)
        Key of the configuration and kind of each column of subjects.
    num_classes : int
        K.
    """

    frame: DataFrame
    ids: tuple[str, ...]
    kinds: tuple[tuple[str, str], ...]
    num_classes: int

    @property
    def differs(self) -> Column:
        """Whether the given label is not the predicted one."""
        return F.col(GIVEN) != F.col(PREDICTED)


def collect_cutoffs(rows: Narrow) -> np.ndarray:
    """Find where tiers of confidence end, shape (4, K). One job; some hundred counts a class."""
    counts = rows.frame.groupBy(PREDICTED, BUCKET).count().collect()
    found = np.array([tuple(row) for row in counts], np.int64).reshape(-1, 3)
    predicted, bucket, count = found.T
    return tier_cutoffs(predicted, bucket, count, rows.num_classes)


def with_tiers(rows: Narrow, cutoffs: np.ndarray) -> Narrow:
    """Add the tier of each row. Lazy."""
    names = [f"__end_{t}" for t in range(len(cutoffs))]
    known = rows.frame.sparkSession.createDataFrame(
        [(k, *map(int, ends)) for k, ends in enumerate(cutoffs.T)],
        ", ".join([f"{PREDICTED} int", *(f"{name} int" for name in names)]),
    )
    beyond = sum(((F.col(BUCKET) > F.col(name)).cast("int") for name in names), F.lit(0))
    frame = rows.frame.join(F.broadcast(known), PREDICTED).withColumn(TIER, beyond).drop(*names)
    return Narrow(frame, rows.ids, rows.kinds, rows.num_classes)


def collect_shape(rows: Narrow) -> ShapeCounts:
    """Count rows by tier, half and classes. One job; at most 10 K x K counts."""
    keys = (TIER, HALF, GIVEN, PREDICTED)
    counts = rows.frame.groupBy(*keys).count().orderBy(*keys).collect()
    tier, half, given, predicted, count = (
        np.array([tuple(row) for row in counts], np.int64).reshape(-1, 5).T
    )
    return ShapeCounts(rows.num_classes, tier, half, given, predicted, count)


@dataclass(frozen=True)
class Listed:
    """The subjects of a kind, and the cells that are looked at.

    Attributes
    ----------
    kind : str
    names : tuple of str
        Sorted.
    rows, observed : ndarray of int64
    expected : ndarray of float64
    cells : ndarray of int64, shape (C, 4)
        Subject, given, predicted, observed.
    totals : dict
        Disagreements of all subjects by given and predicted class.
    """

    kind: str
    names: tuple[str, ...]
    rows: np.ndarray
    observed: np.ndarray
    expected: np.ndarray
    cells: np.ndarray
    totals: dict[tuple[int, int], int]


def collect_subjects(rows: Narrow, number: int) -> Listed:
    """Count disagreements by subject, and by cell.

    Parameters
    ----------
    rows : Narrow
    number : int
        Of the column of subjects.

    Returns
    -------
    Listed

    Raises
    ------
    InputError
        If there are too many subjects, or no row has one.

    Notes
    -----
    Three jobs over narrow rows; the driver holds S subjects, K x K totals and at most 20,000 cells.
    """
    key, kind = rows.kinds[number]
    name = f"{SUBJECT}{number}"
    own = rows.frame.where(F.col(name).isNotNull())
    wrong = F.sum(rows.differs.cast("bigint"))
    groups = own.groupBy(name).agg(
        F.count("*").alias("rows"), wrong.alias("wrong"),
        F.sum(F.col(DOUBT).cast("decimal(38,0)")).alias("doubt"),
    )  # fmt: skip
    if kind.startswith("value of "):  # texts, perhaps: only values that many errors share
        often = groups.where(F.col("wrong") >= FEWEST).orderBy(F.desc("wrong"), name)
        some = often.limit(MOST_SUBJECTS).collect()
        rest = own.agg(F.count("*"), wrong, F.sum(F.col(DOUBT).cast("decimal(38,0)"))).collect()[0]
    else:
        some, rest = groups.limit(MOST_SUBJECTS + 1).collect(), None
    if len(some) > MOST_SUBJECTS:
        raise InputError(
            f"{key}: more than {MOST_SUBJECTS:,} values; name a column of fewer (of files: their "
            "folder; of time: set a longer diagnose.window_hours), or leave it out"
        )
    found: list[tuple[Any, ...]] = sorted((tuple(row) for row in some), key=lambda row: row[0])
    if rest is not None and rest[0]:
        others = [int(rest[k]) - sum(int(row[k + 1]) for row in found) for k in range(3)]
        if others[0]:
            found.append(("(all other values)", *others))
    if not found:
        raise InputError(f"{key}: no row has a value in it; leave it out, or check the column")
    cells = (
        own.where(rows.differs).groupBy(name, GIVEN, PREDICTED).count()
        .where(F.col("count") >= FEWEST)
        .orderBy(F.desc("count"), name, GIVEN, PREDICTED).limit(MOST_CELLS).collect()
    )  # fmt: skip
    totals = own.where(rows.differs).groupBy(GIVEN, PREDICTED).count().collect()
    place = {row[0]: k for k, row in enumerate(found)}
    listed = sorted((place[n], i, j, count) for n, i, j, count in cells if n in place)
    numbers = np.array([row[1:3] for row in found], np.int64).reshape(-1, 2)
    return Listed(
        kind,
        tuple(row[0] for row in found),
        numbers[:, 0],
        numbers[:, 1],
        np.array([int(row[3]) / ONE for row in found]),
        np.array(listed, np.int64).reshape(-1, 4),
        {(row[0], row[1]): row[2] for row in totals},
    )


def collect_expected(
    wide: DataFrame, reader: object, listed: Sequence[Listed]
) -> tuple[SubjectCounts, ...]:
    """Add up what the model expects in the cells that are looked at.

    Parameters
    ----------
    wide : DataFrame
        Probabilities and subjects.
    reader : BatchReader
    listed : sequence of Listed

    Returns
    -------
    tuple of SubjectCounts

    Notes
    -----
    One job that reads the wide column again, none where no cell is looked at.
    """
    maps: list[dict[tuple[str | None, int], tuple[list[int], list[int]]]] = []
    places: list[tuple[list[int], list[int]]] = []
    size = 0
    for of in listed:
        cells: dict[tuple[str | None, int], tuple[list[int], list[int]]] = {}
        everybody: dict[tuple[int, int], int] = {}
        own, total = [], []
        for subject, given, predicted, _ in of.cells.tolist():
            if (given, predicted) not in everybody:
                everybody[given, predicted] = size
                _append(cells, None, predicted, given, size)
                size += 1
            _append(cells, of.names[subject], predicted, given, size)
            own.append(size)
            total.append(everybody[given, predicted])
            size += 1
        maps.append(cells)
        places.append((own, total))
    expected, rows = np.zeros(size, object), np.zeros(size, np.int64)
    if size:
        names = tuple(f"{SUBJECT}{k}" for k in range(len(listed)))
        function = ExpectCells(reader, names, tuple(maps), size)  # type: ignore[arg-type]
        sums = map_in_arrow(wide, function, EXPECTED_FIELDS).groupBy("cell")
        for row in sums.agg(F.sum("expected"), F.sum("rows")).collect():
            expected[row[0]], rows[row[0]] = int(row[1]), row[2]
    return tuple(
        _subject_counts(of, *place, expected, rows)
        for of, place in zip(listed, places, strict=True)
    )


def _append(
    cells: dict[tuple[str | None, int], tuple[list[int], list[int]]],
    name: str | None,
    predicted: int,
    given: int,
    number: int,
) -> None:
    givens, numbers = cells.setdefault((name, predicted), ([], []))
    givens.append(given)
    numbers.append(number)


def _subject_counts(
    of: Listed, own: list[int], total: list[int], expected: np.ndarray, rows: np.ndarray
) -> SubjectCounts:
    subject, given, predicted, observed = of.cells.T
    mine = np.array([expected[k] / ONE for k in own], np.float64)
    rest = [(expected[t] - expected[k]) / ONE for k, t in zip(own, total, strict=True)]
    totals = [of.totals[i, j] for i, j in zip(given.tolist(), predicted.tolist(), strict=True)]
    return SubjectCounts(
        of.kind, of.names, of.rows, of.observed, of.expected, subject, given, predicted, observed,
        mine, np.array(totals, np.int64) - observed, np.array(rest, np.float64),
        rows[np.array(own, np.int64)],
    )  # fmt: skip


def collect_neighbours(rows: Narrow, number: int) -> NeighbourCounts:
    """Compare the labels of each row with those that are predicted for its neighbours.

    Parameters
    ----------
    rows : Narrow
        With `POSITION`.
    number : int
        Of the column of files.

    Returns
    -------
    NeighbourCounts

    Notes
    -----
    One shuffle of narrow rows by file, each of which one task sorts.
    """
    name = f"{SUBJECT}{number}"
    own = rows.frame.where(F.col(name).isNotNull() & F.col(POSITION).isNotNull())
    window = Window.partitionBy(name).orderBy(POSITION, *rows.ids)
    columns, sums = [], [F.count("*"), F.sum(rows.differs.cast("bigint"))]
    for k, lag in enumerate(LAGS):
        there = F.lag(PREDICTED, lag).over(window) if lag else F.col(PREDICTED)
        columns.append((F.col(GIVEN) == there).alias(f"__agree_{k}"))
        sums += [F.count(f"__agree_{k}"), F.sum(F.col(f"__agree_{k}").cast("bigint"))]
    for k, distance in enumerate(DISTANCES):
        given, predicted = (F.lag(c, distance).over(window) for c in (GIVEN, PREDICTED))
        both = rows.differs & (F.col(GIVEN) == predicted) & (given == F.col(PREDICTED))
        columns.append(both.alias(f"__both_{k}"))
        sums.append(F.sum(F.coalesce(F.col(f"__both_{k}"), F.lit(False)).cast("bigint")))
    found = own.select(name, GIVEN, PREDICTED, *columns).groupBy(name).agg(*sums).collect()
    listed = sorted((tuple(row) for row in found), key=lambda row: row[0])
    if not listed:
        raise InputError(
            "diagnose.position: no row has both a position and a file; leave it out, or check the "
            "columns"
        )
    numbers = np.array([[value or 0 for value in row[1:]] for row in listed], np.int64)
    lags = numbers[:, 2 : 2 + 2 * len(LAGS)]
    return NeighbourCounts(
        tuple(row[0] for row in listed),
        numbers[:, 0],
        numbers[:, 1],
        lags[:, 0::2],
        lags[:, 1::2],
        numbers[:, 2 + 2 * len(LAGS) :],
    )


def collect_rejected(
    frame: DataFrame, ids: Sequence[str]
) -> tuple[int, int, list[tuple[object, ...]]]:
    """Count all rows, and those without usable label or probabilities; list some of these."""
    rejected = F.col(GIVEN) == REJECTED
    counts = frame.agg(F.count("*"), F.sum(rejected.cast("bigint"))).collect()[0]
    count = int(counts[1] or 0)
    some = []
    if count:
        some = [
            tuple(row)
            for row in frame.where(rejected).select(*ids).orderBy(*ids).limit(5).collect()
        ]
    return int(counts[0]), count, some
