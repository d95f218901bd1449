"""Label issues of arrays in memory: what a caller passes, gets back and is told."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import sparkclean
from sparkclean.confident import issues
from sparkclean.confident.issues import audit_arrays, find_label_issues
from sparkclean.errors import ConfigError, InputError, UnsupportedFeatureError
from sparkclean.schema import FILTERS, SCORES
from tests.data import noisy_data

PRUNING = ("prune_by_noise_rate", "prune_by_class", "both")
OTHERS = tuple(f for f in FILTERS if f not in PRUNING)

# thresholds 0.55 and 0.6875: rows 2 and 5 are confident in the other class
LABELS = [0, 0, 0, 1, 1, 1, 1]
PROBS = [
    [0.75, 0.25],
    [0.775, 0.225],
    [0.125, 0.875],
    [0.0, 1.0],
    [0.125, 0.875],
    [0.875, 0.125],
    [0.25, 0.75],
]


def flagged(filter_by: str = "confident_learning", **options: Any) -> list[int]:
    return np.flatnonzero(find_label_issues(LABELS, PROBS, filter_by=filter_by, **options)).tolist()


# --- what comes back ---


def test_find_label_issues_returns_a_mask() -> None:
    found = find_label_issues(LABELS, PROBS)
    assert found.dtype == np.bool_
    assert found.shape == (7,)


@pytest.mark.parametrize("filter_by", FILTERS)
def test_find_label_issues_every_filter_finds_the_two_wrong_labels(filter_by: str) -> None:
    assert flagged(filter_by) == [2, 5]


def test_find_label_issues_default_filter_is_prune_by_noise_rate() -> None:
    given, probs = noisy_data(300, 5, noise=0.3)
    default = find_label_issues(given, probs)
    named = find_label_issues(given, probs, filter_by="prune_by_noise_rate")
    other = find_label_issues(given, probs, filter_by="confident_learning")
    assert (default == named).all()
    assert (default != other).any()


def test_find_label_issues_is_a_name_of_the_package() -> None:
    assert sparkclean.find_label_issues is find_label_issues


@pytest.mark.parametrize("score", SCORES)
def test_find_label_issues_ranked_returns_the_indices_of_the_mask_worst_first(score: str) -> None:
    given, probs = noisy_data(300, 4, noise=0.3)
    mask = find_label_issues(given, probs)
    ranked = find_label_issues(given, probs, return_indices_ranked_by=score)
    quality = audit_arrays(given, probs, ranked_by=score).label_quality
    assert sorted(ranked.tolist()) == np.flatnonzero(mask).tolist()
    assert (np.diff(quality[ranked]) >= 0.0).all()
    assert len(ranked) > 20


def test_find_label_issues_ranked_ties_go_by_position(rng: np.random.Generator) -> None:
    own = rng.choice([0.0, 0.125, 0.25], 500)
    ranked = find_label_issues(
        [0] * 500,
        np.stack([own, 1.0 - own], axis=1),
        filter_by="predicted_neq_given",
        return_indices_ranked_by="self_confidence",
    )
    assert ranked.tolist() == sorted(range(500), key=lambda i: (own[i], i))


def test_find_label_issues_ranked_by_adjusted_scores_is_another_order() -> None:
    given, probs = noisy_data(400, 4, noise=0.3)
    probs = probs * [8, 4, 2, 1]
    probs /= probs.sum(axis=1, keepdims=True)
    plain = find_label_issues(given, probs, return_indices_ranked_by="self_confidence")
    adjusted = find_label_issues(
        given,
        probs,
        return_indices_ranked_by="self_confidence",
        rank_by_kwargs={"adjust_pred_probs": True},
    )
    assert sorted(plain) == sorted(adjusted)
    assert plain.tolist() != adjusted.tolist()


def test_find_label_issues_ranked_without_issues_is_an_empty_index() -> None:
    found = find_label_issues(
        [0, 1], [[0.9, 0.1], [0.1, 0.9]], return_indices_ranked_by="self_confidence"
    )
    assert found.tolist() == []
    assert np.issubdtype(found.dtype, np.integer)


@pytest.mark.parametrize("filter_by", FILTERS)
def test_find_label_issues_all_equal_probabilities_has_none(filter_by: str) -> None:
    given = [0, 0, 1, 1, 2, 2]
    assert not find_label_issues(given, np.full((6, 3), 1 / 3), filter_by=filter_by).any()


@pytest.mark.parametrize("filter_by", FILTERS)
def test_find_label_issues_one_class_only_has_none(filter_by: str) -> None:
    probs = [[0.1, 0.9], [0.2, 0.8], [0.9, 0.1]]
    # nobody is given class 1, so its threshold is never reached
    wanted = [True, True, False] if filter_by == "predicted_neq_given" else [False] * 3
    assert find_label_issues([0, 0, 0], probs, filter_by=filter_by).tolist() == wanted


@pytest.mark.parametrize("filter_by", PRUNING)
def test_find_label_issues_singleton_class_is_not_pruned(filter_by: str) -> None:
    given = [0, 0, 0, 1]
    probs = [[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [1.0, 0.0]]
    assert find_label_issues(given, probs, filter_by=filter_by).tolist() == [False] * 4


# --- what goes in ---


@pytest.mark.parametrize(
    "labels",
    [
        tuple(LABELS),
        np.array(LABELS, np.int8),
        np.array(LABELS, np.uint32),
        np.array(LABELS, np.bool_),
        pd.Series(LABELS, index=range(7, 0, -1)),
    ],
)
def test_find_label_issues_labels_of_any_integer_kind_are_the_same(labels: Any) -> None:
    assert find_label_issues(labels, PROBS).tolist() == find_label_issues(LABELS, PROBS).tolist()


@pytest.mark.parametrize(
    "convert",
    [
        np.asarray,
        pd.DataFrame,
        np.asfortranarray,
        lambda p: np.array(p, np.float32),
        lambda p: np.repeat(p, 2, axis=0)[::2],
    ],
)
def test_find_label_issues_probabilities_of_any_kind_are_the_same(convert: Any) -> None:
    found = find_label_issues(LABELS, convert(PROBS))
    assert found.tolist() == find_label_issues(LABELS, PROBS).tolist()


@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_audit_arrays_narrow_floats_are_widened_before_anything_else(kind: type) -> None:
    given, probs = noisy_data(500, 3)
    narrow = probs.astype(kind)
    found = audit_arrays(given, narrow)
    wide = audit_arrays(given, narrow.astype(np.float64))
    assert found.thresholds.tobytes() == wide.thresholds.tobytes()
    assert found.label_quality.tobytes() == wide.label_quality.tobytes()


def test_find_label_issues_does_not_change_its_input() -> None:
    given, probs = noisy_data(100, 3)
    probs[0] = [1.00001, -1e-7, 0.0]
    before = given.copy(), probs.copy()
    for filter_by in FILTERS:
        find_label_issues(given, probs, filter_by=filter_by)
    assert (given == before[0]).all()
    assert (probs == before[1]).all()


def test_find_label_issues_values_slightly_outside_are_as_clipped_ones() -> None:
    given, probs = noisy_data(100, 3)
    probs[0] = [1.00001, -1e-7, 0.0]
    found = audit_arrays(given, probs)
    clipped = audit_arrays(given, probs.clip(0.0, 1.0))
    assert found.thresholds.tobytes() == clipped.thresholds.tobytes()
    assert found.label_quality.tobytes() == clipped.label_quality.tobytes()


@pytest.mark.parametrize(
    ("labels", "probs", "message"),
    [
        ([0, 1], [[0.5, 0.5], [np.nan, 1.0]], r"NaN or infinite\), at positions 1$"),
        ([0, 1], [[2.3, -1.1], [-0.2, 4.0]], r"outside \[0, 1\] \(logits\? percentages\?\)"),
        ([0, 1], [[60.0, 40.0], [1.0, 99.0]], r"logits\? percentages\?"),
        ([0, 1], [[0.5, 0.6], [0.5, 0.5]], "not summing to 1 within 0.001"),
        ([0, 1], [0.5, 0.5], r"shape \(N, K\) with K at least 2, not \(2,\)"),
        ([0, 1], [[1.0], [1.0]], r"K at least 2, not \(2, 1\)"),
        ([0, 1, 1], [[0.5, 0.5]] * 2, r"labels has shape \(3,\), pred_probs \(2, 2\)"),
        ([0.0, 1.0], [[0.5, 0.5]] * 2, "labels must be integers in 0..K-1, not float64"),
        (["a", "b"], [[0.5, 0.5]] * 2, "labels must be integers in 0..K-1, not <U1"),
        ([0, 2], [[0.5, 0.5]] * 2, r"1 of 2 are outside 0\.\.1, at positions 1"),
        ([-1, 0], [[0.5, 0.5]] * 2, r"1 of 2 are outside 0\.\.1, at positions 0"),
        ([], np.zeros((0, 2)), "there is nothing to audit"),
        ([0, 1], [[0.5, 0.5], [1.0]], "pred_probs is not an array of numbers"),
    ],
)
def test_find_label_issues_invalid_input_raises(labels: Any, probs: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        find_label_issues(labels, probs)


# --- options ---


def test_find_label_issues_unknown_filter_raises_and_names_the_choices() -> None:
    with pytest.raises(
        ConfigError, match="filter_by='prune' is unknown; choose one of prune_by_noise_rate"
    ):
        find_label_issues(LABELS, PROBS, filter_by="prune")


def test_find_label_issues_unknown_score_raises_and_names_the_choices() -> None:
    with pytest.raises(ConfigError, match="'margin' is unknown; choose one of self_confidence"):
        find_label_issues(LABELS, PROBS, return_indices_ranked_by="margin")


def test_find_label_issues_unknown_collision_rule_raises_and_names_the_choices() -> None:
    with pytest.raises(ConfigError, match="collision='papers' is unknown; choose one of cleanlab"):
        find_label_issues(LABELS, PROBS, collision="papers")


def test_find_label_issues_multi_label_is_not_supported() -> None:
    with pytest.raises(UnsupportedFeatureError, match="multi_label is not supported") as raised:
        find_label_issues([[0], [0, 1]], PROBS, multi_label=True)
    assert raised.value.exit_code == 2


@pytest.mark.parametrize("score", ["confidence_weighted_entropy", "prior_shifted_self_confidence"])
def test_find_label_issues_score_that_cannot_be_adjusted_raises(score: str) -> None:
    with pytest.raises(ConfigError, match=f"not supported with {score}; use one of"):
        find_label_issues(
            LABELS,
            PROBS,
            return_indices_ranked_by=score,
            rank_by_kwargs={"adjust_pred_probs": True},
        )


@pytest.mark.parametrize("filter_by", OTHERS)
def test_find_label_issues_frac_noise_without_effect_warns(filter_by: str) -> None:
    with pytest.warns(UserWarning, match=f"frac_noise has no effect with filter_by='{filter_by}'"):
        assert flagged(filter_by, frac_noise=0.5) == [2, 5]


@pytest.mark.parametrize(
    ("filter_by", "rows"),
    # half a row is truncated to none off the diagonal, and on it, where it leaves one to prune
    [("prune_by_noise_rate", []), ("prune_by_class", [2, 5]), ("both", [])],
)
def test_find_label_issues_frac_noise_with_effect_does_not_warn(
    filter_by: str, rows: list[int]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert flagged(filter_by, frac_noise=0.5) == rows


@pytest.mark.parametrize("filter_by", PRUNING)
def test_find_label_issues_smaller_frac_noise_flags_a_part_of_the_rows(filter_by: str) -> None:
    given, probs = noisy_data(400, 3, noise=0.3)
    whole = find_label_issues(given, probs, filter_by=filter_by)
    part = find_label_issues(given, probs, filter_by=filter_by, frac_noise=0.5)
    assert 0 < part.sum() < whole.sum()
    assert not (part & ~whole).any()
    assert not find_label_issues(given, probs, filter_by=filter_by, frac_noise=0.0).any()


@pytest.mark.parametrize("filter_by", PRUNING)
def test_find_label_issues_min_examples_spares_small_classes(filter_by: str) -> None:
    assert flagged(filter_by, min_examples_per_class=2) == [2, 5]
    assert flagged(filter_by, min_examples_per_class=3) == [5]
    assert flagged(filter_by, min_examples_per_class=4) == []


@pytest.mark.parametrize("filter_by", PRUNING)
def test_find_label_issues_min_examples_leaves_as_many_in_a_noisy_class(filter_by: str) -> None:
    # of six rows given class 0, four are confident in class 1
    given = [0] * 6 + [1] * 6
    probs = [[0.9, 0.1]] * 2 + [[0.01 * i, 1.0 - 0.01 * i] for i in range(4)] + [[0.1, 0.9]] * 6
    for least, rows in ((1, [2, 3, 4, 5]), (4, [2, 3]), (5, [2]), (6, [])):
        found = find_label_issues(given, probs, filter_by=filter_by, min_examples_per_class=least)
        assert np.flatnonzero(found).tolist() == rows


def test_find_label_issues_min_examples_has_no_effect_on_other_filters() -> None:
    for filter_by in OTHERS:
        assert flagged(filter_by, min_examples_per_class=100) == [2, 5]


@pytest.mark.parametrize("filter_by", OTHERS)
@pytest.mark.parametrize(
    "option", [{"num_to_remove_per_class": [1, 1]}, {"confident_joint": [[3, 0], [0, 4]]}]
)
def test_find_label_issues_quotas_with_a_filter_without_quotas_raises(
    filter_by: str, option: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError, match=f"'{filter_by}' has no quotas"):
        find_label_issues(LABELS, PROBS, filter_by=filter_by, **option)


@pytest.mark.parametrize("filter_by", PRUNING)
def test_find_label_issues_confident_joint_sets_the_quotas(filter_by: str) -> None:
    assert flagged(filter_by, confident_joint=[[3, 0], [1, 3]]) == [5]
    assert flagged(filter_by, confident_joint=[[2, 1], [0, 4]]) == [2]
    assert flagged(filter_by, confident_joint=np.diag([3, 4])) == []


@pytest.mark.parametrize("filter_by", PRUNING)
def test_find_label_issues_own_calibrated_joint_changes_nothing(filter_by: str) -> None:
    given, probs = noisy_data(400, 4, noise=0.3)
    joint = audit_arrays(given, probs).noise.calibrated_joint
    found = find_label_issues(given, probs, filter_by=filter_by, confident_joint=joint)
    assert (found == find_label_issues(given, probs, filter_by=filter_by)).all()


@pytest.mark.parametrize(("wanted", "rows"), [([1, 0], [2]), ([0, 1], [5]), ([0, 0], [])])
def test_find_label_issues_num_to_remove_sets_the_rows_of_each_class(
    wanted: list[int], rows: list[int]
) -> None:
    assert flagged("prune_by_class", num_to_remove_per_class=wanted) == rows
    assert flagged("prune_by_noise_rate", num_to_remove_per_class=wanted) == rows


def test_find_label_issues_num_to_remove_beyond_the_noise_spares_rows_the_model_agrees_with() -> (
    None
):
    assert flagged("prune_by_class", num_to_remove_per_class=[3, 4]) == [2, 5]


def test_find_label_issues_num_to_remove_is_shared_like_the_quotas() -> None:
    # class 0 is taken for 1 twice as often as for 2: of six rows four and two
    joint = [[3, 4, 2], [0, 1, 0], [0, 0, 1]]
    probs = [[0.1, 0.9 - 0.01 * i, 0.01 * i] for i in range(9)]
    probs += [[0.1, 0.01 * i, 0.9 - 0.01 * i] for i in range(9)]
    found = find_label_issues(
        [0] * 18, probs, confident_joint=joint, num_to_remove_per_class=[6, 0, 0]
    )
    assert np.flatnonzero(found).tolist() == [0, 1, 2, 3, 9, 10]


@pytest.mark.parametrize("wanted", [[1], [1, 1, 1], [-1, 0], [4, 0], [0, 5], 1])
def test_find_label_issues_num_to_remove_that_cannot_be_raises(wanted: Any) -> None:
    with pytest.raises(ConfigError, match="one number for each class, between 0 and the examples"):
        find_label_issues(LABELS, PROBS, num_to_remove_per_class=wanted)


@pytest.mark.parametrize("option", [{"n_jobs": 8}, {"n_jobs": 1}, {"verbose": True}])
def test_find_label_issues_options_without_effect_are_accepted(
    option: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert flagged("both", **option) == [2, 5]
    assert capsys.readouterr().out == ""


def test_find_label_issues_collision_rules_differ_where_they_should() -> None:
    # thresholds 0.9, 0.2, 0.2; the last row is confident in 1 and 2 and its argmax is 0, its label
    given = [0, 1, 2, 0]
    probs = [[1.0, 0.0, 0.0], [0.8, 0.2, 0.0], [0.8, 0.0, 0.2], [0.55, 0.24, 0.21]]
    reference = audit_arrays(given, probs)
    paper = audit_arrays(given, probs, collision="paper")
    assert reference.thresholds.tolist() == pytest.approx([0.775, 0.2, 0.2])
    assert reference.outcomes.tolist() == [0, 0, 0, 0]
    assert paper.outcomes.tolist() == [0, 0, 0, 1]


# --- the whole audit of arrays ---


def test_audit_arrays_thresholds_are_means_of_self_confidence() -> None:
    found = audit_arrays(LABELS, PROBS)
    assert found.thresholds == pytest.approx([0.55, 0.6875], abs=1e-12)


def test_audit_arrays_examples_are_counted_by_given_class() -> None:
    assert audit_arrays([2, 0, 2], np.full((3, 4), 0.25)).examples.tolist() == [1, 0, 2, 0]


def test_audit_arrays_outcomes_are_confident_classes() -> None:
    assert audit_arrays(LABELS, PROBS).outcomes.tolist() == [0, 0, 1, 1, 1, 0, 1]


def test_audit_arrays_joints_are_those_of_the_outcomes() -> None:
    noise = audit_arrays(LABELS, PROBS).noise
    assert noise.confident_joint.tolist() == [[2, 1], [1, 3]]
    assert noise.calibrated_joint.tolist() == [[2, 1], [1, 3]]
    assert noise.noise_rate == 2 / 7


def test_audit_arrays_missing_class_has_threshold_two_and_an_empty_calibrated_row() -> None:
    given, probs = noisy_data(200, 4)
    given[given == 2] = 0
    found = audit_arrays(given, probs)
    assert found.thresholds[2] == 2.0
    assert found.noise.confident_joint[2].tolist() == [0, 0, 1, 0]
    assert found.noise.calibrated_joint[2].tolist() == [0, 0, 0, 0]


def test_audit_arrays_label_quality_is_of_every_row() -> None:
    found = audit_arrays(LABELS, PROBS)
    wanted = [p[k] for p, k in zip(PROBS, LABELS, strict=True)]
    assert found.label_quality.tolist() == wanted


def test_audit_arrays_given_thresholds_replace_the_means() -> None:
    found = audit_arrays(LABELS, PROBS, thresholds=[0.9, 0.99])
    assert found.thresholds.tolist() == [0.9, 0.99]
    assert found.outcomes.tolist() == [-1, -1, -1, 1, -1, -1, -1]


def test_audit_arrays_row_sum_tolerance_is_the_callers() -> None:
    probs = np.array(PROBS) * 1.01
    with pytest.raises(InputError, match=r"not summing to 1 within 0\.001"):
        audit_arrays(LABELS, probs.clip(0.0, 1.0))
    found = audit_arrays(LABELS, probs.clip(0.0, 1.0), row_sum_tolerance=0.02)
    assert found.examples.tolist() == [3, 4]


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("filter_by", FILTERS)
@pytest.mark.parametrize("score", SCORES)
def test_audit_arrays_any_block_length_has_the_same_bits(
    monkeypatch: pytest.MonkeyPatch, filter_by: str, score: str, ties: bool
) -> None:
    given, probs = noisy_data(300, 4, noise=0.3, ties=ties)
    whole = audit_arrays(given, probs, filter_by=filter_by, ranked_by=score)
    for block in (1, 7, 299, 300):
        monkeypatch.setattr(issues, "_BLOCK", block)
        found = audit_arrays(given, probs, filter_by=filter_by, ranked_by=score)
        assert found.thresholds.tobytes() == whole.thresholds.tobytes()
        assert found.outcomes.tolist() == whole.outcomes.tolist()
        assert found.label_quality.tobytes() == whole.label_quality.tobytes()
        assert found.is_label_issue.tolist() == whole.is_label_issue.tolist()


def test_audit_arrays_more_rows_than_a_block_are_all_audited() -> None:
    given, probs = noisy_data(1000, 3, noise=0.2)
    repeats = issues._BLOCK // 1000 + 2
    many = audit_arrays(np.tile(given, repeats), np.tile(probs, (repeats, 1)))
    once = audit_arrays(given, probs)
    assert len(many.outcomes) > issues._BLOCK
    assert many.thresholds.tobytes() == once.thresholds.tobytes()
    counts = once.noise.confident_joint * repeats
    assert many.noise.confident_joint.tolist() == counts.tolist()
    assert many.outcomes.tolist() == np.tile(once.outcomes, repeats).tolist()
