"""Which rows are admitted: bounds, reasons and their order, clipping, errors of arrays."""

from __future__ import annotations

import numpy as np
import pytest

from sparkclean.confident.admission import (
    ABOVE_ONE,
    BELOW_ZERO,
    NOT_FINITE,
    OUT_OF_RANGE,
    ROW_SUM,
    VALID,
    Admission,
    admit,
    check_arrays,
)
from sparkclean.errors import InputError

UNIT = 2.0**-40
#: A tolerance that is a whole number of units and of float64 steps.
TOLERANCE = 2.0**-10


def admitted(*rows: list[float], tolerance: float = 1e-3, at_most_one: bool = False) -> Admission:
    return admit(np.array(rows), row_sum_tolerance=tolerance, at_most_one=at_most_one)


def verdict(row: list[float], **options: float) -> int:
    """Verdict on a row, alone and between valid ones: they must agree."""
    alone = admitted(row, **options).verdicts.tolist()
    fine = [1.0, *[0.0] * (len(row) - 1)]
    among = admitted(fine, row, fine, **options).verdicts.tolist()
    assert among == [VALID, *alone, VALID]
    return alone[0]


# --- row sums ---


@pytest.mark.parametrize(
    "row", [[1.0, 0.0], [0.5, 0.5], [0.1] * 10, [1 / 3] * 3, [0.9995, 0.0], [1.0, 0.0009]]
)
def test_admit_row_that_sums_to_one_is_valid(row: list[float]) -> None:
    assert verdict(row) == VALID


@pytest.mark.parametrize("row", [[0.5, 0.4], [0.0, 0.0], [0.6, 0.5], [1.0, 1.0], [0.998, 0.0]])
def test_admit_row_that_does_not_sum_to_one_is_rejected(row: list[float]) -> None:
    assert verdict(row) == ROW_SUM


@pytest.mark.parametrize("sign", [-1, 1])
def test_admit_sum_exactly_at_the_tolerance_is_valid(sign: int) -> None:
    assert verdict([0.5, 0.5 + sign * TOLERANCE], tolerance=TOLERANCE) == VALID


@pytest.mark.parametrize("sign", [-1, 1])
def test_admit_sum_one_unit_beyond_the_tolerance_is_rejected(sign: int) -> None:
    row = [0.5, 0.5 + sign * (TOLERANCE + UNIT)]
    assert verdict(row, tolerance=TOLERANCE) == ROW_SUM


@pytest.mark.parametrize("sign", [-1, 1])
def test_admit_sum_less_than_half_a_unit_beyond_the_tolerance_is_valid(sign: int) -> None:
    # below the resolution of the integers: it rounds to the tolerance
    row = [0.5, 0.5 + sign * (TOLERANCE + 0.49 * UNIT)]
    assert verdict(row, tolerance=TOLERANCE) == VALID


@pytest.mark.parametrize("sign", [-1, 1])
def test_admit_default_tolerance_is_rounded_to_units(sign: int) -> None:
    units = round(1e-3 / UNIT)
    assert verdict([0.5, 0.5 + sign * units * UNIT]) == VALID
    assert verdict([0.5, 0.5 + sign * (units + 1) * UNIT]) == ROW_SUM


def test_admit_zero_tolerance_accepts_an_exact_sum_only() -> None:
    assert verdict([0.25, 0.75], tolerance=0.0) == VALID
    assert verdict([0.25, 0.75 + UNIT], tolerance=0.0) == ROW_SUM
    # ten times round(2**40 / 10) is 4 units too many, though the float sum is 1
    assert verdict([0.1] * 10, tolerance=0.0) == ROW_SUM
    assert verdict([0.1] * 10, tolerance=4 * UNIT) == VALID


def test_admit_sum_of_rounded_values_decides_not_the_float_sum() -> None:
    # each value is 0.4 units too much: as integers they sum to one exactly
    row = [0.25 + 0.4 * UNIT] * 4
    assert verdict(row, tolerance=UNIT) == VALID
    # each is 0.6 units too much and becomes a whole one: 4 units over, 2.4 in floats
    row = [0.25 + 0.6 * UNIT] * 4
    assert verdict(row, tolerance=3 * UNIT) == ROW_SUM


