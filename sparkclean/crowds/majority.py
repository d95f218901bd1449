"""Majority vote, by one rule of ties; and Wawa, which weighs annotators by their agreement with it.

A tie goes to the class that the model gives the higher probability, then to the class with fewer
votes in the whole table, then to the class whose voters agree more with the others on untied items,
then to the first class in their order. The second step is cleanlab's: it favours rare classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparkclean.crowds.votes import Decision, Votes, best_without, one_hot, unique_best
from sparkclean.numbers.fixed_point import ONE


@dataclass(frozen=True)
class UntiedCounts:
    """What ties are broken by: counts over all items.

    Attributes
    ----------
    classes : ndarray of int64, shape (K,)
        Votes for each class.
    agreeing, votes : ndarray of int64, shape (A,)
        Of each annotator on items without a tie: votes for the majority, and all votes.
    """

    classes: NDArray[np.int64]
    agreeing: NDArray[np.int64]
    votes: NDArray[np.int64]

    @property
    def agreement(self) -> NDArray[np.int64]:
        """Share of agreeing votes of each annotator, in units of 2**-40.

        An annotator without untied items has the mean of the others; 0 where there is none.
        """
        known = self.votes > 0
        shares = np.zeros(len(self.votes), np.int64)
        ratio = self.agreeing[known] / self.votes[known]
        shares[known] = np.rint(ratio * ONE).astype(np.int64)
        if known.any():
            shares[~known] = sum(shares[known].tolist()) // int(known.sum())
        return shares


def count_untied(votes: Votes, num_classes: int, num_annotators: int) -> UntiedCounts:
    """Count what ties are broken by; the counts of several tables add up.

    Parameters
    ----------
    votes : Votes
    num_classes, num_annotators : int
        K and A.

    Returns
    -------
    UntiedCounts
    """
    best = unique_best(votes.tally(num_classes))[votes.items]
    untied = best >= 0
    annotators = votes.annotators
    return UntiedCounts(
        np.bincount(votes.labels, minlength=num_classes),
        np.bincount(annotators[untied & (best == votes.labels)], minlength=num_annotators),
        np.bincount(annotators[untied], minlength=num_annotators),
    )


def break_ties(
    candidates: NDArray[np.bool_],
    votes: Votes,
    untied: UntiedCounts,
    pred_probs: NDArray[np.float64] | None = None,
) -> NDArray[np.int64]:
    """Choose one of the classes that are level, by the rule of this module.

    Parameters
    ----------
    candidates : ndarray of bool, shape (N, K)
        At least one class of each item.
    votes : Votes
    untied : UntiedCounts
    pred_probs : ndarray of float64, shape (N, K), optional
        Of the model; the mean of several.

    Returns
    -------
    ndarray of int64, shape (N,)
    """
    num_classes = candidates.shape[1]
    left = candidates
    if pred_probs is not None:
        left = _highest(left, pred_probs)
    left = _highest(left, np.broadcast_to(-untied.classes.astype(np.float64), left.shape))
    if (left.sum(axis=1) > 1).any():
        counts = votes.tally(num_classes)
        cells = votes.items * num_classes + votes.labels
        sums = np.zeros(candidates.size, np.int64)
        np.add.at(sums, cells, untied.agreement[votes.annotators])
        mean = sums.reshape(candidates.shape) / np.maximum(counts, 1)
        left = _highest(left, mean)
    return left.argmax(axis=1)


def _highest(left: NDArray[np.bool_], scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    shown = np.where(left, scores, -np.inf)
    return left & (shown == shown.max(axis=1, keepdims=True))


def majority_labels(
    votes: Votes, untied: UntiedCounts, pred_probs: NDArray[np.float64] | None = None
) -> NDArray[np.int64]:
    """Find the class with the most votes of each item.

    Parameters
    ----------
    votes : Votes
    untied : UntiedCounts
        Of all items.
    pred_probs : ndarray of float64, shape (N, K), optional

    Returns
    -------
    ndarray of int64, shape (N,)
    """
    return labels_of(votes.tally(len(untied.classes)), votes, untied, pred_probs)


def labels_of(
    scores: NDArray[Any],
    votes: Votes,
    untied: UntiedCounts,
    pred_probs: NDArray[np.float64] | None = None,
) -> NDArray[np.int64]:
    """Find the class with the highest score of each item; ties by the rule of this module.

    Parameters
    ----------
    scores : ndarray, shape (N, K)
    votes : Votes
    untied : UntiedCounts
    pred_probs : ndarray of float64, shape (N, K), optional

    Returns
    -------
    ndarray of int64, shape (N,)
    """
    labels = unique_best(scores)
    tied = np.flatnonzero(labels < 0)
    if len(tied):
        chosen = np.isin(votes.items, tied)
        sizes = votes.sizes[tied]
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        some = Votes(starts, votes.annotators[chosen], votes.labels[chosen])
        level = scores[tied] == scores[tied].max(axis=1, keepdims=True)
        probs = None if pred_probs is None else pred_probs[tied]
        labels[tied] = break_ties(level, some, untied, probs)
    return labels


@dataclass(frozen=True)
class MajorityVote:
    """Decides by the number of votes.

    Attributes
    ----------
    untied : UntiedCounts
        Of all items.
    """

    untied: UntiedCounts

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
            Its posterior are the shares of the votes.
        """
        tally = votes.tally(len(self.untied.classes))
        labels = labels_of(tally, votes, self.untied, mean_probs(pred_probs))
        shares = tally / votes.sizes[:, None]
        without = best_without(votes, tally, one_hot(votes.labels, tally.shape[1]))
        return Decision(labels, shares, shares[np.arange(len(labels)), labels], without)


