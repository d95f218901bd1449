"""What tasks read of each example: the model's view of its label.

Runs on executors: numpy and pyarrow only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from sparkclean.examples.batches import BatchReader
from sparkclean.rows.emitted import ANY_KEYS, KIND, id_fields, state_fields, to_batch
from sparkclean.rows.types import Fields

OWN, GIVEN, BEST = "own", "given", "best"


@dataclass(frozen=True)
class ReadViews:
    """Emits of each admitted example the given class, its probability and the best other class.

    Attributes
    ----------
    reader : BatchReader
    id_types : tuple of str
        Spark types of the record id columns.
    """

    keys: ClassVar[tuple[str, str]] = ANY_KEYS
    kinds: ClassVar[tuple[int, ...]] = (0,)
    state_kinds: ClassVar[tuple[int, ...]] = ()

    reader: BatchReader
    id_types: tuple[str, ...]

    @property
    def fields(self) -> Fields:
        """Columns of the output."""
        own = ((GIVEN, "int"), (BEST, "int"), (OWN, "double"))
        return (*state_fields(self.keys), *id_fields(self.id_types), *own)

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield a row for each example that an audit admits."""
        for rows, _ in self.reader.chunks(batches):
            if not len(rows.given):
                continue
            others = rows.pred_probs.astype(np.float64)
            places = np.arange(len(rows.given))
            own = others[places, rows.given].copy()
            others[places, rows.given] = -1.0
            found = {GIVEN: rows.given, BEST: others.argmax(axis=1), OWN: own}
            yield to_batch({KIND: 0, "ids": rows.ids, **found}, self.fields)
