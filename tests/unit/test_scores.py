"""Label quality scores, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sparkclean.confident.scores import (
    ScoreInputs,
    adjust_pred_probs,
    best_other,
    confidence_weighted_entropy,
    label_quality,
    normalized_margin,
    prior_shift,
    prior_shifted_self_confidence,
    self_confidence,
)
from sparkclean.numbers.fixed_point import ONE

ROW = [[0.2, 0.5, 0.3]]


def margin_of(given: int, row: list[float]) -> float:
    return float(label_quality(np.array([given]), np.array([row]), method="normalized_margin")[0])


def entropy_score_of(given: int, row: list[float]) -> float:
    return float(confidence_weighted_entropy(np.array([given]), np.array([row]))[0])


def entropy_score_by_hand(given: int, row: list[float]) -> float:
    entropy = -math.fsum(p * math.log(p) for p in row if p > 0.0) / math.log(len(row))
    s = entropy / max(row[given], 1e-6)
    return math.log(s + 1.0) / max(s, 1e-6)


# --- self-confidence and margin ---


@pytest.mark.parametrize(("given", "wanted"), [(0, 0.2), (1, 0.5), (2, 0.3)])
def test_self_confidence_is_the_probability_of_the_given_class(given: int, wanted: float) -> None:
    assert self_confidence(np.array([given]), np.array(ROW)).tolist() == [wanted]


def test_self_confidence_without_rows_is_empty() -> None:
    assert self_confidence(np.array([], np.int64), np.zeros((0, 3))).shape == (0,)


def test_best_other_is_the_most_probable_of_the_rest() -> None:
    classes, probabilities = best_other(np.array([0, 1]), np.array(ROW * 2))
    assert classes.tolist() == [1, 2]
    assert probabilities.tolist() == [0.5, 0.3]


def test_best_other_tie_is_the_first_index() -> None:
    classes, _ = best_other(np.array([0, 1, 2]), np.array([[1 / 3] * 3] * 3))
    assert classes.tolist() == [1, 0, 0]


def test_best_other_of_zeros_is_a_class_other_than_the_given() -> None:
    classes, probabilities = best_other(np.array([0]), np.array([[1.0, 0.0, 0.0]]))
    assert classes.tolist() == [1]
    assert probabilities.tolist() == [0.0]


def test_best_other_of_two_classes_is_the_other_one() -> None:
    classes, _ = best_other(np.array([0, 1]), np.array([[0.9, 0.1]] * 2))
    assert classes.tolist() == [1, 0]


def test_best_other_does_not_change_the_probabilities() -> None:
    rows = np.array(ROW)
    best_other(np.array([1]), rows)
    assert rows.tolist() == ROW


@pytest.mark.parametrize(
    ("given", "row", "wanted"),
    [
        (0, [1.0, 0.0], 1.0),
        (1, [1.0, 0.0], 0.0),
        (0, [0.5, 0.5], 0.5),
        (1, [0.25, 0.5, 0.25], 0.625),
        (0, [0.25, 0.5, 0.25], 0.375),
    ],
)
def test_normalized_margin_is_half_the_margin_plus_one(
    given: int, row: list[float], wanted: float
) -> None:
    assert margin_of(given, row) == wanted


def test_normalized_margin_of_arrays_is_elementwise() -> None:
    found = normalized_margin(np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    assert found.tolist() == [1.0, 0.0]


# --- entropy ---


@pytest.mark.parametrize("size", [2, 3, 10, 1000])
def test_entropy_score_of_equal_probabilities_is_log_of_one_more_over_the_classes(
    size: int,
) -> None:
    # normalised entropy 1 over self-confidence 1 / K
    wanted = math.log(size + 1) / size
    assert entropy_score_of(0, [1 / size] * size) == pytest.approx(wanted, rel=1e-12, abs=0.0)


@pytest.mark.parametrize("given", [0, 1])
def test_entropy_score_of_a_certain_row_is_zero_as_in_the_reference(given: int) -> None:
    # log(0 + 1) / 1e-6: right or wrong, the reference gives 0, too
    assert entropy_score_of(given, [1.0, 0.0]) == 0.0


@pytest.mark.parametrize("given", [0, 1, 2])
def test_entropy_score_ordinary_row_is_the_formula(given: int) -> None:
    found = entropy_score_of(given, ROW[0])
    assert found == pytest.approx(entropy_score_by_hand(given, ROW[0]), rel=1e-12, abs=0.0)


def test_entropy_score_zero_self_confidence_is_taken_as_a_millionth() -> None:
    row = [0.0, 0.5, 0.5]
    s = math.log(2) / math.log(3) / 1e-6
    assert entropy_score_of(0, row) == pytest.approx(math.log(s + 1) / s, rel=1e-12, abs=0.0)


@pytest.mark.parametrize("size", [2, 10, 40, 1000])
@pytest.mark.parametrize("rest", [1e-6, 1e-9, 1e-12, 1e-14])
@pytest.mark.parametrize("given", [0, 1])
def test_entropy_score_of_a_nearly_certain_row_is_the_formula(
    size: int, rest: float, given: int
) -> None:
    # the whole entropy lies far behind 2**-40, and the score is far from 0
    row = [1.0 - rest, *[rest / (size - 1)] * (size - 1)]
    found = entropy_score_of(given, row)
    assert found == pytest.approx(entropy_score_by_hand(given, row), abs=1e-9)


def test_entropy_score_exact_zeros_add_nothing() -> None:
    assert entropy_score_of(0, [0.5, 0.5, 0.0, 0.0]) == pytest.approx(
        entropy_score_by_hand(0, [0.5, 0.5, 0.0, 0.0]), rel=1e-12, abs=0.0
    )


def test_entropy_score_of_either_layout_has_the_same_bits(rng: np.random.Generator) -> None:
    rows, given = rng.dirichlet(np.ones(40), 50), rng.integers(0, 40, 50)
    there = confidence_weighted_entropy(given, rows)
    assert there.tobytes() == confidence_weighted_entropy(given, np.asfortranarray(rows)).tobytes()


# --- adjusted probabilities ---


def test_adjust_pred_probs_subtracts_thresholds_and_renormalises() -> None:
    found = adjust_pred_probs(np.array([[0.5, 0.5]]), np.array([0.75, 0.25]))
    # 0.5, 1.0 over 1.5
    assert found.tolist() == [[0.5 / 1.5, 1.0 / 1.5]]


def test_adjust_pred_probs_equal_thresholds_change_nothing() -> None:
    rows = np.array([[0.25, 0.75], [0.5, 0.5]])
    assert adjust_pred_probs(rows, np.array([0.5, 0.5])).tolist() == rows.tolist()


def test_adjust_pred_probs_missing_class_keeps_its_probability_and_no_say_in_the_maximum() -> None:
    found = adjust_pred_probs(np.array([[0.5, 0.25, 0.25]]), np.array([0.75, 0.25, 2.0]))
    # 0.5, 0.75, 0.25 over 1.5
    assert found.tolist() == [[0.5 / 1.5, 0.75 / 1.5, 0.25 / 1.5]]


def test_adjust_pred_probs_rows_sum_to_one(rng: np.random.Generator) -> None:
    found = adjust_pred_probs(rng.dirichlet(np.ones(12), 30), rng.random(12))
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-14)


def test_adjust_pred_probs_does_not_change_its_input() -> None:
    rows = np.array([[0.5, 0.5]])
    adjust_pred_probs(rows, np.array([0.75, 0.25]))
    assert rows.tolist() == [[0.5, 0.5]]


def test_label_quality_adjusted_scores_are_those_of_adjusted_probabilities() -> None:
    inputs = ScoreInputs(thresholds=np.array([0.75, 0.25]))
    rows, given = np.array([[0.5, 0.5]] * 2), np.array([0, 1])
    own = label_quality(given, rows, method="self_confidence", adjusted=True, inputs=inputs)
    margin = label_quality(given, rows, method="normalized_margin", adjusted=True, inputs=inputs)
    assert own.tolist() == [0.5 / 1.5, 1.0 / 1.5]
    assert margin.tolist() == pytest.approx([1 / 3, 2 / 3], rel=1e-15, abs=0.0)


# --- prior shift ---


def test_prior_shift_is_the_true_share_over_the_mean_probability() -> None:
    # 10 rows; columns 8 and 2 of the calibrated joint; mean probabilities 0.5 and 0.5
    found = prior_shift(np.array([[5, 1], [3, 1]]), [5 * ONE, 5 * ONE], 10)
    assert found.tolist() == [0.8 / 0.5, 0.2 / 0.5]


def test_prior_shift_class_that_is_never_predicted_is_zero() -> None:
    assert prior_shift(np.array([[2, 0], [0, 0]]), [2 * ONE, 0], 2).tolist() == [1.0, 0.0]


def test_prior_shift_class_that_is_never_true_is_zero() -> None:
    assert prior_shift(np.array([[2, 0], [0, 0]]), [ONE, ONE], 2).tolist() == [2.0, 0.0]


def test_prior_shift_sums_beyond_64_bits_are_exact() -> None:
    rows = 1 << 32
    joint = np.array([[rows // 2, 0], [0, rows // 2]])
    assert prior_shift(joint, [rows // 2 * ONE] * 2, rows).tolist() == [1.0, 1.0]


def test_prior_shifted_score_is_the_shifted_share_of_the_given_class() -> None:
    found = prior_shifted_self_confidence(
        np.array([0, 1]), np.array([[0.5, 0.5]] * 2), np.array([3.0, 1.0])
    )
    assert found.tolist() == [0.75, 0.25]


def test_prior_shifted_score_of_equal_factors_is_self_confidence() -> None:
    rows = np.array([[0.25, 0.75], [0.5, 0.5]])
    found = prior_shifted_self_confidence(np.array([0, 1]), rows, np.array([1.0, 1.0]))
    assert found.tolist() == [0.25, 0.5]


def test_prior_shifted_score_row_without_mass_is_zero() -> None:
    found = prior_shifted_self_confidence(
        np.array([1, 0]), np.array([[0.0, 1.0]] * 2), np.array([1.0, 0.0])
    )
    assert found.tolist() == [0.0, 0.0]


def test_prior_shifted_score_small_mass_is_not_rounded_away() -> None:
    # all that is left of the row is its given class, however little
    found = prior_shifted_self_confidence(
        np.array([0]), np.array([[1e-14, 1.0]]), np.array([1.0, 0.0])
    )
    assert found.tolist() == [1.0]


# --- any score by name ---


def test_label_quality_methods_are_the_functions_of_their_names() -> None:
    given, rows = np.array([0, 1, 2]), np.array(ROW * 3)
    shift = np.array([1.0, 2.0, 3.0])
    inputs = ScoreInputs(prior_shift=shift)
    wanted = {
        "self_confidence": self_confidence(given, rows),
        "normalized_margin": normalized_margin(
            self_confidence(given, rows), best_other(given, rows)[1]
        ),
        "confidence_weighted_entropy": confidence_weighted_entropy(given, rows),
        "prior_shifted_self_confidence": prior_shifted_self_confidence(given, rows, shift),
    }
    for method, scores in wanted.items():
        found = label_quality(given, rows, method=method, inputs=inputs)
        assert found.tolist() == scores.tolist()


@pytest.mark.parametrize("method", ["confidence_weighted_entropy", "prior_shifted_self_confidence"])
def test_label_quality_score_that_cannot_be_adjusted_raises(method: str) -> None:
    message = f"adjust_pred_probs is not supported with {method}; use one of self_confidence"
    with pytest.raises(ValueError, match=message):
        label_quality(np.array([0]), np.array(ROW), method=method, adjusted=True)


def test_label_quality_adjusted_without_thresholds_raises() -> None:
    with pytest.raises(ValueError, match="adjusted scores need the thresholds"):
        label_quality(np.array([0]), np.array(ROW), method="self_confidence", adjusted=True)


def test_label_quality_prior_shifted_without_factors_raises() -> None:
    with pytest.raises(ValueError, match="needs the prior shift"):
        label_quality(np.array([0]), np.array(ROW), method="prior_shifted_self_confidence")


def test_label_quality_unknown_method_raises() -> None:
    with pytest.raises(ValueError, match="unknown score 'margin'"):
        label_quality(np.array([0]), np.array(ROW), method="margin")
