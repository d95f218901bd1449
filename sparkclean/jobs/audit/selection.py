"""Where the selection of label issues ends, by filter; and the ranks of the issues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import Window
from pyspark.sql import functions as F

from sparkclean.confident.filters import PAIR_FILTERS, SCORE_FILTERS
from sparkclean.jobs.audit.cuts import Counted, collect_buckets, collect_cuts, end_of_quota
from sparkclean.jobs.audit.issue_kernels import (
    CountOutcomes,
    Cuts,
    OfClasses,
    OfPairs,
    OfRivals,
    OfTable,
    bucket_end,
)
from sparkclean.jobs.audit.kinds import LOW, MARGIN
from sparkclean.rows.streams import Stream

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

#: Rows that one task may sort alone when suspects are ranked; pieces that one expression tells
#: apart.
_ROWS_TO_RANK, _MOST_PIECES = 100_000, 256
#: Buckets of a margin's unit interval by which cuts of pairs are bounded; counts by pair and bucket
#: that the driver holds.
_BUCKETS, _COUNTS = 256, 1 << 20
#: More than a root and a power round off.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Quotas:
    """Rows to prune.

    Attributes
    ----------
    of_class : ndarray of int64, shape (K,)
    of_pair : ndarray of int64, shape (K, K)
        Diagonal 0.
    """

    of_class: NDArray[np.int64]
    of_pair: NDArray[np.int64]


def collect_lowest_margins(low_rows: Stream, quotas: NDArray[np.int64]) -> NDArray[np.float64]:
    """Bound from below the margin at which each pair's quota is reached.

    The quota-th largest of any subset of a pair's margins is such a bound; here the subset is the
    two best rivals of each low row. So is the quota-th smallest self-confidence of the given class
    with its sign turned, as no probability is negative: the better one of many classes, where few
    rows have a class as rival.

    Parameters
    ----------
    low_rows : Stream
        Of `ConfidentCounts`, with rivals.
    quotas : ndarray of int64, shape (K, K)
        Diagonal 0.

    Returns
    -------
    ndarray of float64, shape (K, K)
        Infinity where the quota is 0; -2 (all rows) where the subset is smaller than the quota.

    Notes
    -----
    One job; the driver holds K x K numbers.
    """
    size = len(quotas)
    pairs = np.flatnonzero(quotas)
    buckets = int(np.clip(_COUNTS // max(len(pairs), 1), 4, _BUCKETS))
    counted = Counted({}, buckets)
    if len(pairs):
        groups = np.union1d(pairs, np.unique(pairs // size) * (size + 1))
        counted = collect_buckets(low_rows, OfRivals(size), groups, buckets)
    return lowest_margins(counted, quotas)


def lowest_margins(rivals: Counted, quotas: NDArray[np.int64]) -> NDArray[np.float64]:
    """Bound margins as `collect_lowest_margins`, by counts of `OfRivals`."""
    bounds = np.where(quotas > 0, -2.0, np.inf)
    for given, true in np.argwhere(quotas):
        quota = int(quotas[given, true])
        # scores are margins with the sign turned; the fourth roots of such
        for other, power in ((true, 1), (given, 4)):
            counts = rivals.by_group.get(given * len(quotas) + other, {})
            bucket, place = end_of_quota(counts, quota)
            if place:
                end = -(((bucket + 1) / rivals.buckets) ** power) - _ROUNDING
                bounds[given, true] = max(bounds[given, true], end)
    return bounds


def collect_issue_cuts(
    *,
    filter_by: str,
    streams: Mapping[int, Stream],
    quotas: Quotas,
    confident: CountOutcomes,
    id_types: tuple[str, ...],
    counted: Counted | None = None,
) -> tuple[Cuts, ...]:
    """Find where the selection of a filter ends.

    Parameters
    ----------
    filter_by : str
        One of the seven filters.
    streams : mapping
        By kind: low rows of `ConfidentCounts`; rows of `PairMargins`, for filters by pair.
    quotas : Quotas
    confident : CountOutcomes
        Counts the rows that ``confident_learning`` selects: as many as the filters by a score do.
    id_types : tuple of str
        Spark types of the record id columns.
    counted : Counted, optional
        Entries of pairs by bucket, where the pass has counted them.

    Returns
    -------
    tuple of Cuts
        All of which must select a row; none for filters without quotas.

    Notes
    -----
    The jobs of `collect_cuts`, for each; one more for the filters by a score.
    """
    if filter_by in SCORE_FILTERS:
        low_rows = streams[LOW]
        count = sum(state.values[0] for state in low_rows.collect(confident))
        ranking = OfTable(filter_by.removeprefix("low_"))
        return (collect_cuts(low_rows, ranking, np.array([count]), id_types),)
    cuts = []
    if filter_by in ("prune_by_class", "both"):
        cuts.append(collect_cuts(streams[LOW], OfClasses(), quotas.of_class, id_types))
    if filter_by in PAIR_FILTERS:
        by_pair = OfPairs(len(quotas.of_class))
        cuts.append(
            collect_cuts(streams[MARGIN], by_pair, quotas.of_pair.reshape(-1), id_types, counted)
        )
    return tuple(cuts)


def ranked(
    issues: DataFrame, qualities: Mapping[int, int], *, score: str, ids: Sequence[str]
) -> DataFrame:
    """Add ``rank``: 1 for the lowest (score, record id).

    Parameters
    ----------
    issues : DataFrame
    qualities : mapping
        Rows by `quality_bucket` of the score.
    score : str
    ids : sequence of str

    Returns
    -------
    DataFrame
        With column ``rank`` (bigint). Lazy; one shuffle, after which no task sorts more than its
        share.
    """
    edges, before = divide(qualities, max(_ROWS_TO_RANK, sum(qualities.values()) // _MOST_PIECES))
    # the first term is 0, but not a literal: Spark warns of windows over those
    first = (F.col(score) > 2.0).cast("int")
    piece = sum((F.when(F.col(score) >= edge, 1).otherwise(0) for edge in edges), first)
    place = F.row_number().over(Window.partitionBy("__piece").orderBy(score, *ids))
    offset = F.get(F.array(*[F.lit(rows) for rows in before]), F.col("__piece"))
    return (
        issues.withColumn("__piece", piece)
        .withColumn("__place", place)
        .withColumn("rank", (offset + F.col("__place")).cast("bigint"))
        .drop("__piece", "__place")
    )


def divide(qualities: Mapping[int, int], share: int) -> tuple[list[float], list[int]]:
    """Divide issues by their quality.

    Parameters
    ----------
    qualities : mapping
        Rows by `quality_bucket`.
    share : int
        Rows of a piece, at least; all of the last bucket go with it.

    Returns
    -------
    edges : list of float, of length P - 1
        Between the pieces: the smallest quality of the next one.
    before : list of int, of length P
        Rows of earlier pieces. The last piece may have none.
    """
    edges, before, rows = [], [0], 0
    for bucket, count in sorted(qualities.items()):
        rows += count
        if rows - before[-1] >= share:
            edges.append(bucket_end(bucket))
            before.append(rows)
    return edges, before
