"""Make what the code of commit 43ed730 has left behind, for tests of the code that came after it.

Run with the code of 43ed730 on PYTHONPATH, and with Java, Delta Lake and Apache Iceberg at hand::

    PYTHONPATH=<checkout of 43ed730> .venv/bin/python tests/before/make.py

It makes /tmp/sparkclean-43ed730 anew and writes ``43ed730.tar.gz`` and ``expected.json`` beside
itself. In each format there are finished runs and, by ``SPARKCLEAN_FAULT``, killed ones; the
archive is taken with these unfinished. Then it is unpacked, and the old code completes them, so
that ``expected.json`` can tell what a repetition must come to; ``--complete`` does this part alone.

The configuration of run ``x`` is ``<format>/x.json``; the words of its command stand in
``expected.json`` under ``commands``. Predictions are hashed as SHA-256 over the sorted lines
``json.dumps([id, label, pred_probs, fold])``, joined by line feeds.
"""

# ruff: noqa: I001 (some of these modules are not in this checkout, and look foreign)

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

if importlib.util.find_spec("sparkclean.cli") is None:
    sys.exit("this is not the code of 43ed730; put a checkout of that commit on PYTHONPATH")

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession

import sparkclean
from sparkclean.lake import open_target
from sparkclean.predict.features import Block
from sparkclean.predict.final_model import load_model
from sparkclean.predict.models import MANIFEST, read_models
from sparkclean.session import read_properties

_log = logging.getLogger("make")

HERE = Path(__file__).resolve().parent
ARCHIVE = HERE / "43ed730.tar.gz"
ROOT = Path("/tmp/sparkclean-43ed730")
PROPERTIES = ROOT / "spark.conf"
#: Of all input files: whole seconds, which every archiver keeps.
MODIFIED = 1_764_500_000

FORMATS = ("parquet", "delta", "iceberg")
OUTPUTS = ("suspects", "classes", "pairs", "rejected", "cleaned", "runs", "predictions")
#: Outputs that hold the rows of all runs.
OF_ALL_RUNS = ("suspects", "classes", "pairs", "rejected")

ROWS, CLASSES, FEATURES = 240, 3, 4
#: Rows with a label that is none of the classes.
REJECTED = (7, 170)
#: Rows that the models predict here.
SHOWN = 5
WORDS = (("red", "apple", "sweet"), ("green", "leaf", "bitter"), ("blue", "sea", "salt"))

SETTINGS = {
    "spark.master": "local[1,4]",
    "spark.driver.memory": "1g",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.catalog.before": "org.apache.iceberg.spark.SparkCatalog",
    "spark.sql.catalog.before.type": "hadoop",
    "spark.sql.catalog.before.warehouse": str(ROOT / "warehouse"),
}

PREDICT = {"features": ["x"], "n_folds": 3}
OF_CLASSES = {"classes": list(range(CLASSES)), "predict": PREDICT}
#: Finished runs: run id, command, sections of the configuration.
FINISHED: list[tuple[str, str, dict[str, Any]]] = [
    ("done", "audit", {}),
    ("gated", "audit", {"gate": {"max_suspects": 0}}),
    ("pred", "predict", OF_CLASSES),
    ("model", "train", OF_CLASSES | {"train": {"audit": "done"}}),
]
#: Killed runs: the fault point, too.
KILLED: list[tuple[str, str, dict[str, Any], str]] = [
    ("killed", "audit", {"method": {"filter_by": "both"}}, "publish.suspects.end"),
    (
        "killed-pred",
        "predict",
        OF_CLASSES | {"predict": PREDICT | {"seed": 7}},
        "predict.trained",
    ),
    ("both", "run", OF_CLASSES, "publish.suspects.end"),
]
#: On Parquet alone: the other classes of our pickles, a version that was reverted to, and a state
#: that names an audit and a test table.
MORE_FINISHED: list[tuple[str, str, dict[str, Any]]] = [
    ("done2", "audit", {"method": {"filter_by": "confident_learning"}}),
    ("pred-isotonic", "predict", OF_CLASSES | {"predict": PREDICT | {"calibrate": "isotonic"}}),
    (
        "pred-text",
        "predict",
        OF_CLASSES | {"predict": PREDICT | {"features": ["x", "text"], "calibrate": "temperature"}},
    ),
    ("robust", "train", OF_CLASSES | {"train": {"audit": "done", "mode": "robust"}}),
]
MORE_KILLED: list[tuple[str, str, dict[str, Any], str]] = [
    (
        "killed-model",
        "train",
        OF_CLASSES | {"train": {"audit": "done", "test": str(ROOT / "parquet" / "trusted")}},
        "predict.trained",
    ),
]
#: Runs with a place of their own for predictions.
ELSEWHERE = ("pred-isotonic", "pred-text")


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    if sys.argv[1:] != ["--complete"]:
        make()
    complete()


