from __future__ import annotations

import datetime as dt
import json
import os
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkclean.errors import InputError, SparkCleanError
from sparkclean.lake import (
    open_source,
    open_target,
    read,
    translate_read_error,
    translate_write_error,
)
from tests.lake.helpers import IDENTITY, new_target, publish, publish_record, rows_of
from tests.lake.test_source import write

# blank, percent, comma, equals sign, wildcards, backslash, letters of two and four bytes
ODD = "o dd%20,=[a-z]{x,y}*?\\é\U0001f600"


def _load(location: Path | str, spark: SparkSession) -> DataFrame:
    source = open_source(str(location))
    return source.read(spark, source.pin())


def test_read_and_publish_in_odd_paths_finds_exactly_the_files(
    spark: SparkSession, tmp_path: Path
) -> None:
    root = tmp_path / ODD / "in"
    write(root / f"{ODD}.parquet", id=[1])
    write(root / "z.parquet", id=[2])
    # what the name would match, were it a pattern
    write(tmp_path / "o dd%20,=bx!!é\U0001f600" / "in" / "z.parquet", id=[3])
    frame = _load(root, spark)
    assert sorted(row.id for row in frame.collect()) == [1, 2]
    target = open_target(str(tmp_path / ODD / "out"))
    staging = target.stage("r 1")
    frame.write.parquet(staging.data_path)
    assert staging.count_rows() == 2
    target.publish(
        staging, expected_parent=None, accumulate=False, properties={}, schema=frame.schema.json()
    )
    assert sorted(row.id for row in read(spark, target.location).collect()) == [1, 2]
    pin = open_source(target.location).pin()
    assert open_source(target.location).read(spark, pin).count() == 2


def test_read_pin_ignores_files_added_later(spark: SparkSession, tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", id=[1])
    source = open_source(str(tmp_path))
    pin = source.pin()
    write(tmp_path / "b.parquet", id=[2])
    assert [row.id for row in source.read(spark, pin).collect()] == [1]


def test_read_mixed_files_widens_and_fills_with_null(spark: SparkSession, tmp_path: Path) -> None:
    root = tmp_path / "t"
    write(
        root / "a.parquet",
        id=pa.array([1], pa.int16()),
        p=pa.array([[0.1]], pa.list_(pa.float32())),
        m=pa.array([[("x", 1.0)]], pa.map_(pa.string(), pa.float32())),
    )
    write(
        root / "b.parquet",
        p=pa.array([[0.1]], pa.list_(pa.float64())),
        id=pa.array([2**40], pa.int64()),
        m=pa.array([[("x", 1.0)]], pa.map_(pa.string(), pa.float64())),
        **{"odd `name.": ["o"]},
    )
    write(root / "c.parquet", id=pa.array([], pa.int8()))
    frame = _load(root, spark)
    types = dict(frame.dtypes)
    assert types == {
        "id": "bigint",
        "p": "array<double>",
        "m": "map<string,double>",
        "odd `name.": "string",
    }
    rows = {row[0]: (row[1], row[3]) for row in frame.collect()}
    assert rows == {1: ([float(pa.scalar(0.1, pa.float32()).as_py())], None), 2**40: ([0.1], "o")}


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"label": ["x"]}, r"'label' is bigint in .*a\.parquet and string in .*b\.parquet"),
        ({"Label": [1]}, r"called 'label' in .*a\.parquet and called 'Label' in .*b\.parquet"),
    ],
)
def test_read_columns_that_do_not_fit_name_two_files(
    spark: SparkSession, tmp_path: Path, other: dict[str, object], words: str
) -> None:
    write(tmp_path / "a.parquet", label=[1])
    write(tmp_path / "b.parquet", **other)
    with pytest.raises(InputError, match=words):
        _load(tmp_path, spark)


