"""Models of Spark ML: trained one after another, each by the whole cluster on all other rows."""

from __future__ import annotations

import importlib
import logging
import time
from collections.abc import Iterable, Sequence
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkclean.config.sections import PredictSection
from sparkclean.errors import InputError, UnsupportedFeatureError
from sparkclean.examples.batches import LABEL
from sparkclean.learning.calibration import Uncalibrated
from sparkclean.learning.chosen_calibration import ChosenCalibration, warn_of_calibrations
from sparkclean.learning.encoding import Encoding
from sparkclean.learning.engine import EngineInput, versions_of
from sparkclean.learning.folds import TOO_FEW_GROUPS
from sparkclean.learning.model_files import ModelEntry, check_digest
from sparkclean.learning.pickles import loads
from sparkclean.learning.quotas import drawn_shares
from sparkclean.learning.sampling import (
    check_seen,
    count_elsewhere,
    is_sampled,
    sample_quotas,
    sample_shares,
)
from sparkclean.learning.scored import FOLD, INNER, INNER_FOLDS, PLACE
from sparkclean.learning.spark_ml.estimators import make_spark_estimator
from sparkclean.learning.spark_ml.files import digest_folder, read_fold, write_fold
from sparkclean.learning.spark_ml.rows import (
    class_place,
    collect_counts,
    collect_means,
    id_names,
    rows_in_quota,
    stage_features,
)
from sparkclean.learning.spark_ml.stages import (
    fit_model,
    input_columns,
    probabilities,
    transform,
)
from sparkclean.learning.spark_ml.trial import trial_on_cluster
from sparkclean.learning.spark_ml.vectors import (
    GIVEN,
    MODEL,
    EmitPredictions,
    FitCalibration,
    FoldFacts,
)
from sparkclean.learning.trial import Attempt
from sparkclean.rows.frame_stream import FrameStream
from sparkclean.rows.stores import FolderStore
from sparkclean.rows.streams import Output
from sparkclean.rows.tasks import map_in_arrow

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_log = logging.getLogger("sparkclean")

#: Numbers that the calibration of a fold is fitted on, and rows at least.
_CALIBRATION_NUMBERS, _CALIBRATION_ROWS = 1 << 22, 1000


