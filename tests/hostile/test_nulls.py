"""Columns of nothing but nulls have no type, and contradict none."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from sparkclean.lake import open_source
from tests.lake.test_source import write

PAIR = pa.struct([("day", pa.date32()), ("n", pa.int64())])
TYPED = {
    "text": pa.array(["x"]),
    "day": pa.array([1], pa.date32()),
    "bytes": pa.array([b"x"]),
    "list": pa.array([["x"]]),
    "pairs": pa.array([[{"day": None, "n": 1}]], pa.list_(PAIR)),
    "struct": pa.array([{"day": None, "n": 1}], PAIR),
}
UNTYPED = {
    **dict.fromkeys(("text", "day", "bytes"), pa.nulls(2)),
    # as pandas writes empty lists
    "list": pa.array([[], None], pa.list_(pa.null())),
    "pairs": pa.nulls(2),
    "struct": pa.array(
        [{"day": None, "n": 2}, None], pa.struct([("day", pa.null()), ("n", pa.int64())])
    ),
}
DTYPES = [
    ("id", "bigint"),
    ("text", "string"),
    ("day", "date"),
    ("bytes", "binary"),
    ("list", "array<string>"),
    ("pairs", "array<struct<day:date,n:bigint>>"),
    ("struct", "struct<day:date,n:bigint>"),
]


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_read_nulls_without_a_type_take_that_of_other_files(
    spark: SparkSession, tmp_path: Path, names: tuple[str, str]
) -> None:
    write(tmp_path / f"{names[0]}.parquet", id=[1], **TYPED)
    write(tmp_path / f"{names[1]}.parquet", id=[2, 3], **UNTYPED)
    source = open_source(str(tmp_path))
    frame = source.read(spark, source.pin())
    assert frame.dtypes == DTYPES
    rows = {row.id: row for row in frame.collect()}
    assert (rows[1].text, rows[1].list, rows[1].pairs[0].n) == ("x", ["x"], 1)
    assert rows[2].text is rows[2].pairs is rows[3].list is rows[3].struct is None
    assert rows[2].list == []
    assert tuple(rows[2].struct) == (None, 2)


def test_read_nulls_without_a_type_anywhere_are_read_as_spark_does(
    spark: SparkSession, tmp_path: Path
) -> None:
    write(tmp_path / "a.parquet", id=[2, 3], **UNTYPED)
    write(tmp_path / "b.parquet", id=pa.array([4], pa.int32()), text=pa.nulls(1))
    source = open_source(str(tmp_path))
    frame = source.read(spark, source.pin())
    assert dict(frame.dtypes) | {"id": "int"} == dict(spark.read.parquet(str(tmp_path)).dtypes) | {
        "id": "int"
    }
    assert frame.count() == 3
