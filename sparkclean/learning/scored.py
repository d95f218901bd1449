"""Predicted rows as they leave a task: of any model, with what their quality adds up from.

Runs on executors: numpy and pyarrow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sparkclean.errors import InputError
from sparkclean.examples.batches import LABEL, class_index
from sparkclean.learning.quality import QualitySums
from sparkclean.rows.emitted import ID_PREFIX, KIND, STATE, state_fields
from sparkclean.rows.types import Fields
from sparkclean.schema import PRED_PROBS

#: Fold of a row; its place in the order of training rows; its inner fold, for calibration.
FOLD, PLACE, INNER = "__fold", "__place", "__inner"
INNER_FOLDS = 3
#: Kinds: sums of quality, which are state, and predicted rows.
PREDICTIVE, PREDICTED = 0, 1
_STATE_TYPES = (pa.int32(), pa.int32(), pa.list_(pa.int64()))


@dataclass(frozen=True)
class PredictedRows:
    """What predicted rows are like.

    Attributes
    ----------
    classes : tuple
        The K labels.
    id_types : tuple of str
        Spark types of the record id columns.
    label_type : str
    """

    keys: ClassVar[tuple[str, str]] = ("fold", "place")
    kinds: ClassVar[tuple[int, ...]] = (PREDICTED,)
    state_kinds: ClassVar[tuple[int, ...]] = (PREDICTIVE,)

    classes: tuple[Any, ...]
    id_types: tuple[str, ...]
    label_type: str

    @property
    def fields(self) -> Fields:
        """Columns of the output."""
        ids = tuple((f"{ID_PREFIX}{i}", kind) for i, kind in enumerate(self.id_types))
        own = ((LABEL, self.label_type), (PRED_PROBS, "array<float>"), (FOLD, "int"))
        return (*state_fields(self.keys), *ids, *own)

    def emit(
        self, batch: pa.RecordBatch, fold: int, probs: NDArray[np.floating], sums: QualitySums
    ) -> pa.RecordBatch:
        """Build the output of rows of one fold, and add them to the sums.

        Parameters
        ----------
        batch : pyarrow.RecordBatch
            N rows with record ids, label and fold.
        fold : int
        probs : ndarray of float, shape (N, K)
        sums : QualitySums

        Returns
        -------
        pyarrow.RecordBatch
            By `fields`; probabilities as float32.

        Raises
        ------
        InputError
            If a probability is NaN or infinite.
        """
        probs = probs.astype(np.float32)
        if not np.isfinite(probs).all():
            raise InputError(f"the model of fold {fold} predicts NaN; choose another one")
        given = class_index(batch.column(LABEL), self.classes)
        known = np.flatnonzero(given >= 0)
        sums.add(np.full(len(known), fold), given[known], probs[known])
        count = batch.num_rows
        lists = pa.ListArray.from_arrays(
            pa.array(np.arange(count + 1, dtype=np.int32) * len(self.classes)),
            pa.array(probs.ravel()),
        )
        ids = [batch.column(f"{ID_PREFIX}{i}") for i in range(len(self.id_types))]
        own = [batch.column(LABEL), lists, batch.column(FOLD)]
        kind = pa.repeat(pa.scalar(PREDICTED, pa.int8()), count)
        state = [pa.nulls(count, kind) for kind in _STATE_TYPES]
        names = [name for name, _ in self.fields]
        return pa.RecordBatch.from_arrays([kind, *state, *ids, *own], names)

    def emit_state(self, sums: QualitySums) -> Iterator[pa.RecordBatch]:
        """Yield the sums, a row for each fold and place; nothing where there were no rows."""
        state = sums.state()
        fold, place = np.nonzero(state[:, :, 0])
        if not len(fold):
            return
        columns = [
            pa.repeat(pa.scalar(PREDICTIVE, pa.int8()), len(fold)),
            pa.array(fold, pa.int32()),
            pa.array(place, pa.int32()),
            pa.array(state[fold, place].tolist(), pa.list_(pa.int64())),
        ]
        yield pa.RecordBatch.from_arrays(columns, [KIND, *self.keys, STATE])
