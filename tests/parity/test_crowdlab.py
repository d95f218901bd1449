"""CROWDLAB and the majority against cleanlab 2.9.0's ``multiannotator``, on random small problems.

Left out whole, and counted: problems in which the reference draws a random number, and those whose
two best posteriors of an item lie within 1e-12 (one label moves all weights).
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from cleanlab import multiannotator
from hypothesis import given as for_all
from hypothesis import seed, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sparkclean.crowds.annotators import CellSums, annotator_stats
from sparkclean.crowds.crowdlab import Crowdlab, fit_crowdlab, weighted_scores
from sparkclean.crowds.majority import MajorityVote, count_untied, majority_labels
from sparkclean.crowds.votes import Decision, Votes, group_votes

PROBLEMS = 660
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Problem:
    """Labels by item and annotator, NaN where there is none; and models."""

    labels: NDArray[np.float64]
    pred_probs: NDArray[np.float64]  # (P, N, K)

    @property
    def votes(self) -> Votes:
        items, annotators = np.nonzero(~np.isnan(self.labels))
        return group_votes(items, annotators, self.labels[items, annotators].astype(int))

    @property
    def num_annotators(self) -> int:
        return self.labels.shape[1]

    @property
    def num_classes(self) -> int:
        return self.pred_probs.shape[2]


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    classes, annotators = draw(st.integers(2, 6)), draw(st.integers(2, 9))
    items, models = draw(st.integers(2, 40)), draw(st.integers(1, 3))
    truth = rng.integers(0, classes, items)
    right = rng.random((items, annotators)) < draw(st.floats(0.2, 1.0))
    labels = np.where(right, truth[:, None], rng.integers(0, classes, right.shape)).astype(float)
    labels[rng.random(right.shape) < draw(st.floats(0.0, 0.85))] = np.nan
    for item in range(items):
        if np.isnan(labels[item]).all():
            labels[item, rng.integers(annotators)] = truth[item]
    labels = labels[:, ~np.isnan(labels).all(axis=0)]
    probs = rng.dirichlet(np.full(classes, draw(st.sampled_from([0.2, 1.0, 5.0]))), (models, items))
    if draw(st.booleans()):  # few different values: ties
        probs = np.round(probs * 4 + 0.25) / 4
        probs /= probs.sum(axis=2, keepdims=True)
    return Problem(labels, probs)


def reference(problem: Problem) -> dict[str, Any] | None:
    """Ask cleanlab; None where it refuses the problem, or draws a random number."""
    with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("always")
        try:
            if len(problem.pred_probs) == 1:
                found = multiannotator.get_label_quality_multiannotator(
                    problem.labels, problem.pred_probs[0], return_weights=True, verbose=False
                )
            else:
                found = multiannotator.get_label_quality_multiannotator_ensemble(
                    problem.labels, problem.pred_probs.copy(), return_weights=True, verbose=False
                )
        except ValueError:
            return None
    return None if any("random" in str(entry.message) for entry in caught) else found


def is_close_call(problem: Problem, fitted: Crowdlab) -> bool:
    scores, total = weighted_scores(problem.votes, problem.pred_probs, fitted.first)
    ranked = np.sort(scores / total[:, None], axis=1)
    return bool((ranked[:, -1] - ranked[:, -2]).min() < 1e-12)


def stats_of(problem: Problem, decision: Decision, quality: str, share: float = 0.0) -> Any:
    cells = CellSums(problem.num_classes)
    cells.add(problem.votes, decision)
    cells.compress()
    return annotator_stats(cells, problem.num_annotators, quality=quality, model_share=share)


def test_crowdlab_equals_cleanlab() -> None:
    seen: Counter[str] = Counter()

    @seed(20261130)
    @settings(max_examples=PROBLEMS, deadline=None, database=None)
    @for_all(problems())
    def compare(problem: Problem) -> None:
        if problem.num_annotators < 2 or (problem.votes.sizes == 1).all():
            seen["single labels"] += 1
            return
        expected = reference(problem)
        if expected is None:
            seen["refused or random"] += 1
            return
        fitted = fit_crowdlab(problem.votes, problem.pred_probs, problem.num_annotators)
        if is_close_call(problem, fitted):
            seen["close call"] += 1
            return
        decision = fitted.decide(problem.votes, problem.pred_probs)
        assert fitted.last is not None
        table = expected["label_quality"]
        assert decision.labels.tolist() == table["consensus_label"].tolist()
        close = {"rtol": 0, "atol": TOLERANCE}
        np.testing.assert_allclose(decision.quality, table["consensus_quality_score"], **close)
        models = np.atleast_1d(expected["model_weight"])
        np.testing.assert_allclose(fitted.last.models, models, **close)
        np.testing.assert_allclose(fitted.last.annotators, expected["annotator_weight"], **close)
        detailed = expected["detailed_label_quality"].to_numpy()
        votes = problem.votes
        np.testing.assert_allclose(
            decision.posterior[votes.items, votes.labels],
            detailed[votes.items, votes.annotators],
            **close,
        )
        stats = stats_of(problem, decision, "crowdlab", fitted.last.model_share)
        theirs = expected["annotator_stats"].sort_index()
        np.testing.assert_allclose(stats.quality, theirs["annotator_quality"], **close)
        assert stats.items.tolist() == theirs["num_examples_labeled"].tolist()
        if not _has_close_classes(problem, decision):
            assert stats.worst_class.tolist() == theirs["worst_class"].tolist()
            seen["worst classes"] += 1
        seen["equal"] += 1

    compare()
    assert seen["equal"] >= 500
    assert seen["worst classes"] > 0.5 * PROBLEMS


def _has_close_classes(problem: Problem, decision: Decision) -> bool:
    """Tell whether an annotator's worst class hangs on means that differ by rounding alone."""
    votes = problem.votes
    for who in range(problem.num_annotators):
        own = votes.annotators == who
        quality = decision.quality[votes.items[own]]
        means = [quality[votes.labels[own] == k].mean() for k in np.unique(votes.labels[own])]
        if len(means) > 1 and np.diff(np.sort(means)).min() < 1e-9:
            return True
    return False


