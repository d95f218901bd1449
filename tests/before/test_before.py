"""What version 0.1.0 (commit 43ed730) has left is read, shown, continued and completed."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.sql import SparkSession

import sparkclean
from sparkclean.commands.main import main
from sparkclean.lake import open_target
from sparkclean.learning.features import Block
from sparkclean.learning.model_files import read_manifest, read_models

HERE = Path(__file__).resolve().parent
EXPECTED: dict[str, Any] = json.loads((HERE / "expected.json").read_text())
#: Its pins and records hold absolute paths.
ROOT = Path(EXPECTED["root"])
FORMATS = ("parquet", "delta", "iceberg")
#: Formats of tests that CI makes on Parquet alone.
FEW_IN_CI = [
    pytest.param(kind, marks=[] if kind == "parquet" else [pytest.mark.full]) for kind in FORMATS
]


@dataclass
class Left:
    """What was left in one format."""

    spark: SparkSession
    kind: str

    @property
    def expected(self) -> dict[str, Any]:
        return EXPECTED["formats"][self.kind]

    def place(self, name: str) -> str:
        config = json.loads((ROOT / self.kind / "done.json").read_text())
        return config["output"][name]

    def run(self, run_id: str, *words: str) -> int:
        return main([*self.expected["commands"][run_id]["words"], *words])

    def read(self, name: str) -> list[dict[str, Any]]:
        return [r.asDict() for r in sparkclean.read(self.spark, self.place(name)).collect()]

    def counts(self, name: str) -> dict[str, int]:
        return dict(Counter(row["run_id"] for row in self.read(name)))

    def record(self, job: str, run_id: str) -> dict[str, Any]:
        target = open_target(self.place("runs"), self.kind, spark=self.spark)
        found = target.find_record(job, run_id)
        assert found is not None
        return found


@pytest.fixture(scope="module")
def one_at_a_time() -> Iterator[None]:
    # there is one such place on a machine
    with Path(f"{ROOT}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
        shutil.rmtree(ROOT, ignore_errors=True)


@pytest.fixture(params=FORMATS)
def left(request: pytest.FixtureRequest, spark: SparkSession, one_at_a_time: None) -> Left:
    shutil.rmtree(ROOT, ignore_errors=True)
    # by tar: Python rounds the times of files, which pins compare
    archive = HERE / "43ed730.tar.gz"
    subprocess.run(["tar", "-xzpf", archive, "-C", ROOT.parent], check=True)
    catalog = "spark.sql.catalog.before"
    spark.conf.set(catalog, "org.apache.iceberg.spark.SparkCatalog")
    spark.conf.set(f"{catalog}.type", "hadoop")
    spark.conf.set(f"{catalog}.warehouse", str(ROOT / "warehouse"))
    spark.conf.set(f"{catalog}.cache-enabled", "false")
    return Left(spark, request.param)


def test_before_outputs_are_read_and_shown(left: Left, capsys: pytest.CaptureFixture[str]) -> None:
    for name, counted in left.expected["counted"].items():
        assert left.counts(name) == counted
    suspects = {row["id"] for row in left.read("suspects") if row["run_id"] == "done"}
    assert sorted(suspects) == left.expected["suspected_by_done"]
    assert len(left.read("cleaned")) == left.expected["cleaned_rows"]
    versions = open_target(left.place("cleaned"), left.kind, spark=left.spark).versions()
    found = [(v.name, v.run_id, v.rows) for v in versions]
    assert found == [
        (v["name"], v["run_id"], v["rows"]) for v in left.expected["versions"]["cleaned"]
    ]
    for words in (["versions", left.place("runs")], ["show", left.place("runs")]):
        assert main(words) == 0
    assert "model" in capsys.readouterr().out
    (done,) = [row for row in left.read("runs") if row["run_id"] == "done"]
    assert done["result_hash"] == left.expected["runs"]["done"]["result_hash"]


@pytest.mark.parametrize("left", FEW_IN_CI, indirect=True)
@pytest.mark.parametrize(
    ("run_id", "job"), [("done", "audit"), ("pred", "predict"), ("model", "train")]
)
def test_before_finished_run_is_recognised(
    left: Left, capsys: pytest.CaptureFixture[str], run_id: str, job: str
) -> None:
    assert left.run(run_id) == 0
    assert f"run {run_id} has finished before; nothing was done" in capsys.readouterr().out
    assert (
        left.record(job, run_id)["config_fingerprint"]
        == (left.expected["runs"][run_id]["config_fingerprint"])
    )


def test_before_unfinished_runs_are_completed_as_they_were_begun(left: Left) -> None:
    wanted = EXPECTED["completed"][left.kind]
    for run_id, job in (("killed", "audit"), ("killed-pred", "predict")):
        assert left.run(run_id) == 0
        record = left.record(job, run_id)
        for key in ("status", "result_hash", "config_fingerprint", "rows", "audited", "rejected"):
            assert record[key] == wanted[run_id][key], (run_id, key)
    assert left.counts("suspects")["killed"] == wanted["killed"]["suspects"]
    predictions = [
        [row["id"], row["label"], row["pred_probs"], row["fold"]]
        for row in left.read("predictions")
    ]
    lines = "\n".join(sorted(map(json.dumps, predictions)))
    assert (
        hashlib.sha256(lines.encode()).hexdigest() == wanted["killed-pred"]["predictions"]["sha256"]
    )
    pins = [path for path in ROOT.rglob("_pins/*.json") if path.stem.startswith("killed")]
    assert [path for path in pins if left.kind in str(path) and path.stem != "killed-model"] == []


@pytest.mark.parametrize("left", FEW_IN_CI, indirect=True)
def test_before_unfinished_sequence_is_completed_on_its_predictions(left: Left) -> None:
    wanted = EXPECTED["completed"][left.kind]["both"]
    before = open_target(left.place("predictions"), left.kind, spark=left.spark).versions()
    assert left.run("both") == 0
    after = open_target(left.place("predictions"), left.kind, spark=left.spark).versions()
    assert len(after) == len(before)
    record = left.record("audit", "both")
    for key in ("status", "result_hash", "config_fingerprint", "rows"):
        assert record[key] == wanted[key]
    assert left.counts("suspects")["both"] == wanted["suspects"]


@pytest.mark.parametrize("left", FEW_IN_CI, indirect=True)
def test_before_run_id_of_another_job_replaces_no_record(left: Left) -> None:
    """A prediction under the run id of an audit of before; the table of runs gains columns."""
    suspects = left.counts("suspects")
    words = [*left.expected["commands"]["pred"]["words"][:-1], "done"]
    assert main(words) == 0
    records = [(row["job"], row["status"]) for row in left.read("runs") if row["run_id"] == "done"]
    assert sorted(records, key=str) == [("predict", "published"), (None, "published")]
    assert left.counts("suspects") == suspects
    assert left.record("audit", "done")["result_hash"] is not None


@pytest.mark.parametrize("left", ["parquet"], indirect=True)
def test_before_training_is_completed_and_versions_are_reverted(left: Left) -> None:
    wanted = EXPECTED["completed"][left.kind]["killed-model"]
    assert left.run("killed-model") == 0
    record = left.record("train", "killed-model")
    assert record["config_fingerprint"] == wanted["config_fingerprint"]
    assert main(["revert", left.place("cleaned"), "--to", "2"]) == 0
    assert len(left.read("cleaned")) == left.expected["runs"]["done2"]["cleaned_rows"]


@pytest.mark.parametrize("left", ["parquet"], indirect=True)
def test_before_models_are_read_and_say_the_same(left: Left) -> None:
    models, examples = ROOT / left.kind / "models", EXPECTED["examples"]
    numbers, texts = np.array(examples["x"]), examples["text"]
    for run_id, wanted in left.expected["models"].items():
        folder = models / run_id
        if "train_mode" in read_manifest(folder):
            found = sparkclean.load_model(folder).predict_proba(numbers)
            np.testing.assert_allclose(found, wanted, rtol=1e-12)
            continue
        block = Block(numbers, (texts,) if run_id == "pred-text" else ())
        for fold, model in read_models(folder).items():
            np.testing.assert_allclose(model.predict(block), wanted[str(fold)], rtol=1e-12)
