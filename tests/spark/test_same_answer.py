"""One result hash however the data is cut, ordered, batched and stored, and from numpy."""

from __future__ import annotations

import numpy as np
import pytest
from pyspark.sql import SparkSession

import sparkclean
from sparkclean.confident.issues import audit_arrays
from sparkclean.jobs.audit.histograms import SCORE_BINS, score_bin
from sparkclean.schema import FILTERS
from tests.data import noisy_data
from tests.spark.answers import frame_of, hash_of_arrays

CONFIDENT = "confident_learning"
CUTS = [(1, False), (7, True), (16, False)]


@pytest.mark.parametrize(
    ("kind", "ties", "cuts"),
    [
        ("double", True, CUTS),
        ("float", False, [(7, True)]),
        ("float", True, [(1, False)]),
    ],
)
def test_audit_any_cut_and_order_has_the_hash_of_arrays(
    spark: SparkSession, kind: str, ties: bool, cuts: list[tuple[int, bool]]
) -> None:
    given, probs = noisy_data(400, 5, ties=ties)
    if kind == "float":
        probs = probs.astype(np.float32).astype(np.float64)
    wanted = hash_of_arrays(given, probs, "prune_by_noise_rate")
    frame = frame_of(spark, given, probs, kind)
    own, agrees = probs[np.arange(len(given)), given], probs.argmax(axis=1) == given
    bins = [np.bincount(score_bin(own[rows]), minlength=SCORE_BINS) for rows in (agrees, ~agrees)]
    for parts, shuffled in cuts:
        cut = frame.orderBy("label", frame.id.desc()) if shuffled else frame
        with sparkclean.audit(cut.repartition(parts)) as result:
            assert result.compute_result_hash() == wanted, (parts, shuffled)
            found = result.metrics["histograms"]
        confidence, quality = found["self_confidence"], found["label_quality"]
        assert [confidence["agreed"], confidence["disagreed"]] == [b.tolist() for b in bins]
        # of suspects alone: this filter takes none of which the model agrees with the label
        assert (sum(quality["agreed"]), sum(quality["disagreed"])) == (0, result.num_suspects)
        assert all(q <= c for q, c in zip(quality["disagreed"], bins[1].tolist(), strict=True))


@pytest.mark.parametrize("batch", ["1", "33", "100000"])
def test_audit_any_batch_size_has_the_hash_of_arrays(spark: SparkSession, batch: str) -> None:
    given, probs = noisy_data(300, 3)
    key = "spark.sql.execution.arrow.maxRecordsPerBatch"
    before = spark.conf.get(key)
    spark.conf.set(key, batch)
    try:
        with sparkclean.audit(frame_of(spark, given, probs, "double")) as result:
            assert result.compute_result_hash() == hash_of_arrays(
                given, probs, "prune_by_noise_rate"
            )
    finally:
        spark.conf.set(key, before)


@pytest.mark.parametrize(
    ("collision", "filter_by"),
    [*(("cleanlab-2.9", name) for name in FILTERS), ("paper", "both"), ("paper", CONFIDENT)],
)
def test_audit_every_filter_selects_and_ranks_as_on_arrays(
    spark: SparkSession, filter_by: str, collision: str
) -> None:
    given, probs = noisy_data(300, 6, ties=True, seed=3)
    found = audit_arrays(given, probs, filter_by=filter_by, collision=collision)
    issues = np.flatnonzero(found.is_label_issue)
    issues = issues[np.argsort(found.label_quality[issues], kind="stable")]
    frame = frame_of(spark, given, probs, "double").repartition(7)
    with sparkclean.audit(frame, filter_by=filter_by, collision=collision) as result:
        rows = result.suspects.orderBy("rank").collect()
    assert [row["id"] for row in rows] == issues.tolist()
    assert [row["label_quality"] for row in rows] == found.label_quality[issues].tolist()
    assert [row["rank"] for row in rows] == list(range(1, len(issues) + 1))
    assert len(issues) > 5


@pytest.mark.parametrize(
    ("filter_by", "ranked_by", "adjusted"),
    [
        ("both", "normalized_margin", False),
        ("prune_by_noise_rate", "self_confidence", True),
        ("both", "normalized_margin", True),
        ("prune_by_noise_rate", "confidence_weighted_entropy", False),
        ("prune_by_noise_rate", "prior_shifted_self_confidence", False),
    ],
)
def test_audit_every_score_has_the_bits_of_arrays(
    spark: SparkSession, filter_by: str, ranked_by: str, adjusted: bool
) -> None:
    given, probs = noisy_data(300, 4, seed=5)
    options = {"ranked_by": ranked_by, "adjust_pred_probs": adjusted, "filter_by": filter_by}
    found = audit_arrays(given, probs, **options)
    frame = frame_of(spark, given, probs, "double").repartition(3)
    with sparkclean.audit(frame, **options) as result:
        rows = result.suspects.collect()
    assert len(rows) == found.is_label_issue.sum() > 5
    assert all(row["label_quality"] == found.label_quality[row["id"]] for row in rows)