class SparkMLEngine:
    """Trains and predicts by estimators of `pyspark.ml` that yield probabilities.

    Parameters
    ----------
    job : EngineInput

    Notes
    -----
    Features are staged once, by hash of their content in files of sorted rows, so that what a
    training reads does not depend on how the table was written. Nothing is cached by us; the
    estimators of Spark cache what they train on in memory and on disk.

    How Spark cuts these files into tasks depends on its settings and its cores, and an estimator
    may add up in the order in which tasks end. Measured on `make demo`'s digits (1,797 rows, 5
    folds, Spark 4.1.4, 2 cores): in three orders, as 1, 2 and 7 files, the probabilities (float32)
    of logistic regression and of a forest of 50 trees were the same. Cut into other tasks, those of
    logistic regression moved by at most 6e-8 in 30 rows and no suspect changed; those of the
    forest, which draws rows by task, moved by up to 0.23, and 15 suspects changed (71 before, 68
    after).

    The default is the one of scikit-learn: multinomial logistic regression on standardised
    features, its penalty that of ``C`` = 1 there: 1 / rows, and twice as much with two classes.
    """

    def __init__(self, job: EngineInput) -> None:
        self._job = job
        self._staged: DataFrame | None = None

    @staticmethod
    def check(spark: SparkSession, predict: PredictSection) -> None:
        """Check estimator and parameters. Writes nothing.

        Raises
        ------
        ConfigError
        UnsupportedFeatureError
            On Spark Connect before 4.0, which has no `pyspark.ml`.
        """
        is_connect = type(spark).__module__.startswith("pyspark.sql.connect")
        if is_connect and int(spark.version.split(".")[0]) < 4:
            raise UnsupportedFeatureError(
                f"predict.engine: spark-ml: Spark Connect {spark.version} has no pyspark.ml; use "
                "Spark 4.0 or newer, a classic session, or predict.engine: sklearn"
            )
        make_spark_estimator(predict, rows=1, classes=2, sparse=False)

    @staticmethod
    def attempt(
        spark: SparkSession, predict: PredictSection, *, num_texts: int, encoding: Encoding
    ) -> Attempt:
        """Give what trains on a few rows, by jobs of one task."""
        return trial_on_cluster(spark, predict, num_texts, encoding)

    def versions(self) -> dict[str, str]:
        """Give the versions of the packages by which a model is read again."""
        found = {"spark": self._job.spark.version, **versions_of(("scikit-learn", "numpy"))}
        package = (self._job.predict.estimator or "pyspark").partition(".")[0]
        version = getattr(importlib.import_module(package), "__version__", None)
        return found | ({package: str(version)} if version else {})

    def train(self, folder: Path, rare: Sequence[Any]) -> list[ModelEntry]:
        """Train the models of all folds into a folder, one after another.

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
            If the estimator refuses the rows, or they are too few to calibrate by.

        Notes
        -----
        A job that stages the features, one that counts rows, those of the estimator for each
        fold, and of three more models where there is a calibration; with texts two passes more.
        The driver holds what an estimator lets it hold, such as K times the features.
        """
        job, predict = self._job, self._job.predict
        staged = self._stage()
        with job.progress.phase("train", unit="folds") as phase:
            most = predict.max_train_rows or job.profile.rows
            quotas, elsewhere = sample_quotas(job.profile, most), count_elsewhere(job.profile)
            shares = sample_shares(job.profile, quotas)
            rows = staged.where(is_sampled(job.profile, shares, rare, job.label_type))
            counts = collect_counts(job, rows)
            means = collect_means(job, rows)
            found, parts = {}, {}
            for fold in range(predict.n_folds):
                others = [number for number in range(predict.n_folds) if number != fold]
                part, count = rows.where(F.col(FOLD) != fold), counts[others].sum(axis=0)
                if (count.sum(axis=0) > quotas[fold]).any():
                    part = rows_in_quota(job, part, quotas[fold])
                    count = collect_counts(job, part).sum(axis=0)
                found[fold], parts[fold] = count.sum(axis=0).tolist(), (part, count)
            check_seen(job.profile, rare, found)
            _check_inner(job, [count for _, count in parts.values()])
            entries: list[ModelEntry] = []
            for fold, (part, count) in parts.items():
                phase.steps = fold, predict.n_folds
                entry = self._train_fold(
                    folder / f"fold-{fold}",
                    fold,
                    part,
                    count,
                    means=None if means is None else means[fold],
                    shares=drawn_shares(count.sum(axis=0), elsewhere[fold]),
                )
                entries.append(entry)
            phase.rows = sum(entry.training_rows for entry in entries)
            phase.of_what = f"training rows of {len(entries)} models"
        warn_of_calibrations([entry.calibration for entry in entries], job.profile.classes)
        return entries

    def _stage(self) -> DataFrame:
        if self._staged is None:
            self._staged = stage_features(self._job)
        return self._staged

    def _train_fold(
        self,
        folder: Path,
        fold: int,
        rows: DataFrame,
        counts: NDArray[np.int64],
        *,
        means: NDArray[np.float64] | None,
        shares: NDArray[np.float64],
    ) -> ModelEntry:
        begun = time.monotonic()
        count = int(counts.sum())
        model, trained = fit_model(self._job, rows, counts.sum(axis=0), means)
        chosen = _calibrate(self._job, fold, rows, counts, means)
        calibration = Uncalibrated() if chosen is None else chosen.calibration
        digest = write_fold(folder, model, FoldFacts(trained, means, calibration, shares))
        seconds = time.monotonic() - begun
        _log.info("fold %s: trained on %s rows in %.1f s", fold, f"{count:,}", seconds)
        about = None if chosen is None else chosen.about
        return ModelEntry(fold, folder.name, digest, count, seconds, about)

    def weigh(self, folder: Path, entries: Sequence[ModelEntry]) -> None:
        """Leave its models uncompared: gradient boosting is one of scikit-learn."""

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
            If a model is not the one that was written, or predicts NaN.

        Notes
        -----
        One job over the staged features, which are staged now if an earlier attempt has trained.
        """
        job = self._job
        for entry in entries:
            check_digest(folder, entry, digest_folder(folder / entry.file))
        staged, kept = self._stage(), [*id_names(job), LABEL, FOLD]
        facts, parts = {}, []
        for entry in entries:
            model, facts[entry.fold] = read_fold(folder / entry.file)
            rows = staged.where(F.col(FOLD) == entry.fold)
            inputs = rows.select(*kept, *input_columns(job, facts[entry.fold].means))
            scored = transform(job, model.stages, inputs)
            parts.append(scored.select(*kept, probabilities(model)))
        emit = EmitPredictions(
            classes=job.profile.classes,
            id_types=tuple(kind.simpleString() for kind in job.id_types),
            label_type=job.label_type.simpleString(),
            facts=facts,
        )
        stream = FrameStream(_union(parts), FolderStore(str(job.work)))
        return stream.run("predicted", emit)


def _calibrate(
    job: EngineInput,
    fold: int,
    rows: DataFrame,
    counts: NDArray[np.int64],
    means: NDArray[np.float64] | None,
) -> ChosenCalibration | None:
    """Calibrate on a sample of rows that three inner models were not trained on."""
    method, num_classes = job.predict.calibrate, len(job.profile.classes)
    if method == "none":
        return None
    most = max(_CALIBRATION_NUMBERS // num_classes, _CALIBRATION_ROWS)
    share = min(1.0, most / int(counts.sum()))
    # not the place itself, whose first ones may be all that were sampled
    drawn = F.pmod(F.xxhash64(F.lit(1), F.col(PLACE)), F.lit(1 << 20)) < share * (1 << 20)
    given = class_place(job, range(num_classes)).alias(GIVEN)
    parts, trained = [], []
    for number in range(INNER_FOLDS):
        rest = counts.sum(axis=0) - counts[number]
        model, classes = fit_model(job, rows.where(F.col(INNER) != number), rest, means)
        held = rows.where((F.col(INNER) == number) & drawn)
        inputs = held.select(given, *input_columns(job, means))
        scored = transform(job, model.stages, inputs)
        parts.append(scored.select(GIVEN, F.lit(number).alias(MODEL), probabilities(model)))
        trained.append(classes)
    fit = FitCalibration(method, tuple(trained), num_classes, fold)
    schema = "calibration binary, problem string"
    fitted = map_in_arrow(_union(parts).repartition(1), fit, schema).collect()
    if not fitted:
        return None
    content, problem = fitted[0]
    if problem is not None:
        raise InputError(problem)
    found: ChosenCalibration = loads(content, "a task's calibration")
    return found


def _check_inner(job: EngineInput, counts: Iterable[NDArray[np.int64]]) -> None:
    """Check that each inner model sees two classes; counts are by inner fold and class."""
    if job.predict.calibrate != "none" and not all(
        np.count_nonzero(count.sum(axis=0) - count[number]) > 1
        for count in counts
        for number in range(INNER_FOLDS)
    ):
        raise InputError(TOO_FEW_GROUPS)


def _union(parts: Sequence[DataFrame]) -> DataFrame:
    return reduce(DataFrame.unionAll, parts)
