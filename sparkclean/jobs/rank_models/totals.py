"""What tasks add up of answers, as rows that add up again. Runs on executors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

#: Items with a valid label; with a bad one; and the bad ones that have a corrected label, by that.
STRATA = VALID, BAD, FIXED = 0, 1, 2
#: What is added up. Of pairs of models, row a holds the counts from model a on.
HITS, LOSS_PAIRS = "hits", "loss pairs"
RIGHT, PREDICTED, CLASS_ITEMS = "right", "predicted", "class items"
LOSSES, ITEMS = "losses", "items"
PAIRS = (HITS, LOSS_PAIRS)
#: Before the name of what is wrong with items.
PROBLEM = "problem "

#: Columns of the rows: what, stratum, row of a matrix, integers as bytes, ids of a problem.
COLUMNS = (
    ("part", "string"), ("stratum", "int"), ("place", "int"), ("counts", "binary"),
    ("ids", "array<string>"),
)  # fmt: skip
KEYS = ("part", "stratum", "place")
_SCHEMA = pa.schema(
    [
        ("part", pa.string()),
        ("stratum", pa.int32()),
        ("place", pa.int32()),
        ("counts", pa.binary()),
        ("ids", pa.list_(pa.string())),
    ]
)
#: Record ids that an error names.
SHOWN = 5
#: Bytes of counts in one batch.
_BATCH_BYTES = 8 << 20

Key = tuple[str, int, int]


@dataclass
class Totals:
    """Integers by key, and the first record ids of each problem.

    Attributes
    ----------
    counts : dict
        Arrays of int64, by part, stratum and place.
    ids : dict
        Of problems, the `SHOWN` smallest, as text.
    """

    counts: dict[Key, NDArray[np.int64]] = field(default_factory=dict)
    ids: dict[Key, list[str]] = field(default_factory=dict)

    def add(self, key: Key, counts: NDArray[np.int64], ids: Iterable[str] = ()) -> None:
        """Add integers under a key."""
        before = self.counts.get(key)
        self.counts[key] = counts.copy() if before is None else before + counts
        if key[0].startswith(PROBLEM):
            known = {*self.ids.get(key, ()), *ids}
            self.ids[key] = sorted(known, key=_natural)[:SHOWN]

    def add_batch(self, batch: pa.RecordBatch) -> None:
        """Add the rows that `batches` gives."""
        for row in batch.to_pylist():
            key = (row["part"], row["stratum"], row["place"])
            self.add(key, np.frombuffer(row["counts"], "<i8"), row["ids"] or ())

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Give all of it as rows, in the order of the keys."""
        rows: list[dict[str, object]] = []
        size = 0
        for key in sorted(self.counts):
            counts = self.counts[key].astype("<i8").tobytes()
            size += len(counts)
            row = dict(zip(KEYS, key, strict=True))
            rows.append({**row, "counts": counts, "ids": self.ids.get(key)})
            if size > _BATCH_BYTES:
                yield pa.RecordBatch.from_pylist(rows, _SCHEMA)
                rows, size = [], 0
        if rows:
            yield pa.RecordBatch.from_pylist(rows, _SCHEMA)


def add_up(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Add up the rows of several tasks; all rows of a key are in one task."""
    totals = Totals()
    for batch in batches:
        totals.add_batch(batch)
    yield from totals.batches()


def _natural(text: str) -> tuple[int, str]:
    """Sort texts of integers as integers."""
    return (len(text), text) if text.lstrip("-").isdigit() else (1 << 30, text)
