"""Models of scikit-learn: each is trained by one task on a sample, and predicts as rows stream."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sparkclean.config.sections import PredictSection
from sparkclean.errors import InputError
from sparkclean.learning.boosting import Comparison, compare_boosting, may_compare, outcome
from sparkclean.learning.chosen_calibration import warn_of_calibrations
from sparkclean.learning.encoding import NO_ENCODING, Encoding
from sparkclean.learning.engine import EngineInput, versions_of
from sparkclean.learning.estimators import make_estimator
from sparkclean.learning.folds import ScoreFolds, TrainFolds
from sparkclean.learning.model_files import ModelEntry
from sparkclean.learning.profile import Profile
from sparkclean.learning.sampling import (
    TrainingRows,
    check_seen,
    count_elsewhere,
    write_training_rows,
)
from sparkclean.learning.scored import INNER, PLACE
from sparkclean.learning.trial import Attempt
from sparkclean.rows.frame_stream import FrameStream
from sparkclean.rows.stores import FolderStore
from sparkclean.rows.streams import Output, Stream
from sparkclean.rows.tasks import map_in_arrow

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_log = logging.getLogger("sparkclean")

#: By which a model is read again.
PACKAGES = ("scikit-learn", "numpy", "scipy")


class SklearnEngine:
    """Trains and predicts by classifiers of scikit-learn.

    Parameters
    ----------
    job : EngineInput
    """

    def __init__(self, job: EngineInput) -> None:
        self._job = job
        self._sample: TrainingRows | None = None

    @staticmethod
    def check(spark: SparkSession, predict: PredictSection) -> None:  # noqa: ARG004 (a protocol)
        """Check estimator and parameters, as `make_estimator` does."""
        make_estimator(predict.estimator, predict.params, scaled=False)

    @staticmethod
    def attempt(
        spark: SparkSession,  # noqa: ARG004 (a protocol)
        predict: PredictSection,
        *,
        num_texts: int,
        encoding: Encoding,
    ) -> Attempt:
        """Give what trains on a few rows, on the driver."""
        estimator, params = predict.estimator, predict.params
        return trial_of(predict, estimator, params, num_texts=num_texts, encoding=encoding).try_on

    def versions(self) -> dict[str, str]:
        """Give the versions of the packages by which a model is read again."""
        return versions_of(PACKAGES)

    def train(self, folder: Path, rare: Sequence[Any]) -> list[ModelEntry]:
        """Train the models of all folds into a folder.

        Parameters
        ----------
        folder : Path
        rare : sequence

        Returns
        -------
        list of ModelEntry

        Raises
        ------
        InputError

        Notes
        -----
        A job that writes the sample, and one with a task for each fold, which holds its rows.
        """
        job, predict = self._job, self._job.predict
        with job.progress.phase("sample training rows"):
            self._sample = sample = write_training_rows(
                job.frame,
                job.work / "training rows",
                job.profile,
                num_texts=job.num_texts,
                label_type=job.label_type,
                max_rows=predict.max_train_rows,
                rare=rare,
                files=job.files,
            )
        with job.progress.phase("train", unit="folds") as phase:
            train = TrainFolds(
                sample=str(sample.folder),
                models=str(folder),
                estimator=predict.estimator,
                params=predict.params,
                calibrate=predict.calibrate,
                classes=job.profile.classes,
                num_numbers=job.profile.num_numbers,
                num_texts=job.num_texts,
                quotas=sample.quotas,
                counts=count_elsewhere(job.profile),
                max_rows=sample.most,
                seed=predict.seed,
                encoding=job.profile.encoding,
            )
            entries = collect_models(job.spark, train, predict.n_folds, job.profile, rare)
            phase.rows = sum(entry.training_rows for entry in entries)
            phase.of_what = f"training rows of {len(entries)} models"
        return entries

    def weigh(self, folder: Path, entries: Sequence[ModelEntry]) -> Comparison | None:
        """Compare the models of the default with gradient boosting, if `may_compare` says so.

        Notes
        -----
        No job: the driver trains on the few rows.
        """
        job, sample = self._job, self._sample
        if sample is None or not may_compare(job.predict, job.profile, sample.most, job.num_texts):
            return None
        with job.progress.phase("compare with gradient boosting"):
            found = compare_boosting(sample.folder, folder, entries, job.profile, job.predict.seed)
        _log.info("%s", outcome(found))
        return found

    def predict(self, folder: Path, entries: Sequence[ModelEntry]) -> Output:
        """Predict all rows by the models of a folder.

        Parameters
        ----------
        folder : Path
        entries : sequence of ModelEntry

        Returns
        -------
        Output

        Raises
        ------
        InputError

        Notes
        -----
        One job. A task holds all models, and 1,024 rows of each fold beside a batch.
        """
        job = self._job
        score = ScoreFolds(
            models=str(folder),
            entries=tuple(entries),
            estimator=job.predict.estimator,
            classes=job.profile.classes,
            num_numbers=job.profile.num_numbers,
            num_texts=job.num_texts,
            id_types=tuple(kind.simpleString() for kind in job.id_types),
            label_type=job.label_type.simpleString(),
        )
        rows: Stream
        if job.files is not None:
            rows = job.files.stream
        else:
            rows = FrameStream(job.frame.drop(PLACE, INNER), FolderStore(str(job.work)))
        return rows.run("predicted", score)


def trial_of(
    predict: PredictSection,
    estimator: str | None,
    params: Mapping[str, Any],
    *,
    num_texts: int,
    encoding: Encoding = NO_ENCODING,
    robust: bool = False,
    noise_matrix: NDArray[np.float64] | None = None,
) -> TrainFolds:
    """Make what trains as tasks will, to be tried on a few rows (`TrainFolds.try_on`).

    Parameters
    ----------
    predict : PredictSection
    estimator, params, num_texts, encoding, robust, noise_matrix
        As in `TrainFolds`.

    Returns
    -------
    TrainFolds
    """
    return TrainFolds(
        sample="",
        models="",
        estimator=estimator,
        params=params,
        calibrate="none",
        classes=(),
        num_numbers=0,
        num_texts=num_texts,
        quotas=np.ones((0, 0), np.int64),
        counts=np.ones((0, 0), np.int64),
        max_rows=0,
        seed=predict.seed,
        robust=robust,
        noise_matrix=noise_matrix,
        encoding=encoding,
    )


def collect_models(
    spark: SparkSession, train: TrainFolds, num_models: int, profile: Profile, rare: Sequence[Any]
) -> list[ModelEntry]:
    """Train models, a task each; keep no other file in their folder.

    Parameters
    ----------
    spark : SparkSession
    train : TrainFolds
    num_models : int
        Folds, or 1.
    profile : Profile
    rare : sequence
        Classes that no model is trained on.

    Returns
    -------
    list of ModelEntry

    Raises
    ------
    InputError
        If the rows are too few, or a model has not seen a class.

    Notes
    -----
    One job.
    """
    numbers = spark.range(0, num_models, 1, num_models)
    trained = map_in_arrow(numbers, train, "model string").collect()
    found = [json.loads(row["model"]) for row in trained]
    problems = sorted({entry["problem"] for entry in found if "problem" in entry})
    if problems:
        raise InputError(problems)
    check_seen(profile, rare, {entry["fold"]: entry.pop("found") for entry in found})
    for text in sorted({text for entry in found for text in entry.pop("warnings")}):
        _log.warning("training: %s", text)
    entries = [ModelEntry(**entry) for entry in found]
    warn_of_calibrations([entry.calibration for entry in entries], profile.classes)
    kept = {entry.file for entry in entries}
    for path in Path(train.models).iterdir():  # of tasks that were repeated
        if path.name not in kept:
            path.unlink()
    return entries
