"""What tasks do: train a model without a fold, and predict that fold by it.

Runs on executors.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sparkclean.errors import SparkCleanError
from sparkclean.examples.batches import LABEL, class_index
from sparkclean.learning.calibration import Uncalibrated
from sparkclean.learning.chosen_calibration import ChosenCalibration, HeldOut, choose_calibration
from sparkclean.learning.encoding import NO_ENCODING, Encoding
from sparkclean.learning.estimator_errors import EstimatorError, estimator_errors, name_of
from sparkclean.learning.estimators import (
    make_estimator,
    make_robust,
    seed_estimator,
    takes_negative,
    takes_sparse,
    weight_parameter,
)
from sparkclean.learning.features import Block, FeatureMatrix, read_block
from sparkclean.learning.model_files import ModelEntry, load_models, write_model
from sparkclean.learning.models import SCORED_ROWS, FoldModel, predict_all
from sparkclean.learning.named_classes import known_packages
from sparkclean.learning.noise_matrix import noise_of_sample
from sparkclean.learning.quality import QualitySums
from sparkclean.learning.quotas import drawn_shares, rows_in_quota
from sparkclean.learning.scored import (
    FOLD,
    INNER,
    INNER_FOLDS,
    PLACE,
    PREDICTIVE,
    WEIGHT,
    PredictedRows,
)
from sparkclean.rows.emitted import ID_PREFIX, KIND, state_fields
from sparkclean.rows.row_groups import task_numbers
from sparkclean.rows.types import Fields

TOO_FEW_GROUPS = (
    "predict.calibrate: the training rows fall into too few different groups for "
    f"{INNER_FOLDS} inner folds; set it to none, or group by something finer"
)
TOO_FEW_ROWS = (
    "predict.max_train_rows: a sample of up to {:,} rows holds fewer than two classes; raise it"
)
TOO_LARGE = (
    "predict.max_train_rows: the training rows, here up to {:,}, do not fit in the memory of the "
    "task that trains on them, or hold more than 2 GB of text; lower it, or give a task more "
    "memory (spark.executor.pyspark.memory)"
)
#: Numbers, or probabilities, of rows of a fold that are scored together; of a row, at least.
_HELD_NUMBERS, _LEAST_WIDTH = 1 << 19, 64
#: Bytes of text in one array of Arrow.
_MOST_TEXT = (1 << 31) - 1


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
    quotas : ndarray of int64, shape (F, K)
        Rows of each class that a model is trained on, by the fold that it leaves out.
    counts : ndarray of int64, shape (F, K)
        Rows of which these are.
    max_rows : int
        Of a model, for messages.
    seed : int
        Of classifiers that draw random numbers and were given no other.
    whole : bool
        Whether no fold is left out: one model, of all rows.
    robust : bool
        Whether it is trained by a loss that is robust to wrong labels, with ``params``.
    noise_matrix : ndarray of float64, shape (K, K), or None
        P(given | true) for a robust loss that needs it.
    encoding : Encoding
        Which of the numbers stand for categories and dates.
    packages : tuple of str
        That the estimator may be of: those of the driver's environment.
    """

    sample: str
    models: str
    estimator: str | None
    params: Mapping[str, Any]
    calibrate: str
    classes: tuple[Any, ...]
    num_numbers: int
    num_texts: int
    quotas: NDArray[np.int64]
    counts: NDArray[np.int64]
    max_rows: int
    seed: int
    whole: bool = False
    robust: bool = False
    noise_matrix: NDArray[np.float64] | None = None
    encoding: Encoding = NO_ENCODING
    packages: tuple[str, ...] = field(default_factory=known_packages)

    def __call__(self, numbers: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield what the manifest says of each model."""
        for fold in task_numbers(numbers):
            try:
                entry = self.train(int(fold))
            except (MemoryError, pa.ArrowCapacityError):
                entry = json.dumps({"problem": TOO_LARGE.format(self.max_rows)})
            except SparkCleanError as exc:  # told, not raised: Spark would try it again
                entry = json.dumps({"problem": str(exc)})
            yield pa.RecordBatch.from_arrays([pa.array([entry])], ["model"])

    def train(self, fold: int) -> str:
        """Train the model that predicts a fold.

        Parameters
        ----------
        fold : int
            Only a name where no fold is left out.

        Returns
        -------
        str
            JSON of its entry in the manifest.

        Notes
        -----
        Holds all training rows and their matrix. Rows come in the order of their training
        positions, so that the sums of a training do not depend on how the table was written.
        """
        from threadpoolctl import threadpool_limits  # noqa: PLC0415 (comes with scikit-learn)

        begun = time.monotonic()
        rows = pq.read_table(self.sample, filters=None if self.whole else pc.field(FOLD) != fold)
        ids = [(name, "ascending") for name in rows.column_names if name.startswith(ID_PREFIX)]
        texts = [column for column in rows.columns if pa.types.is_string(column.type)]
        if any((pc.sum(pc.binary_length(text)).as_py() or 0) > _MOST_TEXT for text in texts):
            raise pa.ArrowCapacityError
        rows = rows.sort_by([(PLACE, "ascending"), *ids]).combine_chunks()
        given = class_index(rows.column(LABEL).combine_chunks(), self.classes)
        kept = rows_in_quota(given, self.quotas[fold])
        if len(kept) < len(given):
            rows, given = rows.take(pa.array(kept)).combine_chunks(), given[kept]
        if len(np.unique(given)) < 2:
            return json.dumps({"problem": TOO_FEW_ROWS.format(self.max_rows)})
        (batch,) = rows.to_batches()
        del rows
        block = read_block(batch, self.num_numbers, self.num_texts)
        inner = batch.column(INNER).to_numpy()
        weights = batch.column(WEIGHT).to_numpy() if WEIGHT in batch.schema.names else None
        found = np.bincount(given, minlength=len(self.classes))
        shares = drawn_shares(found, self.counts[fold])
        problem = self._inner_problem(given, inner)
        if problem:
            return json.dumps({"problem": problem})
        with threadpool_limits(1), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            chosen = self._calibration(block, given, inner, shares)
            matrix, estimator = self._fit(block, given, shares, weights)
        if self.noise_matrix is not None:
            _, shares = noise_of_sample(self.noise_matrix, shares)
        calibration = Uncalibrated() if chosen is None else chosen.calibration
        model = FoldModel(fold, matrix, estimator, calibration, shares)
        said = sorted({str(warning.message).splitlines()[0] for warning in caught})
        entry = write_model(
            Path(self.models),
            model,
            name="model" if self.whole else f"fold-{fold}",
            training_rows=len(given),
            seconds=time.monotonic() - begun,
            calibration=None if chosen is None else chosen.about,
        )
        return json.dumps(asdict(entry) | {"warnings": said, "found": found.tolist()})

    def _inner_problem(self, given: NDArray[np.int64], inner: NDArray[np.integer]) -> str:
        """Say why the rows are too few to calibrate by them; empty if they are not."""
        folds = range(INNER_FOLDS) if self.calibrate != "none" else ()
        if all(len(np.unique(given[inner != number])) > 1 for number in folds):
            return ""
        return TOO_FEW_GROUPS

    def _fit(
        self,
        block: Block,
        given: NDArray[np.int64],
        shares: NDArray[np.float64],
        weights: NDArray[np.float64] | None = None,
    ) -> tuple[FeatureMatrix, Any]:
        try:
            return self._fit_matrix(block, given, shares, weights, is_dense=False)
        except EstimatorError:
            if not block.texts or takes_sparse(self._make(given, shares)):
                raise
        return self._fit_matrix(block, given, shares, weights, is_dense=True)

    def _fit_matrix(
        self,
        block: Block,
        given: NDArray[np.int64],
        shares: NDArray[np.float64],
        weights: NDArray[np.float64] | None,
        *,
        is_dense: bool,
    ) -> tuple[FeatureMatrix, Any]:
        estimator = self._make(given, shares)
        is_centred = takes_negative(estimator)
        matrix = FeatureMatrix(self.encoding, is_centred=is_centred, is_dense=is_dense).fit(block)
        seed_estimator(estimator, self.seed)
        more = {} if weights is None else {weight_parameter(estimator): weights}
        with estimator_errors(name_of(estimator), "be trained on these rows"):
            return matrix, estimator.fit(matrix.transform(block), given, **more)

    def try_on(self, block: Block, given: NDArray[np.int64], num_classes: int) -> None:
        """Train on a few rows of K classes and predict them.

        Raises
        ------
        ConfigError, EstimatorError
        """
        from threadpoolctl import threadpool_limits  # noqa: PLC0415

        few = replace(
            self,
            classes=tuple(range(num_classes)),
            noise_matrix=None if self.noise_matrix is None else np.eye(num_classes),
        )
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            matrix, estimator = few._fit(block, given, np.ones(num_classes))
            with estimator_errors(name_of(estimator), "predict these rows"):
                probs = predict_all(estimator, matrix, block, num_classes)
        if not np.isfinite(probs).all():
            raise EstimatorError(name_of(estimator), "predict these rows", "it predicts NaN")

    def _make(self, given: NDArray[np.int64], shares: NDArray[np.float64]) -> Any:
        scaled = self.num_texts > 0 or bool(self.encoding)
        if not self.robust:
            return make_estimator(
                self.estimator, self.params, scaled=scaled, packages=self.packages
            )
        if self.noise_matrix is None:
            return make_robust(self.params, None, scaled=scaled)
        noise, _ = noise_of_sample(self.noise_matrix, shares)
        # of the classes that there are, as their labels are all that the loss sees
        there = np.unique(given)
        noise = noise[np.ix_(there, there)]
        sums = noise.sum(axis=0)
        return make_robust(self.params, noise / np.where(sums > 0.0, sums, 1.0), scaled=scaled)

    def _calibration(
        self,
        block: Block,
        given: NDArray[np.int64],
        inner: NDArray[np.integer],
        shares: NDArray[np.float64],
    ) -> ChosenCalibration | None:
        """Calibrate on rows that were not trained on, by folds within the training rows."""
        if self.calibrate == "none":
            return None
        num_classes = len(self.classes)
        probs = np.zeros((len(given), num_classes))
        trained = np.zeros((INNER_FOLDS, num_classes), np.bool_)
        for number in range(INNER_FOLDS):
            rest, held = np.flatnonzero(inner != number), np.flatnonzero(inner == number)
            matrix, estimator = self._fit(block.take(rest), given[rest], shares)
            with estimator_errors(name_of(estimator), "predict these rows"):
                probs[held] = predict_all(estimator, matrix, block.take(held), num_classes)
            trained[number, estimator.classes_] = True
        return choose_calibration(self.calibrate, HeldOut(probs, given, inner, trained))


@dataclass(frozen=True)
class ScoreFolds(PredictedRows):
    """Predicts rows by the model that was trained without their fold.

    Attributes
    ----------
    models : str
        Folder of the models.
    entries : tuple of ModelEntry
        The models in it, as the driver knows them: a task reads no manifest.
    estimator : str or None
        Import path of their class.
    num_numbers, num_texts : int
    packages : tuple of str
        That the estimator may be of: those of the driver's environment.
    """

    models: str
    entries: tuple[ModelEntry, ...]
    estimator: str | None
    num_numbers: int
    num_texts: int
    packages: tuple[str, ...] = field(default_factory=known_packages)

    @property
    def rows_at_once(self) -> int:
        """Rows of a fold that are scored together: a multiple of `SCORED_ROWS`."""
        if self.num_texts:
            return SCORED_ROWS
        width = max(self.num_numbers, len(self.classes), _LEAST_WIDTH)
        return SCORED_ROWS * max(_HELD_NUMBERS // SCORED_ROWS // width, 1)

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield predicted rows, then what their quality adds up from.

        Memory: beside a batch, rows of each fold with 4 MB of numbers or probabilities, or
        `SCORED_ROWS` of them; some copies of the probabilities of one fold.
        """
        from threadpoolctl import threadpool_limits  # noqa: PLC0415

        models = _load_models(self.models, self.entries, self.estimator, self.packages)
        sums = QualitySums(len(models), len(self.classes))
        waiting: dict[int, list[pa.RecordBatch]] = {fold: [] for fold in models}
        at_once = self.rows_at_once
        with threadpool_limits(1):
            for batch in batches:
                folds = batch.column(FOLD).to_numpy()
                for fold, held in waiting.items():
                    rows = np.flatnonzero(folds == fold)
                    if not len(rows):
                        continue
                    held.append(batch.take(pa.array(rows)))
                    table = pa.Table.from_batches(held)
                    whole = len(table) // at_once * at_once
                    for start in range(0, whole, at_once):
                        yield self._score(models[fold], table.slice(start, at_once), sums)
                    if whole:
                        waiting[fold] = table.slice(whole).to_batches()
            for fold, held in waiting.items():
                if held:
                    yield self._score(models[fold], pa.Table.from_batches(held), sums)
        yield from self.emit_state(sums)

    def _score(self, model: FoldModel, table: pa.Table, sums: QualitySums) -> pa.RecordBatch:
        (batch,) = table.combine_chunks().to_batches()
        block = read_block(batch, self.num_numbers, self.num_texts)
        with estimator_errors(name_of(model.estimator), "predict these rows"):
            probs = model.predict(block)
        return self.emit(batch, model.fold, probs, sums)


@dataclass(frozen=True)
class MeasureModel:
    """Adds up how good the probabilities of a model are, and keeps none of them.

    Attributes
    ----------
    score : ScoreFolds
    """

    keys: ClassVar[tuple[str, str]] = ScoreFolds.keys
    fields: ClassVar[Fields] = state_fields(keys)
    kinds: ClassVar[tuple[int, ...]] = ()
    state_kinds: ClassVar[tuple[int, ...]] = (PREDICTIVE,)

    score: ScoreFolds

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield what the quality of the rows adds up from."""
        for batch in self.score(batches):
            if batch.column(KIND)[0].as_py() == PREDICTIVE:
                yield batch


@lru_cache(maxsize=1)
def _load_models(
    folder: str, entries: tuple[ModelEntry, ...], estimator: str | None, packages: tuple[str, ...]
) -> dict[int, FoldModel]:
    """Read models once for all tasks of a worker."""
    return load_models(Path(folder), entries, estimator, packages)
