"""Rows that a pass has emitted, as the tasks of later jobs read them.

Runs on executors: numpy and pyarrow only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sparkclean.confident.filters import agrees, predicted_classes
from sparkclean.confident.joint import UNDECIDED, decide
from sparkclean.rows.emitted import ID_PREFIX


@dataclass(frozen=True)
class Rows:
    """Emitted rows of a batch, column by column."""

    batch: pa.RecordBatch

    def __len__(self) -> int:
        return len(self.batch)

    def floats(self, name: str) -> NDArray[np.float64]:
        """Give a column of numbers."""
        return np.asarray(self.batch.column(name).to_numpy(zero_copy_only=False), np.float64)

    def classes(self, name: str) -> NDArray[np.int64]:
        """Give a column of class indices."""
        return self.batch.column(name).to_numpy(zero_copy_only=False).astype(np.int64)

    @property
    def ids(self) -> list[pa.Array]:
        """Give the record ids."""
        names = [name for name in self.batch.schema.names if name.startswith(ID_PREFIX)]
        return [self.batch.column(name) for name in names]

    def entries(
        self, name: str
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Give row, class and number of all entries of a column of lists."""
        lists = self.batch.column(name)
        lengths = pc.list_value_length(lists).fill_null(0).to_numpy(zero_copy_only=False)
        classes, numbers = lists.flatten().flatten()
        rows = np.repeat(np.arange(len(lists)), lengths)
        return rows, classes.to_numpy().astype(np.int64), numbers.to_numpy().astype(np.float64)

    def outcomes(self, thresholds: NDArray[np.float64], collision: str) -> NDArray[np.int64]:
        """Find the class that each row confidently belongs to."""
        outcome = self.classes("outcome")
        if "entries" not in self.batch.schema.names or not (outcome == UNDECIDED).any():
            return outcome
        return decide(
            outcome,
            self.classes("predicted"),
            self.entries("entries"),
            thresholds,
            collision=collision,
        )

    def agreed(self) -> NDArray[np.bool_]:
        """Tell where the model agrees with the given label."""
        return agrees(*self._given_and_rival())

    def argmax(self) -> NDArray[np.int64]:
        """Find the most probable class."""
        return predicted_classes(*self._given_and_rival())

    def _given_and_rival(
        self,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
        return (
            self.classes("given"),
            self.floats("own"),
            self.classes("other"),
            self.floats("other_probability"),
        )
