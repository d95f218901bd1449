"""What tasks do: train a model without a fold, and predict that fold by it.

Runs on executors.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sparkclean.cluster.batches import ID_PREFIX, LABEL, class_index
from sparkclean.cluster.row_groups import task_numbers
from sparkclean.predict.calibration import Calibration, fit_calibration
from sparkclean.predict.features import Block, FeatureMatrix, read_block
from sparkclean.predict.models import (
    MANIFEST,
    SCORED_ROWS,
    FoldModel,
    make_estimator,
    predict_all,
    read_models,
    write_model,
)
from sparkclean.predict.quality import QualitySums
from sparkclean.predict.scored import FOLD, PredictedRows

#: Place of a row in the order of training rows; its inner fold, for calibration.
PLACE, INNER = "__place", "__inner"
INNER_FOLDS = 3
TOO_FEW_GROUPS = (
    "predict.calibrate: the training rows fall into too few different groups for "
    f"{INNER_FOLDS} inner folds; set it to none, or group by something finer"
)


@dataclass(frozen=True)
class TrainFolds:
    """Trains the models of the folds whose numbers come.

    Attributes
    ----------
    sample : str
        Folder of Parquet files with the training rows of all folds.
    models : str
        Folder to write to.
    estimator : str or None
    params : mapping
    calibrate : str
    classes : tuple
        The K labels.
    num_numbers, num_texts : int
    shares : ndarray of float64, shape (K,)
        Of the rows of each class that were sampled.
    max_rows : int
        Of a model.
    seed : int
        Of classifiers that draw random numbers and were given no other.
    """

    sample: str
    models: str
    estimator: str | None
    params: Mapping[str, Any]
    calibrate: str
    classes: tuple[Any, ...]
    num_numbers: int
    num_texts: int
    shares: NDArray[np.float64]
    max_rows: int
    seed: int

    def __call__(self, numbers: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield what the manifest says of each model."""
        for fold in task_numbers(numbers):
            entry = self.train(int(fold))
            yield pa.RecordBatch.from_arrays([pa.array([entry])], ["model"])

    def train(self, fold: int) -> str:
        """Train the model that predicts a fold.

        Parameters
        ----------
        fold : int

        Returns
        -------
        str
            JSON of its entry in the manifest.

        Notes
        -----
        Holds all training rows and their matrix. Rows come in the order of their places, so that
        the sums of a training do not depend on how the table was written.
        """
        from threadpoolctl import threadpool_limits  # noqa: PLC0415 (comes with scikit-learn)

        begun = time.monotonic()
        rows = pq.read_table(self.sample, filters=pc.field(FOLD) != fold)
        ids = [(name, "ascending") for name in rows.column_names if name.startswith(ID_PREFIX)]
        rows = rows.sort_by([(PLACE, "ascending"), *ids]).combine_chunks()
        given = class_index(rows.column(LABEL).combine_chunks(), self.classes)
        if len(given) > self.max_rows:
            # of each class the first ones: its places go up to its share
            place = rows.column(PLACE).to_numpy() * 2.0**-64 + 0.5
            order = np.argsort(place / self.shares[given], kind="stable")[: self.max_rows]
            kept = np.sort(order)
            rows, given = rows.take(pa.array(kept)).combine_chunks(), given[kept]
        (batch,) = rows.to_batches()
        del rows
        block = read_block(batch, self.num_numbers, self.num_texts)
        inner = batch.column(INNER).to_numpy()
        found = np.bincount(given, minlength=len(self.classes))
        problem = self._inner_problem(given, inner)
        if problem:
            return json.dumps({"problem": problem})
        with threadpool_limits(1), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            calibration = self._calibration(block, given, inner)
            matrix, estimator = self._fit(block, given)
        model = FoldModel(fold, matrix, estimator, calibration, self.shares)
        said = sorted({str(warning.message).splitlines()[0] for warning in caught})
        entry = write_model(
            Path(self.models), model, training_rows=len(given), seconds=time.monotonic() - begun
        )
        return json.dumps(asdict(entry) | {"warnings": said, "found": found.tolist()})

    def _inner_problem(self, given: NDArray[np.int64], inner: NDArray[np.integer]) -> str:
        """Say why the rows are too few to calibrate by them; empty if they are not."""
        folds = range(INNER_FOLDS) if self.calibrate != "none" else ()
        if all(len(np.unique(given[inner != number])) > 1 for number in folds):
            return ""
        return TOO_FEW_GROUPS

    def _fit(self, block: Block, given: NDArray[np.int64]) -> tuple[FeatureMatrix, Any]:
        matrix = FeatureMatrix().fit(block)
        estimator = make_estimator(self.estimator, self.params, sparse=self.num_texts > 0)
        known = estimator.get_params() if hasattr(estimator, "get_params") else {}
        drawn = [name for name in known if name.split("__")[-1] == "random_state"]
        estimator.set_params(**{n: self.seed for n in drawn if known[n] is None})
        return matrix, estimator.fit(matrix.transform(block), given)

    def _calibration(
        self, block: Block, given: NDArray[np.int64], inner: NDArray[np.integer]
    ) -> Calibration:
        """Calibrate on rows that were not trained on, by folds within the training rows."""
        num_classes = len(self.classes)
        probs = np.zeros((len(given), num_classes))
        if self.calibrate != "none":
            for number in range(INNER_FOLDS):
                rest, held = np.flatnonzero(inner != number), np.flatnonzero(inner == number)
                matrix, estimator = self._fit(block.take(rest), given[rest])
                probs[held] = predict_all(estimator, matrix, block.take(held), num_classes)
        return fit_calibration(self.calibrate, probs, given)


