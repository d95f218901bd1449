"""What tasks do for models of Spark ML: texts become vectors, vectors of classes probabilities.

Runs on executors: numpy, pyarrow, scipy and scikit-learn.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sparkclean.errors import InputError
from sparkclean.examples.batches import PROBS
from sparkclean.learning.calibration import Calibration
from sparkclean.learning.chosen_calibration import ChosenCalibration, HeldOut, choose_calibration
from sparkclean.learning.encoding import Encoding
from sparkclean.learning.features import HASHED, NUMBERS, TEXT_PREFIX, hash_texts, read_block
from sparkclean.learning.models import correct
from sparkclean.learning.quality import QualitySums
from sparkclean.learning.scored import FOLD, PredictedRows

#: How Spark ML stores a vector, which is how it reads one.
VECTOR_TYPE = "struct<type:tinyint,size:int,indices:array<int>,values:array<double>>"
#: Class of a row of held-out predictions.
GIVEN = "__given"
#: Number of the inner model that has predicted it.
MODEL = "__model"
_SPARSE = 0
_TEXT_ROWS = 1024


@dataclass(frozen=True)
class HashTexts:
    """Puts the hashed n-grams of texts in their place, as sparse vectors.

    Attributes
    ----------
    num_texts : int
    """

    num_texts: int

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the rows. Memory: the n-grams of 1,024 rows."""
        for batch in batches:
            for start in range(0, batch.num_rows, _TEXT_ROWS):
                yield self._hash(batch.slice(start, _TEXT_ROWS))

    def _hash(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        for i in range(self.num_texts):
            name = f"{TEXT_PREFIX}{i}"
            columns[name] = _to_vectors([text or "" for text in columns[name].to_pylist()])
        return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


@dataclass(frozen=True)
class ExpandNumbers:
    """Puts what a model sees of categories and dates in the place of their numbers.

    Attributes
    ----------
    encoding : Encoding
    num_numbers : int
        D.
    """

    encoding: Encoding
    num_numbers: int

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the rows. Memory: the columns of 1,024 rows."""
        for batch in batches:
            for start in range(0, batch.num_rows, _TEXT_ROWS):
                part = batch.slice(start, _TEXT_ROWS)
                block = read_block(part, self.num_numbers, 0)
                numbers = np.hstack(self.encoding.split(block.numbers))
                offsets = np.arange(len(numbers) + 1, dtype=np.int32) * numbers.shape[1]
                columns = dict(zip(part.schema.names, part.columns, strict=True))
                columns[NUMBERS] = pa.ListArray.from_arrays(
                    pa.array(offsets), pa.array(numbers.ravel())
                )
                yield pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


def _to_vectors(texts: list[str]) -> pa.StructArray:
    counts = hash_texts(texts)
    counts.sort_indices()
    offsets = pa.array(counts.indptr, pa.int32())
    parts = {
        "type": pa.array(np.full(len(texts), _SPARSE, np.int8)),
        "size": pa.array(np.full(len(texts), HASHED, np.int32)),
        "indices": pa.ListArray.from_arrays(offsets, pa.array(counts.indices, pa.int32())),
        "values": pa.ListArray.from_arrays(offsets, pa.array(counts.data, pa.float64())),
    }
    return pa.StructArray.from_arrays(list(parts.values()), list(parts))


@dataclass(frozen=True)
class FoldFacts:
    """What belongs to a model of Spark ML, beside itself.

    Attributes
    ----------
    trained : tuple of int, length M
        The classes that it was trained on, in the order of its probabilities.
    means : ndarray of float64, shape (D,), or None
        What missing numbers are taken for.
    calibration : Calibration
    shares : ndarray of float64, shape (K,)
        Of the rows of each class that were sampled.
    """

    trained: tuple[int, ...]
    means: NDArray[np.float64] | None
    calibration: Calibration
    shares: NDArray[np.float64]


@dataclass(frozen=True)
class EmitPredictions(PredictedRows):
    """Makes predicted rows of what models of Spark ML have said.

    Attributes
    ----------
    facts : mapping
        By fold.
    """

    facts: Mapping[int, FoldFacts]

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield predicted rows, then what their quality adds up from."""
        sums = QualitySums(len(self.facts), len(self.classes))
        for batch in batches:
            folds = batch.column(FOLD).to_numpy()
            for fold in np.unique(folds).tolist():
                rows = batch.take(pa.array(np.flatnonzero(folds == fold)))
                facts = self.facts[fold]
                raw = read_probs(rows, facts.trained, len(self.classes), f"fold {fold}")
                yield self.emit(rows, fold, correct(raw, facts.calibration, facts.shares), sums)
        yield from self.emit_state(sums)


@dataclass(frozen=True)
class FitCalibration:
    """Fits the calibration of a fold on all rows that come: one task only.

    Attributes
    ----------
    method : str
    trained : tuple of tuple of int
        The classes of each inner model.
    num_classes : int
        K.
    fold : int
    """

    method: str
    trained: tuple[tuple[int, ...], ...]
    num_classes: int
    fold: int

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield what was chosen, pickled, or what is wrong with the probabilities.

        Memory: the probabilities of all rows, and a few copies.
        """
        found, problem = None, None
        try:
            found = pickle.dumps(self._fit(batches))
        except InputError as exc:  # told, not raised: Spark would try it again
            problem = str(exc)
        columns = [pa.array([found], pa.binary()), pa.array([problem], pa.string())]
        yield pa.RecordBatch.from_arrays(columns, ["calibration", "problem"])

    def _fit(self, batches: Iterable[pa.RecordBatch]) -> ChosenCalibration:
        probs, given = [np.zeros((0, self.num_classes))], [np.zeros(0, np.int64)]
        inner = [np.zeros(0, np.int64)]
        for batch in batches:
            models = batch.column(MODEL).to_numpy()
            for i in np.unique(models).tolist():
                rows = batch.take(pa.array(np.flatnonzero(models == i)))
                name = f"fold {self.fold}, inner fold {i},"
                probs.append(read_probs(rows, self.trained[i], self.num_classes, name))
                given.append(rows.column(GIVEN).to_numpy().astype(np.int64))
                inner.append(np.full(len(rows), i))
        seen = np.array([np.isin(np.arange(self.num_classes), known) for known in self.trained])
        held = HeldOut(np.concatenate(probs), np.concatenate(given), np.concatenate(inner), seen)
        return choose_calibration(self.method, held)


def read_probs(
    batch: pa.RecordBatch, trained: tuple[int, ...], num_classes: int, name: str
) -> NDArray[np.float64]:
    """Read probabilities of the classes of a model, and spread them over all K.

    Parameters
    ----------
    batch : pyarrow.RecordBatch
        N rows with `PROBS`, lists of up to M numbers: a model that has seen no row of the last
        classes may not know of them.
    trained : tuple of int, length M
    num_classes : int
        K.
    name : str
        Of the fold, for the message.

    Returns
    -------
    ndarray of float64, shape (N, K)
        0 for classes that were not trained on.

    Raises
    ------
    InputError
        If lists are of different lengths or too long, or a number is missing, NaN or infinite.
    """
    column = batch.column(PROBS)
    lengths = np.unique(pc.list_value_length(column).fill_null(-1).to_numpy())
    if len(lengths) != 1 or not 0 < lengths[0] <= len(trained):
        raise InputError(
            f"the model of {name} predicts {', '.join(map(str, lengths.tolist()))} probabilities "
            f"where it was trained on {len(trained)} classes; choose another one"
        )
    values = column.flatten().to_numpy(zero_copy_only=False).astype(np.float64, copy=False)
    if not np.isfinite(values).all():
        raise InputError(f"the model of {name} predicts NaN; choose another one")
    probs = np.zeros((batch.num_rows, num_classes))
    probs[:, list(trained[: lengths[0]])] = values.reshape(batch.num_rows, -1)
    return probs
