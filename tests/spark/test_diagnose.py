"""`sparkclean diagnose` from tables to output: counts as those of arrays, layouts, errors."""

from __future__ import annotations

import json
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
from sparkclean.jobs.diagnose.steps import hash_counts
from sparkclean.learning.hashing import hash_integers
from sparkclean.noise.diagnosis.arrays import count_arrays

ROWS, CLASSES = 3000, ("cat", "dog", "emu")
DAY = 86_400_000_000


def animals() -> dict[str, Any]:
    """Make a table whose source s2 has 30 % wrong labels, and other columns that mean nothing."""
    rng = np.random.default_rng(5)
    true = rng.integers(3, size=ROWS)
    logits = rng.standard_normal((ROWS, 3))
    logits[np.arange(ROWS), true] += 3.5
    powers = np.exp(3.5 * (logits - logits.max(axis=1, keepdims=True)))
    source, given = rng.integers(6, size=ROWS), true.copy()
    wrong = (source == 2) & (rng.random(ROWS) < 0.3)
    given[wrong] = (true[wrong] + 1) % 3
    return {
        "id": np.arange(ROWS),
        "label": [CLASSES[k] for k in given],
        "pred_probs": list(powers / powers.sum(axis=1, keepdims=True)),
        "source": [f"s{k}" for k in source],
        "person": rng.integers(4, size=ROWS),
        "at": pa.array(np.arange(ROWS) // 300 * DAY, pa.timestamp("us", "UTC")),
        "file": np.arange(ROWS) // 150,
        "place": np.arange(ROWS) % 150,
    }


COLUMNS = {
    "source": "source", "annotator": "person", "time": "at", "file": "file", "position": "place",
}  # fmt: skip


class Zoo:
    """A table and the configuration that diagnoses it."""

    def __init__(self, folder: Path, *, seed: int | None = None, **columns: Any) -> None:
        table = pa.table(animals() | columns)
        if seed is not None:
            table = table.take(np.random.default_rng(seed).permutation(len(table)))
        self.folder, files = folder, 1 if seed is None else 3
        (folder / "animals").mkdir(parents=True)
        for k in range(files):
            part = table.slice(k * len(table) // files, len(table) // files)
            pq.write_table(part, folder / "animals" / f"part-{k}.parquet")

    def config(self, **diagnose: Any) -> dict[str, Any]:
        out = {name: f"{self.folder}/out/{name}" for name in ("diagnosis", "runs")}
        return {
            "input": {"table": str(self.folder / "animals")},
            "classes": list(CLASSES),
            "diagnose": diagnose,
            "output": out,
        }

    def run(self, run_id: str = "r1", **diagnose: Any) -> Any:
        return run_job("diagnose", self.config(**diagnose), run_id=run_id)

    def rows(self, spark: SparkSession, name: str) -> list[dict[str, Any]]:
        found = sparkclean.read(spark, f"{self.folder}/out/{name}").collect()
        return [row.asDict() for row in found]


def of_arrays() -> str:
    """Hash what arrays give for the same rows."""
    columns = animals()
    given = np.array([CLASSES.index(label) for label in columns["label"]])
    days = np.arange(ROWS) // 300 * DAY
    counts = count_arrays(
        given,
        np.stack(columns["pred_probs"]),
        subjects={
            "source": np.array(columns["source"]),
            "annotator": columns["person"],
            "file": columns["file"],
            "time": days,
        },
        file=columns["file"],
        hashes=hash_integers(columns["id"], np.full(ROWS, 42)),  # Spark's own seed
    )
    return hash_counts(counts)


@pytest.fixture(scope="module")
def zoo(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    made = Zoo(tmp_path_factory.mktemp("diagnose"))
    made.run(**COLUMNS)
    return made


def test_job_counts_what_arrays_give(spark: SparkSession, zoo: Zoo) -> None:
    (record,) = zoo.rows(spark, "runs")
    metrics = json.loads(record["metrics"])
    assert record["result_hash"] == of_arrays()
    assert (metrics["dominant_kind"], metrics["rows"]) == ("source", ROWS)
    assert metrics["stability"] >= 0.8


def test_other_layout_has_the_same_hash(spark: SparkSession, tmp_path: Path) -> None:
    shuffled = Zoo(tmp_path, seed=1)
    shuffled.run(**COLUMNS)
    (record,) = shuffled.rows(spark, "runs")
    assert record["result_hash"] == of_arrays()


def test_output_names_the_source_with_examples(spark: SparkSession, zoo: Zoo) -> None:
    rows = zoo.rows(spark, "diagnosis")
    found = next(r for r in rows if r["subject"] == "s2" and r["given_label"] is None)
    assert found["dominant"]
    assert found["marked"]
    low, high = found["interval"]
    assert 1.3 < low < found["effect"] < high
    assert found["adjusted_p"] < 0.01
    columns = animals()
    best = np.stack(columns["pred_probs"]).argmax(axis=1)
    assert len(found["example_ids"]) == 5
    for text in found["example_ids"]:
        k = int(text)
        assert columns["source"][k] == "s2"
        assert columns["label"][k] != CLASSES[best[k]]
    assert found["suggested_action"].startswith("review this source")
    cells = [r for r in rows if r["subject"] == "s2" and r["given_label"] is not None]
    assert {(r["predicted_label"], r["given_label"]) for r in cells} <= {
        ("cat", "dog"), ("dog", "emu"), ("emu", "cat"),
    }  # fmt: skip
    assert {r["hypothesis"] for r in rows} >= {"none", "uniform", "class", "pairs", "boundary"}


STRUCT = [{"a": 1}] * ROWS


@pytest.mark.parametrize(
    ("columns", "diagnose", "error", "texts"),
    [
        ({}, {"source": "sourse"}, InputError, ["'sourse'", "diagnose.source"]),
        ({}, {"time": "file"}, InputError, ["diagnose.time", "'file' is bigint", "cast it"]),
        ({"source": STRUCT}, {"source": "source"}, InputError, ["struct", "column of texts"]),
        ({"place": STRUCT}, {"file": "file", "position": "place"}, InputError, ["no order of"]),
        ({}, {"source": "id"}, InputError, ["diagnose.source", "record id", "rows share"]),
        ({"source": pa.nulls(ROWS, pa.string())}, {"source": "source"}, InputError,
         ["diagnose.source", "no row has a value"]),
        ({"label": ["yak"] * 300 + ["cat"] * (ROWS - 300)}, {}, InputError,
         ["300 of 3,000 rows", "record ids 0, 1, 2, 3, 4", "max_rejected_fraction allows 1.00%"]),
        ({"id": np.arange(ROWS) // 2}, {}, InputError, ["1,500 record ids", "make them unique"]),
    ],
)  # fmt: skip
def test_bad_tables_are_refused(
    spark: SparkSession,
    tmp_path: Path,
    columns: dict[str, Any],
    diagnose: dict[str, Any],
    error: type[Exception],
    texts: list[str],
) -> None:
    bad = Zoo(tmp_path, **columns)
    with pytest.raises(error) as caught:
        bad.run(**diagnose)
    for text in texts:
        assert text in str(caught.value)
    assert not (tmp_path / "out" / "diagnosis").exists()


def test_no_columns_at_all_are_needed(spark: SparkSession, tmp_path: Path) -> None:
    plain = Zoo(tmp_path)
    plain.run()
    (record,) = plain.rows(spark, "runs")
    assert json.loads(record["metrics"])["dominant_kind"] in ("undetermined", "uniform", "pairs")
    assert all(row["subject"] is None for row in plain.rows(spark, "diagnosis"))


@pytest.mark.full
@pytest.mark.parametrize("values", [["source"], ["source", "place"]])
def test_shared_values_are_subjects(spark: SparkSession, tmp_path: Path, values: list[str]) -> None:
    table = Zoo(tmp_path)
    table.run(values=values)
    rows = table.rows(spark, "diagnosis")
    assert any(r["subject_kind"] == "value of source" and r["subject"] == "s2" for r in rows)


@pytest.mark.parametrize(
    ("diagnose", "text"),
    [
        ({"position": "place"}, "orders the rows of a file or source, but none is named"),
        ({"window_hours": 0}, "no length of a window"),
        ({"source": "file", "file": "file"}, "column 'file' is named 2 times"),
        ({"annotator": "label"}, "is the column of labels"),
        ({"values": ["pred_probs"]}, "is the column of probabilities"),
        ({"sources": "source"}, "diagnose.sources"),
        ({"max_rejected_fraction": 2}, "diagnose.max_rejected_fraction"),
    ],
)
def test_bad_settings_are_refused(tmp_path: Path, diagnose: dict[str, Any], text: str) -> None:
    config = {
        "input": {"table": str(tmp_path)},
        "diagnose": diagnose,
        "output": {"diagnosis": f"{tmp_path}/d", "runs": f"{tmp_path}/r"},
    }
    with pytest.raises(ConfigError, match="diagnose") as caught:
        run_job("diagnose", config, run_id="r")
    assert text in str(caught.value)
