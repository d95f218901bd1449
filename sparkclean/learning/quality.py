"""How good predicted probabilities are: by fold and by class, added up exactly.

Runs on executors: numpy only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparkclean.confident.scores import self_confidence
from sparkclean.numbers.fixed_point import ONE, portable_log, sum_rows, to_fixed

#: Bins of the expected calibration error.
BINS = 15
#: The log loss takes smaller probabilities of the given class for this one, as scikit-learn does
#: with float64: no row costs more than 36.05.
LOWEST_PROBABILITY = 2.0**-52
#: Numbers of a row of the state: of a class, and of a bin, whose last two are 0.
CLASS_STATE = ("rows", "hits", "loss_high", "loss_low", "brier_high", "brier_low")
BIN_STATE = ("rows", "hits", "confidence_high", "confidence_low")

# A loss is below 2**46 units of 2**-40: halves of 24 and 22 bits. Sums of either over 2**29 rows
# stay below 2**53, exact as float64, and over 2**39 rows below 2**63, exact as int64.
_LIMB = 1 << 24


@dataclass(frozen=True)
class ClassQuality:
    """Quality of the probabilities of some rows, at least one.

    Attributes
    ----------
    rows : int
    accuracy : float
        Share of rows whose most probable class, the first on a tie, is the given one.
    log_loss : float
        Mean of -ln p_given, in nats.
    brier_score : float
        Mean over the rows of the sum over the classes of (p - e)^2, in [0, 2].
    """

    rows: int
    accuracy: float
    log_loss: float
    brier_score: float


@dataclass(frozen=True)
class Quality(ClassQuality):
    """Quality of the probabilities of whole folds.

    Attributes
    ----------
    calibration_error : float
        Expected calibration error of the most probable class, in [0, 1].
    """

    calibration_error: float

    def metrics(self) -> dict[str, float]:
        """Give the numbers by name, without the rows."""
        found = asdict(self)
        found.pop("rows")
        return found

    def __str__(self) -> str:
        return (
            f"accuracy {self.accuracy:.4f}, log loss {self.log_loss:.4f}, Brier score "
            f"{self.brier_score:.4f}, calibration error {self.calibration_error:.4f}"
        )


@dataclass(frozen=True)
class CalibrationBin:
    """Rows whose most probable class has a probability in one of `BINS` equal ranges.

    Attributes
    ----------
    rows, hits : int
        All of them; those of which that class is the given one.
    confidence : float or None
        Mean probability of that class; None without rows.
    """

    rows: int
    hits: int
    confidence: float | None


@dataclass(frozen=True)
class QualityReport:
    """Quality of the probabilities of a table; None where there are no rows.

    Attributes
    ----------
    overall : Quality or None
        Of all rows. Its bins are those of the folds put together, so that its calibration error is
        at most the mean of theirs.
    folds : tuple of Quality or None, length F
    classes : tuple of ClassQuality or None, length K
        By the class that is given.
    bins : tuple of CalibrationBin, length 15
        Of all rows; bin m holds confidences in (m/15, (m+1)/15].
    """

    overall: Quality | None
    folds: tuple[Quality | None, ...]
    classes: tuple[ClassQuality | None, ...]
    bins: tuple[CalibrationBin, ...] = ()

    def to_record(self) -> dict[str, Any]:
        """Give the quality as run records have it in ``counts``, without the bins."""
        content = asdict(self)
        content.pop("bins")
        return content

    def metrics(self) -> dict[str, Any]:
        """Give the quality of all rows by name, with the bins; nothing where there are no rows."""
        if self.overall is None:
            return {}
        bins = {
            "rows": [found.rows for found in self.bins],
            "hits": [found.hits for found in self.bins],
            "confidence": [found.confidence for found in self.bins],
        }
        return self.overall.metrics() | {"calibration": bins}


class QualitySums:
    """Sums by fold and class from which the quality of probabilities follows.

    Parameters
    ----------
    num_folds : int
        F.
    num_classes : int
        K.

    Notes
    -----
    What a row adds is rounded to multiples of 2**-40 and added as integers: the state has the same
    bits however rows and folds were cut and in whatever order they came, on every processor, for
    up to 2**39 (5e11) rows. Rounding moves a mean by at most 2**-41.

    References
    ----------
    Guo, Pleiss, Sun, Weinberger (2017), On Calibration of Modern Neural Networks, ICML, section 2,
    eq. 3. Brier (1950), Verification of forecasts expressed in terms of probability, eq. 2.
    """

    def __init__(self, num_folds: int, num_classes: int) -> None:
        self._num_classes = num_classes
        self._state = np.zeros((num_folds, num_classes + BINS, len(CLASS_STATE)), np.int64)

    def add(
        self,
        fold: NDArray[np.integer],
        given: NDArray[np.integer],
        pred_probs: NDArray[np.floating],
    ) -> None:
        """Add rows.

        Parameters
        ----------
        fold : ndarray of int, shape (N,)
            In 0..F-1; N < 2**29.
        given : ndarray of int, shape (N,)
            In 0..K-1.
        pred_probs : ndarray of float, shape (N, K)
            Rows that sum to 1.

        Raises
        ------
        ValueError
            If a probability is NaN or infinite; nothing is added then.

        Notes
        -----
        A few passes over the probabilities and one copy of them as float64.
        """
        own = self_confidence(given, pred_probs)
        best = pred_probs.argmax(axis=1)
        confidence = self_confidence(best, pred_probs)
        squares = pred_probs.astype(np.float64)
        squares[np.arange(len(given)), given] -= 1.0
        squares *= squares
        brier = sum_rows(squares)
        if not np.isfinite(brier).all():
            raise ValueError("probabilities are NaN or infinite")
        loss = -portable_log(np.maximum(own, LOWEST_PROBABILITY))
        hits = best == given
        # bin m holds (m/15, (m+1)/15], as in the source
        bins = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
        self._add(fold, given, hits, (loss, brier))
        self._add(fold, self._num_classes + bins, hits, (confidence,))

    def _add(
        self,
        fold: NDArray[np.integer],
        place: NDArray[np.integer],
        hits: NDArray[np.bool_],
        values: Sequence[NDArray[np.float64]],
    ) -> None:
        """Add rows, hits and the limbs of values to a place of each row's fold."""
        folds, places, _ = self._state.shape
        code = fold.astype(np.int64) * places + place
        numbers = [None, hits]
        for value in values:
            units = to_fixed(value)
            high = np.floor(units / _LIMB)
            numbers += [high, units - high * _LIMB]
        for i, number in enumerate(numbers):
            total = np.bincount(code, number, folds * places).astype(np.int64)
            self._state[:, :, i] += total.reshape(folds, places)

    def state(self) -> NDArray[np.int64]:
        """Give the sums, to be added to those of others element by element.

        Returns
        -------
        ndarray of int64, shape (F, K + 15, 6)
            A copy. By fold first K classes, by `CLASS_STATE`, then 15 bins, by `BIN_STATE`. A sum
            in units of 2**-40 is high * 2**24 + low.
        """
        return self._state.copy()

    def merge(self, state: NDArray[np.int64]) -> None:
        """Add the state of another, or the sum of several.

        Parameters
        ----------
        state : ndarray of int64, of F * (K + 15) * 6 elements
            In the order of `state`, of any shape.
        """
        self._state += state.reshape(self._state.shape)

    def report(self) -> QualityReport:
        """Compute the quality overall, by fold and by class.

        Returns
        -------
        QualityReport
        """
        classes, bins = np.split(self._state, [self._num_classes], axis=1)
        return QualityReport(
            overall=_quality(classes.sum(axis=(0, 1)), bins.sum(axis=0)),
            folds=tuple(_quality(c.sum(axis=0), b) for c, b in zip(classes, bins, strict=True)),
            classes=tuple(_class_quality(sums) for sums in classes.sum(axis=0)),
            bins=tuple(
                _calibration_bin(*sums) for sums in bins.sum(axis=0)[:, : len(BIN_STATE)].tolist()
            ),
        )


