"""Which rows are label issues, selected in Spark from a few numbers a row.

Selection is by cut values: rows are counted in buckets of their score, and only the bucket in which
a cut falls is sorted, by (score, record id). So no group is ever sorted whole, and ties go by
record id wherever the rows lie.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import Window
from pyspark.sql import functions as F

from sparkclean.confident.filters import AGREEMENT_MARGIN

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

#: Buckets of a score's unit interval; a power of two, so that edges are exact.
_BUCKETS = 4096
#: Rows that one task may sort alone when suspects are ranked.
_ROWS_TO_RANK = 1_000_000
#: Columns that are those of the row, whichever pair flags it.
_OF_ROW = ("given", "own", "other", "other_probability", "quality")


def quota_frame(like: DataFrame, groups: Sequence[str], quotas: NDArray[np.int64]) -> DataFrame:
    """Make a small frame of the quotas that are not 0.

    Parameters
    ----------
    like : DataFrame
        Of the session to use.
    groups : sequence of str
        One name for each dimension of the quotas.
    quotas : ndarray of int64, shape (K,) or (K, K)

    Returns
    -------
    DataFrame
        Columns ``groups`` (int) and ``quota`` (bigint); at most K x K rows.
    """
    where = np.nonzero(quotas)
    rows = [(*(int(i) for i in index), int(quotas[index])) for index in zip(*where, strict=True)]
    schema = ", ".join(f"{name} int" for name in groups) + ", quota bigint"
    return like.sparkSession.createDataFrame(rows, schema)


def lowest_in_groups(
    rows: DataFrame, *, groups: Sequence[str], score: Column, ids: Sequence[str], quotas: DataFrame
) -> DataFrame:
    """Select in each group the rows of lowest (score, record id), as many as its quota.

    Parameters
    ----------
    rows : DataFrame
        Cheap to read twice.
    groups : sequence of str
        Columns that name the group.
    score : Column
        Between -1 and 1.
    ids : sequence of str
        Record id columns: numbers compare as numbers, text by bytes, left to right.
    quotas : DataFrame
        ``groups`` and ``quota``; a group without a quota selects nothing.

    Returns
    -------
    DataFrame
        The selected rows, all columns of ``rows``. Lazy.

    Notes
    -----
    One shuffle of the bucket counts, one of the rows in buckets with a cut.
    """
    bucketed = rows.withColumns(
        {"__score": score, "__bucket": F.floor(score * F.lit(float(_BUCKETS)))}
    ).join(F.broadcast(quotas), list(groups))
    counts = bucketed.groupBy(*groups, "quota", "__bucket").count()
    running = Window.partitionBy(*groups).orderBy("__bucket")
    cuts = (
        counts.withColumn("__before", F.sum("count").over(running) - F.col("count"))
        .where(F.col("__before") < F.col("quota"))
        .groupBy(*groups)
        .agg(
            F.max("__bucket").alias("__cut"),
            F.max("__before").alias("__before"),
        )
    )
    # `cuts` has at most one row a group: K x K in all
    near = bucketed.join(F.broadcast(cuts), list(groups)).where(F.col("__bucket") <= F.col("__cut"))
    order = Window.partitionBy(*groups).orderBy("__score", *ids)
    inside = near.where(F.col("__bucket") < F.col("__cut"))
    at_cut = (
        near.where(F.col("__bucket") == F.col("__cut"))
        .withColumn("__place", F.row_number().over(order))
        .where(F.col("__place") <= F.col("quota") - F.col("__before"))
    )
    return inside.select(*rows.columns).unionByName(at_cut.select(*rows.columns))


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
        rivals.join(
            F.broadcast(quota_frame(low_rows, ("given", "true"), quotas)), ["given", "true"]
        )
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


def select_issues(
    low_rows: DataFrame,
    *,
    filter_by: str,
    ids: Sequence[str],
    class_quotas: NDArray[np.int64],
    pair_quotas: NDArray[np.int64],
    margins: DataFrame | None,
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

    Returns
    -------
    DataFrame
        The rows that are label issues: record ids, ``given``, ``own``, ``other``,
        ``other_probability``, ``quality``. Lazy, but ``low_*`` first count (one job).
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
        return lowest_in_groups(
            everything,
            groups=["__all"],
            score=score,
            ids=ids,
            quotas=quota_frame(low_rows, ["__all"], np.array([count])),
        ).drop("__all")
    flagged = None
    if margins is not None:
        entries = lowest_in_groups(
            margins,
            groups=["given", "true"],
            score=-F.col("margin"),
            ids=ids,
            quotas=quota_frame(margins, ["given", "true"], pair_quotas),
        ).where(differs)
        # a row that several pairs reach is the same in each of them
        flagged = entries.select(*ids, *_OF_ROW).dropDuplicates(list(ids))
        if filter_by == "prune_by_noise_rate":
            return flagged
    issues = lowest_in_groups(
        low_rows,
        groups=["given"],
        score=F.col("own"),
        ids=ids,
        quotas=quota_frame(low_rows, ["given"], class_quotas),
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
