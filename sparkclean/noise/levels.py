"""At which share of bad labels two models are level, and Fieller's set for it. Numpy only."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from sparkclean.noise.pairs import Z

Floats = NDArray[np.float64]
#: Closed intervals within [0, 1], lowest first.
Intervals = list[list[float]]


def level_prevalence(clean: Floats, bad: Floats) -> Floats:
    """Find the prevalence of bad labels at which two models are level.

    The accuracy of a model is linear in the prevalence x, while its accuracies c on clean and b on
    bad labels stay: (1 - x) c + x b.

    Parameters
    ----------
    clean, bad : ndarray of float64, shape (P,)
        Difference of the two models on items with clean, and with bad labels.

    Returns
    -------
    ndarray of float64, shape (P,)
        clean / (clean - bad), within (0, 1); NaN where the two lines do not cross between 0 and 1.
    """
    crosses = clean * bad < 0
    return np.where(crosses, clean / np.where(crosses, clean - bad, 1.0), np.nan)


def level_set(clean: float, bad: float, clean_variance: float, bad_variance: float) -> Intervals:
    """Find every prevalence at which the data do not tell two models apart.

    Parameters
    ----------
    clean, bad : float
        Difference of the two models on items with clean, and with bad labels.
    clean_variance, bad_variance : float
        Variances of the two differences.

    Returns
    -------
    list of [low, high]
        The x in [0, 1] with ((1 - x) clean + x bad)**2 at most 1.96**2 times its variance
        (1 - x)**2 clean_variance + x**2 bad_variance. None, one or two intervals.

    References
    ----------
    Fieller (1954), Some Problems in Interval Estimation.
    """
    slope, z2 = bad - clean, Z * Z
    a = slope * slope - z2 * (clean_variance + bad_variance)
    b = 2.0 * (clean * slope + z2 * clean_variance)
    c = clean * clean - z2 * clean_variance
    at_one = bad * bad - z2 * bad_variance  # a + b + c, without its cancellation
    roots = [x for x in _roots(a, b, c) if 0.0 < x < 1.0]
    points = [0.0, *sorted(roots), 1.0]
    values = {0.0: c, 1.0: at_one}
    found: Intervals = []
    for low, high in itertools.pairwise(points):
        middle = 0.5 * (low + high)
        if _value(clean, bad, clean_variance, bad_variance, middle) <= 0.0:
            if found and found[-1][1] == low:
                found[-1][1] = high
            else:
                found.append([low, high])
    for end, value in values.items():  # an end alone
        if value <= 0.0 and not any(low <= end <= high for low, high in found):
            found.append([end, end])
    return sorted(found)


def _value(clean: float, bad: float, clean_variance: float, bad_variance: float, x: float) -> float:
    mean = (1.0 - x) * clean + x * bad
    return mean * mean - Z * Z * ((1.0 - x) ** 2 * clean_variance + x * x * bad_variance)


def _roots(a: float, b: float, c: float) -> list[float]:
    """Solve a x**2 + b x + c = 0 without cancellation."""
    if a == 0.0:
        return [] if b == 0.0 else [-c / b]
    inside = b * b - 4.0 * a * c
    if inside < 0.0:
        return []
    far = -0.5 * (b + (np.sqrt(inside) if b >= 0.0 else -np.sqrt(inside)))
    return [float(far / a), *([float(c / far)] if far != 0.0 else [])]
