"""Comparisons of every two models, from sums over items: differences, McNemar, Holm, ranks.

On the driver only: M x M numbers, scipy.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: The 97.5 % point of the normal distribution.
Z = 1.959963984540054

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Discordant(NamedTuple):
    """Of pairs of models, items that one of the two answers rightly.

    Attributes
    ----------
    first, second : ndarray of int64
        Items that only the first, and only the second model has right.
    items : int
        All items.
    """

    first: Integers
    second: Integers
    items: int

    @property
    def difference(self) -> Floats:
        """Accuracy of the first model less that of the second; NaN without items."""
        if self.items == 0:
            return np.full(self.first.shape, np.nan)
        return (self.first - self.second) / self.items

    @property
    def variance(self) -> Floats:
        """Variance of that difference, for pairs of answers to the same items."""
        if self.items == 0:
            return np.full(self.first.shape, np.nan)
        net = self.first - self.second
        return (self.first + self.second - net * net / self.items) / self.items**2


def discordant(both: Integers, items: int, first: Integers, second: Integers) -> Discordant:
    """Count discordant items of pairs.

    Parameters
    ----------
    both : ndarray of int64, shape (M, M)
        Gram matrix of hits.
    items : int
    first, second : ndarray of int64, shape (P,)
        Models of each pair.

    Returns
    -------
    Discordant
        Of P pairs.
    """
    together, hits = both[first, second], both.diagonal()
    return Discordant(hits[first] - together, hits[second] - together, items)


def difference_interval(counts: Discordant) -> tuple[Floats, Floats]:
    """95 % interval of the difference of two accuracies on the same items.

    Parameters
    ----------
    counts : Discordant

    Returns
    -------
    low, high : ndarray of float64
        -1 and 1 without items.

    References
    ----------
    Bonett and Price (2012), Adjusted Wald Confidence Interval for a Difference of Binomial
    Proportions Based on Paired Data.
    """
    if counts.items == 0:
        return np.full(counts.first.shape, -1.0), np.full(counts.first.shape, 1.0)
    total = counts.items + 2
    one, other = (counts.first + 1) / total, (counts.second + 1) / total
    half = Z * np.sqrt((one + other - (one - other) ** 2) / total)
    return np.maximum(one - other - half, -1.0), np.minimum(one - other + half, 1.0)


def mcnemar(counts: Discordant) -> Floats:
    """Exact two-sided McNemar test of each pair.

    Parameters
    ----------
    counts : Discordant

    Returns
    -------
    ndarray of float64
        p values; 1 where no item tells the two apart.

    References
    ----------
    McNemar (1947), Note on the Sampling Error of the Difference Between Correlated Proportions or
    Percentages.
    """
    from scipy.special import bdtr  # noqa: PLC0415 (slow, and on the driver only)

    fewer, total = np.minimum(counts.first, counts.second), counts.first + counts.second
    tail = bdtr(fewer.astype(np.float64), total, 0.5)
    return np.where(total == 0, 1.0, np.minimum(1.0, 2.0 * tail))


def normal_p(difference: Floats, variance: Floats) -> Floats:
    """Two-sided p value of a mean difference by the normal distribution.

    Parameters
    ----------
    difference, variance : ndarray of float64
        Of the mean of paired differences, and its variance.

    Returns
    -------
    ndarray of float64
        1 where two models never differ.
    """
    from scipy.special import ndtr  # noqa: PLC0415 (slow, and on the driver only)

    spread = np.sqrt(variance)
    certain = np.where(difference == 0.0, 0.0, np.inf)
    size = np.where(spread > 0.0, np.abs(difference) / np.where(spread > 0.0, spread, 1.0), certain)
    return np.minimum(1.0, 2.0 * ndtr(-size))


def holm(p_values: Floats) -> Floats:
    """Adjust p values for the number of tests, so that the family-wise error holds.

    Parameters
    ----------
    p_values : ndarray of float64, shape (P,)

    Returns
    -------
    ndarray of float64, shape (P,)

    References
    ----------
    Holm (1979), A Simple Sequentially Rejective Multiple Test Procedure.
    """
    count = len(p_values)
    order = np.argsort(p_values, kind="stable")
    steps = (count - np.arange(count)) * p_values[order]
    adjusted = np.empty(count)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return adjusted


def ranks(values: Floats, *, low_is_best: bool = False) -> Integers:
    """Rank models; equal values share the best rank, as in sports.

    Parameters
    ----------
    values : ndarray of float64, shape (M,)
    low_is_best : bool
        Whether the metric is a loss.

    Returns
    -------
    ndarray of int64, shape (M,)
        From 1.
    """
    signed = values if low_is_best else -values
    return 1 + np.searchsorted(np.sort(signed), signed).astype(np.int64)


def rank_intervals(num_models: int, better: Integers, worse: Integers) -> tuple[Integers, Integers]:
    """Give the ranks that each model may have.

    Parameters
    ----------
    num_models : int
        M.
    better, worse : ndarray of int64, shape (S,)
        Of each pair whose order is sure: the better model, and the worse one.

    Returns
    -------
    low, high : ndarray of int64, shape (M,)
        1 + models that are surely better; M less those that are surely worse.
    """
    above = np.bincount(worse, minlength=num_models)
    below = np.bincount(better, minlength=num_models)
    return 1 + above.astype(np.int64), num_models - below.astype(np.int64)


def kendall_tau(one: Floats, other: Floats) -> float | None:
    """Kendall's tau-b of two rankings of the same models.

    Parameters
    ----------
    one, other : ndarray of float64, shape (M,)

    Returns
    -------
    float or None
        None where all models are level in one of them.

    References
    ----------
    Kendall (1945), The Treatment of Ties in Ranking Problems.
    """
    first, second = np.triu_indices(len(one), 1)
    signs = np.sign(one[first] - one[second]), np.sign(other[first] - other[second])
    agreement = int(np.sum(signs[0] * signs[1]))
    pairs = int(np.count_nonzero(signs[0])) * int(np.count_nonzero(signs[1]))
    return None if pairs == 0 else float(agreement / np.sqrt(float(pairs)))
