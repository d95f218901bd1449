"""The confident joint: which class each example confidently belongs to, counted and calibrated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparkclean.confident.scores import BELOW_EVERY_PROBABILITY
from sparkclean.confident.thresholds import CONFIDENT_MARGIN

#: Rules for an example that is confident in several classes.
COLLISION_RULES = ("cleanlab-2.9", "paper")
NOT_CONFIDENT = -1
#: Whether and where an example is confident hangs on thresholds that are not known yet.
UNDECIDED = -2
#: Products of counts below it leave 64 bits room for what is done with them.
_MOST_IN_64_BITS = 1 << 61


def confident_classes(
    pred_probs: NDArray[np.floating],
    thresholds: NDArray[np.float64],
    *,
    collision: str = "cleanlab-2.9",
) -> NDArray[np.int64]:
    """Find the class that each example confidently belongs to.

    Parameters
    ----------
    pred_probs : ndarray of float, shape (N, K)
    thresholds : ndarray of float64, shape (K,)
    collision : {"cleanlab-2.9", "paper"}
        Several confident classes: the argmax over all classes, or over the confident ones.

    Returns
    -------
    ndarray of int64, shape (N,)
        Class index, or -1 where no class is confident. The first index wins a tie.

    References
    ----------
    Northcutt, Jiang, Chuang (2021), Confident Learning, JAIR 70, section 3.1, eq. 1.
    """
    return confident_in_bands(pred_probs, thresholds, thresholds, collision=collision).classes


@dataclass(frozen=True)
class Outcomes:
    """What is known of the classes that examples confidently belong to.

    Attributes
    ----------
    classes : ndarray of int64, shape (N,)
        Class index, -1 (`NOT_CONFIDENT`) or -2 (`UNDECIDED`).
    predicted : ndarray of int64, shape (N,)
        The most probable class, the first on a tie.
    rows, entries : ndarray of int64, shape (M,)
        Of the undecided examples, in order: which, and in which class it may be confident.
    """

    classes: NDArray[np.int64]
    predicted: NDArray[np.int64]
    rows: NDArray[np.int64]
    entries: NDArray[np.int64]


def confident_in_bands(
    pred_probs: NDArray[np.floating],
    lowest: NDArray[np.float64],
    highest: NDArray[np.float64],
    *,
    collision: str = "cleanlab-2.9",
) -> Outcomes:
    """Find the class that each example confidently belongs to, where bands decide it.

    Parameters
    ----------
    pred_probs : ndarray of float, shape (N, K)
    lowest, highest : ndarray of float64, shape (K,)
        The thresholds lie between these, ends included. Equal ones leave nothing undecided.
    collision : {"cleanlab-2.9", "paper"}

    Returns
    -------
    Outcomes

    Notes
    -----
    Where the most probable class is confident it is the outcome under both rules, whatever the
    others are. Only the other rows are compared with all K thresholds.
    """
    count = len(pred_probs)
    low = at_least(lowest - CONFIDENT_MARGIN, pred_probs.dtype)
    high = at_least(highest - CONFIDENT_MARGIN, pred_probs.dtype)
    predicted = pred_probs.argmax(axis=1)
    largest = np.take_along_axis(pred_probs, predicted[:, None], axis=1)[:, 0]
    classes = np.where(largest >= high[predicted], predicted, NOT_CONFIDENT)
    rest = np.flatnonzero((classes < 0) & (largest >= low.min(initial=np.inf)))
    none = np.zeros(0, np.int64)
    if not len(rest):
        return Outcomes(classes, predicted, none, none)
    wide = pred_probs if len(rest) == count else pred_probs[rest]
    maybe, sure = wide >= low, wide >= high
    possible, certain = np.count_nonzero(maybe, axis=1), np.count_nonzero(sure, axis=1)
    undecided = possible > certain
    if collision == "paper":
        decided = np.where(sure, wide, BELOW_EVERY_PROBABILITY).argmax(axis=1)
    else:
        # a second confident class makes it the argmax over all
        undecided &= certain < 2
        decided = np.where(certain > 1, predicted[rest], sure.argmax(axis=1))
    classes[rest] = np.where(undecided, UNDECIDED, np.where(certain > 0, decided, NOT_CONFIDENT))
    if not undecided.any():
        return Outcomes(classes, predicted, none, none)
    rows, entries = np.nonzero(maybe & undecided[:, None])
    return Outcomes(classes, predicted, rest[rows], entries)


def decide(
    classes: NDArray[np.int64],
    predicted: NDArray[np.int64],
    entries: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]],
    thresholds: NDArray[np.float64],
    *,
    collision: str = "cleanlab-2.9",
) -> NDArray[np.int64]:
    """Find the class of the examples that bands left undecided, once thresholds are known.

    Parameters
    ----------
    classes, predicted : ndarray of int64, shape (N,)
        Of `Outcomes`.
    entries : tuple of arrays, shape (M,)
        Rows, classes and probabilities of the entries of the undecided ones.
    thresholds : ndarray of float64, shape (K,)
        Within the bands.
    collision : {"cleanlab-2.9", "paper"}

    Returns
    -------
    ndarray of int64, shape (N,)
        As of `confident_classes`.
    """
    row, true, probability = entries
    confident = probability >= thresholds[true] - CONFIDENT_MARGIN
    row, true, probability = row[confident], true[confident], probability[confident]
    count = np.bincount(row, minlength=len(classes))
    if collision == "paper":
        # the largest probability, then the first class; written last, so that it stays
        order = np.lexsort((-true, probability))
        row, true = row[order], true[order]
    best = predicted.copy()
    best[row] = true
    several = best if collision == "paper" else predicted
    decided = np.where(count == 0, NOT_CONFIDENT, np.where(count == 1, best, several))
    return np.where(classes == UNDECIDED, decided, classes)


def at_least(thresholds: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Round thresholds up to a type, so that its values compare with them as if widened.

    Parameters
    ----------
    thresholds : ndarray of float64
    dtype : dtype
        float32 or float64.

    Returns
    -------
    ndarray of dtype
        The smallest values that are not below the thresholds.
    """
    if dtype == np.float64:
        return thresholds
    rounded = thresholds.astype(dtype)
    return np.where(rounded.astype(np.float64) < thresholds, np.nextafter(rounded, np.inf), rounded)