def test_read_partitions_have_one_type_over_mixed_files(
    spark: SparkSession, tmp_path: Path
) -> None:
    single = pa.array([0.5], pa.float32())
    write(tmp_path / "n=1" / "day=2026-01-01" / "a.parquet", p=single)
    write(tmp_path / "n=x%20y" / "day=2026-01-02" / "a.parquet", p=[0.25])
    write(tmp_path / "n=__HIVE_DEFAULT_PARTITION__" / "day=2026-01-03" / "a.parquet", p=single)
    frame = _load(tmp_path, spark)
    assert dict(frame.dtypes) == {"p": "double", "n": "string", "day": "date"}
    found = {(row.n, row.day, row.p) for row in frame.collect()}
    assert found == {
        ("1", dt.date(2026, 1, 1), 0.5),
        ("x y", dt.date(2026, 1, 2), 0.25),
        (None, dt.date(2026, 1, 3), 0.5),
    }


def test_read_partitions_of_one_schema_as_spark_does(spark: SparkSession, tmp_path: Path) -> None:
    for n in (1, 2):
        write(tmp_path / f"_n={n}" / "a.parquet", p=[0.5])
    frame = _load(tmp_path, spark)
    assert frame.schema == spark.read.parquet(str(tmp_path)).schema
    assert sorted(row["_n"] for row in frame.collect()) == [1, 2]


def test_read_all_rows_or_none_whatever_the_session_ignores(
    spark: SparkSession, tmp_path: Path
) -> None:
    for name in "abc":
        write(tmp_path / f"{name}.parquet", id=[1])
    source = open_source(str(tmp_path))
    pin = source.pin()
    frame = source.read(spark, pin)
    setting = "spark.sql.files.ignoreMissingFiles"
    spark.conf.set(setting, "true")
    try:
        (tmp_path / "b.parquet").unlink()
        with pytest.raises(Exception) as caught:  # noqa: PT011 (of whatever kind; see below)
            frame.agg(F.sum("id")).collect()
    finally:
        spark.conf.unset(setting)
    translated = translate_read_error(caught.value, pin)
    assert isinstance(translated, InputError)
    assert f"{tmp_path}/b.parquet (vanished)" in str(translated)
    with pytest.raises(InputError, match=r"b\.parquet \(vanished\)"):
        source.read(spark, pin)


def test_read_damage_inside_a_file_is_translated(spark: SparkSession, tmp_path: Path) -> None:
    path = tmp_path / "a b.parquet"
    pq.write_table(
        pa.table({"id": list(range(5000))}), path, compression="none", use_dictionary=False
    )
    content = bytearray(path.read_bytes())
    content[4:40] = b"\xff" * 36  # the header of the first page; the footer is whole
    path.write_bytes(bytes(content))
    source = open_source(str(tmp_path))
    pin = source.pin()
    with pytest.raises(Exception) as caught:  # noqa: PT011
        source.read(spark, pin).agg(F.sum("id")).collect()
    assert str(path) in str(translate_read_error(caught.value, pin))


