"""Which rows are label issues: the filters, on arrays in memory.

The cluster selects the same rows with the same counts; what both need stands here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparkclean.confident.scores import best_other, normalized_margin, self_confidence
from sparkclean.numbers.fixed_point import sum_rows

#: "The model agrees": adding this to p_given makes the given label the argmax.
AGREEMENT_MARGIN = 1e-6


def prune_counts(
    calibrated_joint: NDArray[np.integer], *, min_examples: int = 1, frac_noise: float = 1.0
) -> NDArray[np.int64]:
    """Compute how many rows each (given, true) pair may lose.

    Parameters
    ----------
    calibrated_joint : ndarray of int, shape (K, K)
        Rows given, columns true.
    min_examples : int
        Rows to leave in each class: the diagonal is raised to it at the expense of the other
        non-zero entries of the same given class, evenly, none below 0.
    frac_noise : float
        Share of the estimated noise to remove; the rest goes to the diagonal.

    Returns
    -------
    ndarray of int64, shape (K, K)
        Rows given, columns true; entry (i, j) is the quota of the pair, n_i less the diagonal is
        that of class i.

    Notes
    -----
    The reference's ``_keep_at_least_n_per_class``, its roundings and truncation included. It works
    on the transpose.
    """
    counts = calibrated_joint.astype(np.float64)
    diagonal = counts.diagonal()
    raised = np.maximum(diagonal, float(min_examples))
    others = np.maximum(np.count_nonzero(counts, axis=1) - 1.0, 1.0)
    kept = np.maximum(counts - ((raised - diagonal) / others)[:, None], 0.0)
    np.fill_diagonal(kept, raised)
    quotas = kept * frac_noise
    np.fill_diagonal(quotas, raised)
    # off the diagonal what frac_noise leaves, on it what it takes away
    np.fill_diagonal(quotas, raised + sum_rows(kept - quotas))
    return quotas.astype(np.int64)


def class_quotas(quotas: NDArray[np.int64], examples: NDArray[np.integer]) -> NDArray[np.int64]:
    """Compute how many rows of each class ``prune_by_class`` selects.

    Parameters
    ----------
    quotas : ndarray of int64, shape (K, K)
        From `prune_counts`.
    examples : ndarray of int, shape (K,)

    Returns
    -------
    ndarray of int64, shape (K,)
        n_i - M[i][i], at least 0; a class of few rows must be left out by `has_enough`.
    """
    wanted: NDArray[np.int64] = np.maximum(examples - quotas.diagonal(), 0)
    return wanted


def has_enough(examples: NDArray[np.integer], min_examples: int) -> NDArray[np.bool_]:
    """Tell which classes the ``prune_*`` filters may touch.

    Parameters
    ----------
    examples : ndarray of int, shape (K,)
    min_examples : int

    Returns
    -------
    ndarray of bool, shape (K,)
        More than ``min_examples`` rows, and more than one.
    """
    enough: NDArray[np.bool_] = examples > max(min_examples, 1)
    return enough


def agrees(
    given: NDArray[np.integer],
    own: NDArray[np.float64],
    other: NDArray[np.integer],
    other_probability: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Tell where the model agrees with the given label.

    Parameters
    ----------
    given, other : ndarray of int, shape (N,)
        Given class, and the most probable of the others (the first on a tie).
    own, other_probability : ndarray of float64, shape (N,)
        Their probabilities.

    Returns
    -------
    ndarray of bool, shape (N,)
        Whether p_given + `AGREEMENT_MARGIN` would make the given label the argmax.
    """
    raised = own + AGREEMENT_MARGIN
    return (raised > other_probability) | ((raised == other_probability) & (given < other))


def predicted_classes(
    given: NDArray[np.integer],
    own: NDArray[np.float64],
    other: NDArray[np.integer],
    other_probability: NDArray[np.float64],
) -> NDArray[np.int64]:
    """Find the argmax over all classes, the first on a tie.

    Parameters
    ----------
    given, other : ndarray of int, shape (N,)
        Given class, and the most probable of the others (the first on a tie).
    own, other_probability : ndarray of float64, shape (N,)
        Their probabilities.

    Returns
    -------
    ndarray of int64, shape (N,)
    """
    is_given = (own > other_probability) | ((own == other_probability) & (given < other))
    return np.where(is_given, given, other).astype(np.int64)


