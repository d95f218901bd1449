"""Try an estimator of Spark ML on a few rows that the driver holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pyspark.ml.linalg import Vectors, VectorUDT
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    DoubleType,
    IntegerType,
    StructField,
    StructType,
)

from sparkclean.config.sections import PredictSection
from sparkclean.examples.batches import LABEL
from sparkclean.learning.encoding import Encoding
from sparkclean.learning.engine import EngineInput
from sparkclean.learning.features import HASHED, NUMBERS, TEXT_PREFIX, Block, hash_texts
from sparkclean.learning.profile import Profile
from sparkclean.learning.spark_ml.estimators import training_errors
from sparkclean.learning.spark_ml.stages import fit_model, input_columns, probabilities, transform
from sparkclean.rows.progress import Progress

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def trial_on_cluster(
    spark: SparkSession, predict: PredictSection, num_texts: int, encoding: Encoding
) -> Callable[[Block, NDArray[np.int64], int], None]:
    """Give what trains a model of Spark ML on a few rows, and predicts them.

    Parameters
    ----------
    spark : SparkSession
    predict : PredictSection
    num_texts : int
    encoding : Encoding

    Returns
    -------
    callable
        An `Attempt`: the jobs of the estimator, of one task each, and one more.
    """

    def attempt(block: Block, given: NDArray[np.int64], num_classes: int) -> None:
        block = Block(np.hstack(encoding.split(block.numbers)), block.texts)
        frame = _frame(spark, block, given)
        counts = np.bincount(given, minlength=num_classes)
        profile = Profile(
            block.numbers.shape[1], tuple(range(num_classes)), counts[None], len(given), 0
        )
        job = EngineInput(
            spark=spark,
            predict=predict,
            frame=frame,
            profile=profile,
            num_texts=num_texts,
            id_types=(),
            label_type=IntegerType(),
            files=None,
            work=Path(),
            progress=Progress(),
        )
        means = np.nanmean(block.numbers, axis=0) if predict.missing == "impute" else None
        model, _ = fit_model(job, frame, counts, means)
        with training_errors(predict):
            scored = transform(job, model.stages, frame.select(*input_columns(job, means)))
            scored.select(F.count(probabilities(model))).collect()

    return attempt


def _frame(spark: SparkSession, block: Block, given: NDArray[np.int64]) -> DataFrame:
    """Make a frame as `stage_features` does, of one partition."""
    names = [f"{TEXT_PREFIX}{i}" for i in range(len(block.texts))]
    fields = [StructField(LABEL, IntegerType()), StructField(NUMBERS, ArrayType(DoubleType()))]
    fields += [StructField(name, VectorUDT()) for name in names]
    texts = []
    for column in block.texts:
        counts = hash_texts(column)
        counts.sort_indices()
        texts.append([Vectors.sparse(HASHED, row.indices, row.data) for row in counts])
    rows = list(zip(given.tolist(), block.numbers.tolist(), *texts, strict=True))
    return spark.createDataFrame(rows, StructType(fields)).coalesce(1)
