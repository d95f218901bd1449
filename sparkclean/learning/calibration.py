"""Calibration of predicted probabilities, fitted on held-out predictions.

Runs on executors: numpy, scipy and scikit-learn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from sklearn.isotonic import IsotonicRegression

from sparkclean.confident.scores import self_confidence
from sparkclean.learning.quality import LOWEST_PROBABILITY
from sparkclean.numbers.fixed_point import sum_rows
from sparkclean.schema import CALIBRATIONS

#: Limits of the temperature. A model that knows nothing, and is sure of it, needs a high one; few
#: rows that are all predicted rightly ask for the lowest, which must not make all else 0.
TEMPERATURES = (0.05, 1000.0)
#: Precision of the logarithm of the temperature.
_PRECISION = 1e-6
# Of two numbers in this ratio to each other, divided by a third, the greater one stays greater.
_BELOW_ONE = 1.0 - 2.0**-52


class Calibration(Protocol):
    """Maps probabilities to calibrated ones, each row for itself; can be pickled."""

    def apply(self, pred_probs: NDArray[np.floating]) -> NDArray[np.floating]:
        """Calibrate rows.

        Parameters
        ----------
        pred_probs : ndarray of float, shape (N, K)
            Probabilities in [0, 1].

        Returns
        -------
        ndarray of float64, shape (N, K)
            Rows sum to 1 up to rounding; without calibration the argument itself.
        """


@dataclass(frozen=True)
class Uncalibrated:
    """Probabilities as the model gives them."""

    def apply(self, pred_probs: NDArray[np.floating]) -> NDArray[np.floating]:
        """Give the probabilities back."""
        return pred_probs


@dataclass(frozen=True)
class Temperature:
    """p ** (1 / T), normalised: log-probabilities over a temperature.

    Attributes
    ----------
    temperature : float
        T > 0. Above 1 probabilities move towards 1 / K, below 1 away from it.
    floors : tuple of float, length K, or None
        What smaller probabilities of each class are raised to before. None: 2**-52.
    """

    temperature: float
    floors: tuple[float, ...] | None = None  # a default: older models have none

    def apply(self, pred_probs: NDArray[np.floating]) -> NDArray[np.float64]:
        """Calibrate rows; the argmax stays, and so do ties for it.

        Parameters
        ----------
        pred_probs : ndarray of float, shape (N, K)

        Returns
        -------
        ndarray of float64, shape (N, K)
        """
        ratios = _to_best(pred_probs, self.floors)
        powers = ratios ** (1.0 / self.temperature)
        # rounding must make no new ties: the argmax is the first of them
        powers = np.minimum(powers, np.where(ratios < 1.0, _BELOW_ONE, 1.0))
        return powers / sum_rows(powers)[:, None]


@dataclass(frozen=True, eq=False)
class Isotonic:
    """A rising curve for each class, then normalised. The argmax may change.

    Attributes
    ----------
    curves : tuple of (ndarray, ndarray) or None, length K
        Probabilities, ascending, and the calibrated ones; straight lines between, level beyond.
        None leaves the probabilities of the class as they are.
    """

    curves: tuple[tuple[NDArray[np.float64], NDArray[np.float64]] | None, ...]

    def apply(self, pred_probs: NDArray[np.floating]) -> NDArray[np.float64]:
        """Calibrate rows; one in which no class is left stays as it is.

        Parameters
        ----------
        pred_probs : ndarray of float, shape (N, K)

        Returns
        -------
        ndarray of float64, shape (N, K)
        """
        before = pred_probs.astype(np.float64)
        after = before.copy()
        for k, curve in enumerate(self.curves):
            if curve is not None:
                after[:, k] = np.interp(before[:, k], *curve)
        total = sum_rows(after)[:, None]
        return np.divide(after, total, out=before, where=total > 0.0)


def fit_calibration(
    method: str,
    pred_probs: NDArray[np.floating],
    given: NDArray[np.integer],
    floors: tuple[float, ...] | None = None,
) -> Calibration:
    """Fit a calibration on held-out predictions.

    Parameters
    ----------
    method : str
        ``none``, ``temperature`` or ``isotonic``.
    pred_probs : ndarray of float, shape (N, K)
        Probabilities that a model gave to rows on which it was not fitted.
    given : ndarray of int, shape (N,)
        Class of each row, in 0..K-1.
    floors : tuple of float, length K, optional
        Of ``temperature``.

    Returns
    -------
    Calibration

    Raises
    ------
    ValueError
        If the method is unknown.

    Notes
    -----
    The order of the rows does not matter, to the bit, on one machine. Another processor may give
    the last digits otherwise: numpy's ``exp`` and ``power`` differ, as do the models themselves.
    """
    if method == "none":
        return Uncalibrated()
    if method == "temperature":
        return fit_temperature(pred_probs, given, floors)
    if method == "isotonic":
        return fit_isotonic(pred_probs, given)
    raise ValueError(f"unknown calibration {method!r}; use one of {', '.join(CALIBRATIONS)}")


def fit_temperature(
    pred_probs: NDArray[np.floating],
    given: NDArray[np.integer],
    floors: tuple[float, ...] | None = None,
) -> Temperature:
    """Find the temperature of least log loss.

    Parameters
    ----------
    pred_probs : ndarray of float, shape (N, K)
    given : ndarray of int, shape (N,)
    floors : tuple of float, length K, optional
        Of `Temperature`; above 0 for the classes that are given.

    Returns
    -------
    Temperature
        Within `TEMPERATURES`; 1 where no other is better, as without rows.

    Notes
    -----
    The log loss is convex in 1 / T, so it has one valley over log T. About 30 evaluations, each N K
    exponentials; two more arrays of the size of the probabilities as float64.

    References
    ----------
    Guo, Pleiss, Sun, Weinberger (2017), On Calibration of Modern Neural Networks, ICML, section
    4.2, eq. 9.
    """
    with np.errstate(divide="ignore"):  # a class without a floor may be impossible
        logits = np.log(_to_best(pred_probs, floors))
    own = self_confidence(given, logits)

    def log_loss(log_temperature: float) -> float:
        power = math.exp(-log_temperature)
        losses = np.log(sum_rows(np.exp(logits * power))) - own * power
        # the exact sum, rounded once: the same in any order of the rows
        return math.fsum(losses.tolist())

    limits = tuple(math.log(limit) for limit in TEMPERATURES)
    found = minimize_scalar(
        log_loss, bounds=limits, method="bounded", options={"xatol": _PRECISION}
    )
    return Temperature(math.exp(found.x) if found.fun < log_loss(0.0) else 1.0, floors)


def fit_isotonic(pred_probs: NDArray[np.floating], given: NDArray[np.integer]) -> Isotonic:
    """Fit an isotonic regression of each class against the rest.

    Parameters
    ----------
    pred_probs : ndarray of float, shape (N, K)
    given : ndarray of int, shape (N,)

    Returns
    -------
    Isotonic
        A class that no row is given keeps its probabilities: nothing is known of it. The others
        get at least half a row in N: that none of N rows is of a class does not make it impossible.

    Notes
    -----
    K sorts of N numbers. A curve has at most N points, usually far fewer.

    References
    ----------
    Zadrozny, Elkan (2002), Transforming Classifier Scores into Accurate Multiclass Probability
    Estimates, KDD.
    """
    curves: list[tuple[NDArray[np.float64], NDArray[np.float64]] | None] = []
    for k in range(pred_probs.shape[1]):
        of_class = (given == k).astype(np.float64)
        if not of_class.any():
            curves.append(None)
            continue
        fitted = IsotonicRegression(out_of_bounds="clip").fit(
            pred_probs[:, k].astype(np.float64), of_class
        )
        # its points alone: applying them needs no scikit-learn, of whatever version
        lowest = 0.5 / len(given)
        curves.append((fitted.X_thresholds_, np.maximum(fitted.y_thresholds_, lowest)))
    return Isotonic(tuple(curves))


def _to_best(
    pred_probs: NDArray[np.floating], floors: tuple[float, ...] | None
) -> NDArray[np.float64]:
    """Divide probabilities, raised to the lowest that count, by the best of their row.

    A quotient is 1 where and only where the probability equals the best one.
    """
    lowest = LOWEST_PROBABILITY if floors is None else np.array(floors)
    raised = np.maximum(pred_probs, lowest, dtype=np.float64)
    return raised / raised.max(axis=1, keepdims=True)