@pytest.mark.parametrize("row", [[0.0, 0.0], [0.3, 0.2], [1.0, 0.0]])
def test_admit_at_most_one_accepts_small_sums(row: list[float]) -> None:
    assert admitted(row, at_most_one=True).verdicts.tolist() == [VALID]


def test_admit_at_most_one_rejects_large_sums() -> None:
    assert admitted([0.6, 0.5], at_most_one=True).verdicts.tolist() == [ROW_SUM]


@pytest.mark.parametrize("size", [2, 10, 1000])
def test_admit_verdict_does_not_depend_on_the_layout(size: int, rng: np.random.Generator) -> None:
    rows = rng.dirichlet(np.ones(size), 300) * (1.0 + rng.uniform(-2e-3, 2e-3, (300, 1)))
    there = admit(rows, row_sum_tolerance=1e-3).verdicts
    back = admit(np.asfortranarray(rows), row_sum_tolerance=1e-3).verdicts
    assert (there == back).all()
    assert 50 < (there == ROW_SUM).sum() < 250


def test_admit_verdict_does_not_depend_on_the_order_of_the_columns(
    rng: np.random.Generator,
) -> None:
    rows = rng.dirichlet(np.ones(30), 300)
    rows *= 1.0 + 1e-3 + rng.uniform(-20, 20, (300, 1)) * UNIT
    wanted = admit(rows, row_sum_tolerance=1e-3).verdicts
    assert 50 < (wanted == ROW_SUM).sum() < 250
    for _ in range(5):
        shuffled = np.ascontiguousarray(rows[:, rng.permutation(30)])
        assert (admit(shuffled, row_sum_tolerance=1e-3).verdicts == wanted).all()


# --- range ---


def test_admit_value_slightly_above_one_is_accepted_and_clipped() -> None:
    # the published IMDB probabilities reach this
    found = admitted([1.00001, 0.0])
    assert found.verdicts.tolist() == [VALID]
    assert found.pred_probs.tolist() == [[1.0, 0.0]]
    assert found.clipped == 1


def test_admit_value_slightly_below_zero_is_accepted_and_clipped() -> None:
    found = admitted([1.0, -1e-7])
    assert found.verdicts.tolist() == [VALID]
    assert found.pred_probs.tolist() == [[1.0, 0.0]]
    assert found.clipped == 1


def test_admit_value_exactly_at_the_upper_bound_is_accepted_and_clipped() -> None:
    found = admitted([1.0 + ABOVE_ONE, 0.0])
    assert found.verdicts.tolist() == [VALID]
    assert found.pred_probs.tolist() == [[1.0, 0.0]]


def test_admit_value_just_above_the_upper_bound_is_rejected() -> None:
    assert verdict([float(np.nextafter(1.0 + ABOVE_ONE, 2.0)), 0.0]) == OUT_OF_RANGE


def test_admit_value_exactly_at_the_lower_bound_is_accepted_and_clipped() -> None:
    found = admitted([1.0, -BELOW_ZERO])
    assert found.verdicts.tolist() == [VALID]
    assert found.pred_probs.tolist() == [[1.0, 0.0]]


def test_admit_value_just_below_the_lower_bound_is_rejected() -> None:
    assert verdict([1.0, float(np.nextafter(-BELOW_ZERO, -1.0))]) == OUT_OF_RANGE


def test_admit_bounds_are_those_of_the_method() -> None:
    assert (BELOW_ZERO, ABOVE_ONE) == (1e-6, 1e-4)


def test_admit_clipped_counts_rows_not_values() -> None:
    found = admitted([1.00001, -1e-7, -1e-7], [0.5, 0.5, 0.0], [1.0, -1e-7, 0.0])
    assert found.clipped == 2
    assert found.pred_probs.tolist() == [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]


