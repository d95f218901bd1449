"""The first version of a dataset is its first commit: nobody ever reads an empty one."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sparkclean.commands.main import main
from sparkclean.errors import PublishConflictError
from sparkclean.lake import TargetTable, open_target
from sparkclean.lake.sql import rows_at
from tests.lake.test_committed import IN_CATALOG, publish


def opened(spark: SparkSession, folder: Path, kind: str) -> TargetTable:
    name = f"t{uuid.uuid4().hex[:8]}"
    if kind == "delta in a catalog":
        spark.sql(f"CREATE DATABASE {name} LOCATION '{folder}/warehouse'")
    place = {"delta": f"{folder}/t", "iceberg": f"lake.{name}.t"}.get(kind, f"{name}.t")
    table_format = "iceberg" if kind == "iceberg" else "delta"
    return open_target(place, table_format, spark=spark, work=folder / "work", layout="copy")


def rows_of_commits(spark: SparkSession, target: TargetTable) -> list[int]:
    """Rows that time travel sees after each commit."""
    if target.format == "iceberg":
        snapshots = spark.table(f"{target.location}.snapshots").orderBy("committed_at")
        ids = [row["snapshot_id"] for row in snapshots.collect()]
        return [rows_at(spark, target.location, number).count() for number in ids]
    history = spark.sql(f"DESCRIBE HISTORY {target._sql}").collect()
    return [target._read(row["version"]).count() for row in reversed(history)]


@pytest.mark.parametrize("kind", ["delta", IN_CATALOG, "iceberg"])
def test_publish_first_version_is_one_commit_with_its_rows(
    spark: SparkSession, tmp_path: Path, kind: str
) -> None:
    target = opened(spark, tmp_path, kind)
    frame = spark.range(5).withColumn("at", F.timestamp_micros("id"))
    first = publish(target, "r1", frame, accumulate=False)
    assert (first.run_id, first.rows, first.properties["config_fingerprint"]) == ("r1", 5, "f1")
    assert rows_of_commits(spark, target) == [5]
    assert publish(target, "r1", frame, accumulate=False, parent=first.number) == first
    second = publish(target, "r2", frame.limit(3), accumulate=False, parent=first.number)
    assert [v.name for v in target.versions()] == [first.name, second.name]
    assert rows_of_commits(spark, target) == [5, 3]
    if kind == "delta":  # the number 0 is a version like any other
        assert main(["revert", target.location, "--to", "r1"]) == 0
        assert rows_of_commits(spark, target) == [5, 3, 5]
    assert {row.at.microsecond for row in target._read(first.name).collect()} == set(range(5))


@pytest.mark.parametrize("kind", ["delta", "iceberg"])
def test_publish_first_version_of_two_runs_at_once_has_one_winner(
    spark: SparkSession, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = opened(spark, tmp_path, kind)
    other = open_target(
        target.location, target.format, spark=spark, work=tmp_path / "work", layout="copy"
    )
    replace = target._replace

    def late(*arguments: object) -> None:
        publish(other, "first", spark.range(7).toDF("n"), accumulate=False)
        # what it saw a moment ago
        answers, commits = [None], target._commits
        monkeypatch.setattr(target, "_commits", lambda: answers.pop() if answers else commits())
        replace(*arguments)

    monkeypatch.setattr(target, "_replace", late)
    with pytest.raises(PublishConflictError, match="first"):
        publish(target, "second", spark.range(3).toDF("n"), accumulate=False)
    assert [v.run_id for v in target.versions()] == ["first"]
    assert rows_of_commits(spark, target) == [7]
