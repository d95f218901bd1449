"""Find label issues in arrays in memory: the reference's function, with exact answers.

The cluster and this module return the same bits; here, ties go by position.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sparkclean.confident.admission import check_arrays
from sparkclean.confident.filters import Selection, prune_counts
from sparkclean.confident.joint import (
    COLLISION_RULES,
    NOT_CONFIDENT,
    calibrate_joint,
    confident_classes,
    count_pairs,
)
from sparkclean.confident.joint import (
    confident_joint as raise_diagonal,
)
from sparkclean.confident.noise import NoiseModel, estimate_noise
from sparkclean.confident.scores import (
    PRIOR_SHIFTED,
    ScoreInputs,
    label_quality,
    prior_shift,
    self_confidence,
)
from sparkclean.confident.thresholds import confident_thresholds
from sparkclean.errors import ConfigError, UnsupportedFeatureError
from sparkclean.numbers.fixed_point import sum_by_class, sum_columns
from sparkclean.schema import FILTERS, PRUNING_FILTERS, SCORES

_BLOCK = 1 << 17  # rows whose sums stay exact in 64 bits; also bounds temporaries


@dataclass(frozen=True)
class ArrayFindings:
    """What an audit of arrays found.

    Attributes
    ----------
    thresholds : ndarray of float64, shape (K,)
    examples : ndarray of int64, shape (K,)
        Examples given each class.
    noise : NoiseModel
    outcomes : ndarray of int64, shape (N,)
        Confident class of each row, or -1.
    is_label_issue : ndarray of bool, shape (N,)
    label_quality : ndarray of float64, shape (N,)
    """

    thresholds: NDArray[np.float64]
    examples: NDArray[np.int64]
    noise: NoiseModel
    outcomes: NDArray[np.int64]
    is_label_issue: NDArray[np.bool_]
    label_quality: NDArray[np.float64]


@overload
def find_label_issues(
    labels: ArrayLike,
    pred_probs: ArrayLike,
    *,
    return_indices_ranked_by: None = ...,
    rank_by_kwargs: Mapping[str, Any] | None = ...,
    filter_by: str = ...,
    frac_noise: float = ...,
    num_to_remove_per_class: Sequence[int] | None = ...,
    min_examples_per_class: int = ...,
    confident_joint: ArrayLike | None = ...,
    n_jobs: int | None = ...,
    verbose: bool = ...,
    multi_label: bool = ...,
    collision: str = ...,
) -> NDArray[np.bool_]: ...


@overload
def find_label_issues(
    labels: ArrayLike,
    pred_probs: ArrayLike,
    *,
    return_indices_ranked_by: str,
    rank_by_kwargs: Mapping[str, Any] | None = ...,
    filter_by: str = ...,
    frac_noise: float = ...,
    num_to_remove_per_class: Sequence[int] | None = ...,
    min_examples_per_class: int = ...,
    confident_joint: ArrayLike | None = ...,
    n_jobs: int | None = ...,
    verbose: bool = ...,
    multi_label: bool = ...,
    collision: str = ...,
) -> NDArray[np.intp]: ...


def find_label_issues(
    labels: ArrayLike,
    pred_probs: ArrayLike,
    *,
    return_indices_ranked_by: str | None = None,
    rank_by_kwargs: Mapping[str, Any] | None = None,
    filter_by: str = "prune_by_noise_rate",
    frac_noise: float = 1.0,
    num_to_remove_per_class: Sequence[int] | None = None,
    min_examples_per_class: int = 1,
    confident_joint: ArrayLike | None = None,
    n_jobs: int | None = None,  # noqa: ARG001 (accepted so that a caller changes one import)
    verbose: bool = False,  # noqa: ARG001
    multi_label: bool = False,
    collision: str = "cleanlab-2.9",
) -> NDArray[np.bool_] | NDArray[np.intp]:
    """Find label issues with confident learning.

    The signature and the return values are those of ``cleanlab.filter.find_label_issues``.

    Parameters
    ----------
    labels : array_like of int, shape (N,)
        Given classes, in 0..K-1.
    pred_probs : array_like of float, shape (N, K)
        Out-of-sample predicted probabilities; column k belongs to class k.
    return_indices_ranked_by : str, optional
        A score (``self_confidence``, ``normalized_margin``, ``confidence_weighted_entropy``,
        ``prior_shifted_self_confidence``): indices are returned, worst first, instead of a mask.
    rank_by_kwargs : mapping, optional
        ``adjust_pred_probs``: whether to rank by adjusted probabilities.
    filter_by : str
        ``prune_by_noise_rate``, ``prune_by_class``, ``both``, ``confident_learning``,
        ``predicted_neq_given``, ``low_normalized_margin`` or ``low_self_confidence``.
    frac_noise : float
        Share of the estimated noise to flag (``prune_*`` and ``both``).
    num_to_remove_per_class : sequence of int, length K, optional
        Rows to flag in each class (``prune_*`` and ``both``).
    min_examples_per_class : int
        Rows to leave in each class (``prune_*`` and ``both``).
    confident_joint : array_like of int, shape (K, K), optional
        Used in place of the calibrated joint (``prune_*`` and ``both``).
    n_jobs, verbose
        Accepted and without effect.
    multi_label : bool
        Not supported.
    collision : {"cleanlab-2.9", "paper"}
        Rule for an example that is confident in several classes.

    Returns
    -------
    ndarray of bool, shape (N,), or ndarray of int
        Mask of label issues, or their indices, worst first; ties by position.

    Raises
    ------
    InputError
        If labels or probabilities are invalid.
    ConfigError
        If an option is unknown or contradicts another.
    UnsupportedFeatureError
        If ``multi_label`` is set.

    Notes
    -----
    Ties are cut by position and the calibrated joint is rounded in integers, so the answer does
    not depend on processor or library version. ``num_to_remove_per_class`` scales the quotas of
    each given class to the number wanted; the reference's own scaling mixes rows and columns.

    References
    ----------
    Northcutt, Jiang, Chuang (2021), Confident Learning, JAIR 70, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> p = np.array([[.9, .1], [.8, .2], [.2, .8], [.1, .9], [.95, .05]])
    >>> find_label_issues([0, 0, 1, 1, 1], p, filter_by="confident_learning")
    array([False, False, False, False,  True])
    """
    if multi_label:
        raise UnsupportedFeatureError(
            "multi_label is not supported: labels must be one class per example. "
            "Audit each class of a multi-label data set as a table of its own with K = 2."
        )
    if num_to_remove_per_class is not None or confident_joint is not None:
        _check_pruning(filter_by)
    if frac_noise != 1.0 and filter_by not in PRUNING_FILTERS:
        warnings.warn(f"frac_noise has no effect with filter_by={filter_by!r}", stacklevel=2)
    findings = audit_arrays(
        labels,
        pred_probs,
        filter_by=filter_by,
        ranked_by=return_indices_ranked_by or "self_confidence",
        adjust_pred_probs=bool((rank_by_kwargs or {}).get("adjust_pred_probs", False)),
        frac_noise=frac_noise,
        min_examples_per_class=min_examples_per_class,
        collision=collision,
        confident_joint=confident_joint,
        num_to_remove_per_class=num_to_remove_per_class,
    )
    if return_indices_ranked_by is None:
        return findings.is_label_issue
    issues = np.flatnonzero(findings.is_label_issue)
    return issues[np.argsort(findings.label_quality[issues], kind="stable")]


def audit_arrays(
    labels: ArrayLike,
    pred_probs: ArrayLike,
    *,
    filter_by: str = "prune_by_noise_rate",
    ranked_by: str = "self_confidence",
    adjust_pred_probs: bool = False,
    frac_noise: float = 1.0,
    min_examples_per_class: int = 1,
    collision: Literal["cleanlab-2.9", "paper"] | str = "cleanlab-2.9",
    row_sum_tolerance: float = 1e-3,
    thresholds: ArrayLike | None = None,
    confident_joint: ArrayLike | None = None,
    num_to_remove_per_class: Sequence[int] | None = None,
) -> ArrayFindings:
    """Audit arrays in memory: thresholds, joint, noise model, label issues and scores.

    Parameters
    ----------
    labels : array_like of int, shape (N,)
    pred_probs : array_like of float, shape (N, K)
    filter_by, ranked_by, adjust_pred_probs, frac_noise, min_examples_per_class, collision
        As in the configuration's section ``method``.
    row_sum_tolerance : float
        Largest accepted distance of a row's sum from 1.
    thresholds : array_like of float, shape (K,), optional
        Used in place of the mean self-confidences.
    confident_joint, num_to_remove_per_class
        As in `find_label_issues`.

    Returns
    -------
    ArrayFindings

    Raises
    ------
    InputError
        If labels or probabilities are invalid.
    ConfigError
        If an option is unknown or contradicts another.

    Notes
    -----
    Memory about 3 N K float64, time linear in N K plus a sort of N.
    """
    _check_choice("filter_by", filter_by, FILTERS)
    _check_choice("ranked_by", ranked_by, SCORES)
    _check_choice("collision", collision, COLLISION_RULES)
    given, probabilities = check_arrays(labels, pred_probs, row_sum_tolerance)
    num_classes = probabilities.shape[1]
    examples = np.bincount(given, minlength=num_classes)
    own = self_confidence(given, probabilities)
    used_thresholds = (
        confident_thresholds(_add_blocks(own, given, num_classes), examples.tolist())
        if thresholds is None
        else np.asarray(thresholds, np.float64)
    )
    outcomes = np.full(len(given), NOT_CONFIDENT)
    for start in range(0, len(given), _BLOCK):
        block = slice(start, start + _BLOCK)
        outcomes[block] = confident_classes(
            probabilities[block], used_thresholds, collision=collision
        )
    joint = raise_diagonal(count_pairs(given, outcomes, num_classes))
    noise = estimate_noise(joint, calibrate_joint(joint, examples), examples)
    used = noise.calibrated_joint if confident_joint is None else np.asarray(confident_joint)
    quotas = prune_counts(used, min_examples=min_examples_per_class, frac_noise=frac_noise)
    if num_to_remove_per_class is not None:
        quotas = _scale_quotas(quotas, np.asarray(num_to_remove_per_class), examples)
    selection = Selection(given, probabilities, outcomes, quotas, min_examples_per_class)
    shift = None
    if ranked_by == PRIOR_SHIFTED:
        columns = [0] * num_classes
        for start in range(0, len(given), _BLOCK):
            sums = sum_columns(probabilities[start : start + _BLOCK])
            columns = [a + int(b) for a, b in zip(columns, sums, strict=True)]
        shift = prior_shift(noise.calibrated_joint, columns, len(given))
    try:
        quality = label_quality(
            given,
            probabilities,
            method=ranked_by,
            adjusted=adjust_pred_probs,
            inputs=ScoreInputs(used_thresholds, shift),
        )
    except ValueError as exc:
        raise ConfigError(str(exc)) from exc
    return ArrayFindings(
        used_thresholds, examples, noise, outcomes, selection.select(filter_by), quality
    )


def _add_blocks(own: NDArray[np.float64], given: NDArray[np.int64], num_classes: int) -> list[int]:
    totals = [0] * num_classes
    for start in range(0, len(own), _BLOCK):
        block = slice(start, start + _BLOCK)
        sums = sum_by_class(given[block], own[block], num_classes)
        totals = [a + int(b) for a, b in zip(totals, sums, strict=True)]
    return totals


def _check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ConfigError(f"{name}={value!r} is unknown; choose one of {', '.join(choices)}")


def _check_pruning(filter_by: str) -> None:
    if filter_by not in PRUNING_FILTERS:
        raise ConfigError(
            "num_to_remove_per_class and confident_joint need a filter_by of "
            f"{', '.join(PRUNING_FILTERS)}; {filter_by!r} has no quotas"
        )


def _scale_quotas(
    quotas: NDArray[np.int64], wanted: NDArray[np.integer], examples: NDArray[np.integer]
) -> NDArray[np.int64]:
    """Scale the off-diagonal quotas of each given class to the number of rows wanted."""
    if wanted.shape != examples.shape or (wanted < 0).any() or (wanted > examples).any():
        raise ConfigError(
            "num_to_remove_per_class needs one number for each class, "
            "between 0 and the examples given it"
        )
    off_diagonal = quotas.copy()
    np.fill_diagonal(off_diagonal, 0)
    scaled = calibrate_joint(off_diagonal, wanted)
    np.fill_diagonal(scaled, examples - wanted)
    return scaled
