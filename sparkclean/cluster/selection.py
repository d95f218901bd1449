"""Which rows are label issues, selected in Spark from a few numbers a row, and their ranks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import Window
from pyspark.sql import functions as F

from sparkclean.cluster.cuts import BUCKETS, quota_frame, select_lowest_in_groups
from sparkclean.confident.filters import AGREEMENT_MARGIN

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

#: Rows that one task may sort alone when suspects are ranked.
_ROWS_TO_RANK = 1_000_000
#: Columns that are those of the row, whichever pair flags it.
_OF_ROW = ("given", "own", "other", "other_probability", "quality")


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
    pair = ["given", "true"]
    counts = (
        rivals.join(F.broadcast(quota_frame(low_rows, pair, quotas)), ["given", "true"])
        .groupBy(
            "given", "true", "quota", F.floor(F.col("margin") * float(BUCKETS)).alias("bucket")
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
        bounds[row["given"], row["true"]] = row["bucket"] / BUCKETS
    return bounds


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
