"""How many labels are wrong, by a reviewed random sample: rates with intervals.

Arrays hold one number for each stratum along their last axis, so that thousands of samples are
estimated at once. Draws, errors and sizes are integers. On the driver only: scipy.

References
----------
Zou and Donner (2008), Construction of Confidence Limits About Effect Measures (MOVER).
Rogan and Gladen (1978), Estimating Prevalence from the Results of a Screening Test.
Särndal, Swensson and Wretman (1992), Model Assisted Survey Sampling.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sparkclean.numbers.exact_limits import clopper_pearson, share_limits

LEVEL = 0.95
#: Totals of suspects and of the others have this level each, so that recall has `LEVEL`.
_LEVEL_OF_TWO = 1 - (1 - LEVEL) / 2
#: A rate and two properties of reviewers: each this level, so that all three have `LEVEL`.
_LEVEL_OF_THREE = 1 - (1 - LEVEL) / 3
#: Errors from which on the interval of the difference estimator may be shown.
FEWEST_ERRORS = 30
_NORMAL = 1.959963984540054
_DIGITS = 9


class Estimate(NamedTuple):
    """A number and its interval; arrays where several samples were estimated."""

    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def rounded(self) -> tuple[float | None, float, float]:
        """Give value, low and high to 1e-9; no value where nothing was drawn."""
        value = float(self.value)
        shown = None if math.isnan(value) else round(value, _DIGITS)
        return shown, round(float(self.low), _DIGITS), round(float(self.high), _DIGITS)

    def times(self, factor: float) -> Estimate:
        """Scale a share to a number of examples."""
        return Estimate(self.value * factor, self.low * factor, self.high * factor)


# -- the draw -------------------------------------------------------------------------------------


def allocate(budget: int, sizes: ArrayLike, taken: ArrayLike | None = None) -> NDArray[np.int64]:
    """Divide a budget over strata: half in proportion to their sizes, half equally.

    Parameters
    ----------
    budget : int
        Examples to draw.
    sizes : array_like of int, shape (H,)
        Examples of each stratum.
    taken : array_like of int, shape (H,), optional
        Examples that were drawn before.

    Returns
    -------
    ndarray of int64, shape (H,)
        At most what is left of each stratum. Their sum is the budget, or all that is left.
    """
    size = np.asarray(sizes, np.int64)
    left = size - (np.zeros_like(size) if taken is None else np.asarray(taken, np.int64))
    drawn = np.zeros_like(size)
    todo = min(int(budget), int(left.sum()))
    while todo > 0:
        is_open = drawn < left
        # in whole numbers: each share is (size / total + 1 / strata) / 2 of what is to be given
        total, count = int(size[is_open].sum()), int(is_open.sum())
        shares = [
            (todo * (int(s) * count + total), 2 * total * count) if o else (0, 1)
            for s, o in zip(size, is_open, strict=True)
        ]
        whole = np.array([top // bottom for top, bottom in shares], np.int64)
        # the largest remainders get the rest, the first stratum on a tie
        rest = sorted(
            np.flatnonzero(is_open).tolist(),
            key=lambda h: (-((shares[h][0] % shares[h][1]) / shares[h][1]), h),
        )
        whole[rest[: todo - int(whole.sum())]] += 1
        given = np.minimum(whole, left - drawn)
        drawn += given
        todo -= int(given.sum())
    return drawn


# -- rates ----------------------------------------------------------------------------------------


def stratified_rate(
    sizes: ArrayLike, errors: ArrayLike, drawn: ArrayLike, level: float = LEVEL
) -> Estimate:
    """Estimate the rate of errors of a population that was drawn by strata.

    Parameters
    ----------
    sizes : array_like of int, shape (..., H)
        Examples of each stratum.
    errors, drawn : array_like of int, shape (..., H)
        Reviewed examples with a wrong label, and reviewed examples.
    level : float
        Of confidence.

    Returns
    -------
    Estimate
        Shape (...). The value is NaN where nothing was drawn.

    Notes
    -----
    The interval combines exact limits of each stratum (MOVER). A stratum without draws may have any
    rate; for the value it gets the rate of all draws.
    """
    size, k, n = np.broadcast_arrays(*(np.asarray(a, np.int64) for a in (sizes, errors, drawn)))
    total = size.sum(axis=-1)
    weights = size / np.maximum(total, 1)[..., None]
    with np.errstate(invalid="ignore", divide="ignore"):
        pooled = k.sum(axis=-1) / n.sum(axis=-1)
        shares = np.where(n > 0, k / np.maximum(n, 1), np.nan_to_num(pooled, nan=0.5)[..., None])
    low, high = share_limits(k, n, size, level)
    seen = n > 0
    value = (weights * shares).sum(axis=-1)
    known = (weights * np.where(seen, shares, 0.0)).sum(axis=-1)
    # what was not looked at may be anything, and no chance evens it out
    unknown = (weights * ~seen).sum(axis=-1)
    down = np.sqrt((weights**2 * np.where(seen, shares - low, 0.0) ** 2).sum(axis=-1))
    up = np.sqrt((weights**2 * np.where(seen, high - shares, 0.0) ** 2).sum(axis=-1))
    nothing = n.sum(axis=-1) == 0
    return Estimate(
        np.where(nothing, np.nan, value),
        np.where(nothing, 0.0, np.clip(known - down, 0.0, 1.0)),
        np.where(nothing, 1.0, np.clip(known + up + unknown, 0.0, 1.0)),
    )


def recall(
    suspects: tuple[ArrayLike, ArrayLike, ArrayLike], others: tuple[ArrayLike, ArrayLike, ArrayLike]
) -> Estimate:
    """Estimate the share of all errors that are suspects.

    Parameters
    ----------
    suspects, others : (sizes, errors, drawn)
        As `stratified_rate` takes them: the strata of suspects, and those of other examples.

    Returns
    -------
    Estimate
        NaN where neither sample has an error.
    """
    found, missed = (stratified_rate(*part, level=_LEVEL_OF_TWO) for part in (suspects, others))
    examples = [np.asarray(part[0], np.int64).sum(axis=-1) for part in (suspects, others)]
    s, u = (_totals(e, size) for e, size in zip((found, missed), examples, strict=True))
    with np.errstate(invalid="ignore", divide="ignore"):
        value = s.value / (s.value + u.value)
        low = s.low / (s.low + u.high)
        high = s.high / (s.high + u.low)
    return Estimate(value, np.nan_to_num(low, nan=0.0), np.nan_to_num(high, nan=1.0))


def _totals(rate: Estimate, examples: NDArray[np.int64]) -> Estimate:
    """Give numbers of errors; none where there are no examples."""
    value = np.where(examples > 0, rate.value, 0.0)
    return Estimate(value * examples, rate.low * examples, rate.high * examples)


def bounds(
    sizes: ArrayLike, errors: ArrayLike, drawn: ArrayLike, undecided: ArrayLike
) -> tuple[float, float]:
    """Bound a rate whatever the undecided examples are: all right, or all wrong.

    Parameters
    ----------
    sizes, errors, drawn : array_like of int, shape (H,)
        As in `stratified_rate`; ``drawn`` without the undecided ones.
    undecided : array_like of int, shape (H,)
        Examples that were drawn, and are unclear or not reviewed.

    Returns
    -------
    low, high : float
        Lower limit if all are right, upper limit if all are wrong.
    """
    k, n, open_ = (np.asarray(a, np.int64) for a in (errors, drawn, undecided))
    right = stratified_rate(sizes, k, n + open_)
    wrong = stratified_rate(sizes, k + open_, n + open_)
    return float(right.low), float(wrong.high)


def reviews_to_halve(sizes: ArrayLike, errors: ArrayLike, drawn: ArrayLike) -> int | None:
    """Tell how many more reviews would halve the interval of a rate, were all shares to stay.

    Parameters
    ----------
    sizes, errors, drawn : array_like of int, shape (H,)
        As in `stratified_rate`.

    Returns
    -------
    int or None
        None where nothing was reviewed, or where all is; and where the strata without reviews
        alone keep the interval wider.

    Notes
    -----
    All strata with reviews grow by one factor, up to their size.
    """
    size, k, n = (np.asarray(a, np.float64) for a in (sizes, errors, drawn))
    if n.sum() == 0 or (n >= size).all():
        return None

    def width(factor: float) -> float:
        more = np.minimum(n * factor, size)
        share = np.divide(k, n, out=np.zeros_like(n), where=n > 0)
        low, high = clopper_pearson(share * more, more)
        # as the population becomes small, less of it is unknown
        unknown = np.sqrt(1 - more / np.maximum(size, 1))
        weights = size / size.sum()
        seen = n > 0
        parts = [(share - low) * unknown, (high - share) * unknown]
        known = sum(np.sqrt(((weights * part)[seen] ** 2).sum()) for part in parts)
        return float(known + weights[~seen].sum())  # as in `stratified_rate`

    wanted, factor = width(1.0) / 2, 1.0
    if width(1e9) > wanted:
        return None
    while width(factor) > wanted and factor < 1e9:
        factor *= 2
    low, high = factor / 2, factor
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if width(middle) <= wanted else (middle, high)
    return int(np.ceil(np.minimum(n * high, size).sum() - n.sum()))


# -- with the model's help, and reviewers' own errors ---------------------------------------------


@dataclass(frozen=True)
class ModelSums:
    """What the difference estimator needs of each stratum; arrays of shape (H,).

    Attributes
    ----------
    sizes, drawn : ndarray of int64
    doubt : ndarray of float64
        Mean of f = 1 - p(given label) over the whole stratum.
    error, doubts : ndarray of float64
        Sums of y (1 where the label is wrong) and of f over the draws.
    error_doubts, doubts_squared : ndarray of float64
        Sums of y f and of f squared over the draws.
    """

    sizes: NDArray[np.int64]
    drawn: NDArray[np.int64]
    doubt: NDArray[np.float64]
    error: NDArray[np.float64]
    doubts: NDArray[np.float64]
    error_doubts: NDArray[np.float64]
    doubts_squared: NDArray[np.float64]


def difference_estimate(sums: ModelSums) -> Estimate | None:
    """Estimate a rate by the draws and the model's probabilities of all examples.

    Parameters
    ----------
    sums : ModelSums

    Returns
    -------
    Estimate or None
        None below 30 errors, where its normal interval does not hold, and where a stratum has
        fewer than two draws.
    """
    n, size = sums.drawn.astype(np.float64), sums.sizes.astype(np.float64)
    is_there = size > 0
    few = (sums.drawn < np.minimum(sums.sizes, 2)) & is_there
    if sums.error.sum() < FEWEST_ERRORS or few.any():
        return None
    safe = np.maximum(n, 1)
    mean_y, mean_f = sums.error / safe, sums.doubts / safe
    cov = sums.error_doubts / safe - mean_y * mean_f
    var = sums.doubts_squared / safe - mean_f**2
    slope = np.clip(np.divide(cov, var, out=np.zeros_like(cov), where=var > 1e-15), 0.0, 1.0)
    residual = mean_y * (1 - mean_y) - 2 * slope * cov + slope**2 * var
    residual = np.maximum(residual, 0.0) * n / np.maximum(n - 1, 1)
    weights = size / size.sum()
    value = float((weights * (slope * sums.doubt + mean_y - slope * mean_f)).sum())
    spread = float((weights**2 * (1 - n / np.maximum(size, 1)) * residual / safe).sum())
    wide = _NORMAL * math.sqrt(spread)
    limits = (np.array(np.clip(part, 0.0, 1.0)) for part in (value - wide, value + wide))
    return Estimate(np.array(np.clip(value, 0.0, 1.0)), *limits)


@dataclass(frozen=True)
class Reviewers:
    """How well reviewers tell wrong labels from right ones, by gold items.

    Attributes
    ----------
    wrong, found : int
        Gold reviews of wrong labels, and those that say so.
    right, accepted : int
        Gold reviews of right labels, and those that say so.
    """

    wrong: int
    found: int
    right: int
    accepted: int


def corrected_rate(reviewers: Reviewers, rate_at: Callable[[float], Estimate]) -> Estimate | None:
    """Correct a rate for the errors that reviewers make themselves.

    Parameters
    ----------
    reviewers : Reviewers
    rate_at : callable
        Gives the rate that was observed, with an interval of a level.

    Returns
    -------
    Estimate or None
        None where gold items of both kinds are missing, or reviewers are no better than chance.

    Notes
    -----
    Rogan and Gladen's estimate; the interval takes the worst of the limits of the rate, the
    sensitivity and the specificity, each at 98.3 %.
    """
    if not reviewers.wrong or not reviewers.right:
        return None
    observed = rate_at(_LEVEL_OF_THREE)
    sensitivity = _share(reviewers.found, reviewers.wrong)
    specificity = _share(reviewers.accepted, reviewers.right)
    if sensitivity.value + specificity.value <= 1 or math.isnan(float(observed.value)):
        return None
    corners = [
        _corrected(float(rate), float(se), float(sp))
        for rate in (observed.low, observed.high)
        for se in (sensitivity.low, sensitivity.high)
        for sp in (specificity.low, specificity.high)
    ]
    value = _corrected(float(observed.value), float(sensitivity.value), float(specificity.value))
    known = [corner for corner in corners if corner is not None]
    is_known = len(known) == len(corners)
    low, high = (min(known), max(known)) if is_known else (0.0, 1.0)
    return Estimate(np.array(value), np.array(low), np.array(high))


def _share(hits: int, drawn: int) -> Estimate:
    low, high = clopper_pearson(hits, drawn, _LEVEL_OF_THREE)
    return Estimate(np.array(hits / drawn), low, high)


def _corrected(rate: float, sensitivity: float, specificity: float) -> float | None:
    better = sensitivity + specificity - 1
    return None if better <= 0 else min(max((rate + specificity - 1) / better, 0.0), 1.0)


def audit_rate(examples: ArrayLike, confident_joint: ArrayLike) -> Estimate:
    """Give the audit's own estimate of the rate, with the interval of its sampling.

    Parameters
    ----------
    examples : array_like of int, shape (K,)
        By given class.
    confident_joint : array_like of int, shape (K, K)
        Rows given, columns true.

    Returns
    -------
    Estimate

    Notes
    -----
    The interval takes the thresholds as given. It covers no bias of the model.
    """
    joint = np.asarray(confident_joint, np.int64)
    counted = joint.sum(axis=1)
    size = np.asarray(examples, np.int64)
    low, high = clopper_pearson(counted - joint.diagonal(), counted)
    share = np.divide(
        counted - joint.diagonal(), counted, out=np.full(len(size), 0.0), where=counted > 0
    )
    weights = size / max(int(size.sum()), 1)
    value = np.array((weights * share).sum())
    down = np.sqrt((weights**2 * (share - low) ** 2).sum())
    up = np.sqrt((weights**2 * (high - share) ** 2).sum())
    return Estimate(value, np.clip(value - down, 0, 1), np.clip(value + up, 0, 1))
