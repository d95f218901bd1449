"""A copy holds what its readers found in the input, whatever the session's settings are."""

from __future__ import annotations

import datetime as dt
import decimal
import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sparkclean.commands.main import main
from sparkclean.lake import find_changed_values, open_source, open_target, plan_copy
from tests.data import noisy_data

ROWS = 240
UTC = dt.timezone.utc
# what is written for "never"; before the calendar changed; before what 64 bits of nanoseconds hold
MOMENTS = [
    dt.datetime(9999, 12, 31, 23, 59, 59, 999999, UTC),
    dt.datetime(1500, 1, 1, 12, 0, 0, 1, UTC),
    dt.datetime(1600, 1, 1, tzinfo=UTC),
    dt.datetime(2026, 11, 30, 7, 0, 0, 123456, UTC),
    None,
]
DAYS = [dt.date(9999, 12, 31), dt.date(1, 1, 1), dt.date(1582, 10, 10), dt.date(2026, 11, 30), None]


def cycle(values: list[Any], kind: pa.DataType) -> pa.Array:
    return pa.array([values[i % len(values)] for i in range(ROWS)], kind)


def numbers(kind: pa.DataType, *values: Any) -> pa.Array:
    return cycle([*values, None], kind)


def _columns() -> dict[str, pa.Array]:
    plain = [None if m is None else m.replace(tzinfo=None) for m in MOMENTS]
    cents = decimal.Decimal("-1.25")
    return {
        "i8": numbers(pa.int8(), -128, 127),
        "i16": numbers(pa.int16(), -32768, 32767),
        "i32": numbers(pa.int32(), -(2**31), 2**31 - 1),
        "i64": numbers(pa.int64(), -(2**63), 2**63 - 1),
        "u8": numbers(pa.uint8(), 255),
        "u16": numbers(pa.uint16(), 65535),
        "u32": numbers(pa.uint32(), 2**32 - 1),
        "u64": numbers(pa.uint64(), 2**64 - 1),
        "f32": numbers(pa.float32(), 0.1, -0.0, float("inf")),
        "f64": numbers(pa.float64(), 0.1, 5e-324),
        "flag": numbers(pa.bool_(), True, False),
        "text": numbers(pa.string(), "", "é\U0001f600", "a\0b"),
        "large": numbers(pa.large_string(), "x"),
        "bytes": numbers(pa.binary(), b"", b"\xff\0"),
        "fixed": numbers(pa.binary(4), b"\0\xff\0\xff"),
        "category": numbers(pa.string(), "x", "y").dictionary_encode(),
        "json": numbers(pa.json_(), '{"a": 1}'),
        "day": cycle(DAYS, pa.date32()),
        "at": cycle(MOMENTS, pa.timestamp("us", "UTC")),
        "at_ms": cycle(MOMENTS[2:3], pa.timestamp("ms", "UTC")),
        "local": cycle(plain, pa.timestamp("us")),
        "local_ms": cycle(plain[2:3], pa.timestamp("ms")),
        "d7": numbers(pa.decimal128(7, 2), cents),
        "d15": numbers(pa.decimal128(15, 2), cents),
        "d38": numbers(pa.decimal128(38, 2), decimal.Decimal("9" * 36 + ".99")),
        "nothing": pa.nulls(ROWS),
        "list": numbers(pa.list_(pa.int64()), [], [1, None]),
        "three": numbers(pa.list_(pa.float32(), 2), [0.5, 0.25]),
        "ats": numbers(pa.list_(pa.timestamp("us", "UTC")), MOMENTS),
        "map": numbers(pa.map_(pa.string(), pa.date32()), [("a", DAYS[1])], []),
        "struct": numbers(
            pa.struct([("at", pa.timestamp("us", "UTC")), ("x", pa.int16())]),
            {"at": MOMENTS[0], "x": None},
        ),
    }


def write_input(folder: Path, columns: dict[str, pa.Array], **options: Any) -> None:
    given, probs = noisy_data(ROWS, 3, seed=3)
    folder.mkdir()
    ids = {"id": np.arange(ROWS), "label": given, "pred_probs": list(probs)}
    pq.write_table(pa.table(ids | columns), folder / "a.parquet", **options)


