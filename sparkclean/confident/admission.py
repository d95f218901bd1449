"""Which rows of predicted probabilities may be audited."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sparkclean.errors import InputError
from sparkclean.numbers.fixed_point import ONE, to_fixed

#: Values this far outside [0, 1] are rounding, and clipped; farther ones are rejected.
BELOW_ZERO = 1e-6
ABOVE_ONE = 1e-4

VALID = 0
NOT_FINITE = 1
OUT_OF_RANGE = 2
ROW_SUM = 3


@dataclass(frozen=True)
class Admission:
    """Verdicts on a batch of rows.

    Attributes
    ----------
    verdicts : ndarray of int8, shape (N,)
        ``VALID``, or the first reason that applies: ``NOT_FINITE``, ``OUT_OF_RANGE``, ``ROW_SUM``.
    pred_probs : ndarray of float, shape (N, K)
        The probabilities as they came, clipped to [0, 1] where a valid row reaches slightly beyond.
    clipped : int
        Number of valid rows in which a value was clipped.
    """

    verdicts: NDArray[np.int8]
    pred_probs: NDArray[np.floating]
    clipped: int


def admit(
    pred_probs: NDArray[np.floating], *, row_sum_tolerance: float, at_most_one: bool = False
) -> Admission:
    """Decide which rows hold probabilities.

    Parameters
    ----------
    pred_probs : ndarray of float32 or float64, shape (N, K)
    row_sum_tolerance : float
        Largest accepted distance of a row's sum from 1.
    at_most_one : bool
        Whether sums below 1 are fine (top-k probabilities, whose rest is not known).

    Returns
    -------
    Admission

    Notes
    -----
    The sum of a row is that of the integers round(p * 2**40): the verdict does not depend on the
    layout. A cheap floating-point sum with slack settles nearly all rows.
    """
    count, num_classes = pred_probs.shape
    verdicts = np.zeros(count, np.int8)
    with np.errstate(invalid="ignore", over="ignore"):
        # cheapest as a product; how it is rounded does not matter within the slack
        sums = pred_probs @ np.ones(num_classes, pred_probs.dtype)
        # sums of K values are off by less than K units of 1, the fixed ones by K * 2**-41
        slack = num_classes * (4.0 * float(np.finfo(pred_probs.dtype).eps) + 2.0**-40)
        limit = row_sum_tolerance - slack
        fine: NDArray[np.bool_] = sums <= 1.0 + limit
        if not at_most_one:
            fine &= sums >= 1.0 - limit
        low, high = (pred_probs.min(), pred_probs.max()) if count else (0.0, 1.0)
        if not (low >= 0.0 and high <= 1.0):  # false for NaN, too
            fine &= (pred_probs.min(axis=1) >= 0.0) & (pred_probs.max(axis=1) <= 1.0)
    doubtful = np.flatnonzero(~fine)
    if not len(doubtful):
        return Admission(verdicts, pred_probs, 0)
    rows = pred_probs[doubtful].astype(np.float64)
    found = _verdicts(rows, row_sum_tolerance, at_most_one)
    verdicts[doubtful] = found
    outside = ((rows < 0.0) | (rows > 1.0)).any(axis=1) & (found == VALID)
    if outside.any():
        pred_probs = pred_probs.copy()
        pred_probs[doubtful[outside]] = np.clip(rows[outside], 0.0, 1.0)
    return Admission(verdicts, pred_probs, int(outside.sum()))


def _verdicts(
    rows: NDArray[np.float64], row_sum_tolerance: float, at_most_one: bool
) -> NDArray[np.int8]:
    finite = np.logical_and.reduce(np.isfinite(rows), axis=1)
    rows = np.where(finite[:, None], rows, 0.0)
    in_range = np.logical_and.reduce((rows >= -BELOW_ZERO) & (rows <= 1.0 + ABOVE_ONE), axis=1)
    # clipped for the sum alone, so that absurd values cannot overflow the integers
    excess = to_fixed(np.where(in_range[:, None], rows, 0.0)).astype(np.int64).sum(axis=1) - ONE
    tolerance = round(row_sum_tolerance * ONE)
    sums: NDArray[np.bool_] = excess <= tolerance
    if not at_most_one:
        sums &= excess >= -tolerance
    return np.select(
        [~finite, ~in_range, ~sums], [NOT_FINITE, OUT_OF_RANGE, ROW_SUM], VALID
    ).astype(np.int8)


def check_arrays(
    labels: ArrayLike, pred_probs: ArrayLike, row_sum_tolerance: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Check labels and probabilities in memory, where an invalid row is an error.

    Parameters
    ----------
    labels : array_like of int, shape (N,)
    pred_probs : array_like of float, shape (N, K)
    row_sum_tolerance : float

    Returns
    -------
    given : ndarray of int64, shape (N,)
    pred_probs : ndarray of float64, shape (N, K)
        Clipped.

    Raises
    ------
    InputError
        Names up to five positions.
    """
    try:
        given = np.asarray(labels)
    except ValueError as exc:  # rows of unequal length
        raise InputError(f"labels is not an array: {exc}") from exc
    try:
        probabilities = np.ascontiguousarray(pred_probs, dtype=np.float64)
    except (TypeError, ValueError) as exc:
        raise InputError(f"pred_probs is not an array of numbers: {exc}") from exc
    if probabilities.ndim != 2 or probabilities.shape[1] < 2:
        raise InputError(
            f"pred_probs must have shape (N, K) with K at least 2, not {probabilities.shape}"
        )
    if given.shape != (len(probabilities),):
        raise InputError(
            f"labels has shape {given.shape}, pred_probs {probabilities.shape}: "
            "one label for each row is needed"
        )
    if not len(given):
        raise InputError("labels and pred_probs are empty: there is nothing to audit")
    if not (np.issubdtype(given.dtype, np.integer) or given.dtype == np.bool_):
        raise InputError(
            f"labels must be integers in 0..K-1, not {given.dtype}: "
            "map each label to the position of its column in pred_probs"
        )
    given = given.astype(np.int64)
    num_classes = probabilities.shape[1]
    wrong = np.flatnonzero((given < 0) | (given >= num_classes))
    if len(wrong):
        raise InputError(
            f"labels: {len(wrong)} of {len(given)} are outside 0..{num_classes - 1}, "
            f"at positions {_first(wrong)}"
        )
    admission = admit(probabilities, row_sum_tolerance=row_sum_tolerance)
    invalid = np.flatnonzero(admission.verdicts != VALID)
    if len(invalid):
        kinds = set(admission.verdicts[invalid].tolist())
        what = [
            text
            for kind, text in (
                (NOT_FINITE, "NaN or infinite"),
                (OUT_OF_RANGE, "outside [0, 1] (logits? percentages?)"),
                (ROW_SUM, f"not summing to 1 within {row_sum_tolerance:g}"),
            )
            if kind in kinds
        ]
        raise InputError(
            f"pred_probs: {len(invalid)} of {len(given)} rows are invalid "
            f"({'; '.join(what)}), at positions {_first(invalid)}"
        )
    return given, admission.pred_probs.astype(np.float64, copy=False)


def _first(positions: NDArray[np.intp]) -> str:
    return ", ".join(str(p) for p in positions[:5]) + (", ..." if len(positions) > 5 else "")
