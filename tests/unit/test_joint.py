"""The confident joint: outcome of each example, counts, calibration in integers."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from sparkclean.confident.joint import (
    NOT_CONFIDENT,
    add_pairs,
    calibrate_joint,
    confident_classes,
    confident_in_bands,
    confident_joint,
    count_pairs,
    decide,
)

RULES = pytest.mark.parametrize("collision", ["cleanlab-2.9", "paper"])


def outcome_of(row: list[float], thresholds: list[float], collision: str = "cleanlab-2.9") -> int:
    found = confident_classes(np.array([row]), np.array(thresholds), collision=collision)
    return int(found[0])


def calibrated(joint: list[list[int]], examples: list[int]) -> list[list[int]]:
    return calibrate_joint(np.array(joint), np.array(examples)).tolist()


def calibrated_row(row: list[int], examples: int) -> list[int]:
    """Calibrate one row of a joint; the other rows are as missing classes have them."""
    size = len(row)
    joint = np.eye(size, dtype=np.int64)
    joint[0] = row
    wanted = np.zeros(size, np.int64)
    wanted[0] = examples
    return calibrate_joint(joint, wanted)[0].tolist()


@RULES
def test_confident_classes_none_reaches_its_threshold_is_not_confident(collision: str) -> None:
    assert outcome_of([0.4, 0.3, 0.3], [0.5, 0.5, 0.5], collision) == NOT_CONFIDENT


@RULES
def test_confident_classes_one_is_the_outcome(collision: str) -> None:
    assert outcome_of([0.2, 0.7, 0.1], [0.5, 0.5, 0.5], collision) == 1


@RULES
def test_confident_classes_one_that_is_not_the_argmax_is_the_outcome(collision: str) -> None:
    assert outcome_of([0.6, 0.3, 0.1], [0.9, 0.9, 0.1], collision) == 2


@RULES
def test_confident_classes_several_with_the_argmax_among_them_is_the_argmax(
    collision: str,
) -> None:
    assert outcome_of([0.3, 0.5, 0.2], [0.2, 0.2, 0.2], collision) == 1


def test_confident_classes_several_without_the_argmax_is_the_argmax_of_all() -> None:
    assert outcome_of([0.5, 0.2, 0.3], [0.9, 0.1, 0.1]) == 0


def test_confident_classes_several_without_the_argmax_by_the_paper_is_a_confident_one() -> None:
    assert outcome_of([0.5, 0.2, 0.3], [0.9, 0.1, 0.1], "paper") == 2


@RULES
def test_confident_classes_tie_is_the_first_index(collision: str) -> None:
    assert outcome_of([0.2, 0.4, 0.4], [0.1, 0.3, 0.3], collision) == 1


def test_confident_classes_tie_by_the_paper_is_the_first_confident_index() -> None:
    assert outcome_of([0.4, 0.3, 0.3], [0.9, 0.2, 0.2], "paper") == 1


@RULES
def test_confident_classes_equal_probabilities_and_thresholds_is_the_first_index(
    collision: str,
) -> None:
    assert outcome_of([0.25] * 4, [0.25] * 4, collision) == 0


@RULES
def test_confident_classes_exactly_the_margin_below_is_confident(collision: str) -> None:
    threshold = 0.5
    assert outcome_of([threshold - 1e-6, 0.0], [threshold, 2.0], collision) == 0


@RULES
def test_confident_classes_just_more_than_the_margin_below_is_not_confident(
    collision: str,
) -> None:
    below = float(np.nextafter(0.5 - 1e-6, 0.0))
    assert outcome_of([below, 0.0], [0.5, 2.0], collision) == NOT_CONFIDENT


@RULES
def test_confident_classes_missing_class_is_never_confident(collision: str) -> None:
    assert outcome_of([0.0, 1.0], [0.5, 2.0], collision) == NOT_CONFIDENT


@RULES
def test_confident_classes_zero_probability_at_the_floor_is_not_confident(collision: str) -> None:
    # 0 lies below 2e-6 - 1e-6: a class of zeros does not swallow every example
    assert outcome_of([0.0, 0.0], [2e-6, 2e-6], collision) == NOT_CONFIDENT


@RULES
def test_confident_classes_without_rows_is_empty(collision: str) -> None:
    found = confident_classes(np.zeros((0, 3)), np.full(3, 0.5), collision=collision)
    assert found.shape == (0,)


@RULES
def test_confident_classes_many_rows_each_have_their_own_outcome(collision: str) -> None:
    rows = np.array([[0.9, 0.1], [0.1, 0.9], [0.5, 0.5], [0.8, 0.2]])
    found = confident_classes(rows, np.array([0.8, 0.9]), collision=collision)
    assert found.tolist() == [0, 1, NOT_CONFIDENT, 0]


def test_count_pairs_rows_are_given_and_columns_true() -> None:
    found = count_pairs(np.array([0, 0, 1, 0]), np.array([1, 1, 0, 0]), 2)
    assert found.tolist() == [[1, 2], [1, 0]]


def test_count_pairs_not_confident_is_not_counted() -> None:
    found = count_pairs(np.array([0, 1, 1]), np.array([NOT_CONFIDENT, 1, NOT_CONFIDENT]), 2)
    assert found.tolist() == [[0, 0], [0, 1]]


def test_count_pairs_without_rows_is_zero() -> None:
    assert count_pairs(np.array([], np.int64), np.array([], np.int64), 2).tolist() == [[0, 0]] * 2


@pytest.mark.parametrize("rows", [24, 25, 26, 1000])
def test_count_pairs_batch_around_the_size_of_the_joint_counts_every_row(
    rows: int, rng: np.random.Generator
) -> None:
    given, true = rng.integers(0, 5, rows), rng.integers(-1, 5, rows)
    wanted = np.zeros((5, 5), int)
    for i, j in zip(given, true, strict=True):
        if j >= 0:
            wanted[i, j] += 1
    assert count_pairs(given, true, 5).tolist() == wanted.tolist()


def test_count_pairs_narrow_integers_do_not_overflow() -> None:
    given = np.array([15] * 3, np.int8)
    assert count_pairs(given, given, 16)[15, 15] == 3


def test_add_pairs_adds_to_what_is_there() -> None:
    counts = np.array([[5, 0], [0, 7]])
    add_pairs(counts, np.array([0, 1, 1]), np.array([1, 1, 1]))
    assert counts.tolist() == [[5, 1], [0, 9]]


def test_confident_joint_diagonal_is_at_least_one() -> None:
    assert confident_joint(np.array([[0, 3], [2, 4]])).tolist() == [[1, 3], [2, 4]]


def test_confident_joint_does_not_change_the_counts() -> None:
    counts = np.zeros((2, 2), np.int64)
    confident_joint(counts)
    assert counts.tolist() == [[0, 0], [0, 0]]


def test_calibrate_joint_exact_ratios_are_exact() -> None:
    assert calibrated([[2, 2], [0, 1]], [8, 3]) == [[4, 4], [0, 3]]


def test_calibrate_joint_missing_class_has_no_examples() -> None:
    assert calibrated([[3, 1], [0, 1]], [4, 0]) == [[3, 1], [0, 0]]


def test_calibrate_joint_singleton_class_keeps_its_one() -> None:
    assert calibrated([[1, 0], [1, 4]], [1, 5]) == [[1, 0], [1, 4]]


def test_calibrate_joint_empty_row_stays_empty() -> None:
    assert calibrated([[0, 0], [0, 1]], [3, 2]) == [[0, 0], [0, 2]]


@pytest.mark.parametrize(
    ("row", "examples", "wanted"),
    [
        # 1.5 and 0.5: to the even 2 and 0, which already keep the total
        ([3, 1], 2, [2, 0]),
        # 0.5, 0.5, 1: short by one, the higher of the tied classes gets it
        ([1, 1, 2], 2, [0, 1, 1]),
        # 2.5 and 2.5: both to the even 2, short by one
        ([1, 1], 5, [2, 3]),
        # 1.5 and 1.5: both to the even 2, over by one: the lower class gives it
        ([1, 1], 3, [1, 2]),
        # 3.5, 2.1, 1.4: the even 4
        ([5, 3, 2], 7, [4, 2, 1]),
    ],
)
def test_calibrate_joint_half_is_rounded_to_even(
    row: list[int], examples: int, wanted: list[int]
) -> None:
    assert calibrated_row(row, examples) == wanted


@pytest.mark.parametrize(
    ("row", "examples", "wanted"),
    [
        # 4 x 0.25
        ([1, 1, 1, 1], 1, [0, 0, 0, 1]),
        # 5 x 0.4, short by two
        ([1, 1, 1, 1, 1], 2, [0, 0, 0, 1, 1]),
        # 0.4, 0.3, 0.3: the largest remainder before the higher index
        ([4, 3, 3], 1, [1, 0, 0]),
        # 1.2, 1.4, 1.4
        ([6, 7, 7], 4, [1, 1, 2]),
        # 0.33, 1.33, 1.33: remainders tie, values do not
        ([1, 4, 4], 3, [0, 1, 2]),
    ],
)
def test_calibrate_joint_short_row_adds_at_the_largest_remainders_then_highest_index(
    row: list[int], examples: int, wanted: list[int]
) -> None:
    assert calibrated_row(row, examples) == wanted


@pytest.mark.parametrize(
    ("row", "examples", "wanted"),
    [
        # 4 x 0.75
        ([1, 1, 1, 1], 3, [0, 1, 1, 1]),
        # 5 x 0.6, over by two
        ([1, 1, 1, 1, 1], 3, [0, 0, 1, 1, 1]),
        # 0.8, 0.6, 0.6: the smallest remainder (0.6 rounded up) before the lower index
        ([4, 3, 3], 2, [1, 0, 1]),
        # 1.5, 0.9, 0.6: the half that was rounded up lost most
        ([5, 3, 2], 3, [1, 1, 1]),
    ],
)
def test_calibrate_joint_row_over_takes_at_the_smallest_remainders_then_lowest_index(
    row: list[int], examples: int, wanted: list[int]
) -> None:
    assert calibrated_row(row, examples) == wanted


def test_calibrate_joint_zero_entries_stay_zero() -> None:
    assert calibrated_row([7, 0, 7, 0, 7], 20) == [6, 0, 7, 0, 7]
    assert calibrated_row([7, 0, 7, 0, 7], 22) == [7, 0, 7, 0, 8]


def test_calibrate_joint_rows_are_independent() -> None:
    joint, examples = [[1, 1, 2], [1, 1, 1], [4, 3, 3]], [2, 3, 1]
    alone = [calibrated_row(row, n) for row, n in zip(joint, examples, strict=True)]
    assert calibrated(joint, examples) == alone


def test_calibrate_joint_scales_down_and_up_alike() -> None:
    assert calibrated([[30, 10], [5, 5]], [4, 100]) == [[3, 1], [50, 50]]


def test_calibrate_joint_does_not_change_its_input() -> None:
    joint, examples = np.array([[1, 1], [1, 1]]), np.array([3, 5])
    calibrate_joint(joint, examples)
    assert joint.tolist() == [[1, 1], [1, 1]]
    assert examples.tolist() == [3, 5]


def test_calibrate_joint_narrow_integers_do_not_overflow() -> None:
    joint = np.array([[60_000, 60_000], [0, 1]], np.int32)
    found = calibrate_joint(joint, np.array([100_000, 1], np.int32))
    assert found.tolist() == [[50_000, 50_000], [0, 1]]


def test_calibrate_joint_products_beyond_64_bits_are_exact() -> None:
    joint, examples = [[3 * 10**9, 10**9], [10**9, 3 * 10**9]], [8 * 10**9, 4 * 10**9]
    assert 3 * 10**9 * examples[0] > 1 << 64
    assert calibrated(joint, examples) == [[6 * 10**9, 2 * 10**9], [10**9, 3 * 10**9]]


def test_calibrate_joint_beyond_64_bits_rounds_by_the_same_rules() -> None:
    big = 10**10
    # an exact half each, far beyond what float64 tells apart from its neighbours
    assert calibrated_row([big, big], 2 * big + 1) == [big, big + 1]
    assert calibrated_row([big, big], 2 * big + 3) == [big + 1, big + 2]
    assert calibrated_row([big, big, big], 3 * big + 1) == [big, big, big + 1]
    assert calibrated_row([big, big, big], 3 * big + 2) == [big, big + 1, big + 1]


def test_calibrate_joint_beyond_64_bits_is_int64() -> None:
    found = calibrate_joint(np.array([[1 << 40, 1], [0, 1]]), np.array([1 << 40, 1]))
    assert found.dtype == np.int64


def test_calibrate_joint_beyond_64_bits_restores_a_row_of_unlike_entries() -> None:
    row, examples = [10**10 + 7, 3 * 10**9 + 1, 12345], 9 * 10**9 + 5
    found = calibrated_row(row, examples)
    assert sum(found) == examples
    for entry, count in zip(found, row, strict=True):
        assert abs(Fraction(count * examples, sum(row)) - entry) < 1


@pytest.mark.parametrize("scale", [1, 1 << 31])
def test_calibrate_joint_missing_class_beside_any_size_is_empty(scale: int) -> None:
    assert calibrated([[3 * scale, scale], [0, 1]], [4 * scale, 0]) == [[3 * scale, scale], [0, 0]]


@RULES
@pytest.mark.parametrize("seed", range(20))
def test_decide_undecided_rows_have_the_classes_of_known_thresholds(
    seed: int, collision: str
) -> None:
    rng = np.random.default_rng(seed)
    probs = rng.integers(0, 9, (40, 4)).astype(np.float64)
    probs /= np.maximum(probs.sum(axis=1, keepdims=True), 1.0)
    thresholds = rng.choice(probs.ravel(), 4) + 1e-6
    lowest, highest = thresholds - rng.random(4) / 4, thresholds + rng.random(4) / 4
    found = confident_in_bands(probs, lowest, highest, collision=collision)
    entries = found.rows, found.entries, probs[found.rows, found.entries]
    decided = decide(found.classes, found.predicted, entries, thresholds, collision=collision)
    wanted = confident_classes(probs, thresholds, collision=collision)
    assert decided.tolist() == wanted.tolist()
