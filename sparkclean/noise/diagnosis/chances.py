"""Tests, adjustments and intervals that a diagnosis shares. On the driver only: scipy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sparkclean.noise.pairs import Z

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Excess(NamedTuple):
    """Observed against expected counts of subjects, each measured by all others.

    Attributes
    ----------
    ratio, low, high : ndarray of float64
        Risk ratio with its 95 % interval.
    errors : ndarray of float64
        Observed beyond what is expected.
    p : ndarray of float64
        Chance of as many or more, if the ratio were 1.
    """

    ratio: Floats
    low: Floats
    high: Floats
    errors: Floats
    p: Floats


def excess(
    observed: Integers,
    expected: Floats,
    rest: Integers,
    rest_expected: Floats,
    *,
    with_intervals: bool = True,
) -> Excess:
    """Compare observed counts with those of all other subjects, given what the model expects.

    Parameters
    ----------
    observed, rest : ndarray of int64
        Disagreements of a subject, and of all others.
    expected, rest_expected : ndarray of float64
        What the model expects of both.
    with_intervals : bool
        Whether to compute intervals; NaN without.

    Returns
    -------
    Excess
        Of two Poisson counts, the first is binomial given their sum: test and interval are exact
        for counts that do not cluster (Clopper and Pearson).
    """
    from scipy.special import betainc, betaincinv  # noqa: PLC0415 (slow, and on the driver only)

    share = np.clip(expected / np.maximum(expected + rest_expected, 1e-300), 1e-12, 1.0 - 1e-12)
    usual = (rest + 0.5) / (rest_expected + 0.5) * expected
    ratio, errors = observed / np.maximum(usual, 1e-12), np.maximum(observed - usual, 0.0)
    p = np.where(observed > 0, betainc(np.maximum(observed, 1), rest + 1, share), 1.0)
    if not with_intervals:
        unknown = np.full(len(p), np.nan)
        return Excess(ratio, unknown, unknown, errors, p)
    low = np.where(observed == 0, 0.0, betaincinv(np.maximum(observed, 1), rest + 1, 0.025))
    high = np.where(rest == 0, 1.0, betaincinv(observed + 1, np.maximum(rest, 1), 0.975))
    odds = share / (1.0 - share)
    below = np.where(high < 1.0, 1.0 - high, 1.0)
    upper = np.where(high < 1.0, high / below / odds, np.inf)
    return Excess(ratio, low / np.maximum(1.0 - low, 1e-300) / odds, upper, errors, p)


def least(one: Excess, other: Excess) -> Excess:
    """Give the smaller excess of two, place by place, with the larger p.

    Parameters
    ----------
    one, other : Excess
        By two measures of what is expected.

    Returns
    -------
    Excess
    """
    first = one.ratio <= other.ratio
    chosen = [np.where(first, a, b) for a, b in zip(one, other, strict=True)]
    ratio, low, high, errors, _ = chosen
    return Excess(ratio, low, high, errors, np.maximum(one.p, other.p))


def calm(p: Floats, known: Bools | None) -> Floats:
    """Give p-values of a replicate what they would be with the variance of the data.

    A count that is drawn around a count varies twice as much, so chance alone would find subjects
    in replicates that it does not find in data. Those that were found in the data are left alone.

    Parameters
    ----------
    p : ndarray of float64
    known : ndarray of bool, or None
        Found in the data. None: these are the data.

    Returns
    -------
    ndarray of float64
    """
    from scipy.special import ndtr, ndtri  # noqa: PLC0415 (slow, and on the driver only)

    if known is None:
        return p
    return np.where(known, p, ndtr(ndtri(p) / np.sqrt(2.0)))


def log_ratio(hits: int, of: int, other: int, other_of: int) -> tuple[float, float, float]:
    """Ratio of two shares with Katz's 95 % interval; half a hit is added to each."""
    ratio = (hits + 0.5) / (of + 1) / ((other + 0.5) / (other_of + 1))
    spread = 1 / (hits + 0.5) + 1 / (other + 0.5) - 1 / (of + 1) - 1 / (other_of + 1)
    half = Z * np.sqrt(max(spread, 0.0))
    return float(ratio), float(ratio * np.exp(-half)), float(ratio * np.exp(half))


class Association(NamedTuple):
    """How far two columns go together: chi-square, Cramer's V with its 95 % interval, and p."""

    chi2: float
    v: float
    low: float
    high: float
    p: float


def cramers_v(table: NDArray[np.int64]) -> Association:
    """Cramer's V of a table of counts.

    Parameters
    ----------
    table : ndarray of int64, shape (R, C)

    Returns
    -------
    Association
        V is corrected for its bias. The interval is that of the noncentrality of chi-square, by a
        normal approximation.

    References
    ----------
    Bergsma (2013), A bias-correction for Cramer's V and Tschuprow's T.
    """
    from scipy.stats import chi2 as chi_square  # noqa: PLC0415 (slow, and on the driver only)

    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    if min(table.shape) < 2:
        return Association(0.0, 0.0, 0.0, 1.0, 1.0)
    total = float(table.sum())
    usual = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / total
    chi2 = float(((table - usual) ** 2 / usual).sum())
    free = (table.shape[0] - 1) * (table.shape[1] - 1)
    beyond = max(chi2 - free, 0.0)
    half = Z * np.sqrt(2.0 * (free + 2.0 * beyond))
    scale = total * (min(table.shape) - 1)
    v, low, high = (
        float(np.sqrt(min(max(x, 0.0) / scale, 1.0)))
        for x in (beyond, beyond - half, beyond + half)
    )
    return Association(chi2, v, low, high, float(chi_square.sf(chi2, free)))
