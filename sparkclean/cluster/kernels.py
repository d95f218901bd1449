"""What one scan over the probabilities computes: small mergeable state, and few numbers a row.

A kernel sees admitted chunks. Its state is integers keyed by class or class pair, emitted once per
task as rows of the scan's output and added up by Spark: addition is exact, so the answer does not
depend on how the data was cut. Runs on executors: numpy and pyarrow only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sparkclean.cluster.batches import Admitted, Rejected
from sparkclean.confident.filters import agrees, predicted_classes
from sparkclean.confident.fixed_point import split_limbs, sum_by_class, sum_columns
from sparkclean.confident.joint import add_pairs, confident_classes
from sparkclean.confident.scores import (
    ScoreInputs,
    best_other,
    label_quality,
    self_confidence,
)

#: Kinds of rows in the output of a scan.
STATE, ROW, SCORE = 0, 1, 2
KIND = "kind"
#: Self-confidence above which a row counts towards the warning of in-sample probabilities.
SURE = 0.999


class Kernel(Protocol):
    """One reduction over admitted chunks; a fresh copy works in every task."""

    #: Output columns after the record ids: name and Spark type.
    columns: ClassVar[tuple[tuple[str, str], ...]]

    def update(
        self, rows: int, admitted: Admitted, rejected: Rejected | None
    ) -> dict[str, Any] | None:
        """Take in a chunk; return columns of rows to emit, ``ids`` among them."""

    def state(self) -> Iterator[dict[str, Any]]:
        """Return the columns of state rows to emit at the end of a task."""


@dataclass
class ClassSums:
    """Pass 1: examples and summed self-confidence by class; the rejected rows.

    Attributes
    ----------
    num_classes : int
    with_columns : bool
        Whether to sum whole columns, too (for ``prior_shifted_self_confidence``).
    """

    columns: ClassVar[tuple[tuple[str, str], ...]] = (
        ("class", "int"),  # -1: totals of the task
        ("examples", "bigint"),
        ("sum_high", "bigint"),
        ("sum_low", "bigint"),
        ("column_high", "bigint"),
        ("column_low", "bigint"),
        ("clipped", "bigint"),
        ("surely", "bigint"),
        ("percentages", "bigint"),
        ("lowest", "double"),
        ("highest", "double"),
        ("given_label", "string"),
        ("reason", "string"),
        ("detail", "string"),
    )

    num_classes: int
    with_columns: bool = False
    _rows: int = 0
    _clipped: int = 0
    _surely: int = 0
    _percentages: int = 0
    _range: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._examples = np.zeros(self.num_classes, np.int64)
        self._sums = [0] * self.num_classes
        self._columns = [0] * self.num_classes

    def update(
        self, rows: int, admitted: Admitted, rejected: Rejected | None
    ) -> dict[str, Any] | None:
        """Add a chunk."""
        self._rows += rows
        self._clipped += admitted.clipped
        given = admitted.given
        self._examples += np.bincount(given, minlength=self.num_classes)
        own = self_confidence(given, admitted.pred_probs)
        self._surely += int((own > SURE).sum())
        sums = sum_by_class(given, own, self.num_classes)
        self._sums = [a + int(b) for a, b in zip(self._sums, sums, strict=True)]
        if self.with_columns:
            sums = sum_columns(admitted.pred_probs)
            self._columns = [a + int(b) for a, b in zip(self._columns, sums, strict=True)]
        if rejected is None:
            return None
        self._percentages += rejected.percentages
        if rejected.lowest == rejected.lowest:  # not NaN
            seen = [*self._range, rejected.lowest, rejected.highest]
            self._range = [min(seen), max(seen)]
        return {
            "ids": rejected.ids,
            "given_label": rejected.label,
            "reason": rejected.reason,
            "detail": rejected.detail,
        }

    def state(self) -> Iterator[dict[str, Any]]:
        """Emit a row for each class that was seen, and one of totals."""
        seen = [k for k in range(self.num_classes) if self._examples[k] or self._columns[k]]
        sums = [split_limbs(self._sums[k]) for k in seen]
        columns = [split_limbs(self._columns[k]) for k in seen]
        yield {
            "class": [*seen, -1],
            "examples": [*(int(self._examples[k]) for k in seen), self._rows],
            "sum_high": [*(high for high, _ in sums), 0],
            "sum_low": [*(low for _, low in sums), 0],
            "column_high": [*(high for high, _ in columns), 0],
            "column_low": [*(low for _, low in columns), 0],
            "clipped": [*(0 for _ in seen), self._clipped],
            "surely": [*(0 for _ in seen), self._surely],
            "percentages": [*(0 for _ in seen), self._percentages],
            "lowest": [*(None for _ in seen), self._range[0] if self._range else None],
            "highest": [*(None for _ in seen), self._range[1] if self._range else None],
        }


def highest_low_confidence(num_classes: int, row_sum_tolerance: float) -> float:
    """Largest self-confidence of a row that any filter could flag: a half, and some tolerance.

    Above it, whatever clipping and the row sum's tolerance leave, every other class is less
    probable by more than the margin at which the model agrees with the given label.

    Parameters
    ----------
    num_classes : int
        K.
    row_sum_tolerance : float

    Returns
    -------
    float
    """
    return (1.0 + row_sum_tolerance + num_classes * 1e-6) / 2.0 + 2e-6


@dataclass
class ConfidentCounts:
    """Pass 2: the confident joint; the rows that any filter could flag, as a few numbers each.

    A row whose self-confidence exceeds a half has its given label as argmax: no filter flags it,
    and no quota reaches it before all others. Only the rest, the *low rows*, are emitted.

    Attributes
    ----------
    thresholds : ndarray of float64, shape (K,)
    collision : str
    row_sum_tolerance : float
    score : str or None
        A score to compute here, from the whole row of probabilities.
    adjusted : bool
        Whether on adjusted probabilities.
    """

    columns: ClassVar[tuple[tuple[str, str], ...]] = (
        ("given", "int"),
        ("true", "int"),  # state only
        ("confident", "bigint"),  # state only
        ("predictions", "bigint"),  # state only: by argmax
        ("own", "double"),
        ("other", "int"),
        ("other_probability", "double"),
        ("second", "int"),
        ("second_probability", "double"),
        ("predicted", "int"),
        ("outcome", "int"),
        ("agrees", "boolean"),
        ("quality", "double"),
    )

    thresholds: NDArray[np.float64]
    collision: str
    row_sum_tolerance: float
    score: str | None = None
    adjusted: bool = False

    def __post_init__(self) -> None:
        size = len(self.thresholds)
        self._confident = np.zeros((size, size), np.int64)
        self._predicted = np.zeros((size, size), np.int64)
        self._highest = highest_low_confidence(size, self.row_sum_tolerance)

    def update(
        self,
        rows: int,  # noqa: ARG002 (the protocol's)
        admitted: Admitted,
        rejected: Rejected | None,  # noqa: ARG002
    ) -> dict[str, Any] | None:
        """Count a chunk and return its low rows."""
        size = len(self.thresholds)
        given, pred_probs = admitted.given, admitted.pred_probs
        outcome = confident_classes(pred_probs, self.thresholds, collision=self.collision)
        add_pairs(self._confident, given, outcome)
        own = self_confidence(given, pred_probs)
        low = np.flatnonzero(own <= self._highest)
        high = np.bincount(given, minlength=size) - np.bincount(given[low], minlength=size)
        self._predicted[np.diag_indices(size)] += high
        if not len(low):
            return None
        given, own, outcome = given[low], own[low], outcome[low]
        pred_probs = pred_probs[low]
        other, other_probability = best_other(given, pred_probs)
        predicted = predicted_classes(given, own, other, other_probability)
        add_pairs(self._predicted, given, predicted)
        second, second_probability = _second_other(given, other, pred_probs)
        quality = None
        if self.score is not None:
            quality = label_quality(
                given,
                pred_probs,
                method=self.score,
                adjusted=self.adjusted,
                inputs=ScoreInputs(self.thresholds),
            )
        position = pa.array(low)
        return {
            "ids": [column.take(position) for column in admitted.ids],
            "given": given,
            "own": own,
            "other": other,
            "other_probability": other_probability,
            "second": second,
            "second_probability": second_probability,
            "predicted": predicted,
            "outcome": outcome,
            "agrees": agrees(given, own, other, other_probability),
            "quality": quality,
        }

    def state(self) -> Iterator[dict[str, Any]]:
        """Emit a row for each pair of classes that was seen."""
        given, true = np.nonzero(self._confident + self._predicted)
        if len(given):
            yield {
                "given": given,
                "true": true,
                "confident": self._confident[given, true],
                "predictions": self._predicted[given, true],
            }


def _second_other(
    given: NDArray[np.int64], other: NDArray[np.int64], pred_probs: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Find the next most probable class; with K = 2 there is none (-1, probability -1)."""
    rest = pred_probs.copy()
    np.put_along_axis(rest, given[:, None], -1.0, axis=1)
    np.put_along_axis(rest, other[:, None], -1.0, axis=1)
    second = rest.argmax(axis=1)
    probability = np.take_along_axis(rest, second[:, None], axis=1)[:, 0]
    return np.where(probability >= 0.0, second, -1), probability


