"""What all scans share, and the DataFrame scan.

`mapInArrow` over the narrow input frame; works everywhere, also where files are governed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from sparkclean.cluster.batches import BatchReader
from sparkclean.cluster.streams import FrameStream, Stream
from sparkclean.cluster.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Sample = tuple[NDArray[np.int64], NDArray[np.float64]]


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

    def stream(self, workspace: Workspace) -> Stream:
        """Give the rows that a kernel reads: record ids, label, probabilities."""

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

    def stream(self, workspace: Workspace) -> Stream:
        """Give the rows that a kernel reads: record ids, label, probabilities."""
        return FrameStream(self.frame, workspace, -1)

    def sample(self) -> None:
        """Take no sample: it could cost as much as a pass."""

    def collect_rising_ids(self) -> None:
        """See nothing: rows come in no order that could be relied on."""
