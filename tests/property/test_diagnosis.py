"""Kinds of noise told apart on numbers: known noise, invariants, counts by another way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given as given_values
from hypothesis import settings
from hypothesis import strategies as st
from scipy.stats import binomtest, chi2_contingency, false_discovery_control, poisson

from sparkclean.noise.diagnosis.arrays import count_arrays
from sparkclean.noise.diagnosis.buckets import OUTSIDE, confidence_buckets, tier_cutoffs, tiers
from sparkclean.noise.diagnosis.chances import cramers_v, excess
from sparkclean.noise.diagnosis.counts import LAGS, Counts
from sparkclean.noise.diagnosis.decide import Signs, find_signs, judge_stability
from sparkclean.noise.diagnosis.draws import PoissonDraws
from sparkclean.noise.diagnosis.findings import ADVERSARIAL, list_findings
from sparkclean.noise.diagnosis.limits import Limits
from sparkclean.noise.simulate import Given, Noise, plant
from sparkclean.numbers.false_discovery import adjust_p_values

LIMITS = Limits()
ROWS, SIZE = 6000, 6


def model(seed: int = 0, size: int = SIZE, distance: float = 4.0) -> tuple[np.ndarray, np.ndarray]:
    """Give true classes, and probabilities of a model that is calibrated on them."""
    rng = np.random.default_rng(seed)
    true = rng.integers(size, size=ROWS)
    logits = rng.standard_normal((ROWS, size))
    logits[np.arange(ROWS), true] += distance
    powers = np.exp(distance * (logits - logits.max(axis=1, keepdims=True)))
    return true, powers / powers.sum(axis=1, keepdims=True)


def sources(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed + 100).integers(10, size=ROWS)


def diagnosed(
    noise: Noise, about: Given | None = None, **columns: np.ndarray
) -> tuple[Counts, Signs]:
    true, probs = model()
    planted = plant(true, [noise], num_classes=SIZE, given=[about or Given()])
    file = np.arange(ROWS) // 300
    subjects = {"source": sources(), "file": file}
    counts = count_arrays(planted.noisy, probs, subjects=subjects, file=file)
    return counts, find_signs(counts, LIMITS)


FILE = np.arange(ROWS) // 300
PAIRS = ((0, 1), (2, 3), (4, 5))


@pytest.mark.parametrize(
    ("kind", "noise", "about"),
    [
        ("none", Noise("uniform", 0.0), None),
        ("uniform", Noise("uniform", 0.1), None),
        ("pairs", Noise("pairs", 0.1, pairs=PAIRS), None),
        ("class", Noise("uniform", 0.25), Given(may_change=model()[0] < 2)),
        ("source", Noise("uniform", 0.3), Given(may_change=sources() == 4)),
        ("file", Noise("uniform", 0.4), Given(may_change=FILE == 7)),
        ("shift", Noise("shift", 0.1, lag=2), Given(group=FILE)),
        ("swap", Noise("swap", pairs=((0, 1),)), Given(may_change=sources() == 4)),
        ("adversarial", Noise("adversarial", 0.5, pairs=((0, 1),)),
         Given(may_change=sources() == 4)),
    ],
)  # fmt: skip
def test_known_noise_is_named(kind: str, noise: Noise, about: Given | None) -> None:
    counts, signs = diagnosed(noise, about)
    stability = judge_stability(counts, signs, LIMITS, replicates=20)
    assert (signs.kind, stability.kind) == (kind, kind)
    assert stability.stability >= 0.8


def test_exchange_of_neighbours_is_named() -> None:
    true, probs = model()
    first = np.arange(0, ROWS, 20)
    given = true.copy()
    given[first], given[first + 1] = true[first + 1], true[first]
    counts = count_arrays(given, probs, file=FILE)
    signs = find_signs(counts, LIMITS)
    assert signs.kind == "exchange"
    assert signs.neighbours is not None
    planted = np.count_nonzero(given != true)
    assert signs.neighbours.exchanged == pytest.approx(planted, rel=0.1)


def test_shift_has_lag_and_file() -> None:
    true, probs = model()
    given = true.copy()
    given[FILE == 5] = np.roll(true[FILE == 5], 2)
    near = find_signs(count_arrays(given, probs, file=FILE), LIMITS).neighbours
    assert near is not None
    assert {near.counts.names[k]: int(near.lag[k]) for k in np.flatnonzero(near.lag)} == {"5": 2}


def test_noisy_source_is_found_with_its_errors() -> None:
    counts, signs = diagnosed(Noise("uniform", 0.3), Given(may_change=sources() == 4))
    (of,) = [of for of in signs.subjects if of.counts.kind == "source"]
    assert [of.counts.names[k] for k in np.flatnonzero(of.errors)] == ["4"]
    assert of.attributed == pytest.approx(0.3 * np.count_nonzero(sources() == 4), rel=0.1)
    listed = list_findings(counts, signs, LIMITS)
    found = next(f for f in listed if f.subject == "4" and f.given is None)
    assert found.low is not None
    assert found.low > 1.3
    assert found.action.startswith("review this source")


def test_adversarial_is_one_cell_and_called_a_sign() -> None:
    noise = Noise("adversarial", 0.5, pairs=((0, 1),))
    counts, signs = diagnosed(noise, Given(may_change=sources() == 4))
    (found,) = [f for f in list_findings(counts, signs, LIMITS) if f.hypothesis == ADVERSARIAL]
    assert (found.subject, found.given, found.predicted) == ("4", 1, 0)
    assert "no proof" in found.action


def test_weak_model_without_noise_is_not_called_noisy() -> None:
    true, probs = model(distance=2.0)
    counts = count_arrays(true, probs, subjects={"source": sources()}, file=FILE)
    signs = find_signs(counts, LIMITS)
    assert signs.kind in ("undetermined", "none")
    assert judge_stability(counts, signs, LIMITS, replicates=20).kind in ("undetermined", "none")


def test_mixture_without_greater_part_is_undetermined() -> None:
    true, probs = model()
    about = [Given(), Given(may_change=sources() == 4)]
    noises = [Noise("uniform", 0.05), Noise("uniform", 0.25)]
    given = plant(true, noises, num_classes=SIZE, given=about).noisy
    signs = find_signs(count_arrays(given, probs, subjects={"source": sources()}), LIMITS)
    assert signs.kind == "undetermined"
    assert "not the greater part" in signs.reason


def test_unstable_winner_is_undetermined() -> None:
    true, probs = model()
    given = plant(true, [Noise("uniform", 0.008)], num_classes=SIZE).noisy
    counts = count_arrays(given, probs)
    stability = judge_stability(counts, find_signs(counts, LIMITS), LIMITS, replicates=40)
    strict = replace(LIMITS, stable=1.01)
    assert judge_stability(counts, find_signs(counts, LIMITS), strict, replicates=40).kind == (
        "undetermined"
    )
    assert sum(stability.shares.values()) == pytest.approx(1.0)


# -- counts ---------------------------------------------------------------------------------------


def test_expected_counts_of_cells_are_sums_of_probabilities() -> None:
    true, probs = model()
    given = plant(true, [Noise("pairs", 0.3, pairs=PAIRS)], num_classes=SIZE).noisy
    source = sources()
    (of,) = count_arrays(given, probs, subjects={"source": source}).subjects
    predicted = probs.argmax(axis=1)
    assert len(of.subject)
    for k in range(len(of.subject)):
        s, i, j = of.names[of.subject[k]], of.given[k], of.predicted[k]
        mine = (source == int(s)) & (predicted == j)
        assert of.cell_observed[k] == np.count_nonzero(mine & (given == i))
        assert of.cell_expected[k] == pytest.approx(probs[mine, i].sum(), abs=1e-8)
        rest = (source != int(s)) & (predicted == j)
        assert of.rest_observed[k] == np.count_nonzero(rest & (given == i))
        assert of.rest_expected[k] == pytest.approx(probs[rest, i].sum(), abs=1e-8)
        assert (of.cell_rows[k], of.rest_rows[k]) == (mine.sum(), rest.sum())


def test_lags_stay_within_their_file() -> None:
    given, probs = np.array([0, 1, 1, 0]), np.eye(2)[[0, 1, 1, 0]]
    near = count_arrays(given, probs, file=np.array([0, 0, 1, 1])).neighbours
    assert near is not None
    assert near.compared[:, LAGS.index(1)].tolist() == [1, 1]
    assert near.compared[:, LAGS.index(-2)].tolist() == [0, 0]
    assert near.agreeing[:, LAGS.index(0)].tolist() == [2, 2]
    assert near.agreeing[:, LAGS.index(1)].tolist() == [0, 0]


def test_counts_do_not_depend_on_the_order_of_rows() -> None:
    true, probs = model()
    given = plant(true, [Noise("uniform", 0.2)], num_classes=SIZE).noisy
    hashes = np.random.default_rng(3).integers(1 << 40, size=ROWS)
    order = np.random.default_rng(1).permutation(ROWS)
    one = count_arrays(given, probs, subjects={"source": sources()}, hashes=hashes)
    other = count_arrays(
        given[order], probs[order], subjects={"source": sources()[order]}, hashes=hashes[order]
    )
    for a, b in ((one.shape, other.shape), (one.subjects[0], other.subjects[0])):
        for name, value in vars(a).items():
            np.testing.assert_array_equal(value, getattr(b, name))


@given_values(st.lists(st.floats(0, 1), min_size=1, max_size=60))
@settings(max_examples=60, deadline=None)
def test_tiers_hold_at_least_their_share_of_the_surest(values: list[float]) -> None:
    highest = np.array(values)
    bucket, predicted = confidence_buckets(highest), np.zeros(len(values), np.int64)
    codes, sizes = np.unique(bucket, return_counts=True)
    cutoffs = tier_cutoffs(np.zeros(len(codes), np.int64), codes, sizes, 2)
    found = tiers(predicted, bucket, cutoffs)
    assert np.count_nonzero(found <= 1) >= 0.25 * len(values)
    inside, outside = highest[found < OUTSIDE], highest[found == OUTSIDE]
    if len(outside):
        assert inside.min() >= outside.max()
    assert cutoffs[:, 1].tolist() == [-1] * OUTSIDE


@given_values(st.floats(0, 1), st.floats(0, 1))
def test_surer_predictions_are_in_no_later_bucket(one: float, other: float) -> None:
    low, high = confidence_buckets(np.array(sorted((one, other))))
    assert low >= high


# -- tests and intervals, against references -------------------------------------------------------


def test_excess_is_the_conditional_test_of_two_poisson_counts() -> None:
    found = excess(np.array([12]), np.array([3.0]), np.array([20]), np.array([17.0]))
    reference = binomtest(12, 32, 3 / 20, alternative="greater")
    assert found.p[0] == pytest.approx(reference.pvalue, rel=1e-9)
    ends = binomtest(12, 32).proportion_ci(0.95, method="exact")
    odds = (3 / 20) / (17 / 20)
    assert found.low[0] == pytest.approx(ends.low / (1 - ends.low) / odds)
    assert found.high[0] == pytest.approx(ends.high / (1 - ends.high) / odds)
    assert found.ratio[0] == pytest.approx(12 / (20.5 / 17.5 * 3))


def test_excess_without_others_has_no_upper_limit() -> None:
    found = excess(np.array([5]), np.array([1.0]), np.array([0]), np.array([4.0]))
    assert np.isinf(found.high[0])
    nothing = excess(np.array([0]), np.array([1.0]), np.array([7]), np.array([4.0]))
    assert (nothing.p[0], nothing.low[0]) == (1.0, 0.0)


@given_values(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_adjust_is_benjamini_and_hochberg(p: list[float]) -> None:
    np.testing.assert_allclose(adjust_p_values(np.array(p)), false_discovery_control(p), atol=1e-12)
    assert (adjust_p_values(np.array(p), 100) >= adjust_p_values(np.array(p)) - 1e-15).all()


def test_cramers_v_has_the_chi_square_of_scipy() -> None:
    table = np.array([[30, 10, 5], [200, 210, 190]])
    reference = chi2_contingency(table, correction=False)
    found = cramers_v(table)
    assert (found.chi2, found.p) == pytest.approx((reference.statistic, reference.pvalue))
    assert found.v == pytest.approx(np.sqrt((found.chi2 - 2) / table.sum()))
    assert found.low <= found.v <= found.high
    assert cramers_v(np.array([[1, 2]])).p == 1.0


def test_draws_are_poisson_and_always_the_same() -> None:
    means = np.repeat([0, 1, 5, 63, 64, 1000], 20_000)
    drawn = PoissonDraws(3).poisson(means)
    np.testing.assert_array_equal(drawn, PoissonDraws(3).poisson(means))
    assert (drawn != PoissonDraws(4).poisson(means)).any()
    for mean in (1, 5, 63, 64, 1000):
        own = drawn[means == mean]
        assert own.mean() == pytest.approx(mean, abs=4 * np.sqrt(mean / 20_000))
        assert own.var() == pytest.approx(mean, rel=0.05)
        assert np.mean(own <= mean) == pytest.approx(poisson.cdf(mean, mean), abs=0.02)
    assert (drawn[means == 0] == 0).all()


def test_replicates_are_the_same_at_each_call() -> None:
    counts, signs = diagnosed(Noise("uniform", 0.03))
    found = [judge_stability(counts, signs, LIMITS, replicates=10) for _ in range(2)]
    assert found[0] == found[1]


def test_shift_within_a_source_is_a_finding_about_the_source() -> None:
    true, probs = model()
    planted = plant(true, [Noise("shift", 0.1)], num_classes=SIZE, given=[Given(group=FILE)])
    counts = count_arrays(planted.noisy, probs, subjects={"source": FILE}, file=FILE)
    assert counts.neighbours is not None
    counts = replace(counts, neighbours=replace(counts.neighbours, kind="source"))
    found = list_findings(counts, find_signs(counts, LIMITS), LIMITS)
    assert {of.kind for of in found if of.hypothesis == "shift"} == {"source"}


def test_one_class_has_no_noise() -> None:
    counts = count_arrays(np.zeros(50, np.int64), np.ones((50, 1)))
    assert find_signs(counts, LIMITS).kind == "none"