def make() -> None:
    """Write the archive."""
    shutil.rmtree(ROOT, ignore_errors=True)
    ROOT.mkdir()
    PROPERTIES.write_text("".join(f"{key} {value}\n" for key, value in _settings().items()))
    with session() as spark:
        make_inputs(spark)
    commands = {kind: make_runs(kind) for kind in FORMATS}
    with session() as spark:
        found = {kind: {"commands": commands[kind]} | look(spark, kind) for kind in FORMATS}
    first = examples()[1].slice(0, SHOWN)
    content = {
        "root": str(ROOT),
        "examples": {name: first.column(name).to_pylist() for name in ("id", "x", "text")},
        "formats": found,
    }
    write_json(ROOT / "expected.json", content)
    tar = ["tar", "--format=posix", "--pax-option=delete=atime,delete=ctime", "--sort=name"]
    tar += ["--numeric-owner", "--owner=0", "--group=0", "-C", str(ROOT.parent), "-cf", "-"]
    made = subprocess.run([*tar, ROOT.name], check=True, stdout=subprocess.PIPE)
    with ARCHIVE.open("wb") as file:
        subprocess.run(["gzip", "-n", "-9"], check=True, input=made.stdout, stdout=file)


def complete() -> None:
    """Unpack the archive and complete what was killed; write what is expected of others."""
    shutil.rmtree(ROOT, ignore_errors=True)
    subprocess.run(["tar", "-xzpf", str(ARCHIVE), "-C", str(ROOT.parent)], check=True)
    content = json.loads((ROOT / "expected.json").read_text())
    for kind, found in content["formats"].items():
        for run_id, entry in found["commands"].items():
            if entry["fault"] is not None:
                run(kind, run_id, entry["words"], 0)
    with session() as spark:
        content["completed"] = {kind: look_at_completed(spark, kind) for kind in FORMATS}
    write_json(HERE / "expected.json", content)
    shutil.rmtree(ROOT)


# -- where things are --------------------------------------------------------------------------


def place(kind: str, name: str) -> str:
    """Name a table."""
    if kind == "iceberg":
        return f"before.{'data' if name == 'examples' else 'out'}.{name}"
    return str(ROOT / kind / (name if name in ("examples", "trusted") else f"out/{name}"))


def _settings() -> dict[str, str]:
    """Settings of the formats as the old code ships them, and those of this place."""
    conf = Path(sparkclean.__file__).parents[1] / "conf" / "spark-defaults-both.conf"
    shipped = read_properties(str(conf))
    return {k: v for k, v in shipped.items() if "catalog.lake" not in k} | SETTINGS


@contextmanager
def session() -> Iterator[SparkSession]:
    builder = SparkSession.builder
    for key, value in read_properties(str(PROPERTIES)).items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    try:
        yield spark
    finally:
        spark.stop()


def write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


# -- the inputs --------------------------------------------------------------------------------


