"""The confident joint: which class each example confidently belongs to, counted and calibrated."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparkclean.confident.thresholds import CONFIDENT_MARGIN

#: Rules for an example that is confident in several classes.
COLLISION_RULES = ("cleanlab-2.9", "paper")
NOT_CONFIDENT = -1


def confident_classes(
    pred_probs: NDArray[np.float64],
    thresholds: NDArray[np.float64],
    *,
    collision: str = "cleanlab-2.9",
) -> NDArray[np.int64]:
    """Find the class that each example confidently belongs to.

    Parameters
    ----------
    pred_probs : ndarray of float64, shape (N, K)
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
    confident = pred_probs >= thresholds - CONFIDENT_MARGIN
    if collision == "paper":
        # one confident class: it is its own argmax
        outcome = np.where(confident, pred_probs, -1.0).argmax(axis=1)
        return np.where(confident.any(axis=1), outcome, NOT_CONFIDENT)
    several = np.count_nonzero(confident, axis=1)
    outcome = confident.argmax(axis=1)
    many = np.flatnonzero(several > 1)
    outcome[many] = pred_probs[many].argmax(axis=1)
    return np.where(several > 0, outcome, NOT_CONFIDENT)


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
    counts = joint.astype(object if largest >= 1 << 61 else np.int64)
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
