"""Folds of rows, noted by the task that hashes them first, for one that reads the same rows later.

Runs on executors: pyarrow only.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from sparkclean.rows.row_groups import RowGroups

_SCHEMA = pa.schema([("fold", pa.int32())])


@dataclass(frozen=True)
class FoldNotes:
    """Files with the folds of the rows of tasks, four bytes a row.

    Attributes
    ----------
    folder : str
        That all workers reach: one that does not writes no note, and finds none.
    """

    folder: str

    def read(self, task: Sequence[RowGroups]) -> Iterator[pa.Array]:
        """Give the folds batch by batch, as they were written; nothing where there is no note."""
        try:
            file = pa.OSFile(str(self._path(task)))
        except FileNotFoundError:
            return
        with file, pa.ipc.open_stream(file) as stream:
            for batch in stream:
                yield batch.column(0)

    @contextmanager
    def write(self, task: Sequence[RowGroups]) -> Iterator[Callable[[pa.Array], None]]:
        """Note folds, batch by batch. The note is there when all are, whoever else writes it."""
        path = self._path(task)
        if not path.parent.is_dir():
            yield lambda _: None
            return
        part = path.with_name(f"{uuid.uuid4().hex}.part")
        try:
            with pa.OSFile(str(part), "wb") as file, pa.ipc.new_stream(file, _SCHEMA) as stream:
                yield lambda fold: stream.write_batch(pa.record_batch([fold], schema=_SCHEMA))
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def _path(self, task: Sequence[RowGroups]) -> Path:
        rows = repr([(group.path, group.indices) for group in task])
        return Path(self.folder) / f"{hashlib.sha256(rows.encode()).hexdigest()}.arrow"
