"""Label quality scores: one number in [0, 1] a row, low means suspicious."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparkclean.confident.thresholds import MISSING_CLASS_THRESHOLD
from sparkclean.numbers.fixed_point import ONE, portable_log, sum_rows
from sparkclean.schema import ADJUSTABLE_SCORES

#: Below every probability: takes a class out of an argmax.
BELOW_EVERY_PROBABILITY = -1.0
_LOWEST = 1e-6

#: The score that needs the noise model.
PRIOR_SHIFTED = "prior_shifted_self_confidence"
#: Scores that need the whole row of probabilities, not only the given class and its best rival.
WIDE_SCORES = ("confidence_weighted_entropy", PRIOR_SHIFTED)


@dataclass(frozen=True)
class ScoreInputs:
    """What scores need beyond the row itself.

    Attributes
    ----------
    thresholds : ndarray of float64, shape (K,), or None
        For adjusted probabilities.
    prior_shift : ndarray of float64, shape (K,), or None
        q_j / m_j for ``prior_shifted_self_confidence``.
    """

    thresholds: NDArray[np.float64] | None = None
    prior_shift: NDArray[np.float64] | None = None


def self_confidence(
    given: NDArray[np.integer], pred_probs: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Pick each row's probability of its given class.

    Parameters
    ----------
    given : ndarray of int, shape (N,)
    pred_probs : ndarray of float64, shape (N, K)

    Returns
    -------
    ndarray of float64, shape (N,)
    """
    own = np.take_along_axis(pred_probs, given[:, None], axis=1)[:, 0]
    return own.astype(np.float64, copy=False)


