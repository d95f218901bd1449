"""The stages of a model of Spark ML: weights of words, one vector of features, the estimator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pyspark.ml import PipelineModel
from pyspark.ml.functions import array_to_vector, vector_to_array
from pyspark.sql import functions as F

from sparkclean.errors import InputError
from sparkclean.examples.batches import PROBS
from sparkclean.learning.engine import EngineInput
from sparkclean.learning.features import HASHED, NUMBERS, TEXT_PREFIX
from sparkclean.learning.spark_ml.estimators import (
    FEATURES,
    INDEX,
    make_spark_estimator,
    takes_negative,
    training_errors,
)
from sparkclean.learning.spark_ml.rows import class_place

if TYPE_CHECKING:
    from pyspark.ml import Model, Transformer
    from pyspark.sql import Column, DataFrame

#: Vector of the numbers where there are texts, too.
_NUMBERS = "__numbers_vector"


def fit_model(
    job: EngineInput, rows: DataFrame, counts: NDArray[np.int64], means: NDArray[np.float64] | None
) -> tuple[PipelineModel, tuple[int, ...]]:
    """Fit weights of words and the estimator.

    Parameters
    ----------
    job : EngineInput
    rows : DataFrame
        Staged rows to train on.
    counts : ndarray of int64, shape (K,)
        How many there are of each class.
    means : ndarray of float64, shape (D,), or None
        What missing numbers are taken for.

    Returns
    -------
    model : PipelineModel
    trained : tuple of int
        Its classes: those that have rows.

    Raises
    ------
    InputError
        If the estimator refuses the rows, or makes what cannot be saved.
    """
    trained = tuple(np.flatnonzero(counts).tolist())
    made = make_spark_estimator(
        job.predict,
        rows=int(counts.sum()),
        classes=len(trained),
        sparse=job.num_texts > 0,
    )
    # without the number of classes, estimators look for it, and refuse more than 100
    nominal = {"ml_attr": {"type": "nominal", "name": INDEX, "num_vals": len(trained)}}
    index = class_place(job, trained).cast("double").alias(INDEX, metadata=nominal)
    frame = rows.select(index, *input_columns(job, means))
    with training_errors(job.predict):
        stages = _fit_weights(job, frame, is_centred=takes_negative(made))
        fitted = made.fit(transform(job, stages, frame).select(INDEX, FEATURES))
    if not hasattr(fitted, "write"):
        raise InputError(
            f"predict.estimator: {type(fitted).__name__}, which {job.predict.estimator!r} "
            "makes, cannot be saved; choose another"
        )
    return PipelineModel([*stages, fitted]), trained


def input_columns(job: EngineInput, means: NDArray[np.float64] | None) -> list[Column]:
    """Give the vectors that a model starts from."""
    texts = [F.col(f"{TEXT_PREFIX}{i}") for i in range(job.num_texts)]
    if not job.profile.width:
        return texts
    numbers = F.col(NUMBERS)
    if means is not None:
        # one constant, not one for each number
        known = F.split(F.lit(",".join(map(repr, means.tolist()))), ",").cast("array<double>")
        numbers = F.transform(
            numbers, lambda x, i: F.when(F.isnan(x), F.get(known, i)).otherwise(x)
        )
    return [array_to_vector(numbers).alias(_NUMBERS if texts else FEATURES), *texts]


def transform(job: EngineInput, stages: Sequence[Transformer], frame: DataFrame) -> DataFrame:
    """Apply stages, and forget what the assembler notes of each of 2**18 columns and more.

    With that in the schema all that comes after takes minutes (seen on 4.1).
    """
    width = job.profile.width + HASHED * job.num_texts
    for stage in stages:
        frame = stage.transform(frame)
        if stage.hasParam("outputCol") and _column_of(stage, "outputCol") == FEATURES:
            frame = frame.withMetadata(FEATURES, {"ml_attr": {"num_attrs": width}})
    return frame


def probabilities(model: PipelineModel) -> Column:
    """Give the probabilities of a model's last stage, as arrays in the column `PROBS`."""
    return vector_to_array(F.col(_column_of(model.stages[-1], "probabilityCol"))).alias(PROBS)


def _fit_weights(job: EngineInput, frame: DataFrame, *, is_centred: bool) -> list[Transformer]:
    """Weigh words, and centre and scale numbers, as `FeatureMatrix` does, where there are texts."""
    from pyspark.ml.feature import (  # noqa: PLC0415 (needed with texts alone)
        IDF,
        ElementwiseProduct,
        Normalizer,
        StandardScaler,
        VectorAssembler,
    )
    from pyspark.ml.linalg import DenseVector  # noqa: PLC0415

    if not job.num_texts:
        return []
    stages: list[Transformer] = []
    parts = []
    if job.profile.width:
        scaled = f"{_NUMBERS}_scaled"
        scaler = StandardScaler(inputCol=_NUMBERS, outputCol=scaled, withMean=is_centred)
        stages.append(scaler.fit(frame))
        parts.append(scaled)
    is_one_text = job.num_texts == 1 and not job.profile.width
    for i in range(job.num_texts):
        name = f"{TEXT_PREFIX}{i}"
        rarity = IDF(inputCol=name, outputCol=f"{name}_rarity").fit(frame).idf.toArray()
        weights = DenseVector(rarity + 1.0)
        weighed = f"{name}_weighed"
        unit = FEATURES if is_one_text else f"{name}_unit"
        stages.append(ElementwiseProduct(scalingVec=weights, inputCol=name, outputCol=weighed))
        stages.append(Normalizer(p=2.0, inputCol=weighed, outputCol=unit))
        parts.append(unit)
    if is_one_text:
        return stages
    return [*stages, VectorAssembler(inputCols=parts, outputCol=FEATURES)]


def _column_of(model: Model | Transformer, name: str) -> str:
    return str(model.getOrDefault(model.getParam(name)))
