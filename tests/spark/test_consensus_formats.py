"""The job ``consensus`` on every format, killed at fault points, and completed by a repetition."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

import sparkclean
from sparkclean.commands.main import main
from tests.conftest import lake_settings
from tests.unit.crowds import make_crowd

REPOSITORY = Path(__file__).resolve().parents[2]
OUTPUTS = ("consensus", "annotators", "confusions", "agreement")
ITEMS = 60
#: Of the answer, on every machine and format.
HASH = "2f770e02621fda17aaa1359fccdc82a6b1b8023426562a0d299147ac26e148f0"
POINTS = (
    "run.pinned",
    "consensus.grouped",
    "consensus.fitted",
    "run.audited",
    "run.verified",
    *(
        f"{what}.{name}.{step}"
        for what in ("stage", "publish")
        for name in (*OUTPUTS, "runs")
        for step in ("begin", "end")
    ),
)
#: Every format dies at every point; in CI one dies between two publications.
KILLS = [
    pytest.param(
        kind,
        point,
        marks=[] if (kind, point) == ("parquet", "publish.consensus.end") else [pytest.mark.full],
    )
    for kind in ("parquet", "delta", "iceberg")
    for point in POINTS
]
FORMATS = [
    pytest.param("parquet"),
    *(pytest.param(kind, marks=pytest.mark.full) for kind in ("delta", "iceberg")),
]


class Lake:
    """A table of annotations, and the place of the outputs, in one format."""

    def __init__(self, spark: SparkSession, folder: Path, kind: str) -> None:
        self.spark, self.folder, self.kind = spark, folder, kind
        crowd = make_crowd(ITEMS, 5, 3, 3)
        files = folder / "files"
        files.mkdir()
        columns = {
            "item_id": crowd.items,
            "worker": [f"w{a}" for a in crowd.annotators],
            "label": crowd.labels,
        }
        pq.write_table(pa.table(columns), files / "part-0.parquet")
        self.table, self.prefix = str(files), f"{folder}/out/"
        frame = spark.read.parquet(self.table)
        if kind == "delta":
            self.table = f"{folder}/in"
            frame.write.format("delta").save(self.table)
        if kind == "iceberg":
            self.prefix = f"lake.c{uuid.uuid4().hex[:8]}."
            self.table = f"{self.prefix}annotations"
            spark.sql(f"CREATE NAMESPACE {self.prefix.rstrip('.')}")
            frame.writeTo(self.table).using("iceberg").create()
        self.config = folder / "consensus.json"
        output = {name: f"{self.prefix}{name}" for name in (*OUTPUTS, "runs")}
        output |= {"format": kind, "work": str(folder / "work")}
        annotations = {"table": self.table, "annotator": "worker"}
        self.config.write_text(json.dumps({"annotations": annotations, "output": output}))

    def run(self, run_id: str = "r1") -> int:
        return main(["consensus", "--config", str(self.config), "--run-id", run_id])

    def die(self, point: str) -> None:
        """Run in a process that dies by kill -9."""
        found = {key: self.spark.conf.get(key) for key in lake_settings(self.folder)}
        found |= {"spark.master": "local[1,4]", "spark.driver.memory": "1g"}
        found |= {"spark.sql.shuffle.partitions": "1", "spark.sql.session.timeZone": "UTC"}
        properties = self.folder / "spark.conf"
        properties.write_text("".join(f"{key} {value}\n" for key, value in found.items()))
        words = ["--config", str(self.config), "--run-id", "r1"]
        done = subprocess.run(
            [sys.executable, "-m", "sparkclean", "consensus", *words,
             "--properties-file", str(properties)],
            cwd=REPOSITORY, capture_output=True, text=True, check=False,
            env=os.environ | {"SPARKCLEAN_FAULT": f"{point}:kill"},
        )  # fmt: skip
        assert done.returncode == -signal.SIGKILL, done.stderr

    def rows(self, name: str) -> list[dict]:
        frame = sparkclean.read(self.spark, self.prefix + name)
        return [row.asDict(recursive=True) for row in frame.collect()]


@pytest.fixture
def lake(request: pytest.FixtureRequest, spark: SparkSession, tmp_path: Path) -> Lake:
    return Lake(spark, tmp_path, request.param)


def answer(rows: list[dict], run_id: str) -> list[str]:
    """Rows of a run without its id."""
    own = [row | {"run_id": ""} for row in rows if row["run_id"] == run_id]
    return sorted(json.dumps(row, sort_keys=True, default=str) for row in own)


@pytest.mark.parametrize("lake", FORMATS, indirect=True)
def test_consensus_on_every_format_is_the_same(lake: Lake) -> None:
    assert lake.run() == 0
    assert lake.run("r2") == 0
    for name in OUTPUTS:
        rows = lake.rows(name)
        assert answer(rows, "r1") == answer(rows, "r2") != []
    assert len(answer(lake.rows("consensus"), "r1")) == ITEMS
    hashes = {row["result_hash"] for row in lake.rows("runs")}
    assert hashes == {HASH}


@pytest.mark.parametrize(("lake", "point"), KILLS, indirect=["lake"])
def test_consensus_killed_is_completed_by_a_repetition(lake: Lake, point: str) -> None:
    lake.die(point)
    assert lake.run() == 0
    assert lake.run("undisturbed") == 0
    for name in OUTPUTS:
        rows = lake.rows(name)
        assert answer(rows, "r1") == answer(rows, "undisturbed") != []
    records = {row["run_id"]: row for row in lake.rows("runs")}
    assert {row["status"] for row in records.values()} == {"published"}
    assert len({row["result_hash"] for row in records.values()}) == 1
    assert len(lake.rows("runs")) == 2
