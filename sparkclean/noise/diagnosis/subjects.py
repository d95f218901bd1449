"""Which sources, annotators, files or windows have more disagreements than the others explain."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sparkclean.noise.diagnosis.chances import Excess, Floats, Integers, adjust, excess
from sparkclean.noise.diagnosis.counts import SubjectCounts
from sparkclean.noise.diagnosis.limits import Limits

Bools = NDArray[np.bool_]


class SubjectSigns(NamedTuple):
    """What the subjects of one kind show.

    Attributes
    ----------
    counts : SubjectCounts
    whole, cells : Excess
        Of subjects, and of cells (subject, given, predicted).
    whole_q, cell_q : ndarray of float64
        Adjusted p.
    is_marked, cell_is_marked : ndarray of bool
        Excess that is large, and survives the control.
    errors : ndarray of float64, shape (S,)
        Disagreements that are attributed to each subject.
    top_cell : ndarray of int64, shape (S,)
        Its marked cell of most errors, -1 without one.
    top_share : ndarray of float64, shape (S,)
        Share of its attributed errors in that cell.
    is_swapped : ndarray of bool, shape (S,)
        Whether most of the labels of two classes stand for each other.
    """

    counts: SubjectCounts
    whole: Excess
    cells: Excess
    whole_q: Floats
    cell_q: Floats
    is_marked: Bools
    cell_is_marked: Bools
    errors: Floats
    top_cell: Integers
    top_share: Floats
    is_swapped: Bools

    @property
    def attributed(self) -> float:
        """Disagreements that are attributed to all marked subjects."""
        return float(self.errors.sum())

    def share_of(self, of: Bools) -> float:
        """Give the share of the attributed errors that some subjects have."""
        return float(self.errors[of].sum()) / max(self.attributed, 1e-9)

    def is_adversarial(self, limits: Limits) -> Bools:
        """Tell which subjects have most of their errors in one cell."""
        one_way = self.top_share > limits.one_cell
        found: Bools = one_way & (self.errors > 0) & ~self.is_swapped
        return found


def find_subjects(
    counts: SubjectCounts, num_classes: int, limits: Limits, *, with_intervals: bool = True
) -> SubjectSigns:
    """Compare each subject with all others of its kind.

    Parameters
    ----------
    counts : SubjectCounts
    num_classes : int
        K.
    limits : Limits
    with_intervals : bool

    Returns
    -------
    SubjectSigns
    """
    total, total_expected = counts.observed.sum(), counts.expected.sum()
    whole = excess(
        counts.observed,
        counts.expected,
        total - counts.observed,
        np.maximum(total_expected - counts.expected, 0.0),
        with_intervals=with_intervals,
    )
    cells = excess(
        counts.cell_observed,
        counts.cell_expected,
        counts.rest_observed,
        counts.rest_expected,
        with_intervals=with_intervals,
    )
    size = len(counts.names)
    tests = size * (1 + num_classes * (num_classes - 1))
    q = adjust(np.concatenate([whole.p, cells.p]), tests)
    whole_q, cell_q = q[:size], q[size:]
    marked = (whole_q < limits.q) & (whole.ratio > limits.subject_ratio)
    marked &= (counts.observed >= limits.fewest) & (size > 1)
    cell_marked = (cell_q < limits.q) & (cells.ratio > limits.cell_ratio)
    cell_marked &= (counts.cell_observed >= limits.fewest) & (size > 1)
    cell_errors = np.where(cell_marked, cells.errors, 0.0)
    in_cells = np.bincount(counts.subject, cell_errors, size)
    errors = np.where(marked, np.maximum(whole.errors, in_cells), in_cells)
    top = np.full(size, -1, np.int64)
    order = np.lexsort((np.arange(len(cell_errors)), -cell_errors, counts.subject))
    order = order[cell_marked[order]]
    first = order[np.flatnonzero(np.diff(counts.subject[order], prepend=-1))]
    top[counts.subject[first]] = first
    share = np.zeros(size)
    share[counts.subject[first]] = cell_errors[first] / np.maximum(
        errors[counts.subject[first]], 1e-9
    )
    swapped = _swapped(counts, top, cell_errors, errors, limits)
    return SubjectSigns(
        counts, whole, cells, whole_q, cell_q, marked | (in_cells > 0), cell_marked,
        errors, top, share, swapped,
    )  # fmt: skip


def _swapped(
    counts: SubjectCounts, top: Integers, cell_errors: Floats, errors: Floats, limits: Limits
) -> Bools:
    """Find subjects in which two classes stand for each other."""
    found = np.zeros(len(top), bool)
    codes = np.stack([counts.subject, counts.given, counts.predicted])
    share = counts.cell_observed / np.maximum(counts.cell_rows, 1)
    for subject in np.flatnonzero(top >= 0):
        cell = int(top[subject])
        wanted = np.array([[subject], [counts.predicted[cell]], [counts.given[cell]]])
        there = np.flatnonzero((codes == wanted).all(axis=0))
        if not len(there):
            continue
        back = int(there[0])
        both = cell_errors[cell] + cell_errors[back]
        found[subject] = (
            min(share[cell], share[back]) > 0.5 and both > limits.one_cell * errors[subject]
        )
    return found
