"""Run a kernel over the Parquet files of a pin: the file scan.

Tasks get files and row groups, and their Python workers read the columns with pyarrow. The rows and
the types are those of the DataFrame scan, without the way through Spark's rows: several times
faster. Only for files that hold exactly the rows of the pin (`SourceTable.plain_files`), where the
workers can open them.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sparkclean.examples.batches import LABEL, PROBS, PROBS_PREFIX, BatchReader
from sparkclean.examples.columns import Columns
from sparkclean.examples.rising_ids import RUN_FIELDS, can_rise, count_disjoint, find_runs_of_files
from sparkclean.examples.scan import Sample, sample_size
from sparkclean.lake.files import in_threads
from sparkclean.rows import streams
from sparkclean.rows.emitted import ID_PREFIX
from sparkclean.rows.file_stream import FileStream, count_slots
from sparkclean.rows.row_groups import RowGroups, consecutive, read_row_groups, task_numbers
from sparkclean.rows.streams import RowStore, Stream
from sparkclean.rows.tasks import map_in_arrow
from sparkclean.rows.types import spark_type
from sparkclean.schema import ROW_NUMBER

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

#: Row groups of a sample.
_SAMPLE_GROUPS = 64
#: Of a record id; that are looked at together.
_ID_BYTES, _ID_ROWS = 8, 1 << 16
# Metadata of a column that was declared CHAR or VARCHAR.
_TEXT_TYPE = "__CHAR_VARCHAR_TYPE_STRING"


@dataclass(frozen=True)
class FileScan:
    """Scans of the files of a pin.

    Attributes
    ----------
    spark : SparkSession
    reader : BatchReader
    id_types : tuple of str
        Spark types of the record id columns.
    columns : tuple of (str, str)
        For each column of the reader its name in the files.
    groups : tuple of RowGroups
    """

    spark: SparkSession
    reader: BatchReader
    id_types: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    groups: tuple[RowGroups, ...]
    kind: str = "files"
    samples_without_job: ClassVar[bool] = True
    looks_at_ids: ClassVar[bool] = True

    def stream(self, store: RowStore) -> Stream:
        """Give the rows that a kernel reads: record ids, label, probabilities."""
        return FileStream(
            self.spark, self.columns, self.groups, store, chunk_rows=self.reader.chunk_rows
        )

    def collect_sample(self, rows: int) -> Sample | None:
        """Read some valid rows of row groups that a hash chooses; None where there are none.

        Parameters
        ----------
        rows : int
            Of the files.

        Returns
        -------
        given : ndarray of int64, shape (M,)
        pred_probs : ndarray of float64, shape (M, K)

        Notes
        -----
        No job. On the driver: at most 16 MB of probabilities, held twice for a moment, and a fifth
        of the rows.
        """
        if not self.groups:
            return None
        wanted = sample_size(rows, self.reader.num_classes)
        order = sorted(self.groups, key=lambda group: _hash(f"{group.path}:{group.indices}"))
        # few rows of many groups tell more than many rows of few
        some = order[:_SAMPLE_GROUPS]
        given, pred_probs = [], []
        for group in some:
            count = max(min(group.rows, -(-wanted // len(some))), 1)
            batch = next(read_row_groups([group], self.columns, count))
            admitted, _ = self.reader.read(batch)
            given.append(admitted.given)
            pred_probs.append(admitted.pred_probs.astype(np.float64))
        return np.concatenate(given), np.concatenate(pred_probs)

    def collect_rising_ids(self) -> int | None:
        """Count the rows as `collect_rising_ids_of_files`; numbers of rows stand once."""
        if any(group.numbers for group in self.groups):
            return sum(group.rows for group in self.groups)
        return collect_rising_ids_of_files(self.spark, self.groups, self.columns, self.id_types)


def collect_rising_ids_of_files(
    spark: SparkSession,
    groups: Sequence[RowGroups],
    columns: Sequence[tuple[str, str]],
    id_types: Sequence[str],
) -> int | None:
    """Count the rows as `sparkclean.examples.checks.collect_rising_ids`, of files.

    Parameters
    ----------
    spark : SparkSession
    groups : sequence of RowGroups
    columns : sequence of (str, str)
        The record id first.
    id_types : sequence of str
        Spark types of the record id columns.

    Returns
    -------
    int or None

    Notes
    -----
    One job that reads the ids alone and shuffles nothing, none where the driver itself reads the
    few rows; the driver holds three numbers for each run of rising ids: one of a file, 64 of a task
    and one for each 1,000 rows. They may stand in any order.
    """
    if not can_rise(id_types):
        return None
    narrow = [replace(group, size_bytes=_ID_BYTES * group.rows) for group in groups]
    # of a run that goes on over what another task reads nobody knows whether it is alone
    tasks, ids = consecutive(narrow, count_slots(spark, narrow)), columns[:1]

    def runs_of(task: Sequence[RowGroups]) -> Iterator[pa.RecordBatch]:
        return find_runs_of_files(read_row_groups([part], ids, _ID_ROWS) for part in task)

    if sum(group.rows for group in narrow) <= streams.SHORT_ROWS:
        found = [row.values() for task in tasks for b in runs_of(task) for row in b.to_pylist()]
        return count_disjoint([(first, last, rows) for first, last, rows in found])

    def runs(numbers: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for number in task_numbers(numbers):
            yield from runs_of(tasks[number])

    frame = map_in_arrow(spark.range(0, len(tasks), 1, len(tasks)), runs, RUN_FIELDS)
    return count_disjoint(frame.collect())


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def plan_file_scan(
    columns: Columns,
    reader: BatchReader,
    table: DataFrame,
    paths: Sequence[str],
    first_rows: Mapping[str, int] | None = None,
) -> FileScan | str:
    """Plan scans of files, if they can be read so.

    Parameters
    ----------
    columns : Columns
    reader : BatchReader
    table : DataFrame
        What a DataFrame scan would read.
    paths : sequence of str
        Parquet files that hold exactly the rows to scan.
    first_rows : mapping, optional
        Number of the first row of each file, by path, where rows are numbered.

    Returns
    -------
    FileScan or str
        Or why the files cannot be read so.

    Notes
    -----
    Reads the footer of every file on the driver, 16 at a time.
    """
    if columns.layout == "vector":
        return f"column {columns.probs[0]!r} holds Spark ML vectors"
    names = [(f"{ID_PREFIX}{i}", name) for i, name in enumerate(columns.ids)]
    names.append((LABEL, columns.label))
    if columns.layout == "columns":
        names += [(f"{PROBS_PREFIX}{k}", name) for k, name in enumerate(columns.probs)]
    else:
        names.append((PROBS, columns.probs[0]))
    groups = find_groups(table, [name for _, name in names], paths, first_rows)
    if isinstance(groups, str):
        return groups
    return FileScan(table.sparkSession, reader, columns.id_types, tuple(names), groups)


def find_groups(
    table: DataFrame,
    names: Sequence[str],
    paths: Sequence[str],
    first_rows: Mapping[str, int] | None = None,
) -> tuple[RowGroups, ...] | str:
    """List the row groups of files, if their columns can be read as those of a table.

    Parameters
    ----------
    table : DataFrame
        What Spark reads from the files.
    names : sequence of str
        Of the columns.
    paths : sequence of str
    first_rows : mapping, optional
        Number of the first row of each file, by path, where rows are numbered: column `ROW_NUMBER`
        is not in the files.

    Returns
    -------
    tuple of RowGroups or str
        Or why the files cannot be read so.

    Notes
    -----
    Reads the footer of every file on the driver, 16 at a time.
    """
    schema = table.schema
    if first_rows is not None:
        names = [name for name in names if name != ROW_NUMBER]
    padded = [
        name for name in names if schema[name].metadata.get(_TEXT_TYPE, "").startswith("char")
    ]
    if padded:
        return f"column {padded[0]!r} is CHAR, which Spark pads as it reads"
    types = {name: schema[name].dataType.simpleString() for name in names}
    groups: list[RowGroups] = []
    of_files = in_threads(lambda path: find_row_groups(path, types), paths)
    for path, found in zip(paths, of_files, strict=True):
        if isinstance(found, str):
            return found
        groups += found if first_rows is None else number_groups(found, first_rows[path])
    return tuple(groups)


def number_groups(groups: Sequence[RowGroups], first: int) -> list[RowGroups]:
    """Give the rows of a file their numbers.

    Parameters
    ----------
    groups : sequence of RowGroups
        All of the file that have rows, one row group each, in their order.
    first : int
        Number of the first row.

    Returns
    -------
    list of RowGroups
    """
    ends = itertools.accumulate((group.rows for group in groups), initial=first)
    return [
        replace(group, numbers=(range(start, end),))
        for group, (start, end) in zip(groups, itertools.pairwise(ends), strict=True)
    ]


def find_row_groups(path: str, types: dict[str, str]) -> list[RowGroups] | str:
    """List the row groups of a file, if the scan can read its columns.

    Parameters
    ----------
    path : str
    types : dict
        Spark types of the columns to read, by name.

    Returns
    -------
    list of RowGroups or str
        One for each row group with rows; or why the file cannot be read so.
    """
    try:
        metadata = pq.read_metadata(path)
    except (OSError, pa.ArrowException) as exc:
        return f"{path} cannot be read from here ({exc})"
    schema = metadata.schema.to_arrow_schema()
    for name, wanted in types.items():
        folders = (unquote(part).lower() for part in PurePath(path).parts)
        if any(folder.startswith(f"{name.lower()}=") for folder in folders):
            return f"column {name!r} is in the names of folders"
        if schema.names.count(name) != 1:
            return f"{path} has no column {name!r} of its own"
        try:
            found = spark_type(schema.field(name).type)
        except TypeError as exc:
            found = str(exc)
        if found != wanted:
            return f"column {name!r} of {path} is {found}, in the table {wanted}"
    leaves = [
        i
        for i in range(metadata.num_columns)
        if metadata.schema.column(i).path.split(".")[0] in types
    ]
    groups = []
    for index in range(metadata.num_row_groups):
        group = metadata.row_group(index)
        size = sum(group.column(i).total_compressed_size for i in leaves)
        if group.num_rows:
            groups.append(RowGroups(path, (index,), size, group.num_rows))
    return groups
