"""Audits of arrays against cleanlab's answers on three real data sets, value by value."""

from __future__ import annotations

import functools
import hashlib
import json
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from sparkclean.confident.filters import prune_counts
from sparkclean.confident.issues import ArrayFindings, audit_arrays, find_label_issues
from sparkclean.confident.noise import class_quality
from sparkclean.numbers.pair_counts import PairCounts
from sparkclean.schema import FILTERS
from tests.conftest import GOLDEN

NAMES = ("20news", "clpaper_cifar10_n20_s40", "mnist")
#: Scores of the reference: our method, whether adjusted, and how near its values must be. Sums of
#: adjusted probabilities are in another order than numpy's, one bit of log(s + 1) is 2e-10.
BOUNDS = {
    "self_confidence": (("self_confidence", False), 0.0),
    "normalized_margin": (("normalized_margin", False), 0.0),
    "confidence_weighted_entropy": (("confidence_weighted_entropy", False), 1e-9),
    "self_confidence_adjusted": (("self_confidence", True), 1e-12),
    "normalized_margin_adjusted": (("normalized_margin", True), 1e-12),
}

every_set = pytest.mark.parametrize("name", NAMES)
every_filter = pytest.mark.parametrize("filter_by", FILTERS)
every_score = pytest.mark.parametrize("score", BOUNDS)


@functools.cache
def examples_of(name: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    table = pq.read_table(GOLDEN / name / "examples.parquet")
    # ids are positions, so that ties by position are ties by record id
    assert table["id"].to_pylist() == list(range(len(table)))
    probs = table["pred_probs"].combine_chunks().flatten().to_numpy()
    labels = table["label"].to_numpy().astype(np.int64)
    return labels, probs.reshape(len(table), -1).astype(np.float64)


@functools.cache
def reference_of(name: str) -> dict[str, Any]:
    return json.loads((GOLDEN / name / "reference.json").read_text())


@functools.cache
def rows_of(name: str) -> dict[str, NDArray[Any]]:
    table = pq.read_table(GOLDEN / name / "reference_per_example.parquet")
    assert table["id"].to_pylist() == list(range(len(table)))
    return {column: table[column].to_numpy() for column in table.column_names}


@functools.cache
def audit_of(name: str, filter_by: str = "confident_learning") -> ArrayFindings:
    return audit_arrays(*examples_of(name), filter_by=filter_by)


@functools.cache
def scores_of(name: str, score: str) -> NDArray[np.float64]:
    (method, adjusted), _ = BOUNDS[score]
    found = audit_arrays(*examples_of(name), ranked_by=method, adjust_pred_probs=adjusted)
    return found.label_quality


def sha256_of(ids: Any) -> str:
    return hashlib.sha256(",".join(str(i) for i in ids).encode()).hexdigest()


# --- counts and matrices ---


@every_set
def test_golden_examples_are_counted_by_given_class(name: str) -> None:
    assert audit_of(name).examples.tolist() == reference_of(name)["label_counts"]


@every_set
def test_golden_thresholds_are_the_reference(name: str) -> None:
    wanted = reference_of(name)["thresholds"]
    np.testing.assert_allclose(audit_of(name).thresholds, wanted, rtol=0.0, atol=1e-12)


@every_set
def test_golden_confident_joint_is_the_reference(name: str) -> None:
    wanted = reference_of(name)["confident_joint_uncalibrated"]
    assert audit_of(name).noise.confident_joint.tolist() == wanted


@every_set
def test_golden_calibrated_joint_is_the_reference(name: str) -> None:
    wanted = reference_of(name)["confident_joint_calibrated"]
    assert audit_of(name).noise.calibrated_joint.tolist() == wanted


@every_set
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("joint", "joint_estimate"),
        ("true_prior", "py"),
        ("noise_matrix", "noise_matrix"),
        ("inverse_noise_matrix", "inverse_noise_matrix"),
    ],
)
def test_golden_noise_model_is_the_reference(name: str, ours: str, theirs: str) -> None:
    found = getattr(audit_of(name).noise, ours)
    np.testing.assert_allclose(found, reference_of(name)[theirs], rtol=0.0, atol=1e-12)


@every_set
def test_golden_quotas_are_the_transpose_of_the_reference(name: str) -> None:
    quotas = prune_counts(audit_of(name).noise.calibrated_joint)
    assert quotas.T.tolist() == reference_of(name)["prune_count_matrix"]


@every_set
def test_golden_numbers_of_label_issues_are_the_reference(name: str) -> None:
    wanted, found = reference_of(name)["num_label_issues"], audit_of(name)
    joint = found.noise.calibrated_joint
    assert found.is_label_issue.sum() == wanted["off_diagonal"]
    assert joint.sum() - joint.trace() == wanted["off_diagonal_calibrated"]


@every_set
def test_golden_class_quality_is_the_reference(name: str) -> None:
    found = class_quality(PairCounts(audit_of(name).noise.calibrated_joint))
    columns = {
        "Label Issues": found.label_issues,
        "Inverse Label Issues": found.inverse_label_issues,
        "Label Noise": found.label_noise,
        "Inverse Label Noise": found.inverse_label_noise,
        "Label Quality Score": found.label_quality_score,
    }
    wanted = reference_of(name)["rank_classes_by_label_quality"]
    assert len(wanted) == reference_of(name)["k"]
    for row in wanted:
        for column, values in columns.items():
            assert values[row["Class Index"]] == pytest.approx(row[column], abs=1e-12)


