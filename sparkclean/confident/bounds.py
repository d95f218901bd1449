"""What a sample or an earlier run says of thresholds and cutoffs, with room for chance and change.

With bounds one pass over the probabilities does the work of two or three. They are certified
afterwards, exactly; where they do not hold, the passes are made one by one. What was expected
wrongly costs time, never the answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparkclean.confident.filters import prune_counts
from sparkclean.confident.joint import (
    calibrate_joint,
    confident_classes,
    confident_joint,
    count_pairs,
)
from sparkclean.confident.scores import self_confidence
from sparkclean.confident.thresholds import LOWEST_THRESHOLD, MISSING_CLASS_THRESHOLD

# Mean of the sample, give or take 6 standard errors and 3 rows: the latter for skewed classes.
_ERRORS, _ROWS = 6.0, 3.0
# A band that reaches down to 0 leaves every probability undecided.
_LOWEST_SHARE = 1.0 / 8.0
#: From this many classes on a sample has too few rows a class: one band for all then.
MANY_CLASSES = 100
_MANY_LOWEST = 0.1
# A model this weak has thresholds below that band.
_MANY_LOWEST_MEAN = 0.3
# Entries of a pair: half as many again as the sample says, and ten.
_QUOTA_SHARE, _QUOTA_ROWS = 1.5, 10
#: Entries a row beyond which it is cheaper to find the cutoffs of class pairs first.
_MOST_ENTRIES = 1.0
#: Below every margin p_true - p_given: a bound that lets all rows through.
BELOW_EVERY_MARGIN = -2.0
# What may change from one run to the next: thresholds; cutoffs of class pairs.
_DRIFT, _CUT_DRIFT = 0.01, 0.02


@dataclass(frozen=True)
class Bounds:
    """Bounds of what one pass needs to know before.

    Attributes
    ----------
    lowest, highest : ndarray of float64, shape (K,)
        Of the thresholds.
    lowest_margins : ndarray of float64, shape (K, K), or None
        Of the margin at which each pair's quota is reached; infinity on the diagonal,
        `BELOW_EVERY_MARGIN` for all rows. None where they would let too many entries through.
    """

    lowest: NDArray[np.float64]
    highest: NDArray[np.float64]
    lowest_margins: NDArray[np.float64] | None = None

    def hold(self, thresholds: NDArray[np.float64]) -> bool:
        """Tell whether exact thresholds lie within."""
        return bool(((self.lowest <= thresholds) & (thresholds <= self.highest)).all())


def sample_bounds(
    given: NDArray[np.int64],
    pred_probs: NDArray[np.float64],
    *,
    fixed: NDArray[np.float64],
    collision: str,
    frac_noise: float | None,
) -> Bounds | None:
    """Bound thresholds and cutoffs by a sample.

    Parameters
    ----------
    given : ndarray of int64, shape (M,)
    pred_probs : ndarray of float64, shape (M, K)
        Valid rows.
    fixed : ndarray of float64, shape (K,)
        Thresholds that are not computed; NaN elsewhere.
    collision : str
    frac_noise : float or None
        For quotas of pairs; None where these are not wanted.

    Returns
    -------
    Bounds or None
        None where the sample says nothing useful.

    References
    ----------
    Maurer, Pontil (2009), Empirical Bernstein Bounds, COLT, theorem 4, for the shape of the bound.
    """
    num_classes = pred_probs.shape[1]
    if not len(given):
        return None
    own = self_confidence(given, pred_probs)
    known = ~np.isnan(fixed)
    if num_classes >= MANY_CLASSES:
        if own.mean() < _MANY_LOWEST_MEAN:
            return None
        lowest = np.full(num_classes, _MANY_LOWEST)
        highest = np.full(num_classes, MISSING_CLASS_THRESHOLD)
        return Bounds(np.where(known, fixed, lowest), np.where(known, fixed, highest))
    examples = np.bincount(given, minlength=num_classes)
    count = np.maximum(examples, 1)
    mean = np.bincount(given, own, num_classes) / count
    squares = np.bincount(given, own * own, num_classes) / count
    variance = np.maximum(squares - mean * mean, 0.0) * count / np.maximum(count - 1, 1)
    width = _ERRORS * np.sqrt(variance / count) + _ROWS / count
    few = examples < 2
    lowest = np.where(few, 0.0, np.maximum(mean - width, mean * _LOWEST_SHARE))
    lowest = np.maximum(lowest, LOWEST_THRESHOLD)
    highest = np.where(few, MISSING_CLASS_THRESHOLD, np.maximum(mean + width, LOWEST_THRESHOLD))
    margins = None
    if frac_noise is not None:
        thresholds = np.where(known, fixed, np.where(examples > 0, mean, MISSING_CLASS_THRESHOLD))
        classes = confident_classes(pred_probs, thresholds, collision=collision)
        joint = confident_joint(count_pairs(given, classes, num_classes))
        quotas = prune_counts(
            calibrate_joint(joint, examples), min_examples=0, frac_noise=frac_noise
        )
        margins = _lowest_margins(given, pred_probs, own, quotas)
    return Bounds(np.where(known, fixed, lowest), np.where(known, fixed, highest), margins)


def remember_bounds(
    thresholds: NDArray[np.float64],
    examples: NDArray[np.int64],
    lowest_margins: Mapping[int, float],
) -> str:
    """Write down what a later run of the same configuration may expect.

    Parameters
    ----------
    thresholds : ndarray of float64, shape (K,)
    examples : ndarray of int64, shape (K,)
    lowest_margins : mapping
        Margin at which the quota of a pair was reached, by given * K + true.

    Returns
    -------
    str
        JSON. Of many classes without the margins.
    """
    content: dict[str, Any] = {"thresholds": thresholds.tolist(), "examples": examples.tolist()}
    if len(thresholds) < MANY_CLASSES:
        margins = sorted(lowest_margins.items())
        content["lowest_margins"] = [
            [pair, max(margin, BELOW_EVERY_MARGIN)] for pair, margin in margins
        ]
    return json.dumps(content)


def recalled_bounds(text: str, *, fixed: NDArray[np.float64], pairs: bool) -> Bounds | None:
    """Bound thresholds and cutoffs by those of an earlier run.

    Parameters
    ----------
    text : str
        Of `remember_bounds`.
    fixed : ndarray of float64, shape (K,)
        Thresholds that are not computed; NaN elsewhere.
    pairs : bool
        Whether cutoffs of class pairs are wanted.

    Returns
    -------
    Bounds or None
        None where the earlier run says nothing useful.
    """
    content = json.loads(text)
    thresholds, examples = np.array(content["thresholds"]), np.array(content["examples"])
    size = len(fixed)
    if len(thresholds) != size:
        return None
    width = _DRIFT + _ROWS / np.maximum(examples, 1)
    lowest = np.maximum(thresholds - width, thresholds * _LOWEST_SHARE)
    lowest = np.where(examples > 0, np.maximum(lowest, LOWEST_THRESHOLD), LOWEST_THRESHOLD)
    highest = np.where(examples > 0, thresholds + width, MISSING_CLASS_THRESHOLD)
    margins = None
    if pairs and "lowest_margins" in content:
        # a pair that had no quota may get a small one, which rows above 0 reach
        margins = np.zeros((size, size))
        for pair, margin in content["lowest_margins"]:
            margins.flat[pair] = max(margin - _CUT_DRIFT, BELOW_EVERY_MARGIN)
        np.fill_diagonal(margins, np.inf)
    known = ~np.isnan(fixed)
    return Bounds(np.where(known, fixed, lowest), np.where(known, fixed, highest), margins)


def _lowest_margins(
    given: NDArray[np.int64],
    pred_probs: NDArray[np.float64],
    own: NDArray[np.float64],
    quotas: NDArray[np.int64],
) -> NDArray[np.float64] | None:
    """Find the margin of each pair that some more rows than its quota reach."""
    wanted = np.ceil(quotas * _QUOTA_SHARE).astype(np.int64) + _QUOTA_ROWS
    np.fill_diagonal(wanted, 0)
    examples = np.bincount(given, minlength=len(quotas))
    if np.minimum(wanted, examples[:, None]).sum() > _MOST_ENTRIES * len(given):
        return None
    bounds = np.full(quotas.shape, BELOW_EVERY_MARGIN)
    by_class = np.split(np.argsort(given, kind="stable"), np.cumsum(examples)[:-1])
    for k, rows in enumerate(by_class):
        margins = np.sort(pred_probs[rows] - own[rows, None], axis=0)
        for j in np.flatnonzero(wanted[k] <= len(rows)):
            bounds[k, j] = margins[-wanted[k, j], j] if j != k else np.inf
    np.fill_diagonal(bounds, np.inf)
    return bounds
