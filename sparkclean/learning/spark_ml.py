"""Models of Spark ML: trained one after another, each by the whole cluster on all other rows."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import logging
import pickle
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pyspark.errors import IllegalArgumentException, PySparkException
from pyspark.ml import Estimator, PipelineModel
from pyspark.ml.functions import array_to_vector, vector_to_array
from pyspark.ml.linalg import VectorUDT
from pyspark.ml.util import JavaMLWritable
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructField, StructType

from sparkclean.config.model import PredictSection
from sparkclean.errors import ConfigError, InputError, UnsupportedFeatureError
from sparkclean.examples.batches import LABEL, PROBS
from sparkclean.lake import spark_path, spark_paths
from sparkclean.learning.calibration import Calibration, fit_calibration
from sparkclean.learning.engine import Job, versions_of
from sparkclean.learning.features import HASHED, NUMBERS, TEXT_PREFIX
from sparkclean.learning.folds import TOO_FEW_GROUPS
from sparkclean.learning.models import ModelEntry, check_digest, import_class, read_entries
from sparkclean.learning.sampling import check_seen, is_sampled, sample_shares
from sparkclean.learning.scored import FOLD, INNER, INNER_FOLDS, PLACE
from sparkclean.learning.vectors import (
    GIVEN,
    MODEL,
    VECTOR_TYPE,
    EmitPredictions,
    FitCalibration,
    FoldFacts,
    HashTexts,
)
from sparkclean.rows.emitted import ID_PREFIX
from sparkclean.rows.frame_stream import FrameStream
from sparkclean.rows.stores import FolderStore
from sparkclean.rows.streams import Output
from sparkclean.rows.tasks import map_in_arrow

if TYPE_CHECKING:
    from pyspark.ml import Model, Transformer
    from pyspark.sql import Column, SparkSession

_log = logging.getLogger("sparkclean")

#: What an estimator is given: the class as a number, and one vector.
INDEX, FEATURES = "__index", "__features"
#: What it writes; its probabilities stay in the column that it names itself.
_OURS = {"labelCol": INDEX, "featuresCol": FEATURES}
_RESULTS = ("probabilityCol", "predictionCol", "rawPredictionCol")
_EXAMPLE = "pyspark.ml.classification.RandomForestClassifier"
#: Vector of the numbers where there are texts, too.
_NUMBERS = "__numbers_vector"
#: Bytes of features in one file of the staged table, roughly.
_FILE_BYTES = 64 << 20
#: Numbers that the calibration of a fold is fitted on, and rows at least.
_CALIBRATION_NUMBERS, _CALIBRATION_ROWS = 1 << 22, 1000
#: In the folder of a fold.
_PIPELINE, _FACTS = "pipeline", "facts.pickle"


class SparkMLEngine:
    """Trains and predicts by estimators of `pyspark.ml` that yield probabilities.

    Parameters
    ----------
    job : Job

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

    def __init__(self, job: Job) -> None:
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
        if _is_connect(spark) and int(spark.version.split(".")[0]) < 4:
            raise UnsupportedFeatureError(
                f"predict.engine: spark-ml: Spark Connect {spark.version} has no pyspark.ml; use "
                "Spark 4.0 or newer, a classic session, or predict.engine: sklearn"
            )
        make_spark_estimator(predict, rows=1, classes=2, sparse=False)

    def versions(self) -> dict[str, str]:
        """Give the versions of the packages by which a model is read again."""
        found = {"spark": self._job.spark.version, **versions_of(("scikit-learn", "numpy"))}
        package = (self._job.predict.estimator or "pyspark").partition(".")[0]
        version = getattr(importlib.import_module(package), "__version__", None)
        return found | ({package: str(version)} if version else {})

    # -- training ------------------------------------------------------------------------------

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
        with job.progress.phase("train") as phase:
            most = predict.max_train_rows or job.profile.rows
            shares = sample_shares(job.profile, most)
            rows = staged.where(is_sampled(job.profile, shares, rare, job.label_type))
            counts = self._collect_counts(rows)
            means = self._collect_means(rows)
            found, parts = {}, {}
            for fold in range(predict.n_folds):
                others = [number for number in range(predict.n_folds) if number != fold]
                part, count = rows.where(F.col(FOLD) != fold), counts[others].sum(axis=0)
                if count.sum() > most:
                    part = self._first(part, shares, most)
                    count = self._collect_counts(part).sum(axis=0)
                found[fold], parts[fold] = count.sum(axis=0).tolist(), (part, count)
            check_seen(job.profile, rare, found)
            self._check_inner(parts.values())
            entries = [
                self._train_fold(
                    folder / f"fold-{fold}",
                    fold,
                    part,
                    count,
                    means=None if means is None else means[fold],
                    shares=shares,
                )
                for fold, (part, count) in parts.items()
            ]
            phase.rows = sum(entry.training_rows for entry in entries)
        return entries

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
        model, trained = self._fit(rows, counts.sum(axis=0), means)
        calibration = self._calibrate(fold, rows, counts, means)
        model.write().overwrite().save(spark_path(folder / _PIPELINE))
        facts = FoldFacts(trained, means, calibration, shares)
        (folder / _FACTS).write_bytes(pickle.dumps(facts, protocol=5))
        seconds = time.monotonic() - begun
        _log.info("fold %s: trained on %s rows in %.1f s", fold, f"{count:,}", seconds)
        return ModelEntry(fold, folder.name, digest_folder(folder), count, seconds)

    def _fit(
        self, rows: DataFrame, counts: NDArray[np.int64], means: NDArray[np.float64] | None
    ) -> tuple[PipelineModel, tuple[int, ...]]:
        """Fit weights of words and the estimator; its classes are those that have rows."""
        job = self._job
        trained = tuple(np.flatnonzero(counts).tolist())
        made = make_spark_estimator(
            job.predict,
            rows=int(counts.sum()),
            classes=len(trained),
            sparse=job.num_texts > 0,
        )
        # without the number of classes, estimators look for it, and refuse more than 100
        nominal = {"ml_attr": {"type": "nominal", "name": INDEX, "num_vals": len(trained)}}
        index = self._index(trained).cast("double").alias(INDEX, metadata=nominal)
        frame = rows.select(index, *self._inputs(means))
        with _training_errors(job.predict):
            stages = self._weights(frame)
            fitted = made.fit(self._transform(stages, frame).select(INDEX, FEATURES))
        if not hasattr(fitted, "write"):
            raise InputError(
                f"predict.estimator: {type(fitted).__name__}, which {job.predict.estimator!r} "
                "makes, cannot be saved; choose another"
            )
        return PipelineModel([*stages, fitted]), trained

    def _weights(self, frame: DataFrame) -> list[Transformer]:
        """Weigh words and scale numbers as scikit-learn does, where there are texts."""
        from pyspark.ml.feature import (  # noqa: PLC0415 (needed with texts alone)
            IDF,
            ElementwiseProduct,
            Normalizer,
            StandardScaler,
            VectorAssembler,
        )
        from pyspark.ml.linalg import DenseVector  # noqa: PLC0415

        if not self._job.num_texts:
            return []
        stages: list[Transformer] = []
        parts = []
        if self._job.profile.num_numbers:
            scaled = f"{_NUMBERS}_scaled"
            scaler = StandardScaler(inputCol=_NUMBERS, outputCol=scaled, withMean=False)
            stages.append(scaler.fit(frame))
            parts.append(scaled)
        for i in range(self._job.num_texts):
            name = f"{TEXT_PREFIX}{i}"
            rarity = IDF(inputCol=name, outputCol=f"{name}_rarity").fit(frame).idf.toArray()
            weights = DenseVector(rarity + 1.0)
            weighed, unit = f"{name}_weighed", f"{name}_unit"
            if self._is_one_text:
                unit = FEATURES
            stages.append(ElementwiseProduct(scalingVec=weights, inputCol=name, outputCol=weighed))
            stages.append(Normalizer(p=2.0, inputCol=weighed, outputCol=unit))
            parts.append(unit)
        if self._is_one_text:
            return stages
        return [*stages, VectorAssembler(inputCols=parts, outputCol=FEATURES)]

    @property
    def _is_one_text(self) -> bool:
        return self._job.num_texts == 1 and not self._job.profile.num_numbers

    def _transform(self, stages: Sequence[Transformer], frame: DataFrame) -> DataFrame:
        """Apply stages, and forget what the assembler notes of each of 2**18 columns and more.

        With that in the schema all that comes after takes minutes (seen on 4.1).
        """
        job = self._job
        width = job.profile.num_numbers + HASHED * job.num_texts
        for stage in stages:
            frame = stage.transform(frame)
            if stage.hasParam("outputCol") and _column_of(stage, "outputCol") == FEATURES:
                frame = frame.withMetadata(FEATURES, {"ml_attr": {"num_attrs": width}})
        return frame

    def _calibrate(
        self,
        fold: int,
        rows: DataFrame,
        counts: NDArray[np.int64],
        means: NDArray[np.float64] | None,
    ) -> Calibration:
        """Calibrate on a sample of rows that three inner models were not trained on."""
        method, num_classes = self._job.predict.calibrate, len(self._job.profile.classes)
        nothing = fit_calibration(method, np.zeros((0, num_classes)), np.zeros(0, np.int64))
        if method == "none":
            return nothing
        most = max(_CALIBRATION_NUMBERS // num_classes, _CALIBRATION_ROWS)
        share = min(1.0, most / int(counts.sum()))
        # not the place itself, whose first ones may be all that were sampled
        drawn = F.pmod(F.xxhash64(F.lit(1), F.col(PLACE)), F.lit(1 << 20)) < share * (1 << 20)
        given = self._index(range(num_classes)).alias(GIVEN)
        parts, trained = [], []
        for number in range(INNER_FOLDS):
            rest = counts.sum(axis=0) - counts[number]
            model, classes = self._fit(rows.where(F.col(INNER) != number), rest, means)
            held = rows.where((F.col(INNER) == number) & drawn).select(given, *self._inputs(means))
            probs = self._probabilities(model)
            parts.append(
                self._transform(model.stages, held).select(GIVEN, F.lit(number).alias(MODEL), probs)
            )
            trained.append(classes)
        fit = FitCalibration(method, tuple(trained), num_classes, fold)
        fitted = map_in_arrow(_union(parts).repartition(1), fit, "calibration binary").collect()
        # written by a task of ours
        return pickle.loads(fitted[0][0]) if fitted else nothing  # noqa: S301

    def _check_inner(self, parts: Any) -> None:
        if self._job.predict.calibrate != "none" and not all(
            np.count_nonzero(count.sum(axis=0) - count[number]) > 1
            for _, count in parts
            for number in range(INNER_FOLDS)
        ):
            raise InputError(TOO_FEW_GROUPS)

    # -- rows ----------------------------------------------------------------------------------

    def _stage(self) -> DataFrame:
        """Write the features once, texts as vectors, and give them as they are read again."""
        if self._staged is not None:
            return self._staged
        job = self._job
        folder = job.work / "features"
        texts = [f"{TEXT_PREFIX}{i}" for i in range(job.num_texts)]
        with job.progress.phase("stage features") as phase:
            frame = job.frame
            if texts:
                kinds = [
                    f"`{field.name}` "
                    + (VECTOR_TYPE if field.name in texts else field.dataType.simpleString())
                    for field in frame.schema
                ]
                frame = map_in_arrow(frame, HashTexts(len(texts)), ", ".join(kinds))
            ids = [f"{ID_PREFIX}{i}" for i in range(len(job.id_types))]
            files = -(-job.profile.rows * job.row_bytes // _FILE_BYTES)
            ordered = frame.repartition(max(files, 1), PLACE).sortWithinPartitions(
                FOLD, PLACE, *ids
            )
            ordered.write.partitionBy(FOLD).parquet(spark_path(folder))
            phase.rows = job.profile.rows
        # Spark ML stores vectors so, and reads them as its own
        schema = StructType(
            [
                StructField(field.name, VectorUDT() if field.name in texts else field.dataType)
                for field in frame.schema
            ]
        )
        reader = job.spark.read.schema(schema)
        self._staged = reader.parquet(*spark_paths([folder]))
        return self._staged

    def _inputs(self, means: NDArray[np.float64] | None) -> list[Column]:
        """Give the vectors that a model starts from."""
        job = self._job
        texts = [F.col(f"{TEXT_PREFIX}{i}") for i in range(job.num_texts)]
        if not job.profile.num_numbers:
            return texts
        numbers = F.col(NUMBERS)
        if means is not None:
            # one constant, not one for each number
            known = F.split(F.lit(",".join(map(repr, means.tolist()))), ",").cast("array<double>")
            numbers = F.transform(
                numbers, lambda x, i: F.when(F.isnan(x), F.get(known, i)).otherwise(x)
            )
        return [array_to_vector(numbers).alias(_NUMBERS if texts else FEATURES), *texts]

    def _index(self, trained: Sequence[int]) -> Column:
        """Give the place of the label among some of the classes; null for strangers."""
        job = self._job
        pairs = [
            part
            for place, k in enumerate(trained)
            for part in (F.lit(job.profile.classes[k]).cast(job.label_type), F.lit(place))
        ]
        return F.try_element_at(F.create_map(*pairs), F.col(LABEL))

    def _first(self, rows: DataFrame, shares: NDArray[np.float64], most: int) -> DataFrame:
        """Keep the first rows, of each class the same part of its share."""
        classes = range(len(self._job.profile.classes))
        share = F.get(F.array(*[F.lit(x) for x in shares.tolist()]), self._index(classes))
        place = (F.col(PLACE) * F.lit(2.0**-64) + F.lit(0.5)) / share
        ids = [f"{ID_PREFIX}{i}" for i in range(len(self._job.id_types))]
        return rows.orderBy(place, PLACE, *ids).limit(most)

    def _collect_counts(self, rows: DataFrame) -> NDArray[np.int64]:
        """Count rows by fold, inner fold and class. One job; the driver holds as many numbers."""
        classes = self._job.profile.classes
        position = {label: k for k, label in enumerate(classes)}
        counts = np.zeros((self._job.predict.n_folds, INNER_FOLDS, len(classes)), np.int64)
        for row in rows.groupBy(FOLD, INNER, LABEL).count().collect():
            counts[row[FOLD], row[INNER], position[row[LABEL]]] = row["count"]
        return counts

    def _collect_means(self, rows: DataFrame) -> NDArray[np.float64] | None:
        """Find the means of the numbers of all folds but one; None where none may be missing.

        One job that makes a row of each number; the driver holds D numbers of each fold.
        """
        num_numbers, n_folds = self._job.profile.num_numbers, self._job.predict.n_folds
        if self._job.predict.missing != "impute" or not num_numbers:
            return None
        sums, known = np.zeros((2, n_folds, num_numbers))
        numbers = rows.select(FOLD, F.posexplode(NUMBERS).alias("place", "number"))
        grouped = numbers.where(~F.isnan("number")).groupBy(FOLD, "place")
        total = grouped.agg(F.sum("number").alias("total"), F.count("*").alias("known"))
        for row in total.collect():
            sums[row[FOLD], row["place"]] = row["total"]
            known[row[FOLD], row["place"]] = row["known"]
        others = 1.0 - np.eye(n_folds)
        return np.stack([other @ sums / np.maximum(other @ known, 1.0) for other in others])

    # -- predicting ----------------------------------------------------------------------------

    def predict(self, folder: Path) -> Output:
        """Predict all rows by the models of a folder.

        Parameters
        ----------
        folder : Path

        Returns
        -------
        Output

        Raises
        ------
        InputError
            If a model is not the one that its manifest names, or predicts NaN.

        Notes
        -----
        One job over the staged features, which are staged now if an earlier attempt has trained.
        """
        job = self._job
        entries = read_entries(folder)
        for entry in entries:
            check_digest(folder, entry, digest_folder(folder / entry.file))
        staged = self._stage()
        ids = [f"{ID_PREFIX}{i}" for i in range(len(job.id_types))]
        facts, parts = {}, []
        for entry in entries:
            place = folder / entry.file
            # written by us, hash checked
            facts[entry.fold] = pickle.loads((place / _FACTS).read_bytes())  # noqa: S301
            (escaped,) = spark_paths([place / _PIPELINE])
            model = PipelineModel.load(escaped)
            rows = staged.where(F.col(FOLD) == entry.fold)
            inputs = rows.select(*ids, LABEL, FOLD, *self._inputs(facts[entry.fold].means))
            scored = self._transform(model.stages, inputs)
            parts.append(scored.select(*ids, LABEL, FOLD, self._probabilities(model)))
        emit = EmitPredictions(
            classes=job.profile.classes,
            id_types=tuple(kind.simpleString() for kind in job.id_types),
            label_type=job.label_type.simpleString(),
            facts=facts,
        )
        stream = FrameStream(_union(parts), FolderStore(str(job.work)))
        return stream.run("predicted", emit)

    @staticmethod
    def _probabilities(model: PipelineModel) -> Column:
        return vector_to_array(F.col(_column_of(model.stages[-1], "probabilityCol"))).alias(PROBS)


def make_spark_estimator(
    predict: PredictSection, *, rows: int, classes: int, sparse: bool
) -> Estimator[Any]:
    """Make an estimator of Spark ML that is named by its import path.

    Parameters
    ----------
    predict : PredictSection
    rows, classes : int
        That it will be trained on: the penalty of the default goes by them.
    sparse : bool
        Whether there are texts, whose weights the default must not scale.

    Returns
    -------
    Estimator
        Told our columns, and the seed if it takes one.

    Raises
    ------
    ConfigError
        If there is no such class, it takes no such parameters, or gives no probabilities.

    Notes
    -----
    Values are checked here by classic Spark; on Connect by the training.
    """
    path, params = predict.estimator, dict(predict.params)
    if path is None:
        path = "pyspark.ml.classification.LogisticRegression"
        # two classes have weights u and -u here, and but one vector in scikit-learn
        penalty = (2.0 if classes == 2 else 1.0) / rows
        ours = {"family": "multinomial", "maxIter": 1000, "regParam": penalty}
        params = ours | {"standardization": not sparse} | params
    kind = import_class(path, example=_EXAMPLE)
    wrong = [f"{path!r} is no estimator of Spark ML"]
    if not (isinstance(kind, type) and issubclass(kind, Estimator)):
        if hasattr(kind, "predict_proba"):
            wrong.append("it is one of scikit-learn: predict.engine: sklearn")
        raise ConfigError(f"predict.estimator: {'; '.join(wrong)}; name one, such as {_EXAMPLE}")
    made = _with_params(kind, params)
    if not made.hasParam("probabilityCol"):
        raise ConfigError(
            f"predict.estimator: {path!r} has no probabilityCol; choose one that yields "
            f"probabilities, such as {_EXAMPLE}"
        )
    for name, column in _OURS.items():
        made.set(made.getParam(name), column)
    for name in ("seed", "random_state"):
        if made.hasParam(name) and name not in params:
            made.set(made.getParam(name), predict.seed)
    if isinstance(made, JavaMLWritable):
        try:
            made.write()  # hands the parameters over, which checks them, and writes nothing
        except IllegalArgumentException as exc:
            raise ConfigError(f"predict.params: {_reason(exc)}") from exc
    return made


def _with_params(kind: type[Estimator[Any]], params: Mapping[str, Any]) -> Estimator[Any]:
    columns = [
        name
        for name in params
        if name.lower().replace("_", "").endswith(("col", "cols")) and name not in _RESULTS
    ]
    if columns:
        raise ConfigError(
            f"predict.params: {', '.join(columns)}: columns are named by us, and there are no "
            "others; leave them out"
        )
    signature = inspect.signature(kind).parameters
    known = [name for name in signature if not name.lower().endswith(("col", "cols", "kwargs"))]
    takes = f"{kind.__name__} takes: {', '.join(known)}"
    others = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in signature.values())
    unknown = [] if others else [name for name in params if name not in signature]
    # an object of Spark ML that could not be made fails once more when it goes (4.1, Connect)
    if unknown:
        raise ConfigError(f"predict.params: {', '.join(unknown)}: unknown; {takes}")
    try:
        return kind(**params)
    except (TypeError, ValueError, AttributeError) as exc:
        raise ConfigError(f"predict.params: {exc}; {takes}") from exc


@contextmanager
def _training_errors(predict: PredictSection) -> Iterator[None]:
    """Put into our words what an estimator says of rows that it does not take."""
    try:
        yield
    except (PySparkException, ValueError) as exc:
        refused = isinstance(exc, IllegalArgumentException | ValueError)
        if not refused and "USER_RAISED_EXCEPTION" not in str(exc):
            raise
        raise InputError(
            f"predict.estimator: {predict.estimator or 'LogisticRegression'} cannot be trained on "
            f"these rows: {_reason(exc)}; choose another one, or other predict.params"
        ) from exc


def _reason(exc: Exception) -> str:
    return next((line for line in str(exc).splitlines() if line.strip()), type(exc).__name__)


def _is_connect(spark: SparkSession) -> bool:
    return type(spark).__module__.startswith("pyspark.sql.connect")


def _column_of(model: Model | Transformer, name: str) -> str:
    return str(model.getOrDefault(model.getParam(name)))


def _union(parts: Sequence[DataFrame]) -> DataFrame:
    return reduce(DataFrame.unionAll, parts)


def digest_folder(folder: Path) -> str:
    """Hash the names and contents of all files below a folder.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    str
        Of SHA-256.
    """
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        name = str(path.relative_to(folder)).encode()
        digest.update(b"%d %s %d " % (len(name), name, len(content)))
        digest.update(content)
    return digest.hexdigest()
