"""Streams: rows over which functions run, wherever the rows are.

A function over rows turns the batches of one task into rows of several kinds, its state last. State
is integers that are keyed by two numbers and add up, so the answer does not depend on how the rows
were divided into tasks. The other rows become streams again, one for each kind, in a store.

Callers do not ask what kind of stream they have: what a stream cannot do, it answers with None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import pyarrow as pa
from pyspark.sql import functions as F

from sparkclean.errors import InputError
from sparkclean.rows.emitted import INPUT_ERROR, KIND, STATE
from sparkclean.rows.input_errors import PROBLEM, InputErrorsReturned
from sparkclean.rows.row_groups import RowGroups
from sparkclean.rows.types import Fields

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

#: Rows that the driver has read before a job would have begun.
SHORT_ROWS = 1 << 14
#: Numbers of the longest state.
_STATE_WIDTH = 8

#: Writes files into a folder; gives their names.
WriteFiles = Callable[[str], list[str]]
#: What a task does with its batches, of any columns.
TaskFunction = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]


class State(NamedTuple):
    """State of one kind and pair of keys, added up over all tasks."""

    kind: int
    first: int
    second: int
    values: list[int]


class RowFunction(Protocol):
    """What a task does with its batches; runs on executors, on a copy of its own.

    The names of its columns and the numbers of its kinds, from 0 on, are its own.
    """

    @property
    def fields(self) -> Fields:
        """Columns of the output: the kind first, those of the state among them."""

    @property
    def keys(self) -> tuple[str, str]:
        """Names of the two columns that key its state."""

    @property
    def kinds(self) -> tuple[int, ...]:
        """Kinds of its rows, but for state."""

    @property
    def state_kinds(self) -> tuple[int, ...]:
        """Kinds of its state."""

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield output, each batch of one kind."""


class Stream(Protocol):
    """Rows that tasks read as Arrow batches."""

    @property
    def rows(self) -> int | None:
        """Their number; None where it is unknown."""

    @property
    def spark(self) -> SparkSession:
        """Session that runs functions."""

    @property
    def frame(self) -> DataFrame:
        """The rows, for Spark. Cheap to read again."""

    @property
    def folder(self) -> Path | None:
        """Folder whose files are the rows; None where there are no such files."""

    def map(self, function: RowFunction) -> DataFrame:
        """Run a function over all rows; its output. Lazy."""

    def run(self, name: str, function: RowFunction) -> Output:
        """Run a function over all rows and keep what it gives.

        Parameters
        ----------
        name : str
            Of the output in the store.
        function : RowFunction

        Returns
        -------
        Output

        Notes
        -----
        As the store keeps it: `RowStore.keep`.
        """

    def collect(self, function: RowFunction) -> list[State]:
        """Run a function for its state alone.

        Parameters
        ----------
        function : RowFunction

        Returns
        -------
        list of State

        Notes
        -----
        One job, or none where the driver itself reads the few rows of a file; the driver holds a
        state for each key.
        """

    def collect_here(self, function: RowFunction) -> list[pa.RecordBatch] | None:
        """Run a function on the driver, where the rows are so few that this beats a job.

        Parameters
        ----------
        function : RowFunction

        Returns
        -------
        list of pyarrow.RecordBatch or None
            All that it emits; None where a job must do (`map`).
        """

    def select(self, names: Sequence[str], chunk_rows: int | None = None) -> Stream:
        """Keep some columns alone.

        Parameters
        ----------
        names : sequence of str
        chunk_rows : int, optional
            That a task reads at once, where the stream decides on it.

        Returns
        -------
        Stream
        """

    def read_here(self) -> Iterator[pa.RecordBatch]:
        """Read the rows on the driver: of streams that a limit bounds.

        Yields
        ------
        pyarrow.RecordBatch

        Notes
        -----
        Reads the files, or one job.
        """

    def plan_copy(
        self, columns: Sequence[tuple[str, str]], constants: Mapping[str, str]
    ) -> WriteFiles | None:
        """Plan to copy the rows to Parquet files that are published.

        Parameters
        ----------
        columns : sequence of (str, str)
            Name of each column, and its name in the stream.
        constants : mapping
            Texts of further columns.

        Returns
        -------
        callable or None
            Writes the files into a folder that driver and executors share, and gives their names.
            None where only Spark can write the rows (`frame`).

        Notes
        -----
        Writing takes one job, or none for few rows.
        """

    def plan_files(
        self, count: int, make: Callable[[tuple[RowGroups, ...], str], TaskFunction]
    ) -> WriteFiles | None:
        """Plan to have files written by tasks that read what they like of the rows.

        Parameters
        ----------
        count : int
            Tasks, numbered from 0.
        make : callable
            Makes of the row groups of the stream and a folder what tasks do: it writes a file for
            each number that comes, and yields `sparkclean.rows.row_writer.WRITTEN_FILE`.

        Returns
        -------
        callable or None
            As that of `plan_copy`; names in the order of the numbers.

        Notes
        -----
        Writing takes one job, or none for few rows.
        """