def audit(folder: Path, *words: str, kind: str = "parquet") -> int:
    names = ("suspects", "cleaned", "rejected", "classes", "pairs", "runs")
    output = {name: str(folder / "out" / name) for name in names}
    output |= {"format": kind, "work": str(folder / "work")}
    path = folder / "config.json"
    path.write_text(json.dumps({"input": {"table": str(folder / "in")}, "output": output}))
    return main(["audit", "--config", str(path), "--run-id", "r1", *words])


def stored(path: Path) -> dict[str, tuple[str, str]]:
    schema = pq.read_metadata(path).schema
    columns = (schema.column(i) for i in range(len(schema)))
    return {c.path: (c.physical_type, str(c.logical_type)) for c in columns}


def test_audit_copies_all_types_as_every_reader_found_them(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    columns = _columns()
    write_input(tmp_path / "in", columns)
    settings = {
        "spark.sql.parquet.outputTimestampType": "INT96",
        "spark.sql.parquet.datetimeRebaseModeInWrite": "LEGACY",
        "spark.sql.parquet.int96RebaseModeInWrite": "LEGACY",
        "spark.sql.parquet.writeLegacyFormat": "true",
    }
    for key, value in settings.items():
        spark.conf.set(key, value)
    try:
        assert audit(tmp_path, "--dry-run") == 0
        planned = capsys.readouterr().err
        assert not (tmp_path / "out").exists()
        assert audit(tmp_path) == 0
        for key, value in settings.items():
            assert spark.conf.get(key) == value
    finally:
        for key in settings:
            spark.conf.unset(key)
    for said in (planned, capsys.readouterr().err):
        assert "stores 9 columns otherwise" in said
        assert "'u8' (uint8) becomes int16" in said
    source, (copy,) = (
        tmp_path / "in/a.parquet",
        (tmp_path / "out/cleaned/data/r1").glob("*.parquet"),
    )
    before, after = pq.read_table(source), pq.read_table(copy).sort_by("id")
    kept = np.array(after["id"])
    assert 200 < len(kept) < ROWS
    same, other = before.take(kept), {"u64"}
    for name in columns:
        assert after[name].to_pylist() == same[name].to_pylist(), name
    query = "SELECT * REPLACE (u64::DECIMAL(20, 0) AS u64, nothing::INT AS nothing) FROM '{}'"
    whole, mine = (duckdb.sql(query.format(path)) for path in (source, copy))
    duckdb.sql("SET TimeZone = 'UTC'")
    rows = set(map(str, whole.fetchall()))
    assert {str(row) for row in mine.fetchall()} <= rows
    frames = [spark.read.parquet(str(path)).orderBy("id") for path in (source, copy)]
    assert frames[0].dtypes == frames[1].dtypes
    wanted = {str(row) for row in frames[0].collect()}
    assert {str(row) for row in frames[1].collect()} <= wanted
    # decimals and fixed bytes are the ones that Spark stores in other ways, without other values
    changed = plan_copy(open_source(str(tmp_path / "in")).pin(), "parquet").changes
    other |= {text.split("'")[1].split(".")[0] for text in changed} | {"d7", "d15", "list", "three"}
    is_now = stored(copy)
    for name, found in stored(source).items():
        if name.split(".")[0] not in other:
            assert is_now[name] == found, name
    assert not find_changed_values([str(copy)], str(tmp_path / "in"))


def test_plan_copy_names_what_spark_cannot_keep(tmp_path: Path) -> None:
    write_input(tmp_path / "in", _columns())
    copied = plan_copy(open_source(str(tmp_path / "in")).pin(), "parquet")
    assert copied.timestamps == "TIMESTAMP_MICROS"
    assert copied.changes == (
        "'u8' (uint8) becomes int16",
        "'u16' (uint16) becomes int32",
        "'u32' (uint32) becomes int64",
        "'u64' (uint64) becomes decimal(20,0)",
        "'fixed' (fixed-size binary) becomes binary",
        "'json' (JSON) becomes string",
        "'at_ms' (TIMESTAMP_MILLIS) becomes TIMESTAMP_MICROS",
        "'local_ms' (TIMESTAMP_NTZ_MILLIS) becomes TIMESTAMP_NTZ_MICROS",
        "'nothing' (a column without a type) becomes int32",
    )


@pytest.mark.parametrize(
    ("unit", "options", "kind"),
    [
        ("ms", {}, "TIMESTAMP_MILLIS"),
        ("us", {}, "TIMESTAMP_MICROS"),
        ("us", {"use_deprecated_int96_timestamps": True}, "INT96"),
    ],
)
def test_plan_copy_of_one_kind_of_moments_keeps_it_where_it_can(
    tmp_path: Path, unit: str, options: dict[str, Any], kind: str
) -> None:
    moments = {
        "at": cycle(MOMENTS[2:4], pa.timestamp("us", "UTC")).cast(
            pa.timestamp(unit, "UTC"), safe=False
        )
    }
    write_input(tmp_path / "in", moments, **options)
    pin = open_source(str(tmp_path / "in")).pin()
    assert plan_copy(pin, "parquet").timestamps == kind
    assert plan_copy(pin, "parquet").changes == ()
    elsewhere = plan_copy(pin, "delta")
    assert elsewhere.timestamps == "TIMESTAMP_MICROS"
    assert len(elsewhere.changes) == (kind != "TIMESTAMP_MICROS")


@pytest.mark.parametrize("kind", ["INT96", "TIMESTAMP_MILLIS", "TIMESTAMP_MICROS"])
def test_stage_moments_are_stored_as_asked_for(
    spark: SparkSession, tmp_path: Path, kind: str
) -> None:
    frame = spark.range(1, numPartitions=1).select(F.current_timestamp().alias("at"))
    staging = open_target(str(tmp_path / "out")).stage("r")
    staging.write_frame(frame, kind)
    (path,) = Path(staging.data_path).glob("*.parquet")
    physical, logical = stored(path)["at"]
    assert (physical == "INT96") == (kind == "INT96")
    assert ("milli" in logical) == (kind == "TIMESTAMP_MILLIS")
    assert not [t for t in spark.catalog.listTables("global_temp") if "sparkclean" in t.name]


def test_check_version_names_versions_whose_values_were_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    columns = {"at": cycle(MOMENTS[2:3], pa.timestamp("us", "UTC")), "zip": pa.array(range(ROWS))}
    table = pa.table(columns)
    for code in ("00700", "700"):
        path = tmp_path / "in" / f"zip={code}" / "a.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(table, path)
    target = open_target(str(tmp_path / "out"))
    for number, old in enumerate((True, False), 1):
        staging = target.stage(f"r{number}")
        Path(staging.data_path).mkdir()
        fields = table if old else table.set_column(1, "zip", pa.array(["00700"] * ROWS))
        path = Path(staging.data_path) / "part-0.parquet"
        pq.write_table(fields, path, use_deprecated_int96_timestamps=old)
        target.publish(
            staging,
            expected_parent=number - 1 or None,
            accumulate=False,
            properties={"input_table": str(tmp_path / "in")},
            schema='{"type": "struct", "fields": []}',
        )
    assert main(["check-version", target.location]) == 0
    said = capsys.readouterr().out
    assert "version v00000002" in said.splitlines()[0]
    assert "version v00000001: column 'at' holds timestamps as INT96" in said
    assert "version v00000001: column 'zip' is int64, while the names of the folders" in said
    assert "version v00000002: " not in said
    assert main(["check-version", target.location, "--version", "2"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_audit_on_delta_stores_moments_in_microseconds(spark: SparkSession, tmp_path: Path) -> None:
    write_input(tmp_path / "in", {"at": cycle(MOMENTS, pa.timestamp("us", "UTC"))})
    assert audit(tmp_path, kind="delta") == 0
    (version,) = open_target(str(tmp_path / "out/cleaned"), spark=spark).versions()
    history = spark.sql(f"DESCRIBE HISTORY delta.`{tmp_path}/out/cleaned`").collect()
    assert (version.number, len(history)) == (0, 1)
    for name, column in (("cleaned", "at"), ("runs", "started_at")):
        paths = list((tmp_path / "out" / name).rglob("part-*.parquet"))
        assert paths
        assert {stored(path)[column][0] for path in paths} == {"INT64"}
