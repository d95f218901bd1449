"""Which rows are label issues, selected in Spark from a few numbers a row.

Selection is by cut values: rows are counted in buckets of their score, and only the bucket in which
a cut falls is sorted, by (score, record id), to find the last row. So no group is ever sorted
whole, and ties go by record id wherever the rows lie.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import Window
from pyspark.sql import functions as F

from sparkclean.confident.filters import AGREEMENT_MARGIN

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

#: Buckets of a score's unit interval; a power of two, so that edges are exact.
_BUCKETS = 4096
#: Rows that are sorted whole rather than counted first.
_ROWS_TO_SORT = 4_000_000
#: Counts by group and bucket that the driver holds.
_COUNTS = 1 << 18
#: Rows that one task may sort alone when suspects are ranked.
_ROWS_TO_RANK = 1_000_000
#: Columns that are those of the row, whichever pair flags it.
_OF_ROW = ("given", "own", "other", "other_probability", "quality")


def frame_of_cells(
    like: DataFrame,
    groups: Sequence[str],
    columns: Mapping[str, str],
    cells: Sequence[Sequence[Any]],
) -> DataFrame:
    """Make a small frame, a row for each group.

    Parameters
    ----------
    like : DataFrame
        Of the session to use.
    groups : sequence of str
        Names of the group's columns, integers.
    columns : mapping
        Names and Spark types of the others.
    cells : sequence of rows
        At most K x K.

    Returns
    -------
    DataFrame
    """
    names = [f"`{name}` int" for name in groups]
    names += [f"`{name}` {kind}" for name, kind in columns.items()]
    return like.sparkSession.createDataFrame(list(cells), ", ".join(names))


def select_lowest_in_groups(
    rows: DataFrame,
    *,
    groups: Sequence[str],
    score: Column,
    ids: Sequence[str],
    quotas: NDArray[np.int64],
    count: int | None = None,
) -> DataFrame:
    """Select in each group the rows of lowest (score, record id), as many as its quota.

    Parameters
    ----------
    rows : DataFrame
        Cheap to read three times, where there are many.
    groups : sequence of str
        Columns that name the group: integers, one for each dimension of the quotas.
    score : Column
        Between -1 and 1.
    ids : sequence of str
        Record id columns: numbers compare as numbers, text by bytes, left to right.
    quotas : ndarray of int64, shape (K,) or (K, K)
        A group without a quota selects nothing.
    count : int, optional
        Number of rows, where it is known.

    Returns
    -------
    DataFrame
        The selected rows, all columns of ``rows``. Lazy.

    Notes
    -----
    So few rows that sorting them costs less than two jobs are sorted whole. Otherwise two jobs: one
    counts rows in buckets of the score; one finds the last row to select in the
    bucket in which each group's quota ends, the only rows that are sorted. The selection itself is
    a comparison with that row. The driver holds a quarter of a million counts, and K x K rows.
    """
    wanted = {
        tuple(int(i) for i in index): int(quotas[index])
        for index in zip(*np.nonzero(quotas), strict=True)
    }
    if not wanted:
        return rows.limit(0)
    if count is not None and count <= _ROWS_TO_SORT:
        ends_at = [(*group, quota) for group, quota in wanted.items()]
        quota_frame = F.broadcast(frame_of_cells(rows, groups, {"__quota": "bigint"}, ends_at))
        order = Window.partitionBy(*groups).orderBy("__score", *ids)
        placed = (
            rows.withColumn("__score", score)
            .join(quota_frame, list(groups))
            .withColumn("__place", F.row_number().over(order))
        )
        return placed.where(F.col("__place") <= F.col("__quota")).select(*rows.columns)
    buckets = 2.0 ** min(12, max(0, int(np.log2(_COUNTS / len(wanted)))))
    bucketed = rows.withColumns(
        {"__score": score, "__bucket": F.floor(score * F.lit(buckets)).cast("int")}
    )
    counts: dict[tuple[int, ...], list[tuple[int, int]]] = {}
    for row in bucketed.groupBy(*groups, "__bucket").count().collect():
        group = tuple(row[name] for name in groups)
        if group in wanted:
            counts.setdefault(group, []).append((row["__bucket"], row["count"]))
    cuts = [(*group, *_cut(found, wanted[group])) for group, found in counts.items()]
    types = {"__cut": "int", "__place": "bigint"}
    cut_frame = F.broadcast(frame_of_cells(rows, groups, types, cuts))
    order = Window.partitionBy(*groups).orderBy("__score", *ids)
    # the last row to select, where not the whole bucket is
    ends = (
        bucketed.join(cut_frame, list(groups))
        .where((F.col("__bucket") == F.col("__cut")) & F.col("__place").isNotNull())
        .select(
            *groups, "__score", *ids, "__cut", "__place", F.row_number().over(order).alias("__n")
        )
        .where(F.col("__n") == F.col("__place"))
        .select(*groups, "__score", *ids)
    )
    last = [f"__last_{i}" for i in range(len(ids) + 1)]
    found_ends = {}
    if any(cut[-1] is not None for cut in cuts):
        for row in ends.collect():
            values = tuple(row)
            found_ends[values[: len(groups)]] = values[len(groups) :]
    nothing = (None,) * len(last)
    cells = [
        (*cut[: len(groups)], cut[-2], *found_ends.get(tuple(cut[: len(groups)]), nothing))
        for cut in cuts
    ]
    kinds = dict(rows.dtypes)
    types = {"__cut": "int", "__last_0": "double"}
    types |= {f"__last_{i}": kinds[name] for i, name in enumerate(ids, 1)}
    ended = F.broadcast(frame_of_cells(rows, groups, types, cells))
    inside = F.col("__bucket") < F.col("__cut")
    here = F.struct("__score", *ids) <= F.struct(
        *[F.col(new).alias(old) for new, old in zip(last, ("__score", *ids), strict=True)]
    )
    at_cut = (F.col("__bucket") == F.col("__cut")) & (F.col("__last_0").isNull() | here)
    return bucketed.join(ended, list(groups)).where(inside | at_cut).select(*rows.columns)


def _cut(counts: Sequence[tuple[int, int]], quota: int) -> tuple[int, int | None]:
    """Find the bucket in which a quota ends, and at which of its rows; None is at the last."""
    before = 0
    for bucket, count in sorted(counts):
        if before + count >= quota:
            return bucket, None if before + count == quota else quota - before
        before += count
    return max(counts)[0], None


def collect_lowest_margins(low_rows: DataFrame, quotas: NDArray[np.int64]) -> NDArray[np.float64]:
    """Bound from below the margin at which each pair's quota is reached.

    The quota-th largest of any subset of a pair's margins is such a bound; here the subset is the
    two best rivals of each low row.

    Parameters
    ----------
    low_rows : DataFrame
        Of `ConfidentCounts`, with rivals.
    quotas : ndarray of int64, shape (K, K)
        Diagonal 0.

    Returns
    -------
    ndarray of float64, shape (K, K)
        Infinity where the quota is 0; -2 (all rows) where the subset is smaller than the quota.

    Notes
    -----
    One job; the driver holds at most K x K rows.
    """
    bounds = np.where(quotas > 0, -2.0, np.inf)
    if not (quotas > 0).any():
        return bounds
    rivals = low_rows.select(
        "given",
        F.inline(
            F.array(
                *[
                    F.struct(
                        F.col(rival).alias("true"),
                        (F.col(f"{rival}_probability") - F.col("own")).alias("margin"),
                    )
                    for rival in ("other", "second")
                ]
            )
        ),
    )
    counts = (
        rivals.join(F.broadcast(_quota_frame(low_rows, quotas)), ["given", "true"])
        .groupBy(
            "given", "true", "quota", F.floor(F.col("margin") * float(_BUCKETS)).alias("bucket")
        )
        .count()
    )
    running = Window.partitionBy("given", "true").orderBy(F.col("bucket").desc())
    reached = (
        counts.withColumn("taken", F.sum("count").over(running))
        .where(F.col("taken") >= F.col("quota"))
        .groupBy("given", "true")
        .agg(F.max("bucket").alias("bucket"))
    )
    for row in reached.collect():
        bounds[row["given"], row["true"]] = row["bucket"] / _BUCKETS
    return bounds


def _quota_frame(like: DataFrame, quotas: NDArray[np.int64]) -> DataFrame:
    where = zip(*np.nonzero(quotas), strict=True)
    cells = [(*(int(i) for i in index), int(quotas[index])) for index in where]
    return frame_of_cells(like, ("given", "true"), {"quota": "bigint"}, cells)


def select_issues(
    low_rows: DataFrame,
    *,
    filter_by: str,
    ids: Sequence[str],
    class_quotas: NDArray[np.int64],
    pair_quotas: NDArray[np.int64],
    margins: DataFrame | None,
    margins_count: int = 0,
) -> DataFrame:
    """Select the label issues among the low rows.

    Parameters
    ----------
    low_rows : DataFrame
        Of `ConfidentCounts`.
    filter_by : str
        One of the seven filters.
    ids : sequence of str
        Record id columns.
    class_quotas : ndarray of int64, shape (K,)
    pair_quotas : ndarray of int64, shape (K, K)
        Diagonal 0.
    margins : DataFrame or None
        Of `PairMargins`, for ``prune_by_noise_rate`` and ``both``.
    margins_count : int
        Their number.

    Returns
    -------
    DataFrame
        The rows that are label issues: record ids, ``given``, ``own``, ``other``,
        ``other_probability``, ``quality``. Lazy, but for finding the cuts among many rows: two jobs
        each.
    """
    differs = ~agrees()
    confident = differs & (F.col("outcome") >= 0) & (F.col("outcome") != F.col("given"))
    if filter_by == "confident_learning":
        return low_rows.where(confident)
    if filter_by == "predicted_neq_given":
        return low_rows.where(differs & (predicted() != F.col("given")))
    if filter_by in ("low_self_confidence", "low_normalized_margin"):
        count = low_rows.where(confident).count()
        # one group, 0; not a literal, as Spark warns of windows over those
        everything = low_rows.withColumn("__all", (F.col("own") > 2.0).cast("int"))
        score = F.col("own")
        if filter_by == "low_normalized_margin":
            # the same operations as on arrays: the same bits
            score = (F.col("own") - F.col("other_probability") + 1.0) / 2.0
        return select_lowest_in_groups(
            everything,
            groups=["__all"],
            score=score,
            ids=ids,
            quotas=np.array([count]),
        ).drop("__all")
    flagged = None
    if margins is not None:
        entries = select_lowest_in_groups(
            margins,
            groups=["given", "true"],
            score=-F.col("margin"),
            ids=ids,
            quotas=pair_quotas,
            count=margins_count,
        ).where(differs)
        # a row that several pairs reach is the same in each of them
        of_row = [name for name in _OF_ROW if name in margins.columns]
        flagged = entries.select(*ids, *of_row).dropDuplicates(list(ids))
        if filter_by == "prune_by_noise_rate":
            return flagged
    issues = select_lowest_in_groups(
        low_rows,
        groups=["given"],
        score=F.col("own"),
        ids=ids,
        quotas=class_quotas,
    ).where(differs)
    return issues if flagged is None else issues.join(flagged.select(*ids), list(ids), "left_semi")


def predicted() -> Column:
    """Class of the largest probability, the first on a tie, of a row with its best rival."""
    given, other = F.col("given"), F.col("other")
    own, rival = F.col("own"), F.col("other_probability")
    return F.when((own > rival) | ((own == rival) & (given < other)), given).otherwise(other)


def agrees() -> Column:
    """Whether the model agrees with the given label, as `sparkclean.confident.filters.agrees`."""
    raised, rival = F.col("own") + AGREEMENT_MARGIN, F.col("other_probability")
    return (raised > rival) | ((raised == rival) & (F.col("given") < F.col("other")))


def ranked(issues: DataFrame, *, score: str, ids: Sequence[str], count: int) -> DataFrame:
    """Add ``rank``: 1 for the lowest (score, record id).

    Parameters
    ----------
    issues : DataFrame
        Cheap to read twice.
    score : str
    ids : sequence of str
    count : int
        Number of rows.

    Returns
    -------
    DataFrame
        With column ``rank`` (bigint). Lazy; beyond a million rows two jobs find where to divide
        the scores and how many rows each piece has, so that no task sorts more than its share.
    """
    pieces = -(-count // _ROWS_TO_RANK)
    # scores end at 1, so there is one piece; not a literal, as Spark warns of windows over those
    edges, before = [1.0], [0, 0]
    if pieces > 1:
        # approximate, and need not be more: any division gives the same ranks
        shares = [i / pieces for i in range(1, pieces)]
        edges = sorted(set(issues.agg(F.percentile_approx(score, shares, 10_000)).collect()[0][0]))
    piece = sum((F.when(F.col(score) > edge, 1).otherwise(0) for edge in edges), F.lit(0))
    placed = issues.withColumn("__piece", piece)
    if pieces > 1:
        sizes = {row[0]: row[1] for row in placed.groupBy("__piece").count().collect()}
        before = [sum(sizes.get(i, 0) for i in range(k)) for k in range(len(edges) + 1)]
    place = F.row_number().over(Window.partitionBy("__piece").orderBy(score, *ids))
    offset = F.get(F.array(*[F.lit(rows) for rows in before]), F.col("__piece"))
    return (
        placed.withColumn("__place", place)
        .withColumn("rank", (offset + F.col("__place")).cast("bigint"))
        .drop("__piece", "__place")
    )
