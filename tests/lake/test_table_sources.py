"""Sources of Delta and Iceberg: what is pinned is read, whatever others do to the table."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from sparkclean.errors import ConfigError, InputChangedError, InputError, UnsupportedFeatureError
from sparkclean.lake import open_source


@pytest.fixture
def delta(spark: SparkSession, tmp_path: Path) -> str:
    path = str(tmp_path / "a table")
    spark.range(100).selectExpr("id", "id % 3 AS label").write.format("delta").save(path)
    return path


@pytest.fixture
def iceberg(spark: SparkSession) -> str:
    name = f"lake.`d {uuid.uuid4().hex[:8]}`.`my-table`"
    spark.sql(f"CREATE NAMESPACE {name.rpartition('.')[0]}")
    rows = spark.range(100).selectExpr("id", "id % 3 AS label")
    rows.writeTo(name).using("iceberg").create()
    return name


def rows(spark: SparkSession, table: str, version: str | int | None = None) -> int:
    source = open_source(table, spark=spark)
    return source.read(spark, source.pin(version)).count()


def test_open_source_asks_the_table(spark: SparkSession, delta: str, iceberg: str) -> None:
    assert open_source(delta, spark=spark).format == "delta"
    assert open_source(f"delta.`{delta}`", spark=spark).format == "delta"
    assert open_source(f"file:{delta.replace(' ', '%20')}", spark=spark).format == "delta"
    assert open_source(iceberg, spark=spark).format == "iceberg"


def test_open_source_delta_table_in_a_catalog(spark: SparkSession, delta: str) -> None:
    name = f"t{uuid.uuid4().hex[:8]}"
    spark.sql(f"CREATE TABLE {name} USING delta LOCATION '{delta}'")
    assert open_source(name, spark=spark).format == "delta"
    spark.sql(f"DELETE FROM {name} WHERE id < 50")
    assert (rows(spark, f"default.{name}", 0), rows(spark, f"default.{name}")) == (100, 50)


def test_open_source_view_is_refused(spark: SparkSession) -> None:
    spark.range(3).createOrReplaceTempView("a_view")
    with pytest.raises(UnsupportedFeatureError, match="a view or temporary table"):
        open_source("a_view", spark=spark)


@pytest.mark.parametrize("name", ["default.nothing", "lake.db.nothing", "nowhere.db.t"])
def test_open_source_missing_table_is_an_input_error(spark: SparkSession, name: str) -> None:
    with pytest.raises(InputError, match=r"no such (table|catalog)"):
        open_source(name, spark=spark)


def test_pin_delta_is_not_moved_by_other_writers(spark: SparkSession, delta: str) -> None:
    source = open_source(delta, spark=spark)
    pin = source.pin()
    assert (pin.version, pin.dataset_version) == ("0", "delta-0")
    spark.range(7).selectExpr("id", "id AS label").write.format("delta").mode("append").save(delta)
    spark.sql(f"DELETE FROM delta.`{delta}` WHERE id < 50")
    spark.sql(f"OPTIMIZE delta.`{delta}`")
    assert source.read(spark, pin).count() == 100
    source.verify(pin)
    assert rows(spark, delta) == 50
    assert rows(spark, delta, 1) == rows(spark, delta, "1") == 107
    assert rows(spark, delta, "timestamp:2100-01-01") == 50


@pytest.mark.parametrize(
    ("version", "error", "words"),
    [
        (99, InputError, "has no version 99"),
        ("timestamp:2001-01-01", InputError, "no version that old"),
        ("timestamp:soon", ConfigError, "is not a timestamp"),
        ("branch:main", ConfigError, "is not a version of a Delta table"),
    ],
)
def test_pin_delta_other_version_is_refused(
    spark: SparkSession, delta: str, version: str | int, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        open_source(delta, spark=spark).pin(version)


def test_read_delta_deletion_vectors_and_column_mapping(spark: SparkSession, delta: str) -> None:
    properties = "'delta.enableDeletionVectors' = 'true', 'delta.columnMapping.mode' = 'name'"
    protocol = "'delta.minReaderVersion' = '3', 'delta.minWriterVersion' = '7'"
    spark.sql(f"ALTER TABLE delta.`{delta}` SET TBLPROPERTIES ({properties}, {protocol})")
    spark.sql(f"ALTER TABLE delta.`{delta}` RENAME COLUMN label TO `given, label`")
    spark.sql(f"DELETE FROM delta.`{delta}` WHERE id % 10 = 0")
    source = open_source(delta, spark=spark)
    frame = source.read(spark, source.pin())
    assert frame.columns == ["id", "given, label"]
    assert frame.count() == 90
    assert frame.where("id % 10 = 0").count() == 0


def test_verify_delta_made_anew_is_an_input_error(spark: SparkSession, delta: str) -> None:
    source = open_source(delta, spark=spark)
    pin = source.pin()
    shutil.rmtree(delta)
    spark.range(100).selectExpr("id", "id AS label").write.format("delta").save(delta)
    with pytest.raises(InputChangedError, match="not the table with which the run started"):
        source.verify(pin)
    shutil.rmtree(delta)
    with pytest.raises(InputChangedError, match="no such table"):
        source.verify(pin)


def test_pin_iceberg_is_not_moved_by_other_writers(spark: SparkSession, iceberg: str) -> None:
    source = open_source(iceberg, spark=spark)
    pin = source.pin()
    assert pin.dataset_version == f"snapshot-{pin.version}"
    spark.range(7).selectExpr("id", "id AS label").writeTo(iceberg).append()
    spark.sql(f"DELETE FROM {iceberg} WHERE id < 50")
    assert source.read(spark, pin).count() == 100
    source.verify(pin)
    assert rows(spark, iceberg) == 50
    assert rows(spark, iceberg, f"snapshot:{pin.version}") == 100
    assert rows(spark, iceberg, "timestamp:2100-01-01") == 50


def test_pin_iceberg_at_a_path_is_not_moved_by_other_writers(
    spark: SparkSession, tmp_path: Path
) -> None:
    name = f"files{uuid.uuid4().hex[:8]}"
    spark.conf.set(f"spark.sql.catalog.{name}", "org.apache.iceberg.spark.SparkCatalog")
    spark.conf.set(f"spark.sql.catalog.{name}.type", "hadoop")
    spark.conf.set(f"spark.sql.catalog.{name}.warehouse", str(tmp_path))
    spark.range(100).writeTo(f"{name}.db.t").using("iceberg").create()
    source = open_source(f"iceberg.`{tmp_path}/db/t`", spark=spark)
    pin = source.pin()
    spark.sql(f"DELETE FROM {name}.db.t WHERE id < 50")
    assert source.read(spark, pin).count() == 100


def test_pin_iceberg_branch_and_tag(spark: SparkSession, iceberg: str) -> None:
    spark.sql(f"ALTER TABLE {iceberg} CREATE TAG `v/1`")
    spark.sql(f"ALTER TABLE {iceberg} CREATE BRANCH `work in progress`")
    spark.range(5).selectExpr("id", "id AS label").writeTo(
        f"{iceberg}.`branch_work in progress`"
    ).append()
    assert rows(spark, iceberg, "branch:work in progress") == 105
    assert rows(spark, iceberg, "tag:v/1") == rows(spark, iceberg) == 100
    with pytest.raises(InputError, match="has no tag nothing; it has v/1"):
        open_source(iceberg, spark=spark).pin("tag:nothing")
    with pytest.raises(ConfigError, match="write branch:NAME"):
        open_source(iceberg, spark=spark).pin("3")


@pytest.mark.parametrize("version", [2, 3])
def test_read_iceberg_row_deletes_and_evolved_schema(
    spark: SparkSession, iceberg: str, version: int
) -> None:
    modes = "'write.delete.mode' = 'merge-on-read'"
    spark.sql(f"ALTER TABLE {iceberg} SET TBLPROPERTIES ({modes}, 'format-version' = '{version}')")
    spark.sql(f"DELETE FROM {iceberg} WHERE id % 10 = 0")
    spark.sql(f"ALTER TABLE {iceberg} RENAME COLUMN label TO given")
    spark.sql(f"ALTER TABLE {iceberg} ADD COLUMN note string")
    spark.sql(f"ALTER TABLE {iceberg} ADD PARTITION FIELD bucket(4, id)")
    spark.sql(f"INSERT INTO {iceberg} VALUES (1000, 1, 'new')")
    source = open_source(iceberg, spark=spark)
    frame = source.read(spark, source.pin())
    assert frame.columns == ["id", "given", "note"]
    assert frame.count() == 91
    assert frame.where("note IS NOT NULL").count() == 1


def test_verify_iceberg_expired_snapshot_is_an_input_error(
    spark: SparkSession, iceberg: str
) -> None:
    source = open_source(iceberg, spark=spark)
    pin = source.pin()
    spark.range(7).selectExpr("id", "id AS label").writeTo(iceberg).append()
    table = iceberg.partition(".")[2]
    spark.sql(
        f"CALL lake.system.expire_snapshots(table => '{table}', snapshot_ids => "
        f"ARRAY({pin.version}L))"
    )
    with pytest.raises(InputChangedError, match="was expired during the run"):
        source.verify(pin)


def test_pin_iceberg_empty_table_is_an_input_error(spark: SparkSession, iceberg: str) -> None:
    name = f"{iceberg.rpartition('.')[0]}.empty"
    spark.sql(f"CREATE TABLE {name} (id bigint) USING iceberg")
    with pytest.raises(InputError, match="is empty"):
        open_source(name, spark=spark).pin()
