"""Write the rows of a task to files: one for each kind, or one that is published.

Runs on executors: pyarrow only.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sparkclean.errors import InputError
from sparkclean.rows.emitted import ANY_KEYS, KIND, STATE, WRITTEN
from sparkclean.rows.row_groups import RowGroups, read_row_groups, task_numbers

#: Bytes that a file collects before it writes a row group: of rows for the run itself, and of those
#: that are published.
_GROUP_BYTES, _PUBLISHED_GROUP_BYTES = 8 << 20, 32 << 20
_COPIED_ROWS = 1 << 16
#: What a task tells of a file.
WRITTEN_FILE = "piece int, file string"


class _RowFile:
    """A Parquet file of large row groups, whatever comes at once."""

    def __init__(
        self, path: Path, schema: pa.Schema, *, group_bytes: int = _GROUP_BYTES, **options: Any
    ) -> None:
        # dictionaries of numbers that hardly repeat cost time, and room
        defaults = {"compression": "lz4", "use_dictionary": False, "write_statistics": False}
        self._writer = pq.ParquetWriter(path, schema, **(defaults | options))
        self._group_bytes = group_bytes
        self._waiting: list[pa.RecordBatch] = []
        self._bytes = 0
        self.groups, self.rows = 0, 0

    def __enter__(self) -> _RowFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def write(self, batch: pa.RecordBatch) -> None:
        self._waiting.append(batch)
        self._bytes += batch.nbytes
        if self._bytes >= self._group_bytes:
            self.flush()

    def flush(self) -> None:
        if self._waiting:
            table = pa.Table.from_batches(self._waiting)
            self._writer.write_table(table, row_group_size=len(table))
            self.groups, self.rows = self.groups + 1, self.rows + len(table)
            self._waiting, self._bytes = [], 0


def write_by_kind(
    output: Iterable[pa.RecordBatch],
    folder: str,
    *,
    keys: tuple[str, str],
    state_kinds: tuple[int, ...],
) -> Iterator[pa.RecordBatch]:
    """Write rows to files, let state pass.

    Parameters
    ----------
    output : iterable of pyarrow.RecordBatch
        Of a function: one kind each, the kind in the first column, then columns of the state
        among others.
    folder : str
    keys : tuple of (str, str)
        Columns that key the state of the function.
    state_kinds : tuple of int
        Kinds of its state.

    Yields
    ------
    pyarrow.RecordBatch
        State, keyed by `ANY_KEYS`, and a column ``file``; for each file that was written a row of
        kind `WRITTEN`: the kind of its rows, 0, (row groups, bytes, rows) and its name.
    """
    files: dict[int, tuple[Path, _RowFile]] = {}
    with ExitStack() as opened:
        for batch in output:
            kind = batch.column(0)[0].as_py()
            if kind in state_kinds:
                columns = [batch.column(name) for name in (KIND, *keys, STATE)]
                nothing = pa.nulls(len(batch), pa.string())
                yield pa.RecordBatch.from_arrays([*columns, nothing], schema=_STATE)
                continue
            if kind not in files:
                path = Path(folder) / f"{kind}-{uuid.uuid4().hex}.parquet"
                files[kind] = path, opened.enter_context(_RowFile(path, batch.schema))
            files[kind][1].write(batch)
        for _, file in files.values():
            file.flush()
    for kind, (path, file) in files.items():
        sizes = [file.groups, path.stat().st_size, file.rows]
        row = [[WRITTEN], [kind], [0], [sizes], [path.name]]
        yield pa.RecordBatch.from_arrays(
            [pa.array(value, field.type) for value, field in zip(row, _STATE, strict=True)],
            schema=_STATE,
        )


@dataclass(frozen=True)
class CopyRows:
    """Copies the rows of tasks to files that are published, one of each task.

    Attributes
    ----------
    tasks : sequence of list of RowGroups
    columns : tuple of (str, str)
        Name of each column, and its name in the files that are read.
    constants : mapping
        Texts of further columns.
    folder : str
    """

    tasks: Sequence[list[RowGroups]]
    columns: tuple[tuple[str, str], ...]
    constants: Mapping[str, str]
    folder: str

    def __call__(self, numbers: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield number and file of each task. Memory: a row group of 32 MB, twice."""
        check_shared(self.folder)
        for number in task_numbers(numbers):
            name = f"{uuid.uuid4().hex}.parquet"  # two attempts of a task write two files
            if self._copy(self.tasks[number], Path(self.folder) / name):
                yield written_file(number, name)

    def _copy(self, task: list[RowGroups], path: Path) -> bool:
        """Copy the rows of a task; tell whether there are any."""
        with ExitStack() as opened:
            file = None
            for batch in read_row_groups(task, self.columns, _COPIED_ROWS):
                texts = [pa.repeat(pa.scalar(text), len(batch)) for text in self.constants.values()]
                names = [*batch.schema.names, *self.constants]
                rows = pa.RecordBatch.from_arrays([*batch.columns, *texts], names)
                if file is None:
                    flat = [f.name for f in rows.schema if not pa.types.is_nested(f.type)]
                    file = opened.enter_context(
                        _RowFile(
                            path,
                            rows.schema,
                            group_bytes=_PUBLISHED_GROUP_BYTES,
                            compression="zstd",
                            use_dictionary=flat,
                            write_statistics=flat,
                        )
                    )
                file.write(rows)
            if file is not None:
                file.flush()
        return file is not None


def check_shared(folder: str) -> None:
    """Raise an InputError where a worker does not see a folder of the driver."""
    if not Path(folder).is_dir():
        raise InputError(
            f"{folder} is not there for a worker: choose a folder that driver and executors share"
        )


def written_file(number: int, name: str) -> pa.RecordBatch:
    """Tell of a file, by `WRITTEN_FILE`."""
    columns = [pa.array([number], pa.int32()), pa.array([name])]
    return pa.RecordBatch.from_arrays(columns, ["piece", "file"])


_STATE = pa.schema(
    [
        (KIND, pa.int8()),
        *((key, pa.int32()) for key in ANY_KEYS),
        (STATE, pa.list_(pa.int64())),
        ("file", pa.string()),
    ]
)
