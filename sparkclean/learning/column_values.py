"""Count the different values of columns, up to a limit, while their rows are read once.

The tasks of `CountValues` load numpy and pyarrow only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import functions as F

from sparkclean.examples.file_scan import find_groups
from sparkclean.lake import NoPlainFiles
from sparkclean.learning.encoding import as_texts
from sparkclean.learning.feature_types import LONGEST_VALUE, Values
from sparkclean.rows import streams
from sparkclean.rows.columns import quoted
from sparkclean.rows.file_stream import FileStream
from sparkclean.rows.row_groups import joined, read_row_groups
from sparkclean.rows.stores import FolderStore
from sparkclean.rows.tasks import map_in_arrow

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_COLUMN, _VALUE, _ROWS, _MANY = "column", "value", "rows", "many"
_FIELDS = f"`{_COLUMN}` int, `{_VALUE}` string, `{_ROWS}` bigint, `{_MANY}` boolean"
_CHUNK_ROWS = 1 << 14


@dataclass(frozen=True)
class CountValues:
    """Counts the values of the columns of a task.

    Attributes
    ----------
    most : tuple of int
        Values of each column that are told; of more it is told that they are more.
    stops : bool
        Whether rows that are not needed need not be read.
    """

    most: tuple[int, ...]
    stops: bool = False

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the values of each column; one row without a value where they are too many.

        Memory: a batch, and the values that are told.
        """
        found: list[set[str] | None] = [set() for _ in self.most]
        rows = [0] * len(self.most)
        for batch in batches:
            for i, known in enumerate(found):
                if known is None:
                    continue
                column = batch.column(i)
                rows[i] += len(column) - column.null_count
                found[i] = _add_values(known, column, self.most[i])
            if self.stops and all(known is None for known in found):
                break
        for i, known in enumerate(found):
            values = [None] if known is None or not known else sorted(known)
            count = len(values)
            columns = [
                pa.array([i] * count, pa.int32()),
                pa.array(values, pa.string()),
                pa.array([rows[i], *[0] * (count - 1)], pa.int64()),
                pa.array([known is None] * count),
            ]
            yield pa.RecordBatch.from_arrays(columns, [_COLUMN, _VALUE, _ROWS, _MANY])


def _add_values(known: set[str], column: pa.Array, most: int) -> set[str] | None:
    """Add the values of a batch to those that are known; None where they are too many."""
    column = as_texts(column)
    if (pc.max(pc.utf8_length(column)).as_py() or 0) > LONGEST_VALUE:
        return None
    there = pc.unique(column).drop_null()
    if len(there) > most:
        return None
    known = known | set(there.to_pylist())
    return known if len(known) <= most else None


def collect_values(
    rows: DataFrame,
    wanted: Mapping[str, int],
    *,
    paths: Sequence[str] | NoPlainFiles,
) -> dict[str, Values]:
    """Count the values of columns.

    Parameters
    ----------
    rows : DataFrame
    wanted : mapping
        How many values of a column tell enough.
    paths : sequence of str or NoPlainFiles
        Files that hold exactly these rows, if there are such.

    Returns
    -------
    dict of Values
        By column.

    Notes
    -----
    One job that reads these columns alone, none where the driver itself reads the few rows of
    files. In files a task reads on only while some column has few values. The driver holds as many
    values as are wanted, an executor as many for each task.
    """
    names, most = list(wanted), tuple(wanted.values())
    groups = "" if isinstance(paths, NoPlainFiles) else find_groups(rows, names, paths)
    if isinstance(groups, str):
        # no more of a long text than tells that it is long
        texts = [F.substring(quoted(n).cast("string"), 1, LONGEST_VALUE + 1) for n in names]
        frame = map_in_arrow(
            rows.select(*(text.alias(f"c{i}") for i, text in enumerate(texts))),
            CountValues(most),
            _FIELDS,
        )
        return _collect(frame, names, most)
    count = CountValues(most, stops=True)
    read = tuple((f"c{i}", name) for i, name in enumerate(names))
    if sum(group.rows for group in groups) <= streams.SHORT_ROWS:
        return _of_batches(count(read_row_groups(joined(groups), read, _CHUNK_ROWS)), names)
    stream = FileStream(rows.sparkSession, read, groups, FolderStore(""))
    return _collect(stream.map_tasks(lambda _, read: count(read), _FIELDS), names, most)


def _collect(frame: DataFrame, names: Sequence[str], most: Sequence[int]) -> dict[str, Values]:
    # of many tasks the values may be many, though each has few
    values = F.slice(F.sort_array(F.collect_set(_VALUE)), 1, max(most) + 1)
    grouped = frame.groupBy(_COLUMN).agg(
        values.alias(_VALUE), F.sum(_ROWS).alias(_ROWS), F.max(_MANY).alias(_MANY)
    )
    found = dict.fromkeys(names, Values((), 0))  # of no rows there may be no tasks
    for i, told, count, is_many in grouped.collect():
        found[names[i]] = _values(told, count, most[i], is_many=is_many)
    return found


def _of_batches(batches: Iterable[pa.RecordBatch], names: Sequence[str]) -> dict[str, Values]:
    found = {}
    for name, batch in zip(names, batches, strict=True):
        told = batch.to_pydict()
        values = [value for value in told[_VALUE] if value is not None]
        found[name] = _values(values, sum(told[_ROWS]), len(values), is_many=told[_MANY][0])
    return found


def _values(values: Sequence[str], rows: int, most: int, *, is_many: bool) -> Values:
    if is_many or len(values) > most:
        return Values(None, 0)  # how many rows were read until then depends on their order
    return Values(tuple(sorted(values)), rows)
