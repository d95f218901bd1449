"""The seven filters: quotas, agreement, selection with ties by position."""

from __future__ import annotations

import numpy as np
import pytest

from sparkclean.confident.filters import (
    Selection,
    agrees,
    class_quotas,
    has_enough,
    predicted_classes,
    prune_counts,
)
from sparkclean.confident.joint import NOT_CONFIDENT
from sparkclean.schema import FILTERS


def quotas_of_row(
    row: list[int], *, min_examples: int = 1, frac_noise: float = 1.0, given: int = 0
) -> list[int]:
    """Quotas of one given class; the other classes are clean."""
    joint = 5 * np.eye(len(row), dtype=np.int64)
    joint[given] = row
    return prune_counts(joint, min_examples=min_examples, frac_noise=frac_noise)[given].tolist()


def selection(
    given: list[int],
    pred_probs: list[list[float]],
    *,
    quotas: list[list[int]] | None = None,
    outcomes: list[int] | None = None,
    min_examples: int = 1,
) -> Selection:
    size = len(pred_probs[0])
    return Selection(
        np.array(given),
        np.array(pred_probs),
        np.array(outcomes if outcomes is not None else [NOT_CONFIDENT] * len(given)),
        np.array(quotas if quotas is not None else np.zeros((size, size)), np.int64),
        min_examples,
    )


def selected(chosen: Selection, filter_by: str) -> list[int]:
    mask = chosen.select(filter_by)
    assert mask.dtype == np.bool_
    return np.flatnonzero(mask).tolist()


def agreement(given: int, own: float, other: int, other_probability: float) -> bool:
    found = agrees(
        np.array([given]), np.array([own]), np.array([other]), np.array([other_probability])
    )
    return bool(found[0])


# --- quotas ---


def test_prune_counts_plain_joint_is_unchanged() -> None:
    joint = np.array([[8, 2], [1, 9]])
    assert prune_counts(joint).tolist() == [[8, 2], [1, 9]]


def test_prune_counts_low_diagonal_is_raised_at_the_expense_of_the_others() -> None:
    assert quotas_of_row([1, 4, 2], min_examples=3) == [3, 3, 1]


def test_prune_counts_other_entries_do_not_fall_below_zero() -> None:
    assert quotas_of_row([1, 1, 9], min_examples=5) == [5, 0, 7]


def test_prune_counts_zero_entries_take_no_share() -> None:
    assert quotas_of_row([1, 0, 6, 0], min_examples=4) == [4, 0, 3, 0]


def test_prune_counts_zero_diagonal_makes_fewer_entries_share() -> None:
    # non-zero entries less one for the diagonal, as the reference counts: 2 - 1 = 1
    assert quotas_of_row([0, 1, 5], min_examples=4) == [4, 0, 1]


def test_prune_counts_single_other_entry_takes_the_whole_share() -> None:
    assert quotas_of_row([0, 5], min_examples=2) == [2, 3]


def test_prune_counts_fractions_of_a_share_are_truncated() -> None:
    # 1 / 2 is taken from each
    assert quotas_of_row([1, 3, 3], min_examples=2) == [2, 2, 2]


def test_prune_counts_diagonal_at_the_minimum_is_unchanged() -> None:
    assert quotas_of_row([3, 4, 2], min_examples=3) == [3, 4, 2]


def test_prune_counts_lone_diagonal_below_the_minimum_is_raised() -> None:
    assert quotas_of_row([2, 0], min_examples=4) == [4, 0]


def test_prune_counts_half_of_the_noise_is_truncated_and_kept_on_the_diagonal() -> None:
    assert quotas_of_row([6, 3, 1], frac_noise=0.5) == [8, 1, 0]


def test_prune_counts_no_noise_to_remove_puts_all_on_the_diagonal() -> None:
    assert quotas_of_row([6, 3, 1], frac_noise=0.0) == [10, 0, 0]


def test_prune_counts_share_of_the_noise_follows_the_minimum() -> None:
    # first 1, 4, 2 becomes 3, 3, 1, then half of it stays
    assert quotas_of_row([1, 4, 2], min_examples=3, frac_noise=0.5) == [5, 1, 0]


@pytest.mark.parametrize(
    ("row", "frac_noise", "diagonal"),
    # what is taken away adds up to a whole number, less a last bit in the one order that counts
    [([1, 2, 4, 4], 0.3, 7), ([1, 7, 7, 0, 6, 0, 2, 5, 3], 0.1, 27)],
)
def test_prune_counts_sum_just_below_a_whole_number_is_truncated_as_in_the_reference(
    row: list[int], frac_noise: float, diagonal: int
) -> None:
    assert quotas_of_row(row, frac_noise=frac_noise)[0] == diagonal


