"""Rows that tasks read as Arrow batches, from a frame or from files.

A *work* turns the batches of one task into rows of several kinds, its state last. State is integers
that are keyed by up to two numbers and add up, so the answer does not depend on how the rows were
cut into tasks. The other rows become streams again, one for each kind. Files are written by the
tasks themselves: that costs a tenth of the way through Spark's rows.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

import pyarrow as pa
from pyspark.sql import functions as F

from sparkclean.lake import spark_paths
from sparkclean.rows.emitted import KIND, STATE, STATE_FIELDS, STATES, WRITTEN
from sparkclean.rows.row_groups import (
    FEW_BYTES,
    RowGroups,
    balanced,
    joined,
    read_row_groups,
    task_numbers,
)
from sparkclean.rows.row_writer import WRITTEN_FILE, CopyRows, check_shared, write_by_kind
from sparkclean.rows.tasks import map_in_arrow
from sparkclean.rows.types import Fields, schema_text
from sparkclean.rows.workspace import CacheWorkspace, FolderWorkspace, Workspace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

#: Numbers of the longest state.
_STATE_WIDTH = 8
#: Rows that a task reads at once from files of a stream.
_CHUNK_ROWS = 1 << 14
_MOST_SLOTS = 1 << 16
#: Rows that the driver has read before a job would have begun.
SHORT_ROWS = 1 << 14


class State(NamedTuple):
    """State of one kind and key, added up over all tasks."""

    kind: int
    given: int
    true: int
    values: list[int]


_Prepare = Callable[[Sequence[RowGroups], Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]
#: A state, and the values of more keys.
_Keyed = tuple[State, tuple[Any, ...]]


class Work(Protocol):
    """What a task does with its batches; runs on executors, on a copy of its own."""

    @property
    def fields(self) -> Fields:
        """Columns of the output: the kind first, those of the state among them."""

    @property
    def kinds(self) -> tuple[int, ...]:
        """Kinds of its rows, but for state."""

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield output, each batch of one kind."""


class Stream(Protocol):
    """Rows that tasks read as Arrow batches."""

    @property
    def rows(self) -> int:
        """Their number."""

    @property
    def spark(self) -> SparkSession:
        """Session that runs works."""

    @property
    def frame(self) -> DataFrame:
        """The rows, for Spark. Cheap to read again."""

    def map(self, work: Work) -> DataFrame:
        """Run a work over all rows; its output. Lazy."""

    def run(self, name: str, work: Work) -> Output:
        """Run a work over all rows and keep what it gives. One job or two."""


@dataclass(frozen=True)
class Output:
    """What a work gave.

    Attributes
    ----------
    states : list of State
    streams : dict
        Rows by kind.
    """

    states: list[State]
    streams: Mapping[int, Stream]


def collect_states(stream: Stream, work: Work) -> list[State]:
    """Run a work for its state alone.

    Parameters
    ----------
    stream : Stream
    work : Work

    Returns
    -------
    list of State

    Notes
    -----
    One job, or none where the driver itself reads the few rows of a file; the driver holds a state
    for each key.
    """
    return [state for state, _ in _run_for_states(stream, work)]


def _run_for_states(stream: Stream, work: Work, *keys: str) -> list[_Keyed]:
    """Run a work, and add up its states, by more keys if need be, which stand beside each."""
    if isinstance(stream, FileStream) and stream.is_short:
        return _add_up(deepcopy(work)(stream.read()), keys)
    return _collect_states(stream.map(work), *keys)


def _add_up(output: Iterable[pa.RecordBatch], keys: Sequence[str]) -> list[_Keyed]:
    totals: dict[tuple[Any, ...], list[int]] = {}
    for batch in output:
        columns = [batch.column(name).to_pylist() for name in (KIND, "given", "true", *keys)]
        states = batch.column(STATE).to_pylist()
        for key, values in zip(zip(*columns, strict=True), states, strict=True):
            # kernels share a key, and not how long their states are
            sums = zip_longest(totals.get(key, ()), values or (), fillvalue=0)
            totals[key] = [a + b for a, b in sums]
    return [
        (State(kind, given, true, values), tuple(rest))
        for (kind, given, true, *rest), values in totals.items()
    ]


