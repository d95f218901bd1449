"""What every noise-robust loss has: integer labels, log-probabilities, and a gradient.

The functions take arrays of any library of the Python array API standard. Torch differentiates the
losses itself; the gradients in closed form are for optimisers that cannot.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, TypeAlias

from array_api_compat import array_namespace, device

from sparkclean.errors import InputError

#: Of numpy, torch or any other library of the standard, which has no static type for it.
Array: TypeAlias = Any


def log_softmax(logits: Array) -> Array:
    """Turn logits into log-probabilities.

    Parameters
    ----------
    logits : array of float, shape (n, K)
        Finite.

    Returns
    -------
    array of float, shape (n, K)
        Finite, however far the logits lie apart.
    """
    return logits - log_sum_exp(logits)


class Loss(ABC):
    """A loss of rows, and its gradient in their logits."""

    #: What a configuration calls it.
    name: ClassVar[str]

    def losses(self, labels: Array, log_probs: Array) -> Array:
        """Compute the loss of each row.

        Parameters
        ----------
        labels : array of int, shape (n,)
            Given classes, 0 to K - 1.
        log_probs : array of float, shape (n, K)
            Natural logarithms of probabilities, as `log_softmax` returns them.

        Returns
        -------
        array of float, shape (n,)
            Of the type of ``log_probs``; in nats where the loss is a logarithm.

        Raises
        ------
        InputError
            If there is not one label a row, or one is no class.
        """
        _check_labels(labels, log_probs)
        return self._losses(array_namespace(log_probs), labels, log_probs)

    def gradient(self, labels: Array, log_probs: Array) -> Array:
        """Compute the gradient of each row's loss in the row's logits.

        Parameters
        ----------
        labels : array of int, shape (n,)
            Given classes, 0 to K - 1.
        log_probs : array of float, shape (n, K)
            The log-softmax of the logits.

        Returns
        -------
        array of float, shape (n, K)
            Each row adds up to 0, as probabilities do not change when all logits rise alike.

        Raises
        ------
        InputError
            If there is not one label a row, or one is no class.
        """
        _check_labels(labels, log_probs)
        return self._gradient(array_namespace(log_probs), labels, log_probs)

    @abstractmethod
    def _losses(self, xp: Any, labels: Array, log_probs: Array) -> Array: ...

    @abstractmethod
    def _gradient(self, xp: Any, labels: Array, log_probs: Array) -> Array: ...


class OfGivenProbability(Loss):
    """A loss that depends on p_y alone: its gradient is a weight times that of cross entropy."""

    def _losses(self, xp: Any, labels: Array, log_probs: Array) -> Array:
        return self._value(xp, log_given(xp, labels, log_probs))

    def _gradient(self, xp: Any, labels: Array, log_probs: Array) -> Array:
        weight = self._weight(xp, log_given(xp, labels, log_probs))
        return weight[:, None] * cross_entropy_gradient(xp, labels, log_probs)

    @abstractmethod
    def _value(self, xp: Any, log_own: Array) -> Array:
        """Compute the loss from log p_y."""

    @abstractmethod
    def _weight(self, xp: Any, log_own: Array) -> Array:
        """Compute minus the derivative of the loss in log p_y."""


def log_sum_exp(values: Array) -> Array:
    """Compute log of the sum of exp over each row, shape (n, 1)."""
    xp = array_namespace(values)
    highest = xp.max(values, axis=1, keepdims=True)
    return highest + xp.log(xp.sum(xp.exp(values - highest), axis=1, keepdims=True))


def entropy(xp: Any, log_probs: Array) -> Array:
    """Compute each row's entropy in nats, shape (n, 1)."""
    return -xp.sum(xp.exp(log_probs) * log_probs, axis=1, keepdims=True)


def _is_own(xp: Any, labels: Array, log_probs: Array) -> Array:
    """Mark the given class of each row, shape (n, K)."""
    classes = xp.arange(log_probs.shape[1], device=device(log_probs))
    return labels[:, None] == classes[None, :]


def log_given(xp: Any, labels: Array, log_probs: Array) -> Array:
    """Pick log p_y of each row, shape (n,)."""
    own = xp.where(_is_own(xp, labels, log_probs), log_probs, xp.zeros_like(log_probs))
    return xp.sum(own, axis=1)


def cross_entropy_gradient(xp: Any, labels: Array, log_probs: Array) -> Array:
    """Compute p - e_y, without cancellation where p_y is nearly 1, shape (n, K)."""
    return xp.where(_is_own(xp, labels, log_probs), xp.expm1(log_probs), xp.exp(log_probs))


def _check_labels(labels: Array, log_probs: Array) -> None:
    if log_probs.ndim != 2 or labels.shape != log_probs.shape[:1]:
        raise InputError(
            f"labels of shape {tuple(labels.shape)} and log_probs of shape "
            f"{tuple(log_probs.shape)}; give (n,) and (n, K)"
        )
    xp = array_namespace(labels)
    # a label that is no class would pass as a row without loss
    if not bool(xp.all((labels >= 0) & (labels < log_probs.shape[1]))):
        raise InputError(f"there are labels outside 0 to {log_probs.shape[1] - 1}; encode them")
