"""Which calibration a model gets: fitted by inner models, and none that makes other rows worse.

Runs on executors: numpy, scipy and scikit-learn.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparkclean.confident.scores import self_confidence
from sparkclean.errors import first_of
from sparkclean.learning.calibration import (
    Calibration,
    Temperature,
    Uncalibrated,
    fit_calibration,
)
from sparkclean.learning.quality import LOWEST_PROBABILITY

_log = logging.getLogger("sparkclean")

#: Of the positive probabilities, those that are smaller than the model can usually tell apart from
#: 0: two rows that lie closer than all others give a neighbour's vote any weight.
_ODD_PART = 20


@dataclass(frozen=True)
class HeldOut:
    """What inner models predict of rows that they were not trained on.

    Attributes
    ----------
    probs : ndarray of float64, shape (N, K)
        0 for classes that the inner model was not trained on.
    given : ndarray of int64, shape (N,)
    inner : ndarray of int, shape (N,)
        Number of the inner model.
    trained : ndarray of bool, shape (M, K)
        The classes that each inner model was trained on.
    """

    probs: NDArray[np.float64]
    given: NDArray[np.int64]
    inner: NDArray[np.integer]
    trained: NDArray[np.bool_]

    def take(self, rows: NDArray[np.bool_]) -> HeldOut:
        """Select rows."""
        return HeldOut(self.probs[rows], self.given[rows], self.inner[rows], self.trained)


@dataclass(frozen=True)
class ChosenCalibration:
    """A calibration, and how it was chosen.

    Attributes
    ----------
    calibration : Calibration
    about : mapping
        ``method`` that was asked for; ``published``: itself or ``none``; ``rows`` of the fit and
        ``left_out``, by class; ``log_loss`` of the rows as the inner models give them, and
        ``calibrated_log_loss``, of a calibration that was fitted without their inner fold;
        ``temperature`` and ``floor``, if there are such.
    """

    calibration: Calibration
    about: Mapping[str, Any]


def choose_calibration(method: str, held: HeldOut) -> ChosenCalibration:
    """Fit a calibration, and take it only if it lowers the log loss of rows that it has not seen.

    Parameters
    ----------
    method : str
        ``temperature`` or ``isotonic``.
    held : HeldOut

    Returns
    -------
    ChosenCalibration
        `Uncalibrated` where nothing else is better.

    Notes
    -----
    Rows whose class their inner model was not trained on stay out: its probability of 0 says
    nothing of what the model of all rows will give to that class. Rows of one inner fold are
    calibrated by what was fitted on the others, to compare. The order of the rows does not matter,
    to the bit.
    """
    can = held.trained[held.inner, held.given]
    left_out = Counter(held.given[~can].tolist())
    held = held.take(can)
    before = _log_loss(held, held.probs)
    # the floor alone may be all that other rows bear
    tries = (None, 1.0) if method == "temperature" else (None,)
    losses = {t: _log_loss(held, _calibrated_by_others(method, held, t)) for t in tries}
    best = min(tries, key=losses.__getitem__)
    is_better = losses[best] < before
    found = _fit(method, held, best) if is_better else Uncalibrated()
    about: dict[str, Any] = {
        "method": method,
        "published": method if is_better else "none",
        "rows": len(held.given),
        "left_out": [[k, left_out[k]] for k in sorted(left_out)],
        "log_loss": before,
        "calibrated_log_loss": losses[best],
    }
    if isinstance(found, Temperature):
        about |= {"temperature": found.temperature}
        about |= {} if found.floors is None else {"floor": max(found.floors)}
    return ChosenCalibration(found, about)


def _fit(method: str, held: HeldOut, temperature: float | None) -> Calibration:
    if method != "temperature":
        return fit_calibration(method, held.probs, held.given)
    floors = find_floors(held)
    if temperature is not None:
        return Temperature(temperature, floors)
    return fit_calibration(method, held.probs, held.given, floors)


def find_floors(held: HeldOut) -> tuple[float, ...] | None:
    """Find the probability of what a model calls impossible, by how fine its probabilities are.

    Parameters
    ----------
    held : HeldOut

    Returns
    -------
    tuple of float, length K, or None
        0 for a class that is given to no row. For the others half of the smallest probability, the
        lowest twentieth passed over: half a vote of a forest or of a neighbour. At most half of
        1 / K, which no row's best probability is below. Where no probability is 0, 2**-52; None,
        where that holds for every class.

    Notes
    -----
    Without a floor a row whose class has no vote costs 36 nats, and a few such rows decide the
    temperature of all.
    """
    num_classes = held.probs.shape[1]
    known = np.bincount(held.given, minlength=num_classes) > 0
    voted = held.probs[held.trained[held.inner]]
    positive = voted[voted >= LOWEST_PROBABILITY]
    floor = LOWEST_PROBABILITY
    if 0 < len(positive) < len(voted):
        place = len(positive) // _ODD_PART
        floor = min(float(np.partition(positive, place)[place]), 1.0 / num_classes) / 2.0
    elif known.all() or not known.any():
        return None
    return tuple(np.where(known, floor, 0.0).tolist())


def _calibrated_by_others(
    method: str, held: HeldOut, temperature: float | None
) -> NDArray[np.float64]:
    """Calibrate the rows of each inner fold by those of the other ones."""
    after = np.empty_like(held.probs)
    for number in range(len(held.trained)):
        mine = held.inner == number
        fitted = _fit(method, held.take(~mine), temperature)
        after[mine] = fitted.apply(held.probs[mine])
    return after


def _log_loss(held: HeldOut, probs: NDArray[np.float64]) -> float:
    """Give the mean of -ln p of the given class, in nats; 0 without rows."""
    own = np.maximum(self_confidence(held.given, probs), LOWEST_PROBABILITY)
    # the exact sum, rounded once: the same in any order of the rows
    return -math.fsum(np.log(own).tolist()) / max(len(own), 1)


def warn_of_calibrations(found: Sequence[Mapping[str, Any] | None], classes: Sequence[Any]) -> None:
    """Say which rows no calibration was fitted on, and how many models go without one.

    Parameters
    ----------
    found : sequence of mapping or None
        Of each model, as `ChosenCalibration` has it; None: none was asked for.
    classes : sequence
        The K labels.
    """
    known = [about for about in found if about is not None]
    left_out: Counter[int] = Counter()
    for about in known:
        left_out.update(dict(about["left_out"]))
    if left_out:
        names = [f"{classes[k]!r} ({left_out[k]:,})" for k in sorted(left_out)]
        _log.warning(
            "predict.calibrate: %s rows of %s classes stay out of the fits of %s models, as an "
            "inner model was trained on no row of their class: %s",
            f"{left_out.total():,}",
            len(left_out),
            sum(bool(about["left_out"]) for about in known),
            first_of(names),
        )
    without = [about for about in known if about["published"] == "none"]
    if without:
        _log.warning(
            "predict.calibrate: %s of %s models stay without a calibration: %s raised the log loss "
            "of rows that it was not fitted on",
            len(without),
            len(known),
            without[0]["method"],
        )
