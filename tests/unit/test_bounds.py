"""Bounds from a sample hold for the whole, and say so where they do not."""

from __future__ import annotations

import numpy as np
import pytest

from sparkclean.confident.bounds import (
    MANY_CLASSES,
    Bounds,
    recalled_bounds,
    remember_bounds,
    sample_bounds,
)
from sparkclean.confident.filters import prune_counts
from sparkclean.confident.issues import audit_arrays
from tests.data import noisy_data

NONE = np.full(5, np.nan)


@pytest.mark.parametrize("seed", range(20))
def test_sample_bounds_hold_for_the_table_that_the_sample_is_of(seed: int) -> None:
    given, probs = noisy_data(20_000, 5, seed=seed)
    whole = audit_arrays(given, probs)
    rows = np.random.default_rng(seed).permutation(len(given))[:2000]
    bounds = sample_bounds(
        given[rows], probs[rows], fixed=NONE, collision="cleanlab-2.9", frac_noise=1.0
    )
    assert bounds is not None
    assert bounds.hold(whole.thresholds)
    assert (bounds.highest - bounds.lowest).max() < 0.2
    assert bounds.lowest_margins is not None
    quotas = prune_counts(whole.noise.calibrated_joint)
    own = probs[np.arange(len(given)), given]
    for i, j in zip(*np.nonzero(quotas), strict=True):
        if i != j:
            reached = probs[given == i, j] - own[given == i] >= bounds.lowest_margins[i, j]
            assert reached.sum() >= quotas[i, j]


def test_bounds_do_not_hold_beyond_their_ends() -> None:
    bounds = Bounds(np.array([0.2, 0.3]), np.array([0.4, 0.5]))
    assert bounds.hold(np.array([0.2, 0.5]))
    assert not bounds.hold(np.array([0.2, np.nextafter(0.5, 1.0)]))
    assert not bounds.hold(np.array([np.nextafter(0.2, 0.0), 0.4]))


def test_sample_bounds_of_classes_that_are_not_in_the_sample_hold_for_any_threshold() -> None:
    given, probs = noisy_data(500, 5)
    kept = given != 3
    bounds = sample_bounds(given[kept], probs[kept], fixed=NONE, collision="paper", frac_noise=None)
    assert bounds is not None
    assert bounds.lowest_margins is None
    assert bounds.lowest[3] <= 2e-6
    assert bounds.highest[3] == 2.0


def test_sample_bounds_keep_fixed_thresholds() -> None:
    given, probs = noisy_data(500, 5)
    fixed = np.array([np.nan, 0.25, np.nan, np.nan, np.nan])
    bounds = sample_bounds(given, probs, fixed=fixed, collision="paper", frac_noise=1.0)
    assert bounds is not None
    assert bounds.lowest[1] == bounds.highest[1] == 0.25
    assert bounds.lowest[0] < bounds.highest[0]


def test_sample_bounds_of_nothing_are_none() -> None:
    given, probs = np.zeros(0, np.int64), np.zeros((0, 5))
    assert sample_bounds(given, probs, fixed=NONE, collision="paper", frac_noise=1.0) is None


def test_sample_bounds_of_many_classes_are_one_band() -> None:
    given, probs = noisy_data(1000, MANY_CLASSES, seed=1)
    fixed = np.full(MANY_CLASSES, np.nan)
    weak = sample_bounds(given, probs, fixed=fixed, collision="paper", frac_noise=1.0)
    assert weak is None
    sure = np.full((1000, MANY_CLASSES), 0.1 / (MANY_CLASSES - 1))
    sure[np.arange(1000), given] = 0.9
    bounds = sample_bounds(given, sure, fixed=fixed, collision="paper", frac_noise=1.0)
    assert bounds is not None
    assert bounds.lowest_margins is None
    assert (bounds.lowest == 0.1).all()


def test_recalled_bounds_hold_what_was_remembered() -> None:
    thresholds, examples = np.array([0.7, 0.5, 0.6]), np.array([100, 0, 1000])
    text = remember_bounds(thresholds, examples, {1: 0.3, 5: -np.inf})
    found = recalled_bounds(text, fixed=np.array([np.nan, np.nan, 0.9]), pairs=True)
    assert found is not None
    assert found.hold(np.array([0.705, 0.001, 0.9]))
    # a class without examples may have any threshold; the fixed one has its own
    assert found.hold(np.array([0.7, 2.0, 0.9]))
    assert not found.hold(np.array([0.7, 0.5, 0.6]))
    assert not found.hold(np.array([0.8, 0.5, 0.9]))
    assert found.lowest_margins is not None
    assert found.lowest_margins.tolist() == [
        [np.inf, 0.3 - 0.02, 0.0],
        [0.0, np.inf, -2.0],
        [0.0, 0.0, np.inf],
    ]


def test_recalled_bounds_without_pairs_bound_thresholds_alone() -> None:
    text = remember_bounds(np.array([0.7, 0.5]), np.array([10, 10]), {1: 0.3})
    found = recalled_bounds(text, fixed=np.full(2, np.nan), pairs=False)
    assert found is not None
    assert found.lowest_margins is None


def test_recalled_bounds_of_other_classes_are_none() -> None:
    text = remember_bounds(np.array([0.7, 0.5]), np.array([10, 10]), {})
    assert recalled_bounds(text, fixed=np.full(3, np.nan), pairs=True) is None


def test_remember_bounds_of_many_classes_leaves_pairs_out() -> None:
    text = remember_bounds(np.full(200, 0.5), np.full(200, 10), {1: 0.3})
    found = recalled_bounds(text, fixed=np.full(200, np.nan), pairs=True)
    assert found is not None
    assert found.lowest_margins is None
