"""Suspects of another detector than ours go the same way: table, ranks, cleaned version."""

from __future__ import annotations

import numpy as np
import pytest
from pyspark.sql import SparkSession

from sparkclean.examples import suspects as module
from sparkclean.examples.clean import RejectedRows, clean_dataset
from sparkclean.examples.columns import Columns, resolve_columns
from sparkclean.examples.ranks import quality_bucket
from sparkclean.examples.suspect_table import collect_top, plan_suspect_files, suspects_frame
from sparkclean.examples.suspects import Suspects
from sparkclean.numbers.pair_counts import PairCounts
from sparkclean.rows.frame_stream import FrameStream
from sparkclean.rows.stores import CacheStore

CONSTANTS = {"dataset_version": "v1", "config_fingerprint": "f", "run_id": "r"}
#: Record id, given, suggested, likeness, quality.
FOUND = [(3, 0, 1, 0.9, 0.5), (1, 1, 0, 0.8, 0.25), (2, 0, 1, 0.7, 0.5), (0, 0, 1, 0.6, 0.75)]


def columns_of(spark: SparkSession) -> tuple[Columns, list[tuple[int, str, list[float]]]]:
    rows = [(i, "dog" if i in (1, 5) else "cat", [0.5, 0.5]) for i in range(6)]
    frame = spark.createDataFrame(rows, "id bigint, label string, pred_probs array<double>")
    columns = resolve_columns(
        frame, ids=["id"], label="label", probs=["pred_probs"], classes=["cat", "dog"]
    )
    return columns, rows


def duplicates(spark: SparkSession) -> Suspects:
    fields = "`__id_0` bigint, given int, suggested int, likeness double, label_quality double"
    frame = spark.createDataFrame(FOUND, fields).repartition(3)
    buckets = quality_bucket(np.array([row[4] for row in FOUND])).tolist()
    return Suspects(
        frame=frame,
        stream=FrameStream(frame, CacheStore(), len(FOUND)),
        counts=PairCounts([[0, 3], [1, 0]]),
        qualities={bucket: buckets.count(bucket) for bucket in buckets},
        hash_sum=0,
        reason="alike",
        detector="duplicates",
        numbers=("likeness",),
    )


@pytest.mark.parametrize("share", [1, 100])
def test_suspect_table_of_another_detector_has_its_numbers_and_ranks(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch, share: int
) -> None:
    monkeypatch.setattr(module, "_ROWS_TO_RANK", share)
    columns, _ = columns_of(spark)
    suspects = duplicates(spark)
    frame = suspects_frame(suspects, columns, CONSTANTS)
    assert frame.columns == [
        "id", "given_label", "suggested_label", "likeness", "label_quality", "rank", "reason",
        *CONSTANTS, "reviewed",
    ]  # fmt: skip
    rows = [row.asDict() for row in frame.orderBy("rank").collect()]
    assert [(row["rank"], row["id"], row["likeness"]) for row in rows] == [
        (1, 1, 0.8), (2, 2, 0.7), (3, 3, 0.9), (4, 0, 0.6),
    ]  # fmt: skip
    assert {(row["reason"], row["run_id"]) for row in rows} == {("alike", "r")}
    assert collect_top(suspects, columns, CONSTANTS, 2) == rows[:2]
    # rows of a frame are left to Spark
    assert plan_suspect_files(suspects, columns, CONSTANTS) is None


def test_cleaned_version_takes_suspects_of_another_detector(spark: SparkSession) -> None:
    columns, rows = columns_of(spark)
    table = spark.createDataFrame(rows, "id bigint, label string, pred_probs array<double>")
    rejected = RejectedRows(spark.createDataFrame([(4,)], "`__id_0` bigint"), 1, remove=True)
    given = {"mode": "drop", "where": None, "rows": len(rows)}
    dropped = clean_dataset(table, duplicates(spark), rejected, columns, **given)
    assert dropped.clean_rows == 1
    assert [row["id"] for row in dropped.clean.collect()] == [5]
    weighted = clean_dataset(
        table,
        duplicates(spark),
        RejectedRows(rejected.frame, 1),
        columns,
        **given | {"mode": "weight"},
        class_weights=[1.5, 3.0],
    )
    weights = {row["id"]: row["sample_weight"] for row in weighted.clean.collect()}
    # suspects 0, what was not audited 1, others the weight of their class
    assert weights == {0: 0.0, 1: 0.0, 2: 0.0, 3: 0.0, 4: 1.0, 5: 3.0}
