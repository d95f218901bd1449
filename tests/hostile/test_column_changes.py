"""Columns renamed, swapped, dropped, widened and moved: read as the table itself reads now."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from sparkclean.commands.main import main
from sparkclean.errors import InputError
from sparkclean.lake import NoPlainFiles, Pin, open_source
from sparkclean.lake.iceberg.source import IcebergSource
from tests.data import noisy_data, write_table

#: Of a table with a, b, c, d of text, n of int and a struct s; rows are known by their id.
CHANGES = (
    "RENAME COLUMN a TO swap",
    "RENAME COLUMN b TO a",
    "RENAME COLUMN swap TO b",
    "RENAME COLUMN c TO renamed",
    "DROP COLUMN d",
    "ADD COLUMN d string",
    "ALTER COLUMN a AFTER id",
    "RENAME COLUMN s.x TO y",
)
ROWS = (
    "id",
    "concat('a', id) AS a",
    "concat('b', id) AS b",
    "concat('c', id) AS c",
    "concat('d', id) AS d",
    "cast(id AS int) AS n",
    "named_struct('x', id) AS s",
)


@pytest.fixture
def iceberg(spark: SparkSession) -> str:
    name = f"lake.c{uuid.uuid4().hex[:8]}.t"
    spark.sql(f"CREATE NAMESPACE {name.rpartition('.')[0]}")
    spark.range(4).selectExpr(*ROWS).writeTo(name).using("iceberg").create()
    return name


def rows(frame: DataFrame) -> tuple[list[tuple[str, str]], list[str]]:
    return frame.dtypes, sorted(str(row) for row in frame.collect())


def pinned(
    spark: SparkSession, table: str, version: str | int | None = None
) -> Callable[[], tuple[list[tuple[str, str]], list[str]]]:
    """Pin a table; give what reads it by the pin as it was written down."""
    pin = Pin.from_json(open_source(table, spark=spark).pin(version).to_json())
    return lambda: rows(open_source(table, spark=spark).read(spark, pin))


def test_pin_iceberg_reads_columns_as_the_table_does(spark: SparkSession, iceberg: str) -> None:
    def now() -> tuple[list[tuple[str, str]], list[str]]:
        spark.catalog.refreshTable(iceberg)
        return rows(spark.table(iceberg))

    first, source = now(), open_source(iceberg, spark=spark)
    pins = [(pinned(spark, iceberg), first)]
    for change in (*CHANGES, "ALTER COLUMN n TYPE bigint"):
        spark.sql(f"ALTER TABLE {iceberg} {change}")
        pins.append((pinned(spark, iceberg), now()))
    pin = source.pin()
    assert pin.dataset_version == f"snapshot-{pin.version}-schema-{len(CHANGES) + 1}"
    assert isinstance(source.plain_files(pin), NoPlainFiles)
    source.verify(pin)
    # by its id a snapshot is read as it was made
    old = pinned(spark, iceberg, f"snapshot:{pin.version}")
    assert old() == first
    # and after a commit, and a branch that is read by the columns of now
    spark.sql(f"ALTER TABLE {iceberg} CREATE BRANCH work")
    row = "'b', 'a', 'c', 8, named_struct('y', 8L), 'd'"
    spark.sql(f"INSERT INTO {iceberg}.branch_work VALUES (8, {row})")
    spark.sql(f"INSERT INTO {iceberg} VALUES (9, {row})")
    pins.append((pinned(spark, iceberg), now()))
    assert "schema" not in source.pin().dataset_version
    spark.sql(f"ALTER TABLE {iceberg} RENAME COLUMN renamed TO c")
    branch = pinned(spark, iceberg, "branch:work")()
    assert branch == rows(spark.sql(f"SELECT * FROM {iceberg} VERSION AS OF 'work'"))
    assert ("c", "string") in branch[0]
    for read, wanted in pins:
        assert read() == wanted
    assert old() == first


def test_pin_iceberg_whose_metadata_cannot_be_read_is_refused_where_columns_changed(
    spark: SparkSession, iceberg: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(IcebergSource, "_metadata", lambda _: ("s3://b/m.json", None))
    source = open_source(iceberg, spark=spark)
    assert source.pin().metadata is None
    spark.sql(f"ALTER TABLE {iceberg} RENAME COLUMN a TO z")
    with pytest.raises(InputError, match=r"columns .* changed .*s3://b/m.json.*snapshot:"):
        source.pin()


def test_pin_iceberg_at_a_path_reads_columns_as_the_table_does(
    spark: SparkSession, tmp_path: Path
) -> None:
    name = f"files{uuid.uuid4().hex[:8]}"
    spark.conf.set(f"spark.sql.catalog.{name}", "org.apache.iceberg.spark.SparkCatalog")
    spark.conf.set(f"spark.sql.catalog.{name}.type", "hadoop")
    spark.conf.set(f"spark.sql.catalog.{name}.warehouse", str(tmp_path))
    spark.range(4).selectExpr(*ROWS).writeTo(f"{name}.db.t").using("iceberg").create()
    for change in CHANGES[:3]:
        spark.sql(f"ALTER TABLE {name}.db.t {change}")
    read = pinned(spark, f"iceberg.`{tmp_path}/db/t`")
    wanted = rows(spark.table(f"{name}.db.t"))
    spark.sql(f"ALTER TABLE {name}.db.t DROP COLUMN a")
    assert read() == wanted


def test_pin_delta_reads_columns_as_the_version_has_them(
    spark: SparkSession, tmp_path: Path
) -> None:
    path = f"{tmp_path}/t"
    spark.range(4).selectExpr(*ROWS).write.format("delta").save(path)
    properties = "'delta.columnMapping.mode' = 'name', 'delta.enableTypeWidening' = 'true'"
    protocol = "'delta.minReaderVersion' = '3', 'delta.minWriterVersion' = '7'"
    spark.sql(f"ALTER TABLE delta.`{path}` SET TBLPROPERTIES ({properties}, {protocol})")
    source = open_source(path, spark=spark)

    def now() -> tuple[list[tuple[str, str]], list[str]]:
        return rows(spark.read.format("delta").load(path))

    pins = [(pinned(spark, path), now())]
    for change in (*CHANGES, "ALTER COLUMN n TYPE bigint"):
        spark.sql(f"ALTER TABLE delta.`{path}` {change}")
    pins.append((pinned(spark, path), now()))
    assert isinstance(source.plain_files(source.pin()), NoPlainFiles)
    row = "'b', 'a', 'c', 9, named_struct('y', 9L), 'd'"
    spark.sql(f"INSERT INTO delta.`{path}` VALUES (9, {row})")
    pins.append((pinned(spark, path), now()))
    for read, wanted in pins:
        assert read() == wanted


def test_audit_after_a_swap_takes_the_labels_of_now_by_any_scan(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    given, probs = noisy_data(240, 3, seed=3)
    files = write_table(tmp_path / "files", given, probs, other=(given + 1) % 3)
    name = f"lake.c{uuid.uuid4().hex[:8]}.t"
    spark.sql(f"CREATE NAMESPACE {name.rpartition('.')[0]}")
    spark.read.parquet(str(files)).writeTo(name).using("iceberg").create()
    for old, new in (("label", "swap"), ("other", "label"), ("swap", "other")):
        spark.sql(f"ALTER TABLE {name} RENAME COLUMN {old} TO {new}")
    config = {
        "input": {"table": name},
        "output": {"runs": str(tmp_path / "runs"), "suspects": str(tmp_path / "suspects")}
        | dict.fromkeys(("cleaned", "rejected", "classes", "pairs")),
        "clean": {"mode": "none"},  # these labels look permuted
    }
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    argv = ["audit", "--config", str(path), "--run-id"]
    assert main([*argv, "f", "--set", "scan=files"]) == 2
    assert "has changed" in capsys.readouterr().err
    assert main([*argv, "r1"]) == 0
    suspects = spark.read.parquet(f"{tmp_path}/suspects/data/r1").collect()
    assert len(suspects) > 20
    for row in suspects:
        assert row.given_label == (given[row.id] + 1) % 3
