"""Run a kernel over a table: the DataFrame scan.

`mapInArrow` over the narrow input frame; works everywhere, also where files are governed. The scan
is one Spark job once its output is materialised, with no shuffle.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sparkclean.cluster.batches import ID_PREFIX, BatchReader
from sparkclean.cluster.kernels import KIND, ROW, STATE, Kernel

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_ARROW = {
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "string": pa.string(),
    "boolean": pa.bool_(),
}


def scan_frame(
    frame: DataFrame, reader: BatchReader, kernel: Kernel, id_types: tuple[str, ...]
) -> DataFrame:
    """Run a kernel over a frame of record ids, label and probabilities.

    Parameters
    ----------
    frame : DataFrame
        Columns as `BatchReader` expects them.
    reader : BatchReader
    kernel : Kernel
        Unused so far; every task works on a copy.
    id_types : tuple of str
        Spark types of the record id columns.

    Returns
    -------
    DataFrame
        Column ``kind`` (0 state, 1 rows), the record id columns, the kernel's columns. Lazy.

    Notes
    -----
    Each action reads the wide column once: materialise the result before it is used twice.
    Memory of a task: one Arrow batch and a chunk of at most 16 MB of float64.
    """
    fields = [(KIND, "tinyint")]
    fields += [(f"{ID_PREFIX}{i}", kind) for i, kind in enumerate(id_types)]
    fields += list(kernel.columns)
    schema = ", ".join(f"`{name}` {kind}" for name, kind in fields)
    return frame.mapInArrow(_task(reader, kernel, tuple(fields)), schema)


def _task(
    reader: BatchReader, kernel: Kernel, fields: tuple[tuple[str, str], ...]
) -> Callable[[Iterable[pa.RecordBatch]], Iterable[pa.RecordBatch]]:
    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        own = copy.deepcopy(kernel)
        for rows, admitted, rejected in reader.chunks(batches):
            emitted = own.update(rows, admitted, rejected)
            if emitted is not None:
                yield _record_batch(emitted, fields, ROW)
        for state in own.state():
            yield _record_batch(state, fields, STATE)

    return run


def _record_batch(
    columns: dict[str, Any], fields: tuple[tuple[str, str], ...], kind: int
) -> pa.RecordBatch:
    """Arrange columns by the scan's schema; what is not given is null."""
    named = dict(columns)
    for i, ids in enumerate(named.pop("ids", [])):
        named[f"{ID_PREFIX}{i}"] = ids
    count = len(next(iter(named.values())))
    if KIND not in named:
        named[KIND] = [kind] * count
    arrays = []
    for name, spark_type in fields:
        arrow_type, values = _ARROW[spark_type], named.get(name)
        if values is None:
            arrays.append(pa.nulls(count, arrow_type))
        elif isinstance(values, pa.Array):
            arrays.append(values if values.type == arrow_type else values.cast(arrow_type))
        else:
            array = pa.array(values)
            arrays.append(array if array.type == arrow_type else array.cast(arrow_type))
    return pa.RecordBatch.from_arrays(arrays, names=[name for name, _ in fields])
