"""CROWDLAB: votes and models as voters, weighed by how well they agree with the others.

Gives the numbers of cleanlab 2.9's ``multiannotator``. Counts are integers, which tasks add up;
weights follow from counts; each posterior is one weighted mean, added in a fixed order.

References
----------
Goh, Tkachenko and Mueller (2022), CROWDLAB: Supervised Learning to Infer Consensus Labels and
Quality Scores for Data with Multiple Annotators.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from sparkclean.crowds.majority import UntiedCounts, count_untied, majority_labels, mean_probs
from sparkclean.crowds.votes import Decision, Votes, unique_best
from sparkclean.numbers.fixed_point import ONE

#: No weight, and no error of the commonest class, is taken to be less.
_LEAST = 1e-6


@dataclass
class CrowdlabCounts:
    """Counts by which voters are weighed; those of several tasks add up.

    Attributes
    ----------
    items, annotations : int
        N and V.
    pairs, possible : ndarray of int64, shape (A,)
        Of each annotator: other votes on the same items that agree, and all of them.
    classes : ndarray of int64, shape (K,)
        Items with several votes by consensus.
    model_errors : ndarray of int64, shape (P,)
        Items with several votes whose consensus is not the class of the model.
    agreeing : dict of int to (int, int)
        By the number of votes, of items with several: votes for the consensus, and items.
    """

    items: int
    annotations: int
    pairs: NDArray[np.int64]
    possible: NDArray[np.int64]
    classes: NDArray[np.int64]
    model_errors: NDArray[np.int64]
    agreeing: dict[int, tuple[int, int]]


def count_crowdlab(
    votes: Votes,
    labels: NDArray[np.int64],
    pred_probs: NDArray[np.float64],
    num_annotators: int,
) -> CrowdlabCounts:
    """Count what weights follow from.

    Parameters
    ----------
    votes : Votes
    labels : ndarray of int, shape (N,)
        Consensus so far.
    pred_probs : ndarray of float64, shape (P, N, K)
    num_annotators : int
        A.

    Returns
    -------
    CrowdlabCounts
    """
    num_classes = pred_probs.shape[2]
    tally, sizes, items = votes.tally(num_classes), votes.sizes, votes.items
    several = sizes != 1
    others = tally[items, votes.labels] - 1
    pairs = np.zeros(num_annotators, np.int64)
    np.add.at(pairs, votes.annotators, others)
    possible = np.zeros(num_annotators, np.int64)
    np.add.at(possible, votes.annotators, sizes[items] - 1)
    agreeing = tally[np.arange(len(labels)), labels]
    by_size: dict[int, tuple[int, int]] = {}
    for size in np.unique(sizes[several]).tolist():
        chosen = sizes == size
        by_size[size] = int(agreeing[chosen].sum()), int(chosen.sum())
    wrong = pred_probs.argmax(axis=2) != labels
    return CrowdlabCounts(
        votes.num_items,
        len(votes.labels),
        pairs,
        possible,
        np.bincount(labels[several], minlength=num_classes),
        (wrong & several).sum(axis=1),
        by_size,
    )


@dataclass(frozen=True)
class Weights:
    """Weights of all voters.

    Attributes
    ----------
    models : ndarray of float64, shape (P,)
    annotators : ndarray of float64, shape (A,)
    likelihood : float
        Probability that a vote is for the consensus.
    mean_votes : float
        Votes of an item.
    """

    models: NDArray[np.float64]
    annotators: NDArray[np.float64]
    likelihood: float
    mean_votes: float

    @property
    def model_share(self) -> float:
        """Share of the models in the quality of annotators."""
        model = float(self.models.mean())
        adjusted = float(self.annotators.sum()) * (self.mean_votes / len(self.annotators))
        return model / (model + adjusted)


def weigh(counts: CrowdlabCounts) -> Weights:
    """Weigh annotators and models.

    Parameters
    ----------
    counts : CrowdlabCounts
        Of all items; some of them have several votes.

    Returns
    -------
    Weights
    """
    several = int(counts.classes.sum())
    commonest = int(counts.classes.argmax())
    error = max((several - int(counts.classes[commonest])) / several, _LEAST)
    mean_votes = counts.annotations / counts.items
    total = sum(
        (Fraction(agreeing, size) for size, (agreeing, _) in sorted(counts.agreeing.items())),
        Fraction(0),
    )
    known = counts.possible > 0
    agreement = np.zeros(len(known))
    agreement[known] = counts.pairs[known] / counts.possible[known]
    agreement[~known] = math.fsum(agreement[known].tolist()) / max(int(known.sum()), 1)
    annotators = np.maximum(1 - (1 - agreement) / error, _LEAST)
    models = np.maximum(1 - counts.model_errors / several / error, _LEAST) * np.sqrt(mean_votes)
    return Weights(models, annotators, float(total / several), mean_votes)


def weighted_scores(
    votes: Votes, pred_probs: NDArray[np.float64], weights: Weights
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Add up the weighted voters of each item: models first, annotators in their order.

    Parameters
    ----------
    votes : Votes
    pred_probs : ndarray of float64, shape (P, N, K)
    weights : Weights

    Returns
    -------
    scores : ndarray of float64, shape (N, K)
    total : ndarray of float64, shape (N,)
        Weights of an item's voters; the posterior is the quotient.
    """
    num_classes = pred_probs.shape[2]
    scores = np.zeros(pred_probs.shape[1:])
    for weight, probs in zip(weights.models, pred_probs, strict=True):
        scores += probs * weight
    total = np.zeros(votes.num_items)
    other = (1 - weights.likelihood) / (num_classes - 1)
    for place in range(int(votes.sizes.max(initial=0))):
        items = np.flatnonzero(votes.sizes > place)
        chosen = votes.starts[items] + place
        weight = weights.annotators[votes.annotators[chosen]]
        block = np.repeat((weight * other)[:, None], num_classes, axis=1)
        block[np.arange(len(items)), votes.labels[chosen]] = weight * weights.likelihood
        scores[items] += block
        total[items] += weight
    for weight in weights.models:
        total += weight
    return scores, total


