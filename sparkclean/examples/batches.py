"""From Arrow batches to class indices and probabilities, row by row admitted or rejected.

Runs on executors: numpy and pyarrow only.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sparkclean.confident.admission import NOT_FINITE, OUT_OF_RANGE, ROW_SUM, admit
from sparkclean.confident.scores import self_confidence
from sparkclean.rows.emitted import ID_PREFIX
from sparkclean.schema import REJECTION_REASONS

#: Names of the columns that a scan hands over; record ids are ``ID_PREFIX`` + their position.
LABEL = "__label"
PROBS = "__probs"
PROBS_PREFIX = "__prob_"

_REASON = {name: code for code, name in enumerate(REJECTION_REASONS)}
_ADMITTED = -1
_FROM_VERDICT = {
    NOT_FINITE: _REASON["pred_probs_not_finite"],
    OUT_OF_RANGE: _REASON["pred_probs_out_of_range"],
    ROW_SUM: _REASON["pred_probs_row_sum"],
}
# 8 MB of float64 at once: temporaries stay small whatever K is, and Arrow, which rounds buffers up
# to a power of two, wastes none.
_CHUNK_VALUES = 1 << 20
_CHUNK_ROWS = 1 << 17


@dataclass(frozen=True)
class Admitted:
    """The valid rows of a chunk.

    Attributes
    ----------
    ids : list of pyarrow.Array
        Record id columns.
    given : ndarray of int64, shape (N,)
    pred_probs : ndarray of float32 or float64, shape (N, K)
        As they came: every float32 is a float64.
    clipped : int
        Rows in which a value was clipped to [0, 1].
    """

    ids: list[pa.Array]
    given: NDArray[np.int64]
    pred_probs: NDArray[np.floating]
    clipped: int

    @cached_property
    def own(self) -> NDArray[np.float64]:
        """Self-confidence."""
        return self_confidence(self.given, self.pred_probs)


@dataclass(frozen=True)
class Rejected:
    """The invalid rows of a chunk.

    Attributes
    ----------
    ids : list of pyarrow.Array
    label : pyarrow.StringArray
        The given label as text.
    reason, detail : pyarrow.StringArray
    lowest, highest : ndarray of float64
        Range of the finite values of each row; NaN without any.
    percentages : int
        Rows whose values sum to 100, within 1.
    """

    ids: list[pa.Array]
    label: pa.Array
    reason: pa.Array
    detail: pa.Array
    lowest: NDArray[np.float64]
    highest: NDArray[np.float64]
    percentages: int

    def to_json(self) -> list[str]:
        """Write each row down but for its ids."""
        rows = zip(
            self.label.to_pylist(),
            self.reason.to_pylist(),
            self.detail.to_pylist(),
            pa.array(self.lowest, from_pandas=True).to_pylist(),  # NaN is null
            pa.array(self.highest, from_pandas=True).to_pylist(),
            strict=True,
        )
        names = ("given_label", "reason", "detail", "lowest", "highest")
        return [json.dumps(dict(zip(names, row, strict=True))) for row in rows]


@dataclass(frozen=True)
class BatchReader:
    """How to read the columns of a scan.

    Attributes
    ----------
    num_ids : int
        Number of record id columns.
    classes : tuple
        The K labels, in the order of the probabilities.
    layout : {"array", "columns", "map", "top_k"}
        How the probabilities arrive: one list column, K columns, a map from label to probability,
        or a list of (label, probability).
    row_sum_tolerance : float
    """

    num_ids: int
    classes: tuple[Any, ...]
    layout: Literal["array", "columns", "map", "top_k"]
    row_sum_tolerance: float

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.classes)

    @property
    def chunk_rows(self) -> int:
        """Rows that are worked on at once."""
        return max(1, min(_CHUNK_ROWS, _CHUNK_VALUES // self.num_classes))

    def chunks(
        self, batches: Iterable[pa.RecordBatch]
    ) -> Iterator[tuple[Admitted, Rejected | None]]:
        """Read batches, a bounded number of rows at a time.

        Parameters
        ----------
        batches : iterable of pyarrow.RecordBatch

        Yields
        ------
        admitted : Admitted
        rejected : Rejected or None
        """
        for batch in batches:
            for start in range(0, batch.num_rows, self.chunk_rows):
                yield self.read(batch.slice(start, self.chunk_rows))

    def read(self, batch: pa.RecordBatch) -> tuple[Admitted, Rejected | None]:
        """Admit or reject each row of a batch.

        Parameters
        ----------
        batch : pyarrow.RecordBatch

        Returns
        -------
        admitted : Admitted
        rejected : Rejected or None
            None where all rows are valid.
        """
        ids = [batch.column(f"{ID_PREFIX}{i}") for i in range(self.num_ids)]
        label = batch.column(LABEL)
        reasons = np.full(batch.num_rows, _ADMITTED, np.int8)
        given = class_index(label, self.classes)
        matrix, lengths, reasons_of_probs, strange = self._matrix(batch)
        admission = admit(
            matrix,
            row_sum_tolerance=self.row_sum_tolerance,
            at_most_one=self.layout in ("map", "top_k"),
        )
        # the first reason that applies wins: written last
        for verdict, code in _FROM_VERDICT.items():
            reasons[admission.verdicts == verdict] = code
        special = reasons_of_probs != _ADMITTED
        reasons[special] = reasons_of_probs[special]
        reasons[given < 0] = _REASON["label_not_in_classes"]
        reasons[_null_mask(label)] = _REASON["label_null"]
        for column in ids:
            reasons[_null_mask(column)] = _REASON["record_id_null"]
        valid = reasons == _ADMITTED
        if valid.all():
            return Admitted(ids, given, admission.pred_probs, admission.clipped), None
        keep = pa.array(valid)
        clipped = (matrix != admission.pred_probs).any(axis=1) if admission.clipped else ~valid
        admitted = Admitted(
            [column.filter(keep) for column in ids],
            given[valid],
            np.ascontiguousarray(admission.pred_probs[valid]),
            int((clipped & valid).sum()),
        )
        return admitted, self._rejected(ids, label, reasons, ~valid, matrix, lengths, strange)

    def _matrix(
        self, batch: pa.RecordBatch
    ) -> tuple[NDArray[np.floating], NDArray[np.int64], NDArray[np.int8], dict[int, str]]:
        """Read probabilities as a matrix; unreadable rows are harmless and have a reason.

        The last part of the answer says which labels of a map do not fit, by row.
        """
        count, num_classes = batch.num_rows, self.num_classes
        reasons = np.full(count, _ADMITTED, np.int8)
        if self.layout == "columns":
            columns = [batch.column(f"{PROBS_PREFIX}{k}") for k in range(num_classes)]
            matrix = np.empty((count, num_classes))
            for k, column in enumerate(columns):
                matrix[:, k] = _to_float64(column)
            missing = np.logical_and.reduce([_null_mask(column) for column in columns])
            reasons[missing] = _REASON["pred_probs_null"]
            return matrix, np.full(count, num_classes), reasons, {}
        column = batch.column(PROBS)
        null = _null_mask(column)
        lengths = _lengths(column, null)
        reasons[null] = _REASON["pred_probs_null"]
        if self.layout in ("map", "top_k"):
            matrix, strange = self._scatter(column, lengths, reasons)
            reasons[lengths == 0] = _REASON["pred_probs_null"]
            return matrix, lengths, reasons, strange
        wrong = (lengths != num_classes) & ~null
        reasons[wrong] = _REASON["pred_probs_wrong_length"]
        readable = ~(null | wrong)
        if readable.all():
            return _to_floats(column.flatten()).reshape(count, num_classes), lengths, reasons, {}
        matrix = np.zeros((count, num_classes))
        matrix[:, 0] = 1.0
        values = column.filter(pa.array(readable)).flatten()
        matrix[readable] = _to_float64(values).reshape(-1, num_classes)
        return matrix, lengths, reasons, {}

    def _scatter(
        self, column: pa.Array, lengths: NDArray[np.int64], reasons: NDArray[np.int8]
    ) -> tuple[NDArray[np.float64], dict[int, str]]:
        """Spread (label, probability) entries over the classes; what is missing is 0."""
        if pa.types.is_map(column.type):
            first, last = column.offsets[0].as_py(), column.offsets[-1].as_py()
            length = last - first
            labels, values = column.keys.slice(first, length), column.items.slice(first, length)
        else:
            entries = column.flatten()
            labels, values = entries.flatten()[:2]
        rows = np.repeat(np.arange(len(lengths)), np.maximum(lengths, 0))
        classes = class_index(labels, self.classes)
        matrix = np.zeros((len(lengths), self.num_classes))
        known = classes >= 0
        matrix[rows[known], classes[known]] = _to_float64(values)[known]
        # a label outside the classes, or the same label twice, means another set of classes
        codes, counts = np.unique(
            rows[known] * self.num_classes + classes[known], return_counts=True
        )
        twice = codes[counts > 1]
        strange = {
            int(code // self.num_classes): f"{self.classes[code % self.num_classes]!r} stands twice"
            for code in twice
        }
        unknown = np.flatnonzero(~known)
        of_rows, first = np.unique(rows[unknown], return_index=True)
        for row, position in zip(of_rows.tolist(), unknown[first].tolist(), strict=True):
            strange[row] = f"{labels[position].as_py()!r} is not among the classes"
        broken = np.array(list(strange), np.int64)
        reasons[broken] = _REASON["pred_probs_wrong_length"]
        matrix[broken] = 0.0
        return matrix, strange

    def _rejected(  # noqa: PLR0917 (called once, by place)
        self,
        ids: list[pa.Array],
        label: pa.Array,
        reasons: NDArray[np.int8],
        mask: NDArray[np.bool_],
        matrix: NDArray[np.floating],
        lengths: NDArray[np.int64],
        strange: dict[int, str],
    ) -> Rejected:
        keep = pa.array(mask)
        codes, rows = reasons[mask], matrix[mask].astype(np.float64)
        numeric = codes >= _REASON["pred_probs_not_finite"]
        with np.errstate(invalid="ignore", over="ignore"):
            sums = rows.sum(axis=1)
            lows, highs = rows.min(axis=1), rows.max(axis=1)
        detail = np.full(len(codes), "", object)
        wrong = codes == _REASON["pred_probs_wrong_length"]
        detail[wrong] = [
            strange.get(row) or f"{lengths[row]} entries for {self.num_classes} classes"
            for row in np.flatnonzero(mask)[wrong].tolist()
        ]
        detail[numeric] = [
            f"sum {s:.6g}, values from {low:.6g} to {high:.6g}"
            for s, low, high in zip(sums[numeric], lows[numeric], highs[numeric], strict=True)
        ]
        finite = np.isfinite(rows) & numeric[:, None]
        return Rejected(
            ids=[column.filter(keep) for column in ids],
            label=label.filter(keep).cast(pa.string()),
            reason=pa.array([REJECTION_REASONS[code] for code in codes], pa.string()),
            detail=pa.array(detail, pa.string()),
            lowest=_or_nan(np.where(finite, rows, np.inf).min(axis=1)),
            highest=_or_nan(np.where(finite, rows, -np.inf).max(axis=1)),
            percentages=int((np.abs(sums[numeric] - 100.0) < 1.0).sum()),
        )


def _or_nan(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isfinite(values), values, np.nan)


def class_index(values: pa.Array, classes: tuple[Any, ...]) -> NDArray[np.int64]:
    """Find the position of each label among the classes.

    Parameters
    ----------
    values : pyarrow.Array
        Labels.
    classes : tuple
        The K labels.

    Returns
    -------
    ndarray of int64, shape (N,)
        -1 for null and for strangers.
    """
    if pa.types.is_integer(values.type):
        values = values.cast(pa.int64())
    elif pa.types.is_floating(values.type):
        values = values.cast(pa.float64())
    elif pa.types.is_boolean(values.type):
        values = values.cast(pa.int8())
    if classes and isinstance(classes[0], bool):
        classes = tuple(int(c) for c in classes)
    try:
        known = pa.array(classes).cast(values.type)
    except pa.ArrowInvalid:
        return np.full(len(values), -1)
    found = pc.index_in(values, value_set=known)
    index: NDArray[np.int64] = found.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return index


def _null_mask(column: pa.Array) -> NDArray[np.bool_]:
    if column.null_count == 0:
        return np.zeros(len(column), np.bool_)
    mask: NDArray[np.bool_] = column.is_null().to_numpy(zero_copy_only=False)
    return mask


def _lengths(column: pa.Array, null: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Entries of each row; 0 where the row is null."""
    if pa.types.is_map(column.type):
        lengths = np.diff(column.offsets.to_numpy())
    else:
        lengths = pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False)
    return np.where(null, 0, lengths).astype(np.int64)


def _to_floats(values: pa.Array) -> NDArray[np.floating]:
    """Take float32 and float64 as they are, anything else as float64; a null becomes NaN."""
    if not (pa.types.is_float32(values.type) or pa.types.is_float64(values.type)):
        values = values.cast(pa.float64(), safe=False)
    floats: NDArray[np.floating] = values.to_numpy(zero_copy_only=False)
    return floats


def _to_float64(values: pa.Array) -> NDArray[np.float64]:
    """Widen to float64; a null becomes NaN."""
    return _to_floats(values).astype(np.float64, copy=False)
