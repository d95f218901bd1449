"""Losses that are robust to wrong labels, of integer labels and log-probabilities.

Written to the Python array API standard: they take arrays of numpy, and tensors of torch through
which autograd flows. Users import this module as `sparkclean.losses`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from numbers import Real
from typing import Any, ClassVar, TypeAlias

import numpy as np
from array_api_compat import device
from numpy.typing import ArrayLike, NDArray

from sparkclean.errors import ConfigError, InputError
from sparkclean.learning.loss import (
    Array,
    Loss,
    OfGivenProbability,
    cross_entropy_gradient,
    entropy,
    log_given,
    log_softmax,
    log_sum_exp,
)
from sparkclean.learning.noise_matrix import check_noise_matrix, noise_matrix_of_pairs

__all__ = [
    "LOSSES",
    "CrossEntropy",
    "ForwardCorrection",
    "GeneralizedCrossEntropy",
    "HardBootstrapping",
    "Loss",
    "MeanAbsoluteError",
    "SoftBootstrapping",
    "SymmetricCrossEntropy",
    "log_softmax",
    "make_loss",
    "noise_matrix_of_pairs",
]

_Rule: TypeAlias = tuple[Callable[[float], bool], str]
_NOT_NEGATIVE: _Rule = (lambda value: value >= 0.0, "of at least 0")
_NEGATIVE: _Rule = (lambda value: value < 0.0, "below 0")
_SHARE: _Rule = (lambda value: 0.0 <= value <= 1.0, "from 0 to 1")
_POSITIVE_SHARE: _Rule = (lambda value: 0.0 < value <= 1.0, "above 0, at most 1")


@dataclass(frozen=True)
class CrossEntropy(OfGivenProbability):
    """-log p_y: convex in the logits, not robust."""

    name: ClassVar[str] = "cross_entropy"

    def _value(self, xp: Any, log_own: Array) -> Array:  # noqa: ARG002
        return -log_own

    def _weight(self, xp: Any, log_own: Array) -> Array:
        return xp.ones_like(log_own)


@dataclass(frozen=True)
class SymmetricCrossEntropy(OfGivenProbability):
    """alpha times cross entropy plus beta times reverse cross entropy, -A (1 - p_y).

    Attributes
    ----------
    alpha, beta : float
        At least 0. 0.1 and 1 are the paper's for CIFAR-10, 6 and 0.1 for CIFAR-100.
    log_zero : float
        A of the paper, which stands for log 0; below 0.

    References
    ----------
    Wang, Ma, Chen, Luo, Yi, Bailey (2019), Symmetric Cross Entropy for Robust Learning with Noisy
    Labels, ICCV, section 3.
    """

    name: ClassVar[str] = "symmetric_cross_entropy"
    alpha: float = 0.1
    beta: float = 1.0
    log_zero: float = -4.0

    def __post_init__(self) -> None:
        _check_parameters(self, alpha=_NOT_NEGATIVE, beta=_NOT_NEGATIVE, log_zero=_NEGATIVE)

    def _value(self, xp: Any, log_own: Array) -> Array:
        # 1 - p without cancellation where p is nearly 1
        return -self.alpha * log_own + self.beta * self.log_zero * xp.expm1(log_own)

    def _weight(self, xp: Any, log_own: Array) -> Array:
        return self.alpha - self.beta * self.log_zero * xp.exp(log_own)


@dataclass(frozen=True)
class GeneralizedCrossEntropy(OfGivenProbability):
    """(1 - p_y**q) / q: cross entropy as q goes to 0, half the mean absolute error at q = 1.

    Attributes
    ----------
    q : float
        Above 0, at most 1.

    References
    ----------
    Zhang, Sabuncu (2018), Generalized Cross Entropy Loss for Training Deep Neural Networks with
    Noisy Labels, NeurIPS, section 3.
    """

    name: ClassVar[str] = "generalized_cross_entropy"
    q: float = 0.7

    def __post_init__(self) -> None:
        _check_parameters(self, q=_POSITIVE_SHARE)

    def _value(self, xp: Any, log_own: Array) -> Array:
        return -xp.expm1(self.q * log_own) / self.q

    def _weight(self, xp: Any, log_own: Array) -> Array:
        return xp.exp(self.q * log_own)


@dataclass(frozen=True)
class MeanAbsoluteError(OfGivenProbability):
    """The sum of |e_y - p|, which is 2 (1 - p_y): robust, and slow to learn.

    Notes
    -----
    Summed over classes, not averaged, as in the paper: twice the generalised cross entropy of
    q = 1.

    References
    ----------
    Ghosh, Kumar, Sastry (2017), Robust Loss Functions under Label Noise for Deep Neural Networks,
    AAAI.
    """

    name: ClassVar[str] = "mean_absolute_error"

    def _value(self, xp: Any, log_own: Array) -> Array:
        return -2.0 * xp.expm1(log_own)

    def _weight(self, xp: Any, log_own: Array) -> Array:
        return 2.0 * xp.exp(log_own)


@dataclass(frozen=True)
class SoftBootstrapping(Loss):
    """Cross entropy with the target beta e_y + (1 - beta) p.

    Attributes
    ----------
    beta : float
        From 0 to 1: the part of the given label.

    Notes
    -----
    The gradient flows through both factors of p log p, as the paper has it: the loss is cross
    entropy with a penalty on the entropy of p.

    References
    ----------
    Reed, Lee, Anguelov, Szegedy, Erhan, Rabinovich (2015), Training Deep Neural Networks on Noisy
    Labels with Bootstrapping, ICLR workshop; its soft loss.
    """

    name: ClassVar[str] = "soft_bootstrapping"
    beta: float = 0.95

    def __post_init__(self) -> None:
        _check_parameters(self, beta=_SHARE)

    def _losses(self, xp: Any, labels: Array, log_probs: Array) -> Array:
        own = log_given(xp, labels, log_probs)
        return -self.beta * own + (1.0 - self.beta) * entropy(xp, log_probs)[:, 0]

    def _gradient(self, xp: Any, labels: Array, log_probs: Array) -> Array:
        of_entropy = -xp.exp(log_probs) * (log_probs + entropy(xp, log_probs))
        of_label = cross_entropy_gradient(xp, labels, log_probs)
        return self.beta * of_label + (1.0 - self.beta) * of_entropy


@dataclass(frozen=True)
class HardBootstrapping(Loss):
    """Cross entropy with the target beta e_y + (1 - beta) e_z, z the most probable class.

    Attributes
    ----------
    beta : float
        From 0 to 1: the part of the given label.

    Notes
    -----
    The target is a constant: no gradient flows through z.

    References
    ----------
    Reed, Lee, Anguelov, Szegedy, Erhan, Rabinovich (2015), Training Deep Neural Networks on Noisy
    Labels with Bootstrapping, ICLR workshop; its hard loss.
    """

    name: ClassVar[str] = "hard_bootstrapping"
    beta: float = 0.8

    def __post_init__(self) -> None:
        _check_parameters(self, beta=_SHARE)

    def _losses(self, xp: Any, labels: Array, log_probs: Array) -> Array:
        own = log_given(xp, labels, log_probs)
        return -self.beta * own - (1.0 - self.beta) * xp.max(log_probs, axis=1)

    def _gradient(self, xp: Any, labels: Array, log_probs: Array) -> Array:
        best = xp.argmax(log_probs, axis=1)
        of_label = cross_entropy_gradient(xp, labels, log_probs)
        return self.beta * of_label + (1.0 - self.beta) * cross_entropy_gradient(
            xp, best, log_probs
        )


@dataclass(frozen=True, eq=False)
class ForwardCorrection(Loss):
    """Cross entropy of the given label's probability, by the noise matrix: -log (M p)_y.

    Attributes
    ----------
    noise_matrix : ndarray of float64, shape (K, K)
        P(given | true), rows given, columns true, as an audit estimates it
        (`sparkclean.confident.noise.NoiseModel.noise_matrix`) and its table of class pairs keeps it
        (`noise_matrix_of_pairs`). Columns sum to 1, or to 0 for a class that is never true. It is
        the transpose of the paper's T, whose rows are true. Classes in the order of the labels.

    References
    ----------
    Patrini, Rozza, Menon, Nock, Qu (2017), Making Deep Neural Networks Robust to Label Noise: a
    Loss Correction Approach, CVPR, theorem 2.
    """

    name: ClassVar[str] = "forward_correction"
    noise_matrix: ArrayLike
    _log_noise: NDArray[np.float64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        matrix = np.array(self.noise_matrix, dtype=np.float64)
        check_noise_matrix(matrix)
        with np.errstate(divide="ignore"):
            log_noise = np.log(matrix)
        matrix.flags.writeable = False
        object.__setattr__(self, "noise_matrix", matrix)
        object.__setattr__(self, "_log_noise", log_noise)

    def _losses(self, xp: Any, labels: Array, log_probs: Array) -> Array:
        return -log_sum_exp(self._log_joint(xp, labels, log_probs))[:, 0]

    def _gradient(self, xp: Any, labels: Array, log_probs: Array) -> Array:
        # what the true class is by now, of those of whom y is given
        return xp.exp(log_probs) - xp.exp(log_softmax(self._log_joint(xp, labels, log_probs)))

    def _log_joint(self, xp: Any, labels: Array, log_probs: Array) -> Array:
        """Compute log P(given y, true j) of each row and class j, shape (n, K)."""
        size = self._log_noise.shape[0]
        if log_probs.shape[1] != size:
            raise ConfigError(
                f"{self.name}: noise_matrix is of {size} classes and the probabilities of "
                f"{log_probs.shape[1]}; give a row and a column to each class of the labels"
            )
        log_noise = xp.asarray(self._log_noise, dtype=log_probs.dtype, device=device(log_probs))
        of_given = xp.take(log_noise, labels, axis=0)
        if not bool(xp.all(xp.max(of_given, axis=1) > -math.inf)):
            never = np.flatnonzero(np.isneginf(self._log_noise).all(axis=1))[:5]
            raise InputError(
                f"noise_matrix says that classes {never.tolist()} are never given, and there are "
                "rows with such a label; audit the data that is trained on"
            )
        return of_given + log_probs


#: By what a configuration calls them.
LOSSES: Mapping[str, type[Loss]] = {
    loss.name: loss
    for loss in (
        CrossEntropy,
        SymmetricCrossEntropy,
        GeneralizedCrossEntropy,
        MeanAbsoluteError,
        SoftBootstrapping,
        HardBootstrapping,
        ForwardCorrection,
    )
}


def make_loss(name: str, parameters: Mapping[str, Any] | None = None) -> Loss:
    """Make a loss by its name.

    Parameters
    ----------
    name : str
        One of `LOSSES`.
    parameters : mapping, optional
        Attributes of the loss; those left out have their defaults.

    Returns
    -------
    Loss

    Raises
    ------
    ConfigError
        If there is no such loss, or it has no such parameters, or not with these values.
    """
    if name not in LOSSES:
        raise ConfigError(f"there is no loss {name!r}; use one of {', '.join(LOSSES)}")
    kind, given = LOSSES[name], dict(parameters or {})
    known = {entry.name: entry for entry in fields(kind) if entry.init}  # type: ignore[arg-type]
    words = f"it takes {', '.join(known)}" if known else "it takes none"
    findings = [f"{name}: has no parameter {key!r}; {words}" for key in given if key not in known]
    findings += [
        f"{name}: {key} is missing; give it"
        for key, entry in known.items()
        if entry.default is MISSING and key not in given
    ]
    if findings:
        raise ConfigError(findings)
    return kind(**given)


def _check_parameters(loss: Loss, **rules: _Rule) -> None:
    findings = []
    for name, (holds, words) in rules.items():
        value = getattr(loss, name)
        if not (isinstance(value, Real) and math.isfinite(value) and holds(float(value))):
            findings.append(f"{loss.name}: {name} is {value!r}; give a number {words}")
            continue
        # a scalar of numpy would change the type of the arrays that it meets
        object.__setattr__(loss, name, float(value))
    if findings:
        raise ConfigError(findings)
