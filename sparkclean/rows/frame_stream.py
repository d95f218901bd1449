"""Streams of the rows of a frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa

from sparkclean.rows.row_groups import RowGroups
from sparkclean.rows.streams import (
    Output,
    RowFunction,
    RowStore,
    State,
    TaskFunction,
    collect_states,
)
from sparkclean.rows.tasks import map_in_arrow
from sparkclean.rows.types import schema_text

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class FrameStream:
    """Rows of a frame: a `Stream` that only Spark reads and writes.

    Attributes
    ----------
    frame : DataFrame
    store : RowStore
        Of what functions give.
    rows : int or None
    """

    frame: DataFrame
    store: RowStore
    rows: int | None = None
    folder: ClassVar[None] = None

    @property
    def spark(self) -> SparkSession:
        """Session of the frame."""
        return self.frame.sparkSession

    def map(self, function: RowFunction) -> DataFrame:
        """Run a function over all rows; its output. Lazy."""
        return map_in_arrow(self.frame, function, schema_text(function.fields))

    def run(self, name: str, function: RowFunction) -> Output:
        """Run a function over all rows and keep what it gives."""
        return self.store.keep(self, name, function)

    def collect(self, function: RowFunction) -> list[State]:
        """Run a function for its state alone. One job."""
        return [state for state, _ in collect_states(self, function)]

    def collect_here(self, function: RowFunction) -> None:
        """Leave the rows to a job."""

    def select(self, names: Sequence[str], chunk_rows: int | None = None) -> FrameStream:  # noqa: ARG002
        """Keep some columns alone."""
        return replace(self, frame=self.frame.select(*names))

    def read_here(self) -> Iterator[pa.RecordBatch]:
        """Read the rows on the driver: of streams that a limit bounds."""
        rows = [row.asDict(recursive=True) for row in self.frame.collect()]
        yield from pa.Table.from_pylist(rows).to_batches()

    def plan_copy(self, columns: Sequence[tuple[str, str]], constants: Mapping[str, str]) -> None:
        """Leave the copy to Spark."""

    def plan_files(
        self, count: int, make: Callable[[tuple[RowGroups, ...], str], TaskFunction]
    ) -> None:
        """Leave the files to Spark."""