@dataclass(frozen=True)
class ScoreFolds(PredictedRows):
    """Predicts rows by the model that was trained without their fold.

    Attributes
    ----------
    models : str
        Folder with a manifest.
    num_numbers, num_texts : int
    """

    models: str
    num_numbers: int
    num_texts: int

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield predicted rows, then what their quality adds up from.

        Memory: `SCORED_ROWS` rows of each fold beside a batch.
        """
        from threadpoolctl import threadpool_limits  # noqa: PLC0415

        manifest = (Path(self.models) / MANIFEST).read_text()
        models = _read_models(self.models, manifest)
        sums = QualitySums(len(models), len(self.classes))
        waiting: dict[int, list[pa.RecordBatch]] = {fold: [] for fold in models}
        with threadpool_limits(1):
            for batch in batches:
                folds = batch.column(FOLD).to_numpy()
                for fold, held in waiting.items():
                    rows = np.flatnonzero(folds == fold)
                    if not len(rows):
                        continue
                    held.append(batch.take(pa.array(rows)))
                    table = pa.Table.from_batches(held)
                    whole = len(table) // SCORED_ROWS * SCORED_ROWS
                    for start in range(0, whole, SCORED_ROWS):
                        yield self._score(models[fold], table.slice(start, SCORED_ROWS), sums)
                    if whole:
                        waiting[fold] = table.slice(whole).to_batches()
            for fold, held in waiting.items():
                if held:
                    yield self._score(models[fold], pa.Table.from_batches(held), sums)
        yield from self.emit_state(sums)

    def _score(self, model: FoldModel, table: pa.Table, sums: QualitySums) -> pa.RecordBatch:
        (batch,) = table.combine_chunks().to_batches()
        block = read_block(batch, self.num_numbers, self.num_texts)
        return self.emit(batch, model.fold, model.predict(block), sums)


@lru_cache(maxsize=1)
def _read_models(folder: str, manifest: str) -> dict[int, FoldModel]:  # noqa: ARG001 (a key)
    """Read models once for all tasks of a worker."""
    return read_models(Path(folder))
