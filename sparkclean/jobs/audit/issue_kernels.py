"""What is done with the rows that a pass has emitted: outcomes counted, label issues selected.

The classes that are called are functions over streams of these rows. Runs on executors: numpy and
pyarrow only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sparkclean.confident.joint import UNDECIDED
from sparkclean.confident.scores import normalized_margin
from sparkclean.examples.counts import count_codes, state_of
from sparkclean.examples.suspect_totals import SUSPECT, SuspectTotals, suspect_fields
from sparkclean.jobs.audit.emitted_rows import Rows
from sparkclean.jobs.audit.histograms import ScoreCounts
from sparkclean.jobs.audit.rankings import Cutoffs
from sparkclean.jobs.audit.row_types import COUNTS, SCORES
from sparkclean.rows.emitted import KIND, state_fields, to_batch
from sparkclean.rows.types import Fields
from sparkclean.schema import (
    LABEL_QUALITY,
    SCORE_FILTERS,
    SELF_CONFIDENCE,
    SUGGESTED_PROBABILITY,
)

#: The name of this detector, and the columns that are its own.
DETECTOR = "confident_learning"
NUMBERS = (SELF_CONFIDENCE, SUGGESTED_PROBABILITY)


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


@dataclass(frozen=True)
class SelectIssues:
    """Select the label issues; count and hash them.

    Attributes
    ----------
    filter_by : str
    cutoffs : tuple of Cutoffs
        That all must select a row.
    thresholds : ndarray of float64, shape (K,)
    collision : str
    quality : str
        ``own``, ``normalized_margin``, or ``quality`` where a pass has scored.
    reason : str
    id_types : tuple of str
    """

    filter_by: str
    cutoffs: tuple[Cutoffs, ...]
    thresholds: NDArray[np.float64]
    collision: str
    quality: str
    reason: str
    id_types: tuple[str, ...]
    keys: ClassVar[tuple[str, str]] = SuspectTotals.keys
    kinds: ClassVar[tuple[int, ...]] = (SUSPECT,)
    state_kinds: ClassVar[tuple[int, ...]] = (*SuspectTotals.state_kinds, SCORES)

    @property
    def fields(self) -> Fields:
        """Columns of suspects, and those of state."""
        return suspect_fields(self.id_types, NUMBERS)

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Select the issues of a task."""
        totals, qualities = SuspectTotals(len(self.thresholds), self.reason), ScoreCounts()
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
            totals.add(rows.ids, given, suggested, quality)
            qualities.add(quality, differs=suggested != given)
            issues = {
                "given": given,
                "suggested": suggested,
                SELF_CONFIDENCE: own,
                SUGGESTED_PROBABILITY: np.maximum(own, other),
                LABEL_QUALITY: quality,
            }
            yield to_batch({KIND: SUSPECT, "ids": rows.ids} | issues, self.fields)
        for state in (*totals.state(), *qualities.state(self.keys)):
            yield to_batch(state, self.fields)

    def selected(self, rows: Rows) -> NDArray[np.bool_]:
        """Tell which rows are label issues."""
        selected = np.ones(len(rows), np.bool_)
        for cutoff in self.cutoffs:
            selected &= cutoff.select(rows)
        if self.filter_by == "predicted_neq_given":
            selected &= rows.argmax() != rows.classes("given")
        if self.filter_by == "confident_learning":
            outcome = rows.outcomes(self.thresholds, self.collision)
            selected &= (outcome >= 0) & (outcome != rows.classes("given"))
        if self.filter_by not in SCORE_FILTERS:
            selected &= ~rows.agreed()
        return selected