@dataclass(frozen=True)
class Wawa:
    """Decides by votes that are weighed by their annotator's agreement with the majority.

    Attributes
    ----------
    untied : UntiedCounts
        Of all items.
    skills : ndarray of int64, shape (A,)
        Share of each annotator's votes that are for the majority, in units of 2**-40.
    """

    untied: UntiedCounts
    skills: NDArray[np.int64]

    def decide(self, votes: Votes, pred_probs: NDArray[np.float64] | None = None) -> Decision:
        """Decide on items, as `MajorityVote.decide`; the posterior are shares of the weights."""
        num_classes = len(self.untied.classes)
        weights = self.skills[votes.annotators]
        each = one_hot(votes.labels, num_classes) * weights[:, None]
        scores = votes.sum_by_item(each)
        total = scores.sum(axis=1)
        labels = labels_of(scores, votes, self.untied, mean_probs(pred_probs))
        plain = votes.tally(num_classes) / votes.sizes[:, None]
        shares = np.where(total[:, None] > 0, scores / np.maximum(total, 1)[:, None], plain)
        without = best_without(votes, scores, each)
        return Decision(labels, shares, shares[np.arange(len(labels)), labels], without)


def count_agreeing(
    votes: Votes, labels: NDArray[np.int64], num_annotators: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count the votes of each annotator, and those for the label of the item.

    Parameters
    ----------
    votes : Votes
    labels : ndarray of int, shape (N,)
    num_annotators : int
        A.

    Returns
    -------
    agreeing, votes : ndarray of int64, shape (A,)
    """
    agrees = votes.labels == labels[votes.items]
    agreeing = np.bincount(votes.annotators[agrees], minlength=num_annotators)
    return agreeing, np.bincount(votes.annotators, minlength=num_annotators)


def wawa_skills(agreeing: NDArray[np.int64], votes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Turn counts of `count_agreeing` into weights, in units of 2**-40; 0 without votes."""
    return np.rint(agreeing / np.maximum(votes, 1) * ONE).astype(np.int64)


def mean_probs(pred_probs: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
    """Average the probabilities of several models, in their order.

    Parameters
    ----------
    pred_probs : ndarray of float64, shape (P, N, K), or None

    Returns
    -------
    ndarray of float64, shape (N, K), or None
    """
    if pred_probs is None or not len(pred_probs):
        return None
    total = pred_probs[0].copy()
    for one in pred_probs[1:]:
        total += one
    return total / len(pred_probs)
