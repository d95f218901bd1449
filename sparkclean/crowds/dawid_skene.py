"""The model of Dawid and Skene (1979), fitted by EM whose sums are integers.

The state is a confusion matrix for each annotator. One pass over the items takes the current
matrices, makes the probability of each class of each item, and adds these up by annotator, given
and true class. Sums are exact, and logarithms become integers, so that the answer has the same bits
whatever the order and the division of the items.

References
----------
Dawid and Skene (1979), Maximum Likelihood Estimation of Observer Error-Rates Using the EM
Algorithm.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sparkclean.crowds.majority import UntiedCounts, labels_of, mean_probs
from sparkclean.crowds.votes import Decision, Votes, best_without
from sparkclean.numbers.fixed_point import (
    EXACT_ROWS,
    ONE,
    portable_exp,
    portable_log,
    sum_rows,
    to_fixed,
)

#: No probability of a confusion matrix or of a class is taken to be less.
FLOOR = 1e-10
#: A probability in units of 2**-40 has two limbs of this many bits, whose sums float64 holds
#: exactly for 2**33 votes.
LIMB_BITS = 20
_LOW = (1 << LIMB_BITS) - 1
#: Votes of an item that are added one after another.
_MOST_STEPS = 32


@dataclass
class Sums:
    """Sums of one pass over items, in two limbs of 20 bits; those of several tasks add up.

    Attributes
    ----------
    cells : ndarray of int64, shape (2, A * K, K)
        Probabilities by (annotator, given) and true class: high limbs, low limbs.
    classes : ndarray of int64, shape (2, K)
        Probabilities of all items.
    likelihood : ndarray of int64, shape (2,)
        Logarithm of the likelihood of all votes.
    """

    cells: NDArray[np.int64]
    classes: NDArray[np.int64]
    likelihood: NDArray[np.int64]

    @classmethod
    def of(cls, num_annotators: int, num_classes: int) -> Sums:
        """Give sums of nothing."""
        cells = np.zeros((2, num_annotators * num_classes, num_classes), np.int64)
        return cls(cells, np.zeros((2, num_classes), np.int64), np.zeros(2, np.int64))

    def add(
        self,
        votes: Votes,
        posterior: NDArray[np.float64],
        likelihood: NDArray[np.int64] | None = None,
    ) -> None:
        """Add the items of some votes.

        Parameters
        ----------
        votes : Votes
        posterior : ndarray of float64, shape (N, K)
        likelihood : ndarray of int64, shape (N,), optional
            In units of 2**-40.
        """
        num_classes = posterior.shape[1]
        fixed = to_fixed(posterior).astype(np.int64)
        keys = votes.annotators.astype(np.int64) * num_classes + votes.labels
        used: NDArray[np.int64] | slice = slice(None)
        places, size = keys, self.cells.shape[1]
        if size > 4 * len(keys):  # few of the cells occur
            used, places = np.unique(keys, return_inverse=True)
            size = len(used)
        for limb, part in enumerate((fixed >> LIMB_BITS, fixed & _LOW)):
            self.classes[limb] += part.sum(axis=0)
        columns = np.ascontiguousarray(fixed.T).astype(np.float64)
        # so few votes of a cell that float64 holds every sum of them
        is_exact = np.bincount(places, minlength=size).max(initial=0) <= EXACT_ROWS
        for true, column in enumerate(columns):
            if is_exact:
                sums = np.bincount(places, column.take(votes.items), size).astype(np.int64)
                self.cells[0, used, true] += sums >> LIMB_BITS
                self.cells[1, used, true] += sums & _LOW
                continue
            for limb, part in enumerate((fixed[:, true] >> LIMB_BITS, fixed[:, true] & _LOW)):
                weights = part.astype(np.float64).take(votes.items)
                self.cells[limb, used, true] += np.bincount(places, weights, size).astype(np.int64)
        if likelihood is not None:
            self.likelihood += ((likelihood >> LIMB_BITS).sum(), (likelihood & _LOW).sum())

    @property
    def log_likelihood(self) -> int:
        """Logarithm of the likelihood, in units of 2**-40."""
        high, low = self.likelihood.tolist()
        return (int(high) << LIMB_BITS) + int(low)


@dataclass(frozen=True)
class Confusions:
    """Confusion matrices and shares of the classes, as integer logarithms in units of 2**-40.

    Attributes
    ----------
    cells : ndarray of int64, shape (A * K, K), or str
        log P(given | true) of each annotator, by (annotator, given) and true class; or the file of
        numpy that holds it.
    classes : ndarray of int64, shape (K,)
        log P(true).
    """

    cells: NDArray[np.int64] | str
    classes: NDArray[np.int64]

    @property
    def table(self) -> NDArray[np.int64]:
        """The matrices, read from their file if they are in one."""
        return np.load(self.cells, mmap_mode="r") if isinstance(self.cells, str) else self.cells

    def opened(self) -> Confusions:
        """Open the file, if it is one: the workers of a machine share its pages."""
        return Confusions(self.table, self.classes)

    def kept(self, path: Path) -> Confusions:
        """Write the matrices to a file."""
        np.save(path, self.cells)
        return Confusions(str(path), self.classes)


def scores_of(votes: Votes, confusions: Confusions) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Add up the logarithms of an item's votes, by class.

    Parameters
    ----------
    votes : Votes
    confusions : Confusions

    Returns
    -------
    scores : ndarray of int64, shape (N, K)
    shares : ndarray of int64, shape (V, K)
        What each vote adds.
    """
    cells = confusions.table
    num_classes = len(confusions.classes)
    shares = cells.take(_keys(votes, num_classes), axis=0)
    return votes.sum_by_item(shares) + confusions.classes, shares


