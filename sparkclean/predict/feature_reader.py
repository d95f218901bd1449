"""Features as files have them, turned into what a prediction reads; the fold of a row by its hash.

Runs on executors: numpy and pyarrow only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sparkclean.cluster.batches import ID_PREFIX, LABEL
from sparkclean.cluster.row_groups import RowGroups
from sparkclean.predict.features import NUMBERS
from sparkclean.predict.fold_notes import FoldNotes
from sparkclean.predict.scored import FOLD

#: Columns of features, by their position: single numbers, then lists of numbers.
FEATURE_PREFIX = "__feature_"
# The primes of xxHash64.
_P1 = np.uint64(0x9E3779B185EBCA87)
_P2 = np.uint64(0xC2B2AE3D27D4EB4F)
_P3 = np.uint64(0x165667B19E3779F9)
_P4 = np.uint64(0x85EBCA77C2B2AE63)
_P5 = np.uint64(0x27D4EB2F165667C5)
_NUMBER_BYTES = np.uint64(8)
#: Columns that are turned into rows at once: with 16,384 rows a megabyte, which a core keeps.
_COLUMNS = 8


def hash_numbers(numbers: NDArray[np.floating], seed: int) -> NDArray[np.int64]:
    """Hash rows of numbers as Spark's ``xxhash64`` does.

    Parameters
    ----------
    numbers : ndarray of float, shape (N, D)
    seed : int
        Hash of what comes before the numbers, or 42.

    Returns
    -------
    ndarray of int64, shape (N,)

    Notes
    -----
    Of each number in turn the 8 bytes of its float64, all rows at once; the hash so far is the
    seed. Zeros are one number, and so are NaN. See https://github.com/Cyan4973/xxHash, XXH64 of
    less than 32 bytes.
    """
    hashed = np.full(len(numbers), np.int64(seed).view(np.uint64))
    spare = np.empty_like(hashed)
    for first in range(0, numbers.shape[1], _COLUMNS):
        columns = np.array(numbers[:, first : first + _COLUMNS].T, np.float64, order="C")
        columns += 0.0  # -0.0 becomes 0.0
        if columns.size and np.isnan(columns.min()):
            columns[np.isnan(columns)] = np.nan
        for column in columns.view(np.uint64):
            np.multiply(column, _P2, out=column)
            _rotate(column, 31, spare)
            np.multiply(column, _P1, out=column)
            hashed += _P5 + _NUMBER_BYTES
            hashed ^= column
            _rotate(hashed, 27, spare)
            hashed *= _P1
            hashed += _P4
            for shift, prime in ((33, _P2), (29, _P3), (32, None)):
                np.right_shift(hashed, np.uint64(shift), out=spare)
                hashed ^= spare
                if prime is not None:
                    hashed *= prime
    return hashed.view(np.int64)


def _rotate(values: NDArray[np.uint64], left: int, spare: NDArray[np.uint64]) -> None:
    np.right_shift(values, np.uint64(64 - left), out=spare)
    np.left_shift(values, np.uint64(left), out=values)
    values |= spare


@dataclass(frozen=True)
class FeatureReader:
    """Turns columns of files into those of `sparkclean.predict.columns.narrow`.

    Attributes
    ----------
    num_ids, num_columns : int
        Columns of the record id, and of features.
    fold_seed : int
        Hash of what stands before the features.
    n_folds : int
    notes : FoldNotes
        Of `CheckFeatures`: to hash takes a fifth of the time of a cheap model.
    """

    num_ids: int
    num_columns: int
    fold_seed: int
    n_folds: int
    notes: FoldNotes

    def __call__(
        self, task: Sequence[RowGroups], batches: Iterable[pa.RecordBatch]
    ) -> Iterator[pa.RecordBatch]:
        """Yield record ids, label, numbers and fold of each row; no places.

        Memory: twice the numbers of a batch.
        """
        names = [*(f"{ID_PREFIX}{i}" for i in range(self.num_ids)), LABEL]
        noted = self.notes.read(task)
        for batch in batches:
            numbers = self.numbers(batch)
            fold = self.folds(numbers) if noted is None else next(noted)
            # of one size, which Arrow takes apart by fold many times faster than other lists
            lists = pa.FixedSizeListArray.from_arrays(
                pa.array(numbers.reshape(-1)), numbers.shape[1]
            )
            columns = [*(batch.column(name) for name in names), lists, fold]
            yield pa.RecordBatch.from_arrays(columns, [*names, NUMBERS, FOLD])

    def numbers(self, batch: pa.RecordBatch) -> NDArray[np.floating]:
        """Read the features of a batch of the files, an (N, D) matrix of float32 or float64."""
        features = [batch.column(f"{FEATURE_PREFIX}{i}") for i in range(self.num_columns)]
        parts = [read_numbers(column) for column in features]
        return parts[0] if len(parts) == 1 else np.hstack(parts)

    def folds(self, numbers: NDArray[np.floating]) -> pa.Array:
        """Find the fold of each row by the hash of its features."""
        hashed = hash_numbers(numbers, self.fold_seed)
        return pa.array(np.mod(hashed, self.n_folds).astype(np.int32))


def read_numbers(column: pa.Array) -> NDArray[np.floating]:
    """Read a column of numbers, or of lists that are all of one length.

    Parameters
    ----------
    column : pyarrow.Array
        No list is null.

    Returns
    -------
    ndarray of float32 or float64, shape (N, D)
        D is 1 for a column of numbers. Null numbers are NaN.
    """
    values = pc.list_flatten(column) if pa.types.is_list(column.type) else column
    if values.null_count:
        values = values.cast(pa.float64(), safe=False).fill_null(float("nan"))
    numbers = values.to_numpy(zero_copy_only=False)  # booleans are bits
    if numbers.dtype != np.float32:  # of which Spark makes the same float64, later
        numbers = numbers.astype(np.float64, copy=False)
    return numbers.reshape(len(column), -1)
