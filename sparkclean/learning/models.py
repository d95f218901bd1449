"""A model of scikit-learn with its features and its calibration, and how it predicts.

Runs on executors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparkclean.learning.calibration import Calibration
from sparkclean.learning.features import Block, FeatureMatrix

#: Rows that a model scores at once, always as many: matrix products of other shapes may round
#: otherwise, and a probability must not depend on what else is in its batch.
SCORED_ROWS = 1024


@dataclass(frozen=True)
class FoldModel:
    """A model that was trained without one fold, or a final one, of all rows.

    Attributes
    ----------
    fold : int
        0 for a final one.
    matrix : FeatureMatrix
    estimator : object
        Fitted, of scikit-learn.
    calibration : Calibration
    shares : ndarray of float64, shape (K,)
        Of the rows of each class that were sampled: probabilities are those of all rows again.
    """

    fold: int
    matrix: FeatureMatrix
    estimator: Any
    calibration: Calibration
    shares: NDArray[np.float64]

    def predict(self, block: Block) -> NDArray[np.floating]:
        """Predict probabilities of all K classes.

        Parameters
        ----------
        block : Block

        Returns
        -------
        ndarray of float, shape (N, K)
        """
        raw = predict_all(self.estimator, self.matrix, block, len(self.shares))
        return correct(raw, self.calibration, self.shares)


def correct(
    raw: NDArray[np.floating], calibration: Calibration, shares: NDArray[np.float64]
) -> NDArray[np.floating]:
    """Calibrate what a model says, and make of it probabilities of all rows.

    Parameters
    ----------
    raw : ndarray of float, shape (N, K)
    calibration : Calibration
    shares : ndarray of float64, shape (K,)
        Of the rows of each class that were sampled for the training.

    Returns
    -------
    ndarray of float, shape (N, K)
    """
    found = calibration.apply(raw)
    if (shares == shares[0]).all():
        return found
    # of a sample of other shares: p(k | x) is proportional to what was learned / share of k
    found = found / shares
    return found / found.sum(axis=1, keepdims=True)


def predict_all(
    estimator: Any, matrix: FeatureMatrix, block: Block, num_classes: int
) -> NDArray[np.float64]:
    """Predict, and put the columns in the order of all classes; 0 for those not trained on."""
    probs = np.zeros((len(block), num_classes))
    for start in range(0, len(block), SCORED_ROWS):
        rows = np.arange(start, start + SCORED_ROWS)
        part = block.take(np.minimum(rows, len(block) - 1))  # filled up with the last one
        found = estimator.predict_proba(matrix.transform(part))[: len(block) - start]
        probs[start : start + SCORED_ROWS, estimator.classes_] = found
    return probs
