"""What functions of columns compute in tasks: each row by itself, admitted as an audit admits it.

Runs on executors: numpy and pyarrow only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sparkclean.confident.filters import Selection
from sparkclean.confident.joint import confident_classes
from sparkclean.confident.scores import label_quality
from sparkclean.errors import InputError
from sparkclean.examples.batches import LABEL, PROBS, Admitted, BatchReader
from sparkclean.rows.emitted import ID_PREFIX
from sparkclean.rows.types import VECTOR


@dataclass(frozen=True)
class RowReader:
    """Reads labels and probabilities, and leaves out the rows that an audit would reject.

    Attributes
    ----------
    classes : tuple or None
        The K labels in the order of the probabilities. None: the integers 0..K-1, or false and
        true, where K is the length of the row's own probabilities.
    row_sum_tolerance : float
        Largest accepted distance of a row's sum from 1.
    """

    classes: tuple[Any, ...] | None
    row_sum_tolerance: float

    def read(self, labels: pa.Array | None, probs: Any) -> Iterator[Admitted]:
        """Read the valid rows, a bounded number at a time.

        Parameters
        ----------
        labels : pyarrow.Array or None
            None: no label counts.
        probs : sequence of ndarray or None, or DataFrame of vectors
            As Spark hands a column over.

        Yields
        ------
        Admitted
            Its record id is the position of the row.

        Raises
        ------
        InputError
            If labels are of a type that no class has.
        """
        if labels is not None and pa.types.is_null(labels.type):
            return
        lists = list_array(_vectors(probs) if hasattr(probs, "columns") else probs)
        lengths = pc.list_value_length(lists).fill_null(0).to_numpy(zero_copy_only=False)
        sizes = [len(self.classes)] if self.classes else np.unique(lengths[lengths > 1]).tolist()
        for size in sizes:
            classes = self.classes or self._default_classes(labels, size)
            # rows of another length are rejected where classes are given, and read in turn if not
            rows = np.arange(len(lists)) if self.classes else np.flatnonzero(lengths == size)
            if classes is None or not len(rows):
                continue
            first = pa.array([classes[0]] * len(rows))
            given = first if labels is None else labels.take(pa.array(rows))
            _check_type(given, classes)
            columns = {
                f"{ID_PREFIX}0": pa.array(rows),
                LABEL: given,
                PROBS: lists.take(pa.array(rows)),
            }
            reader = BatchReader(1, classes, "array", self.row_sum_tolerance)
            batch = pa.RecordBatch.from_pydict(columns)
            yield from (admitted for admitted, _ in reader.chunks([batch]))

    @staticmethod
    def _default_classes(labels: pa.Array | None, size: int) -> tuple[Any, ...] | None:
        if labels is None or not pa.types.is_boolean(labels.type):
            return tuple(range(size))
        return (False, True) if size == 2 else None


def _check_type(labels: pa.Array, classes: tuple[Any, ...]) -> None:
    """Refuse labels that would never be, or only seem to be, one of the classes."""
    kind, found = labels.type, str(labels.type)
    # integers beside nulls come as floating numbers
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        found = "int"
    elif pa.types.is_boolean(kind):
        found = "bool"
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        found = "str"
    wanted = type(classes[0]).__name__
    if found != wanted:
        raise InputError(
            f"label: its values are {found}, but the classes are {wanted}; give classes=[...], the "
            "labels in the order of the probabilities, in the type of the label column"
        )


def list_array(probs: Sequence[NDArray[Any] | None]) -> pa.ListArray:
    """Put arrays of numbers together.

    Parameters
    ----------
    probs : sequence of ndarray or None

    Returns
    -------
    pyarrow.ListArray
        Of float32 where all are, else of float64; null where a row is None.
    """
    there = [row for row in probs if row is not None]
    null = np.array([row is None for row in probs], np.bool_)
    lengths = np.zeros(len(null), np.int64)
    lengths[~null] = [len(row) for row in there]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    # a null offset makes its row null
    marked = pa.array(offsets, mask=np.append(null, False))
    values = np.concatenate(there) if there else np.zeros(0)
    if values.dtype not in (np.float32, np.float64):  # decimals, integers
        values = values.astype(np.float64)
    return pa.ListArray.from_arrays(marked, pa.array(values))


def _vectors(frame: Any) -> list[NDArray[np.float64] | None]:
    """Read dense and sparse vectors of Spark ML."""
    if tuple(frame.columns) != VECTOR:
        raise InputError(
            "probs: a struct holds no probabilities; give an array of numbers, a vector of Spark "
            "ML, or a list of K columns"
        )
    found: list[NDArray[np.float64] | None] = []
    for values, indices, size in zip(frame["values"], frame["indices"], frame["size"], strict=True):
        if values is None:
            found.append(None)
        elif indices is None:
            found.append(np.asarray(values, np.float64))
        else:
            row = np.zeros(int(size))
            row[np.asarray(indices, np.int64)] = values
            found.append(row)
    return found


@dataclass(frozen=True)
class ScoreRows:
    """Computes a label quality score.

    Attributes
    ----------
    reader : RowReader
    method : str
        One of `sparkclean.schema.SCORES` that needs no more than the row.
    """

    reader: RowReader
    method: str

    def __call__(self, labels: pa.Array, probs: Any) -> NDArray[np.float64]:
        """Score rows; NaN where a row cannot be audited."""
        scores = np.full(len(labels), np.nan)
        for rows in self.reader.read(labels, probs):
            pred_probs = rows.pred_probs.astype(np.float64, copy=False)
            scores[_places(rows)] = label_quality(rows.given, pred_probs, method=self.method)
        return scores


@dataclass(frozen=True)
class PredictRows:
    """Finds the most probable class, the first on a tie.

    Attributes
    ----------
    reader : RowReader
    """

    reader: RowReader

    def __call__(self, labels: pa.Array | None, probs: Any) -> NDArray[np.object_]:
        """Give labels; None where a row cannot be audited."""
        found = np.full(len(probs), None, np.object_)
        for rows in self.reader.read(labels, probs):
            predicted = rows.pred_probs.argmax(axis=1)
            found[_places(rows)] = labels_of(self.reader.classes, predicted)
        return found


@dataclass(frozen=True)
class FindIssues:
    """Tells which rows are confidently of another class, by thresholds that are known.

    Attributes
    ----------
    reader : RowReader
        With classes.
    thresholds : ndarray of float64, shape (K,)
    collision : {"cleanlab-2.9", "paper"}
        Rule for a row that is confident in several classes.
    """

    reader: RowReader
    thresholds: NDArray[np.float64]
    collision: Literal["cleanlab-2.9", "paper"]

    def __call__(self, labels: pa.Array, probs: Any) -> dict[str, NDArray[np.object_]]:
        """Give the columns of a struct; None where a row cannot be audited.

        Notes
        -----
        ``confident_label`` is None, too, where no class is confident.
        """
        names = ("is_label_issue", "confident_label", "suggested_label")
        found = {name: np.full(len(labels), None, np.object_) for name in names}
        quotas = np.zeros((len(self.thresholds),) * 2, np.int64)
        for rows in self.reader.read(labels, probs):
            pred_probs = rows.pred_probs.astype(np.float64, copy=False)
            outcomes = confident_classes(pred_probs, self.thresholds, collision=self.collision)
            selection = Selection(rows.given, pred_probs, outcomes, quotas)
            places, classes = _places(rows), self.reader.classes
            found["is_label_issue"][places] = selection.select("confident_learning")
            found["confident_label"][places] = labels_of(classes, outcomes)
            predicted = pred_probs.argmax(axis=1)
            found["suggested_label"][places] = labels_of(classes, predicted)
        return found


def _places(rows: Admitted) -> NDArray[np.int64]:
    places: NDArray[np.int64] = rows.ids[0].to_numpy()
    return places


def labels_of(classes: tuple[Any, ...] | None, index: NDArray[np.int64]) -> NDArray[np.object_]:
    """Turn class indices into labels.

    Parameters
    ----------
    classes : tuple or None
        None: the integers themselves.
    index : ndarray of int64, shape (N,)

    Returns
    -------
    ndarray of object, shape (N,)
        None for indices below 0.
    """
    if classes is None:
        return index.astype(np.object_)
    known = np.empty(len(classes) + 1, np.object_)
    known[:-1] = classes
    known[-1] = None
    return known[np.where(index < 0, len(classes), index)]
