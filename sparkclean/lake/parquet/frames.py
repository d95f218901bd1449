"""Lists of Parquet files as one lazy Spark frame. The only module here that needs Spark."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from sparkclean.errors import InputError
from sparkclean.lake.base import Pin
from sparkclean.lake.files import spark_path, spark_paths
from sparkclean.lake.parquet.footers import SPARK_SCHEMA
from sparkclean.lake.parquet.layout import partition_types
from sparkclean.lake.schemas import SchemaMismatchError, unite_schemas
from sparkclean.names import quote_name

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession
    from pyspark.sql.readwriter import DataFrameReader


def _reader(spark: SparkSession, root: str) -> DataFrameReader:
    """Reader that gives all rows or fails, whatever the session's settings are."""
    options = {
        "basePath": spark_path(root),
        "mergeSchema": "false",
        "ignoreCorruptFiles": "false",
        "ignoreMissingFiles": "false",
    }
    return spark.read.options(**options)


def frame_of_groups(
    spark: SparkSession, root: str, schema: str, groups: Iterable[tuple[str, Sequence[Path]]]
) -> DataFrame:
    """Return the rows of files whose schemas are known.

    Parameters
    ----------
    spark : SparkSession
    root : str
        Folder at which partition folders begin.
    schema : str
        JSON of the schema that holds all rows.
    groups : iterable of (str, sequence of Path)
        JSON of a schema, and the files with it.

    Returns
    -------
    DataFrame
        Lazy; empty where there are no files.

    Notes
    -----
    No job, but for listing more than 32 files, which Spark does with one.
    """
    whole = StructType.fromJson(json.loads(schema))
    frames = [
        _reader(spark, root)
        .schema(StructType.fromJson(json.loads(own)))
        .parquet(*spark_paths(paths))
        for own, paths in groups
    ]
    return _united(frames, whole) if frames else spark.createDataFrame([], whole)


def frame_of_pin(spark: SparkSession, pin: Pin, *, number: str | None = None) -> DataFrame:
    """Return the rows of exactly the pinned files.

    Parameters
    ----------
    spark : SparkSession
    pin : Pin
    number : str, optional
        Name of a column that numbers the rows of all files, as `Pin.first_rows` does.

    Returns
    -------
    DataFrame
        Lazy. Partition folders become columns of the one type that fits all of them, which is ours
        to choose (`partition_types`). Files of different schemas are united by column name:
        numbers are widened, what a file lacks is null.

    Raises
    ------
    InputError
        If columns of one name differ otherwise.

    Notes
    -----
    Spark reads one footer for each group of files with one schema, one small job each. Files of
    different schemas are never read together: Spark 3.5 cannot widen while it reads.
    """
    paths = [[Path(pin.files[index].path) for index in group] for group in pin.schema_groups]
    partitions = partition_types(pin.root, (file.path for file in pin.files))
    first = pin.first_rows()

    def read(reader: DataFrameReader, group: Sequence[Path]) -> DataFrame:
        frame = reader.parquet(*spark_paths(group))
        if number is None:
            return frame
        return _numbered(frame, {str(path): first[str(path)] for path in group}, number)

    if len(paths) == 1 and not partitions:
        return read(_reader(spark, pin.root), paths[0])
    frames, texts = [], []
    for group in paths:
        own = json.loads(_reader(spark, pin.root).parquet(*spark_paths(group[:1])).schema.json())
        for field in own["fields"]:
            field["type"] = partitions.get(field["name"], field["type"])
        reader = _reader(spark, pin.root).schema(StructType.fromJson(own))
        frame = _without_types_of_nulls(read(reader, group), group[0])
        texts.append(frame.schema.json())
        frames.append(frame)
    whole = texts[0]
    for group, text in zip(paths[1:], texts[1:], strict=True):
        try:
            whole = unite_schemas(whole, text)
        except SchemaMismatchError as exc:
            other = _file_with(exc.column, texts, paths)
            raise InputError(
                f"input.table: column {exc.column!r} is {exc.one} in {other} and {exc.other} in "
                f"{group[0]}; write all files with one type"
            ) from exc
    return _united(frames, StructType.fromJson(json.loads(whole, object_hook=_with_type)))


def _numbered(frame: DataFrame, first: Mapping[str, int], number: str) -> DataFrame:
    """Add the numbers of rows behind the other columns, by those of the first of each file."""
    taken = {name.lower() for name in frame.columns} & {number.lower(), "_metadata"}
    if taken:
        raise InputError(
            f"columns.id: null numbers the rows of the table, in a column {number!r}, but the "
            f"table has a column {taken.pop()!r}; rename it, or name the record id"
        )
    index, path = F.col("_metadata.row_index"), F.col("_metadata.file_path")
    if len(first) == 1:
        return frame.select("*", (index + F.lit(*first.values())).cast("bigint").alias(number))
    file, start, place = (f"{name}_of_{number}" for name in ("file", "start", "place"))
    # a URI: one quotes blanks and percent signs in it, and no plus
    plain = F.url_decode(F.replace(path, F.lit("+"), F.lit("%2B")))
    plain = F.regexp_replace(plain, "^file:/+", "/")
    placed = frame.select("*", plain.alias(file), index.alias(place))
    entries = F.from_json(F.lit(json.dumps(list(first.items()))), "array<array<string>>")
    one = frame.sparkSession.range(1).select(F.explode(entries).alias(file))
    files = one.select(F.get(file, F.lit(0)).alias(file), F.get(file, F.lit(1)).alias(start))
    found = placed.join(F.broadcast(files), file, "left")
    whole = [F.col(quote_name((name,))) for name in frame.columns]
    return found.select(*whole, (F.col(start).cast("bigint") + F.col(place)).alias(number))