def test_prune_counts_missing_class_has_one_to_keep() -> None:
    assert quotas_of_row([0, 0, 0]) == [1, 0, 0]


def test_prune_counts_rows_are_given_classes() -> None:
    joint = np.array([[0, 6], [2, 9]])
    assert prune_counts(joint, min_examples=2).tolist() == [[2, 4], [2, 9]]


def test_prune_counts_does_not_change_the_joint() -> None:
    joint = np.array([[0, 6], [2, 9]])
    prune_counts(joint, min_examples=5, frac_noise=0.5)
    assert joint.tolist() == [[0, 6], [2, 9]]


def test_prune_counts_result_is_int64() -> None:
    assert prune_counts(np.array([[2, 1], [1, 2]], np.int32)).dtype == np.int64


def test_class_quotas_are_examples_less_the_diagonal() -> None:
    assert class_quotas(np.array([[8, 2], [1, 9]]), np.array([10, 12])).tolist() == [2, 3]


def test_class_quotas_diagonal_above_the_examples_is_zero() -> None:
    assert class_quotas(np.array([[5, 0], [0, 1]]), np.array([3, 0])).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("min_examples", "wanted"),
    [
        (0, [False, False, True, True]),
        (1, [False, False, True, True]),
        (2, [False, False, False, True]),
        (5, [False, False, False, False]),
    ],
)
def test_has_enough_needs_more_than_the_minimum_and_more_than_one(
    min_examples: int, wanted: list[bool]
) -> None:
    assert has_enough(np.array([0, 1, 2, 5]), min_examples).tolist() == wanted


# --- agreement and prediction ---


@pytest.mark.parametrize(
    ("given", "own", "other", "other_probability", "wanted"),
    [
        (0, 0.7, 1, 0.3, True),
        (0, 0.3, 1, 0.7, False),
        # an exact tie is within the margin, whatever the order of the classes
        (0, 0.5, 1, 0.5, True),
        (1, 0.5, 0, 0.5, True),
        (0, 0.4999995, 1, 0.5, True),
        (0, 0.499998, 1, 0.5, False),
        # raised, both are equal: the lower class is the argmax
        (0, 0.0, 1, 1e-6, True),
        (1, 0.0, 0, 1e-6, False),
    ],
)
def test_agrees_is_whether_the_margin_makes_the_given_class_the_argmax(
    given: int, own: float, other: int, other_probability: float, wanted: bool
) -> None:
    assert agreement(given, own, other, other_probability) is wanted


@pytest.mark.parametrize(
    ("given", "own", "other", "other_probability", "wanted"),
    [
        (1, 0.6, 0, 0.4, 1),
        (1, 0.4, 0, 0.6, 0),
        (1, 0.5, 0, 0.5, 0),
        (0, 0.5, 1, 0.5, 0),
        (0, 0.4999999, 1, 0.5, 1),
    ],
)
def test_predicted_classes_is_the_argmax_with_the_first_on_a_tie(
    given: int, own: float, other: int, other_probability: float, wanted: int
) -> None:
    found = predicted_classes(
        np.array([given]), np.array([own]), np.array([other]), np.array([other_probability])
    )
    assert found.tolist() == [wanted]


# --- selection ---


def test_select_confident_learning_takes_rows_confident_in_another_class() -> None:
    chosen = selection([0, 0, 1], [[0.2, 0.8]] * 3, outcomes=[1, NOT_CONFIDENT, 1])
    assert selected(chosen, "confident_learning") == [0]


def test_select_confident_learning_drops_rows_the_model_agrees_with() -> None:
    # confident in class 1 only, but the given label is the argmax
    chosen = selection([0, 0], [[0.6, 0.4], [0.3, 0.7]], outcomes=[1, 1])
    assert selected(chosen, "confident_learning") == [1]


def test_select_predicted_neq_given_takes_rows_with_another_argmax() -> None:
    chosen = selection([0, 1, 1], [[0.2, 0.8], [0.2, 0.8], [0.9, 0.1]])
    assert selected(chosen, "predicted_neq_given") == [0, 2]