def test_read_times_in_nanoseconds_say_what_to_do(spark: SparkSession, tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", at=pa.array([1], pa.timestamp("ns")))
    with pytest.raises(InputError, match=r"column 'at' of .*NANOS.*\).*='us'"):
        _load(tmp_path, spark)


def test_frame_without_rows_has_the_schema(spark: SparkSession, tmp_path: Path) -> None:
    target = new_target(tmp_path)
    staging = target.stage("a")
    empty = spark.createDataFrame([], "id bigint, probs array<float>")
    staging.write_frame(empty)
    version = target.publish(
        staging, expected_parent=None, accumulate=True, properties={}, schema=empty.schema.json()
    )
    assert version.rows == 0
    frame = target.frame(spark)
    assert frame.dtypes == empty.dtypes
    assert frame.count() == 0


def test_frame_counts_only_runs_with_a_record(
    spark: SparkSession, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    target, runs = new_target(tmp_path), open_target(str(tmp_path / "runs"))
    properties = IDENTITY | {"runs": os.path.relpath(runs.location, target.location)}
    publish(target, "no record", properties=properties)
    assert read(spark, target.location).count() == 2
    assert "no run records" in caplog.text
    publish_record(runs, "failed", "gate_failed")
    publish(target, "failed", properties=properties)
    assert read(spark, target.location).count() == 0
    publish(target, "a:1", properties=properties, rows=3)
    publish_record(runs, "a:1", "published")
    publish_record(runs, "failed", "published")
    found = {
        row.run: row["count"]
        for row in read(spark, target.location).groupBy("run").count().collect()
    }
    assert found == {"a:1": 3, "failed": 2}
    assert read(spark, target.location, 1).count() == 0
    assert read(spark, runs.location).count() == 2


def test_frame_over_runs_with_other_schemas_is_united(spark: SparkSession, tmp_path: Path) -> None:
    target = new_target(tmp_path)
    for number, ddl in enumerate(("id int, p float", "id bigint, p double, more string")):
        frame = spark.range(1).selectExpr(
            *(
                f"cast({number + 1} as {kind}) as {name}"
                for name, kind in (c.split() for c in ddl.split(", "))
            )
        )
        staging = target.stage(f"r{number}")
        frame.write.parquet(staging.data_path)
        target.publish(
            staging,
            expected_parent=None,
            accumulate=True,
            properties={},
            schema=frame.schema.json(),
        )
    frame = target.frame(spark)
    assert frame.dtypes == [("id", "bigint"), ("p", "double"), ("more", "string")]
    assert {tuple(row) for row in frame.collect()} == {(1, 1.0, None), (2, 2.0, "2")}
    assert target.frame(spark, 1).dtypes == [("id", "int"), ("p", "float")]


def test_frame_keeps_partition_folders_of_a_dataset(spark: SparkSession, tmp_path: Path) -> None:
    target = new_target(tmp_path)
    frame = spark.createDataFrame([(1, "a"), (2, "b c")], "id int, part string")
    staging = target.stage("r")
    frame.write.partitionBy("part").parquet(staging.data_path)
    target.publish(
        staging, expected_parent=None, accumulate=False, properties={}, schema=frame.schema.json()
    )
    rows = read(spark, target.location).select("id", "part").collect()
    assert {tuple(row) for row in rows} == {(1, "a"), (2, "b c")}
    pin = open_source(target.location).pin()
    assert open_source(target.location).read(spark, pin).count() == 2


def test_frame_files_gone_are_named(spark: SparkSession, tmp_path: Path) -> None:
    target = new_target(tmp_path)
    publish(target, "a")
    shutil.rmtree(target.root / "data" / "a")
    with pytest.raises(InputError, match=r"data/a/part-00000\.parquet \(gone\)"):
        read(spark, target.location)
    with pytest.raises(InputError, match="does not exist"):
        read(spark, str(tmp_path / "none"))
    (tmp_path / "bare").mkdir()
    with pytest.raises(InputError, match="nothing was published"):
        read(spark, str(tmp_path / "bare"))


@pytest.mark.full
def test_stage_on_full_disk_says_no_space_and_keeps_what_was(
    spark: SparkSession, small_disk: Path
) -> None:
    target = new_target(small_disk)
    publish(target, "a")
    staging = target.stage("b")
    wide = spark.range(40_000, numPartitions=2).select(
        "id", F.sha2(F.col("id").cast("string"), 256)
    )
    with pytest.raises(Exception) as caught:  # noqa: PT011
        wide.write.parquet(staging.data_path)
    translated = translate_write_error(caught.value, staging.data_path)
    assert type(translated) is SparkCleanError
    assert "no space" in str(translated)
    with pytest.raises(SparkCleanError, match="no space"):
        publish(target, "c", rows=1_000_000)
    assert rows_of(target) == {"a": 2}


def test_pin_json_of_a_read_survives(spark: SparkSession, tmp_path: Path) -> None:
    from sparkclean.lake import Pin

    write(tmp_path / "a.parquet", id=[1])
    source = open_source(str(tmp_path))
    text = source.pin().to_json()
    assert json.loads(text)["rows"] == 1
    assert source.read(spark, Pin.from_json(text)).count() == 1
