"""The suspect table by tasks that rank it themselves: what Spark would have written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from pyspark.sql.types import StructType

import sparkclean
from sparkclean.commands.main import main
from sparkclean.errors import InputError
from sparkclean.examples import suspect_table
from sparkclean.examples.suspect_writer import WriteSuspects
from sparkclean.lake import open_target
from tests.data import noisy_data

ROWS, K = 600, 3
GIVEN, PROBS = noisy_data(ROWS, K, seed=3, ties=True)
NAMES = ("cat", "dog", "eel")


def examples(ids: str, labels: str) -> dict[str, pa.Array]:
    mixed = np.random.default_rng(1).permutation(ROWS)
    columns = {"id": pa.array(mixed)}
    if ids == "texts":
        columns = {"id": pa.array([f"é{i}" if i % 2 else f"z{i}" for i in mixed])}
    if ids == "two":
        columns = {"a": pa.array((mixed % 7).astype(np.int16)), "b": pa.array(mixed.astype(str))}
    given = {
        "names": pa.array([NAMES[k] for k in GIVEN]),
        "bytes": pa.array(GIVEN.astype(np.int8)),
        "floats": pa.array(GIVEN.astype(np.float32)),
    }[labels]
    probs = pa.array(PROBS.tolist(), pa.list_(pa.float32()))
    return columns | {"label": given, "pred_probs": probs}


def audit(
    folder: Path, run_id: str, columns: dict[str, pa.Array], codes: list[int] | None = None
) -> int:
    table = folder / "in"
    if not table.exists():
        table.mkdir()
        for i in range(3):
            pq.write_table(pa.table(columns)[i * 200 : (i + 1) * 200], table / f"{i}.parquet")
    ids = [name for name in columns if name not in ("label", "pred_probs")]
    config = {
        "input": {"table": str(table)},
        "columns": {"id": ids},
        "classes": list(NAMES) if pa.types.is_string(columns["label"].type) else codes,
        "output": {name: str(folder / run_id / name) for name in ("suspects", "runs")}
        | dict.fromkeys(("cleaned", "rejected", "classes", "pairs")),
    }
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    return main(["audit", "--config", str(path), "--run-id", run_id])


def written(spark: SparkSession, place: Path) -> tuple[StructType, list[dict[str, Any]]]:
    """Schema and rows; the run's own name left out."""
    frame = sparkclean.read(spark, str(place / "suspects"))
    rows = [row.asDict() | {"run_id": ""} for row in frame.orderBy("rank").collect()]
    return frame.schema, rows


@pytest.mark.parametrize("short", [-1, 1 << 14], ids=["by tasks", "by the driver"])
@pytest.mark.parametrize(
    ("ids", "labels"), [("numbers", "names"), ("texts", "bytes"), ("two", "floats")]
)
def test_suspects_by_tasks_are_those_that_spark_writes(
    spark: SparkSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    ids: str,
    labels: str,
    short: int,
) -> None:
    columns = examples(ids, labels)
    monkeypatch.setattr("sparkclean.rows.streams.SHORT_ROWS", short)
    monkeypatch.setattr(suspect_table, "_PIECE_ROWS", 15)
    assert audit(tmp_path, "tasks", columns) == 0
    said = capsys.readouterr().out
    monkeypatch.setattr(suspect_table, "_MOST_SUSPECTS", 0)
    assert audit(tmp_path, "spark", columns) == 0
    assert capsys.readouterr().out == said.replace("/tasks/", "/spark/")  # with the top 10
    found, wanted = (written(spark, tmp_path / name) for name in ("tasks", "spark"))
    assert found == wanted
    assert [row["rank"] for row in found[1]] == list(range(1, len(found[1]) + 1))
    target = open_target(str(tmp_path / "tasks" / "suspects"))
    files = target.data_files(target.versions()[-1].name)
    ranks = [pq.read_table(file)["rank"].to_pylist() for file in files]
    assert len(ranks) > 2  # pieces, in order
    assert [rank for piece in ranks for rank in piece] == list(range(1, len(found[1]) + 1))


def test_suspects_of_float_labels_that_are_rounded_are_written(
    spark: SparkSession, tmp_path: Path
) -> None:
    codes = [20231116, 20231118, 20231121]  # the last one is no float
    columns = examples("numbers", "names")
    given = np.where(GIVEN == 2, 0, GIVEN)
    columns["label"] = pa.array(np.array(codes, np.float32)[given])
    assert audit(tmp_path, "codes", columns, codes) == 0
    _, rows = written(spark, tmp_path / "codes")
    assert {row["suggested_label"] for row in rows} == {20231116.0, 20231118.0, 20231120.0}


def test_suspect_files_folder_that_a_worker_does_not_see_is_an_error(tmp_path: Path) -> None:
    work = WriteSuspects((), (), (), pa.array([]), (), (), str(tmp_path / "elsewhere"))
    with pytest.raises(InputError, match="elsewhere is not there for a worker: choose a folder"):
        next(work([]))


def test_suspects_of_one_quality_are_left_to_spark(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = examples("numbers", "names")
    columns["pred_probs"] = pa.array([[0.0, 0.25, 0.75]] * ROWS, pa.list_(pa.float64()))
    monkeypatch.setattr(suspect_table, "_PIECE_ROWS", 15)
    assert audit(tmp_path, "alike", columns) == 0
    _, rows = written(spark, tmp_path / "alike")
    assert len(rows) > 30
    places = [(row["label_quality"], row["id"]) for row in rows]
    assert places == sorted(places)
    folder = tmp_path / "alike" / "suspects" / "data"
    assert {path.name.count("-") > 1 for path in folder.glob("*/*.parquet")} == {True}  # by Spark
