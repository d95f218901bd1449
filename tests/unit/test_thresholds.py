"""Class thresholds: exact means of self-confidence, a floor, and 2 for a missing class."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from sparkclean.confident.thresholds import confident_thresholds
from sparkclean.numbers.fixed_point import ONE, sum_by_class

HALF = ONE // 2


def thresholds_of(given: list[int], own: list[float], num_classes: int) -> np.ndarray:
    labels, values = np.array(given), np.array(own)
    sums = sum_by_class(labels, values, num_classes)
    return confident_thresholds(sums.tolist(), np.bincount(labels, minlength=num_classes).tolist())


def test_thresholds_two_classes_are_their_mean_self_confidences() -> None:
    found = thresholds_of([0, 0, 1, 1], [0.5, 1.0, 0.25, 0.25], 2)
    assert found.tolist() == [0.75, 0.25]


def test_thresholds_decimal_values_are_near_the_float_mean() -> None:
    found = thresholds_of([0, 0, 0], [0.1, 0.2, 0.4], 1)
    assert found[0] == pytest.approx(0.7 / 3, abs=2**-40)


def test_thresholds_missing_class_is_two() -> None:
    assert thresholds_of([0, 2], [0.5, 0.5], 4).tolist() == [0.5, 2.0, 0.5, 2.0]


def test_thresholds_missing_class_with_a_sum_is_two() -> None:
    assert confident_thresholds([HALF], [0]).tolist() == [2.0]


def test_thresholds_singleton_class_is_its_self_confidence() -> None:
    assert thresholds_of([0, 1, 1], [0.375, 1.0, 0.0], 2).tolist() == [0.375, 0.5]


def test_thresholds_all_zero_class_is_the_floor() -> None:
    assert thresholds_of([0, 0], [0.0, 0.0], 1).tolist() == [2e-6]


def test_thresholds_mean_below_the_floor_is_the_floor() -> None:
    assert confident_thresholds([ONE // 1_000_000], [1]).tolist() == [2e-6]


def test_thresholds_mean_above_the_floor_is_kept() -> None:
    total = ONE // 400_000  # 2.5e-6
    assert confident_thresholds([total], [1]).tolist() == [total / ONE]


def test_thresholds_certain_class_is_one() -> None:
    assert thresholds_of([0, 0, 0], [1.0, 1.0, 1.0], 1).tolist() == [1.0]


def test_thresholds_equal_probabilities_of_ten_classes_are_a_tenth_each() -> None:
    found = thresholds_of(list(range(10)) * 3, [0.1] * 30, 10)
    assert len(set(found.tolist())) == 1
    assert found[0] == round(0.1 * ONE) / ONE


def test_thresholds_division_is_correctly_rounded() -> None:
    total, count = 2 * ONE + 1, 3
    assert confident_thresholds([total], [count])[0] == float(Fraction(total, count * ONE))


def test_thresholds_sum_beyond_64_bits_is_exact() -> None:
    unit, count = round(0.3 * ONE), 10**11
    assert unit * count > 1 << 64
    assert confident_thresholds([unit * count], [count])[0] == unit / ONE


def test_thresholds_sum_beyond_64_bits_divides_once() -> None:
    total, count = (1 << 70) + 12345, 3 << 30
    wanted = float(Fraction(total, count * ONE))
    assert confident_thresholds([total], [count])[0] == wanted


def test_thresholds_numpy_integers_are_as_python_integers() -> None:
    found = confident_thresholds(np.array([HALF, ONE]), np.array([1, 4], np.int32))
    assert found.tolist() == [0.5, 0.25]


def test_thresholds_shape_and_type_are_those_of_the_classes() -> None:
    found = confident_thresholds([0] * 7, [1] * 7)
    assert found.shape == (7,)
    assert found.dtype == np.float64


def test_thresholds_lengths_that_differ_raise() -> None:
    with pytest.raises(ValueError, match=r"shorter|longer"):
        confident_thresholds([ONE, ONE], [1])


def test_thresholds_reversed_rows_have_the_same_bits(rng: np.random.Generator) -> None:
    given, own = rng.integers(0, 3, 500), rng.random(500)
    there = thresholds_of(given.tolist(), own.tolist(), 3)
    back = thresholds_of(given[::-1].tolist(), own[::-1].tolist(), 3)
    assert there.tobytes() == back.tobytes()


def test_thresholds_random_values_are_within_1e_12_of_the_float_mean(
    rng: np.random.Generator,
) -> None:
    given, own = rng.integers(0, 3, 500), rng.random(500)
    wanted = [own[given == k].mean() for k in range(3)]
    found = thresholds_of(given.tolist(), own.tolist(), 3)
    np.testing.assert_allclose(found, wanted, rtol=0.0, atol=1e-12)
