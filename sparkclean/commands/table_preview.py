"""A look at a table before anything is configured: its columns, and a few of its values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from sparkclean.lake import open_source
from sparkclean.rows.types import plain_array, plain_type

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

#: Rows whose values are compared, to see whether a column may be a record id.
_COMPARED_ROWS = 1_000_000


class TablePreview(Protocol):
    """What is seen of a table."""

    #: Columns, in types in which Spark reads them.
    schema: pa.Schema
    #: Whether its rows can be numbered.
    keeps_order: bool
    #: Columns that pandas has for its index.
    index: tuple[str, ...]

    def first(self, column: str, rows: int) -> list[Any]:
        """Read the first values of a column."""

    def count_unique(self, column: str) -> int | None:
        """Count the first rows, if all have a value that no other one has; None if not."""


def preview_table(table: str, spark: SparkSession | None = None) -> TablePreview:
    """Look at a table.

    Parameters
    ----------
    table : str
    spark : SparkSession, optional
        Not needed for Parquet at a path.

    Returns
    -------
    Look

    Raises
    ------
    InputError
        If the table cannot be read.

    Notes
    -----
    Reads footers, or the metadata of the table. `Look.first` reads as many rows as it is asked for,
    and `Look.count_unique` a column of the first million: of Parquet on the driver, else in a job.
    """
    source = open_source(table, spark=spark)
    pin = source.pin()
    if spark is None or pin.files:
        # a file without rows often has types that nobody chose
        return _LookAtFiles([file.path for file in pin.files if file.rows])
    return _LookAtFrame(source.read(spark, pin))


@dataclass
class _LookAtFiles:
    paths: list[str]
    keeps_order = True

    def __post_init__(self) -> None:
        schema = pq.read_schema(Path(self.paths[0]))
        about = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))
        index = about.get("index_columns", []) if isinstance(about, dict) else []
        self.index = tuple(name for name in index if isinstance(name, str))
        self.schema = _plain(schema)
        self.first = cache(self._first)
        self.count_unique = cache(self._count_unique)

    def _first(self, column: str, rows: int) -> list[Any]:
        values: list[Any] = []
        for batch in self._batches(column, rows):
            values += batch.to_pylist()
            if len(values) >= rows:
                break
        return values[:rows]

    def _count_unique(self, column: str) -> int | None:
        seen: set[Any] = set()
        rows = 0
        for batch in self._batches(column, 1 << 16):
            rows += len(batch)
            seen.update(batch.to_pylist())
            if len(seen) < rows or None in seen:
                return None
            if rows >= _COMPARED_ROWS:
                break
        return rows

    def _batches(self, column: str, rows: int) -> Iterator[pa.Array]:
        for path in self.paths:
            with pq.ParquetFile(path) as file:
                if column in file.schema_arrow.names:
                    for batch in file.iter_batches(batch_size=rows, columns=[column]):
                        yield plain_array(batch.column(0))


@dataclass
class _LookAtFrame:
    frame: DataFrame
    keeps_order = False
    index: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        from pyspark.sql.pandas.types import to_arrow_schema  # noqa: PLC0415 (only with Spark)

        self.schema = to_arrow_schema(self.frame.schema)
        self.first = cache(self._first)
        self.count_unique = cache(self._count_unique)

    def _first(self, column: str, rows: int) -> list[Any]:
        return [row[0] for row in self._column(column).limit(rows).collect()]

    def _count_unique(self, column: str) -> int | None:
        from pyspark.sql import functions as F  # noqa: PLC0415

        some = self._column(column).limit(_COMPARED_ROWS).toDF("value")
        (row,) = some.agg(F.count("*").alias("rows"), F.countDistinct("value").alias("n")).collect()
        return int(row["rows"]) if row["rows"] == row["n"] else None

    def _column(self, name: str) -> DataFrame:
        from sparkclean.rows.columns import quoted  # noqa: PLC0415 (only with Spark)

        return self.frame.select(quoted(name))


def _plain(schema: pa.Schema) -> pa.Schema:
    """Replace types of pandas and Arrow by those in which Spark reads them."""
    for i, column in enumerate(schema):
        with suppress(TypeError):  # of no use to an audit
            schema = schema.set(i, column.with_type(plain_type(column.type)))
    return schema
