"""Record ids that rise: seen to be unique without a shuffle.

`find_runs` runs on executors: numpy and pyarrow only.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

#: Columns of a run, for Spark.
RUN_FIELDS = "first bigint, last bigint, rows bigint"
_RUNS = pa.schema([("first", pa.int64()), ("last", pa.int64()), ("rows", pa.int64())])
#: So many runs and one for each 1,000 rows: with more of them the ids of a task are taken to be in
#: no order.
_MOST_RUNS, _RUN_ROWS = 64, 1000


def can_rise(id_types: Sequence[str]) -> bool:
    """Tell whether record ids of these Spark types have an order that `find_runs` knows."""
    return len(id_types) == 1 and id_types[0] != "string"


def find_runs(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Divide the ids of a task into runs that rise strictly.

    Parameters
    ----------
    batches : iterable of pyarrow.RecordBatch
        One column of integers.

    Yields
    ------
    pyarrow.RecordBatch
        ``first``, ``last`` and ``rows`` of each run. ``first`` and ``last`` are null where there
        was a null, or there are too many runs.
    """
    runs, rows, count = [np.zeros((3, 0), np.int64)], 0, 0
    for batch in batches:
        ids = batch.column(0)
        if not len(ids):
            continue
        rows += len(ids)
        if not ids.null_count:
            found = _runs_of(ids.to_numpy().astype(np.int64))
            last = runs[-1][:, -1:]
            if last.size and last[1, 0] < found[0, 0]:  # it goes on
                found[:, 0] = last[0, 0], found[1, 0], last[2, 0] + found[2, 0]
                runs[-1] = runs[-1][:, :-1]
                count -= 1
            runs.append(found)
            count += found.shape[1]
        if ids.null_count or count > _MOST_RUNS + rows // _RUN_ROWS:
            yield pa.RecordBatch.from_pylist([{"rows": rows}], _RUNS)
            # not left lying: Spark ends a worker that has not read all of its input
            for _ in batches:
                pass
            return
    columns = np.concatenate(runs, axis=1)
    yield pa.RecordBatch.from_arrays([pa.array(column) for column in columns], schema=_RUNS)


def find_runs_of_files(files: Iterable[Iterable[pa.RecordBatch]]) -> Iterator[pa.RecordBatch]:
    """Divide the ids of each file into runs that rise strictly, as `find_runs` does.

    Gives up, too, when all files together have too many, not counting one of each.
    """
    count = rows = 0
    for batches in files:
        for found in find_runs(batches):
            yield found
            count += max(len(found) - 1, 0)
            rows += pc.sum(found.column("rows"), min_count=0).as_py()
        if count > _MOST_RUNS + rows // _RUN_ROWS:
            yield pa.RecordBatch.from_pylist([{"rows": 0}], _RUNS)
            return


def _runs_of(ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give first, last and rows of each run, shape (3, R)."""
    steps = np.flatnonzero(ids[1:] <= ids[:-1])
    firsts, lasts = np.r_[0, steps + 1], np.r_[steps, len(ids) - 1]
    return np.stack([ids[firsts], ids[lasts], lasts - firsts + 1])


def count_disjoint(runs: Sequence[tuple[int | None, int | None, int]]) -> int | None:
    """Count the rows of runs, if no id can stand in two of them.

    Parameters
    ----------
    runs : sequence of (first, last, rows)
        In any order.

    Returns
    -------
    int or None
        None if ids may stand twice.
    """
    ends = [(first, last) for first, last, _ in runs if first is not None and last is not None]
    if len(ends) < len(runs):
        return None
    ends.sort()
    if any(before[1] >= after[0] for before, after in itertools.pairwise(ends)):
        return None
    return sum(rows for _, _, rows in runs)
