"""Votes, the majority and its ties, Wawa, Dawid and Skene: decided by hand, or by the truth."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from sparkclean.crowds.dawid_skene import (
    Confusions,
    DawidSkene,
    Sums,
    expect,
    posterior_of,
)
from sparkclean.crowds.em import fit_dawid_skene
from sparkclean.crowds.majority import (
    MajorityVote,
    UntiedCounts,
    Wawa,
    count_agreeing,
    count_untied,
    majority_labels,
    wawa_skills,
)
from sparkclean.crowds.votes import best_without, group_votes, one_hot, unique_best
from sparkclean.numbers.fixed_point import ONE, portable_exp
from tests.unit.crowds import make_crowd


def votes_of(*items: str):
    """Votes as texts: ``a0 b1`` is annotator a for class 0 and b for class 1."""
    rows = [
        (i, ord(vote[0]) - ord("a"), int(vote[1:]))
        for i, item in enumerate(items)
        for vote in item.split()
    ]
    return group_votes(*(np.array(column) for column in zip(*rows, strict=True)))


# -- numbers -------------------------------------------------------------------------------------


def test_portable_exp_is_close_to_the_exponential() -> None:
    x = np.concatenate([np.linspace(-689, 20, 7001), [0.0, -1e-17, 1.0]])
    assert np.abs(portable_exp(x) / np.exp(x) - 1).max() < 1e-15
    assert portable_exp(np.array([0.0]))[0] == 1.0


def test_portable_exp_of_very_small_numbers_is_zero() -> None:
    assert portable_exp(np.array([-700.0, -1e300])).tolist() == [0.0, 0.0]


# -- votes ---------------------------------------------------------------------------------------


def test_group_votes_orders_by_item_and_annotator() -> None:
    votes = group_votes(np.array([1, 0, 1]), np.array([2, 1, 0]), np.array([0, 1, 1]))
    assert votes.starts.tolist() == [0, 1, 3]
    assert votes.annotators.tolist() == [1, 0, 2]
    assert votes.labels.tolist() == [1, 1, 0]


def test_tally_counts_votes_by_class() -> None:
    assert votes_of("a0 b0 c2", "b1").tally(3).tolist() == [[2, 0, 1], [0, 1, 0]]


def test_parts_cover_all_items_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparkclean.crowds.votes.PART_CELLS", 12)
    votes = make_crowd(50).votes
    parts = list(votes.parts(3))
    assert len(parts) > 10
    assert [rows.start for rows, _ in parts[1:]] == [rows.stop for rows, _ in parts[:-1]]
    assert np.concatenate([part.labels for _, part in parts]).tolist() == votes.labels.tolist()


def test_parts_keep_an_item_of_many_votes_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparkclean.crowds.votes.PART_CELLS", 4)
    sizes = [part.sizes.tolist() for _, part in votes_of("a0 b0 c0 d1 e1", "a0", "b0").parts(2)]
    assert sizes == [[5], [1, 1]]


def test_unique_best_of_level_scores_is_none() -> None:
    assert unique_best(np.array([[1, 2], [2, 2], [3, 1]])).tolist() == [1, -1, 0]


def test_best_without_leaves_the_vote_itself_out() -> None:
    votes = votes_of("a0 b1 c1", "a0")
    found = best_without(votes, votes.tally(2), one_hot(votes.labels, 2))
    # without a, b and c agree; without b, a and c are level; nobody else is there for the second
    assert found.tolist() == [1, -1, -1, -1]


# -- the majority --------------------------------------------------------------------------------


def test_majority_takes_the_class_with_most_votes() -> None:
    votes = votes_of("a0 b1 c1", "a2 b2 c0")
    assert majority_labels(votes, count_untied(votes, 3, 3)).tolist() == [1, 2]


def test_majority_tie_goes_to_the_model_first() -> None:
    votes = votes_of("a0 b1", "a0 b0 c1", "a0 b0")
    untied = count_untied(votes, 2, 3)
    probs = np.array([[0.6, 0.4], [0.0, 1.0], [0.0, 1.0]])
    assert majority_labels(votes, untied, probs).tolist() == [0, 0, 0]
    assert majority_labels(votes, untied, 1 - probs)[0] == 1


def test_majority_tie_goes_to_the_rarer_class_without_a_model() -> None:
    votes = votes_of("a0 b1", "a0 b0", "c0")
    assert majority_labels(votes, count_untied(votes, 2, 3)).tolist() == [1, 0, 0]


def test_majority_tie_of_equal_classes_goes_to_the_better_annotator() -> None:
    # classes 0 and 1 have five votes each; on untied items a is always right, b never
    votes = votes_of("a0 b1", "a0 c0 b1", "a1 c1 d1 b0", "c0")
    untied = count_untied(votes, 2, 4)
    assert untied.classes.tolist() == [5, 5]
    assert untied.agreement.tolist()[:2] == [ONE, 0]
    assert majority_labels(votes, untied).tolist() == [0, 0, 1, 0]


def test_majority_tie_of_everything_goes_to_the_first_class() -> None:
    votes = votes_of("a1 b0")
    assert majority_labels(votes, count_untied(votes, 2, 2)).tolist() == [0]


def test_untied_agreement_of_an_annotator_without_untied_items_is_the_mean() -> None:
    counts = UntiedCounts(np.ones(2, int), np.array([1, 3, 0]), np.array([2, 3, 0]))
    assert counts.agreement.tolist() == [ONE // 2, ONE, 3 * ONE // 4]


def test_majority_quality_is_the_share_of_votes() -> None:
    votes = votes_of("a0 b1 c1", "b1")
    decision = MajorityVote(count_untied(votes, 2, 3)).decide(votes)
    assert decision.quality.tolist() == [2 / 3, 1.0]


def test_wawa_weighs_votes_by_agreement_with_the_majority() -> None:
    # a and b agree with the majority always, c and d never: two good ones beat two bad ones
    votes = votes_of("a0 b0 e0 c1", "a1 b1 e1 d0", "a0 b0 c1 d1")
    untied = count_untied(votes, 2, 5)
    skills = wawa_skills(*count_agreeing(votes, np.array([0, 1, 0]), 5))
    decision = Wawa(untied, skills).decide(votes)
    assert decision.labels.tolist() == [0, 1, 0]
    assert decision.quality[2] == 1.0


def test_wawa_without_any_skill_falls_back_to_shares() -> None:
    votes = votes_of("a0 b1 c1")
    decision = Wawa(count_untied(votes, 2, 3), np.zeros(3, np.int64)).decide(votes)
    assert decision.posterior.tolist() == [[1 / 3, 2 / 3]]


# -- Dawid and Skene -----------------------------------------------------------------------------


def test_posterior_of_equal_scores_is_uniform() -> None:
    posterior, likelihood = posterior_of(np.array([[-5 * ONE, -5 * ONE]]))
    assert posterior.tolist() == [[0.5, 0.5]]
    assert likelihood[0] / ONE == pytest.approx(-5 + math.log(2), abs=1e-11)


def test_dawid_skene_one_step_by_hand() -> None:
    # one item, a said 0 and b said 1; a is right in 9 of 10, b in 6 of 10
    table = np.array([[0.9, 0.1], [0.1, 0.9], [0.6, 0.4], [0.4, 0.6]])
    logs = np.rint(np.log(table) * ONE).astype(np.int64)
    confusions = Confusions(logs, np.rint(np.log([0.5, 0.5]) * ONE).astype(np.int64))
    votes = votes_of("a0 b1")
    decision = DawidSkene(count_untied(votes, 2, 2), confusions).decide(votes)
    assert decision.posterior[0, 0] == pytest.approx(0.9 * 0.4 / (0.9 * 0.4 + 0.1 * 0.6), abs=1e-9)


def test_dawid_skene_learns_who_swaps_two_classes() -> None:
    crowd = make_crowd(600, 6, 2, 3, skill=(0.9, 0.95))
    labels = np.where(crowd.annotators == 0, 1 - crowd.labels, crowd.labels)
    votes = group_votes(crowd.items, crowd.annotators, labels)
    confusions, _ = fit_dawid_skene(votes, 2, 6)
    table = np.exp(confusions.table / ONE).reshape(6, 2, 2)
    assert table[0, 0, 1] > 0.8  # of class 1 it says 0
    assert table[1, 0, 0] > 0.8
    decision = DawidSkene(count_untied(votes, 2, 6), confusions).decide(votes)
    assert (decision.labels == crowd.truth).mean() > 0.93


def test_dawid_skene_rises_in_log_posterior_and_converges() -> None:
    votes = make_crowd(400, 10, 3, 5).votes
    gains = [
        fit_dawid_skene(votes, 3, 10, max_iterations=n, tolerance=0.0)[1].gain for n in (2, 4, 8)
    ]
    assert all(gain > 0 for gain in gains)
    assert gains == sorted(gains, reverse=True)
    _, fit = fit_dawid_skene(votes, 3, 10)
    assert fit.has_converged
    assert fit.iterations < 100


@pytest.mark.parametrize(("classes", "seed"), [(50, 0), (50, 1), (100, 0), (100, 1)])
def test_dawid_skene_of_many_classes_is_no_worse_than_the_majority(classes: int, seed: int) -> None:
    crowd = make_crowd(3000, 80, classes, 5, skill=(0.4, 0.9), seed=seed)
    votes, truth = crowd.votes, crowd.truth
    untied = count_untied(votes, classes, 80)
    confusions, _ = fit_dawid_skene(votes, classes, 80)
    own = (DawidSkene(untied, confusions).decide(votes).labels == truth).mean()
    majority = (MajorityVote(untied).decide(votes).labels == truth).mean()
    assert own > majority - 0.005


def test_dawid_skene_sums_do_not_depend_on_order_or_division() -> None:
    crowd = make_crowd(200)
    whole = Sums.of(12, 3)
    expect(crowd.votes, None, whole)
    parted = Sums.of(12, 3)
    for rows in (crowd.items < 77, crowd.items >= 77):
        low = crowd.items[rows].min()
        part = group_votes(crowd.items[rows] - low, crowd.annotators[rows], crowd.labels[rows])
        expect(part, None, parted)
    assert (whole.cells == parted.cells).all()
    assert (whole.classes == parted.classes).all()


def test_sums_of_few_of_many_cells_are_the_same() -> None:
    votes = votes_of("a0 b1", "a1 b1 c0")
    sums = {}
    for annotators in (3, 1000):  # the second looks for cells that occur
        sums[annotators] = Sums.of(annotators, 2)
        expect(votes, None, sums[annotators])
    assert (sums[1000].cells[:, :6] == sums[3].cells).all()
    assert not sums[1000].cells[:, 6:].any()


def test_confusions_are_read_from_their_file(tmp_path: Path) -> None:
    votes = make_crowd(50).votes
    confusions, _ = fit_dawid_skene(votes, 3, 12)
    kept = confusions.kept(tmp_path / "c.npy")
    assert isinstance(kept.cells, str)
    assert (kept.table == confusions.table).all()


def test_dawid_skene_of_a_class_without_votes() -> None:
    votes = make_crowd(100, classes=3).votes
    confusions, fit = fit_dawid_skene(votes, 5, 12)
    decision = DawidSkene(count_untied(votes, 5, 12), confusions).decide(votes)
    assert fit.has_converged
    assert set(decision.labels.tolist()) <= {0, 1, 2}
    assert decision.posterior[:, 3:].max() < 1e-6
