"""Consensus on real crowds of `shared/golden`: crowd-kit's posteriors, and the truth."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from sparkclean.crowds.dawid_skene import DawidSkene
from sparkclean.crowds.em import fit_dawid_skene
from sparkclean.crowds.majority import MajorityVote, UntiedCounts, count_untied
from sparkclean.crowds.votes import Votes, group_votes
from tests.conftest import GOLDEN

CROWDS = ("crowd_dog", "crowd_rte")


@dataclass(frozen=True)
class Golden:
    """A crowd, and the truth of some of its items (-1: unknown)."""

    votes: Votes
    tasks: NDArray[np.int64]
    truth: NDArray[np.int64]
    num_classes: int
    num_annotators: int

    @property
    def untied(self) -> UntiedCounts:
        return count_untied(self.votes, self.num_classes, self.num_annotators)

    def right(self, labels: NDArray[np.int64]) -> int:
        return int((labels == self.truth).sum())


def golden_of(answers: pd.DataFrame, truth: pd.Series) -> Golden:
    task, worker, label = (answers[name] for name in answers.columns)
    tasks, workers = np.unique(task), np.unique(worker.to_numpy().astype(str))
    who = np.searchsorted(workers, worker.to_numpy().astype(str))
    votes = group_votes(np.searchsorted(tasks, task), who, label.to_numpy().astype(int))
    known = truth.reindex(tasks).fillna(-1).to_numpy().astype(int)
    return Golden(votes, tasks, known, int(votes.labels.max()) + 1, len(workers))


@cache
def crowd(name: str) -> Golden:
    answers = pd.read_parquet(GOLDEN / name / "answers.parquet")
    truth = pd.read_parquet(GOLDEN / name / "truth.parquet").set_index("task")["truth"]
    return golden_of(answers[["task", "worker", "label"]], truth)


@cache
def judges() -> Golden:
    """Fourteen language models, as annotators of MMLU-Redux."""
    answers = pd.read_parquet(GOLDEN / "mmlu_redux" / "answers.parquet").dropna()
    questions = pd.read_parquet(GOLDEN / "mmlu_redux" / "questions.parquet")
    questions = questions.set_index("question_id")
    right = questions["key"].where(questions["error_type"] == "ok")
    truth = questions["corrected"].astype(float).fillna(right)
    return golden_of(answers[["question_id", "model", "answer"]], truth)


@pytest.mark.parametrize("name", CROWDS)
def test_dawid_skene_with_the_floors_of_crowd_kit_equals_its_posterior(name: str) -> None:
    golden = crowd(name)
    confusions, fit = fit_dawid_skene(
        golden.votes,
        golden.num_classes,
        golden.num_annotators,
        smoothing=0.0,
        tolerance=-np.inf,
        max_iterations=100,
    )
    assert fit.iterations == 100
    decision = DawidSkene(golden.untied, confusions).decide(golden.votes)
    place = GOLDEN / name / "reference_dawid_skene_posterior.parquet"
    expected = pd.read_parquet(place).set_index("task").loc[golden.tasks].to_numpy()
    # the reference does not go below 1e-10
    assert np.abs(np.maximum(decision.posterior, 1e-10) - expected).max() < 1e-6


@pytest.mark.parametrize("name", CROWDS)
def test_default_is_within_five_items_of_the_full_run_of_crowd_kit(name: str) -> None:
    golden = crowd(name)
    reference = json.loads((GOLDEN / name / "reference.json").read_text())["reference"]
    theirs = reference["DawidSkene_full100"]
    confusions, fit = fit_dawid_skene(golden.votes, golden.num_classes, golden.num_annotators)
    labels = DawidSkene(golden.untied, confusions).decide(golden.votes).labels
    assert fit.has_converged
    assert golden.right(labels) >= round(theirs["accuracy_on_truth"] * theirs["n"]) - 5


@pytest.mark.parametrize("name", CROWDS)
def test_majority_differs_from_crowd_kit_at_ties_alone(name: str) -> None:
    golden = crowd(name)
    place = GOLDEN / name / "reference_labels.parquet"
    theirs = pd.read_parquet(place).set_index("task")["MajorityVote"].loc[golden.tasks]
    tally = golden.votes.tally(golden.num_classes)
    untied = (tally == tally.max(axis=1, keepdims=True)).sum(axis=1) == 1
    labels = MajorityVote(golden.untied).decide(golden.votes).labels
    assert (labels == theirs)[untied].all()


def test_default_is_no_worse_than_the_majority_on_language_models() -> None:
    golden = judges()
    confusions, _ = fit_dawid_skene(golden.votes, golden.num_classes, golden.num_annotators)
    labels = DawidSkene(golden.untied, confusions).decide(golden.votes).labels
    first_of_ties = golden.votes.tally(golden.num_classes).argmax(axis=1)
    assert (golden.truth >= 0).sum() == 4466
    assert golden.right(labels) >= golden.right(first_of_ties) >= 3900
    # our own majority is right once more, of 17 items on which only one of the two is: 8 against 9
    ours = MajorityVote(golden.untied).decide(golden.votes).labels
    assert golden.right(labels) >= golden.right(ours) - 1
