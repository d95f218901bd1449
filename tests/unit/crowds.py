"""Crowds that tests make up: annotators of known skill, and a true class for each item."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparkclean.crowds.votes import Votes, group_votes


@dataclass(frozen=True)
class Crowd:
    """Votes with their truth."""

    items: NDArray[np.int64]
    annotators: NDArray[np.int64]
    labels: NDArray[np.int64]
    truth: NDArray[np.int64]
    num_annotators: int
    num_classes: int

    @property
    def votes(self) -> Votes:
        return group_votes(self.items, self.annotators, self.labels)


def make_crowd(
    items: int = 300,
    annotators: int = 12,
    classes: int = 3,
    votes: int = 4,
    *,
    skill: tuple[float, float] = (0.5, 0.95),
    seed: int = 0,
) -> Crowd:
    """Annotators who give the true class with a probability of their own, else any class."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, items)
    skills = rng.uniform(*skill, annotators)
    item = np.repeat(np.arange(items), votes)
    who = np.concatenate([rng.choice(annotators, votes, replace=False) for _ in range(items)])
    right = rng.random(len(item)) < skills[who]
    given = np.where(right, truth[item], rng.integers(0, classes, len(item)))
    return Crowd(item, who, given, truth, annotators, classes)


def with_copier(crowd: Crowd, first: int, copier: int, *, seed: int = 1) -> Crowd:
    """Give every item of one annotator a vote of another one, who copies nine in ten."""
    rng = np.random.default_rng(seed)
    kept = crowd.annotators != copier
    items, who, labels = (a[kept] for a in (crowd.items, crowd.annotators, crowd.labels))
    own = np.flatnonzero(who == first)
    copied = rng.random(len(own)) < 0.9
    given = np.where(copied, labels[own], rng.integers(0, crowd.num_classes, len(own)))
    return Crowd(
        np.concatenate([items, items[own]]),
        np.concatenate([who, np.full(len(own), copier)]),
        np.concatenate([labels, given]),
        crowd.truth,
        crowd.num_annotators,
        crowd.num_classes,
    )
