"""The counts from which a diagnosis is made. Numpy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: Lags at which given labels are compared with predicted ones of other rows of the file.
LAGS = (-3, -2, -1, 0, 1, 2, 3)
#: Distances of rows that may have exchanged their labels, and those that stand for chance.
NEAR, FAR = (1, 2, 3), (4, 5, 6)
DISTANCES = (*NEAR, *FAR)


@dataclass(frozen=True)
class ShapeCounts:
    """Rows by tier of confidence, half, given and predicted class: nonzero cells alone.

    Attributes
    ----------
    num_classes : int
        K.
    tier, half, given, predicted, count : ndarray of int64, shape (C,)
        Half is 0 or 1, by a hash of the record id.
    """

    num_classes: int
    tier: Integers
    half: Integers
    given: Integers
    predicted: Integers
    count: Integers

    @property
    def rows(self) -> int:
        """N."""
        return int(self.count.sum())


@dataclass(frozen=True)
class SubjectCounts:
    """Disagreements of the subjects of one kind: sources, annotators, files, windows of time.

    Attributes
    ----------
    kind : str
        Name of the hypothesis.
    names : tuple of str
        The S subjects.
    rows, observed : ndarray of int64, shape (S,)
        Rows; rows whose given label is not the predicted one.
    expected : ndarray of float64, shape (S,)
        Disagreements that the model expects: the sum of 1 - p(predicted).
    subject, given, predicted : ndarray of int64, shape (C,)
        Cells: subject and classes.
    cell_observed : ndarray of int64, shape (C,)
    cell_expected : ndarray of float64, shape (C,)
        Sum of p(given) of the subject's rows with this predicted class.
    rest_observed, rest_expected : ndarray, shape (C,)
        The same of all other subjects.
    cell_rows, rest_rows : ndarray of int64, shape (C,)
        Rows with this predicted class, of the subject and of all others.
    """

    kind: str
    names: tuple[str, ...]
    rows: Integers
    observed: Integers
    expected: Floats
    subject: Integers
    given: Integers
    predicted: Integers
    cell_observed: Integers
    cell_expected: Floats
    rest_observed: Integers
    rest_expected: Floats
    cell_rows: Integers
    rest_rows: Integers


@dataclass(frozen=True)
class NeighbourCounts:
    """How given labels agree with predicted labels of neighbouring rows, by file.

    Attributes
    ----------
    names : tuple of str
        The F files.
    rows, disagreements : ndarray of int64, shape (F,)
    compared, agreeing : ndarray of int64, shape (F, 7)
        Rows that have a row at each lag of `LAGS`; those whose given label is predicted there.
    exchanged : ndarray of int64, shape (F, 6)
        Pairs of rows at each distance of `DISTANCES`, both of which disagree, and each of which
        has the label that is predicted for the other.
    kind : str
        Kind of subject that orders the rows: ``file``, or ``source`` where no file is named.
    """

    names: tuple[str, ...]
    rows: Integers
    disagreements: Integers
    compared: Integers
    agreeing: Integers
    exchanged: Integers
    kind: str = "file"


@dataclass(frozen=True)
class Counts:
    """All that a diagnosis goes by.

    Attributes
    ----------
    shape : ShapeCounts
    subjects : tuple of SubjectCounts
    neighbours : NeighbourCounts or None
    """

    shape: ShapeCounts
    subjects: tuple[SubjectCounts, ...] = ()
    neighbours: NeighbourCounts | None = None
