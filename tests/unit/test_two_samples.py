"""Two shares: against scipy, statsmodels' published numbers, and in simulations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control, fisher_exact

from sparkclean.numbers.false_discovery import adjust_p_values
from sparkclean.numbers.two_samples import compare_shares


def test_compare_shares_is_newcombes_example() -> None:
    # Newcombe (1998), table II, case (a): 56/70 - 48/80, method 10: .0524 to .3339
    move = compare_shares((48, 56), (80, 70))
    assert move is not None
    assert move.difference == pytest.approx(0.2)
    assert (move.low, move.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_compare_shares_of_few_rows_is_fishers_test() -> None:
    move = compare_shares((1, 7), (20, 20))
    assert move is not None
    assert move.p == pytest.approx(fisher_exact([[1, 19], [7, 13]]).pvalue, abs=1e-9)


def test_compare_shares_of_many_rows_is_the_pooled_test() -> None:
    move = compare_shares((100, 140), (1000, 1000))
    assert move is not None
    z = 0.04 / np.sqrt(0.12 * 0.88 * 2 / 1000)
    assert z == pytest.approx(2.7524, abs=1e-4)
    assert move.p == pytest.approx(0.005917, abs=1e-5)


def test_compare_shares_of_an_empty_sample_is_none_and_of_equal_ones_no_move() -> None:
    assert compare_shares((0, 1), (0, 5)) is None
    move = compare_shares((0, 0), (5, 5))
    assert move is not None
    assert (move.difference, move.p) == (0.0, 1.0)
    with pytest.raises(ValueError, match="6"):
        compare_shares((6, 0), (5, 5))


counts = st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(counts, counts)
def test_compare_shares_turned_around_is_the_same_move_back(
    one: tuple[int, int], other: tuple[int, int]
) -> None:
    there = compare_shares((one[0], other[0]), (one[1], other[1]))
    back = compare_shares((other[0], one[0]), (other[1], one[1]))
    assert there is not None
    assert back is not None
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low), abs=2e-9)
    assert back.p == pytest.approx(there.p, abs=2e-9)
    assert there.low <= there.difference <= there.high


def test_compare_shares_covers_the_true_difference() -> None:
    rng = np.random.default_rng(0)
    hits = rng.binomial([400, 500], [0.05, 0.08], (400, 2)).tolist()
    moves = [compare_shares((a, b), (400, 500)) for a, b in hits]
    covered = [m is not None and m.low <= 0.03 <= m.high for m in moves]
    assert 0.92 < np.mean(covered) <= 1


@given(st.lists(st.floats(0, 1), max_size=20))
def test_adjust_p_values_is_scipys(p: list[float]) -> None:
    wanted = false_discovery_control(p) if p else []
    assert adjust_p_values(p).tolist() == pytest.approx(list(wanted), abs=1e-9)
