"""Stores of intermediate rows: a folder that all workers open, or Spark's cache.

A run chooses one, once; `sparkclean.rows.streams.RowStore` says what they have in common.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from sparkclean.rows.emitted import ANY_KEYS, KIND, STATE, WRITTEN, state_fields
from sparkclean.rows.file_stream import FileStream
from sparkclean.rows.frame_stream import FrameStream
from sparkclean.rows.row_groups import RowGroups
from sparkclean.rows.row_writer import check_shared, write_by_kind
from sparkclean.rows.streams import (
    Output,
    RowFunction,
    State,
    Stream,
    collect_states,
    collect_sums,
)
from sparkclean.rows.types import Fields

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class FolderStore:
    """Rows as Parquet files, which tasks write and read themselves.

    Attributes
    ----------
    folder : str
        That the driver and the Python workers of all executors reach; of this run alone, which
        removes it.
    """

    folder: str

    def keep(self, stream: Stream, name: str, function: RowFunction) -> Output:
        """Run a function over all rows of a stream, and have its rows written.

        Parameters
        ----------
        stream : Stream
        name : str
            Of the folder to make, within that of the store.
        function : RowFunction

        Returns
        -------
        Output

        Notes
        -----
        One job, or none for few rows of files. Memory of a task: the pages of one row group, a
        chunk of rows (a batch of a frame), what the function holds, and 8 MB of output for each
        kind. A task that is repeated writes files of its own; which ones count is decided with the
        state.
        """
        folder = Path(self.folder) / name
        attempts = folder / "attempts"
        attempts.mkdir(parents=True)
        states: list[State] = []
        groups: dict[int, list[RowGroups]] = {kind: [] for kind in function.kinds}
        for state, (file,) in collect_states(stream, _Writing(function, str(attempts)), "file"):
            if state.kind != WRITTEN:
                states.append(state)
                continue
            kept = folder / str(state.first) / file
            kept.parent.mkdir(exist_ok=True)
            (attempts / file).replace(kept)
            count, size, rows = state.values
            groups[state.first].append(RowGroups(str(kept), tuple(range(count)), size, rows))
        shutil.rmtree(attempts, ignore_errors=True)  # of tasks that were repeated
        names = tuple((name, name) for name, _ in function.fields)
        streams = {
            kind: FileStream(stream.spark, names, tuple(found), self, function.fields)
            for kind, found in groups.items()
        }
        return Output(states, streams)


@dataclass(frozen=True)
class _Writing:
    """A function whose rows go to files, of which its state tells."""

    function: RowFunction
    folder: str
    keys: ClassVar[tuple[str, str]] = ANY_KEYS
    fields: ClassVar[Fields] = (*state_fields(keys), ("file", "string"))
    kinds: ClassVar[tuple[int, ...]] = ()

    @property
    def state_kinds(self) -> tuple[int, ...]:
        return (*self.function.state_kinds, WRITTEN)

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        check_shared(self.folder)
        function = self.function
        return write_by_kind(
            function(batches),
            self.folder,
            keys=function.keys,
            state_kinds=function.state_kinds,
        )


class CacheStore:
    """Rows in Spark's cache, for callers that want nothing written.

    Where a platform has no cache (serverless), a frame is computed again for each use: slower, the
    same answer.
    """

    def __init__(self) -> None:
        self._cached: list[DataFrame] = []

    def keep(self, stream: Stream, name: str, function: RowFunction) -> Output:  # noqa: ARG002
        """Run a function over all rows of a stream, and mark what it gives to be cached.

        Parameters
        ----------
        stream : Stream
        name : str
            Unused: frames need none.
        function : RowFunction

        Returns
        -------
        Output

        Notes
        -----
        One job; the driver holds a state for each key. Memory of executors and then their disks:
        all that the function emits, until `close`.
        """
        output = self._cache(stream.map(function))
        is_state = F.col(KIND).isin(*function.state_kinds)
        keys = [F.when(is_state, F.col(key)).alias(key) for key in function.keys]
        one = F.when(is_state, F.col(STATE)).otherwise(F.array(F.lit(1).cast("bigint")))
        states, rows = [], dict.fromkeys(function.kinds, 0)
        counted = output.select(KIND, *keys, one.alias(STATE))
        for state, _ in collect_sums(counted, function.keys):
            if state.kind in function.state_kinds:
                states.append(state)
            else:
                rows[state.kind] = state.values[0]
        streams = {
            kind: FrameStream(output.where(F.col(KIND) == kind), self, count)
            for kind, count in rows.items()
        }
        return Output(states, streams)

    @property
    def is_kept(self) -> bool:
        """Whether the rows are in the cache, so that reading them is cheap."""
        return bool(self._cached)

    def _cache(self, frame: DataFrame) -> DataFrame:
        """Mark a frame to be kept when it is first computed."""
        with contextlib.suppress(PySparkException):
            frame = frame.persist()
            self._cached.append(frame)
        return frame

    def close(self) -> None:
        """Drop the cached frames."""
        while self._cached:
            self._cached.pop().unpersist()