def best_other(
    given: NDArray[np.integer], pred_probs: NDArray[np.floating]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Find each row's most probable class other than the given one, the first on a tie.

    Parameters
    ----------
    given : ndarray of int, shape (N,)
    pred_probs : ndarray of float64, shape (N, K)
        Not negative; K at least 2.

    Returns
    -------
    classes : ndarray of int64, shape (N,)
    probabilities : ndarray of float64, shape (N,)
    """
    others = pred_probs.copy()
    np.put_along_axis(others, given[:, None], BELOW_EVERY_PROBABILITY, axis=1)
    classes = others.argmax(axis=1)
    probabilities = np.take_along_axis(others, classes[:, None], axis=1)[:, 0]
    return classes, probabilities.astype(np.float64, copy=False)


def normalized_margin(
    self_confidence: NDArray[np.float64], best_other: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Compute (p_given - max of the others + 1) / 2.

    Parameters
    ----------
    self_confidence, best_other : ndarray of float64, shape (N,)

    Returns
    -------
    ndarray of float64, shape (N,)
    """
    return (self_confidence - best_other + 1.0) / 2.0


def confidence_weighted_entropy(
    given: NDArray[np.integer], pred_probs: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Score rows by their entropy over their self-confidence.

    Parameters
    ----------
    given : ndarray of int, shape (N,)
    pred_probs : ndarray of float64, shape (N, K)

    Returns
    -------
    ndarray of float64, shape (N,)
        log(s + 1) / max(s, 1e-6) with s = (entropy / log K) / max(p_given, 1e-6).

    Notes
    -----
    The terms are added in a fixed order, so that the score has the same bits everywhere. They are
    not rounded first: below an entropy of 1e-6 the score hangs on digits far behind 2**-40.
    """
    num_classes = pred_probs.shape[1]
    terms = pred_probs * portable_log(np.where(pred_probs > 0.0, pred_probs, 1.0))
    entropy = -sum_rows(terms)
    normalized = entropy / float(portable_log(np.array([float(num_classes)]))[0])
    s = normalized / np.maximum(self_confidence(given, pred_probs), _LOWEST)
    score: NDArray[np.float64] = portable_log(s + 1.0) / np.maximum(s, _LOWEST)
    return score


def adjust_pred_probs(
    pred_probs: NDArray[np.float64], thresholds: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Subtract the class thresholds from the probabilities and renormalise.

    Parameters
    ----------
    pred_probs : ndarray of float64, shape (N, K)
    thresholds : ndarray of float64, shape (K,)

    Returns
    -------
    ndarray of float64, shape (N, K)
        (p - t + max t) / its row sum.

    Notes
    -----
    The maximum is taken over classes that somebody is given. The reference takes it over all, and
    with a missing class (`MISSING_CLASS_THRESHOLD`) all adjusted probabilities become nearly equal
    there.
    """
    present = thresholds < MISSING_CLASS_THRESHOLD
    # nothing is known of a missing class: its probabilities stay as they are
    highest = thresholds[present].max() if present.any() else 0.0
    adjusted = np.where(present, (pred_probs - thresholds) + highest, pred_probs)
    total = sum_rows(adjusted)[:, None]
    return np.divide(adjusted, total, out=np.zeros_like(adjusted), where=total > 0.0)


def prior_shift(
    calibrated_joint: NDArray[np.int64], column_sums: Sequence[int], rows: int
) -> NDArray[np.float64]:
    """Compute the factors q_j / m_j of ``prior_shifted_self_confidence``.

    Parameters
    ----------
    calibrated_joint : ndarray of int64, shape (K, K)
        Rows given, columns true.
    column_sums : sequence of int, length K
        Sum of p_j over all rows, in units of 2**-40.
    rows : int
        N.

    Returns
    -------
    ndarray of float64, shape (K,)
        Estimated true prior over the mean probability; 0 where the model never predicts a class.
    """
    true_counts = calibrated_joint.sum(axis=0)
    return np.array(
        [
            (int(count) / rows) / (int(total) / (rows * ONE)) if total else 0.0
            for count, total in zip(true_counts, column_sums, strict=True)
        ]
    )


def prior_shifted_self_confidence(
    given: NDArray[np.integer], pred_probs: NDArray[np.float64], shift: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Self-confidence after moving the model's prior to the estimated true prior.

    Parameters
    ----------
    given : ndarray of int, shape (N,)
    pred_probs : ndarray of float64, shape (N, K)
    shift : ndarray of float64, shape (K,)
        From `prior_shift`.

    Returns
    -------
    ndarray of float64, shape (N,)
        p_given q_given / m_given over the row's sum of such products; 0 where that is 0.
    """
    shifted = pred_probs * shift
    total = sum_rows(shifted)
    own = self_confidence(given, shifted)
    return np.divide(own, total, out=np.zeros_like(own), where=total > 0.0)


def label_quality(
    given: NDArray[np.integer],
    pred_probs: NDArray[np.float64],
    *,
    method: str,
    adjusted: bool = False,
    inputs: ScoreInputs | None = None,
) -> NDArray[np.float64]:
    """Score rows by any of the methods.

    Parameters
    ----------
    given : ndarray of int, shape (N,)
    pred_probs : ndarray of float64, shape (N, K)
    method : str
        ``self_confidence``, ``normalized_margin``, ``confidence_weighted_entropy`` or
        ``prior_shifted_self_confidence``.
    adjusted : bool
        Whether to score adjusted probabilities (the first two methods).
    inputs : ScoreInputs
        Thresholds for adjusted probabilities, factors for the prior shift.

    Returns
    -------
    ndarray of float64, shape (N,)

    Raises
    ------
    ValueError
        If the method is unknown, or cannot be adjusted.
    """
    inputs = inputs or ScoreInputs()
    if adjusted:
        if method not in ADJUSTABLE_SCORES:
            raise ValueError(
                f"adjust_pred_probs is not supported with {method}; use one of "
                + ", ".join(ADJUSTABLE_SCORES)
            )
        if inputs.thresholds is None:
            raise ValueError("adjusted scores need the thresholds")
        pred_probs = adjust_pred_probs(pred_probs, inputs.thresholds)
    if method == "self_confidence":
        return self_confidence(given, pred_probs)
    if method == "normalized_margin":
        return normalized_margin(
            self_confidence(given, pred_probs), best_other(given, pred_probs)[1]
        )
    if method == "confidence_weighted_entropy":
        return confidence_weighted_entropy(given, pred_probs)
    if method == PRIOR_SHIFTED:
        if inputs.prior_shift is None:
            raise ValueError("prior_shifted_self_confidence needs the prior shift")
        return prior_shifted_self_confidence(given, pred_probs, inputs.prior_shift)
    raise ValueError(f"unknown score {method!r}")
