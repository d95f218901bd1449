"""Accuracy, balanced accuracy, macro-F1 and log loss of many models, from counts; with intervals.

On the driver only: scipy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sparkclean.noise.pairs import Z

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

#: Units of a log loss that is added up.
LOSS_UNIT = float(1 << 30)


class Measured(NamedTuple):
    """A metric of M models: values and 95 % intervals, each of shape (M,)."""

    value: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class ClassCounts:
    """Counts by model and class.

    Attributes
    ----------
    right : ndarray of int64, shape (M, K)
        Items of the class that the model has right.
    predicted : ndarray of int64, shape (M, K)
        Items for which the model predicts the class.
    items : ndarray of int64, shape (K,)
        Items of the class.
    """

    right: Integers
    predicted: Integers
    items: Integers

    def __add__(self, other: ClassCounts) -> ClassCounts:
        """Add the counts of other items."""
        return ClassCounts(
            self.right + other.right, self.predicted + other.predicted, self.items + other.items
        )


def accuracy(hits: Integers, items: int) -> Measured:
    """Measure accuracy, with Wilson's interval.

    Parameters
    ----------
    hits : ndarray of int64, shape (M,)
    items : int

    Returns
    -------
    Measured
        NaN, and [0, 1], without items.

    References
    ----------
    Wilson (1927), Probable Inference, the Law of Succession, and Statistical Inference.
    """
    if items == 0:
        return _unknown(len(hits))
    share, z2 = hits / items, Z * Z
    centre = (share + z2 / (2 * items)) / (1 + z2 / items)
    half = Z / (1 + z2 / items) * np.sqrt(share * (1 - share) / items + z2 / (4 * items**2))
    return Measured(share, np.clip(centre - half, 0.0, 1.0), np.clip(centre + half, 0.0, 1.0))


def balanced_accuracy(counts: ClassCounts) -> Measured:
    """Measure the mean recall of the classes that have items.

    Parameters
    ----------
    counts : ClassCounts

    Returns
    -------
    Measured
        The interval joins Clopper-Pearson's intervals of the classes by MOVER.

    References
    ----------
    Zou and Donner (2008), Construction of Confidence Limits About Effect Measures.
    """
    from scipy.special import betaincinv  # noqa: PLC0415 (slow, and on the driver only)

    there = counts.items > 0
    if not there.any():
        return _unknown(len(counts.right))
    right, items = counts.right[:, there], counts.items[there].astype(np.float64)
    recall = right / items
    wrong = items - right
    low = np.where(right == 0, 0.0, betaincinv(np.maximum(right, 1), wrong + 1, 0.025))
    high = np.where(wrong == 0, 1.0, betaincinv(right + 1, np.maximum(wrong, 1), 0.975))
    below = np.sqrt(((recall - low) ** 2).sum(axis=1)) / len(items)
    above = np.sqrt(((high - recall) ** 2).sum(axis=1)) / len(items)
    value = recall.mean(axis=1)
    return Measured(value, np.maximum(value - below, 0.0), np.minimum(value + above, 1.0))


def macro_f1(counts: ClassCounts) -> Measured:
    """Measure the mean F1 of the classes that have items.

    Parameters
    ----------
    counts : ClassCounts

    Returns
    -------
    Measured
        The interval is that of the delta method. An error touches two classes; which two go
        together is not counted, so their covariance is bounded (Cauchy-Schwarz). The interval is
        therefore up to 1.41 times too wide, never too narrow for that reason.

    Notes
    -----
    F1 of class k is 2 R / (P + T), with R right, P predicted and T items. An item of class t that
    is predicted as p moves the mean by (2 [t = p] - F1_p) / D_p / 2 + ..., D = P + T.
    """
    there = counts.items > 0
    if not there.any():
        return _unknown(len(counts.right))
    right, predicted, items = (
        counts.right[:, there],
        counts.predicted[:, there],
        counts.items[there],
    )
    both = (predicted + items).astype(np.float64)
    f1 = 2.0 * right / both
    pull = f1 / both
    hit = (right * (2.0 / both - 2.0 * pull) ** 2).sum(axis=1)
    as_item = (pull**2 * (items - right)).sum(axis=1)
    as_predicted = (pull**2 * (predicted - right)).sum(axis=1)
    missed = as_item + as_predicted + 2.0 * np.sqrt(as_item * as_predicted)
    half = Z * np.sqrt(hit + missed) / len(items)
    value = f1.mean(axis=1)
    return Measured(value, np.maximum(value - half, 0.0), np.minimum(value + half, 1.0))


def log_loss(sums: Integers, squares: Floats, items: int) -> Measured:
    """Measure the mean log loss, with the normal interval of a mean.

    Parameters
    ----------
    sums : ndarray of int64, shape (M,)
        Sums of losses in units of 2**-30.
    squares : ndarray of float64, shape (M,)
        Sums of squared losses.
    items : int

    Returns
    -------
    Measured
        NaN without items.
    """
    if items == 0:
        nothing = np.full(len(sums), np.nan)
        return Measured(nothing, nothing, nothing)
    mean = sums / LOSS_UNIT / items
    half = Z * np.sqrt(np.maximum(squares / items - mean * mean, 0.0) / items)
    return Measured(mean, np.maximum(mean - half, 0.0), mean + half)


def _unknown(num_models: int) -> Measured:
    return Measured(np.full(num_models, np.nan), np.zeros(num_models), np.ones(num_models))
