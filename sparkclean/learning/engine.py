"""What trains models and predicts by them: the protocol that every engine follows."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sparkclean.config.sections import PredictSection
from sparkclean.learning.boosting import Comparison
from sparkclean.learning.encoding import Encoding
from sparkclean.learning.feature_files import FeatureFiles
from sparkclean.learning.model_files import ModelEntry
from sparkclean.learning.profile import Profile
from sparkclean.learning.sampling import row_bytes
from sparkclean.learning.trial import Attempt
from sparkclean.rows.progress import Progress
from sparkclean.rows.streams import Output

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import DataType


@dataclass(frozen=True)
class EngineInput:
    """What an engine works on.

    Attributes
    ----------
    spark : SparkSession
    predict : PredictSection
    frame : DataFrame
        By `narrow`: all rows, lazy.
    profile : Profile
    num_texts : int
    id_types : tuple of DataType
        Of the record id columns.
    label_type : DataType
    files : FeatureFiles or None
        That hold the same rows.
    work : Path
        Folder that driver and executors share, for what is removed at the end of the run.
    progress : Progress
    """

    spark: SparkSession
    predict: PredictSection
    frame: DataFrame
    profile: Profile
    num_texts: int
    id_types: tuple[DataType, ...]
    label_type: DataType
    files: FeatureFiles | None
    work: Path
    progress: Progress

    @property
    def row_bytes(self) -> int:
        """Bytes of the features of a row, roughly."""
        return row_bytes(self.profile.width, self.num_texts)


class Engine(Protocol):
    """Trains a model without each fold, and predicts each fold by it."""

    def __init__(self, job: EngineInput) -> None: ...

    @staticmethod
    def check(spark: SparkSession, predict: PredictSection) -> None:
        """Check estimator and parameters. Writes nothing.

        Raises
        ------
        ConfigError
        """

    @staticmethod
    def attempt(
        spark: SparkSession, predict: PredictSection, *, num_texts: int, encoding: Encoding
    ) -> Attempt:
        """Give what trains on a few rows and predicts them, for `try_estimator`.

        It raises an `EstimatorError`.
        """

    def versions(self) -> dict[str, str]:
        """Give the versions of the packages by which a model is read again."""

    def train(self, folder: Path, rare: Sequence[Any]) -> list[ModelEntry]:
        """Train the models of all folds into a folder.

        Parameters
        ----------
        folder : Path
            Empty; shared by driver and executors.
        rare : sequence
            Classes that no model is trained on.

        Returns
        -------
        list of ModelEntry
            Of the manifest, which the caller writes.

        Raises
        ------
        InputError
            If the rows do not do for a training.
        """

    def weigh(self, folder: Path, entries: Sequence[ModelEntry]) -> Comparison | None:
        """Compare models that were just trained with gradient boosting, where that may tell.

        Parameters
        ----------
        folder : Path
        entries : sequence of ModelEntry

        Returns
        -------
        Comparison or None
        """

    def predict(self, folder: Path, entries: Sequence[ModelEntry]) -> Output:
        """Predict all rows by the models of a folder.

        Parameters
        ----------
        folder : Path
        entries : sequence of ModelEntry
            By `ModelFolder.find`.

        Returns
        -------
        Output
            Rows of `PredictedRows`, and the sums of their quality.

        Raises
        ------
        InputError
            If a model is not the one that was written.
        """


def versions_of(packages: Sequence[str]) -> dict[str, str]:
    """Find the versions of packages that are installed."""
    return {name: importlib.metadata.version(name) for name in packages}
