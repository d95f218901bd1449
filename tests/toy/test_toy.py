"""The toy job is listed, run, gated, killed, completed, shown, reverted and cleaned up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import SparkSession

import sparkclean
from sparkclean import faults, registry
from sparkclean.commands.main import main
from sparkclean.errors import AuditGateError
from sparkclean.lake import open_target
from tests.data import write_table
from tests.tables import Place
from tests.toy.command import TOY
from tests.toy.job import ToyJob

REPOSITORY = Path(__file__).resolve().parents[2]
ROWS, RARE = 60, 7
POINTS = (
    "run.pinned",
    "stage.rare.begin",
    "stage.rare.end",
    "run.audited",
    "run.verified",
    "publish.rare.begin",
    "publish.rare.end",
    "stage.runs.begin",
    "stage.runs.end",
    "publish.runs.begin",
    "publish.runs.end",
)
#: Every format dies at every point; in CI at few of them.
KILLS = [
    pytest.param(kind, point, marks=[] if point in in_ci else [pytest.mark.full])
    for kind, in_ci in {
        "parquet": {"run.pinned", "publish.rare.end", "publish.runs.begin"},
        "delta": {"publish.rare.end"},
        "iceberg": {"publish.rare.end"},
    }.items()
    for point in POINTS
]


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Register the toy: one line."""
    monkeypatch.setitem(registry.JOBS, "toy", TOY)


class Lake:
    """A table with two rare labels, and the place of the toy's outputs, in one format."""

    def __init__(self, spark: SparkSession, folder: Path, kind: str) -> None:
        self.spark, self.folder, self.kind = spark, folder, kind
        given = np.repeat([0, 1, 2, 3], [ROWS - RARE - 1, 4, 3, 1])
        pred_probs = np.full((ROWS, 4), 0.25)
        self.properties = folder / "spark.conf"
        if kind == "parquet":
            self.table = str(write_table(folder / "in", given, pred_probs))
            self.prefix = f"{folder}/out/"
            self.properties.write_text("spark.master local[1,4]\n")
        else:
            place = Place(spark, folder, kind, data=(given, pred_probs))
            self.table, self.prefix = place.table, place.prefix
            self.properties = place.write_properties()
        self.config = folder / "toy.json"
        self.write()

    def write(self, **toy: int) -> None:
        output = {"rare": f"{self.prefix}rare", "runs": f"{self.prefix}runs"}
        output |= {"format": self.kind, "work": f"{self.folder}/work"}
        content = {"input": {"table": self.table}, "output": output, "toy": toy}
        self.config.write_text(json.dumps(content))

    def run(self, *words: str, run_id: str = "r1") -> int:
        return main(["toy", "--config", str(self.config), "--run-id", run_id, *words])

    def die(self, point: str, run_id: str = "r1") -> None:
        """Run in a process that dies by kill -9."""
        words = ["toy", "--config", str(self.config), "--run-id", run_id]
        words += ["--properties-file", str(self.properties)]
        done = subprocess.run(
            [sys.executable, "-m", "tests.toy.command", *words],
            cwd=REPOSITORY, capture_output=True, text=True, check=False,
            env=os.environ | {"SPARKCLEAN_FAULT": f"{point}:kill"},
        )  # fmt: skip
        assert done.returncode == -signal.SIGKILL, done.stderr

    def rows(self, name: str) -> list[dict]:
        frame = sparkclean.read(self.spark, self.prefix + name)
        return sorted((row.asDict() for row in frame.collect()), key=str)


def read_runs(lake: Lake) -> dict:
    """Read the one run record."""
    (record,) = lake.rows("runs")
    return record


@pytest.fixture(params=["parquet", "delta", "iceberg"])
def lake(request: pytest.FixtureRequest, spark: SparkSession, tmp_path: Path) -> Iterator[Lake]:
    return Lake(spark, tmp_path, request.param)


def test_toy_is_short() -> None:
    path = Path(sys.modules[ToyJob.__module__].__file__ or "")
    assert len(path.read_text().splitlines()) < 85


def test_toy_is_listed_and_its_section_is_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "find rare labels" in capsys.readouterr().out
    config = tmp_path / "toy.json"
    config.write_text(json.dumps({"input": {"table": "in"}, "toy": {"fewer_then": 3}}))
    assert main(["toy", "--config", str(config)]) == 2
    assert "toy.fewer_then: unknown key (value 3); did you mean 'fewer_than'?" in (
        capsys.readouterr().err
    )


