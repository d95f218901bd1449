"""Read columns of Parquet row groups as Spark would hand them over.

Runs on executors: numpy and pyarrow only.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sparkclean.rows.types import plain_array
from sparkclean.schema import ROW_NUMBER

#: Bytes of the columns that one task reads, compressed: at most; and at least, as to begin a task
#: takes a worker a fifth of a second.
_TASK_BYTES, _LEAST_TASK_BYTES = 128 << 20, 4 << 20
#: Tasks at least, and for each slot of the cluster; fewer and larger ones leave slots idle at the
#: end.
_MIN_TASKS, _SLOT_TASKS = 8, 4
#: Up to this, the tasks are as many on any cluster.
FEW_BYTES = _MIN_TASKS * _LEAST_TASK_BYTES
# A file costs something however small it is.
_OPEN_BYTES = 64 << 10
# Columns are read through a buffer of this size each, not a whole row group at once.
_BUFFER_BYTES = 1 << 20


@dataclass(frozen=True)
class RowGroups:
    """Some row groups of one file.

    Attributes
    ----------
    path : str
    indices : tuple of int
    size_bytes : int
        Of the columns that are read, compressed.
    rows : int
    numbers : tuple of range
        Of the rows of each row group, where rows are numbered: column `ROW_NUMBER` holds them.
    """

    path: str
    indices: tuple[int, ...]
    size_bytes: int
    rows: int
    numbers: tuple[range, ...] = ()


def balanced(groups: Sequence[RowGroups], slots: int) -> list[list[RowGroups]]:
    """Divide row groups among tasks so that all read about as many bytes.

    Parameters
    ----------
    groups : sequence of RowGroups
    slots : int
        Tasks that run at once.

    Returns
    -------
    list of list of RowGroups
        Largest first; at least one task.
    """
    tasks: list[list[RowGroups]] = [[] for _ in range(_count_tasks(groups, slots))]
    loads = [(0, i) for i in range(len(tasks))]
    for group in sorted(groups, key=lambda group: (-group.size_bytes, group.path, group.indices)):
        load, i = heapq.heappop(loads)
        tasks[i].append(group)
        heapq.heappush(loads, (load + group.size_bytes + _OPEN_BYTES, i))
    return [joined(task) for task in tasks]


def consecutive(groups: Sequence[RowGroups], slots: int) -> list[list[RowGroups]]:
    """Divide row groups among tasks so that each reads neighbours.

    Parameters
    ----------
    groups : sequence of RowGroups
        Those of a file one after another.
    slots : int
        Tasks that run at once.

    Returns
    -------
    list of list of RowGroups
        At least one task; all read about as many bytes, if no group is large.
    """
    tasks: list[list[RowGroups]] = [[] for _ in range(_count_tasks(groups, slots))]
    total, before = sum(group.size_bytes + _OPEN_BYTES for group in groups), 0
    for group in groups:
        tasks[before * len(tasks) // total].append(group)
        before += group.size_bytes + _OPEN_BYTES
    return [joined(task) for task in tasks]


def _count_tasks(groups: Sequence[RowGroups], slots: int) -> int:
    total = sum(group.size_bytes for group in groups)
    few = min(max(_MIN_TASKS, _SLOT_TASKS * slots), -(-total // _LEAST_TASK_BYTES))
    count = max(few, -(-total // _TASK_BYTES))
    if count > slots:  # the last round takes as long, however few tasks it has
        count = -(-count // slots) * slots
    return max(1, min(len(groups), count))


def joined(task: Sequence[RowGroups]) -> list[RowGroups]:
    """Put row groups of one file together: it is opened once."""
    files: dict[str, list[RowGroups]] = {}
    for group in task:
        files.setdefault(group.path, []).append(group)
    return [
        RowGroups(
            path,
            tuple(sorted(index for part in parts for index in part.indices)),
            sum(part.size_bytes for part in parts),
            sum(part.rows for part in parts),
            # numbers rise as indices do
            tuple(sorted((r for part in parts for r in part.numbers), key=lambda r: r.start)),
        )
        for path, parts in files.items()
    ]


def task_numbers(batches: Iterable[pa.RecordBatch]) -> Iterator[int]:
    """Give the numbers of the tasks that a worker is to do: they come as rows of one column."""
    for batch in batches:
        yield from batch.column(0).to_pylist()


def read_row_groups(
    task: Sequence[RowGroups], columns: Sequence[tuple[str, str]], rows: int
) -> Iterator[pa.RecordBatch]:
    """Read columns of row groups as Spark would hand them over, a bounded number of rows at once.

    Parameters
    ----------
    task : sequence of RowGroups
    columns : sequence of (str, str)
        Name to give, and name in the files.
    rows : int
        At most in one batch.

    Yields
    ------
    pyarrow.RecordBatch
    """
    for groups in task:
        batches = _batches(groups, {name for _, name in columns}, rows)
        while True:
            try:
                batch = next(batches, None)
            except FileNotFoundError as exc:
                raise OSError(f"FAILED_READ_FILE.FILE_NOT_EXIST file://{groups.path}") from exc
            except pa.ArrowMemoryError:
                raise
            except (OSError, pa.ArrowException) as exc:
                # as Spark says it: what translates its errors knows these
                raise OSError(f"FAILED_READ_FILE file://{groups.path} : {exc}") from exc
            if batch is None:
                break
            yield pa.RecordBatch.from_arrays(
                [plain_array(batch.column(name)) for _, name in columns],
                names=[alias for alias, _ in columns],
            )


def _batches(groups: RowGroups, names: Set[str], rows: int) -> Iterator[pa.RecordBatch]:
    is_numbered = bool(groups.numbers) and ROW_NUMBER in names
    own = sorted(names - {ROW_NUMBER} if is_numbered else names)
    numbers = itertools.chain.from_iterable(groups.numbers)
    # without pre_buffer: it holds all row groups of the task, until the last one is read
    with pq.ParquetFile(groups.path, buffer_size=_BUFFER_BYTES, pre_buffer=False) as file:
        for batch in file.iter_batches(
            rows, row_groups=list(groups.indices), columns=own, use_threads=False
        ):
            if is_numbered:
                some = np.fromiter(numbers, np.int64, batch.num_rows)
                batch = batch.append_column(ROW_NUMBER, pa.array(some))  # noqa: PLW2901
            yield batch
