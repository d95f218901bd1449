"""The rows of lowest score in each group, as many as its quota, without sorting whole groups.

Rows are counted in buckets of their score, and only the bucket in which a cut falls is sorted, by
(score, record id), to find the last row. Ties go by record id wherever the rows lie.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import Window
from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

#: Buckets of a score's unit interval; a power of two, so that edges are exact.
BUCKETS = 4096
#: Rows that are sorted whole rather than counted first.
_ROWS_TO_SORT = 4_000_000
#: Counts by group and bucket that the driver holds.
_COUNTS = 1 << 18
#: Values of the columns that name a group.
_Group = tuple[int, ...]


def _frame_of_cells(
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
    counts rows in buckets of the score; one finds the last row to select in the bucket in which
    each group's quota ends, the only rows that are sorted. The selection itself is a comparison
    with that row. The driver holds a quarter of a million counts, and K x K rows.
    """
    if not quotas.any():
        return rows.limit(0)
    if count is not None and count <= _ROWS_TO_SORT:
        return _sorted_whole(rows, groups, score, ids, quotas)
    buckets = float(min(BUCKETS, 1 << max(0, int(np.log2(_COUNTS / np.count_nonzero(quotas))))))
    bucketed = rows.withColumns(
        {"__score": score, "__bucket": F.floor(score * F.lit(buckets)).cast("int")}
    )
    cuts = _collect_cuts(bucketed, groups, quotas)
    last = _collect_last_rows(bucketed, groups, ids, cuts)
    score_and_ids = ("__score", *ids)
    names = [f"__last_{i}" for i in range(len(score_and_ids))]
    kinds = dict(bucketed.dtypes)
    types = {"__cut": "int"}
    types |= {new: kinds[old] for new, old in zip(names, score_and_ids, strict=True)}
    whole = (None,) * len(names)
    cells = [(*group, bucket, *last.get(group, whole)) for group, (bucket, _) in cuts.items()]
    ended = F.broadcast(_frame_of_cells(rows, groups, types, cells))
    inside = F.col("__bucket") < F.col("__cut")
    here = F.struct(*score_and_ids) <= F.struct(
        *[F.col(new).alias(old) for new, old in zip(names, score_and_ids, strict=True)]
    )
    at_cut = (F.col("__bucket") == F.col("__cut")) & (F.col(names[0]).isNull() | here)
    return bucketed.join(ended, list(groups)).where(inside | at_cut).select(*rows.columns)


def _sorted_whole(
    rows: DataFrame,
    groups: Sequence[str],
    score: Column,
    ids: Sequence[str],
    quotas: NDArray[np.int64],
) -> DataFrame:
    order = Window.partitionBy(*groups).orderBy("__score", *ids)
    placed = (
        rows.withColumn("__score", score)
        .join(F.broadcast(quota_frame(rows, groups, quotas)), list(groups))
        .withColumn("__place", F.row_number().over(order))
    )
    return placed.where(F.col("__place") <= F.col("quota")).select(*rows.columns)


def _collect_cuts(
    bucketed: DataFrame, groups: Sequence[str], quotas: NDArray[np.int64]
) -> dict[_Group, tuple[int, int | None]]:
    """Find the bucket in which each group's quota ends, and at which of its rows (`_cut`)."""
    counts: dict[_Group, list[tuple[int, int]]] = {}
    for row in bucketed.groupBy(*groups, "__bucket").count().collect():
        group = tuple(row[name] for name in groups)
        if quotas[group]:
            counts.setdefault(group, []).append((row["__bucket"], row["count"]))
    return {group: _cut(found, int(quotas[group])) for group, found in counts.items()}


def _collect_last_rows(
    bucketed: DataFrame,
    groups: Sequence[str],
    ids: Sequence[str],
    cuts: Mapping[_Group, tuple[int, int | None]],
) -> dict[_Group, tuple[Any, ...]]:
    """Find score and record id of the last row to select, of groups that a bucket divides."""
    cells = [(*group, *cut) for group, cut in cuts.items() if cut[1] is not None]
    if not cells:
        return {}
    types = {"__cut": "int", "__place": "bigint"}
    order = Window.partitionBy(*groups).orderBy("__score", *ids)
    ends = (
        bucketed.join(F.broadcast(_frame_of_cells(bucketed, groups, types, cells)), list(groups))
        .where(F.col("__bucket") == F.col("__cut"))
        .withColumn("__row", F.row_number().over(order))
        .where(F.col("__row") == F.col("__place"))
        .select(*groups, "__score", *ids)
    )
    size = len(groups)
    return {tuple(row)[:size]: tuple(row)[size:] for row in ends.collect()}


def _cut(counts: Sequence[tuple[int, int]], quota: int) -> tuple[int, int | None]:
    """Find the bucket in which a quota ends, and at which of its rows; None is at the last."""
    before = 0
    for bucket, count in sorted(counts):
        if before + count >= quota:
            return bucket, None if before + count == quota else quota - before
        before += count
    return max(counts)[0], None


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
    where = zip(*np.nonzero(quotas), strict=True)
    cells = [(*(int(i) for i in index), int(quotas[index])) for index in where]
    return _frame_of_cells(like, groups, {"quota": "bigint"}, cells)