def test_toy_publishes_records_is_shown_reverted_and_cleaned_up(
    lake: Lake, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lake.run("--dry-run") == 0
    assert lake.run() == 0
    assert f"{RARE + 1} of {ROWS} examples have a rare label" in capsys.readouterr().out
    rare = lake.rows("rare")
    assert len(rare) == RARE + 1
    assert {row["given_label"] for row in rare} == {1, 2, 3}
    assert {row["run_id"] for row in rare} == {"r1"}
    record = read_runs(lake)
    assert (record["job"], record["status"], record["rows"]) == ("toy", "published", ROWS)
    assert json.loads(record["metrics"]) == {"rare": RARE + 1}
    assert lake.run() == 0
    assert "has finished before; nothing was done" in capsys.readouterr().out
    lake.write(fewer_than=4)
    assert lake.run() == 5
    assert "with another config_fingerprint" in capsys.readouterr().err
    assert lake.run(run_id="r2") == 0
    assert len(lake.rows("rare")) == RARE + 1 + 4
    rare_target = open_target(lake.prefix + "rare", lake.kind, spark=lake.spark)
    largest = rare_target.head(2, run_id="r1", largest="given_label")
    assert largest.column("given_label").to_pylist() == [3, 2]
    runs = open_target(lake.prefix + "runs", lake.kind, spark=lake.spark)
    assert sorted(row["run_id"] for row in runs.records(["run_id", "gone"])) == ["r1", "r2"]
    # the report has the toy's own section, and knows nothing of it
    page = lake.folder / "page.html"
    assert main(["report", lake.prefix + "runs", "--run-id", "r2", "-o", str(page)]) == 0
    written = page.read_text()
    assert all(text in written for text in ("Rare labels", "toy.fewer_than", "What changed"))
    capsys.readouterr()
    assert main(["show", lake.prefix + "runs", "--job", "toy", "--format", "csv"]) == 0
    head, *listed = capsys.readouterr().out.splitlines()
    assert head == "run_id,job,status,finished_at,rows,suspects,noise,gates,seconds"
    assert [line.split(",")[:3] for line in listed] == [
        ["r1", "toy", "published"], ["r2", "toy", "published"],
    ]  # fmt: skip
    # commands open sessions of their own only where there is none
    place = lake.prefix + "rare"
    capsys.readouterr()
    assert main(["show", lake.prefix + "runs"]) == 0
    assert "toy" in capsys.readouterr().out
    assert main(["versions", place]) == 0
    assert "r2" in capsys.readouterr().out
    first = open_target(place, lake.kind, spark=lake.spark).versions()[0]
    assert main(["revert", place, "--to", first.name]) == 0
    assert len(lake.rows("rare")) == RARE + 1
    assert main(["clean-up", place, "--keep", "1", "--yes"]) == 0


def test_toy_gate_closed_publishes_a_record_alone(
    lake: Lake, capsys: pytest.CaptureFixture[str]
) -> None:
    lake.write(max_rows=3)
    assert lake.run() == 4
    assert "toy.max_rows wants at most 3, found 8" in capsys.readouterr().err
    record = read_runs(lake)
    assert (record["status"], json.loads(record["metrics"])) == ("gate_failed", {"rare": 8})
    lake.write()
    assert lake.run() == 0
    assert [row["status"] for row in lake.rows("runs")] == ["published"]
    assert len(lake.rows("rare")) == RARE + 1


@pytest.mark.parametrize(("lake", "point"), KILLS, indirect=["lake"])
def test_toy_killed_is_completed_by_a_repetition(lake: Lake, point: str) -> None:
    assert lake.run(run_id="earlier") == 0
    before = len(lake.rows("rare"))
    lake.die(point)
    counts = 2 if point == "publish.runs.end" else 1
    assert len(lake.rows("rare")) == before * counts
    assert lake.run() == 0
    assert len(lake.rows("rare")) == 2 * before
    assert [(r["run_id"], r["status"]) for r in lake.rows("runs")] == [
        ("earlier", "published"), ("r1", "published"),
    ]  # fmt: skip


@pytest.mark.parametrize("lake", ["parquet"], indirect=True)
def test_toy_failed_after_a_publication_is_recorded_and_completed(lake: Lake) -> None:
    def fail(point: str) -> None:
        if point == "publish.rare.end":
            raise OSError(28, "No space left on device")

    with faults.watched(fail):
        assert lake.run() == 1
    record = read_runs(lake)
    assert (record["run_id"], record["status"]) == ("r1", "failed")
    assert "no space left on the device" in record["message"]
    assert lake.run() == 0
    assert read_runs(lake)["status"] == "published"
    assert len(lake.rows("rare")) == RARE + 1


def test_run_job_is_the_command_from_python(lake: Lake) -> None:
    content = json.loads(lake.config.read_text())
    result = sparkclean.run_job("toy", content, run_id="py")
    assert (result.job, result.run_id, result.status) == ("toy", "py", "published")
    assert result.metrics == {"rare": RARE + 1}
    assert set(result.outputs) == {"rare", "runs"}
    with pytest.raises(AuditGateError, match="wants at most 3"):
        sparkclean.run_job("toy", lake.config, run_id="py2", overrides=["toy.max_rows=3"])


@pytest.mark.parametrize("lake", ["parquet"], indirect=True)
def test_run_job_works_off_the_main_thread_in_the_session_that_there_is(lake: Lake) -> None:
    results, where = [], {"spark.sql.session.timeZone": "Asia/Tokyo"}
    worker = threading.Thread(
        target=lambda: results.append(
            sparkclean.run_job("toy", str(lake.config), run_id="t", settings=where)
        )
    )
    worker.start()
    worker.join()
    (result,) = results
    assert (result.status, result.metrics) == ("published", {"rare": RARE + 1})
    assert lake.spark.range(2).count() == 2  # nobody stopped it
    assert lake.spark.conf.get("spark.sql.session.timeZone") == "UTC"


@pytest.mark.parametrize("lake", ["parquet"], indirect=True)
def test_toy_refused_after_a_publication_keeps_its_input(lake: Lake) -> None:
    lake.die("publish.rare.end")
    lake.write(max_rows=3)  # the gate is closed now, and what was published is there
    assert lake.run() == 4
    assert read_runs(lake)["status"] == "failed"
    lake.write()
    assert lake.run() == 0
    assert read_runs(lake)["status"] == "published"


@pytest.mark.parametrize("lake", ["parquet"], indirect=True)
def test_toy_failed_replaces_no_record_that_counts(lake: Lake) -> None:
    def finish_and_fail(point: str) -> None:
        if point == "publish.runs.begin" and not passed:
            passed.append(point)
            assert lake.run() == 0  # another attempt at the same run is first
            raise OSError(28, "No space left on device")

    passed: list[str] = []
    with faults.watched(finish_and_fail):
        assert lake.run() == 1
    assert read_runs(lake)["status"] == "published"
    assert main(["show", lake.prefix + "runs", "--version", "r1"]) == 0
