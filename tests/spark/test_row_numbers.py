"""Tables without a record id: rows are numbered, alike in both scans, for one version alone."""

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
from sparkclean.errors import InputError
from sparkclean.examples.file_scan import find_groups
from sparkclean.lake import ParquetSource
from sparkclean.rows.row_groups import balanced, joined, read_row_groups
from sparkclean.schema import ROW_NUMBER
from tests.data import noisy_data

ROWS, K = 300, 3
GIVEN, PROBS = noisy_data(ROWS, K)
#: Names that a URI quotes, and names that look quoted.
FILES = ("a b/x+1 é%41.parquet", "a b/x,2.parquet", "c%20+ü/p.parquet", "d/q.parquet")
CUTS = (0, 90, 90, 200, ROWS)


def examples(**more: Any) -> pa.Table:
    columns = {"label": GIVEN, "pred_probs": list(PROBS), "place": np.arange(ROWS)}
    return pa.table(columns | more)


def write(folder: Path, table: pa.Table) -> Path:
    """Write a table as four files in the order of their names, one of them without rows."""
    for name, start, end in zip(FILES, CUTS, CUTS[1:], strict=False):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        part = table.slice(start, end - start)
        if name.startswith("d"):  # another type: another group of files
            part = part.set_column(0, "label", part["label"].cast(pa.int32()))
        pq.write_table(part, folder / name, row_group_size=37)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "in", examples())


def run(job: str, table: Path, out: Path, run_id: str = "r1", **sections: Any) -> Any:
    places = (
        "suspects",
        "classes",
        "pairs",
        "rejected",
        "cleaned",
        "predictions",
        "models",
        "runs",
    )
    config = {
        "input": {"table": str(table)} | sections.pop("input", {}),
        "columns": {"id": None} | sections.pop("columns", {}),
        "output": {name: str(out / name) for name in places},
        **sections,
    }
    return sparkclean.run_job(job, config, run_id=run_id)


def rows_of(spark: SparkSession, place: Path) -> list[dict[str, Any]]:
    own = ("run_id", "config_fingerprint")
    rows = [row.asDict() for row in sparkclean.read(spark, str(place)).collect()]
    kept = [{k: v for k, v in row.items() if k not in own} for row in rows]
    return sorted(kept, key=lambda row: json.dumps(row, default=str, sort_keys=True))


def test_rows_are_numbered_in_the_order_of_the_pin(spark: SparkSession, folder: Path) -> None:
    source = ParquetSource(str(folder))
    frame = source.read_numbered(spark, source.pin(), ROW_NUMBER)
    assert frame.columns == ["label", "pred_probs", "place", ROW_NUMBER]
    assert frame.schema[ROW_NUMBER].dataType.simpleString() == "bigint"
    rows = frame.where("place % 7 > 0").select("place", ROW_NUMBER).collect()
    assert len(rows) == sum(i % 7 > 0 for i in range(ROWS))
    assert all(place == number for place, number in rows)


def test_files_of_one_schema_and_a_single_file_are_numbered(
    spark: SparkSession, tmp_path: Path
) -> None:
    for i in range(3):
        (tmp_path / "in").mkdir(exist_ok=True)
        pq.write_table(examples().slice(i * 100, 100), tmp_path / "in" / f"{i}.parquet")
    for table in (tmp_path / "in", tmp_path / "in" / "1.parquet"):
        source = ParquetSource(str(table))
        frame = source.read_numbered(spark, source.pin(), ROW_NUMBER)
        first = 100 if table.is_file() else 0
        assert all(row.place == row[ROW_NUMBER] + first for row in frame.collect())


def test_partition_folders_are_numbered(spark: SparkSession, tmp_path: Path) -> None:
    for day in ("01", "02"):
        part = tmp_path / "in" / f"day={day}"
        part.mkdir(parents=True)
        pq.write_table(
            pa.table({"place": [int(day) * 2 - 2, int(day) * 2 - 1]}), part / "p.parquet"
        )
    source = ParquetSource(str(tmp_path / "in"))
    frame = source.read_numbered(spark, source.pin(), ROW_NUMBER)
    assert sorted(map(tuple, frame.select("place", "day", ROW_NUMBER).collect())) == [
        (0, "01", 0),
        (1, "01", 1),
        (2, "02", 2),
        (3, "02", 3),
    ]