def test_majority_equals_cleanlab() -> None:
    seen: Counter[str] = Counter()

    @seed(20261201)
    @settings(max_examples=PROBLEMS, deadline=None, database=None)
    @for_all(problems(), st.booleans())
    def compare(problem: Problem, with_model: bool) -> None:
        probs = problem.pred_probs[0] if with_model else None
        classes = problem.num_classes if with_model else int(np.nanmax(problem.labels) + 1)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                expected = multiannotator.get_majority_vote_label(
                    problem.labels, probs, verbose=False
                )
            except ValueError:  # nothing is untied: its mean is of no number
                seen["refused"] += 1
                return
        if any("random" in str(entry.message) for entry in caught):
            seen["random"] += 1
            return
        untied = count_untied(problem.votes, classes, problem.num_annotators)
        assert majority_labels(problem.votes, untied, probs).tolist() == expected.tolist()
        decision = MajorityVote(untied).decide(problem.votes)
        agreement = (problem.labels == decision.labels[:, None]).sum(axis=1) / problem.votes.sizes
        assert decision.quality.tolist() == agreement.tolist()
        seen["equal"] += 1

    compare()
    assert seen["equal"] >= 500


def test_agreement_quality_of_annotators_equals_cleanlab() -> None:
    rng = np.random.default_rng(7)
    truth = rng.integers(0, 3, 60)
    labels = np.where(rng.random((60, 5)) < 0.7, truth[:, None], 0).astype(float)
    labels[rng.random((60, 5)) < 0.3] = np.nan
    labels[np.isnan(labels).all(axis=1), 0] = 0
    problem = Problem(labels, np.full((1, 60, 3), 1 / 3))
    expected = multiannotator.get_label_quality_multiannotator(
        labels, problem.pred_probs[0], consensus_method="majority_vote",
        quality_method="agreement", verbose=False,
    )  # fmt: skip
    untied = count_untied(problem.votes, 3, 5)
    decision = MajorityVote(untied).decide(problem.votes)
    assert decision.labels.tolist() == expected["label_quality"]["consensus_label"].tolist()
    stats = stats_of(problem, decision, "agreement")
    theirs = expected["annotator_stats"].sort_index()["annotator_quality"]
    assert stats.quality == pytest.approx(theirs.to_numpy(), abs=TOLERANCE)
