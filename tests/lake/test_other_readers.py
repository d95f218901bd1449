"""What we write is read by others than Spark: the same rows to the last bit."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable, QueryBuilder
from pyiceberg.catalog.sql import SqlCatalog
from pyspark.sql import SparkSession

from sparkclean.lake import open_target
from tests.tables import QUARANTINE, Place, Undisturbed

FULL = pytest.mark.full
FORMATS = pytest.mark.parametrize("kind", ["delta", "iceberg"])
OUTPUTS = ("suspects", "cleaned", "cleaned-quarantine", "classes", "pairs", "rejected", "runs")


def plain(value: Any) -> Any:
    """Write a value as JSON has it; floats with all their digits, times in UTC."""
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat()
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    return value


def lines(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    texts = [{name: plain(value) for name, value in row.items()} for row in rows]
    return sorted(json.dumps(text, sort_keys=True) for text in texts)


def by_spark(place: Place, name: str) -> list[str]:
    return lines(row.asDict(recursive=True) for row in place.raw(name).collect())


def by_delta_rs(path: str, version: int | None = None) -> list[str]:
    # never to_pyarrow_dataset: nulls for a table with mapped columns (seen on deltalake 1.6)
    query = QueryBuilder().register("t", DeltaTable(path, version=version))
    return lines(pa.table(query.execute("SELECT * FROM t")).to_pylist())


def by_pyiceberg(spark: SparkSession, name: str, snapshot: int | None = None) -> list[str]:
    settings = "spark.sql.catalog.lake."
    catalog = SqlCatalog(
        "lake",
        uri=spark.conf.get(f"{settings}uri").removeprefix("jdbc:").replace(":", ":///", 1),
        warehouse=spark.conf.get(f"{settings}warehouse"),
    )
    try:
        table = catalog.load_table(tuple(name.split(".")[1:]))
        return lines(table.scan(snapshot_id=snapshot).to_arrow().to_pylist())
    finally:
        catalog.close()


def by_another(place: Place, name: str, version: int | None = None) -> list[str]:
    if place.kind == "delta":
        return by_delta_rs(place.prefix + name, version)
    return by_pyiceberg(place.spark, place.prefix + name, version)


@FORMATS
def test_outputs_of_tables_are_the_same_to_another_reader(
    undisturbed: Callable[[str], Undisturbed], kind: str
) -> None:
    place = undisturbed(kind).place
    for name in OUTPUTS:
        found = by_another(place, name)
        assert len(found) > 0
        assert found == by_spark(place, name), name


@FULL
@FORMATS
@pytest.mark.parametrize("mode", ["drop", "relabel", "weight"])
def test_cleaned_of_a_mode_is_the_same_to_another_reader(
    undisturbed: Callable[[str], Undisturbed], kind: str, mode: str
) -> None:
    place = undisturbed(kind).place.elsewhere(f"mode-{mode}")
    assert place.audit(f"clean.mode={mode}") == 0
    for name in ("suspects", "cleaned", "runs"):
        assert by_another(place, name) == by_spark(place, name), name


@FULL
@FORMATS
def test_versions_are_the_same_to_another_reader(
    undisturbed: Callable[[str], Undisturbed], kind: str
) -> None:
    place = undisturbed(kind).place.elsewhere("versions")
    assert place.audit() == 0
    assert place.audit("method.filter_by=both", run_id="r2") == 0
    target = place.target("cleaned")
    first, second = [version for version in target.versions() if version.run_id]
    for version in (first, second):
        rows = target.frame(place.spark, version.name).collect()
        assert by_another(place, "cleaned", version.number) == lines(r.asDict(True) for r in rows)
    assert {json.loads(line)["run_id"] for line in by_another(place, "suspects")} == {"r1", "r2"}


@FULL
@FORMATS
def test_outputs_with_rows_deleted_in_place_are_the_same_to_another_reader(
    undisturbed: Callable[[str], Undisturbed], kind: str
) -> None:
    place = undisturbed(kind).place.elsewhere("deleted")
    assert place.audit() == 0
    before = len(by_spark(place, "cleaned"))
    table = f"delta.`{place.prefix}cleaned`" if kind == "delta" else f"{place.prefix}cleaned"
    properties = {
        "delta": "'delta.enableDeletionVectors' = 'true'",
        "iceberg": "'format-version' = '3', 'write.delete.mode' = 'merge-on-read'",
    }
    place.spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ({properties[kind]})")
    place.spark.sql(f"DELETE FROM {table} WHERE id % 7 = 0")
    rows = by_spark(place, "cleaned")
    assert 0 < len(rows) < before
    assert by_another(place, "cleaned") == rows


@FULL
def test_outputs_with_mapped_columns_are_written_and_read_by_delta_rs(
    undisturbed: Callable[[str], Undisturbed],
) -> None:
    place = undisturbed("delta").place.elsewhere("mapped")
    assert place.audit() == 0
    for name in ("suspects", "cleaned"):
        place.spark.sql(
            f"ALTER TABLE delta.`{place.prefix}{name}` SET TBLPROPERTIES "
            "('delta.columnMapping.mode' = 'name', 'delta.minReaderVersion' = '2', "
            "'delta.minWriterVersion' = '5')"
        )
    place.spark.sql(f"ALTER TABLE delta.`{place.prefix}suspects` RENAME COLUMN reason TO why")
    place.spark.sql(f"ALTER TABLE delta.`{place.prefix}suspects` RENAME COLUMN why TO reason")
    assert place.audit("method.filter_by=both", run_id="r2") == 0
    for name in ("suspects", "cleaned"):
        assert by_another(place, name) == by_spark(place, name), name


def test_outputs_in_files_are_the_same_to_duckdb(
    undisturbed: Callable[[str], Undisturbed], tmp_path: Path
) -> None:
    place = undisturbed("delta").place.elsewhere("plain")
    place.table, place.prefix = str(place.files), f"{tmp_path}/"
    assert place.audit(*QUARANTINE, format="parquet", work=None) == 0
    for name in OUTPUTS:
        target = open_target(place.prefix + name)
        run = "r1_x40audit" if name == "runs" else "r1"  # jobs share the table of runs
        rows = duckdb.sql(f"SELECT * FROM read_parquet('{tmp_path}/{name}/data/{run}/*.parquet')")
        found = lines(rows.to_arrow_table().to_pylist())
        assert len(found) > 0
        wanted = target.frame(place.spark).collect()
        assert found == lines(row.asDict(recursive=True) for row in wanted), name