def _collect_states(output: DataFrame, *keys: str) -> list[_Keyed]:
    # named, as Spark 3.5 cannot find a name for them
    parts = [F.sum(F.get(STATE, F.lit(i))).alias(f"part_{i}") for i in range(_STATE_WIDTH)]
    states = output.groupBy(KIND, "given", "true", *keys).agg(*parts).collect()
    first = len(keys)
    return [
        (State(kind, given, true, [v for v in rest[first:] if v is not None]), tuple(rest[:first]))
        for kind, given, true, *rest in states
    ]


@dataclass(frozen=True)
class FrameStream:
    """Rows of a frame.

    Attributes
    ----------
    frame : DataFrame
    workspace : Workspace
    rows : int
    """

    frame: DataFrame
    workspace: Workspace
    rows: int

    @property
    def spark(self) -> SparkSession:
        """Session of the frame."""
        return self.frame.sparkSession

    def map(self, work: Work) -> DataFrame:
        """Run a work over all rows; its output. Lazy."""
        return map_in_arrow(self.frame, work, schema_text(work.fields))

    def run(self, name: str, work: Work) -> Output:
        """Run a work over all rows and keep what it gives.

        Parameters
        ----------
        name : str
            Of the output in the workspace.
        work : Work

        Returns
        -------
        Output

        Notes
        -----
        As `FileStream.run`, with a batch in place of a chunk. Two jobs where nothing is written.
        """
        return _run(self, name, work, self.workspace)


def _run(stream: Stream, name: str, work: Work, workspace: Workspace) -> Output:
    if isinstance(workspace, CacheWorkspace):
        return _run_through_frames(stream, work, workspace)
    return _run_to_files(stream, name, work, workspace)


def _run_through_frames(stream: Stream, work: Work, workspace: CacheWorkspace) -> Output:
    output = workspace.keep(stream.map(work))
    is_state = F.col(KIND).isin(*STATES)
    keys = [F.when(is_state, F.col(name)).alias(name) for name in ("given", "true")]
    one = F.when(is_state, F.col(STATE)).otherwise(F.array(F.lit(1).cast("bigint")))
    states, rows = [], dict.fromkeys(work.kinds, 0)
    for state, _ in _collect_states(output.select(KIND, *keys, one.alias(STATE))):
        if state.kind in STATES:
            states.append(state)
        else:
            rows[state.kind] = state.values[0]
    streams = {
        kind: FrameStream(output.where(F.col(KIND) == kind), workspace, count)
        for kind, count in rows.items()
    }
    return Output(states, streams)


