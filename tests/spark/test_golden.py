"""The audit of a frame against cleanlab's answers on real data, and against arrays."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from pyspark.sql import DataFrame, SparkSession

import sparkclean
from sparkclean.confident.issues import audit_arrays
from sparkclean.schema import FILTERS
from tests.conftest import GOLDEN

#: Every filter once, every score at least once.
SCORE_OF = {
    "prune_by_noise_rate": ("prior_shifted_self_confidence", False),
    "prune_by_class": ("normalized_margin", False),
    "both": ("self_confidence", False),
    "confident_learning": ("self_confidence", True),
    "predicted_neq_given": ("confidence_weighted_entropy", False),
    "low_self_confidence": ("normalized_margin", True),
    "low_normalized_margin": ("confidence_weighted_entropy", False),
}


@functools.cache
def examples_of(name: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    table = pq.read_table(GOLDEN / name / "examples.parquet")
    # ids are positions: a row of a frame is found in arrays by its id, and ties go alike
    assert table["id"].to_pylist() == list(range(len(table)))
    probs = table["pred_probs"].combine_chunks().flatten().to_numpy()
    labels = table["label"].to_numpy().astype(np.int64)
    return labels, probs.reshape(len(table), -1).astype(np.float64)


@pytest.fixture(scope="module", params=["20news", "mnist"])
def golden(request: pytest.FixtureRequest, spark: SparkSession) -> Iterator[tuple[str, DataFrame]]:
    """A set's name and its table, cut in two once for all audits of it."""
    path = str(GOLDEN / request.param / "examples.parquet")
    frame = spark.read.parquet(path).repartition(2).persist()
    yield request.param, frame
    frame.unpersist()


def test_golden_every_filter_and_score_is_audited() -> None:
    assert set(SCORE_OF) == set(FILTERS)
    assert len(set(SCORE_OF.values())) == 6


@pytest.mark.parametrize("filter_by", FILTERS)
def test_audit_golden_table_flags_the_reference_ids_with_the_scores_of_arrays(
    golden: tuple[str, DataFrame], filter_by: str
) -> None:
    name, frame = golden
    reference = json.loads((GOLDEN / name / "reference.json").read_text())
    wanted = reference["filters"][filter_by]
    # where a tie stands at a cut, the reference carries the set cut by record id, too
    wanted = wanted.get("tie_break_by_id", wanted)
    ranked_by, adjusted = SCORE_OF[filter_by]
    options = {"filter_by": filter_by, "ranked_by": ranked_by, "adjust_pred_probs": adjusted}
    with sparkclean.audit(frame, **options) as result:
        rows = result.suspects.select("id", "label_quality", "rank").collect()
    ids = sorted(row["id"] for row in rows)
    assert len(ids) == wanted["count"]
    digest = hashlib.sha256(",".join(map(str, ids)).encode()).hexdigest()
    assert digest == wanted["sha256_sorted_ids"]

    arrays = audit_arrays(*examples_of(name), **options)
    issues = np.flatnonzero(arrays.is_label_issue)
    assert ids == issues.tolist()
    # to the last bit, and in the same order
    ranked = sorted(rows, key=lambda row: row["rank"])
    order = issues[np.argsort(arrays.label_quality[issues], kind="stable")]
    assert [row["id"] for row in ranked] == order.tolist()
    assert [row["label_quality"] for row in ranked] == arrays.label_quality[order].tolist()
