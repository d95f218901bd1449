"""Rows are hashed as Spark hashes them."""

from __future__ import annotations

import numpy as np
import pytest

from sparkclean.learning.hashing import hash_integers, hash_numbers

NAN, INF = float("nan"), float("inf")
#: What ``xxhash64`` of Spark gives, the seeds in front.
BEGUN_0, BEGUN_7 = 1151812168208346021, 4633820553573986255


@pytest.mark.parametrize(
    ("seed", "row", "hashed"),
    [
        (BEGUN_0, [1.5, -2.0, 3.25], 7005585927068246510),
        (42, [1.5, -2.0, 3.25], -1467706942393082008),
        (BEGUN_7, [0.0, -0.0, NAN], 1590016701182924467),
        (BEGUN_0, [INF, 5e-324, 1e300], -4295875829665913040),
        (BEGUN_0, [], BEGUN_0),
    ],
)
def test_hash_numbers_is_that_of_spark(seed: int, row: list[float], hashed: int) -> None:
    assert hash_numbers(np.array([row, row]), seed).tolist() == [hashed, hashed]


def test_hash_numbers_all_nan_are_one_and_the_input_stays() -> None:
    other = np.array([0x7FF8000000000123], np.uint64).view(np.float64)
    numbers = np.column_stack([[NAN, *-other], [-0.0, 0.0]])
    before = numbers.tobytes()
    first, second = hash_numbers(numbers, 42).tolist()
    assert first == second
    assert numbers.tobytes() == before


def test_hash_numbers_of_float32_are_those_of_float64() -> None:
    numbers = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    assert (hash_numbers(numbers, 1) == hash_numbers(numbers.astype(np.float64), 1)).all()


@pytest.mark.parametrize(
    ("value", "kind", "hashed"),
    [
        (-1, np.int8, 2017008487422258757),
        (7, np.int8, 2786828215451145335),
        (-32768, np.int16, -904511417458573795),
        (-2147483648, np.int32, 2073849959933241805),
        (-1, np.int64, 3858142552250413010),
        (-9223372036854775808, np.int64, -8619748838626508300),
    ],
)
def test_hash_integers_is_that_of_spark(value: int, kind: type, hashed: int) -> None:
    seeds = np.array([42, 42])
    assert hash_integers(np.array([value, value], kind), seeds).tolist() == [hashed, hashed]
    assert seeds.tolist() == [42, 42]
