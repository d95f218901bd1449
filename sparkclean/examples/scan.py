"""What all scans share, and the DataFrame scan.

`mapInArrow` over the narrow input frame; works everywhere, also where files are governed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import functions as F

from sparkclean.examples.batches import BatchReader
from sparkclean.rows.emitted import ID_PREFIX
from sparkclean.rows.frame_stream import FrameStream
from sparkclean.rows.streams import RowStore, Stream
from sparkclean.rows.tasks import map_in_arrow

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Sample = tuple[NDArray[np.int64], NDArray[np.float64]]


#: Of a sample: probabilities, share of the rows.
_SAMPLE_VALUES, _SAMPLE_SHARE = 1 << 21, 0.2


def sample_size(rows: int, num_classes: int) -> int:
    """Decide of how many rows a sample is."""
    return min(_SAMPLE_VALUES // num_classes, int(rows * _SAMPLE_SHARE))


class Scan(Protocol):
    """A way to run kernels over the pinned rows; all have the same results."""

    @property
    def kind(self) -> str:
        """What it reads: ``files`` or ``dataframe``."""

    @property
    def reader(self) -> BatchReader:
        """Turns batches into probabilities."""

    @property
    def id_types(self) -> tuple[str, ...]:
        """Spark types of the record id columns."""

    @property
    def samples_without_job(self) -> bool:
        """Whether the driver itself reads a sample: cheaper than what other runs have left."""

    @property
    def looks_at_ids(self) -> bool:
        """Whether `collect_rising_ids` looks at the ids: they do not rise if it gives None."""

    def stream(self, store: RowStore) -> Stream:
        """Give the rows that a kernel reads: record ids, label, probabilities.

        Parameters
        ----------
        store : RowStore
            Of what the kernel emits.

        Returns
        -------
        Stream
        """

    def collect_sample(self, rows: int) -> Sample | None:
        """Read some valid rows of so many: given classes, probabilities; None of no rows."""

    def collect_rising_ids(self) -> int | None:
        """Count the rows, if their record ids rise and never stand twice; None if unknown."""


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
    samples_without_job: ClassVar[bool] = False
    looks_at_ids: ClassVar[bool] = False

    def stream(self, store: RowStore) -> Stream:
        """Give the rows that a kernel reads: record ids, label, probabilities."""
        return FrameStream(self.frame, store)

    def collect_rising_ids(self) -> None:
        """Leave the record ids to `sparkclean.examples.checks.count_duplicate_ids`."""

    def collect_sample(self, rows: int) -> Sample | None:
        """Read the valid rows that a hash of the record id chooses.

        Parameters
        ----------
        rows : int
            Of the frame.

        Returns
        -------
        given : ndarray of int64, shape (M,)
        pred_probs : ndarray of float64, shape (M, K)

        Notes
        -----
        One job that reads the wide column, but hands on the chosen rows alone: a fifth of a pass.
        The driver holds 16 MB of probabilities, twice for a moment.
        """
        reader = self.reader
        wanted = sample_size(rows, reader.num_classes)
        if not wanted:
            return None
        ids = [f"{ID_PREFIX}{i}" for i in range(len(self.id_types))]
        some = self.frame.where(F.pmod(F.xxhash64(*ids), F.lit(-(-rows // wanted))) == 0)

        def take(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for admitted, _ in reader.chunks(batches):
                taken = admitted.given, admitted.pred_probs.astype(np.float64)
                columns = [pa.array([array.tobytes()]) for array in taken]
                yield pa.RecordBatch.from_arrays(columns, ["given", "pred_probs"])

        found = map_in_arrow(some, take, "given binary, pred_probs binary").collect()
        given = np.frombuffer(b"".join(row["given"] for row in found), np.int64)
        pred_probs = np.frombuffer(b"".join(row["pred_probs"] for row in found))
        return given, pred_probs.reshape(len(given), reader.num_classes)
