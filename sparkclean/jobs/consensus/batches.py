"""Arrange state and rows of a matrix as batches. Runs on executors: numpy and pyarrow."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sparkclean.rows.emitted import ANY_KEYS, KIND, STATE, to_batch
from sparkclean.rows.types import Fields, arrow_type

_FIRST, _SECOND = ANY_KEYS
#: Numbers of one batch of a matrix.
_BATCH_CELLS = 1 << 20


def state_batch(
    kind: int, first: list[int], second: list[int], values: list[list[int]], fields: Fields
) -> pa.RecordBatch:
    """Arrange state as a batch."""
    columns = {
        KIND: kind,
        _FIRST: pa.array(first, pa.int32()),
        _SECOND: pa.array(second, pa.int32()),
        STATE: pa.array(values, arrow_type("array<bigint>")),
    }
    return to_batch(columns, fields)


def matrix_batches(
    kind: int,
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    rows: NDArray[np.int64],
    fields: Fields,
) -> Iterator[pa.RecordBatch]:
    """Arrange the rows of a matrix as batches of bounded size."""
    width = rows.shape[1]
    step = max(1, _BATCH_CELLS // width)
    for start in range(0, len(rows), step):
        part = np.ascontiguousarray(rows[start : start + step])
        offsets = np.arange(len(part) + 1, dtype=np.int32) * width
        columns = {
            KIND: kind,
            _FIRST: pa.array(first[start : start + step], pa.int32()),
            _SECOND: pa.array(second[start : start + step], pa.int32()),
            STATE: pa.ListArray.from_arrays(pa.array(offsets), pa.array(part.ravel())),
        }
        yield to_batch(columns, fields)