def test_select_predicted_neq_given_drops_ties() -> None:
    # the argmax of the tie is class 0, and adding the margin makes it the given class 1
    chosen = selection([1, 1], [[0.5, 0.5], [0.4999999, 0.5000001]])
    assert selected(chosen, "predicted_neq_given") == []


def test_select_low_self_confidence_takes_as_many_as_confident_learning() -> None:
    rows = [[0.4, 0.6], [0.1, 0.9], [0.3, 0.7], [0.9, 0.1]]
    chosen = selection([0] * 4, rows, outcomes=[1, NOT_CONFIDENT, 1, 0])
    assert selected(chosen, "low_self_confidence") == [1, 2]


def test_select_low_self_confidence_keeps_rows_the_model_agrees_with() -> None:
    rows = [[0.4, 0.3, 0.3], [0.45, 0.55, 0.0]]
    chosen = selection([0, 0], rows, outcomes=[NOT_CONFIDENT, 1])
    assert selected(chosen, "low_self_confidence") == [0]


def test_select_low_normalized_margin_ranks_by_the_margin() -> None:
    rows = [[0.3, 0.35, 0.35], [0.4, 0.6, 0.0]]
    chosen = selection([0, 0], rows, outcomes=[1, NOT_CONFIDENT])
    assert selected(chosen, "low_normalized_margin") == [1]
    assert selected(chosen, "low_self_confidence") == [0]


def test_select_low_scores_of_no_confident_rows_take_none() -> None:
    chosen = selection([0, 0], [[0.1, 0.9], [0.2, 0.8]])
    assert selected(chosen, "low_self_confidence") == []
    assert selected(chosen, "low_normalized_margin") == []


def test_select_low_scores_do_not_count_confident_rows_the_model_agrees_with() -> None:
    chosen = selection([0, 0], [[0.6, 0.4], [0.3, 0.7]], outcomes=[1, 1])
    assert selected(chosen, "low_self_confidence") == [1]


def test_select_prune_by_class_takes_the_smallest_self_confidences_of_each_class() -> None:
    rows = [[0.4, 0.6], [0.1, 0.9], [0.3, 0.7], [0.8, 0.2], [0.9, 0.1]]
    chosen = selection([0, 0, 0, 1, 1], rows, quotas=[[1, 2], [1, 1]])
    assert selected(chosen, "prune_by_class") == [1, 2, 4]


