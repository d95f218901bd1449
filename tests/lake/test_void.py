"""Void runs: an appended record says so, and readers leave their rows out."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pytest

from sparkclean.commands.main import main
from sparkclean.errors import ConfigError, InputError
from sparkclean.lake import ParquetTarget, safe_run_id
from sparkclean.lake.record_rows import VOID
from sparkclean.rows.driver_rows import arrow_table
from sparkclean.runs.void import void_run
from sparkclean.schema import RUN_ID
from tests.lake.records import write_record


@pytest.fixture
def runs(tmp_path: Path) -> ParquetTarget:
    target = ParquetTarget(str(tmp_path / "runs"))
    write_record(target, "mon:1", 1)
    write_record(target, "mon:1", 2, job="predict")
    write_record(target, "tue", 3)
    write_record(target, "shut", 4, status="gate_failed", message="too many")
    return target


def publish_rows(target: ParquetTarget, run_id: str) -> None:
    rows = [{"id": 1, RUN_ID: safe_run_id(run_id)}]
    table, schema = arrow_table(rows, (("id", "bigint"), (RUN_ID, "string")), "string")
    staging = target.stage(run_id)
    staging.write_arrow(table)
    target.publish(
        staging, expected_parent=None, accumulate=True, schema=schema,
        properties={"runs": "../runs", "job": "audit"},
    )  # fmt: skip


def rows_of(target: ParquetTarget) -> list[str]:
    found: list[str] = []
    for run in ("mon:1", "tue"):
        try:
            rows = target.head(9, run_id=run)
        except InputError:
            continue
        found += pa.Table.to_pylist(rows.select([RUN_ID])) and [run]
    return found


def test_void_run_leaves_its_rows_out_and_keeps_all_records(
    runs: ParquetTarget, tmp_path: Path
) -> None:
    suspects = ParquetTarget(str(tmp_path / "suspects"))
    publish_rows(suspects, "mon:1")
    publish_rows(suspects, "tue")
    assert rows_of(suspects) == ["mon:1", "tue"]
    files = len(runs.manifest().files)
    (done,) = void_run(runs, "mon:1", " wrong day ", job="audit")
    assert (done.job, done.run_id) == ("audit", "mon:1")
    assert rows_of(suspects) == ["tue"]
    assert len(runs.manifest().files) == files + 1  # appended
    record = runs.find_record("audit", "mon:1")
    assert record is not None
    assert (record["status"], record["message"]) == (VOID, "wrong day")
    assert record["dataset_version"] == "v1"  # what it was stays to be read
    assert runs.run_status("predict", "mon:1") == "published"


def test_void_run_without_a_job_is_all_jobs_of_the_id(runs: ParquetTarget) -> None:
    assert [run.job for run in void_run(runs, "mon:1", "x")] == ["audit", "predict"]
    assert runs.run_status("predict", "mon:1") == VOID
    assert runs.run_status("audit", "tue") == "published"


def test_void_run_is_newer_than_its_record_whatever_the_clock_says(runs: ParquetTarget) -> None:
    write_record(runs, "tomorrow", 60 * 24 * 365 * 20)
    void_run(runs, "tomorrow", "x")
    assert runs.run_status("audit", "tomorrow") == VOID


@pytest.mark.parametrize(
    ("run_id", "why", "job", "says"),
    [
        ("tue", " ", None, "--why: is empty"),
        ("wed", "x", None, "there is no run 'wed' in"),
        ("tue", "x", "train", "--job: run 'tue' in"),
        ("shut", "x", None, "its record says gate_failed"),
    ],
)
def test_void_run_refuses(
    runs: ParquetTarget, run_id: str, why: str, job: str | None, says: str
) -> None:
    number = runs.manifest().number
    with pytest.raises((ConfigError, InputError), match=re.escape(says)):
        void_run(runs, run_id, why, job=job)
    assert runs.manifest().number == number


def test_void_run_twice_says_since_when_and_why(runs: ParquetTarget) -> None:
    void_run(runs, "tue", "wrong day")
    with pytest.raises(InputError, match=r"audit 'tue' is void already, since 20.*: wrong day"):
        void_run(runs, "tue", "again")


def test_void_command_says_what_it_did_and_what_stays_current(
    runs: ParquetTarget, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = {"cleaned": {"location": "out/cleaned", "version": "v1"}}
    write_record(runs, "wed", 5, outputs=outputs)
    assert main(["void", runs.location, "wed", "--why", "x"]) == 0
    shown = capsys.readouterr().out
    assert "audit wed is void" in shown
    assert "look at out/cleaned (sparkclean versions)" in shown
    assert main(["void", runs.location, "wed", "--why", "x"]) == 3
    assert main(["void", runs.location, "none", "--why", "x"]) == 3
    assert main(["void", f"{runs.location}x", "wed", "--why", "x"]) == 3
