"""Which sources, annotators, files or windows have more disagreements than the others explain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sparkclean.noise.diagnosis.chances import Excess, Floats, Integers, calm, excess, least
from sparkclean.noise.diagnosis.counts import SubjectCounts
from sparkclean.noise.diagnosis.limits import Limits
from sparkclean.numbers.false_discovery import adjust_p_values

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
    counts: SubjectCounts, num_classes: int, limits: Limits, *, data: SubjectSigns | None = None
) -> SubjectSigns:
    """Compare each subject with all others of its kind.

    Parameters
    ----------
    counts : SubjectCounts
    num_classes : int
        K.
    limits : Limits
    data : SubjectSigns, optional
        Of the data, where the counts are a replicate of them: it has no intervals.

    Returns
    -------
    SubjectSigns
    """
    # what the model expects may hang on few rows, and rows of one subject may be harder than those
    # of others: an excess must show beside both
    rest = counts.observed.sum() - counts.observed
    beyond = np.maximum(counts.expected.sum() - counts.expected, 0.0)
    expected = [(counts.expected, beyond), (counts.rows, counts.rows.sum() - counts.rows)]
    whole = _least(counts.observed, rest, expected, with_intervals=data is None)
    expected = [
        (counts.cell_expected, counts.rest_expected),
        (counts.cell_rows, counts.rest_rows),
    ]
    observed, rest = counts.cell_observed, counts.rest_observed
    cells = _least(observed, rest, expected, with_intervals=data is None)
    size = len(counts.names)
    tests = size * (1 + num_classes * (num_classes - 1))
    known = None
    if data is not None:
        known = np.concatenate([data.is_marked, data.cell_is_marked])
    q = adjust_p_values(calm(np.concatenate([whole.p, cells.p]), known), tests)
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


def _least(
    observed: Integers,
    rest: Integers,
    expected: Sequence[tuple[NDArray[Any], NDArray[Any]]],
    *,
    with_intervals: bool,
) -> Excess:
    """Measure the excess beside each of two expectations; give the smaller one."""
    one, other = (
        excess(
            observed,
            of.astype(np.float64),
            rest,
            of_rest.astype(np.float64),
            with_intervals=with_intervals,
        )
        for of, of_rest in expected
    )
    return least(one, other)


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