def sum_logs(votes: Votes, confusions: Confusions) -> NDArray[np.int64]:
    """Add up the logarithms of an item's votes, by class, as `scores_of` does, and faster."""
    most = int(votes.sizes.max(initial=0))
    if most > _MOST_STEPS:
        return scores_of(votes, confusions)[0]
    cells, keys = confusions.table, _keys(votes, len(confusions.classes))
    scores = np.repeat(confusions.classes[None], votes.num_items, axis=0)
    starts = votes.starts[:-1]
    for step in range(most):
        longer = votes.sizes > step
        if longer.all():
            scores += cells.take(keys.take(starts + step), axis=0)
        else:
            items = np.flatnonzero(longer)
            scores[items] += cells.take(keys.take(starts[items] + step), axis=0)
    return scores


def _keys(votes: Votes, num_classes: int) -> NDArray[np.int64]:
    """Give the number of each vote's cell, by annotator and given class."""
    return votes.annotators.astype(np.int64) * num_classes + votes.labels


def posterior_of(
    scores: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Turn logarithms by class into probabilities.

    Parameters
    ----------
    scores : ndarray of int64, shape (N, K)
        In units of 2**-40.

    Returns
    -------
    posterior : ndarray of float64, shape (N, K)
    likelihood : ndarray of int64, shape (N,)
        Logarithm of the sum, in units of 2**-40.
    """
    highest = scores.max(axis=1)
    odds = portable_exp((scores - highest[:, None]) / ONE)
    total = sum_rows(odds)
    return odds / total[:, None], highest + to_fixed(portable_log(total)).astype(np.int64)


def shares_of_votes(votes: Votes, num_classes: int) -> NDArray[np.float64]:
    """Give the share of each class in the votes of each item, from which EM starts.

    Parameters
    ----------
    votes : Votes
    num_classes : int
        K.

    Returns
    -------
    ndarray of float64, shape (N, K)
    """
    return votes.tally(num_classes) / votes.sizes[:, None]


def expect(votes: Votes, confusions: Confusions | None, sums: Sums) -> None:
    """Make one pass over items: probabilities by the confusions, added to the sums.

    Parameters
    ----------
    votes : Votes
    confusions : Confusions or None
        None starts at the shares of the votes.
    sums : Sums
        That are added to.
    """
    num_classes = sums.classes.shape[1]
    opened = None if confusions is None else confusions.opened()
    for _, part in votes.parts(num_classes):
        if opened is None:
            sums.add(part, shares_of_votes(part, num_classes))
        else:
            sums.add(part, *posterior_of(sum_logs(part, opened)))


@dataclass(frozen=True)
class DawidSkene:
    """Decides by fitted confusion matrices.

    Attributes
    ----------
    untied : UntiedCounts
        Of all items, for ties.
    confusions : Confusions
    """

    untied: UntiedCounts
    confusions: Confusions

    def decide(self, votes: Votes, pred_probs: NDArray[np.float64] | None = None) -> Decision:
        """Decide on items.

        Parameters
        ----------
        votes : Votes
        pred_probs : ndarray of float64, shape (P, N, K), optional
            Of P models, for ties.

        Returns
        -------
        Decision
        """
        scores, shares = scores_of(votes, self.confusions)
        posterior, _ = posterior_of(scores)
        labels = labels_of(scores, votes, self.untied, mean_probs(pred_probs))
        quality = posterior[np.arange(len(labels)), labels]
        return Decision(labels, posterior, quality, best_without(votes, scores, shares))
