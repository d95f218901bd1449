"""Exact limits of shares agree with scipy's, and with a search through all numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, hypergeom

from sparkclean.numbers.exact_limits import clopper_pearson, hypergeometric_limits, share_limits


@pytest.mark.parametrize(("hits", "drawn"), [(0, 10), (1, 10), (7, 10), (10, 10), (3, 1000)])
@pytest.mark.parametrize("level", [0.95, 0.975])
def test_clopper_pearson_is_that_of_scipy(hits: int, drawn: int, level: float) -> None:
    wanted = binomtest(hits, drawn).proportion_ci(level)
    low, high = clopper_pearson(hits, drawn, level)
    assert (low, high) == pytest.approx((wanted.low, wanted.high), abs=1e-12)


def test_clopper_pearson_of_nothing_is_everything() -> None:
    low, high = clopper_pearson([0], [0])
    assert (low[0], high[0]) == (0.0, 1.0)


@st.composite
def samples(draw: st.DrawFn) -> tuple[int, int, int]:
    size = draw(st.integers(1, 60))
    drawn = draw(st.integers(1, size))
    return draw(st.integers(0, drawn)), drawn, size


@given(samples())
def test_hypergeometric_limits_are_those_of_a_search(sample: tuple[int, int, int]) -> None:
    k, n, size = sample
    numbers = np.arange(k, size - (n - k) + 1)
    kept = [
        m
        for m in numbers
        if hypergeom.sf(k - 1, size, m, n) > 0.025 and hypergeom.cdf(k, size, m, n) > 0.025
    ]
    low, high = hypergeometric_limits(k, n, size)
    assert (low, high) == pytest.approx((min(kept) / size, max(kept) / size), abs=1e-12)


def test_share_limits_of_a_whole_population_are_its_share() -> None:
    low, high = share_limits([3], [7], [7])
    assert low[0] == high[0] == pytest.approx(3 / 7)


def test_share_limits_are_hypergeometric_only_with_ten_hits() -> None:
    few, many = share_limits([9], [100], [200]), share_limits([10], [100], [200])
    assert few[0][0] == clopper_pearson(9, 100)[0]
    assert many[0][0] == hypergeometric_limits(10, 100, 200)[0] > clopper_pearson(10, 100)[0]
