"""Outputs of Delta and Iceberg: a commit a run, found again, one winner of two."""

from __future__ import annotations

import os
import re
import shutil
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkclean import read
from sparkclean.errors import InputError, PublishConflictError, VersionExistsError
from sparkclean.faults import InjectedFault
from sparkclean.lake import TargetTable, Version, missing_files, open_target

Open = Callable[[str], TargetTable]


IN_CATALOG = pytest.param("delta in a catalog", marks=pytest.mark.full)


@pytest.fixture(params=["delta", IN_CATALOG, "iceberg"])
def opened(request: pytest.FixtureRequest, spark: SparkSession, tmp_path: Path) -> Open:
    unique = f"t{uuid.uuid4().hex[:8]}"
    if request.param == "delta":
        prefix, kind = f"{tmp_path}/", "delta"
    elif request.param == "iceberg":
        prefix, kind = f"lake.`{unique} db`.", "iceberg"
    else:
        spark.sql(f"CREATE DATABASE {unique} LOCATION '{tmp_path}/warehouse'")
        prefix, kind = f"{unique}.", "delta"
    return lambda name: open_target(prefix + name, kind, spark=spark, work=tmp_path / "work")


def suspects(spark: SparkSession, run: str, rows: int) -> DataFrame:
    return spark.range(rows).selectExpr("id", "id + 1 AS rank", f"'{run}' AS run_id")


def publish(target: TargetTable, run: str, frame: DataFrame, **options: Any) -> Version:
    accumulate = options.pop("accumulate", True)
    staging = target.stage(run, accumulate=accumulate)
    staging.write_frame(frame)
    properties = {"config_fingerprint": "f1", "input": "delta-7"} | options.pop("properties", {})
    return target.publish(
        staging,
        expected_parent=options.pop("parent", None),
        accumulate=accumulate,
        properties=properties,
        schema=frame.schema.json(),
        **options,
    )


def publish_dataset(
    target: TargetTable, run: str, frame: DataFrame, parent: int | None = None
) -> Version:
    return publish(target, run, frame, accumulate=False, parent=parent)


def by_run(frame: DataFrame) -> dict[str, int]:
    return {row["run_id"]: row["count"] for row in frame.groupBy("run_id").count().collect()}


def test_publish_runs_accumulate_and_each_counts_once(spark: SparkSession, opened: Open) -> None:
    target = opened("suspects")
    assert target.current() is None
    target.check_writable()
    first = publish(target, "a", suspects(spark, "a", 5))
    assert (first.run_id, first.operation) == ("a", "publish")
    assert publish(target, "a", suspects(spark, "a", 9)) == first
    publish(target, "scheduled:1", suspects(spark, "scheduled_x3a1", 3))
    assert by_run(target.frame(spark)) == {"a": 5, "scheduled_x3a1": 3}
    assert target.find_run("scheduled:1").properties["original_run_id"] == "scheduled:1"
    publish(target, "a", suspects(spark, "a", 2), replace_run=True)
    assert by_run(target.frame(spark)) == {"a": 2, "scheduled_x3a1": 3}