def test_select_prune_by_class_drops_rows_the_model_agrees_with() -> None:
    rows = [[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]
    chosen = selection([0, 0, 0], rows, quotas=[[1, 2], [0, 1]])
    assert selected(chosen, "prune_by_class") == [2]


def test_select_prune_by_class_ignores_the_off_diagonal() -> None:
    rows = [[0.1, 0.9], [0.2, 0.8]]
    chosen = selection([0, 0], rows, quotas=[[2, 2], [0, 1]])
    assert selected(chosen, "prune_by_class") == []


def test_select_prune_by_noise_rate_takes_the_largest_margins_of_each_pair() -> None:
    rows = [[0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.2, 0.5, 0.3], [0.2, 0.2, 0.6]]
    chosen = selection([0] * 4, rows, quotas=[[2, 1, 1], [0, 1, 0], [0, 0, 1]])
    assert selected(chosen, "prune_by_noise_rate") == [0, 1]


def test_select_prune_by_noise_rate_is_the_union_over_true_classes() -> None:
    # the same row leads both pairs: fewer rows than the quotas add up to
    rows = [[0.0, 0.5, 0.5], [0.8, 0.1, 0.1], [0.9, 0.05, 0.05]]
    chosen = selection([0] * 3, rows, quotas=[[1, 1, 1], [0, 1, 0], [0, 0, 1]])
    assert selected(chosen, "prune_by_noise_rate") == [0]


def test_select_prune_by_noise_rate_ranks_by_the_pair_whatever_the_argmax_is() -> None:
    # class 1 is nobody's argmax: the largest margin to it is row 1's
    rows = [[0.3, 0.1, 0.6], [0.2, 0.3, 0.5], [0.45, 0.1, 0.45]]
    chosen = selection([0] * 3, rows, quotas=[[2, 1, 0], [0, 1, 0], [0, 0, 1]])
    assert selected(chosen, "prune_by_noise_rate") == [1]


def test_select_prune_by_noise_rate_ignores_the_diagonal() -> None:
    chosen = selection([0, 0], [[0.1, 0.9]] * 2, quotas=[[2, 0], [0, 2]])
    assert selected(chosen, "prune_by_noise_rate") == []


def test_select_prune_by_noise_rate_quota_beyond_the_rows_takes_all_that_disagree() -> None:
    rows = [[0.1, 0.9], [0.6, 0.4], [0.2, 0.8]]
    chosen = selection([0] * 3, rows, quotas=[[0, 99], [0, 1]])
    assert selected(chosen, "prune_by_noise_rate") == [0, 2]


def test_select_both_is_the_intersection() -> None:
    # by class: rows 0 and 1; by pair: rows 1 and 2
    rows = [[0.0, 0.4, 0.6], [0.1, 0.9, 0.0], [0.2, 0.7, 0.1], [0.9, 0.1, 0.0]]
    chosen = selection([0] * 4, rows, quotas=[[2, 2, 0], [0, 1, 0], [0, 0, 1]])
    assert selected(chosen, "prune_by_class") == [0, 1]
    assert selected(chosen, "prune_by_noise_rate") == [1, 2]
    assert selected(chosen, "both") == [1]


@pytest.mark.parametrize("filter_by", ["prune_by_class", "prune_by_noise_rate", "both"])
@pytest.mark.parametrize(("min_examples", "wanted"), [(1, [0, 1]), (2, []), (3, [])])
def test_select_pruning_spares_a_class_with_at_most_the_minimum(
    filter_by: str, min_examples: int, wanted: list[int]
) -> None:
    chosen = selection([0, 0], [[0.1, 0.9]] * 2, quotas=[[0, 2], [0, 1]], min_examples=min_examples)
    assert selected(chosen, filter_by) == wanted


@pytest.mark.parametrize("filter_by", ["prune_by_class", "prune_by_noise_rate", "both"])
@pytest.mark.parametrize("min_examples", [0, 1])
def test_select_pruning_spares_a_singleton_class(filter_by: str, min_examples: int) -> None:
    chosen = selection(
        [0, 1, 1],
        [[0.1, 0.9], [0.8, 0.2], [0.1, 0.9]],
        quotas=[[0, 1], [1, 1]],
        min_examples=min_examples,
    )
    assert selected(chosen, filter_by) == [1]


def tied_rows() -> tuple[list[list[float]], list[int]]:
    """Many rows of few values, and the positions of the 100 lowest by (value, position).

    An unstable sort leaves runs of equal values alone, but not this.
    """
    values = np.random.default_rng(0).choice([0.0, 0.125, 0.25, 0.375], 600).tolist()
    order = sorted(range(600), key=lambda i: (values[i], i))
    return [[value, 1.0 - value] for value in values], sorted(order[:100])


@pytest.mark.parametrize("filter_by", ["prune_by_class", "prune_by_noise_rate", "both"])
def test_select_pruning_tie_goes_by_position(filter_by: str) -> None:
    rows, lowest = tied_rows()
    chosen = selection([0] * 600, rows, quotas=[[500, 100], [0, 1]])
    assert selected(chosen, filter_by) == lowest


@pytest.mark.parametrize("filter_by", ["low_self_confidence", "low_normalized_margin"])
def test_select_low_scores_tie_goes_by_position(filter_by: str) -> None:
    rows, lowest = tied_rows()
    chosen = selection([0] * 600, rows, outcomes=[NOT_CONFIDENT] * 500 + [1] * 100)
    assert selected(chosen, filter_by) == lowest


@pytest.mark.parametrize("filter_by", FILTERS)
def test_select_all_equal_probabilities_flags_nobody(filter_by: str) -> None:
    chosen = selection(
        [0, 0, 1, 1], [[0.5, 0.5]] * 4, quotas=[[0, 2], [2, 0]], outcomes=[0, 0, 0, 0]
    )
    assert selected(chosen, filter_by) == []


@pytest.mark.parametrize("filter_by", FILTERS)
def test_select_missing_class_is_no_obstacle(filter_by: str) -> None:
    rows = [[0.1, 0.9, 0.0], [0.2, 0.8, 0.0], [0.9, 0.1, 0.0]]
    quotas = [[2, 1, 0], [0, 1, 0], [0, 0, 1]]
    chosen = selection([0, 0, 0], rows, quotas=quotas, outcomes=[1, NOT_CONFIDENT, 0])
    assert selected(chosen, filter_by)[:1] == [0]


def test_select_unknown_filter_raises() -> None:
    with pytest.raises(ValueError, match="unknown filter_by 'prune'"):
        selection([0], [[0.5, 0.5]]).select("prune")
