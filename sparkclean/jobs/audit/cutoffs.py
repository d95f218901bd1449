"""Where selection ends: the last row of each group, found without sorting all rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import Window
from pyspark.sql import functions as F

from sparkclean.jobs.audit.rankings import CountBuckets, Cutoffs, GroupEntries, Ranking
from sparkclean.jobs.audit.row_types import BUCKETS
from sparkclean.rows.emitted import ID_PREFIX
from sparkclean.rows.streams import State, Stream
from sparkclean.rows.types import arrow_type

#: Rows that are sorted whole rather than counted first.
_ROWS_TO_SORT = 200_000
#: Counts by group and bucket in one task, and buckets of one group, at most.
_COUNTS, _BUCKETS = 1 << 14, 4096


@dataclass(frozen=True)
class BucketCounts:
    """Entries by group and bucket of the score.

    Attributes
    ----------
    by_group : dict of dict
        Counts by bucket, for each group that was seen.
    buckets : int
        In the unit interval.
    """

    by_group: Mapping[int, Mapping[int, int]]
    buckets: int


def bucket_counts_of(states: Iterable[State], buckets: int) -> BucketCounts:
    """Read counts from state.

    Parameters
    ----------
    states : iterable of State
        Those of kind `BUCKETS` count.
    buckets : int
        In the unit interval.

    Returns
    -------
    Counted
    """
    counts: dict[int, dict[int, int]] = {}
    for state in states:
        if state.kind == BUCKETS:
            counts.setdefault(state.first, {})[state.second] = state.values[0]
    return BucketCounts(counts, buckets)


def collect_cutoffs(
    stream: Stream,
    ranking: Ranking,
    quotas: NDArray[np.int64],
    id_types: tuple[str, ...],
    counted: BucketCounts | None = None,
) -> Cutoffs:
    """Find the last row to select in each group: as many rows of lowest (score, record id).

    Parameters
    ----------
    stream : Stream
        Emitted rows.
    ranking : Ranking
    quotas : ndarray of int64
        By the number of the group; a group without one selects nothing.
    id_types : tuple of str
        Spark types of the record id columns: numbers compare as numbers, text by bytes, left to
        right.
    counted : Counted, optional
        All entries of the stream, where they are counted already.

    Returns
    -------
    Cuts

    Notes
    -----
    Few entries are sorted in one job, very few ones without any. Otherwise one job counts them in
    buckets of the score, and a second one sorts those of the bucket in which a group's quota ends.
    The driver holds as many counts as a task, and a row for each group.
    """
    groups = np.flatnonzero(quotas)
    if not len(groups):
        return Cutoffs(ranking, groups, np.zeros(0), ())
    if counted is None and stream.rows is not None and stream.rows <= _ROWS_TO_SORT:
        last = _collect_last(stream, GroupEntries(ranking, groups, quotas[groups], id_types))
        return _cutoffs(ranking, groups, last, id_types)
    if counted is None:
        buckets = min(_BUCKETS, 1 << max(0, int(np.log2(_COUNTS / len(groups)))))
        counted = collect_buckets(stream, ranking, groups, buckets)
    groups = np.array([group for group in groups.tolist() if group in counted.by_group], np.int64)
    found = [end_of_quota(counted.by_group[group], int(quotas[group])) for group in groups.tolist()]
    ends, places = np.array(found, np.int64).reshape(-1, 2).T
    divided = places > 0
    near = GroupEntries(
        ranking, groups[divided], places[divided], id_types, ends[divided], counted.buckets
    )
    last = _collect_last(stream, near) if divided.any() else {}
    return _cutoffs(ranking, groups, last, id_types)


def collect_buckets(
    stream: Stream, ranking: Ranking, groups: NDArray[np.int64], buckets: int
) -> BucketCounts:
    """Count entries by group and bucket of the score.

    Parameters
    ----------
    stream : Stream
    ranking : Ranking
    groups : ndarray of int64
        Ascending.
    buckets : int
        In the unit interval.

    Returns
    -------
    Counted

    Notes
    -----
    As `Stream.collect`.
    """
    return bucket_counts_of(stream.collect(CountBuckets(ranking, groups, buckets)), buckets)


def end_of_quota(counts: Mapping[int, int], quota: int) -> tuple[int, int]:
    """Find the bucket in which a quota ends, and at which of its rows.

    Parameters
    ----------
    counts : mapping
        Rows by bucket.
    quota : int

    Returns
    -------
    bucket, place : int
        Place 0 where the quota takes all.
    """
    before = 0
    for bucket, count in sorted(counts.items()):
        if before + count >= quota:
            return bucket, quota - before
        before += count
    return 0, 0


def _collect_last(stream: Stream, places: GroupEntries) -> dict[int, tuple[Any, ...]]:
    """Find score and record id of the last row to select; of a group that has it."""
    ids = [name for name, _ in places.fields if name.startswith(ID_PREFIX)]
    here = stream.collect_here(places)
    if here is not None:
        return _find_last(here, ids)
    order = Window.partitionBy("group").orderBy("score", *ids)
    last = (
        stream.map(places)
        .withColumn("place", F.row_number().over(order))
        .where("place = last_place")
    )
    return {row[0]: tuple(row)[1:] for row in last.select("group", "score", *ids).collect()}


def _find_last(places: Sequence[pa.RecordBatch], ids: Sequence[str]) -> dict[int, tuple[Any, ...]]:
    """Find the same without a job."""
    if not places:
        return {}
    columns = ["group", "score", *ids]
    table = pa.Table.from_batches(places).sort_by([(name, "ascending") for name in columns])
    group, starts, counts = np.unique(
        table.column("group").to_numpy(), return_index=True, return_counts=True
    )
    place = table.column("last_place").to_numpy()[starts]
    reached = place <= counts
    rows = table.select(columns[1:]).take((starts + place - 1)[reached])
    found = zip(*(column.to_pylist() for column in rows.columns), strict=True)
    return dict(zip(group[reached].tolist(), found, strict=True))


def _cutoffs(
    ranking: Ranking,
    groups: NDArray[np.int64],
    last: Mapping[int, tuple[Any, ...]],
    id_types: tuple[str, ...],
) -> Cutoffs:
    """Put cutoffs together; a group whose quota is not reached selects all."""
    rows = [last.get(group, (np.inf, *(None for _ in id_types))) for group in groups.tolist()]
    scores = np.array([row[0] for row in rows])
    ids = tuple(
        pa.array([row[1 + i] for row in rows], arrow_type(kind)) for i, kind in enumerate(id_types)
    )
    return Cutoffs(ranking, groups, scores, ids)