def examples(rows: int = ROWS, *, seed: int = 43, start: int = 0) -> tuple[np.ndarray, pa.Table]:
    """Give right labels, and a table with some wrong ones and what a fair model says of them."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, CLASSES, rows)
    x = rng.standard_normal((rows, FEATURES))
    x[np.arange(rows), true] += 2.0
    logits = rng.standard_normal((rows, CLASSES))
    logits[np.arange(rows), true] += 2.5
    pred_probs = np.exp(logits)
    pred_probs /= pred_probs.sum(axis=1, keepdims=True)
    given = np.where(rng.random(rows) < 0.12, rng.integers(0, CLASSES, rows), true)
    picked = rng.integers(0, len(WORDS[0]), (rows, 3))
    texts = [" ".join(WORDS[k][i] for i in row) for k, row in zip(true, picked, strict=True)]
    table = pa.table(
        {
            "id": pa.array(np.arange(start, start + rows)),
            "label": pa.array(given),
            "pred_probs": pa.array(list(pred_probs)),
            "x": pa.array(list(x)),
            "text": pa.array(texts),
        }
    )
    return true, table


def make_inputs(spark: SparkSession) -> None:
    table = examples()[1]
    given = table.column("label").to_numpy().copy()
    given[list(REJECTED)] = 9
    table = table.set_column(1, "label", pa.array(given))
    folder = Path(place("parquet", "examples"))
    folder.mkdir(parents=True)
    half = ROWS // 2
    for i in range(2):
        pq.write_table(table.slice(i * half, half), folder / f"part-{i:05}.parquet")
    true, trusted = examples(40, seed=44, start=1000)
    trusted = trusted.set_column(1, "label", pa.array(true))
    Path(place("parquet", "trusted")).mkdir()
    pq.write_table(trusted, Path(place("parquet", "trusted")) / "part-00000.parquet")
    frame = spark.read.parquet(str(folder)).coalesce(1)
    frame.write.format("delta").save(place("delta", "examples"))
    spark.sql("CREATE NAMESPACE before.data")
    frame.writeTo(place("iceberg", "examples")).using("iceberg").create()
    for path in ROOT.rglob("*"):
        os.utime(path, (MODIFIED, MODIFIED))


# -- the runs ----------------------------------------------------------------------------------


def make_runs(kind: str) -> dict[str, Any]:
    """Make all runs of a format; give the words of their commands, as a test may repeat them."""
    more = kind == "parquet"
    finished, killed = [*FINISHED], [*KILLED]
    if more:
        finished += MORE_FINISHED
        killed += MORE_KILLED
    commands: dict[str, Any] = {}
    for run_id, verb, sections in finished:
        code = 4 if run_id == "gated" else 0
        words = configure(kind, run_id, verb, sections)
        run(kind, run_id, words, code)
        commands[run_id] = {"words": words, "exit_code": code, "fault": None}
        if run_id == "done2":
            run(kind, "revert", ["revert", place(kind, "cleaned"), "--to", "1"], 0)
    for run_id, verb, sections, point in killed:
        words = configure(kind, run_id, verb, sections)
        run(kind, run_id, words, -signal.SIGKILL, fault=f"{point}:kill")
        commands[run_id] = {"words": words, "exit_code": None, "fault": f"{point}:kill"}
    return commands


def configure(kind: str, run_id: str, verb: str, sections: dict[str, Any]) -> list[str]:
    """Write the configuration of a run; give the words of its command."""
    output = {name: place(kind, name) for name in OUTPUTS}
    output |= {"models": str(ROOT / kind / "models"), "format": kind}
    if run_id in ELSEWHERE:
        output["predictions"] = place(kind, "more-predictions")
    if kind != "parquet":  # where states and staged rows lie beside the outputs
        output["work"] = str(ROOT / kind / "work")
    config = {
        "input": {"table": place(kind, "examples")},
        "admission": {"max_rejected_fraction": 0.05},
        "clean": {"mode": "drop"},
        "output": output,
    }
    path = ROOT / kind / f"{run_id}.json"
    path.parent.mkdir(exist_ok=True)
    write_json(path, config | sections)
    return [verb, "--config", str(path), "--run-id", run_id]


def run(kind: str, run_id: str, words: list[str], code: int, *, fault: str | None = None) -> None:
    """Run a command in a process of its own, which may die."""
    _log.info("%s: %s", kind, " ".join(words))
    settings = [] if words[0] == "revert" else ["--properties-file", str(PROPERTIES)]
    environment = {k: v for k, v in os.environ.items() if k != "SPARKCLEAN_FAULT"}
    if fault is not None:
        environment["SPARKCLEAN_FAULT"] = fault
    with tempfile.TemporaryDirectory() as elsewhere:  # the code comes from PYTHONPATH alone
        done = subprocess.run(
            [sys.executable, "-m", "sparkclean", *words, *settings],
            env=environment,
            cwd=elsewhere,
            check=False,
            capture_output=True,  # to the end of Java, which outlives a killed driver by a little
            text=True,
        )
    if done.returncode != code:
        sys.exit(f"{run_id} on {kind} ended with {done.returncode}, not {code}\n{done.stderr}")


# -- what is there -----------------------------------------------------------------------------


def look(spark: SparkSession, kind: str) -> dict[str, Any]:
    """Gather what the old code reads, while killed runs are unfinished."""
    records = sparkclean.read(spark, place(kind, "runs")).orderBy("run_id").collect()
    suspects = sparkclean.read(spark, place(kind, "suspects"))
    facts: dict[str, Any] = {
        "runs": {row["run_id"]: run_facts(spark, kind, row["run_id"]) for row in records},
        "records": [without_clock(row.asDict()) for row in records],
        "counted": {
            name: count_runs(sparkclean.read(spark, place(kind, name))) for name in OF_ALL_RUNS
        },
        "suspected_by_done": sorted(
            row["id"] for row in suspects.where("run_id = 'done'").select("id").collect()
        ),
        "versions": {
            name: versions(spark, kind, name)
            for name in (*OUTPUTS, *(["more-predictions"] if kind == "parquet" else []))
        },
        "cleaned_rows": sparkclean.read(spark, place(kind, "cleaned")).count(),
        "unfinished": unfinished(kind),
        "models": models(kind),
    }
    return facts


def look_at_completed(spark: SparkSession, kind: str) -> dict[str, Any]:
    """Gather what killed runs have come to: nothing that depends on what was completed first."""
    runs = [entry[0] for entry in (*KILLED, *(MORE_KILLED if kind == "parquet" else []))]
    found = {name: run_facts(spark, kind, name) for name in (*runs, "both-predict")}
    if "killed-model" in found:
        found["killed-model"]["probabilities"] = models(kind)["killed-model"]
    left = unfinished(kind)
    if left:
        sys.exit(f"{left} on {kind} are still unfinished")
    return found


def run_facts(spark: SparkSession, kind: str, run_id: str) -> dict[str, Any]:
    """Gather what tells whether a run has come to the same."""
    frame = sparkclean.read(spark, place(kind, "runs"))
    (record,) = frame.where(frame["run_id"] == run_id).collect()
    names = ("status", "result_hash", "config_fingerprint", "rows", "audited", "rejected")
    facts: dict[str, Any] = {name: record[name] for name in names}
    if record["result_hash"] is not None:
        counts = count_runs(sparkclean.read(spark, place(kind, "suspects")))
        facts["suspects"] = counts.get(run_id, 0)
    outputs = json.loads(record["outputs"])
    if "cleaned" in outputs:
        facts["cleaned_rows"] = rows_of(spark, outputs["cleaned"]).count()
    if "predictions" in outputs:
        facts["predictions"] = hash_predictions(rows_of(spark, outputs["predictions"]))
    return facts


def rows_of(spark: SparkSession, output: dict[str, str]) -> DataFrame:
    return sparkclean.read(spark, output["location"], output["version"])


def hash_predictions(frame: DataFrame) -> dict[str, Any]:
    rows = frame.select("id", "label", "pred_probs", "fold").collect()
    lines = sorted(json.dumps(list(row)) for row in rows)
    return {"rows": len(lines), "sha256": hashlib.sha256("\n".join(lines).encode()).hexdigest()}


def count_runs(frame: DataFrame) -> dict[str, int]:
    return {row["run_id"]: row["count"] for row in frame.groupBy("run_id").count().collect()}


def versions(spark: SparkSession, kind: str, name: str) -> list[dict[str, Any]]:
    """List all versions of an output, with what does not depend on the clock."""
    target = open_target(place(kind, name), spark=spark)
    names = ("number", "name", "run_id", "rows", "operation")
    return [{key: getattr(version, key) for key in names} for version in target.versions()]


def unfinished(kind: str) -> list[str]:
    """Name the runs whose state is kept."""
    home = ROOT / kind / ("out/runs" if kind == "parquet" else "work")
    return sorted(path.stem for path in (home / "_pins").glob("*.json"))


def models(kind: str) -> dict[str, Any]:
    """Predict the first rows by all models, those of folds by each fold."""
    table = examples()[1].slice(0, SHOWN)
    numbers = np.array(table.column("x").to_pylist())
    found: dict[str, Any] = {}
    for folder in sorted((ROOT / kind / "models").iterdir()):
        if "features" in json.loads((folder / MANIFEST).read_text()):
            found[folder.name] = load_model(folder).predict_proba(table).tolist()
            continue
        found[folder.name] = {}
        for fold, model in sorted(read_models(folder).items()):
            texts = (table.column("text").to_pylist(),) if model.matrix.weights else ()
            block = Block(numbers, texts)
            found[folder.name][str(fold)] = np.asarray(model.predict(block), np.float64).tolist()
    return found


def without_clock(value: Any) -> Any:
    """Read the JSON in a run record, and leave out when it was and how long it took."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        value = json.loads(value)
    if isinstance(value, dict):
        return {k: without_clock(v) for k, v in value.items() if not _is_clock(k, v)}
    return [without_clock(item) for item in value] if isinstance(value, list) else value


def _is_clock(key: str, value: Any) -> bool:
    return key == "seconds" or isinstance(value, datetime)


if __name__ == "__main__":
    main()