@dataclass
class PairMargins:
    """Pass 3: for quotas of pairs, the rows that may be among the largest margins of a pair.

    Attributes
    ----------
    lowest_margins : ndarray of float64, shape (K, K), or None
        Emit (row given i, j) where p_j - p_i reaches entry (i, j); infinity where nothing is to be
        pruned.
    prior_shift : ndarray of float64, shape (K,), or None
        Score low rows by ``prior_shifted_self_confidence``, too.
    highest_own : float
        Largest self-confidence of a row to score.
    """

    columns: ClassVar[tuple[tuple[str, str], ...]] = (
        ("given", "int"),
        ("true", "int"),
        ("margin", "double"),
        ("quality", "double"),
    )

    lowest_margins: NDArray[np.float64] | None
    prior_shift: NDArray[np.float64] | None = None
    highest_own: float = 1.0

    def update(
        self,
        rows: int,  # noqa: ARG002 (the protocol's)
        admitted: Admitted,
        rejected: Rejected | None,  # noqa: ARG002
    ) -> dict[str, Any] | None:
        """Return the entries of a chunk that reach their pair's bound, and its scores."""
        given, pred_probs = admitted.given, admitted.pred_probs
        own = self_confidence(given, pred_probs)
        parts: list[tuple[int, NDArray[Any], NDArray[Any], Any, Any]] = []
        if self.lowest_margins is not None:
            margins = pred_probs - own[:, None]
            row, true = np.nonzero(margins >= self.lowest_margins[given])
            parts.append((ROW, row, true, margins[row, true], None))
        if self.prior_shift is not None:
            row = np.flatnonzero(own <= self.highest_own)
            quality = label_quality(
                given[row],
                pred_probs[row],
                method="prior_shifted_self_confidence",
                inputs=ScoreInputs(prior_shift=self.prior_shift),
            )
            parts.append((SCORE, row, np.full(len(row), -1), None, quality))
        rows_of = np.concatenate([part[1] for part in parts])
        if not len(rows_of):
            return None
        position = pa.array(rows_of)
        return {
            KIND: np.concatenate([np.full(len(part[1]), part[0], np.int8) for part in parts]),
            "ids": [column.take(position) for column in admitted.ids],
            "given": given[rows_of],
            "true": np.concatenate([part[2] for part in parts]),
            "margin": _with_nulls([(part[3], len(part[1])) for part in parts]),
            "quality": _with_nulls([(part[4], len(part[1])) for part in parts]),
        }

    def state(self) -> Iterator[dict[str, Any]]:
        """Emit nothing: this pass only emits rows."""
        return iter(())


def _with_nulls(parts: list[tuple[NDArray[np.float64] | None, int]]) -> pa.Array:
    return pa.concat_arrays(
        [pa.nulls(n, pa.float64()) if v is None else pa.array(v, pa.float64()) for v, n in parts]
    )
