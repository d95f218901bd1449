"""Runs are keyed by job and run id: records, statuses, the rows that count, tables of before."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

import sparkclean
from sparkclean.errors import ConfigError
from sparkclean.lake import TargetTable, Version, open_target, safe_run_id, shared_run_id
from sparkclean.lake.record_rows import job_of_record
from sparkclean.lake.run_records import record_revert
from sparkclean.runs.outputs import arrow_table
from sparkclean.schema import JOB, RUN_ID, RUNS

Open = Callable[[str], TargetTable]

#: The table of runs as it was made before runs had jobs.
RUNS_OF_BEFORE = tuple(entry for entry in RUNS if entry[0] not in (JOB, "metrics", "parents"))
BEGIN = datetime(2026, 11, 24, 3, tzinfo=timezone.utc)
#: What the records of before hold, by the job that it tells.
OF_BEFORE: dict[str | None, dict[str, Any]] = {
    "audit": {"result_hash": "h", "input": '{"table": "t"}', "counts": '{"noise_rate": 0.1}'},
    "train": {"input": '{"audit": "a"}', "counts": '{"quality": {}}'},
    "predict": {"input": '{"table": "t"}', "counts": '{"quality": {}}'},
    "revert": {"status": "reverted"},
    None: {"status": "gate_failed", "input": '{"table": "t"}', "counts": "{}"},
}


@pytest.fixture(params=["parquet", "delta", "iceberg"])
def opened(request: pytest.FixtureRequest, spark: SparkSession, tmp_path: Path) -> Open:
    prefix = f"{tmp_path}/"
    if request.param == "iceberg":
        prefix = f"lake.k{uuid.uuid4().hex[:8]}."
    return lambda name: open_target(
        prefix + name, request.param, spark=spark, work=tmp_path / "work", layout="copy"
    )


def publish(
    target: TargetTable, run_id: str, table: pa.Table, schema: str, **options: Any
) -> Version:
    staging = target.stage(run_id, accumulate=True)
    staging.write_arrow(table)
    properties = {"config_fingerprint": "f1", "input": "v7"} | options.pop("properties", {})
    return target.publish(
        staging,
        expected_parent=None,
        accumulate=True,
        properties=properties,
        schema=schema,
        **options,
    )


def row(run_id: str, minute: int, **content: Any) -> dict[str, Any]:
    given = {
        RUN_ID: safe_run_id(run_id),
        "original_run_id": run_id,
        "status": "published",
        "finished_at": BEGIN + timedelta(minutes=minute),
    }
    return dict.fromkeys(name for name, _ in RUNS) | given | content


def record(target: TargetTable, job: str, run_id: str, minute: int, **content: Any) -> Version:
    table, schema = arrow_table([row(run_id, minute, job=job, **content)], RUNS, None)
    key = {RUN_ID: safe_run_id(run_id), JOB: job}
    shared = shared_run_id(job, run_id)
    return publish(target, shared, table, schema, replace_run=True, key=key)


def leave_records_of_before(target: TargetTable, spark: SparkSession) -> None:
    """Make a table of runs as it was: a record of each job, with none of the new columns."""
    for minute, (job, content) in enumerate(OF_BEFORE.items()):
        run_id = f"{job}-1"
        table, schema = arrow_table([row(run_id, minute, **content)], RUNS_OF_BEFORE, None)
        if target.takes_files or job == "audit":
            publish(target, run_id, table, schema, replace_run=True)
        elif target.format == "delta":
            frame = _frame(spark, table, schema)
            frame.write.format("delta").mode("append").save(target.location)
        else:
            _frame(spark, table, schema).writeTo(target.location).append()


def _frame(spark: SparkSession, table: pa.Table, schema: str) -> DataFrame:
    kind = StructType.fromJson(json.loads(schema))
    return spark.createDataFrame([tuple(found.values()) for found in table.to_pylist()], kind)


def publish_rows(target: TargetTable, run_id: str, rows: int, **properties: str) -> Version:
    table, schema = arrow_table(
        [{"id": i, RUN_ID: safe_run_id(run_id)} for i in range(rows)],
        (("id", "bigint"), (RUN_ID, "string")),
        None,
    )
    return publish(target, run_id, table, schema, properties=properties)


def by_run(spark: SparkSession, target: TargetTable) -> dict[str, int]:
    counted = target.frame(spark).groupBy(RUN_ID).count().collect()
    return {found[RUN_ID]: found["count"] for found in counted}


def statuses_of(runs: TargetTable) -> dict[tuple[str | None, str], str]:
    return {key: known.status for key, known in runs.known_runs().items()}


@pytest.mark.parametrize("job", OF_BEFORE)
def test_job_of_record_of_before_is_told_by_what_it_holds(job: str | None) -> None:
    assert job_of_record(OF_BEFORE[job]) == job
    assert job_of_record(OF_BEFORE[job] | {"job": "another"}) == "another"


def test_records_of_two_jobs_have_one_run_id_and_replace_their_own_alone(
    spark: SparkSession, opened: Open
) -> None:
    runs = opened("runs")
    assert runs.find_record("audit", "a:1") is None
    assert runs.known_runs() == {}
    record(runs, "predict", "a:1", 1, message="predicted")
    record(runs, "audit", "a:1", 2, status="gate_failed")
    version = record(runs, "audit", "a:1", 3, status="failed")
    record(runs, "audit", "b", 4)
    name = "a_x3a1"
    assert statuses_of(runs) == {
        ("predict", name): "published",
        ("audit", name): "failed",
        ("audit", "b"): "published",
    }
    assert runs.frame(spark).count() == 3
    found = runs.find_record("predict", "a:1")
    assert (found["message"], found["finished_at"]) == ("predicted", BEGIN + timedelta(minutes=1))
    assert (found[RUN_ID], found["original_run_id"], found["parents"]) == (name, "a:1", None)
    assert runs.run_status("audit", "a:1") == "failed"
    assert runs.find_record("train", "a:1") is None
    assert runs.find_run(shared_run_id("audit", "a:1")) == version
    assert runs.find_run("a:1") is None
    (newest,) = runs.head(5).to_pylist()
    assert (newest[RUN_ID], newest[JOB]) == ("b", "audit")


def test_records_in_a_table_of_before_stay_and_new_ones_have_jobs(
    spark: SparkSession, opened: Open
) -> None:
    runs = opened("runs")
    leave_records_of_before(runs, spark)
    statuses = statuses_of(runs)
    assert statuses == {
        ("audit", "audit-1"): "published",
        ("train", "train-1"): "published",
        ("predict", "predict-1"): "published",
        ("revert", "revert-1"): "reverted",
        (None, "None-1"): "gate_failed",
    }
    assert runs.find_record("train", "train-1")["input"] == '{"audit": "a"}'
    assert runs.find_record("audit", "train-1") is None
    assert runs.find_record("audit", "None-1") is None
    before = len(runs.versions())
    record(runs, "audit", "None-1", 10)
    record(runs, "predict", "audit-1", 11, metrics='{"accuracy": 0.5}')
    record(runs, "audit", "audit-1", 13, status="cleaned_conflict")
    # what a format does to add columns is no version
    assert len(runs.versions()) == before + 3
    assert statuses_of(runs) == statuses | {
        ("audit", "None-1"): "published",
        ("predict", "audit-1"): "published",
        ("audit", "audit-1"): "cleaned_conflict",
    }
    assert runs.frame(spark).count() == 8
    assert runs.find_record("audit", "audit-1")["status"] == "cleaned_conflict"
    assert runs.find_record("audit", "None-1")["result_hash"] is None
    assert runs.find_record("predict", "audit-1")["metrics"] == '{"accuracy": 0.5}'
    assert [name for name, _ in RUNS] == runs.frame(spark).columns
    assert [found["status"] for found in runs.head(5).to_pylist()] == ["cleaned_conflict"]


def test_rows_of_a_job_count_by_its_own_record_alone(spark: SparkSession, opened: Open) -> None:
    suspects, runs = opened("suspects"), opened("runs")
    places = {"runs": runs.seen_from(suspects), JOB: "audit"}
    record(runs, "predict", "x", 1)
    publish_rows(suspects, "x", 5, **places)
    # the audit was killed here
    assert by_run(spark, suspects) == {}
    assert suspects.head(3).num_rows == 0
    assert suspects.find_run("x") is not None
    record(runs, "audit", "x", 2)
    assert by_run(spark, suspects) == {"x": 5}
    assert len(runs.known_runs()) == runs.frame(spark).count() == 2
    publish_rows(suspects, "y", 2, **places)
    assert by_run(spark, suspects) == {"x": 5}
    assert {found[RUN_ID] for found in suspects.head(9).to_pylist()} == {"x"}


def test_rows_of_before_count_by_records_of_before(spark: SparkSession, opened: Open) -> None:
    suspects, runs = opened("suspects"), opened("runs")
    places = {"runs": runs.seen_from(suspects)}
    leave_records_of_before(runs, spark)
    for job in ("audit", "predict", None):
        publish_rows(suspects, f"{job}-1", 2, **places)
    assert by_run(spark, suspects) == {"audit-1": 2}
    publish_rows(suspects, "new", 3, job="audit", **places)
    record(runs, "audit", "new", 2)
    assert by_run(spark, suspects) == {"audit-1": 2, "new": 3}


def test_record_of_revert_has_a_job_of_its_own(spark: SparkSession, opened: Open) -> None:
    runs = opened("runs")
    leave_records_of_before(runs, spark)
    before = runs.known_runs()
    outputs = {"cleaned": {"location": "/c", "version": "a"}}
    record_revert(spark, runs, outputs)
    ((job, name),) = runs.known_runs().keys() - before.keys()
    assert job == "revert"
    found = runs.find_record("revert", name)
    assert json.loads(found["outputs"]) == outputs
    assert found[JOB] == "revert"


def test_edit_of_a_table_whose_versions_replace_one_another_is_refused(
    spark: SparkSession, opened: Open
) -> None:
    target = opened("suspects")
    assert not target.keeps_versions_apart
    with pytest.raises(Exception, match="is neither a branch nor a folder of clones"):
        target.stage_edit("a", None, spark.range(1), None, {})


FORMATS = ["parquet", "iceberg", pytest.param("delta", marks=pytest.mark.full)]


@pytest.mark.parametrize("opened", FORMATS, indirect=True)
def test_rows_of_several_tables_are_told_apart(spark: SparkSession, opened: Open) -> None:
    suspects, runs = opened("suspects"), opened("runs")
    columns = (("id", "bigint"), (RUN_ID, "string"))
    table, schema = arrow_table([{"id": 1, RUN_ID: "a"}], columns, None)
    properties = {"input_table": "/one", JOB: "audit"}
    publish(suspects, "a", table, schema, properties=properties, key={RUN_ID: "a"})
    assert suspects.tables_by_run() == {"a": "/one"}  # by the version alone
    places = {"runs": runs.seen_from(suspects), JOB: "audit"}
    publish_rows(suspects, "b", 2, **places, input_table="/two")
    publish_rows(suspects, "c", 1, **places, input_table="/four")
    if suspects.format != "parquet":  # which counts all where the records are gone
        assert suspects.tables_by_run() == {}  # no run has ended yet: no table of records
        assert sparkclean.read(spark, suspects.location).count() == 0
    for minute, (run, name) in enumerate({"a": "/one", "b": "/two", "other": "/three"}.items()):
        record(runs, "audit", run, minute, input=json.dumps({"table": name}))
    # of the others one has no rows here, and one has not finished
    assert suspects.tables_by_run() == {"a": "/one", "b": "/two"}
    assert runs.tables_by_run() == {}
    with pytest.raises(ConfigError, match="the rows of 2 tables: /one, /two"):
        sparkclean.read(spark, suspects.location)
    assert sparkclean.read(spark, suspects.location, table="/two").count() == 2
