"""Agreement, what annotators are like, and their flags."""

from __future__ import annotations

import numpy as np
import pytest

from sparkclean.crowds.agreement import AgreementCounts, agreements, poisson_weights
from sparkclean.crowds.annotators import CellSums, annotator_stats
from sparkclean.crowds.flags import (
    PairErrors,
    discoveries,
    error_classes,
    error_rates,
    flag_copiers,
    flag_disagreement,
    flag_one_class,
    pooled_confusion,
    shared_errors,
)
from sparkclean.crowds.majority import MajorityVote, count_untied
from sparkclean.crowds.votes import group_votes
from sparkclean.numbers.fixed_point import ONE
from sparkclean.numbers.hashes import mix_bits
from tests.unit.crowds import Crowd, make_crowd, with_copier
from tests.unit.test_crowds import votes_of

#: Of `test_alpha_by_class_equals_the_package_krippendorff`.
REFERENCE = [0.6233382570162482, 0.6237424547283702, 0.52, 0.724537037037037]


def cells_of(votes, num_classes: int, num_annotators: int) -> CellSums:
    cells = CellSums(num_classes)
    decider = MajorityVote(count_untied(votes, num_classes, num_annotators))
    cells.add(votes, decider.decide(votes))
    cells.compress()
    return cells


def counts_of(votes, num_classes: int) -> AgreementCounts:
    counts = AgreementCounts()
    counts.add(votes, num_classes, mix_bits(np.arange(votes.num_items, dtype=np.uint64)))
    return counts


# -- agreement -----------------------------------------------------------------------------------


def test_alpha_and_kappa_by_hand() -> None:
    # 4 items, 2 votes each: 3 agreements; 8 votes, 5 for class 0
    votes = votes_of("a0 b0", "a0 b0", "a1 b1", "a0 b1")
    found = {(a.statistic, a.label): a.value for a in agreements(counts_of(votes, 2), 2)}
    # observed 2/8; expected 2 * 5 * 3 / (8 * 7) for alpha, / 64 for kappa
    assert found["krippendorff_alpha", None] == pytest.approx(1 - (2 / 8) / (30 / 56))
    assert found["fleiss_kappa", None] == pytest.approx(1 - (2 / 8) / (30 / 64))
    assert found["krippendorff_alpha", 0] == found["krippendorff_alpha", None]  # two classes


def test_alpha_of_the_example_of_krippendorff() -> None:
    # Krippendorff (2011), C: nominal data, four observers, twelve units, values missing
    rows = ("1 2 3 3 2 1 4 1 2 . . .", "1 2 3 3 2 2 4 1 2 5 . 3", ". 3 3 3 2 3 4 2 2 5 1 .",
            "1 2 3 3 2 4 4 1 2 5 1 .")  # fmt: skip
    table = [row.split() for row in rows]
    cells = [
        (i, a, int(x) - 1) for a, row in enumerate(table) for i, x in enumerate(row) if x != "."
    ]
    votes = group_votes(*(np.array(column) for column in zip(*cells, strict=True)))
    first = next(iter(agreements(counts_of(votes, 5), 5)))
    assert first.value == pytest.approx(0.743, abs=5e-4)
    assert (first.items, first.annotations) == (11, 40)


def test_alpha_by_class_equals_the_package_krippendorff() -> None:
    # krippendorff 0.9.0 on this table, nominal: all classes, then each against the others
    crowd = make_crowd(40, 5, 3, 3, seed=5)
    found = [a.value for a in agreements(counts_of(crowd.votes, 3), 3)][:4]
    assert found == pytest.approx(REFERENCE, abs=1e-12)


def test_alpha_of_one_class_or_no_pair_is_none() -> None:
    for votes in (votes_of("a0 b0", "a0 b0"), votes_of("a0", "b1")):
        found = list(agreements(counts_of(votes, 2), 2))
        assert [a.value for a in found if a.label is None] == [None] * len(
            [a for a in found if a.label is None]
        )
        assert all(a.lower is None and a.upper is None for a in found)


def test_kappa_needs_equal_numbers_of_votes() -> None:
    names = {a.statistic for a in agreements(counts_of(votes_of("a0 b0 c1", "a0 b1"), 2), 2)}
    assert names == {"krippendorff_alpha"}