def _calibration_bin(rows: int, hits: int, high: int, low: int) -> CalibrationBin:
    return CalibrationBin(rows, hits, _join(high, low) / (rows * ONE) if rows else None)


def _class_quality(sums: Iterable[np.int64]) -> ClassQuality | None:
    """Divide sums, which are by `CLASS_STATE`, by their rows."""
    rows, hits, *limbs = map(int, sums)
    if not rows:
        return None
    return ClassQuality(
        rows, hits / rows, _join(*limbs[:2]) / (rows * ONE), _join(*limbs[2:]) / (rows * ONE)
    )


def _quality(sums: Iterable[np.int64], bins: NDArray[np.int64]) -> Quality | None:
    """Divide sums by their rows, and measure the distance of bins, by `BIN_STATE`."""
    quality = _class_quality(sums)
    if quality is None:
        return None
    # rows of the bin / rows * |accuracy - confidence|, in integers
    bins = bins[:, : len(BIN_STATE)]
    distance = sum(abs(hits * ONE - _join(*limbs)) for _, hits, *limbs in bins.tolist())
    return Quality(**vars(quality), calibration_error=distance / (quality.rows * ONE))


def _join(high: int, low: int) -> int:
    """Put added limbs together again, as a Python integer, which does not overflow."""
    return high * _LIMB + low
