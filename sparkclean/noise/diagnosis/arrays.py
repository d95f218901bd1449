"""The counts of a diagnosis from arrays, as the job counts them in Spark. Numpy only."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sparkclean.noise.diagnosis.buckets import confidence_buckets, tier_cutoffs, tiers
from sparkclean.noise.diagnosis.counts import (
    DISTANCES,
    LAGS,
    Counts,
    Integers,
    NeighbourCounts,
    ShapeCounts,
    SubjectCounts,
)
from sparkclean.numbers.fixed_point import ONE, to_fixed
from sparkclean.numbers.hashes import row_hashes

#: Observed disagreements below which a cell is not looked at.
FEWEST = 10


def count_arrays(
    given: Integers,
    pred_probs: NDArray[np.floating],
    *,
    subjects: Mapping[str, NDArray[np.generic]] | None = None,
    file: NDArray[np.generic] | None = None,
    hashes: Integers | None = None,
) -> Counts:
    """Count what `diagnose` needs.

    Parameters
    ----------
    given : ndarray of int64, shape (N,)
        Classes.
    pred_probs : ndarray of float, shape (N, K)
    subjects : mapping of str to ndarray, shape (N,), optional
        Subject of each row, by kind: ``source``, ``annotator``, ``file``, ``time``.
    file : ndarray, shape (N,), optional
        Of each row, where rows stand in their order within the file.
    hashes : ndarray of int64, shape (N,), optional
        Of the record ids; by default of row numbers.

    Returns
    -------
    Counts
    """
    count, num_classes = pred_probs.shape
    predicted = pred_probs.argmax(axis=1)
    highest = pred_probs[np.arange(count), predicted]
    bucket = confidence_buckets(highest)
    codes, sizes = np.unique(predicted * (1 << 20) + bucket, return_counts=True)
    cutoffs = tier_cutoffs(codes >> 20, codes & ((1 << 20) - 1), sizes, num_classes)
    half = (row_hashes(count, 0) if hashes is None else hashes) & 1
    shape = _shape(tiers(predicted, bucket, cutoffs), half, given, predicted, num_classes)
    found = tuple(
        _subjects(kind, of, given, predicted, pred_probs) for kind, of in (subjects or {}).items()
    )
    near = None if file is None else _neighbours(file, given, predicted)
    return Counts(shape, found, near)


def _shape(
    tier: Integers, half: Integers, given: Integers, predicted: Integers, num_classes: int
) -> ShapeCounts:
    code = ((tier * 2 + half) * num_classes + given) * num_classes + predicted
    codes, counts = np.unique(code, return_counts=True)
    rest, predicted = np.divmod(codes, num_classes)
    rest, given = np.divmod(rest, num_classes)
    return ShapeCounts(num_classes, rest // 2, rest % 2, given, predicted, counts)


def _subjects(
    kind: str,
    of: NDArray[np.generic],
    given: Integers,
    predicted: Integers,
    pred_probs: NDArray[np.floating],
) -> SubjectCounts:
    names, number = np.unique(np.asarray(of).astype(str), return_inverse=True)
    num_classes, size = pred_probs.shape[1], len(names)
    differs = given != predicted
    # float64 sums of integers below 2**53: exact
    fixed = to_fixed(pred_probs)
    by_cell = np.zeros((size * num_classes, num_classes))
    place = number * num_classes + predicted
    order = np.argsort(place, kind="stable")
    starts = np.flatnonzero(np.diff(place[order], prepend=-1))
    by_cell[place[order][starts]] = np.add.reduceat(fixed[order], starts, axis=0)
    expected = by_cell.reshape(size, num_classes, num_classes)  # subject, predicted, given
    own = (ONE - fixed[np.arange(len(given)), predicted]).astype(np.float64)
    code = (number * num_classes + given) * num_classes + predicted
    codes, counts = np.unique(code[differs], return_counts=True)
    total = np.bincount(codes % num_classes**2, counts, num_classes**2).astype(np.int64)
    keep = counts >= FEWEST
    codes, counts = codes[keep], counts[keep]
    subject, cell = np.divmod(codes, num_classes**2)
    i, j = np.divmod(cell, num_classes)
    rows = np.bincount(place, minlength=size * num_classes)[subject * num_classes + j]
    mine, everything = expected[subject, j, i], expected.sum(axis=0)[j, i]
    return SubjectCounts(
        kind,
        tuple(map(str, names)),
        np.bincount(number, minlength=size),
        np.bincount(number[differs], minlength=size),
        np.bincount(number, own, size) / ONE,
        subject,
        i,
        j,
        counts,
        mine / ONE,
        total[cell] - counts,
        (everything - mine) / ONE,
        rows,
        np.bincount(predicted, minlength=num_classes)[j] - rows,
    )


def _neighbours(file: NDArray[np.generic], given: Integers, predicted: Integers) -> NeighbourCounts:
    names, number = np.unique(np.asarray(file).astype(str), return_inverse=True)
    order = np.argsort(number, kind="stable")
    number, given, predicted = number[order], given[order], predicted[order]
    size, differs = len(names), given != predicted
    compared = np.zeros((size, len(LAGS)), np.int64)
    agreeing = np.zeros((size, len(LAGS)), np.int64)
    exchanged = np.zeros((size, len(DISTANCES)), np.int64)
    for column, lag in enumerate(LAGS):
        here, there = _apart(len(given), lag)
        same = number[here] == number[there]
        compared[:, column] = np.bincount(number[here][same], minlength=size)
        hit = same & (given[here] == predicted[there])
        agreeing[:, column] = np.bincount(number[here][hit], minlength=size)
    for column, distance in enumerate(DISTANCES):
        here, there = _apart(len(given), distance)
        hit = (number[here] == number[there]) & differs[here] & differs[there]
        hit &= (given[here] == predicted[there]) & (given[there] == predicted[here])
        exchanged[:, column] = np.bincount(number[here][hit], minlength=size)
    return NeighbourCounts(
        tuple(map(str, names)),
        np.bincount(number, minlength=size),
        np.bincount(number[differs], minlength=size),
        compared,
        agreeing,
        exchanged,
    )


def _apart(count: int, lag: int) -> tuple[slice, slice]:
    """Give the rows that have a row ``lag`` rows before them, and those rows."""
    if lag >= 0:
        return slice(lag, count), slice(0, max(count - lag, 0))
    return slice(0, max(count + lag, 0)), slice(-lag, count)
