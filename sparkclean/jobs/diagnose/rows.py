"""From probabilities to a few numbers for each row, and expected counts. Runs on executors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sparkclean.examples.batches import Admitted, BatchReader
from sparkclean.noise.diagnosis.buckets import confidence_buckets
from sparkclean.numbers.fixed_point import ONE, to_fixed
from sparkclean.rows.emitted import ID_PREFIX

#: Columns that are added: classes, bucket of confidence, 1 - p(predicted) in units of 2**-40.
GIVEN, PREDICTED, BUCKET, DOUBT = "given", "predicted", "bucket", "doubt"
#: Columns of subjects, with their number behind; half by hash of the record id; order in the file.
SUBJECT, HALF, POSITION = "subject_", "half", "position"
#: Given class of a row that is rejected; `PREDICTED` is then the number of its reason.
REJECTED = -1

#: Numbers of expected counts: `EXPECTED_FIELDS`.
EXPECTED_FIELDS = "cell int, expected decimal(38,0), rows bigint"
#: Rows after which a task hands on its sums: they stay below 2**63.
_FLUSH = 1 << 22


@dataclass(frozen=True)
class ReduceRows:
    """A function over rows: probabilities become a few numbers.

    Attributes
    ----------
    reader : BatchReader
    kept : tuple of str
        Columns that stay as they are, record ids among them.
    """

    reader: BatchReader
    kept: tuple[str, ...]

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the kept columns, and `GIVEN`, `PREDICTED`, `BUCKET` and `DOUBT`."""
        for part, rows in _chunks(self.reader, batches):
            count = len(part)
            given = np.full(count, REJECTED, np.int64)
            predicted, bucket = np.zeros(count, np.int64), np.zeros(count, np.int64)
            doubt = np.zeros(count, np.int64)
            place = rows.ids[0].to_numpy()
            best = rows.pred_probs.argmax(axis=1)
            highest = rows.pred_probs[np.arange(len(best)), best]
            given[place], predicted[place] = rows.given, best
            bucket[place] = confidence_buckets(highest)
            doubt[place] = (ONE - to_fixed(highest)).astype(np.int64)
            columns = [part.column(name) for name in self.kept]
            columns += [pa.array(of.astype(np.int32)) for of in (given, predicted, bucket)]
            names = [*self.kept, GIVEN, PREDICTED, BUCKET, DOUBT]
            yield pa.RecordBatch.from_arrays([*columns, pa.array(doubt)], names)


def _chunks(
    reader: BatchReader, batches: Iterable[pa.RecordBatch]
) -> Iterator[tuple[pa.RecordBatch, Admitted]]:
    """Read batches in parts; the record id of an admitted row is its position in the part."""
    for batch in batches:
        for start in range(0, batch.num_rows, reader.chunk_rows):
            part = batch.slice(start, reader.chunk_rows)
            place = pa.array(np.arange(len(part)))
            names = [*part.schema.names, "__place"]
            arrays = [*part.columns, place]
            renamed = [
                f"{ID_PREFIX}0" if name == "__place" else f"_{name}" if name == f"{ID_PREFIX}0"
                else name
                for name in names
            ]  # fmt: skip
            admitted, _ = reader.read(pa.RecordBatch.from_arrays(arrays, renamed))
            yield part, admitted


@dataclass(frozen=True)
class ExpectCells:
    """A function over rows: how often the model expects a given class in some cells.

    Attributes
    ----------
    reader : BatchReader
    subjects : tuple of str
        Columns of subjects.
    cells : tuple of dict
        For each of them: names of subjects and predicted classes to given classes and numbers of
        the cells. The name None stands for all rows that have a subject.
    size : int
        Number of all cells.
    """

    reader: BatchReader
    subjects: tuple[str, ...]
    cells: tuple[dict[tuple[str | None, int], tuple[list[int], list[int]]], ...]
    size: int

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield sums by cell: `EXPECTED_FIELDS`."""
        sums = _Sums(self.size)
        for part, rows in _chunks(self.reader, batches):
            self._add(sums, part, rows)
            if sums.added > _FLUSH:
                yield from sums.flush()
        yield from sums.flush()

    def _add(self, sums: _Sums, part: pa.RecordBatch, rows: Admitted) -> None:
        place = rows.ids[0].to_numpy()
        best = rows.pred_probs.argmax(axis=1)
        sums.added += len(best)
        by_class = _groups(best)
        for column, cells in zip(self.subjects, self.cells, strict=True):
            encoded = part.column(column).dictionary_encode()
            names = encoded.dictionary.to_pylist()
            codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)[place]
            for predicted, mine in by_class.items():
                if (None, predicted) not in cells:
                    continue
                known = mine[codes[mine] >= 0]
                sums.add(rows, known, *cells[None, predicted])
                for code, own in _groups(codes[known]).items():
                    wanted = cells.get((names[code], predicted))
                    if wanted is not None:
                        sums.add(rows, known[own], *wanted)


def _groups(values: NDArray[np.integer]) -> dict[int, NDArray[np.int64]]:
    """Give the positions of each value."""
    order = np.argsort(values, kind="stable")
    starts = np.flatnonzero(np.diff(values[order], prepend=-1))
    ends = [*starts[1:], len(order)]
    return {int(values[order[s]]): order[s:e] for s, e in zip(starts, ends, strict=True)}


@dataclass
class _Sums:
    """Sums of a task by cell."""

    size: int
    added: int = 0
    expected: NDArray[np.int64] = field(init=False)
    rows: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self.added = 0
        self.expected, self.rows = np.zeros(self.size, np.int64), np.zeros(self.size, np.int64)

    def add(
        self, rows: Admitted, mine: NDArray[np.int64], given: list[int], cell: list[int]
    ) -> None:
        fixed = to_fixed(rows.pred_probs[mine][:, given]).astype(np.int64)
        self.expected[cell] += fixed.sum(axis=0)
        self.rows[cell] += len(mine)

    def flush(self) -> Iterator[pa.RecordBatch]:
        there = np.flatnonzero(self.rows)
        if len(there):
            expected = pa.array(self.expected[there]).cast(pa.decimal128(38, 0))
            arrays = [pa.array(there.astype(np.int32)), expected, pa.array(self.rows[there])]
            yield pa.RecordBatch.from_arrays(arrays, ["cell", "expected", "rows"])
        self._clear()
