"""Write the rows of a task to files, one for each kind. Runs on executors: pyarrow only."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from sparkclean.cluster.kernels import STATES, WRITTEN

#: Bytes that a file collects before it writes a row group.
_GROUP_BYTES = 8 << 20


class _RowFile:
    """A Parquet file of large row groups, whatever comes at once."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        # dictionaries of numbers that hardly repeat cost time, and room
        self._writer = pq.ParquetWriter(
            path, schema, compression="lz4", use_dictionary=False, write_statistics=False
        )
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
        if self._bytes >= _GROUP_BYTES:
            self.flush()

    def flush(self) -> None:
        if self._waiting:
            table = pa.Table.from_batches(self._waiting)
            self._writer.write_table(table, row_group_size=len(table))
            self.groups, self.rows = self.groups + 1, self.rows + len(table)
            self._waiting, self._bytes = [], 0


def write_by_kind(output: Iterable[pa.RecordBatch], folder: str) -> Iterator[pa.RecordBatch]:
    """Write rows to files, let state pass.

    Parameters
    ----------
    output : iterable of pyarrow.RecordBatch
        Of a work: one kind each, the kind in the first column, then columns of the state among
        others.
    folder : str

    Yields
    ------
    pyarrow.RecordBatch
        State, and a column ``file``; for each file that was written a row of kind `WRITTEN`: 0, its
        kind, (row groups, bytes, rows) and its name.
    """
    files: dict[int, tuple[Path, _RowFile]] = {}
    with ExitStack() as opened:
        for batch in output:
            kind = batch.column(0)[0].as_py()
            if kind in STATES:
                columns = [batch.column(name) for name in _STATE.names[:-1]]
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
        row = [[WRITTEN], [0], [kind], [sizes], [path.name]]
        yield pa.RecordBatch.from_arrays(
            [pa.array(value, field.type) for value, field in zip(row, _STATE, strict=True)],
            schema=_STATE,
        )


_STATE = pa.schema(
    [
        ("kind", pa.int8()),
        ("given", pa.int32()),
        ("true", pa.int32()),
        ("state", pa.list_(pa.int64())),
        ("file", pa.string()),
    ]
)