def test_alpha_intervals_cover_the_value_of_the_population() -> None:
    hits, widths = 0, []
    for seed in range(60):
        crowd = make_crowd(300, 8, 3, 3, skill=(0.7, 0.7), seed=seed)
        first = next(iter(agreements(counts_of(crowd.votes, 3), 3)))
        # two votes agree by chance 1/3, and by skill: alpha is .7 squared
        hits += first.lower <= 0.49 <= first.upper
        widths.append(first.upper - first.lower)
    assert hits >= 52
    assert 0.08 < np.mean(widths) < 0.16


def test_poisson_weights_have_the_moments_of_their_distribution() -> None:
    weights = poisson_weights(mix_bits(np.arange(4000, dtype=np.uint64))).astype(float)
    assert weights.shape == (200, 4000)
    assert weights.mean() == pytest.approx(1.0, abs=0.005)
    assert weights.var() == pytest.approx(1.0, abs=0.01)
    assert abs(np.corrcoef(weights[:8])[np.triu_indices(8, 1)]).max() < 0.06


def test_agreement_sums_add_up() -> None:
    crowd = make_crowd(100)
    whole, parts = counts_of(crowd.votes, 3), AgreementCounts()
    hashes = mix_bits(np.arange(100, dtype=np.uint64))
    for rows, part in ((slice(0, 40), crowd.items < 40), (slice(40, 100), crowd.items >= 40)):
        items = crowd.items[part] - rows.start
        votes = group_votes(items, crowd.annotators[part], crowd.labels[part])
        parts.add(votes, 3, hashes[rows])
    assert (whole.sums[4] == parts.sums[4]).all()


# -- annotators ----------------------------------------------------------------------------------


def test_annotator_stats_by_hand() -> None:
    # consensus 0, 1, 0; c is for 1 in each
    votes = votes_of("a0 b0 c1", "a1 b1 c1", "a0 b0 c1", "d1")
    stats = annotator_stats(cells_of(votes, 2, 4), 4, quality="agreement")
    assert stats.items.tolist() == [3, 3, 3, 1]
    # without a, b and c are level where c differs; without c, a and b agree
    assert stats.agreement[:3] == pytest.approx([1.0, 1.0, 1 / 3])
    assert np.isnan(stats.agreement[3])
    assert stats.quality[:3] == pytest.approx([1.0, 1.0, 1 / 3])
    assert np.isnan(stats.quality[3])
    assert stats.worst_class.tolist() == [0, 0, 1, 1]
    assert stats.confused.tolist() == [[-1, -1], [-1, -1], [1, 0], [-1, -1]]


def test_cells_added_in_parts_are_the_same() -> None:
    crowd = make_crowd(80)
    votes = crowd.votes
    decider = MajorityVote(count_untied(votes, 3, 12))
    whole, parts = CellSums(3), CellSums(3)
    whole.add(votes, decider.decide(votes))
    for select in (crowd.items < 30, crowd.items >= 30):
        items = crowd.items[select] - crowd.items[select].min()
        part = group_votes(items, crowd.annotators[select], crowd.labels[select])
        parts.add(part, decider.decide(part))
        parts.compress()
    whole.compress()
    assert (whole.keys == parts.keys).all()
    assert (whole.values == parts.values).all()


# -- flags ---------------------------------------------------------------------------------------


def test_discoveries_are_those_of_benjamini_and_hochberg() -> None:
    # their example: 15 p-values, four of which are chosen at .05
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240,
         0.4262, 0.5719, 0.6528, 0.7590, 1.0]  # fmt: skip
    assert discoveries(np.array(p)).tolist() == [True] * 4 + [False] * 11


def test_discoveries_ignore_tests_that_were_not_made() -> None:
    assert discoveries(np.array([np.nan, 0.04, np.nan])).tolist() == [False, True, False]
    assert not discoveries(np.array([])).any()


def test_one_class_is_flagged_where_the_others_see_many() -> None:
    crowd = make_crowd(300, 8, 3, 4, skill=(0.8, 0.9))
    labels = np.where(crowd.annotators == 2, 1, crowd.labels)
    cells = cells_of(group_votes(crowd.items, crowd.annotators, labels), 3, 8)
    assert flag_one_class(cells, 8).tolist() == [i == 2 for i in range(8)]


def test_one_class_is_not_flagged_where_all_items_are_of_it() -> None:
    rng = np.random.default_rng(0)
    items, who = np.repeat(np.arange(200), 4), np.tile(np.arange(4), 200)
    labels = (rng.random(800) < 0.02).astype(int)
    labels[who == 0] = 0
    assert not flag_one_class(cells_of(group_votes(items, who, labels), 2, 4), 4).any()