# --- filters ---


@every_set
@every_filter
def test_golden_filter_flags_the_reference_ids(name: str, filter_by: str) -> None:
    wanted = reference_of(name)["filters"][filter_by]
    # where a tie stands at a cut, the reference carries the set cut by record id, too
    wanted = wanted.get("tie_break_by_id", wanted)
    ids = np.flatnonzero(audit_of(name, filter_by).is_label_issue)
    assert len(ids) == wanted["count"]
    assert sha256_of(ids) == wanted["sha256_sorted_ids"]


@every_set
@every_filter
def test_golden_filter_without_ties_at_its_cuts_is_the_reference_row_for_row(
    name: str, filter_by: str
) -> None:
    reference = reference_of(name)["filters"][filter_by]
    theirs = rows_of(name)[f"is_issue__{filter_by}"]
    ours = audit_of(name, filter_by).is_label_issue
    if reference.get("equals_tie_break_by_id", True):
        assert (ours == theirs).all()
    else:  # the rows that differ are those whose self-confidence ties at a cut: exactly 0 here
        own = audit_of(name).label_quality
        assert name == "20news"
        assert (ours != theirs).sum() > 0
        assert (own[ours != theirs] == 0.0).all()


@every_set
@every_filter
def test_golden_ranking_without_tied_scores_is_the_reference(name: str, filter_by: str) -> None:
    reference = reference_of(name)["filters"][filter_by]
    compared = 0
    for score, wanted in reference.get("ranked", {}).items():
        if not wanted["distinct_scores"] or not reference.get("equals_tie_break_by_id", True):
            continue
        ranked = find_label_issues(
            *examples_of(name), filter_by=filter_by, return_indices_ranked_by=score
        )
        assert ranked[:10].tolist() == wanted["top10"]
        assert sha256_of(ranked) == wanted["sha256_ranked_ids"]
        compared += 1
    assert compared or not reference.get("equals_tie_break_by_id", True)


# --- scores ---


@every_set
@every_score
def test_golden_score_sum_and_range_are_the_reference(name: str, score: str) -> None:
    wanted, found = reference_of(name)["scores"][score], scores_of(name, score)
    bound = max(BOUNDS[score][1], 1e-15)
    assert found.sum() == pytest.approx(wanted["sum"], rel=0.0, abs=bound * len(found))
    assert found.min() == pytest.approx(wanted["min"], rel=0.0, abs=bound)
    assert found.max() == pytest.approx(wanted["max"], rel=0.0, abs=bound)


@every_set
@every_score
def test_golden_score_quantiles_are_the_reference(name: str, score: str) -> None:
    wanted, found = reference_of(name)["scores"][score]["quantiles"], scores_of(name, score)
    levels = [float(level) for level in wanted]
    assert levels
    bound = max(BOUNDS[score][1], 1e-15)
    np.testing.assert_allclose(
        np.quantile(found, levels), list(wanted.values()), rtol=0.0, atol=bound
    )


@every_set
@every_score
def test_golden_score_lowest_rows_are_the_reference(name: str, score: str) -> None:
    wanted, found = reference_of(name)["scores"][score], scores_of(name, score)
    lowest = np.argsort(found, kind="stable")[:10]
    values = [value for _, value in wanted["lowest10"]]
    np.testing.assert_allclose(found[lowest], values, rtol=0.0, atol=max(BOUNDS[score][1], 1e-15))
    assert lowest.tolist() == [row for row, _ in wanted["lowest10"]]


@pytest.mark.parametrize(
    ("name", "score"),
    # the largest set carries no adjusted scores by example
    [(n, s) for n in NAMES for s in BOUNDS if n != NAMES[1] or not s.endswith("_adjusted")],
)
def test_golden_score_of_every_example_is_the_reference(name: str, score: str) -> None:
    theirs, bound = rows_of(name)[f"score__{score}"], BOUNDS[score][1]
    ours = scores_of(name, score)
    if (
        theirs.dtype == np.float32
    ):  # stored narrow: equal once ours are rounded to it, or a step off
        steps = np.abs(theirs.view(np.int32) - ours.astype(np.float32).view(np.int32))
        assert steps.max() <= (0 if bound == 0.0 else 1)
    else:
        np.testing.assert_allclose(ours, theirs, rtol=0.0, atol=bound)


@every_set
def test_golden_float32_arrays_have_the_bits_of_wider_ones(name: str) -> None:
    labels, probs = examples_of(name)
    narrow = audit_arrays(labels, probs.astype(np.float32), filter_by="confident_learning")
    assert narrow.thresholds.tobytes() == audit_of(name).thresholds.tobytes()
    assert (narrow.is_label_issue == audit_of(name).is_label_issue).all()


@every_set
@every_filter
def test_golden_shuffled_table_flags_the_same_rows_but_for_ties(name: str, filter_by: str) -> None:
    labels, probs = examples_of(name)
    order = np.random.default_rng(1).permutation(len(labels))
    found = audit_arrays(labels[order], probs[order], filter_by=filter_by)
    wanted = audit_of(name, filter_by)
    assert found.thresholds.tobytes() == wanted.thresholds.tobytes()
    assert (found.noise.calibrated_joint == wanted.noise.calibrated_joint).all()
    if reference_of(name)["filters"][filter_by].get("equals_tie_break_by_id", True):
        assert (found.is_label_issue == wanted.is_label_issue[order]).all()