@dataclass(frozen=True)
class Output:
    """What a function over rows gave.

    Attributes
    ----------
    states : list of State
    streams : dict
        Rows by kind.
    """

    states: list[State]
    streams: Mapping[int, Stream]


class RowStore(Protocol):
    """Where intermediate rows go while a run lasts, chosen once: `sparkclean.rows.stores`.

    Intermediates are narrow, but a scan over the wide column stands behind them: whoever uses one
    twice must not run the scan twice.
    """

    def keep(self, stream: Stream, name: str, function: RowFunction) -> Output:
        """Run a function over all rows of a stream and keep what it gives.

        Parameters
        ----------
        stream : Stream
        name : str
            Of the output, within the store.
        function : RowFunction

        Returns
        -------
        Output
        """


def collect_states(
    stream: Stream, function: RowFunction, *names: str
) -> list[tuple[State, tuple[Any, ...]]]:
    """Run a function for its state, keyed by more columns than its keys.

    Parameters
    ----------
    stream : Stream
    function : RowFunction
    *names : str
        Of the other columns.

    Returns
    -------
    list of (State, tuple)
        The values of the other columns beside each state.

    Raises
    ------
    InputError
        That the function has raised in a task, which Spark did not repeat for it.

    Notes
    -----
    As `Stream.collect`.
    """
    told = InputErrorsReturned(function)
    here = stream.collect_here(told)
    if here is not None:
        found = _add_up(here, told, (*names, PROBLEM))
    else:
        states = stream.map(told).where(F.col(KIND).isin(*told.state_kinds))
        found = collect_sums(states, told.keys, *names, PROBLEM)
    problems = sorted({rest[-1] for state, rest in found if state.kind == INPUT_ERROR})
    if problems:
        raise InputError(problems)
    return [(state, rest[:-1]) for state, rest in found]


def collect_sums(
    states: DataFrame, keys: tuple[str, str], *names: str
) -> list[tuple[State, tuple[Any, ...]]]:
    """Add up rows of state in Spark, as `collect_states`. One job."""
    # named, as Spark 3.5 cannot find a name for them
    parts = [F.sum(F.get(STATE, F.lit(i))).alias(f"part_{i}") for i in range(_STATE_WIDTH)]
    sums = states.groupBy(KIND, *keys, *names).agg(*parts).collect()
    count = len(names)
    return [
        (
            State(kind, first, second, [value for value in rest[count:] if value is not None]),
            tuple(rest[:count]),
        )
        for kind, first, second, *rest in sums
    ]


def _add_up(
    output: Iterable[pa.RecordBatch], function: RowFunction, names: Sequence[str]
) -> list[tuple[State, tuple[Any, ...]]]:
    totals: dict[tuple[Any, ...], list[int]] = {}
    for batch in output:
        if not len(batch) or batch.column(KIND)[0].as_py() not in function.state_kinds:
            continue
        columns = [batch.column(name).to_pylist() for name in (KIND, *function.keys, *names)]
        states = batch.column(STATE).to_pylist()
        for key, values in zip(zip(*columns, strict=True), states, strict=True):
            # kernels share a key, and not how long their states are
            sums = zip_longest(totals.get(key, ()), values or (), fillvalue=0)
            totals[key] = [a + b for a, b in sums]
    return [
        (State(kind, first, second, values), tuple(rest))
        for (kind, first, second, *rest), values in totals.items()
    ]
