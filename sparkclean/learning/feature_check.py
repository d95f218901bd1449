"""Look at the features of files, and count rows by fold and label, while reading them once.

Runs on executors: numpy and pyarrow only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sparkclean.examples.batches import LABEL
from sparkclean.learning.feature_reader import FEATURE_PREFIX, FeatureReader
from sparkclean.learning.scored import FOLD
from sparkclean.rows.row_groups import RowGroups

#: Column of the rows that were counted.
ROWS = "__rows"
#: Fold by which a task says that its rows cannot be counted, or a feature cannot be used.
UNFIT = -1
#: Pairs of fold and label that a task counts.
_MOST_COUNTS = 100_000


class _UnfitError(Exception):
    """Rows are not what all of them must be."""


@dataclass(frozen=True)
class CheckFeatures:
    """Looks at the features of tasks, notes their folds, and counts rows by fold and label.

    Attributes
    ----------
    reader : FeatureReader
    impute : bool
        Whether numbers may be missing.
    """

    reader: FeatureReader
    impute: bool

    def __call__(
        self, task: Sequence[RowGroups], batches: Iterable[pa.RecordBatch]
    ) -> Iterator[pa.RecordBatch]:
        """Yield `FOLD`, label and `ROWS`; one row of the fold `UNFIT` says that something is wrong.

        Memory: twice the numbers of a batch, and 100,000 counts.
        """
        counts: Counter[tuple[int, Any]] = Counter()
        kind = pa.null()
        try:
            with self.reader.notes.write(task) as note:
                for batch in batches:
                    label = batch.column(LABEL)
                    kind = label.type
                    fold = self._check(batch)
                    note(fold)
                    _count(counts, fold.to_numpy(), label)
        except _UnfitError:
            counts = Counter({(UNFIT, None): 1})
        keys = list(counts)
        columns = [
            pa.array([fold for fold, _ in keys], pa.int32()),
            pa.array([value for _, value in keys], kind),
            pa.array(counts.values(), pa.int64()),
        ]
        yield pa.RecordBatch.from_arrays(columns, [FOLD, LABEL, ROWS])

    def _check(self, batch: pa.RecordBatch) -> pa.Array:
        """Give the folds of a batch whose features can all be used."""
        for i, length in enumerate(self.reader.lengths):
            column = batch.column(f"{FEATURE_PREFIX}{i}")
            if not pa.types.is_list(column.type):
                continue
            ends = set(pc.min_max(pc.list_value_length(column)).as_py().values())
            if not ends <= ({length, None} if self.impute else {length}) or (
                column.null_count and not self.impute
            ):
                raise _UnfitError
        numbers = self.reader.numbers(batch)
        if self.impute:
            if np.isinf(numbers).any():
                raise _UnfitError
        elif not np.isfinite([numbers.min(), numbers.max()]).all():  # NaN is both, where there is
            raise _UnfitError
        return self.reader.folds(numbers)


def _count(counts: Counter[tuple[int, Any]], fold: NDArray[np.integer], label: pa.Array) -> None:
    """Count the rows of a batch by fold and label, null among them; only so many pairs."""
    encoded = label.dictionary_encode()
    values = [*encoded.dictionary.to_pylist(), None]
    codes = encoded.indices.fill_null(len(values) - 1).to_numpy()
    found = np.bincount(fold.astype(np.int64) * len(values) + codes)
    for code in np.flatnonzero(found).tolist():
        counts[code // len(values), values[code % len(values)]] += int(found[code])
    if len(counts) > _MOST_COUNTS:
        raise _UnfitError