def test_admit_rejected_rows_are_not_counted_as_clipped() -> None:
    found = admitted([1.00001, 0.5], [1.00001, 0.0])
    assert found.verdicts.tolist() == [ROW_SUM, VALID]
    assert found.clipped == 1


def test_admit_sum_is_that_of_the_values_before_clipping() -> None:
    # clipped the row would sum to 1 exactly
    assert verdict([1.0 + 2 * TOLERANCE / 32, 0.0], tolerance=TOLERANCE / 32) == ROW_SUM


@pytest.mark.parametrize(
    "row", [[5.2, -1.3], [-0.5, 1.5], [60.0, 40.0], [1e308, 1e308], [-1e308, 1.0], [2.0, -1.0]]
)
def test_admit_logits_and_percentages_are_out_of_range(row: list[float]) -> None:
    assert verdict(row) == OUT_OF_RANGE


# --- not finite, and the order of the reasons ---


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("position", [0, 1, 2])
def test_admit_value_that_is_not_finite_is_rejected(value: float, position: int) -> None:
    row = [0.5, 0.25, 0.25]
    row[position] = value
    assert verdict(row) == NOT_FINITE


def test_admit_not_finite_comes_before_out_of_range() -> None:
    assert verdict([7.0, np.nan]) == NOT_FINITE


def test_admit_out_of_range_comes_before_the_row_sum() -> None:
    assert verdict([7.0, 0.0]) == OUT_OF_RANGE


def test_admit_infinities_of_both_signs_are_not_finite() -> None:
    assert verdict([np.inf, -np.inf]) == NOT_FINITE


def test_admit_each_row_has_its_own_verdict() -> None:
    found = admitted([0.5, 0.5], [np.nan, 1.0], [2.0, -1.0], [0.5, 0.4], [0.0, 1.0])
    assert found.verdicts.tolist() == [VALID, NOT_FINITE, OUT_OF_RANGE, ROW_SUM, VALID]


def test_admit_rejected_values_are_returned_as_they_are() -> None:
    found = admitted([2.0, -1.0], [1.0, -1e-7])
    assert found.pred_probs.tolist() == [[2.0, -1.0], [1.0, 0.0]]


# --- arrays ---


def test_admit_valid_rows_are_not_copied() -> None:
    rows = np.array([[0.5, 0.5], [1.0, 0.0]])
    assert admit(rows, row_sum_tolerance=1e-3).pred_probs is rows


def test_admit_does_not_change_its_input() -> None:
    rows = np.array([[1.00001, 0.0], [1.0, -1e-7]])
    before = rows.copy()
    admit(rows, row_sum_tolerance=1e-3)
    assert (rows == before).all()


def test_admit_without_rows_is_empty() -> None:
    found = admit(np.zeros((0, 3)), row_sum_tolerance=1e-3)
    assert found.verdicts.shape == (0,)
    assert found.pred_probs.shape == (0, 3)
    assert found.clipped == 0


def test_admit_wide_rows_of_small_values_are_valid() -> None:
    size = 100_000
    assert admit(np.full((2, size), 1 / size), row_sum_tolerance=1e-3).verdicts.tolist() == [0, 0]


def test_check_arrays_valid_input_is_int64_and_float64() -> None:
    given, probs = check_arrays([0, 1], np.array([[0.5, 0.5], [0.25, 0.75]], np.float32), 1e-3)
    assert given.dtype == np.int64
    assert probs.dtype == np.float64
    assert probs.tolist() == [[0.5, 0.5], [0.25, 0.75]]


def test_check_arrays_slightly_invalid_values_are_clipped() -> None:
    _, probs = check_arrays([0], [[1.00001, -1e-7]], 1e-3)
    assert probs.tolist() == [[1.0, 0.0]]


def test_check_arrays_fortran_order_becomes_c_order() -> None:
    _, probs = check_arrays([0, 1], np.asfortranarray([[0.5, 0.5], [0.25, 0.75]]), 1e-3)
    assert probs.flags.c_contiguous