def test_one_class_is_not_flagged_of_a_single_vote() -> None:
    # as on golden crowd_dog: one vote, which is all of the annotator's, against nine others
    items, who = np.repeat(np.arange(100), 9), np.tile(np.arange(9), 100)
    labels = np.repeat(np.arange(100) % 4, 9)
    votes = group_votes(np.append(items, 0), np.append(who, 9), np.append(labels, 1))
    assert not flag_one_class(cells_of(votes, 4, 10), 10)[9]


def test_disagreement_flags_the_one_who_guesses_and_no_other() -> None:
    crowd = make_crowd(400, 10, 4, 5, skill=(0.8, 0.85))
    guesses = np.random.default_rng(3).integers(0, 4, len(crowd.labels))
    labels = np.where(crowd.annotators == 6, guesses, crowd.labels)
    cells = cells_of(group_votes(crowd.items, crowd.annotators, labels), 4, 10)
    assert flag_disagreement(cells, 10).tolist() == [i == 6 for i in range(10)]


def test_flags_of_a_crowd_of_equals_are_rare() -> None:
    flagged = 0
    for seed in range(20):
        crowd = make_crowd(300, 10, 3, 4, skill=(0.8, 0.8), seed=seed)
        cells = cells_of(crowd.votes, 3, 10)
        flagged += int(flag_one_class(cells, 10).sum() + flag_disagreement(cells, 10).sum())
    assert flagged <= 2  # of 200 annotators


def copiers_of(crowd: Crowd) -> tuple[list[int], list[int]]:
    """Annotators who are flagged, and with whom they share errors: the job's two passes at once."""
    votes, size = crowd.votes, crowd.num_annotators
    cells = cells_of(votes, crowd.num_classes, size)
    found = shared_errors(votes, crowd.num_classes, error_rates(cells, size), error_classes(cells))
    keys, places = np.unique(found.first * size + found.second, return_inverse=True)
    expected = np.stack(
        [np.bincount(places, found.expected[:, side]) / ONE for side in (0, 1)], axis=1
    )
    errors = np.bincount(places, found.same).astype(int)
    pairs = PairErrors(keys // size, keys % size, np.bincount(places), errors, expected)
    excess = errors.sum() / (expected.sum() / 2)
    flags, partners = flag_copiers(pairs, size, len(keys), excess)
    return np.flatnonzero(flags).tolist(), partners[flags].tolist()


def test_copier_is_flagged_with_the_one_who_was_copied() -> None:
    crowd = with_copier(make_crowd(600, 12, 4, 4, skill=(0.6, 0.8)), 3, 7)
    assert copiers_of(crowd) == ([3, 7], [7, 3])


def test_copier_is_not_flagged_where_annotators_are_independent() -> None:
    flagged = sum(
        len(copiers_of(make_crowd(400, 12, 4, 4, skill=(0.4, 0.9), seed=seed))[0])
        for seed in range(20)
    )
    assert flagged <= 4  # of 240


def test_copier_is_not_flagged_where_hard_items_mislead_everybody() -> None:
    crowd = make_crowd(600, 10, 4, 5, skill=(0.8, 0.85))
    hard = np.random.default_rng(2).random(600) < 0.15
    misled = hard[crowd.items] & (np.random.default_rng(4).random(len(crowd.items)) < 0.4)
    labels = np.where(misled, (crowd.truth[crowd.items] + 1) % 4, crowd.labels)
    crowd = Crowd(crowd.items, crowd.annotators, labels, crowd.truth, 10, 4)
    assert copiers_of(crowd) == ([], [])


def test_copier_needs_twenty_shared_items() -> None:
    pairs = PairErrors(
        np.array([0, 2]), np.array([1, 3]), np.array([19, 20]), np.array([15, 15]),
        np.full((2, 2), 0.5),
    )  # fmt: skip
    flags, partners = flag_copiers(pairs, 4, 2, 1.0)
    assert flags.tolist() == [False, False, True, True]
    assert partners.tolist() == [-1, -1, 3, 2]


def test_pooled_confusion_is_by_the_consensus_of_the_others() -> None:
    votes = votes_of("a0 b0 c1", "a1 b1 c1")
    pooled = pooled_confusion(cells_of(votes, 2, 3))
    # of the first item only c has others who agree: it said 1 for their 0
    assert pooled.tolist() == [[0.0, 1.0], [0.0, 1.0]]
