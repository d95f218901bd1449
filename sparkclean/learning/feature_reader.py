"""Features as files have them, turned into what a prediction reads, and the fold of each row.

Runs on executors: numpy and pyarrow only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sparkclean.examples.batches import LABEL
from sparkclean.learning.encoding import read_codes
from sparkclean.learning.features import NUMBERS
from sparkclean.learning.fold_notes import FoldNotes
from sparkclean.learning.hashing import hash_numbers
from sparkclean.learning.scored import FOLD
from sparkclean.rows.emitted import ID_PREFIX
from sparkclean.rows.row_groups import RowGroups

#: Columns of features, by their position: single numbers, then lists of numbers.
FEATURE_PREFIX = "__feature_"


@dataclass(frozen=True)
class FeatureReader:
    """Turns columns of files into those of `sparkclean.learning.columns.narrow`.

    Attributes
    ----------
    num_ids : int
        Columns of the record id.
    lengths : tuple of int
        Of all lists of each column of features; 1 for a column of numbers, or of a category.
    fold_seed : int
        Hash of what stands before the features.
    n_folds : int
    values : mapping
        Values of each category, by the position of its column.
    notes : FoldNotes
        Of `CheckFeatures`: to hash takes a fifth of the time of a cheap model.
    """

    num_ids: int
    lengths: tuple[int, ...]
    fold_seed: int
    n_folds: int
    notes: FoldNotes
    values: Mapping[int, tuple[str, ...]] = field(default_factory=dict)

    def __call__(
        self, task: Sequence[RowGroups], batches: Iterable[pa.RecordBatch]
    ) -> Iterator[pa.RecordBatch]:
        """Yield record ids, label, numbers and fold of each row; no training positions.

        Memory: twice the numbers of a batch.
        """
        names = [*(f"{ID_PREFIX}{i}" for i in range(self.num_ids)), LABEL]
        noted = self.notes.read(task)
        for batch in batches:
            numbers = self.numbers(batch)
            fold = next(noted, None)
            if fold is None or len(fold) != len(batch):  # a note of the batch is there, usually
                fold = self.folds(numbers)
            # of one size, which Arrow takes apart by fold many times faster than other lists
            lists = pa.FixedSizeListArray.from_arrays(
                pa.array(numbers.reshape(-1)), numbers.shape[1]
            )
            columns = [*(batch.column(name) for name in names), lists, fold]
            yield pa.RecordBatch.from_arrays(columns, [*names, NUMBERS, FOLD])

    def numbers(self, batch: pa.RecordBatch) -> NDArray[np.floating]:
        """Read the features of a batch of the files, an (N, D) matrix of float32 or float64."""
        parts = [
            read_codes(batch.column(f"{FEATURE_PREFIX}{i}"), self.values[i])[:, None]
            if i in self.values
            else read_numbers(batch.column(f"{FEATURE_PREFIX}{i}"), length)
            for i, length in enumerate(self.lengths)
        ]
        return parts[0] if len(parts) == 1 else np.hstack(parts)

    def folds(self, numbers: NDArray[np.floating]) -> pa.Array:
        """Find the fold of each row by the hash of its features."""
        hashed = hash_numbers(numbers, self.fold_seed)
        return pa.array(np.mod(hashed, self.n_folds).astype(np.int32))


def read_numbers(column: pa.Array, length: int) -> NDArray[np.floating]:
    """Read a column of numbers, or of lists that are all of one length.

    Parameters
    ----------
    column : pyarrow.Array
    length : int
        D, which is 1 for a column of numbers.

    Returns
    -------
    ndarray of float32 or float64, shape (N, D)
        Null numbers are NaN, and so are all numbers of a list that is null.
    """
    if pa.types.is_list(column.type) and column.null_count:
        known = column.is_valid().to_numpy(zero_copy_only=False)
        some = read_numbers(column.drop_null(), length)
        numbers = np.full((len(column), length), np.nan, some.dtype)
        numbers[known] = some
        return numbers
    values = pc.list_flatten(column) if pa.types.is_list(column.type) else column
    if values.null_count:
        kind = values.type if pa.types.is_floating(values.type) else pa.float64()
        values = values.cast(kind, safe=False).fill_null(pa.scalar(float("nan"), kind))
    numbers = values.to_numpy(zero_copy_only=False)  # booleans are bits
    if numbers.dtype != np.float32:  # of which Spark makes the same float64, later
        numbers = numbers.astype(np.float64, copy=False)
    return numbers.reshape(len(column), length)
