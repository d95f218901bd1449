"""Kernels that emit rows which a filter could flag, as a few numbers each.

Runs on executors: numpy and pyarrow only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sparkclean.confident.admission import BELOW_ZERO
from sparkclean.confident.filters import AGREEMENT_MARGIN
from sparkclean.confident.joint import (
    NOT_CONFIDENT,
    UNDECIDED,
    Outcomes,
    confident_in_bands,
)
from sparkclean.confident.scores import (
    BELOW_EVERY_PROBABILITY,
    ScoreInputs,
    best_other,
    label_quality,
)
from sparkclean.confident.thresholds import CONFIDENT_MARGIN
from sparkclean.examples.batches import Admitted, Rejected
from sparkclean.examples.kernels import KERNEL_KEYS
from sparkclean.jobs.audit.counts import BucketCounts, PairCounter, find_sorted
from sparkclean.jobs.audit.histograms import ScoreCounts
from sparkclean.jobs.audit.row_types import (
    BUCKETS,
    COUNTS,
    LOW_CONFIDENCE,
    MARGIN,
    SCORES,
    SURENESS,
    UNDECIDED_ROW,
)
from sparkclean.jobs.audit.sureness import SurenessCounts
from sparkclean.rows.emitted import KIND, Emitted

#: Margin p_j - p_given below which the model agrees with the given label, with room for rounding.
_AGREED_MARGIN = -4.0 * AGREEMENT_MARGIN
#: A probability that is this far below a threshold is not confident, however it is rounded.
_NOT_CONFIDENT_MARGIN = 2.0 * CONFIDENT_MARGIN
#: More than rounding to float32 takes from a probability.
_FLOAT32_ROUNDING = 1e-6
#: Spark type of the classes in which a row may be confident, with its probabilities.
ENTRIES = "array<struct<class:int,probability:double>>"
#: Spark type of the classes by whose pairs a row may be pruned, with its margins.
MARGINS = "array<struct<class:int,margin:double>>"
_RIVAL_COLUMNS = [("own", "double"), ("other", "int"), ("other_probability", "double")]


def highest_own(
    num_classes: int, row_sum_tolerance: float, lowest_margin: float = _AGREED_MARGIN
) -> float:
    """Largest self-confidence of a row with some p_j - p_given that reaches a bound.

    By default the bound of *low-confidence rows*, which are all that any filter could flag: above
    it, whatever clipping and the row sum's tolerance leave, every other class is less probable by
    more than the margin at which the model agrees with the given label.

    Parameters
    ----------
    num_classes : int
        K.
    row_sum_tolerance : float
    lowest_margin : float

    Returns
    -------
    float
    """
    return (1.0 + row_sum_tolerance + num_classes * BELOW_ZERO - lowest_margin) / 2.0


@dataclass(frozen=True)
class RowScore:
    """A score that needs the whole row of probabilities.

    Attributes
    ----------
    method : str
    adjusted : bool
        Whether of adjusted probabilities.
    inputs : ScoreInputs
    """

    method: str
    adjusted: bool
    inputs: ScoreInputs

    def of(self, given: NDArray[np.int64], pred_probs: NDArray[np.floating]) -> NDArray[np.float64]:
        """Score rows."""
        return label_quality(
            given,
            pred_probs.astype(np.float64),
            method=self.method,
            adjusted=self.adjusted,
            inputs=self.inputs,
        )


@dataclass
class ConfidentCounts:
    """The confident joint; the rows that a filter could flag, as a few numbers each.

    A row whose self-confidence exceeds a half (and a tolerance, `highest_own`) has its given label
    as argmax: no filter flags it, and no quota reaches it before all others. Only the rest, the
    *low-confidence rows*, are emitted.

    Where thresholds are known as bands only, rows that these leave undecided are not counted but
    emitted, with the classes in which they may be confident.

    Attributes
    ----------
    lowest, highest : ndarray of float64, shape (K,)
        Bands of the thresholds; equal where these are known.
    collision : str
    row_sum_tolerance : float
    emit : {"low", "rivals", "confident", "differing", "none"}
        Which low-confidence rows: all; all, with their second best rival; those that are or may be
        confident in another class than given; those whose argmax is another.
    score : RowScore or None
        A score of the low-confidence rows to compute here.
    """

    lowest: NDArray[np.float64]
    highest: NDArray[np.float64]
    collision: str
    row_sum_tolerance: float
    emit: str = "low"
    score: RowScore | None = None
    state_kinds: ClassVar[tuple[int, ...]] = (COUNTS, SURENESS, SCORES)

    def __post_init__(self) -> None:
        size = len(self.lowest)
        self._confident, self._predictions = PairCounter(size), PairCounter(size)
        self._sureness, self._own = SurenessCounts(size), ScoreCounts()
        self._highest_own = highest_own(size, self.row_sum_tolerance)
        # what a row leaves to all other classes together, at most
        self._left = 1.0 + self.row_sum_tolerance + size * BELOW_ZERO + _NOT_CONFIDENT_MARGIN
        self._has_bands = bool((self.lowest < self.highest).any())

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """Only what is emitted: a column of nulls costs each row something, too."""
        columns = [("outcome", "int")]
        if self._has_bands:
            columns += [("predicted", "int"), ("entries", ENTRIES)]
        if self.emit != "none":
            columns += _RIVAL_COLUMNS
        if self.emit == "rivals":
            columns += [("second", "int"), ("second_probability", "double")]
        has_score = self.score is not None and self.emit != "none"
        return (*columns, *([("quality", "double")] if has_score else []))

    @property
    def kinds(self) -> tuple[int, ...]:
        """Undecided rows, where there are bands, and low-confidence rows."""
        undecided = (UNDECIDED_ROW,) if self._has_bands else ()
        return undecided if self.emit == "none" else (*undecided, LOW_CONFIDENCE)

    def update(
        self,
        admitted: Admitted,
        rejected: Rejected | None,  # noqa: ARG002 (the protocol's)
    ) -> Iterator[Emitted]:
        """Count a chunk; yield its low-confidence rows and its undecided ones."""
        given, own = admitted.given, admitted.own
        is_low_confidence = own <= self._highest_own
        # above that the given label is the argmax: the outcome, if its threshold is reached
        settled = ~is_low_confidence & (own >= self.highest[given])
        # or if it is the only class that can be confident, and is not
        settled_not = ~is_low_confidence & ~settled & (self._left - own < self.lowest.min())
        settled_not &= own < self.lowest[given] - _NOT_CONFIDENT_MARGIN
        self._confident.add(given[settled], given[settled])
        high = given[~is_low_confidence]
        self._predictions.add(high, high)
        self._sureness.add(high, own[~is_low_confidence], differs=False)
        self._own.add(own[~is_low_confidence], differs=False)
        wide = np.flatnonzero(~(settled | settled_not))
        if not len(wide):
            return
        outcomes = confident_in_bands(
            admitted.pred_probs[wide], self.lowest, self.highest, collision=self.collision
        )
        self._confident.add(given[wide], outcomes.classes)
        low = is_low_confidence[wide]
        predicted, differs = outcomes.predicted[low], outcomes.predicted[low] != given[wide[low]]
        self._predictions.add(given[wide[low]], predicted)
        probability = admitted.pred_probs[wide[low], predicted]
        self._sureness.add(predicted, probability, differs=differs)
        self._own.add(own[wide[low]], differs=differs)
        yield from self._emitted(admitted, wide, low, outcomes)

    def _emitted(
        self,
        admitted: Admitted,
        wide: NDArray[np.intp],
        low: NDArray[np.bool_],
        outcomes: Outcomes,
    ) -> Iterator[Emitted]:
        given = admitted.given[wide]
        emitted = np.zeros(len(wide), np.bool_)
        if self.emit != "none":
            emitted = low & self._wanted(given, outcomes)
        for kind, chosen in (
            (UNDECIDED_ROW, np.flatnonzero((outcomes.classes == UNDECIDED) & ~emitted)),
            (LOW_CONFIDENCE, np.flatnonzero(emitted)),
        ):
            if not len(chosen):
                continue
            columns: Emitted = {
                KIND: kind,
                "given": given[chosen],
                "outcome": outcomes.classes[chosen],
                "predicted": outcomes.predicted[chosen],
            }
            if self._has_bands:
                columns["entries"] = _entries(outcomes, chosen, admitted.pred_probs, wide)
            if kind == LOW_CONFIDENCE:
                probs = admitted.pred_probs[wide[chosen]]
                columns |= _rival_columns(admitted, wide[chosen], probs)
                if self.emit == "rivals":
                    second = _second_other(columns["given"], columns["other"], probs)
                    columns["second"], columns["second_probability"] = second
                if self.score is not None:
                    columns["quality"] = self.score.of(given[chosen], probs)
            yield columns

    def _wanted(self, given: NDArray[np.int64], outcomes: Outcomes) -> NDArray[np.bool_]:
        """Tell which rows to emit, if they are low."""
        if self.emit == "confident":
            return (outcomes.classes != given) & (outcomes.classes != NOT_CONFIDENT)
        if self.emit == "differing":
            return outcomes.predicted != given
        return np.ones(len(given), np.bool_)

    def state(self) -> Iterator[Emitted]:
        """Emit a row for each pair of classes that was seen."""
        for name, counts in (("confident", self._confident), ("predictions", self._predictions)):
            state = counts.state(name)
            if state is not None:
                yield state
        yield from self._sureness.state()
        yield from self._own.state(KERNEL_KEYS)


def _rival_columns(
    admitted: Admitted, rows: NDArray[np.intp], probs: NDArray[np.floating]
) -> Emitted:
    """Describe rows by themselves and their best rival; ``probs`` are those of the rows."""
    position = pa.array(rows)
    given = admitted.given[rows]
    other, other_probability = best_other(given, probs)
    return {
        "ids": [column.take(position) for column in admitted.ids],
        "given": given,
        "own": admitted.own[rows],
        "other": other,
        "other_probability": other_probability,
    }


def _entries(
    outcomes: Outcomes,
    chosen: NDArray[np.intp],
    pred_probs: NDArray[np.floating],
    wide: NDArray[np.intp],
) -> pa.Array | None:
    """List the classes in which each chosen row may be confident: none where it is decided."""
    if not len(outcomes.rows):
        return None
    counts = np.bincount(outcomes.rows, minlength=len(outcomes.classes))
    mask = np.zeros(len(outcomes.classes), np.bool_)
    mask[chosen] = True
    held = mask[outcomes.rows]
    rows, classes = outcomes.rows[held], outcomes.entries[held]
    probability = pred_probs[wide[rows], classes].astype(np.float64)
    columns = {"class": pa.array(classes, pa.int32()), "probability": probability}
    return _lists(counts[chosen], columns)


def _second_other(
    given: NDArray[np.int64], other: NDArray[np.int64], pred_probs: NDArray[np.floating]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Find the next most probable class; with K = 2 there is none (-1, probability -1)."""
    rest = pred_probs.copy()
    np.put_along_axis(rest, given[:, None], BELOW_EVERY_PROBABILITY, axis=1)
    np.put_along_axis(rest, other[:, None], BELOW_EVERY_PROBABILITY, axis=1)
    second = rest.argmax(axis=1)
    probability = np.take_along_axis(rest, second[:, None], axis=1)[:, 0]
    return np.where(probability >= 0.0, second, -1), probability.astype(np.float64)