@dataclass(frozen=True)
class FileStream:
    """Rows of Parquet files that the workers can open.

    Attributes
    ----------
    spark : SparkSession
    columns : tuple of (str, str)
        Name of each column, and its name in the files.
    groups : tuple of RowGroups
    workspace : Workspace
    fields : Fields
        Types of the columns, where the stream is output of a work.
    chunk_rows : int
        That a task reads at once.
    prepare : callable or None
        Makes of a task and the rows of its files those that works read.
    """

    spark: SparkSession
    columns: tuple[tuple[str, str], ...]
    groups: tuple[RowGroups, ...]
    workspace: Workspace
    fields: Fields = ()
    chunk_rows: int = _CHUNK_ROWS
    prepare: _Prepare | None = None

    @property
    def rows(self) -> int:
        """Their number."""
        return sum(group.rows for group in self.groups)

    @property
    def folder(self) -> Path:
        """Folder of the files, where the stream is output of a work."""
        return Path(self.groups[0].path).parent

    @property
    def is_short(self) -> bool:
        """Whether the rows are one chunk, and so few that a job is not worth its time."""
        return self.rows <= min(SHORT_ROWS, self.chunk_rows) and not self.prepare

    def read(self) -> Iterator[pa.RecordBatch]:
        """Read the rows here, a chunk at a time."""
        return read_row_groups(joined(self.groups), self.columns, self.chunk_rows)

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

    def map(self, work: Work) -> DataFrame:
        """Run a work over all rows; its output. Lazy."""
        tasks, columns, chunk_rows = self.tasks, self.columns, self.chunk_rows
        prepare = self.prepare

        def run(numbers: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for number in task_numbers(numbers):
                task = tasks[number]
                rows = read_row_groups(task, columns, chunk_rows)
                yield from work(rows if prepare is None else prepare(task, rows))

        count = len(tasks)
        return map_in_arrow(self.spark.range(0, count, 1, count), run, schema_text(work.fields))

    def copy(
        self, folder: str, columns: Sequence[tuple[str, str]], constants: Mapping[str, str]
    ) -> list[str]:
        """Copy the rows to Parquet files that are published.

        Parameters
        ----------
        folder : str
            That driver and executors share.
        columns : sequence of (str, str)
            Name of each column, and its name in the stream.
        constants : mapping
            Texts of further columns.

        Returns
        -------
        list of str
            Names of the files.

        Notes
        -----
        One job, or none for few rows.
        """
        tasks = self.tasks
        own = dict(self.columns)
        read = tuple((name, own[internal]) for name, internal in columns)
        work = CopyRows(tasks, read, dict(constants), folder)
        return run_for_files(self.spark, work, len(tasks), self.rows)

    def run(self, name: str, work: Work) -> Output:
        """Run a work over all rows and keep what it gives.

        Parameters
        ----------
        name : str
            Of the folder in the workspace.
        work : Work

        Returns
        -------
        Output

        Notes
        -----
        One job. Memory of a task: the pages of one row group, a chunk of rows, what the work holds,
        and 8 MB of output for each kind. A task that is repeated writes files of its own; which
        ones count is decided with the state.
        """
        return _run(self, name, work, self.workspace)


@dataclass(frozen=True)
class _Writing:
    """A work whose rows go to files, of which its state tells."""

    work: Work
    folder: str
    fields: ClassVar[Fields] = (*STATE_FIELDS, ("file", "string"))
    kinds: ClassVar[tuple[int, ...]] = ()

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        check_shared(self.folder)
        return write_by_kind(self.work(batches), self.folder)


def _run_to_files(stream: Stream, name: str, work: Work, workspace: FolderWorkspace) -> Output:
    folder = Path(workspace.folder) / name
    attempts = folder / "attempts"
    attempts.mkdir(parents=True)
    states: list[State] = []
    groups: dict[int, list[RowGroups]] = {kind: [] for kind in work.kinds}
    for state, (file,) in _run_for_states(stream, _Writing(work, str(attempts)), "file"):
        if state.kind != WRITTEN:
            states.append(state)
            continue
        kept = folder / str(state.true) / file
        kept.parent.mkdir(exist_ok=True)
        (attempts / file).replace(kept)
        count, size, rows = state.values
        groups[state.true].append(RowGroups(str(kept), tuple(range(count)), size, rows))
    shutil.rmtree(attempts, ignore_errors=True)  # of tasks that were repeated
    names = tuple((name, name) for name, _ in work.fields)
    streams = {
        kind: FileStream(stream.spark, names, tuple(found), workspace, work.fields)
        for kind, found in groups.items()
    }
    return Output(states, streams)


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


def run_for_files(
    spark: SparkSession,
    work: Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]],
    count: int,
    rows: int,
) -> list[str]:
    """Run tasks that write a file each.

    Parameters
    ----------
    spark : SparkSession
    work : callable
        Yields `WRITTEN_FILE` for each number that comes.
    count : int
        Tasks.
    rows : int
        Of all of them: few are written here.

    Returns
    -------
    list of str
        Names of the files, in the order of the numbers.
    """
    if rows <= SHORT_ROWS:
        batches = work([pa.RecordBatch.from_arrays([pa.array(range(count))], ["id"])])
        return [row["file"] for batch in batches for row in batch.to_pylist()]
    frame = map_in_arrow(spark.range(0, count, 1, count), work, WRITTEN_FILE)
    return [row["file"] for row in sorted(frame.collect())]
