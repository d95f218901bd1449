"""`sparkclean simulate` from tables to outputs: what arrays give, rates, layouts, errors."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

import sparkclean
from sparkclean import run_job
from sparkclean.errors import ConfigError, InputError
from sparkclean.learning.hashing import hash_integers
from sparkclean.noise.matrices import trace_matrix, uniform_matrix
from sparkclean.noise.simulate import Given, Noise, noise_seed, plant

REPOSITORY = Path(__file__).resolve().parents[2]
CLASSES = ("cat", "dog", "emu")
ROWS = 600

NOISE: list[dict[str, Any]] = [
    {"kind": "shift", "by": "file", "order": "place", "rate": 0.3, "lag": 2},
    {"kind": "adversarial", "rate": 0.5, "pairs": [["cat", "dog"]], "by": "source",
     "values": ["b"], "where": "id < 300", "trigger": {"text": "zzz"}},
    {"kind": "exchange", "rate": 0.05},
    {"kind": "boundary", "rate": 0.05, "order": "score", "runner_up": "second"},
    {"kind": "annotator", "by": "source", "rates": {"c": 0.2}},
    {"kind": "uniform", "rate": 0.05},
    {"kind": "class", "trace": 2.7},
]  # fmt: skip


def animals() -> dict[str, Any]:
    rng = np.random.default_rng(1)
    label = rng.choice(3, ROWS, p=[0.5, 0.3, 0.2])
    return {
        "id": np.arange(ROWS),
        "label": [CLASSES[k] for k in label],
        "source": rng.choice(["a", "b", "c"], ROWS),
        "file": np.arange(ROWS) // 60,
        "place": rng.permutation(ROWS),
        "score": rng.random(ROWS).round(2),  # with ties
        "second": [CLASSES[(k + 1) % 3] for k in label],
        "text": ["hello"] * ROWS,
    }


class Zoo:
    """A table and the configuration that plants noise in it."""

    def __init__(self, folder: Path, *, seed: int | None = None, **columns: Any) -> None:
        self.folder, self.prefix = folder, f"{folder}/out/"
        table = pa.table(animals() | columns)
        if seed is not None:
            table = table.take(np.random.default_rng(seed).permutation(len(table)))
        (folder / "animals").mkdir(parents=True)
        files = 1 if seed is None else 4
        for k in range(files):
            part = table.slice(k * len(table) // files, len(table) // files)
            pq.write_table(part, folder / "animals" / f"part-{k}.parquet")
        self.table = str(folder / "animals")

    def config(self, *noise: dict[str, Any]) -> dict[str, Any]:
        output = {name: self.prefix + name for name in ("noisy", "truth", "runs")}
        simulate = {"noise": list(noise) or NOISE}
        return {"input": {"table": self.table}, "simulate": simulate, "output": output}

    def run(self, run_id: str = "r1", *noise: dict[str, Any], overrides: tuple = ()) -> Any:
        config = self.config(*noise)
        return run_job("simulate", config, run_id=run_id, overrides=list(overrides))

    def rows(self, spark: SparkSession, name: str) -> list[dict[str, Any]]:
        found = [row.asDict() for row in sparkclean.read(spark, self.prefix + name).collect()]
        return sorted(found, key=lambda row: row.get("id", 0))

    def result_hash(self, spark: SparkSession, run_id: str) -> str:
        rows = self.rows(spark, "runs")
        (found,) = [row["result_hash"] for row in rows if row["run_id"] == run_id]
        return str(found)


def planted_on_arrays() -> tuple[list[str], list[str | None]]:
    """The same noise by arrays, ordered by the hashes that Spark makes of seed and id."""
    table = animals()
    true = np.array([CLASSES.index(x) for x in table["label"]])
    ids = np.asarray(table["id"], np.int64)
    noises = [
        Noise("shift", 0.3, lag=2), Noise("adversarial", 0.5, pairs=((0, 1),)),
        Noise("exchange", 0.05), Noise("boundary", 0.05),
        Noise("annotator", matrices={"c": uniform_matrix(3, 0.2)}), Noise("uniform", 0.05),
        Noise("class", matrix=trace_matrix(3, 2.7, 0.0, noise_seed(0, 6))),
    ]  # fmt: skip
    of_b = (table["source"] == "b") & (ids < 300)
    second = np.array([CLASSES.index(x) for x in table["second"]])
    given = [
        Given(group=table["file"], order=table["place"]),
        Given(group=table["source"], may_change=of_b),
        Given(), Given(order=table["score"], runner_up=second),
        Given(group=table["source"]), Given(), Given(),
    ]  # fmt: skip
    hashes = []
    for number in range(len(noises)):
        seed = np.full(ROWS, noise_seed(0, number), np.int64)
        first = hash_integers(seed, np.full(ROWS, 42, np.int64))
        hashes.append(hash_integers(ids, first))
    found = plant(true, noises, num_classes=3, given=given, hashes=hashes)
    kinds = [noise.kind for noise in noises]
    return (
        [CLASSES[k] for k in found.noisy],
        [None if k < 0 else kinds[k] for k in found.noise],
    )


def test_spark_plants_what_arrays_plant_in_any_order_and_partitioning(
    spark: SparkSession, tmp_path: Path
) -> None:
    zoo = Zoo(tmp_path / "one")
    result = zoo.run()
    truth, noisy = zoo.rows(spark, "truth"), zoo.rows(spark, "noisy")
    labels, kinds = planted_on_arrays()
    assert [row["kind"] for row in truth] == kinds
    assert [row["noisy_label"] for row in truth] == labels
    table = animals()
    assert [row["true_label"] for row in truth] == table["label"]
    assert [row["label"] for row in noisy] == labels
    assert list(noisy[0]) == list(table)
    assert [row["score"] for row in noisy] == list(table["score"])
    for row, with_noise in zip(truth, noisy, strict=True):
        of_group = row["kind"] in ("shift", "adversarial", "annotator")
        assert (row["source"] is not None) == of_group
        assert (with_noise["text"] == "zzz") == (row["kind"] == "adversarial")
    changed = sum(kind is not None for kind in kinds)
    assert result.metrics["changed"] == changed
    assert result.metrics["changed_uniform"] == kinds.count("uniform")
    assert all(kinds.count(noise["kind"]) for noise in NOISE)

    other = Zoo(tmp_path / "other", seed=3)
    before = spark.conf.get("spark.sql.shuffle.partitions")
    spark.conf.set("spark.sql.shuffle.partitions", "5")
    try:
        other.run("r2")
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", before)
    assert zoo.result_hash(spark, "r1") == other.result_hash(spark, "r2")
    assert [row["label"] for row in other.rows(spark, "noisy")] == labels


@pytest.mark.full
def test_rows_outside_of_where_stay_and_numbered_rows_do(
    spark: SparkSession, tmp_path: Path
) -> None:
    zoo = Zoo(tmp_path)
    uniform = {"kind": "uniform", "rate": 0.5}
    zoo.run("r1", uniform, overrides=("input.where=id < 100", "columns.id=null"))
    truth = zoo.rows(spark, "truth")
    assert sorted(row["row_number"] for row in truth) == list(range(100))
    noisy = zoo.rows(spark, "noisy")
    assert list(noisy[0]) == list(animals())
    same = [a["label"] == b for a, b in zip(noisy, animals()["label"], strict=True)]
    assert all(same[100:])
    assert 45 <= same[:100].count(False) <= 55


@pytest.mark.parametrize(
    ("columns", "noise", "words"),
    [
        ({"id": [0, 0, *range(2, ROWS)]}, {}, "1 record ids in 'id' stand in 2 rows: 0"),
        (
            {"label": [None, *animals()["label"][1:]]},
            {},
            "1 rows have in column 'label' null, or a label that is not among the classes",
        ),
        ({"label": ["cat"] * ROWS}, {}, "column 'label' holds 1 labels ('cat'); noise needs at"),
        ({"label": [0.5] * ROWS}, {}, "column 'label' is double"),
        ({}, {"where": "id < 0"}, "simulate.noise.0: no row may change; check where"),
        ({}, {"by": "sauce", "values": ["a"]}, "did you mean 'source'?"),
        (
            {},
            {"kind": "boundary", "order": "score", "runner_up": "file"},
            "simulate.noise.0.runner_up: column 'file' is bigint, and the label is string",
        ),
    ],
)
@pytest.mark.usefixtures("spark")
def test_bad_table_is_refused(
    tmp_path: Path, columns: dict[str, Any], noise: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError) as raised:
        Zoo(tmp_path, **columns).run("r1", {"kind": "uniform", "rate": 0.1} | noise)
    assert words in str(raised.value)
    assert not (tmp_path / "out" / "noisy").exists()


@pytest.mark.parametrize(
    ("noise", "words"),
    [
        ({"where": "nope > 1"}, "simulate.noise.0.where: 'nope > 1' is not a predicate"),
        ({"where": "rand() > 0.5"}, "simulate.noise.0.where: 'rand() > 0.5' depends on what Spark"),
        ({"trigger": {"label": "cat"}}, "simulate.noise.0.trigger: 'label' is the label"),
        (
            {"kind": "pairs", "pairs": [["cat", "cow"]]},
            "simulate.noise.0.pairs: 'cow' is not among the 3 classes",
        ),
    ],
)
@pytest.mark.usefixtures("spark")
def test_bad_noise_is_refused(tmp_path: Path, noise: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Zoo(tmp_path).run("r1", {"kind": "uniform", "rate": 0.1} | noise)
    assert words in str(raised.value)


@pytest.mark.full
@pytest.mark.parametrize("kind", ["delta", "iceberg"])
def test_tables_of_other_formats(spark: SparkSession, tmp_path: Path, kind: str) -> None:
    zoo, noise = Zoo(tmp_path), NOISE[4:6]
    zoo.run("r1", *noise)
    expected = zoo.result_hash(spark, "r1")
    labels = [row["label"] for row in zoo.rows(spark, "noisy")]
    frame = spark.read.parquet(zoo.table)
    if kind == "iceberg":
        zoo.prefix = f"lake.s{uuid.uuid4().hex[:8]}."
        spark.sql(f"CREATE NAMESPACE {zoo.prefix.rstrip('.')}")
        zoo.table = zoo.prefix + "animals"
        frame.writeTo(zoo.table).using("iceberg").create()
    else:
        zoo.prefix, zoo.table = f"{tmp_path}/delta/", f"{tmp_path}/delta/animals"
        frame.write.format("delta").save(zoo.table)
    zoo.run("r2", *noise, overrides=(f"output.format={kind}", f"output.work={tmp_path}/work"))
    assert zoo.result_hash(spark, "r2") == expected
    assert [row["label"] for row in zoo.rows(spark, "noisy")] == labels
    assert len(zoo.rows(spark, "truth")) == ROWS


@pytest.mark.parametrize(
    "point",
    [
        "publish.truth.end",
        *(pytest.param(p, marks=pytest.mark.full) for p in ("run.pinned", "stage.noisy.end")),
    ],
)
def test_killed_run_is_completed_by_a_repetition(
    spark: SparkSession, tmp_path: Path, point: str
) -> None:
    zoo, noise = Zoo(tmp_path), {"kind": "uniform", "rate": 0.1}
    config = tmp_path / "simulate.json"
    config.write_text(json.dumps(zoo.config(noise)))
    done = subprocess.run(
        [sys.executable, "-m", "sparkclean", "simulate", "--config", str(config),
         "--run-id", "r1"],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
        env=os.environ | {"SPARKCLEAN_FAULT": f"{point}:kill"},
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert zoo.run("r1", noise).status == "published"
    truth = zoo.rows(spark, "truth")
    assert sum(row["kind"] == "uniform" for row in truth) == ROWS // 10
    assert "has finished before" in zoo.run("r1", noise).summary


@pytest.mark.usefixtures("spark")
def test_dry_run_writes_nothing(tmp_path: Path) -> None:
    result = run_job("simulate", Zoo(tmp_path).config(), dry_run=True)
    assert "noise     uniform, rate 0.05" in result.summary
    assert not (tmp_path / "out").exists()
