"""Sums and logarithms with the same bits everywhere."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sparkclean.numbers.fixed_point import (
    EXACT_ROWS,
    ONE,
    join_limbs,
    portable_log,
    split_limbs,
    sum_by_class,
    sum_columns,
    sum_rows,
    to_fixed,
)

UNIT = 2.0**-40


@pytest.mark.parametrize(
    ("units", "rounded"),
    [(0.0, 0), (0.5, 0), (1.5, 2), (2.5, 2), (0.5000001, 1), (0.4999999, 0), (3.0, 3)],
)
def test_to_fixed_fraction_of_a_unit_rounds_half_to_even(units: float, rounded: int) -> None:
    assert to_fixed(np.array([units * UNIT])).tolist() == [rounded]


def test_to_fixed_one_is_two_to_the_40() -> None:
    assert to_fixed(np.array([1.0])).tolist() == [ONE]


def test_to_fixed_keeps_the_shape() -> None:
    assert to_fixed(np.zeros((2, 3))).shape == (2, 3)


def test_sum_by_class_values_are_added_to_their_class() -> None:
    found = sum_by_class(np.array([2, 0, 2]), np.array([0.25, 1.0, 0.5]), 4)
    assert found.tolist() == [ONE, 0, 3 * ONE // 4, 0]


def test_sum_by_class_without_rows_is_zero() -> None:
    assert sum_by_class(np.array([], np.int64), np.array([]), 2).tolist() == [0, 0]


def test_sum_by_class_single_units_are_not_lost_beside_ones() -> None:
    # a float sum of probabilities would lose 2**-40 beside 10,000 ones only by luck of order
    values = np.concatenate([np.ones(10_000), [UNIT]])
    assert sum_by_class(np.zeros(10_001, np.int64), values, 1).tolist() == [10_000 * ONE + 1]


@pytest.mark.parametrize("rows", [EXACT_ROWS - 1, EXACT_ROWS, EXACT_ROWS + 1, 3 * EXACT_ROWS + 5])
def test_sum_by_class_around_the_block_length_is_exact(rows: int) -> None:
    values = np.full(rows, 0.1)
    unit = int(to_fixed(values[:1])[0])
    assert sum_by_class(np.zeros(rows, np.int64), values, 1).tolist() == [rows * unit]


def test_sum_by_class_block_of_ones_is_below_two_to_the_53() -> None:
    assert EXACT_ROWS * ONE <= 1 << 53
    values = np.ones(EXACT_ROWS)
    values[0] = 1.0 - UNIT
    assert sum_by_class(np.zeros(EXACT_ROWS, np.int64), values, 1)[0] == EXACT_ROWS * ONE - 1


def test_sum_by_class_result_is_int64() -> None:
    assert sum_by_class(np.array([0], np.int32), np.array([0.5]), 1).dtype == np.int64


def test_sum_columns_values_are_added_to_their_column() -> None:
    found = sum_columns(np.array([[0.25, 0.75], [0.5, 0.5]]))
    assert found.tolist() == [3 * ONE // 4, 5 * ONE // 4]


def test_sum_columns_without_rows_is_zero() -> None:
    assert sum_columns(np.zeros((0, 3))).tolist() == [0, 0, 0]


def test_sum_columns_beyond_the_block_length_is_exact() -> None:
    values = np.full((EXACT_ROWS + 3, 2), 0.1)
    unit = int(to_fixed(values[0, :1])[0])
    assert sum_columns(values).tolist() == [(EXACT_ROWS + 3) * unit] * 2


def test_sum_columns_of_either_layout_is_the_same(rng: np.random.Generator) -> None:
    values = rng.random((200, 7))
    assert (sum_columns(values) == sum_columns(np.asfortranarray(values))).all()


def test_sum_rows_few_columns_are_added_left_to_right() -> None:
    # (1e16 + 1) is 1e16 again; from the right the sum would be 2
    assert sum_rows(np.array([[1e16, 1.0, -1e16, 1.0]])).tolist() == [1.0]


def test_sum_rows_eight_columns_are_added_in_pairs() -> None:
    # pairs lose both ones; from left to right the second would remain
    row = [1e16, 1.0, -1e16, 1.0, 0.0, 0.0, 0.0, 0.0]
    assert sum_rows(np.array([row])).tolist() == [0.0]


def test_sum_rows_columns_beyond_eights_are_added_last() -> None:
    row = [1e16, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1e16, 1.0]
    assert sum_rows(np.array([row])).tolist() == [1.0]


def test_sum_rows_sixteen_columns_are_added_in_eight_lanes() -> None:
    row = [1e16, *[0.0] * 7, -1e16, 1.0, *[0.0] * 6]
    assert sum_rows(np.array([row])).tolist() == [1.0]


def test_sum_rows_more_than_128_columns_are_halved_at_a_multiple_of_eight() -> None:
    # 136 columns, the first half 64 of them: the ones of the second are added up first, while a
    # single one is lost beside 1e16
    row = np.zeros(136)
    row[0], row[64], row[65] = 1e16, 1.0, 1.0
    assert sum_rows(row[None, :]).tolist() == [1e16 + 2.0]


@pytest.mark.parametrize("width", [1, 2, 7, 8, 9, 15, 16, 127, 128, 129, 136, 257, 1000])
def test_sum_rows_integers_of_any_width_are_exact(width: int, rng: np.random.Generator) -> None:
    matrix = rng.integers(-1000, 1000, (5, width))
    assert (sum_rows(matrix.astype(np.float64)) == matrix.sum(axis=1)).all()


@pytest.mark.parametrize("width", [5, 40, 300])
def test_sum_rows_of_either_layout_has_the_same_bits(width: int, rng: np.random.Generator) -> None:
    matrix = rng.random((20, width))
    other = sum_rows(np.asfortranarray(matrix))
    assert sum_rows(matrix).tobytes() == other.tobytes()
    assert sum_rows(matrix[::-1])[::-1].tobytes() == other.tobytes()


def test_sum_rows_does_not_change_its_input(rng: np.random.Generator) -> None:
    matrix = rng.random((3, 24))
    before = matrix.copy()
    sum_rows(matrix)
    assert (matrix == before).all()


def test_portable_log_of_one_is_zero() -> None:
    assert portable_log(np.array([1.0])).tolist() == [0.0]


@pytest.mark.parametrize(
    "value",
    [
        0.5,
        2.0,
        math.e,
        10.0,
        0.1,
        1 / 3,
        0.7071067811865475,
        0.7071067811865476,
        1.4142135623730951,
    ],
)
def test_portable_log_ordinary_value_is_the_logarithm(value: float) -> None:
    assert portable_log(np.array([value]))[0] == pytest.approx(math.log(value), rel=1e-15, abs=0.0)


@pytest.mark.parametrize("value", [5e-324, 2.2250738585072014e-308, 1e-300, 1e300])
def test_portable_log_extreme_value_is_the_logarithm(value: float) -> None:
    assert portable_log(np.array([value]))[0] == pytest.approx(math.log(value), rel=1e-15, abs=0.0)


@pytest.mark.parametrize("distance", [1e-3, 1e-6, 1e-9, 1e-12, 1e-15])
@pytest.mark.parametrize("sign", [-1, 1])
def test_portable_log_near_one_keeps_its_digits(distance: float, sign: int) -> None:
    value = 1.0 + sign * distance
    assert portable_log(np.array([value]))[0] == pytest.approx(math.log(value), rel=1e-15, abs=0.0)


def test_portable_log_keeps_the_shape() -> None:
    assert portable_log(np.ones((2, 3))).shape == (2, 3)


def test_portable_log_of_increasing_values_increases() -> None:
    values = np.linspace(0.001, 3.0, 10_001)
    assert (np.diff(portable_log(values)) > 0.0).all()


def test_portable_log_one_value_has_the_bits_it_has_among_many(rng: np.random.Generator) -> None:
    # vectorised code treats the last few elements of an array apart
    values = rng.random(67)
    alone = np.array([portable_log(values[i : i + 1])[0] for i in range(len(values))])
    assert portable_log(values).tobytes() == alone.tobytes()


@pytest.mark.parametrize("total", [0, 1, (1 << 32) - 1, 1 << 32, (1 << 63) + 5, (1 << 90) + 7])
def test_limbs_split_and_joined_are_the_total(total: int) -> None:
    high, low = split_limbs(total)
    assert 0 <= low < 1 << 32
    assert join_limbs(high, low) == total


def test_limbs_added_apart_are_the_sum() -> None:
    totals = [(1 << 62) + 3, (1 << 62) + (1 << 32) - 1, 7]
    limbs = [split_limbs(t) for t in totals]
    assert join_limbs(sum(h for h, _ in limbs), sum(low for _, low in limbs)) == sum(totals)


def test_limbs_low_sum_beyond_32_bits_carries() -> None:
    assert join_limbs(1, 3 << 32) == 4 << 32


def test_limbs_numpy_integers_do_not_overflow() -> None:
    assert join_limbs(np.int64(1 << 40), np.int64(1 << 62)) == (1 << 72) + (1 << 62)
