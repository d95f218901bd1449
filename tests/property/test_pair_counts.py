"""Counts of pairs of classes say what numpy says of the same array."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sparkclean.numbers.pair_counts import PairCounts

PROPERTY = settings(deadline=None, derandomize=True, max_examples=150)


@st.composite
def arrays(draw: st.DrawFn, count: int = 1) -> list[NDArray[np.int64]]:
    """Square arrays of one size, with many zeros and many ties."""
    size = draw(st.integers(1, 6))
    number = st.one_of(st.just(0), st.integers(0, 3), st.integers(0, 1 << 40))
    flat = st.lists(number, min_size=size * size, max_size=size * size)
    return [np.array(draw(flat), np.int64).reshape(size, size) for _ in range(count)]


@PROPERTY
@given(arrays())
def test_pair_counts_sums_are_those_of_the_array(drawn: list[NDArray[np.int64]]) -> None:
    (array,) = drawn
    counts = PairCounts(array)
    assert counts.num_classes == len(array)
    assert counts.total == array.sum()
    assert counts.trace == np.trace(array)
    assert counts.off_diagonal == array[~np.eye(len(array), dtype=bool)].sum()
    assert counts.by_given().tolist() == array.sum(axis=1).tolist()
    assert counts.by_other().tolist() == array.sum(axis=0).tolist()
    assert counts.diagonal().tolist() == np.diag(array).tolist()
    assert counts.as_array().tolist() == array.tolist()


@PROPERTY
@given(arrays())
def test_pair_counts_pairs_are_those_with_a_count(drawn: list[NDArray[np.int64]]) -> None:
    (array,) = drawn
    counts = PairCounts(array)
    pairs = list(counts.pairs())
    assert pairs == [tuple(pair) for pair in np.argwhere(array).tolist()]
    assert [counts[pair] for pair in pairs] == array[array > 0].tolist()


@PROPERTY
@given(arrays(), st.integers(0, 40))
def test_pair_counts_largest_are_those_of_a_sort(drawn: list[NDArray[np.int64]], most: int) -> None:
    counts = PairCounts(drawn[0])
    differing = [pair for pair in counts.pairs() if pair[0] != pair[1]]
    wanted = sorted(differing, key=lambda pair: (-counts[pair], pair))[:most]
    assert counts.largest_off_diagonal(most) == wanted


@PROPERTY
@given(arrays(count=2))
def test_pair_counts_add_up(drawn: list[NDArray[np.int64]]) -> None:
    one, other = drawn
    both = PairCounts(one) + PairCounts(other)
    assert both.as_array().tolist() == (one + other).tolist()


@PROPERTY
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 1 << 40))))
def test_pair_counts_of_entries_adds_those_of_one_pair(entries: list[Any]) -> None:
    wanted = np.zeros((4, 4), np.int64)
    for given_, other, count in entries:
        wanted[given_, other] += count
    assert PairCounts.of_entries(4, iter(entries)).as_array().tolist() == wanted.tolist()


def test_pair_counts_cannot_be_changed_and_change_nothing() -> None:
    array = np.array([[1, 2], [3, 4]])
    counts = PairCounts(array)
    with pytest.raises(ValueError, match="read-only"):
        counts.as_array()[0, 0] = 9
    assert array.flags.writeable
    assert counts.largest_off_diagonal(1) == [(1, 0)]
    assert array.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("counts", [[1, 2], [[1, 2]], [[[1]]]])
def test_pair_counts_that_are_not_square_are_refused(counts: Any) -> None:
    with pytest.raises(ValueError, match=r"have shape \(K, K\), not"):
        PairCounts(counts)
