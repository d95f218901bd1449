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
_Rows = list[tuple[Any, ...]]
_KIND, _NAME = "kind", "name"
#: Beginning of the kind of a column of `diagnose.values`; the values that few errors share.
VALUE, OTHERS = "value of ", "(all other values)"


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


def collect_buckets(frame: DataFrame) -> tuple[np.ndarray, int]:
    """Count rows by predicted class and bucket, shape (B, 3), and those that are rejected.

    One job; the driver holds some hundred counts a class.
    """
    rejected = (F.col(GIVEN) == REJECTED).alias("__rejected")
    counts = [tuple(row) for row in frame.groupBy(rejected, PREDICTED, BUCKET).count().collect()]
    admitted = sorted(row[1:] for row in counts if not row[0])
    return np.array(admitted, np.int64).reshape(-1, 3), sum(row[3] for row in counts if row[0])


def collect_rejected(frame: DataFrame, ids: Sequence[str]) -> list[tuple[object, ...]]:
    """List the record ids of the first five rows that are rejected. One job."""
    first = frame.where(F.col(GIVEN) == REJECTED).select(*ids).orderBy(*ids).limit(5)
    return [tuple(row) for row in first.collect()]


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


def collect_subjects(rows: Narrow) -> tuple[Listed, ...]:
    """Count disagreements by subject, and by cell, of all kinds of subjects.

    Parameters
    ----------
    rows : Narrow

    Returns
    -------
    tuple of Listed

    Raises
    ------
    InputError
        All findings at once: columns of too many subjects, or without any.

    Notes
    -----
    Three jobs over narrow rows; the driver holds S subjects, K x K totals for each kind, and at
    most 20,000 cells.
    """
    if not rows.kinds:
        return ()
    each = F.array(
        *(
            F.struct(F.lit(k).alias(_KIND), F.col(f"{SUBJECT}{k}").alias(_NAME))
            for k in range(len(rows.kinds))
        )
    )
    stacked = rows.frame.select(F.explode(each).alias("__s"), GIVEN, PREDICTED, DOUBT)
    own = stacked.select("__s.*", GIVEN, PREDICTED, DOUBT).where(F.col(_NAME).isNotNull())
    sums = [
        F.count("*").alias("rows"),
        F.sum(rows.differs.cast("bigint")).alias("wrong"),
        F.sum(F.col(DOUBT).cast("decimal(38,0)")).alias("doubt"),
    ]
    groups = own.groupBy(_KIND, _NAME).agg(*sums)
    texts = [k for k, (_, kind) in enumerate(rows.kinds) if kind.startswith(VALUE)]
    # of texts, perhaps: only values that many errors share, and all others as one
    shared = ~F.col(_KIND).isin(texts) | (F.col("wrong") >= FEWEST) if texts else F.lit(True)
    name = F.when(shared, F.col(_NAME)).otherwise(F.lit(OTHERS))
    pooled = groups.groupBy(_KIND, name.alias(_NAME)).agg(
        *(F.sum(of).alias(of) for of in ("rows", "wrong", "doubt"))
    )
    most = MOST_SUBJECTS * len(rows.kinds)
    found = pooled.limit(most + 1).collect()
    _check_subjects([row[0] for row in found], rows, most)
    wrong = own.where(rows.differs)
    cells = (
        wrong.groupBy(_KIND, _NAME, GIVEN, PREDICTED)
        .count()
        .where(F.col("count") >= FEWEST)
        .orderBy(F.desc("count"), _KIND, _NAME, GIVEN, PREDICTED)
        .limit(MOST_CELLS)
        .collect()
    )
    totals = wrong.groupBy(_KIND, GIVEN, PREDICTED).count().collect()
    return tuple(
        _listed(
            kind, *([tuple(row[1:]) for row in of if row[0] == k] for of in (found, cells, totals))
        )
        for k, (_, kind) in enumerate(rows.kinds)
    )


def _check_subjects(kinds: list[int], rows: Narrow, most: int) -> None:
    """Check that there are neither too many subjects nor none."""
    findings = []
    for k, (key, kind) in enumerate(rows.kinds):
        what = f"{key} ({kind})" if kind.startswith(VALUE) else key
        count = kinds.count(k)
        if not count and len(kinds) <= most:
            findings.append(f"{what}: no row has a value in it; leave it out, or check the column")
        if count > MOST_SUBJECTS:
            findings.append(
                f"{what}: more than {MOST_SUBJECTS:,} values; name a column of fewer (of files: "
                "their folder; of time: set a longer diagnose.window_hours), or leave it out"
            )
    if findings:
        raise InputError(findings)


def _listed(
    kind: str,
    found: list[tuple[Any, ...]],
    cells: list[tuple[Any, ...]],
    totals: list[tuple[Any, ...]],
) -> Listed:
    found = sorted(found, key=lambda row: str(row[0]))
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
        {(i, j): count for i, j, count in totals},
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
        rows[np.array(total, np.int64)] - rows[np.array(own, np.int64)],
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
        rows.kinds[number][1],
    )
