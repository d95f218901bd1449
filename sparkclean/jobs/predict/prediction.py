"""A prediction by itself, wherever its rows come from and wherever they go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkclean.config.sections import PredictSection
from sparkclean.errors import SparkCleanError
from sparkclean.learning.columns import LearningColumns
from sparkclean.learning.engine import Engine, EngineInput
from sparkclean.learning.engines import open_engine
from sparkclean.learning.feature_files import FeatureFiles
from sparkclean.learning.model_folder import ModelFolder
from sparkclean.learning.profile import Profile
from sparkclean.learning.quality import QualityReport
from sparkclean.learning.scored import PREDICTED, quality_of
from sparkclean.learning.trial import try_estimator
from sparkclean.rows.progress import Progress
from sparkclean.rows.streams import Stream

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class LearningRows:
    """The rows of a prediction.

    Attributes
    ----------
    rows : DataFrame
        With the user's columns.
    columns : LearningColumns
        Of them.
    predict : PredictSection
    """

    rows: DataFrame
    columns: LearningColumns
    predict: PredictSection

    @property
    def narrowed(self) -> DataFrame:
        """What training and scoring read. Lazy."""
        predict = self.predict
        return self.columns.narrow(self.rows, predict, group=predict.group, n_folds=predict.n_folds)

    def try_estimator(self, classes: Sequence[Any]) -> None:
        """Try the estimator on a few rows, as `sparkclean.learning.trial.try_estimator`.

        Parameters
        ----------
        classes : sequence
            Empty where only the rows know them.

        Raises
        ------
        ConfigError, InputError

        Notes
        -----
        One small job; another one where the estimator fails.
        """
        predict, features = self.predict, self.columns.features
        num_texts = len(features.texts)
        try_estimator(
            self.narrowed,
            open_engine(predict.engine).attempt(
                self.rows.sparkSession,
                predict,
                num_texts=num_texts,
                encoding=features.encoding,
            ),
            num_texts=num_texts,
            impute=predict.missing == "impute",
            classes=classes,
            section="predict",
        )

    def open_engine(
        self, profile: Profile, *, files: FeatureFiles | None, work: Path, progress: Progress
    ) -> Engine:
        """Open what trains and predicts.

        Parameters
        ----------
        profile : Profile
            Of the rows.
        files : FeatureFiles or None
            That hold the same rows.
        work : Path
            Folder that driver and executors share, for what is removed at the end.
        progress : Progress

        Returns
        -------
        Engine
        """
        columns = self.columns
        return open_engine(self.predict.engine)(
            EngineInput(
                spark=self.rows.sparkSession,
                predict=self.predict,
                frame=self.narrowed,
                profile=profile,
                num_texts=len(columns.features.texts),
                id_types=columns.id_types,
                label_type=columns.label_type,
                files=files,
                work=work,
                progress=progress,
            )
        )


def collect_predictions(
    engine: Engine, models: ModelFolder, profile: Profile, progress: Progress
) -> tuple[Stream, QualityReport]:
    """Predict all rows, each by the model that was trained without its fold.

    Parameters
    ----------
    engine : Engine
    models : ModelFolder
        Of models that are trained.
    profile : Profile
    progress : Progress

    Returns
    -------
    predicted : Stream
        Rows of `sparkclean.learning.scored.PredictedRows`.
    quality : QualityReport
        Against the given labels.

    Notes
    -----
    As `Engine.predict`.
    """
    with progress.phase("predict", of=profile.rows) as phase:
        output = engine.predict(models.path, models.entries())
        predicted = output.streams[PREDICTED]
        quality = quality_of(output.states, len(profile.examples), len(profile.classes))
        phase.rows = predicted.rows
    return predicted, quality


def check_all_predicted(predicted: Stream, profile: Profile) -> None:
    """Check that as many rows were predicted as there are.

    Parameters
    ----------
    predicted : Stream
    profile : Profile

    Raises
    ------
    SparkCleanError
    """
    if predicted.rows != profile.rows:
        raise SparkCleanError(
            f"predictions: {predicted.rows:,} rows were predicted where {profile.rows:,} are "
            "expected; nothing was published. The input may have changed; run again"
        )