@dataclass(frozen=True)
class Selection:
    """The state that all filters share, for rows in memory.

    Attributes
    ----------
    given : ndarray of int64, shape (N,)
    pred_probs : ndarray of float64, shape (N, K)
    outcomes : ndarray of int64, shape (N,)
        Confident class of each row, or -1.
    quotas : ndarray of int64, shape (K, K)
        From `prune_counts`.
    min_examples : int
    """

    given: NDArray[np.int64]
    pred_probs: NDArray[np.float64]
    outcomes: NDArray[np.int64]
    quotas: NDArray[np.int64]
    min_examples: int = 1

    def select(self, filter_by: str) -> NDArray[np.bool_]:  # noqa: PLR0911 (one for each filter)
        """Select the label issues.

        Parameters
        ----------
        filter_by : str
            One of `sparkclean.schema.FILTERS`.

        Returns
        -------
        ndarray of bool, shape (N,)

        Raises
        ------
        ValueError
            If the filter is unknown.

        Notes
        -----
        Ties go by position. Time N log N, memory N for each filter, N K for the joint.
        """
        own = self_confidence(self.given, self.pred_probs)
        other, other_probability = best_other(self.given, self.pred_probs)
        agreed = agrees(self.given, own, other, other_probability)
        confident = (self.outcomes >= 0) & (self.outcomes != self.given) & ~agreed
        if filter_by == "confident_learning":
            return confident
        if filter_by == "predicted_neq_given":
            predicted = predicted_classes(self.given, own, other, other_probability)
            return (predicted != self.given) & ~agreed
        if filter_by == "low_self_confidence":
            return _lowest(own, int(confident.sum()))
        if filter_by == "low_normalized_margin":
            return _lowest(normalized_margin(own, other_probability), int(confident.sum()))
        if filter_by == "prune_by_class":
            return self._pruned_by_class(own) & ~agreed
        if filter_by == "prune_by_noise_rate":
            return self._pruned_by_noise_rate(own) & ~agreed
        if filter_by == "both":
            return self._pruned_by_class(own) & self._pruned_by_noise_rate(own) & ~agreed
        raise ValueError(f"unknown filter_by {filter_by!r}")

    def _rows_by_class(self) -> list[NDArray[np.intp]]:
        num_classes = self.pred_probs.shape[1]
        order = np.argsort(self.given, kind="stable")
        examples = np.bincount(self.given, minlength=num_classes)
        enough = has_enough(examples, self.min_examples)
        rows = np.split(order, np.cumsum(examples)[:-1])
        return [r if e else r[:0] for r, e in zip(rows, enough, strict=True)]

    def _pruned_by_class(self, own: NDArray[np.float64]) -> NDArray[np.bool_]:
        selected = np.zeros(len(own), np.bool_)
        for k, rows in enumerate(self._rows_by_class()):
            quota = max(len(rows) - int(self.quotas[k, k]), 0)
            selected[rows[np.argsort(own[rows], kind="stable")[:quota]]] = True
        return selected

    def _pruned_by_noise_rate(self, own: NDArray[np.float64]) -> NDArray[np.bool_]:
        selected = np.zeros(len(own), np.bool_)
        for k, rows in enumerate(self._rows_by_class()):
            if not len(rows):
                continue
            for j in np.flatnonzero(self.quotas[k]):
                if j != k:
                    margin = self.pred_probs[rows, j] - own[rows]
                    first = np.argsort(-margin, kind="stable")[: int(self.quotas[k, j])]
                    selected[rows[first]] = True
        return selected


def _lowest(scores: NDArray[np.float64], count: int) -> NDArray[np.bool_]:
    selected = np.zeros(len(scores), np.bool_)
    selected[np.argsort(scores, kind="stable")[:count]] = True
    return selected