def _with_type(part: dict[str, Any]) -> dict[str, Any]:
    """Give nulls that have no type in any file the one that Spark reads them with."""
    keys = ("type", "elementType", "valueType")
    return part | {key: "integer" for key in keys if part.get(key) == "void"}


def _without_types_of_nulls(frame: DataFrame, path: Path) -> DataFrame:
    """Take back the type that Spark gives to columns of a file that are null and have none."""
    found = {field.name: field.type for field in pq.read_schema(path)}
    untyped = {
        name: _as_nulls(F.col(quote_name((name,))), found[name])
        for name in frame.columns
        if name in found and _holds_nulls(found[name])
    }
    return frame.withColumns(untyped) if untyped else frame


def _holds_nulls(kind: pa.DataType) -> bool:
    inside = (kind.field(i).type for i in range(kind.num_fields))
    return pa.types.is_null(kind) or any(map(_holds_nulls, inside))


def _as_nulls(column: Column, kind: pa.DataType) -> Column:
    if not _holds_nulls(kind):
        return column
    if pa.types.is_null(kind):
        return F.lit(None)
    if pa.types.is_list(kind):
        return F.transform(column, lambda entry: _as_nulls(entry, kind.value_type))
    if pa.types.is_struct(kind):
        fields = [_as_nulls(column.getField(f.name), f.type).alias(f.name) for f in kind]
        return F.when(column.isNotNull(), F.struct(*fields))
    return column


def _file_with(column: str, texts: Sequence[str], paths: Sequence[Sequence[Path]]) -> Path:
    for text, group in zip(texts, paths, strict=True):
        names = {field["name"].lower() for field in json.loads(text)["fields"]}
        if column.lower() in names:
            return group[0]
    return paths[0][0]


def _united(frames: Sequence[DataFrame], whole: StructType) -> DataFrame:
    selected = []
    for frame in frames:
        there = {field.name: field.dataType for field in frame.schema}
        columns = []
        for field in whole:
            if field.name in there:
                column = F.col(quote_name((field.name,)))
                if there[field.name] != field.dataType:
                    column = column.cast(field.dataType).alias(field.name)
            else:
                column = F.lit(None).cast(field.dataType).alias(field.name)
            columns.append(column)
        selected.append(frame.select(*columns))
    return reduce(lambda one, other: one.union(other), selected)


def schema_of_footers(pin: Pin) -> StructType | None:
    """Tell columns and types of the pinned files, without Spark.

    Parameters
    ----------
    pin : Pin

    Returns
    -------
    StructType or None
        As Spark reads them; None where only Spark can tell, as of unsigned integers, or of names
        that differ by case alone.

    Notes
    -----
    Reads a footer of each group of files with one schema.
    """
    whole = None
    for group in pin.schema_groups:
        own = _schema_of_footer(Path(pin.files[group[0]].path))
        try:
            text = None if own is None else own.json()
            whole = text if whole is None or text is None else unite_schemas(whole, text)
        except SchemaMismatchError:  # told by whoever reads the rows
            return None
        if whole is None:
            return None
    content = json.loads(whole or '{"type": "struct", "fields": []}')
    names = {field["name"] for field in content["fields"]}
    partitions = partition_types(pin.root, (file.path for file in pin.files))
    for field in content["fields"]:
        field["type"] = partitions.get(field["name"], field["type"])
    content["fields"] += [
        {"name": name, "type": kind, "nullable": True, "metadata": {}}
        for name, kind in partitions.items()
        if name not in names
    ]
    schema = StructType.fromJson(content)
    return schema if len({name.lower() for name in schema.names}) == len(schema.names) else None


def _schema_of_footer(path: Path) -> StructType | None:
    from pyspark.errors import PySparkException  # noqa: PLC0415
    from pyspark.sql.pandas.types import from_arrow_schema  # noqa: PLC0415 (imports pandas)

    metadata = pq.read_metadata(path)
    written = (metadata.metadata or {}).get(SPARK_SCHEMA)
    if written is not None:
        return StructType.fromJson(json.loads(written))
    try:
        # as it is stored: what Arrow remembers besides, Spark does not see
        return from_arrow_schema(metadata.schema.to_arrow_schema())
    except PySparkException:
        return None
