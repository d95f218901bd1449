"""What tasks do with suspects that people have looked at: leave out right labels, take decisions.

Runs on executors: numpy and pyarrow only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sparkclean.examples.suspect_totals import SUSPECT, SuspectTotals, suspect_fields
from sparkclean.rows.emitted import ID_PREFIX, KIND, to_batch
from sparkclean.rows.types import Fields
from sparkclean.schema import LABEL_QUALITY, REVIEWED, SUGGESTED_PROBABILITY

#: Class that people have decided; null where they have not.
DECIDED = "__decided"


@dataclass(frozen=True)
class TakeDecisions:
    """Emits suspects again: without those whose label is right, with the labels of decisions.

    Attributes
    ----------
    num_classes : int
        K.
    reason : str
    id_types : tuple of str
        Spark types of the record id columns.
    numbers : tuple of str
        The detector's own columns.
    """

    keys: ClassVar[tuple[str, str]] = SuspectTotals.keys
    kinds: ClassVar[tuple[int, ...]] = (SUSPECT,)
    state_kinds: ClassVar[tuple[int, ...]] = SuspectTotals.state_kinds

    num_classes: int
    reason: str
    id_types: tuple[str, ...]
    numbers: tuple[str, ...]

    @property
    def fields(self) -> Fields:
        """Columns of suspects, and whether they were reviewed."""
        return (*suspect_fields(self.id_types, self.numbers), (REVIEWED, "boolean"))

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Go through the suspects of a task."""
        totals = SuspectTotals(self.num_classes, self.reason)
        for batch in batches:
            is_right = pc.equal(batch.column(DECIDED), batch.column("given"))
            rows = batch.filter(pc.invert(pc.fill_null(is_right, False)))
            if not rows.num_rows:
                continue
            ids = [rows.column(f"{ID_PREFIX}{i}") for i in range(len(self.id_types))]
            decided = rows.column(DECIDED)
            before = rows.column("suggested")
            new = pc.coalesce(decided.cast(before.type), before)
            given, suggested = (_classes(column) for column in (rows.column("given"), new))
            totals.add(ids, given, suggested, rows.column(LABEL_QUALITY).to_numpy())
            found = {name: rows.column(name) for name in (*self.numbers, LABEL_QUALITY)}
            if SUGGESTED_PROBABILITY in found:  # it is that of another label
                changed = pc.not_equal(new, before)
                null = pa.scalar(None, pa.float64())
                found[SUGGESTED_PROBABILITY] = pc.if_else(
                    changed, null, found[SUGGESTED_PROBABILITY]
                )
            yield to_batch(
                {
                    KIND: SUSPECT,
                    "ids": ids,
                    "given": given,
                    "suggested": suggested,
                    REVIEWED: decided.is_valid(),
                    **found,
                },
                self.fields,
            )
        for state in totals.state():
            yield to_batch(state, self.fields)


def _classes(column: pa.Array) -> np.ndarray:
    return column.to_numpy(zero_copy_only=False).astype(np.int64)
