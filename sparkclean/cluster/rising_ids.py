"""Record ids that rise: seen to be unique without a shuffle.

`find_runs` runs on executors: numpy and pyarrow only.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

#: Columns of a run, for Spark.
RUN_FIELDS = "first bigint, last bigint, rows bigint"
_RUNS = pa.schema([("first", pa.int64()), ("last", pa.int64()), ("rows", pa.int64())])
#: Runs of a batch beyond which the ids are taken to be in no order. (A batch may hold the rows of
#: several files.)
_MOST_RUNS = 64


def find_runs(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Divide the ids of a task into runs that rise strictly.

    Parameters
    ----------
    batches : iterable of pyarrow.RecordBatch
        One column of integers.

    Yields
    ------
    pyarrow.RecordBatch
        ``first``, ``last`` and ``rows`` of each run. ``first`` and ``last`` are null once there was
        a null, or too many runs: nothing more comes then.
    """
    for batch in batches:
        ids = batch.column(0)
        if not len(ids):
            continue
        values = np.zeros(0) if ids.null_count else ids.to_numpy()
        ends = np.flatnonzero(values[1:] <= values[:-1])
        if ids.null_count or len(ends) >= _MOST_RUNS:
            yield pa.RecordBatch.from_pylist([{"rows": len(ids)}], _RUNS)
            # not left lying: Spark ends a worker that has not read all of its input
            for _ in batches:
                pass
            return
        firsts, lasts = np.r_[0, ends + 1], np.r_[ends, len(values) - 1]
        runs = values[firsts], values[lasts], lasts - firsts + 1
        yield pa.RecordBatch.from_arrays([pa.array(run, pa.int64()) for run in runs], schema=_RUNS)


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
