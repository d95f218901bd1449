"""The final model: its training rows sampled, trained in one task, written with its manifest."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from numpy.typing import NDArray

from sparkclean import schema
from sparkclean.config.sections import PredictSection
from sparkclean.jobs.train.classifier import Classifier
from sparkclean.lake import Pin
from sparkclean.learning.columns import LearningColumns
from sparkclean.learning.engine import versions_of
from sparkclean.learning.folds import TrainFolds
from sparkclean.learning.model_files import write_manifest
from sparkclean.learning.model_folder import PIN, ModelFolder
from sparkclean.learning.profile import Profile
from sparkclean.learning.sampling import count_elsewhere, write_training_rows
from sparkclean.learning.sklearn_engine import PACKAGES, collect_models
from sparkclean.rows.progress import Progress

if TYPE_CHECKING:
    import numpy as np
    from pyspark.sql import DataFrame


def train_final_model(
    rows: DataFrame,
    columns: LearningColumns,
    predict: PredictSection,
    classifier: Classifier,
    profile: Profile,
    *,
    noise: NDArray[np.float64] | None,
    folder: ModelFolder,
    work: Path,
    pin: Pin,
    progress: Progress,
) -> None:
    """Train one model on a sample of all rows, and write manifest and pin beside it.

    Parameters
    ----------
    rows : DataFrame
        That are trained on.
    columns : LearningColumns
    predict : PredictSection
        Names group, seed and the size of the sample.
    classifier : Classifier
    profile : Profile
        Of one fold.
    noise : ndarray of float64, shape (K, K), or None
        P(given | true), for a loss that needs it.
    folder : ModelFolder
        Which another attempt may make first.
    work : Path
        Folder that driver and executors share, for what is removed at the end of the run.
    pin : Pin
        What is read.
    progress : Progress

    Raises
    ------
    InputError
        If the rows do not do for a training.

    Notes
    -----
    A job that writes the sample, and one with a single task, which holds its rows.
    """
    num_texts = len(columns.features.texts)
    with progress.phase("sample training rows"):
        weight = schema.SAMPLE_WEIGHT if classifier.mode == "weights" else None
        sample = write_training_rows(
            columns.narrow(rows, predict, group=predict.group, n_folds=1, weight=weight),
            work / "sample",
            profile,
            num_texts=num_texts,
            label_type=columns.label_type,
            max_rows=predict.max_train_rows,
        )
    with folder.new() as made:
        task = TrainFolds(
            sample=str(sample.folder),
            models=str(made),
            estimator=classifier.estimator,
            params=classifier.params,
            calibrate="none",
            classes=profile.classes,
            num_numbers=profile.num_numbers,
            num_texts=num_texts,
            quotas=sample.quotas,
            counts=count_elsewhere(profile),
            max_rows=sample.most,
            seed=predict.seed,
            whole=True,
            robust=classifier.is_robust,
            noise_matrix=noise,
            encoding=profile.encoding,
        )
        with progress.phase("train") as phase:
            (entry,) = collect_models(rows.sparkSession, task, 1, profile, [])
            phase.rows, phase.of_what = entry.training_rows, "training rows"
        (made / PIN).write_text(pin.to_json())
        write_manifest(
            made,
            [entry],
            classifier.class_path,
            classifier.params,
            folder.identity,
            engine="sklearn",
            versions=versions_of(PACKAGES),
            more={
                "train_mode": classifier.mode,
                "classes": profile.classes,
                "features": asdict(columns.features),
                "num_numbers": profile.num_numbers,
            },
        )
