"""What is done with the rows that a pass has emitted: decided, counted, selected, hashed.

The classes that are called are functions over streams of these rows. Runs on executors: numpy and
pyarrow only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sparkclean.confident.filters import SCORE_FILTERS, agrees, predicted_classes
from sparkclean.confident.joint import UNDECIDED, decide
from sparkclean.confident.scores import normalized_margin
from sparkclean.jobs.audit.counts import BucketCounts, bucket_of, count_codes, find_sorted, state_of
from sparkclean.jobs.audit.kinds import BUCKETS, COUNTS, HASHES, ISSUE, QUALITY
from sparkclean.numbers.result_hash import split_hash_limbs, sum_hashes, suspect_text
from sparkclean.rows.emitted import (
    ANY_KEYS,
    ID_PREFIX,
    KIND,
    STATE,
    id_fields,
    state_fields,
    to_batch,
)
from sparkclean.rows.types import Fields

#: Buckets of quality keep this many of the highest bits of a float64: 256 buckets an octave.
_QUALITY_SHIFT = 44


@dataclass(frozen=True)
class Rows:
    """Emitted rows of a batch, column by column."""

    batch: pa.RecordBatch

    def __len__(self) -> int:
        return len(self.batch)

    def floats(self, name: str) -> NDArray[np.float64]:
        """Give a column of numbers."""
        return np.asarray(self.batch.column(name).to_numpy(zero_copy_only=False), np.float64)

    def classes(self, name: str) -> NDArray[np.int64]:
        """Give a column of class indices."""
        return self.batch.column(name).to_numpy(zero_copy_only=False).astype(np.int64)

    @property
    def ids(self) -> list[pa.Array]:
        """Give the record ids."""
        names = [name for name in self.batch.schema.names if name.startswith(ID_PREFIX)]
        return [self.batch.column(name) for name in names]

    def entries(
        self, name: str
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Give row, class and number of all entries of a column of lists."""
        lists = self.batch.column(name)
        lengths = pc.list_value_length(lists).fill_null(0).to_numpy(zero_copy_only=False)
        classes, numbers = lists.flatten().flatten()
        rows = np.repeat(np.arange(len(lists)), lengths)
        return rows, classes.to_numpy().astype(np.int64), numbers.to_numpy().astype(np.float64)

    def outcomes(self, thresholds: NDArray[np.float64], collision: str) -> NDArray[np.int64]:
        """Find the class that each row confidently belongs to."""
        outcome = self.classes("outcome")
        if "entries" not in self.batch.schema.names or not (outcome == UNDECIDED).any():
            return outcome
        return decide(
            outcome,
            self.classes("predicted"),
            self.entries("entries"),
            thresholds,
            collision=collision,
        )

    def agreed(self) -> NDArray[np.bool_]:
        """Tell where the model agrees with the given label."""
        return agrees(*self._given_and_rival())

    def argmax(self) -> NDArray[np.int64]:
        """Find the most probable class."""
        return predicted_classes(*self._given_and_rival())

    def _given_and_rival(
        self,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
        return (
            self.classes("given"),
            self.floats("own"),
            self.classes("other"),
            self.floats("other_probability"),
        )


@dataclass(frozen=True)
class CountOutcomes:
    """Count rows by given class and outcome.

    Attributes
    ----------
    thresholds : ndarray of float64, shape (K,)
    collision : str
    issues : bool
        Count those alone in which the model disagrees with the given label; otherwise those that
        bands left undecided.
    """

    thresholds: NDArray[np.float64]
    collision: str
    issues: bool = False
    keys: ClassVar[tuple[str, str]] = ("given", "outcome")
    fields: ClassVar[Fields] = state_fields(keys)
    kinds: ClassVar[tuple[int, ...]] = ()
    state_kinds: ClassVar[tuple[int, ...]] = (COUNTS,)

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Count the rows of a task."""
        size = len(self.thresholds)
        counts: Counter[int] = Counter()
        for rows in map(Rows, batches):
            given, true = rows.classes("given"), rows.outcomes(self.thresholds, self.collision)
            if self.issues:
                counted = (true >= 0) & (true != given) & ~rows.agreed()
            else:
                counted = (true >= 0) & (rows.classes("outcome") == UNDECIDED)
            count_codes(counts, given[counted] * size + true[counted])
        if counts:
            yield to_batch(state_of(COUNTS, counts, size, self.keys), self.fields)


class Ranking(Protocol):
    """Rows in groups, each with a score; a row may stand in several groups."""

    def placed(
        self, rows: Rows
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Give row, group and score of each place."""


@dataclass(frozen=True)
class OfTable:
    """All rows in one group, by self-confidence or normalized margin."""

    score: str

    def placed(
        self, rows: Rows
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Give row, group and score of each place."""
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
        """Give row, group and score of each place."""
        return np.arange(len(rows)), rows.classes("given"), rows.floats("own")


@dataclass(frozen=True)
class OfPairs:
    """Rows by pairs of classes, largest margin first."""

    num_classes: int

    def placed(
        self, rows: Rows
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Give row, group and score of each place."""
        row, true, margin = rows.entries("margins")
        # not -margin: 0 is to be 0
        return row, rows.classes("given")[row] * self.num_classes + true, 0.0 - margin


@dataclass(frozen=True)
class OfRivals:
    """Low rows by the pairs of their two best rivals, largest margin first.

    And on the diagonal by the fourth root of their self-confidence, which the margin of every pair
    reaches with its sign turned. The root, as most of them are tiny and buckets are of one width.
    """

    num_classes: int

    def placed(
        self, rows: Rows
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Give row, group and score of each place."""
        given, own = rows.classes("given"), rows.floats("own")
        true = np.concatenate([rows.classes("other"), rows.classes("second"), given])
        rivals = [rows.floats("other_probability"), rows.floats("second_probability")]
        score = np.concatenate([*(own - rival for rival in rivals), np.sqrt(np.sqrt(own))])
        row = np.tile(np.arange(len(rows)), 3)
        there = true >= 0
        row, true, score = row[there], true[there], score[there]
        return row, given[row] * self.num_classes + true, score


@dataclass(frozen=True)
class CountBuckets:
    """Count places by group and bucket of the score.

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
        """Count the places of a task."""
        counts = BucketCounts(self.buckets)
        for rows in map(Rows, batches):
            _, group, score = self.ranking.placed(rows)
            _, found = find_sorted(self.groups, group)
            counts.add(group[found], score[found])
        if counts:
            yield to_batch(counts.state(self.keys), self.fields)


@dataclass(frozen=True)
class Places:
    """Give the places of some groups: of some bucket, or all.

    Attributes
    ----------
    ranking : Ranking
    groups, last_places : ndarray of int64
        Ascending; the place of the last row to select, for who sorts them.
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
    kinds: ClassVar[tuple[int, ...]] = (ISSUE,)
    state_kinds: ClassVar[tuple[int, ...]] = ()

    @property
    def fields(self) -> Fields:
        """Group, score, place of the last row to select, record id."""
        columns = (("group", "bigint"), ("score", "double"), ("last_place", "bigint"))
        return ((KIND, "tinyint"), *columns, *id_fields(self.id_types))

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Give the places of a task."""
        for rows in map(Rows, batches):
            row, group, score = self.ranking.placed(rows)
            place, found = find_sorted(self.groups, group)
            if self.in_bucket is not None:
                found &= bucket_of(score, self.buckets) == self.in_bucket[place]
            if found.any():
                ids = [column.take(pa.array(row[found])) for column in rows.ids]
                columns = {KIND: ISSUE, "group": group[found], "score": score[found], "ids": ids}
                columns["last_place"] = self.last_places[place[found]]
                yield to_batch(columns, self.fields)


@dataclass(frozen=True)
class Cuts:
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
        """Give the margin at which a group ends, of cuts by margin; -inf where it takes all."""
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


@dataclass(frozen=True)
class SelectIssues:
    """Select the label issues; count and hash them.

    Attributes
    ----------
    filter_by : str
    cuts : tuple of Cuts
        That all must select a row.
    thresholds : ndarray of float64, shape (K,)
    collision : str
    quality : str
        ``own``, ``normalized_margin``, or ``quality`` where a pass has scored.
    reason : str
    id_types : tuple of str
    """

    filter_by: str
    cuts: tuple[Cuts, ...]
    thresholds: NDArray[np.float64]
    collision: str
    quality: str
    reason: str
    id_types: tuple[str, ...]
    keys: ClassVar[tuple[str, str]] = ("given", "suggested")
    kinds: ClassVar[tuple[int, ...]] = (ISSUE,)
    state_kinds: ClassVar[tuple[int, ...]] = (COUNTS, QUALITY, HASHES)

    @property
    def fields(self) -> Fields:
        """Columns of `Findings.issues`, and those of state."""
        columns = (
            ("self_confidence", "double"),
            ("suggested_probability", "double"),
            ("label_quality", "double"),
        )
        kind, *state = state_fields(self.keys)
        return (kind, *id_fields(self.id_types), *state, *columns)

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Select the issues of a task."""
        size = len(self.thresholds)
        counts: Counter[int] = Counter()
        qualities: Counter[int] = Counter()
        hashes = 0
        for batch in batches:
            selected = np.flatnonzero(self.selected(Rows(batch)))
            if not len(selected):
                continue
            rows = Rows(batch.take(pa.array(selected)))
            given, own, suggested = rows.classes("given"), rows.floats("own"), rows.argmax()
            other = rows.floats("other_probability")
            if self.quality == "normalized_margin":
                quality = normalized_margin(own, other)
            else:
                quality = rows.floats(self.quality)
            count_codes(counts, given * size + suggested)
            count_codes(qualities, quality_bucket(quality))
            hashes += sum_hashes(suspect_texts(rows.ids, given, suggested, self.reason))
            issues = {"given": given, "suggested": suggested, "self_confidence": own}
            issues |= {"suggested_probability": np.maximum(own, other), "label_quality": quality}
            yield to_batch({KIND: ISSUE, "ids": rows.ids} | issues, self.fields)
        if counts:
            yield to_batch(state_of(COUNTS, counts, size, self.keys), self.fields)
            yield to_batch(state_of(QUALITY, qualities, 1, self.keys), self.fields)
        first, second = self.keys
        limbs = {KIND: HASHES, first: [0], second: [0], STATE: [split_hash_limbs(hashes)]}
        yield to_batch(limbs, self.fields)

    def selected(self, rows: Rows) -> NDArray[np.bool_]:
        """Tell which rows are label issues."""
        selected = np.ones(len(rows), np.bool_)
        for cut in self.cuts:
            selected &= cut.select(rows)
        if self.filter_by == "predicted_neq_given":
            selected &= rows.argmax() != rows.classes("given")
        if self.filter_by == "confident_learning":
            outcome = rows.outcomes(self.thresholds, self.collision)
            selected &= (outcome >= 0) & (outcome != rows.classes("given"))
        if self.filter_by not in SCORE_FILTERS:
            selected &= ~rows.agreed()
        return selected


def suspect_texts(
    ids: Sequence[pa.Array], given: NDArray[np.int64], suggested: NDArray[np.int64], reason: str
) -> list[str]:
    """Write suspects as `suspect_text` does each of them.

    Parameters
    ----------
    ids : sequence of pyarrow.Array, each of length N
        Columns of the record id: integers or text.
    given, suggested : ndarray of int64, shape (N,)
        Class indices.
    reason : str

    Returns
    -------
    list of str
    """
    size = int(suggested.max(initial=0)) + 1
    pairs = pa.array(given * size + suggested).dictionary_encode()
    ends = [
        suspect_text((), pair // size, pair % size, reason) for pair in pairs.dictionary.to_pylist()
    ]
    parts: list[Any] = []
    for column in ids:
        kind, texts = "i" if pa.types.is_integer(column.type) else "s", column.cast(pa.string())
        lengths = pc.add(pc.binary_length(texts), 1).cast(pa.string())
        parts += [lengths, f":{kind}", texts]
    parts.append(pa.array(ends, pa.string()).take(pairs.indices))
    texts = pc.binary_join_element_wise(*parts, "")
    return list(texts.to_pylist())


def quality_bucket(quality: NDArray[np.float64]) -> NDArray[np.int64]:
    """Find the bucket of a quality, which is not negative; buckets rise with it."""
    # + 0.0, as the bits of -0.0 are those of a negative number
    return (np.ascontiguousarray(quality) + 0.0).view(np.int64) >> _QUALITY_SHIFT


def bucket_end(bucket: int) -> float:
    """Give the smallest quality beyond a bucket."""
    return float(np.array((bucket + 1) << _QUALITY_SHIFT, np.int64).view(np.float64))