@dataclass(frozen=True)
class Crowdlab:
    """Decides by weighted voters.

    Attributes
    ----------
    untied : UntiedCounts
        Of all items, for ties of the majority.
    first : Weights
        By agreement with the majority; its posterior chooses the consensus.
    last : Weights or None
        By agreement with that consensus; its posterior gives the quality. None: not yet known.
    """

    untied: UntiedCounts
    first: Weights
    last: Weights | None = None

    def labels(self, votes: Votes, pred_probs: NDArray[np.float64]) -> NDArray[np.int64]:
        """Choose the consensus; an exact tie goes to the majority.

        Parameters
        ----------
        votes : Votes
        pred_probs : ndarray of float64, shape (P, N, K)

        Returns
        -------
        ndarray of int64, shape (N,)
        """
        scores, total = weighted_scores(votes, pred_probs, self.first)
        labels = unique_best(scores / total[:, None])
        majority = majority_labels(votes, self.untied, mean_probs(pred_probs))
        return np.where(labels < 0, majority, labels)

    def decide(self, votes: Votes, pred_probs: NDArray[np.float64] | None = None) -> Decision:
        """Decide on items.

        Parameters
        ----------
        votes : Votes
        pred_probs : ndarray of float64, shape (P, N, K)

        Returns
        -------
        Decision
        """
        if pred_probs is None:
            raise ValueError("CROWDLAB needs a model")
        weights = self.last or self.first
        labels = self.labels(votes, pred_probs)
        scores, total = weighted_scores(votes, pred_probs, weights)
        posterior = scores / total[:, None]
        quality = posterior[np.arange(len(labels)), labels]
        return Decision(labels, posterior, quality, self._without(votes, scores, weights))

    def _without(
        self, votes: Votes, scores: NDArray[np.float64], weights: Weights
    ) -> NDArray[np.int64]:
        """Find the best class without each vote, of those with others; models stay."""
        num_classes = scores.shape[1]
        other = (1 - weights.likelihood) / (num_classes - 1)
        weight = weights.annotators[votes.annotators]
        shares = np.repeat((weight * other)[:, None], num_classes, axis=1)
        shares[np.arange(len(weight)), votes.labels] = weight * weights.likelihood
        # rounded, so that what is level stays so after a subtraction
        rest = np.rint((scores[votes.items] - shares) * ONE)
        found = unique_best(rest)
        found[votes.sizes[votes.items] == 1] = -1
        return found


def fit_crowdlab(votes: Votes, pred_probs: NDArray[np.float64], num_annotators: int) -> Crowdlab:
    """Weigh the voters of items that fit into memory.

    Parameters
    ----------
    votes : Votes
    pred_probs : ndarray of float64, shape (P, N, K)
        Of P models.
    num_annotators : int
        A.

    Returns
    -------
    Crowdlab
    """
    untied = count_untied(votes, pred_probs.shape[2], num_annotators)
    labels = majority_labels(votes, untied, mean_probs(pred_probs))
    first = weigh(count_crowdlab(votes, labels, pred_probs, num_annotators))
    labels = Crowdlab(untied, first).labels(votes, pred_probs)
    last = weigh(count_crowdlab(votes, labels, pred_probs, num_annotators))
    return Crowdlab(untied, first, last)
