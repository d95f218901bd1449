"""Run a kernel over a table: what all scans share, and the DataFrame scan.

`mapInArrow` over the narrow input frame; works everywhere, also where files are governed. The scan
is one Spark job once its output is materialised, with no shuffle.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sparkclean.cluster.batches import ID_PREFIX, BatchReader
from sparkclean.cluster.kernels import ENTRIES, KIND, STATE_TYPE, Kernel

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
    STATE_TYPE: pa.list_(pa.int64()),
    ENTRIES: pa.list_(pa.struct([("class", pa.int32()), ("probability", pa.float64())])),
}


Sample = tuple[NDArray[np.int64], NDArray[np.float64]]


class Scan(Protocol):
    """A way to run kernels over the pinned rows; all have the same results."""

    @property
    def kind(self) -> str:
        """What it reads: ``files`` or ``dataframe``."""

    @property
    def reader(self) -> BatchReader:
        """Turns batches into probabilities."""

    def run(self, kernel: Kernel) -> DataFrame:
        """Run a kernel over all rows."""

    def sample(self) -> Sample | None:
        """Read some valid rows on the driver: given classes, probabilities; None if it cannot."""

    def collect_rising_ids(self) -> int | None:
        """Count the rows, if the record ids are seen to be unique without a shuffle."""


@dataclass(frozen=True)
class FrameScan:
    """Scans of a frame of record ids, label and probabilities.

    Attributes
    ----------
    frame : DataFrame
        Columns as `BatchReader` expects them.
    reader : BatchReader
    id_types : tuple of str
        Spark types of the record id columns.
    """

    frame: DataFrame
    reader: BatchReader
    id_types: tuple[str, ...]
    kind: str = "dataframe"

    def run(self, kernel: Kernel) -> DataFrame:
        """Run a kernel over all rows.

        Parameters
        ----------
        kernel : Kernel
            Unused so far; every task works on a copy.

        Returns
        -------
        DataFrame
            Column ``kind``, the record id columns, the kernel's columns. Lazy.

        Notes
        -----
        Each action reads the wide column once: materialise the result before it is used twice.
        Memory of a task: one Arrow batch and a chunk of at most 8 MB of float64.
        """
        fields, reader = output_schema(kernel, self.id_types), self.reader

        def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            return kernel_output(reader, kernel, fields, batches)

        return self.frame.mapInArrow(work, schema_text(fields))

    def sample(self) -> None:
        """Take no sample: it could cost as much as a pass."""

    def collect_rising_ids(self) -> None:
        """See nothing: rows come in no order that could be relied on."""


def output_schema(kernel: Kernel, id_types: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """List the columns of a scan's output: name and Spark type."""
    ids = tuple((f"{ID_PREFIX}{i}", kind) for i, kind in enumerate(id_types))
    return ((KIND, "tinyint"), *ids, *kernel.columns)


def schema_text(fields: tuple[tuple[str, str], ...]) -> str:
    """Write the columns of a scan's output for Spark."""
    return ", ".join(f"`{name}` {kind}" for name, kind in fields)


def kernel_output(
    reader: BatchReader,
    kernel: Kernel,
    fields: tuple[tuple[str, str], ...],
    batches: Iterable[pa.RecordBatch],
) -> Iterator[pa.RecordBatch]:
    """Run a copy of a kernel over the batches of a task; runs on executors."""
    own = copy.deepcopy(kernel)
    for admitted, rejected in reader.chunks(batches):
        for emitted in own.update(admitted, rejected):
            yield _record_batch(emitted, fields)
    for state in own.state():
        yield _record_batch(state, fields)


def _record_batch(columns: dict[str, Any], fields: tuple[tuple[str, str], ...]) -> pa.RecordBatch:
    """Arrange columns by the scan's schema; what is not given is null."""
    named = dict(columns)
    for i, ids in enumerate(named.pop("ids", [])):
        named[f"{ID_PREFIX}{i}"] = ids
    kind = named.pop(KIND)
    count = len(next(iter(named.values())))
    arrays = []
    for name, spark_type in fields:
        arrow_type, values = _ARROW[spark_type], named.get(name)
        if name == KIND:
            arrays.append(pa.repeat(pa.scalar(kind, arrow_type), count))
        elif values is None:
            arrays.append(pa.nulls(count, arrow_type))
        elif isinstance(values, pa.Array):
            arrays.append(values if values.type == arrow_type else values.cast(arrow_type))
        else:
            array = pa.array(values)
            arrays.append(array if array.type == arrow_type else array.cast(arrow_type))
    return pa.RecordBatch.from_arrays(arrays, names=[name for name, _ in fields])