def count_pairs(
    given: NDArray[np.integer], true: NDArray[np.integer], num_classes: int
) -> NDArray[np.int64]:
    """Count (given, true) pairs; a negative true class is not counted.

    Parameters
    ----------
    given, true : ndarray of int, shape (N,)
    num_classes : int
        K.

    Returns
    -------
    ndarray of int64, shape (K, K)
        Rows given, columns true.
    """
    counts = np.zeros((num_classes, num_classes), np.int64)
    add_pairs(counts, given, true)
    return counts


def add_pairs(
    counts: NDArray[np.int64], given: NDArray[np.integer], true: NDArray[np.integer]
) -> None:
    """Add (given, true) pairs to counts, in place; a negative true class is not counted.

    Parameters
    ----------
    counts : ndarray of int64, shape (K, K)
        C-contiguous.
    given, true : ndarray of int, shape (N,)
    """
    counted = true >= 0
    codes = given[counted].astype(np.int64) * len(counts) + true[counted]
    flat = counts.reshape(-1)
    if len(codes) < len(flat):  # a K x K histogram of a small batch costs more than the batch
        np.add.at(flat, codes, 1)
    else:
        flat += np.bincount(codes, minlength=len(flat))


def confident_joint(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Raise the diagonal of counted pairs to at least 1.

    Parameters
    ----------
    counts : ndarray of int64, shape (K, K)
        Rows given, columns true.

    Returns
    -------
    ndarray of int64, shape (K, K)
    """
    joint = counts.copy()
    np.fill_diagonal(joint, np.maximum(joint.diagonal(), 1))
    return joint


def calibrate_joint(joint: NDArray[np.integer], examples: NDArray[np.integer]) -> NDArray[np.int64]:
    """Scale each row of the confident joint to the number of examples given that class.

    Parameters
    ----------
    joint : ndarray of int, shape (K, K)
        The confident joint, rows given, columns true, not negative.
    examples : ndarray of int, shape (K,)
        Examples given each class.

    Returns
    -------
    ndarray of int64, shape (K, K)
        Row i sums to ``examples[i]`` (to 0 where row i of the joint is empty).

    Notes
    -----
    Every entry is a ratio of integers, so it is computed in integers: half to even, then the row
    total is restored at the largest (or smallest) remainders. The reference computes in floating
    point and differs where remainders tie exactly.

    References
    ----------
    Northcutt, Jiang, Chuang (2021), Confident Learning, JAIR 70, section 3.1, eq. 3.
    """
    # 10 billion rows squared outgrow 64 bits: Python integers then, the same formulas
    largest = int(joint.max(initial=0)) * int(examples.max(initial=0))
    counts = joint.astype(object if largest >= _MOST_IN_64_BITS else np.int64)
    wanted = examples.astype(counts.dtype)
    scaled = counts * wanted[:, None]
    total = np.maximum(counts.sum(axis=1), 1)[:, None]
    rounded, remainder = scaled // total, scaled % total
    rounded += (2 * remainder > total) | ((2 * remainder == total) & (rounded % 2 == 1))
    left = scaled - rounded * total
    short = np.where(counts.sum(axis=1) > 0, wanted - rounded.sum(axis=1), 0)
    for row in np.flatnonzero(short):
        _restore_total(rounded[row], left[row], int(short[row]))
    return rounded.astype(np.int64)


def _restore_total(rounded: NDArray[Any], left: NDArray[Any], short: int) -> None:
    """Add or take single examples where rounding was farthest off, in place."""
    entries = range(len(left))
    if short > 0:
        order = sorted(entries, key=lambda k: (-left[k], -k))
    else:
        order = sorted(entries, key=lambda k: (left[k], k))
    rounded[order[: abs(short)]] += 1 if short > 0 else -1