@dataclass
class PairMargins:
    """For quotas of pairs, the rows that may be among those of largest margin of a pair.

    Attributes
    ----------
    num_classes : int
    pairs : ndarray of int64, shape (M,)
        Those of which something may be pruned: given * K + true, ascending.
    lowest_margins : ndarray of float64, shape (M,)
        Emit a row given i for each j where p_j - p_i reaches that of the pair.
    row_sum_tolerance : float
    score : RowScore or None
        A score of the emitted rows.
    buckets : int
        In the unit interval of the margin with its sign turned, by which entries are counted; 0
        where they are not.
    """

    num_classes: int
    pairs: NDArray[np.int64]
    lowest_margins: NDArray[np.float64]
    row_sum_tolerance: float
    score: RowScore | None = None
    buckets: int = 0
    kinds: ClassVar[tuple[int, ...]] = (MARGIN,)
    state_kinds: ClassVar[tuple[int, ...]] = (COUNTS, BUCKETS)

    def __post_init__(self) -> None:
        size = self.num_classes
        self._found, self._counts = PairCounter(size), BucketCounts(self.buckets)
        lowest = float(self.lowest_margins.min(initial=np.inf))
        self._highest = highest_own(size, self.row_sum_tolerance, lowest)
        self._lowest_of_class = np.full(size, np.inf)
        least = self.lowest_margins - _FLOAT32_ROUNDING
        np.minimum.at(self._lowest_of_class, self.pairs // size, least)

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """Only what is emitted."""
        columns = [*_RIVAL_COLUMNS, ("margins", MARGINS)]
        return (*columns, *([("quality", "double")] if self.score is not None else []))

    def update(
        self,
        admitted: Admitted,
        rejected: Rejected | None,  # noqa: ARG002 (the protocol's)
    ) -> Iterator[Emitted]:
        """Yield the rows of a chunk that reach a bound."""
        own, pred_probs = admitted.own, admitted.pred_probs
        near = np.flatnonzero(own <= self._highest)
        if not len(self.pairs):
            return
        given = admitted.given[near]
        least = (own[near] + self._lowest_of_class[given]).astype(pred_probs.dtype)
        row, true = np.nonzero(pred_probs[near] >= least[:, None])
        margin = pred_probs[near[row], true].astype(np.float64) - own[near[row]]
        pair, reached = find_sorted(self.pairs, given[row] * self.num_classes + true)
        reached &= margin >= self.lowest_margins[pair]
        row, true, margin = row[reached], true[reached], margin[reached]
        if not len(row):
            return
        self._found.add(given[row], true)
        if self.buckets:
            self._counts.add(given[row] * self.num_classes + true, 0.0 - margin)
        count = np.bincount(row, minlength=len(near))
        chosen = np.flatnonzero(count)
        rows = near[chosen]
        probs = pred_probs[rows]
        columns = _rival_columns(admitted, rows, probs)
        if self.score is not None:
            columns["quality"] = self.score.of(columns["given"], probs)
        margins = _lists(count[chosen], {"class": pa.array(true, pa.int32()), "margin": margin})
        yield columns | {KIND: MARGIN, "margins": margins}

    def state(self) -> Iterator[Emitted]:
        """Emit how many entries each pair has, and each bucket of it."""
        found = self._found.state("entries_found")
        if found is not None:
            yield found
        if self._counts:
            yield self._counts.state(KERNEL_KEYS)


def _lists(lengths: NDArray[np.integer], columns: dict[str, Any]) -> pa.ListArray:
    """Make a column of lists of structs."""
    offsets = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    arrays = [pa.array(column) for column in columns.values()]
    values = pa.StructArray.from_arrays(arrays, names=list(columns))
    return pa.ListArray.from_arrays(pa.array(offsets), values)
