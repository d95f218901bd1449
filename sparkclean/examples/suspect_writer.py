"""What tasks do to write the suspect table: rank a piece of the suspects, as Parquet.

Runs on executors: numpy and pyarrow only.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sparkclean import schema
from sparkclean.rows.row_groups import RowGroups, joined, read_row_groups, task_numbers
from sparkclean.rows.row_writer import check_shared, written_file

_CHUNK_ROWS = 1 << 16


@dataclass(frozen=True)
class Piece:
    """Suspects of some qualities.

    Attributes
    ----------
    start, end : float
        Smallest quality, and smallest one beyond.
    before : int
        Suspects of lower quality.
    """

    start: float
    end: float
    before: int


@dataclass(frozen=True)
class WriteSuspects:
    """Writes the pieces whose numbers come, a file each.

    Attributes
    ----------
    groups : tuple of RowGroups
        Of the suspects.
    pieces : tuple of Piece
    ids : tuple of (str, str)
        Record id columns: their name there, and in the table.
    labels : pyarrow.Array
        The K labels.
    numbers : tuple of str
        The detector's own columns.
    constants : tuple of (str, str)
        Columns that have one value.
    folder : str
    is_reviewed : bool
        Whether the suspects say which of them were reviewed.
    """

    groups: tuple[RowGroups, ...]
    pieces: tuple[Piece, ...]
    ids: tuple[tuple[str, str], ...]
    labels: pa.Array
    numbers: tuple[str, ...]
    constants: tuple[tuple[str, str], ...]
    folder: str
    is_reviewed: bool = False

    def __call__(self, numbers: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield number and file of each piece. Memory: a piece, three times."""
        check_shared(self.folder)
        for number in task_numbers(numbers):
            # two attempts of a task write two files
            name = f"{uuid.uuid4().hex}.parquet"
            table = self._table(self.pieces[number])
            texts = [f.name for f in table.schema if not pa.types.is_floating(f.type)]
            pq.write_table(
                table, Path(self.folder) / name, compression="zstd", use_dictionary=texts
            )
            yield written_file(number, name)

    def _table(self, piece: Piece) -> pa.Table:
        ids = [internal for internal, _ in self.ids]
        numbers = (*self.numbers, schema.LABEL_QUALITY)
        found = []
        own = (schema.REVIEWED,) if self.is_reviewed else ()
        read = [(name, name) for name in (*ids, "given", "suggested", *numbers, *own)]
        for batch in read_row_groups(joined(self.groups), read, _CHUNK_ROWS):
            quality = batch.column(schema.LABEL_QUALITY).to_numpy()
            found.append(batch.filter(pa.array((quality >= piece.start) & (quality < piece.end))))
        order = [schema.LABEL_QUALITY, *ids]
        rows = pa.Table.from_batches(found).sort_by([(name, "ascending") for name in order])
        columns = [
            *((name, rows.column(internal)) for internal, name in self.ids),
            (schema.GIVEN_LABEL, pc.take(self.labels, rows.column("given"))),
            (schema.SUGGESTED_LABEL, pc.take(self.labels, rows.column("suggested"))),
            *((name, rows.column(name)) for name in numbers),
            (schema.RANK, pa.array(np.arange(1, len(rows) + 1) + piece.before)),
            *((name, pa.repeat(pa.scalar(value), len(rows))) for name, value in self.constants),
            (
                schema.REVIEWED,
                rows.column(schema.REVIEWED)
                if self.is_reviewed
                else pa.nulls(len(rows), pa.bool_()),
            ),
        ]
        return pa.table([column for _, column in columns], names=[name for name, _ in columns])
