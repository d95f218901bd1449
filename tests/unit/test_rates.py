"""Rates of wrong labels by a reviewed sample: decided by hand, and what must always hold."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkclean.noise.rates import (
    Estimate,
    ModelSums,
    Reviewers,
    allocate,
    audit_rate,
    bounds,
    corrected_rate,
    difference_estimate,
    recall,
    reviews_to_halve,
    stratified_rate,
)
from sparkclean.noise.strata import (
    bucket_edges,
    decile_of_rank,
    stratum_names,
    stratum_of_bucket,
    stratum_of_decile,
)
from sparkclean.numbers.exact_limits import clopper_pearson

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))

import review_coverage

sizes_of = st.lists(st.integers(0, 500), min_size=1, max_size=6)


# -- allocation ----------------------------------------------------------------------------------


def test_allocate_is_half_proportional_half_equal() -> None:
    # 50 by size (10, 40) and 50 equally (25, 25)
    assert allocate(100, [1000, 4000]).tolist() == [35, 65]


@given(sizes_of, st.integers(0, 2000))
def test_allocate_spends_the_budget_within_the_sizes(sizes: list[int], budget: int) -> None:
    drawn = allocate(budget, sizes)
    assert (drawn <= sizes).all()
    assert (drawn >= 0).all()
    assert drawn.sum() == min(budget, sum(sizes))


@given(sizes_of, st.data())
def test_allocate_leaves_what_was_taken(sizes: list[int], data: st.DataObject) -> None:
    taken = [data.draw(st.integers(0, size)) for size in sizes]
    drawn = allocate(10_000, sizes, taken)
    assert (drawn + taken == sizes).all()


# -- rates ---------------------------------------------------------------------------------------


def test_stratified_rate_of_one_stratum_is_clopper_pearson() -> None:
    found = stratified_rate([100_000], [2], [200])
    low, high = clopper_pearson(2, 200)
    assert tuple(map(float, found)) == pytest.approx((0.01, float(low), float(high)), abs=1e-15)


def test_stratified_rate_by_hand() -> None:
    found = stratified_rate([1000, 3000], [5, 1], [20, 40])
    assert float(found.value) == pytest.approx(0.25 * 0.25 + 0.75 * 0.025)
    low, high = clopper_pearson([5, 1], [20, 40])
    parts = [(0.25 * (0.25 - low[0])) ** 2 + (0.75 * (0.025 - low[1])) ** 2]
    assert float(found.low) == pytest.approx(float(found.value) - parts[0] ** 0.5)
    assert float(found.high) > float(found.value) + 0.75 * (high[1] - 0.025)


def test_stratified_rate_of_nothing_is_unknown() -> None:
    assert stratified_rate([10, 20], [0, 0], [0, 0]).rounded() == (None, 0.0, 1.0)


def test_stratified_rate_with_a_stratum_that_nobody_saw_adds_all_of_it() -> None:
    seen, with_unseen = stratified_rate([80], [8], [80]), stratified_rate([80, 20], [8, 0], [80, 0])
    assert seen.rounded() == (0.1, 0.1, 0.1)
    assert with_unseen.rounded() == (0.1, 0.08, 0.28)


@given(sizes_of, st.data())
def test_stratified_rate_lies_in_its_interval(sizes: list[int], data: st.DataObject) -> None:
    drawn = [data.draw(st.integers(0, size)) for size in sizes]
    errors = [data.draw(st.integers(0, n)) for n in drawn]
    value, low, high = stratified_rate(sizes, errors, drawn)
    assert 0 <= low <= high <= 1
    assert np.isnan(value) or low - 1e-12 <= value <= high + 1e-12


def test_recall_of_what_was_reviewed_wholly_is_exact() -> None:
    found = recall(([50], [30], [50]), ([100], [10], [100]))
    assert found.rounded() == (0.75, 0.75, 0.75)


def test_recall_without_suspects_is_nought() -> None:
    assert recall(([], [], []), ([100], [10], [100])).rounded() == (0.0, 0.0, 0.0)


def test_recall_without_errors_is_unknown() -> None:
    value, low, high = recall(([50], [0], [10]), ([100], [0], [10])).rounded()
    assert (value, low, high) == (None, 0.0, 1.0)


def test_bounds_hold_the_estimate_and_widen() -> None:
    none, some = bounds([1000], [3], [50], [0]), bounds([1000], [3], [50], [10])
    assert none == pytest.approx(tuple(map(float, stratified_rate([1000], [3], [50])[1:])))
    assert some[0] <= none[0] < none[1] < some[1]


def test_reviews_to_halve_is_about_three_times_as_many() -> None:
    more = reviews_to_halve([10**6], [100], [1000])
    assert more is not None
    assert 2700 < more < 3300


@pytest.mark.parametrize(("errors", "drawn"), [([0], [0]), ([1], [10])])
def test_reviews_to_halve_of_nothing_and_of_all_is_none(errors: list, drawn: list) -> None:
    assert reviews_to_halve([10], errors, drawn) is None


def test_reviews_to_halve_is_unknown_if_a_stratum_that_nobody_saw_keeps_it_wide() -> None:
    # all of the first stratum leaves half of the population unknown, of .55 before
    assert reviews_to_halve([1000, 1000], [5, 0], [100, 0]) is None
    few = reviews_to_halve([1000, 10], [5, 0], [100, 0])
    assert few is not None
    assert few < 1000


# -- the model's help, reviewers -----------------------------------------------------------------


def sums(
    y: list[np.ndarray], f: list[np.ndarray], sizes: list[int], doubt: list[float]
) -> ModelSums:
    return ModelSums(
        np.array(sizes),
        np.array([len(part) for part in y]),
        np.array(doubt),
        *(
            np.array([part.sum() for part in parts], float)
            for parts in (
                y,
                f,
                [a * b for a, b in zip(y, f, strict=True)],
                [b * b for b in f],
            )
        ),
    )


def test_difference_estimate_by_a_model_that_knows_is_exact() -> None:
    y = np.repeat([1.0, 0.0], [40, 160])
    found = difference_estimate(sums([y], [y], [10_000], [0.1]))
    assert found is not None
    # the sample has 20 %, the model says 10 % of all
    assert found.rounded() == pytest.approx((0.1, 0.1, 0.1), abs=1e-8)


def test_difference_estimate_by_a_model_that_knows_nothing_is_that_of_the_sample() -> None:
    y, f = np.repeat([1.0, 0.0], [40, 160]), np.full(200, 0.5)
    found = difference_estimate(sums([y], [f], [10_000], [0.5]))
    assert found is not None
    assert float(found.value) == pytest.approx(0.2)


def test_difference_estimate_is_not_shown_below_30_errors() -> None:
    y = np.repeat([1.0, 0.0], [29, 160])
    assert difference_estimate(sums([y], [y], [10_000], [0.1])) is None


def rate(value: float) -> Estimate:
    return Estimate(*(np.array(part) for part in (value, value / 2, value * 2)))


def test_corrected_rate_by_hand() -> None:
    found = corrected_rate(Reviewers(100, 90, 1000, 980), lambda _: rate(0.05))
    assert found is not None
    assert float(found.value) == pytest.approx((0.05 + 0.98 - 1) / (0.9 + 0.98 - 1))
    assert found.low <= found.value <= found.high


@pytest.mark.parametrize(
    "reviewers", [Reviewers(0, 0, 10, 9), Reviewers(10, 9, 0, 0), Reviewers(10, 2, 10, 5)]
)
def test_corrected_rate_is_unknown_without_gold_or_by_chance(reviewers: Reviewers) -> None:
    assert corrected_rate(reviewers, lambda _: rate(0.05)) is None


def test_audit_rate_is_that_of_the_confident_joint() -> None:
    found = audit_rate([100, 300], [[90, 10], [0, 50]])
    assert float(found.value) == pytest.approx(0.25 * 0.1)
    assert found.low < found.value < found.high


# -- strata --------------------------------------------------------------------------------------


def test_strata_follow_each_other() -> None:
    edges = bucket_edges({0: 10, 5: 10, 500: 30, 1023: 50})
    assert edges == [5, 1023]
    assert [stratum_of_bucket(bucket, edges) for bucket in (0, 5, 500, 1023)] == [2, 3, 3, 4]
    assert len(stratum_names(edges)) == 5


def test_strata_of_one_bucket_are_one() -> None:
    assert bucket_edges({1023: 100}) == []
    assert stratum_names([])[-1] == "others"


def test_deciles_of_ranks_are_even() -> None:
    deciles = [decile_of_rank(rank, 40) for rank in range(1, 41)]
    assert [deciles.count(d) for d in range(1, 11)] == [4] * 10
    assert [stratum_of_decile(d) for d in range(1, 11)] == [0] * 5 + [1] * 5


# -- coverage ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", review_coverage.KINDS)
@pytest.mark.parametrize("share", [0.01, 0.2])
def test_intervals_cover_the_truth(kind: str, share: float) -> None:
    made = review_coverage.population(kind, share, 10, "weak", 4_000)
    for budget in (200, 1000):
        found = review_coverage.coverage(made, budget, 1_000)
        assert min(held for held, _ in found.values()) >= 0.93