def test_publish_failed_after_its_commit_is_recognised(
    spark: SparkSession, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, cleaned = opened("suspects"), opened("cleaned")
    with monkeypatch.context() as patch:
        patch.setenv("SPARKCLEAN_FAULT", "commit.done:raise")
        with pytest.raises(InjectedFault):
            publish(target, "a", suspects(spark, "a", 3))
        with pytest.raises(InjectedFault):
            publish_dataset(cleaned, "a", spark.range(10))
    before = [version.name for version in (*target.versions(), *cleaned.versions())]
    publish(target, "a", suspects(spark, "a", 3))
    publish_dataset(cleaned, "a", spark.range(10))
    assert [version.name for version in (*target.versions(), *cleaned.versions())] == before
    assert (target.frame(spark).count(), cleaned.frame(spark).count()) == (3, 10)


def test_publish_same_run_other_fingerprint_is_refused(spark: SparkSession, opened: Open) -> None:
    target = opened("suspects")
    publish(target, "a", suspects(spark, "a", 1))
    with pytest.raises(VersionExistsError, match="config_fingerprint"):
        publish(target, "a", suspects(spark, "a", 1), properties={"config_fingerprint": "another"})


def test_publish_schema_grows_and_other_types_are_refused(
    spark: SparkSession, opened: Open
) -> None:
    target = opened("suspects")
    publish(target, "old", suspects(spark, "old", 2))
    publish(target, "new", suspects(spark, "new", 2).withColumn("more", F.lit("x")))
    found = {row["run_id"]: row["more"] for row in target.frame(spark).collect()}
    assert found == {"old": None, "new": "x"}
    publish(target, "old again", suspects(spark, "old_x20again", 1))
    other = suspects(spark, "bad", 1).withColumn("id", F.lit("text"))
    with pytest.raises(InputError, match="do not fit"):
        publish(target, "bad", other)
    assert target.frame(spark).count() == 5


def test_publish_run_without_rows_leaves_the_others(spark: SparkSession, opened: Open) -> None:
    target = opened("rejected")
    publish(target, "a", suspects(spark, "a", 0))
    publish(target, "b", suspects(spark, "b", 2))
    publish(target, "c", suspects(spark, "c", 0))
    assert by_run(target.frame(spark)) == {"b": 2}


def test_frame_counts_only_runs_with_a_record(spark: SparkSession, opened: Open) -> None:
    target, runs = opened("suspects"), opened("runs")
    places = {"runs": runs.location}
    publish(target, "a", suspects(spark, "a", 5), properties=places)
    publish(target, "b", suspects(spark, "b", 3), properties=places)
    assert target.frame(spark).count() == 0
    columns = "run_id string, status string, job string"
    record = spark.createDataFrame([("a", "published", "audit")], columns)
    publish(runs, "a@audit", record, replace_run=True, key={"run_id": "a", "job": "audit"})
    assert runs.run_status("audit", "a") == "published"
    assert by_run(target.frame(spark)) == {"a": 5}
    assert [row["rank"] for row in target.head(2).to_pylist()] == [1, 2]


def test_publish_dataset_of_two_from_one_parent_one_wins(spark: SparkSession, opened: Open) -> None:
    target = opened("cleaned")
    first = publish_dataset(target, "a", spark.range(10))
    second = publish_dataset(target, "b", spark.range(8), first.number)
    assert second.parent == first.number
    with pytest.raises(PublishConflictError, match=f"version {second.name}, published by b"):
        publish_dataset(target, "c", spark.range(6), first.number)
    assert target.find_run("c") is None
    assert read(spark, target.location).count() == 8
    assert read(spark, target.location, first.number).count() == 10


def test_publish_dataset_first_of_a_table_that_another_has_just_filled_is_a_conflict(
    spark: SparkSession, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    slower, faster = opened("cleaned"), opened("cleaned")
    published = []

    def nothing_yet() -> None:
        """What the slower one saw; the faster one publishes before it begins to write."""
        if not published:
            published.append(publish_dataset(faster, "faster", spark.range(8)))
        monkeypatch.undo()

    monkeypatch.setattr(slower, "current", nothing_yet)
    with pytest.raises(PublishConflictError):
        publish_dataset(slower, "slower", spark.range(6))
    assert [version.run_id for version in faster.versions()] == ["faster"]
    assert read(spark, faster.location).count() == 8


def test_publish_dataset_columns_follow_the_version(spark: SparkSession, opened: Open) -> None:
    target = opened("cleaned")
    first = publish_dataset(target, "a", spark.range(4))
    publish_dataset(
        target, "b", spark.range(4).withColumn("sample_weight", F.lit(0.5)), first.number
    )
    assert target.frame(spark).select("id", "sample_weight").distinct().count() == 4
    assert target.frame(spark, first.number).columns == ["id"]


def test_publish_dataset_first_of_two_one_wins(spark: SparkSession, opened: Open) -> None:
    target = opened("cleaned")
    publish_dataset(target, "a", spark.range(10))
    with pytest.raises(PublishConflictError, match="began at none"):
        publish_dataset(target, "b", spark.range(8))


def test_revert_makes_an_older_version_current(spark: SparkSession, opened: Open) -> None:
    target = opened("cleaned")
    first = publish_dataset(target, "a", spark.range(10))
    second = publish_dataset(target, "b", spark.range(8), first.number)
    reverted = target.revert(first.number)
    assert reverted.operation == "revert"
    assert target.frame(spark).count() == 10
    assert target.frame(spark, second.number).count() == 8
    publish_dataset(target, "c", spark.range(6), target.current().number)
    assert target.frame(spark).count() == 6
    with pytest.raises(InputError, match="no version 12345"):
        target.revert(12345)


@pytest.mark.full
def test_revert_of_a_table_in_the_current_database(spark: SparkSession, tmp_path: Path) -> None:
    database = f"t{uuid.uuid4().hex[:8]}"
    spark.sql(f"CREATE DATABASE {database} LOCATION '{tmp_path}/warehouse'")
    spark.catalog.setCurrentDatabase(database)
    try:
        target = open_target("cleaned", "delta", spark=spark)
        first = publish_dataset(target, "a", spark.range(10))
        publish_dataset(target, "b", spark.range(8), first.number)
        target.revert(first.number)
        assert target.frame(spark).count() == 10
    finally:
        spark.catalog.setCurrentDatabase("default")


def test_check_writable_table_of_somebody_else_is_refused(
    spark: SparkSession, opened: Open
) -> None:
    target = opened("theirs")
    frame = spark.range(3)
    if target.format == "iceberg":
        spark.sql(f"CREATE NAMESPACE IF NOT EXISTS {target.location.rpartition('.')[0]}")
        frame.writeTo(target.location).using("iceberg").create()
    elif target.location.startswith("/"):
        frame.write.format("delta").save(target.location)
    else:
        frame.write.format("delta").saveAsTable(target.location)
    with pytest.raises(InputError, match="sparkclean did not write"):
        target.check_writable()


def test_versions_of_a_missing_table_is_an_input_error(opened: Open) -> None:
    with pytest.raises(InputError, match="no such table"):
        opened("nothing").versions()


def hours_earlier(log: str, hours: int) -> str:
    times = r'("(?:t|deletionT)imestamp":)(\d+)'
    return re.sub(times, lambda found: f"{found[1]}{int(found[2]) - hours * 3_600_000}", log)


def copy_with_old_commits(table: Path, copy: Path) -> None:
    """Copy a Delta table; the newest commit is of now, each one before it an hour older."""
    shutil.copytree(table, copy, ignore=shutil.ignore_patterns("*.crc"))
    commits = sorted((copy / "_delta_log").glob("*.json"), reverse=True)
    for hours, path in enumerate(commits):
        path.write_text(hours_earlier(path.read_text(), hours))
        os.utime(path, (time.time() - hours * 3600,) * 2)
    for path in copy.glob("*.parquet"):
        os.utime(path, (time.time() - len(commits) * 3600,) * 2)


@pytest.mark.full
def test_clean_up_keeps_the_newest_and_the_others_are_gone(
    spark: SparkSession, opened: Open, tmp_path: Path
) -> None:
    target = opened("cleaned")
    numbers: list[int] = []
    for run, rows in (("a", 10), ("b", 8), ("c", 6)):
        parent = numbers[-1] if numbers else None
        numbers.append(publish_dataset(target, run, spark.range(rows), parent).number)
        time.sleep(2)
    for keep in (3, 4, 9):
        assert target.clean_up(keep=keep).versions == ()
    assert len(target.versions()) == 3
    if target.format == "delta":
        # nothing is older than a week
        assert target.clean_up(older_than_seconds=None, keep=2, dry_run=True).versions == ()
        folder = tmp_path if target.location.startswith("/") else tmp_path / "warehouse"
        target = opened("old")
        copy_with_old_commits(folder / "cleaned", folder / "old")
        if folder != tmp_path:
            spark.sql(f"CREATE TABLE {target.location} USING delta LOCATION '{folder}/old'")
    spark.conf.set("spark.databricks.delta.retentionDurationCheck.enabled", "false")
    try:
        if target.format == "delta":
            # versions of one hour cannot be told apart
            assert opened("cleaned").clean_up(older_than_seconds=0, keep=2).versions == ()
            assert target.clean_up(older_than_seconds=5 * 3600, keep=2).versions == ()
        retired = target.clean_up(older_than_seconds=0, keep=2, dry_run=False).versions
    finally:
        spark.conf.unset("spark.databricks.delta.retentionDurationCheck.enabled")
    assert retired == (str(numbers[0]),)
    assert [target.frame(spark, number).count() for number in numbers[1:]] == [8, 6]
    known = {v.name for v in target.versions()}
    assert target.current().number == numbers[-1]
    assert target.format == "iceberg" or missing_files(target.data_files(str(numbers[0])))
    assert (str(numbers[0]) in known) == (target.format == "delta")
    assert missing_files(target.data_files(str(numbers[1]))) == []
    if target.format == "delta":
        assert missing_files(opened("cleaned").data_files(str(numbers[0]))) == []