@pytest.mark.parametrize(
    ("labels", "pred_probs", "message"),
    [
        ([0, 1], [0.5, 0.5], r"shape \(N, K\) with K at least 2, not \(2,\)"),
        ([0, 1], [[1.0], [1.0]], r"K at least 2, not \(2, 1\)"),
        ([0], [[[0.5, 0.5]]], r"not \(1, 1, 2\)"),
        ([0], 0.5, r"K at least 2, not \(1,\)"),
        ([0, 1], [[0.5, 0.5], [1.0]], "pred_probs is not an array of numbers: "),
        ([0], [["a", "b"]], "pred_probs is not an array of numbers: "),
        ([0, [1]], [[0.5, 0.5]] * 2, "labels is not an array: "),
        ([0, 1], [[0.5, 0.5]], r"labels has shape \(2,\), pred_probs \(1, 2\): one label"),
        ([[0]], [[0.5, 0.5]], r"labels has shape \(1, 1\)"),
        ([], np.zeros((0, 2)), "empty: there is nothing to audit"),
        ([0.0], [[0.5, 0.5]], r"integers in 0\.\.K-1, not float64: map each label"),
        (["cat"], [[0.5, 0.5]], "labels must be integers"),
        ([None], [[0.5, 0.5]], "labels must be integers"),
        ([0, 2], [[0.5, 0.5]] * 2, r"labels: 1 of 2 are outside 0\.\.1, at positions 1$"),
        ([-1, 0], [[0.5, 0.5]] * 2, r"labels: 1 of 2 are outside 0\.\.1, at positions 0$"),
        ([0, 1], [[0.5, 0.5], [np.nan, 1.0]], r"1 of 2 rows are invalid \(NaN or infinite\)"),
        ([0], [[3.0, -2.0]], r"outside \[0, 1\] \(logits\? percentages\?\)"),
        ([0], [[0.5, 0.4]], "not summing to 1 within 0.001"),
    ],
)
def test_check_arrays_invalid_input_raises(
    labels: object, pred_probs: object, message: str
) -> None:
    with pytest.raises(InputError, match=message) as raised:
        check_arrays(labels, pred_probs, 1e-3)  # type: ignore[arg-type]
    assert raised.value.exit_code == 3


def test_check_arrays_several_reasons_are_named_at_once() -> None:
    rows = [[0.5, 0.4], [2.0, -1.0], [0.5, 0.5], [np.nan, 1.0]]
    with pytest.raises(InputError) as raised:
        check_arrays([0] * 4, rows, 1e-3)
    assert str(raised.value) == (
        "pred_probs: 3 of 4 rows are invalid (NaN or infinite; outside [0, 1] (logits? "
        "percentages?); not summing to 1 within 0.001), at positions 0, 1, 3"
    )


def test_check_arrays_names_five_positions_at_most() -> None:
    with pytest.raises(InputError, match=r"7 of 7 rows .*positions 0, 1, 2, 3, 4, \.\.\.$"):
        check_arrays([0] * 7, [[0.5, 0.4]] * 7, 1e-3)


def test_check_arrays_names_all_of_five_positions() -> None:
    with pytest.raises(InputError, match=r"positions 0, 1, 2, 3, 4$"):
        check_arrays([0] * 5, [[0.5, 0.4]] * 5, 1e-3)


def test_check_arrays_tolerance_is_the_callers() -> None:
    given, _ = check_arrays([0], [[0.5, 0.4]], 0.2)
    assert given.tolist() == [0]


def test_check_arrays_labels_beyond_64_bits_are_outside() -> None:
    with pytest.raises(InputError, match="labels: 1 of 1 are outside"):
        check_arrays(np.array([(1 << 64) - 1], np.uint64), [[0.5, 0.5]], 1e-3)


@pytest.mark.parametrize(
    "labels",
    [[0, 1], (0, 1), np.array([0, 1], np.int8), np.array([0, 1], np.uint64), [False, True]],
)
def test_check_arrays_any_integers_are_labels(labels: object) -> None:
    given, _ = check_arrays(labels, [[0.5, 0.5]] * 2, 1e-3)  # type: ignore[arg-type]
    assert given.tolist() == [0, 1]
