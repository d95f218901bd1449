"""Emitted rows in the order of a score, by groups: their rankings, and where a selection ends.

Runs on executors: numpy and pyarrow only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sparkclean.confident.scores import normalized_margin
from sparkclean.jobs.audit.counts import BucketCounts, bucket_of, find_sorted
from sparkclean.jobs.audit.emitted_rows import Rows
from sparkclean.jobs.audit.row_types import BUCKETS, ENTRY
from sparkclean.rows.emitted import ANY_KEYS, KIND, id_fields, state_fields, to_batch
from sparkclean.rows.types import Fields

#: `OfRivals` ranks rows on the diagonal by this root of their self-confidence.
ROOT_OF_OWN = 4


class Ranking(Protocol):
    """Rows in groups, each with a score; a row may stand in several groups."""

    def placed(
        self, rows: Rows
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Give row, group and score of each entry."""


@dataclass(frozen=True)
class OfTable:
    """All rows in one group, by self-confidence or normalized margin."""

    score: str

    def placed(
        self, rows: Rows
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Give row, group and score of each entry."""
        score = rows.floats("own")
        if self.score == "normalized_margin":
            score = normalized_margin(score, rows.floats("other_probability"))
        return np.arange(len(rows)), np.zeros(len(rows), np.int64), score


@dataclass(frozen=True)
class OfClasses:
    """Rows by given class, by self-confidence."""

    def placed(
        self, rows: Rows
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Give row, group and score of each entry."""
        return np.arange(len(rows)), rows.classes("given"), rows.floats("own")


@dataclass(frozen=True)
class OfPairs:
    """Rows by pairs of classes, largest margin first."""

    num_classes: int

    def placed(
        self, rows: Rows
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Give row, group and score of each entry."""
        row, true, margin = rows.entries("margins")
        # not -margin: 0 is to be 0
        return row, rows.classes("given")[row] * self.num_classes + true, 0.0 - margin


@dataclass(frozen=True)
class OfRivals:
    """Low-confidence rows by the pairs of their two best rivals, largest margin first.

    And on the diagonal by a root of their self-confidence (`ROOT_OF_OWN`), which the margin of
    every pair reaches with its sign turned. The root, as most of them are tiny and buckets are of
    one width.
    """

    num_classes: int

    def placed(
        self, rows: Rows
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Give row, group and score of each entry."""
        given, own = rows.classes("given"), rows.floats("own")
        true = np.concatenate([rows.classes("other"), rows.classes("second"), given])
        rivals = [rows.floats("other_probability"), rows.floats("second_probability")]
        root = np.sqrt(np.sqrt(own))  # of `ROOT_OF_OWN`, in operations that round alike everywhere
        score = np.concatenate([*(own - rival for rival in rivals), root])
        row = np.tile(np.arange(len(rows)), 3)
        there = true >= 0
        row, true, score = row[there], true[there], score[there]
        return row, given[row] * self.num_classes + true, score


@dataclass(frozen=True)
class CountBuckets:
    """Count entries by group and bucket of the score.

    Attributes
    ----------
    ranking : Ranking
    groups : ndarray of int64
        That count; ascending.
    buckets : int
        In the unit interval.
    """

    ranking: Ranking
    groups: NDArray[np.int64]
    buckets: int
    keys: ClassVar[tuple[str, str]] = ("group", "bucket")
    fields: ClassVar[Fields] = state_fields(keys)
    kinds: ClassVar[tuple[int, ...]] = ()
    state_kinds: ClassVar[tuple[int, ...]] = (BUCKETS,)

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Count the entries of a task."""
        counts = BucketCounts(self.buckets)
        for rows in map(Rows, batches):
            _, group, score = self.ranking.placed(rows)
            _, found = find_sorted(self.groups, group)
            counts.add(group[found], score[found])
        if counts:
            yield to_batch(counts.state(self.keys), self.fields)


@dataclass(frozen=True)
class GroupEntries:
    """Give the entries of some groups: of some bucket, or all.

    Attributes
    ----------
    ranking : Ranking
    groups, last_places : ndarray of int64
        Ascending; the position of the last row to select, for who sorts them.
    id_types : tuple of str
    in_bucket : ndarray of int64 or None
        Of each group.
    buckets : int
    """

    ranking: Ranking
    groups: NDArray[np.int64]
    last_places: NDArray[np.int64]
    id_types: tuple[str, ...]
    in_bucket: NDArray[np.int64] | None = None
    buckets: int = 1
    keys: ClassVar[tuple[str, str]] = ANY_KEYS
    kinds: ClassVar[tuple[int, ...]] = (ENTRY,)
    state_kinds: ClassVar[tuple[int, ...]] = ()

    @property
    def fields(self) -> Fields:
        """Group, score, position of the last row to select, record id."""
        columns = (("group", "bigint"), ("score", "double"), ("last_place", "bigint"))
        return ((KIND, "tinyint"), *columns, *id_fields(self.id_types))

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Give the entries of a task."""
        for rows in map(Rows, batches):
            row, group, score = self.ranking.placed(rows)
            place, found = find_sorted(self.groups, group)
            if self.in_bucket is not None:
                found &= bucket_of(score, self.buckets) == self.in_bucket[place]
            if found.any():
                ids = [column.take(pa.array(row[found])) for column in rows.ids]
                columns = {KIND: ENTRY, "group": group[found], "score": score[found], "ids": ids}
                columns["last_place"] = self.last_places[place[found]]
                yield to_batch(columns, self.fields)


@dataclass(frozen=True)
class Cutoffs:
    """The last row to select in each group, by (score, record id).

    Attributes
    ----------
    ranking : Ranking
    groups : ndarray of int64, shape (G,)
        Ascending; others select nothing.
    scores : ndarray of float64, shape (G,)
    ids : tuple of pyarrow.Array
        Of the last row; as many columns as a record id has.
    """

    ranking: Ranking
    groups: NDArray[np.int64]
    scores: NDArray[np.float64]
    ids: tuple[pa.Array, ...]

    def lowest_margins(self) -> dict[int, float]:
        """Give the margin at which a group ends, of cutoffs by margin; -inf where it takes all."""
        return dict(zip(self.groups.tolist(), (0.0 - self.scores).tolist(), strict=True))

    def select(self, rows: Rows) -> NDArray[np.bool_]:
        """Tell which rows some group selects."""
        row, group, score = self.ranking.placed(rows)
        place, found = find_sorted(self.groups, group)
        row, place, score = row[found], place[found], score[found]
        selected = np.zeros(len(rows), np.bool_)
        if not len(row):
            return selected
        last = self.scores[place]
        selected[row[score < last]] = True
        tied = np.flatnonzero(score == last)
        if len(tied):
            here = [column.take(pa.array(row[tied])) for column in rows.ids]
            there = [column.take(pa.array(place[tied])) for column in self.ids]
            selected[row[tied[_not_after(here, there)]]] = True
        return selected


def _not_after(here: Sequence[pa.Array], there: Sequence[pa.Array]) -> NDArray[np.bool_]:
    """Compare record ids column by column: numbers as numbers, text by its bytes."""
    result = np.ones(len(here[0]), np.bool_)
    for one, other in zip(reversed(here), reversed(there), strict=True):
        less = pc.less(one, other).to_numpy(zero_copy_only=False)
        result = less | (pc.equal(one, other).to_numpy(zero_copy_only=False) & result)
    return result
