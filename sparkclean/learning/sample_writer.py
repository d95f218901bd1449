"""What tasks do to sample training rows: those whose hash is low, as `is_sampled` tells.

Runs on executors: numpy and pyarrow only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sparkclean.examples.batches import LABEL, class_index
from sparkclean.learning.features import NUMBERS
from sparkclean.learning.hashing import hash_integers, hash_numbers
from sparkclean.learning.scored import INNER, INNER_FOLDS, PLACE
from sparkclean.rows.emitted import ANY_KEYS, ID_PREFIX, KIND
from sparkclean.rows.types import Fields

#: Kind of sampled rows.
SAMPLED = 0


@dataclass(frozen=True)
class SampleRows:
    """Gives the training rows, with place and inner fold.

    Attributes
    ----------
    num_ids : int
        Columns of the record id, which are integers.
    place_seed, inner_seed : int
        Hashes of what stands before the features.
    classes : tuple
        The K labels.
    last : ndarray of int64, shape (K,)
        Last place of each class that is sampled.
    sampled : ndarray of bool, shape (K,)
        Whether a class is.
    """

    keys: ClassVar[tuple[str, str]] = ANY_KEYS
    kinds: ClassVar[tuple[int, ...]] = (SAMPLED,)
    state_kinds: ClassVar[tuple[int, ...]] = ()
    fields: ClassVar[Fields] = ()  # the files are not read by Spark

    num_ids: int
    place_seed: int
    inner_seed: int
    classes: tuple[Any, ...]
    last: NDArray[np.int64]
    sampled: NDArray[np.bool_]

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield what of each batch is sampled. Memory: a batch, twice."""
        for batch in batches:
            lists = batch.column(NUMBERS)
            numbers = lists.flatten().to_numpy().reshape(len(batch), -1)
            place = hash_numbers(numbers, self.place_seed)
            for i in range(self.num_ids):
                place = hash_integers(batch.column(f"{ID_PREFIX}{i}").to_numpy(), place)
            given = class_index(batch.column(LABEL), self.classes)
            kept = np.flatnonzero((given >= 0) & self.sampled[given] & (place <= self.last[given]))
            if not len(kept):
                continue
            inner = np.mod(hash_numbers(numbers[kept], self.inner_seed), INNER_FOLDS)
            rows = batch.take(pa.array(kept))
            columns = [
                pa.repeat(pa.scalar(SAMPLED, pa.int8()), len(kept)),
                *rows.columns,
                pa.array(inner.astype(np.int32)),
                pa.array(place[kept]),
            ]
            yield pa.RecordBatch.from_arrays(columns, [KIND, *rows.schema.names, INNER, PLACE])
