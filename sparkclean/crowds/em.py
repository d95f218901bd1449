"""EM for the model of Dawid and Skene: from the sums of a pass to the matrices of the next."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sparkclean.crowds.dawid_skene import FLOOR, LIMB_BITS, Confusions, Sums, expect
from sparkclean.crowds.votes import Votes
from sparkclean.numbers.fixed_point import ONE, portable_log, to_fixed

_LOW = (1 << LIMB_BITS) - 1


@dataclass
class Fit:
    """The driver's side of EM: it turns the sums of a pass into the confusions of the next.

    Attributes
    ----------
    annotations, items : int
        V and N.
    smoothing : float
        Pseudo-annotations of each annotator and true class, spread as all annotators together
        spread theirs at the start. 0 takes the floors of crowd-kit in their place.
    tolerance : float
        EM ends when a pass gains less in log posterior for each annotation.
    max_iterations : int
    iterations : int
        Passes with confusions so far.
    gain : float or None
        Of the last pass.
    """

    annotations: int
    items: int
    smoothing: float = 1.0
    tolerance: float = 1e-7
    max_iterations: int = 100
    iterations: int = field(default=0, init=False)
    gain: float | None = field(default=None, init=False)
    _pooled: NDArray[np.float64] | None = field(default=None, init=False)
    _prior: int = field(default=0, init=False)
    _value: int | None = field(default=None, init=False)

    def start(self, sums: Sums) -> Confusions:
        """Give the first confusions.

        Parameters
        ----------
        sums : Sums
            Of a pass that started at the shares of the votes.

        Returns
        -------
        Confusions
        """
        if self.smoothing > 0:
            num_classes = sums.classes.shape[1]
            shape = (2, -1, num_classes, num_classes)
            together = _joined(sums.cells.reshape(shape).sum(axis=1))
            self._pooled = _conditional(together, 0.0, None)
        return self._maximise(sums)

    def step(self, sums: Sums) -> Confusions | None:
        """Give the next confusions.

        Parameters
        ----------
        sums : Sums
            Of a pass with the last confusions.

        Returns
        -------
        Confusions or None
            None at the end: the last ones stay.
        """
        self.iterations += 1
        value, before = sums.log_likelihood + self._prior, self._value
        self._value = value
        if before is not None:
            self.gain = (value - before) / ONE / max(self.annotations, 1)
            if self.gain < self.tolerance:
                return None
        if self.iterations >= self.max_iterations:
            return None
        return self._maximise(sums)

    @property
    def has_converged(self) -> bool:
        """Whether the tolerance has ended EM, not the number of iterations."""
        return self.gain is not None and self.gain < self.tolerance

    def _maximise(self, sums: Sums) -> Confusions:
        num_classes = sums.classes.shape[1]
        counts = _joined(sums.cells.reshape(2, -1, num_classes, num_classes))
        if self._pooled is None:
            # an annotator's rows of classes that he never gave take no part
            given = counts.sum(axis=2, keepdims=True) > 0
            floored = np.where(given, np.maximum(counts, FLOOR), 0.0)
            total = _sum_given(floored)
            confusion = np.maximum(floored / np.maximum(total, FLOOR), 1e-300)
        else:
            confusion = _conditional(counts, self.smoothing, self._pooled)
            confusion = np.maximum(confusion, FLOOR)
        cells = to_fixed(portable_log(confusion)).astype(np.int64)
        classes = np.maximum(_joined(sums.classes) / max(self.items, 1), FLOOR)
        if self._pooled is not None:
            weights = self.smoothing * self._pooled
            terms = np.rint(weights * cells).astype(np.int64)
            self._prior = (int((terms >> LIMB_BITS).sum()) << LIMB_BITS) + int((terms & _LOW).sum())
        logs = to_fixed(portable_log(classes)).astype(np.int64)
        return Confusions(cells.reshape(-1, num_classes), logs)


def _joined(limbs: NDArray[np.int64]) -> NDArray[np.float64]:
    """Put limbs together as numbers."""
    found: NDArray[np.float64] = (limbs[0] * float(1 << LIMB_BITS) + limbs[1]) / ONE
    return found


def _sum_given(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Add up over given classes in their order; counts of shape (..., K given, K true)."""
    total = np.zeros_like(counts[..., :1, :])
    for given in range(counts.shape[-2]):
        total += counts[..., given : given + 1, :]
    return total


def _conditional(
    counts: NDArray[np.float64], smoothing: float, pooled: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """Give P(given | true); of a true class without counts the pooled one, or no knowledge."""
    num_classes = counts.shape[-1]
    more = 0.0 if pooled is None else smoothing * pooled
    total = _sum_given(counts) + smoothing
    return np.where(total > 0, (counts + more) / np.maximum(total, FLOOR), 1.0 / num_classes)


def fit_dawid_skene(
    votes: Votes, num_classes: int, num_annotators: int, **settings: float
) -> tuple[Confusions, Fit]:
    """Fit the model to votes that fit into memory.

    Parameters
    ----------
    votes : Votes
    num_classes, num_annotators : int
        K and A.
    **settings
        Of `Fit`: smoothing, tolerance, max_iterations.

    Returns
    -------
    confusions : Confusions
        Of the last pass.
    fit : Fit
    """
    fit = Fit(len(votes.labels), votes.num_items, **settings)  # type: ignore[arg-type]
    sums = Sums.of(num_annotators, num_classes)
    expect(votes, None, sums)
    last = fit.start(sums)
    while True:
        sums = Sums.of(num_annotators, num_classes)
        expect(votes, last, sums)
        following = fit.step(sums)
        if following is None:
            return last, fit
        last = following
