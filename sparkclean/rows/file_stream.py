"""Streams of the rows of Parquet files, which tasks read and write themselves.

That costs a tenth of the way through Spark's rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.sql import functions as F

from sparkclean.lake import spark_paths
from sparkclean.rows import streams
from sparkclean.rows.row_groups import (
    FEW_BYTES,
    RowGroups,
    balanced,
    joined,
    read_row_groups,
    task_numbers,
)
from sparkclean.rows.row_writer import WRITTEN_FILE, CopyRows
from sparkclean.rows.streams import (
    Output,
    RowFunction,
    RowStore,
    State,
    TaskFunction,
    WriteFiles,
    collect_states,
)
from sparkclean.rows.tasks import map_in_arrow
from sparkclean.rows.types import Fields, schema_text

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

#: Rows that a task reads at once from files of a stream.
_CHUNK_ROWS = 1 << 14
_MOST_SLOTS = 1 << 16

#: What tasks do with their row groups and the rows of these.
_OfTask = Callable[[Sequence[RowGroups], Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]


@dataclass(frozen=True)
class FileStream:
    """Rows of Parquet files that the workers can open: a `Stream`.

    Attributes
    ----------
    spark : SparkSession
    columns : tuple of (str, str)
        Name of each column, and its name in the files.
    groups : tuple of RowGroups
    store : RowStore
        Of what functions give.
    fields : Fields
        Types of the columns, where the stream is output of a function.
    chunk_rows : int
        That a task reads at once.
    prepare : callable or None
        Makes of a task and the rows of its files those that functions read.
    """

    spark: SparkSession
    columns: tuple[tuple[str, str], ...]
    groups: tuple[RowGroups, ...]
    store: RowStore
    fields: Fields = ()
    chunk_rows: int = _CHUNK_ROWS
    prepare: _OfTask | None = None

    @property
    def rows(self) -> int:
        """Their number."""
        return sum(group.rows for group in self.groups)

    @property
    def folder(self) -> Path | None:
        """Folder of the files, where the stream is output of a function; None of no rows."""
        return Path(self.groups[0].path).parent if self.groups else None

    @property
    def frame(self) -> DataFrame:
        """The rows, for Spark. Cheap to read again."""
        reader = self.spark.read.schema(schema_text(self.fields))
        folders = sorted({str(Path(group.path).parent) for group in self.groups})
        if not folders:
            return self.spark.createDataFrame([], schema_text(self.fields))
        return reader.parquet(*spark_paths(folders))

    @cached_property
    def tasks(self) -> list[list[RowGroups]]:
        """Row groups of each task: the same ones, however often the stream is read."""
        return balanced(self.groups, count_slots(self.spark, self.groups))

    def map(self, function: RowFunction) -> DataFrame:
        """Run a function over all rows; its output. Lazy."""
        prepare = self.prepare

        def run(
            task: Sequence[RowGroups], rows: Iterable[pa.RecordBatch]
        ) -> Iterator[pa.RecordBatch]:
            return function(rows if prepare is None else prepare(task, rows))

        return self.map_tasks(run, schema_text(function.fields))

    def map_tasks(self, function: _OfTask, schema: str) -> DataFrame:
        """Run a function over the rows of each task as they stand in the files.

        Parameters
        ----------
        function : callable
            Takes the row groups of a task and their rows.
        schema : str
            Of the result, as Spark writes it.

        Returns
        -------
        DataFrame
            Lazy.
        """
        tasks, columns, chunk_rows = self.tasks, self.columns, self.chunk_rows

        def run(numbers: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for number in task_numbers(numbers):
                task = tasks[number]
                yield from function(task, read_row_groups(task, columns, chunk_rows))

        count = len(tasks)
        return map_in_arrow(self.spark.range(0, count, 1, count), run, schema)

    def run(self, name: str, function: RowFunction) -> Output:
        """Run a function over all rows and keep what it gives."""
        return self.store.keep(self, name, function)

    def collect(self, function: RowFunction) -> list[State]:
        """Run a function for its state alone. One job, or none for few rows."""
        return [state for state, _ in collect_states(self, function)]

    def collect_here(self, function: RowFunction) -> list[pa.RecordBatch] | None:
        """Run a function on the driver, if the rows are one chunk, and not worth a job."""
        if self.prepare or self.rows > min(streams.SHORT_ROWS, self.chunk_rows):
            return None
        rows = read_row_groups(joined(self.groups), self.columns, self.chunk_rows)
        return list(deepcopy(function)(rows))

    def select(self, names: Sequence[str], chunk_rows: int | None = None) -> FileStream:
        """Keep some columns alone; others are not read."""
        columns = tuple((name, own) for name, own in self.columns if name in names)
        fields = tuple((name, kind) for name, kind in self.fields if name in names)
        size = self.chunk_rows if chunk_rows is None else chunk_rows
        return replace(self, columns=columns, fields=fields, chunk_rows=size)

    def read_here(self) -> Iterator[pa.RecordBatch]:
        """Read the rows on the driver: of streams that a limit bounds."""
        yield from read_row_groups(joined(self.groups), self.columns, self.chunk_rows)

    def plan_copy(
        self, columns: Sequence[tuple[str, str]], constants: Mapping[str, str]
    ) -> WriteFiles:
        """Plan to copy the rows to Parquet files, one of each task."""
        own = dict(self.columns)
        read = tuple((name, own[internal]) for name, internal in columns)

        def write(folder: str) -> list[str]:
            function = CopyRows(self.tasks, read, dict(constants), folder)
            return _write_files(self.spark, function, len(self.tasks), self.rows)

        return write

    def plan_files(
        self, count: int, make: Callable[[tuple[RowGroups, ...], str], TaskFunction]
    ) -> WriteFiles:
        """Plan to have files written by tasks that read what they like of the row groups."""

        def write(folder: str) -> list[str]:
            return _write_files(self.spark, make(self.groups, folder), count, self.rows)

        return write


def count_slots(spark: SparkSession, groups: Sequence[RowGroups]) -> int:
    """Count the tasks that run at once, to read row groups.

    Parameters
    ----------
    spark : SparkSession
    groups : sequence of RowGroups

    Returns
    -------
    int
        1 where that makes no difference.

    Notes
    -----
    At most one job, of one task: into as many parts Spark divides a range.
    """
    if sum(group.size_bytes for group in groups) <= FEW_BYTES:
        return 1
    (last,) = spark.range(_MOST_SLOTS).select(F.spark_partition_id()).tail(1)
    return int(last[0]) + 1


def _write_files(spark: SparkSession, function: TaskFunction, count: int, rows: int) -> list[str]:
    """Run tasks that write a file each, few rows of them here; names in the order of numbers."""
    if rows <= streams.SHORT_ROWS:
        batches = function([pa.RecordBatch.from_arrays([pa.array(range(count))], ["id"])])
        return [row["file"] for batch in batches for row in batch.to_pylist()]
    frame = map_in_arrow(spark.range(0, count, 1, count), function, WRITTEN_FILE)
    return [row["file"] for row in sorted(frame.collect())]