def test_row_groups_are_numbered_as_the_frame(spark: SparkSession, tmp_path: Path) -> None:
    table = tmp_path / "in"
    table.mkdir()
    for i in range(3):
        pq.write_table(examples().slice(i * 100, 100), table / f"{i}.parquet", row_group_size=37)
    source = ParquetSource(str(table))
    pin = source.pin()
    frame = source.read_numbered(spark, pin, ROW_NUMBER)
    columns = [("n", ROW_NUMBER), ("p", "place")]
    groups = find_groups(frame, [ROW_NUMBER, "place"], source.plain_files(pin), pin.first_rows())
    assert not isinstance(groups, str)
    for task in (*balanced(groups, 4), joined(groups[::2]), joined(groups)):
        for size in (10, 1000):
            for batch in read_row_groups(task, columns, size):
                assert batch["n"].to_pylist() == batch["p"].to_pylist()
            alone = [b["n"].to_pylist() for b in read_row_groups(task, columns[:1], size)]
            assert sum(map(len, alone)) == sum(group.rows for group in task)


@pytest.mark.usefixtures("by_tasks")
def test_both_scans_and_a_condition_find_the_same_rows(spark: SparkSession, tmp_path: Path) -> None:
    table = tmp_path / "in"
    table.mkdir()
    for i in range(3):
        pq.write_table(examples().slice(i * 100, 100), table / f"{i}.parquet", row_group_size=37)
    found = {}
    for name, sections in (
        ("files", {"scan": "files"}),
        ("dataframe", {"scan": "dataframe"}),
        ("where", {"input": {"where": "place >= 0"}}),
    ):
        result = run("audit", table, tmp_path / name, clean={"mode": "relabel"}, **sections)
        assert "rows are numbered from 0 (row_number)" in result.summary
        found[name] = [rows_of(spark, tmp_path / name / of) for of in ("suspects", "cleaned")]
    assert found["files"] == found["dataframe"] == found["where"]
    suspects, cleaned = found["files"]
    assert suspects
    assert not {"row_number"} & set(cleaned[0])
    for row in suspects:
        assert row["given_label"] == GIVEN[row[ROW_NUMBER]]
    changed = {row["place"] for row in cleaned if row["label_was_changed"]}
    assert changed == {row[ROW_NUMBER] for row in suspects}


def test_drop_keeps_all_other_rows_of_files_of_several_schemas(
    spark: SparkSession, folder: Path, tmp_path: Path
) -> None:
    run("audit", folder, tmp_path / "out")
    suspects = {row[ROW_NUMBER] for row in rows_of(spark, tmp_path / "out" / "suspects")}
    kept = {row["place"] for row in rows_of(spark, tmp_path / "out" / "cleaned")}
    assert suspects
    assert kept == set(range(ROWS)) - suspects


@pytest.mark.full
def test_predictions_match_their_own_version_alone(spark: SparkSession, tmp_path: Path) -> None:
    table = tmp_path / "in"
    table.mkdir()
    rng = np.random.default_rng(1)
    features = GIVEN[:, None] + rng.normal(size=(ROWS, 2)) / 3
    data = examples(x=features[:, 0], y=features[:, 1]).drop_columns(["pred_probs"])
    pq.write_table(data, table / "a.parquet", row_group_size=37)
    out = tmp_path / "out"
    run("predict", table, out, predict={"features": ["x", "y"]})
    by_predictions = {"predictions": str(out / "predictions")}
    result = run("audit", table, out, input=by_predictions)
    assert result.metrics["rows"] == ROWS
    trained = run("train", table, out, predict={"features": ["x", "y"]})
    assert trained.metrics["rows"] == len(rows_of(spark, out / "cleaned"))
    assert all(
        row["label"] == GIVEN[row[ROW_NUMBER]] for row in rows_of(spark, out / "predictions")
    )
    pq.write_table(data.take(np.arange(ROWS)[::-1]), table / "a.parquet")
    with pytest.raises(InputError, match="good for one version alone"):
        run("audit", table, out, "r2", input=by_predictions)


def test_a_table_that_has_the_column_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    del spark
    (tmp_path / "in").mkdir()
    pq.write_table(examples(Row_Number=np.arange(ROWS)), tmp_path / "in" / "a.parquet")
    with pytest.raises(InputError, match="has a column 'row_number'"):
        run("audit", tmp_path / "in", tmp_path / "out")


@pytest.mark.parametrize("kind", ["delta"])
def test_other_formats_name_columns_that_could_be_ids(
    spark: SparkSession, tmp_path: Path, kind: str
) -> None:
    frame = spark.range(3).selectExpr("0 AS label", "id AS no", "id AS doc_id", "array(1.0) AS p")
    frame.write.format(kind).save(str(tmp_path / "in"))
    with pytest.raises(InputError, match=r"unique \(--id, columns.id\): doc_id, label, no"):
        run("audit", tmp_path / "in", tmp_path / "out", columns={"pred_probs": "p"})
    assert not (tmp_path / "out").exists()
