"""A sample has every class in it, as many rows as it was meant to have, and knows its shares."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from sparkclean.learning.calibration import Uncalibrated
from sparkclean.learning.models import correct
from sparkclean.learning.profile import Profile
from sparkclean.learning.quotas import drawn_shares, rows_in_quota
from sparkclean.learning.sampling import check_seen, count_elsewhere, sample_quotas, sample_shares


def test_sample_of_many_small_classes_holds_each_of_them(rng: np.random.Generator) -> None:
    folds, classes, most = 5, 300, 400
    given = np.repeat(np.arange(classes), rng.integers(6, 60, classes))
    fold, place = rng.integers(0, folds, len(given)), rng.random(len(given))
    examples = np.zeros((folds, classes), np.int64)
    np.add.at(examples, (fold, given), 1)
    profile = Profile(1, tuple(range(classes)), examples, len(given), 0)
    quotas = sample_quotas(profile, most)
    assert (quotas >= 1).all()
    sampled = np.flatnonzero(place <= sample_shares(profile, quotas)[given])
    found = {}
    for number in range(folds):
        rows = sampled[fold[sampled] != number]
        rows = rows[np.argsort(place[rows], kind="stable")]
        kept = rows[rows_in_quota(given[rows], quotas[number])]
        found[number] = np.bincount(given[kept], minlength=classes).tolist()
        assert found[number] == quotas[number].tolist()
        assert len(kept) == most
    check_seen(profile, [], found)


def test_sample_of_more_classes_than_rows_leaves_some_out() -> None:
    profile = Profile(1, tuple(range(9)), np.full((2, 9), 3), 54, 0)
    quotas = sample_quotas(profile, 4)
    assert quotas.sum(axis=1).tolist() == [4, 4]


def test_first_rows_are_those_of_each_class_in_their_order() -> None:
    given = np.array([2, 0, 2, 2, 0, 1])
    assert rows_in_quota(given, np.array([1, 5, 2, 7])).tolist() == [0, 1, 2, 5]
    assert rows_in_quota(given, np.array([9, 9, 9, 9])).tolist() == list(range(6))
    assert rows_in_quota(given[:0], np.array([1])).tolist() == []


def test_drawn_shares_of_what_was_not_seen_are_one() -> None:
    found = drawn_shares(np.array([5, 0, 0, 4]), np.array([10, 7, 0, 4]))
    assert found.tolist() == [0.5, 1.0, 1.0, 1.0]


def test_probabilities_of_a_small_class_spread_less_than_by_a_sample_at_random(
    rng: np.random.Generator,
) -> None:
    given = rng.choice(3, 20_000, p=[0.08, 0.46, 0.46])
    numbers = rng.normal(size=(len(given), 4))
    numbers[np.arange(len(given)), given] += 1.5
    profile = Profile(4, (0, 1, 2), np.bincount(given)[None], len(given), 0)
    (quota,), (counts,) = sample_quotas(profile, 200), count_elsewhere(profile)
    means: list[list[float]] = [[], []]
    for _ in range(60):
        place = rng.random(len(given))
        order = np.argsort(place)
        by_quota = order[rows_in_quota(given[order], quota)]
        by_chance = np.flatnonzero(place < (quota / counts)[given])
        drawn = drawn_shares(np.bincount(given[by_quota]), counts)
        for found, rows, shares in (
            (means[0], by_quota, drawn),
            (means[1], by_chance, quota / counts),
        ):
            raw = LogisticRegression().fit(numbers[rows], given[rows]).predict_proba(numbers[:3000])
            found.append(float(correct(raw, Uncalibrated(), shares)[:, 0].mean()))
    assert np.mean(means[0]) == pytest.approx(0.08, rel=0.1)
    assert np.std(means[0]) < 0.8 * np.std(means[1])
