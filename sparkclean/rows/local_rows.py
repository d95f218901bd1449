"""Rows that the driver holds, as a frame: pieces of Arrow's stream format, which tasks unpack.

Works on every Spark, classic and Connect: Spark 3.5 makes no frame of an Arrow table. Runs on
executors: pyarrow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from sparkclean.rows.tasks import map_in_arrow
from sparkclean.rows.types import plain_array, schema_text, spark_type

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

#: Bytes of a piece, and pieces at least, where there are as many rows.
_PIECE, _FEWEST = 1 << 20, 8


def local_frame(spark: SparkSession, table: pa.Table) -> DataFrame:
    """Make a frame of an Arrow table.

    Parameters
    ----------
    spark : SparkSession
    table : pyarrow.Table
        Of columns that are `sendable`.

    Returns
    -------
    DataFrame
        Lazy. Each use ships the rows to the tasks.
    """
    pieces = max(_FEWEST, -(-table.nbytes // _PIECE))
    step = max(1, -(-table.num_rows // pieces))
    packed = [(_pack(table.slice(i, step)),) for i in range(0, table.num_rows, step)]
    frame = spark.createDataFrame(packed, "piece binary")
    names = [(field.name.replace("`", "``"), _type_name(field.type)) for field in table.schema]
    return map_in_arrow(frame, unpack, schema_text(tuple(names)))


def sendable(column: pa.Array) -> pa.Array:
    """Give a column a type that `local_frame` takes.

    Parameters
    ----------
    column : pyarrow.Array

    Returns
    -------
    pyarrow.Array

    Raises
    ------
    TypeError
        If there is none.
    """
    kind = column.type
    if pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("us", None if kind.tz is None else "UTC"), safe=False)
    if pa.types.is_date(kind):
        return column.cast(pa.date32())
    return column if pa.types.is_decimal128(kind) else plain_array(column)


def _type_name(kind: pa.DataType) -> str:
    """Name the type of Spark of a column that is `sendable`."""
    if pa.types.is_timestamp(kind) and kind.tz is None:
        return "timestamp_ntz"
    if pa.types.is_date(kind):
        return "date"
    if pa.types.is_decimal128(kind):
        return f"decimal({kind.precision},{kind.scale})"
    return "timestamp" if pa.types.is_timestamp(kind) else spark_type(kind)


def _pack(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def unpack(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Unpack pieces: a batch, or more, of each.

    Parameters
    ----------
    batches : iterable of pyarrow.RecordBatch
        One binary column.

    Yields
    ------
    pyarrow.RecordBatch
    """
    for batch in batches:
        for piece in batch.column(0):
            with pa.ipc.open_stream(piece.as_buffer()) as reader:
                yield from reader
