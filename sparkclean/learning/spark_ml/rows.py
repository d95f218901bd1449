"""Rows that models of Spark ML are trained on and predict: staged once, and counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pyspark.ml.linalg import VectorUDT
from pyspark.sql import Window
from pyspark.sql import functions as F
from pyspark.sql.types import StructField, StructType

from sparkclean.examples.batches import LABEL
from sparkclean.lake import spark_path, spark_paths
from sparkclean.learning.engine import EngineInput
from sparkclean.learning.features import NUMBERS, TEXT_PREFIX
from sparkclean.learning.scored import FOLD, INNER, INNER_FOLDS, PLACE
from sparkclean.learning.spark_ml.vectors import VECTOR_TYPE, ExpandNumbers, HashTexts
from sparkclean.rows.emitted import ID_PREFIX
from sparkclean.rows.tasks import map_in_arrow

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

#: Bytes of features in one file of the staged table, roughly.
_FILE_BYTES = 64 << 20
#: Number of a row among those of its class.
_NUMBER = "__number"


def id_names(job: EngineInput) -> list[str]:
    """Name the record id columns."""
    return [f"{ID_PREFIX}{i}" for i in range(len(job.id_types))]


def stage_features(job: EngineInput) -> DataFrame:
    """Write the features once, texts as vectors, and give them as they are read again.

    Parameters
    ----------
    job : EngineInput

    Returns
    -------
    DataFrame

    Notes
    -----
    One job, which writes files of sorted rows: a hash of their content says which row is in which.
    """
    folder = job.work / "features"
    texts = [f"{TEXT_PREFIX}{i}" for i in range(job.num_texts)]
    with job.progress.phase("stage features", of=job.profile.rows) as phase:
        frame = job.frame
        if job.profile.encoding:
            expand = ExpandNumbers(job.profile.encoding, job.profile.num_numbers)
            kinds = [f"`{field.name}` {field.dataType.simpleString()}" for field in frame.schema]
            frame = map_in_arrow(frame, expand, ", ".join(kinds))
        if texts:
            kinds = [
                f"`{field.name}` "
                + (VECTOR_TYPE if field.name in texts else field.dataType.simpleString())
                for field in frame.schema
            ]
            frame = map_in_arrow(frame, HashTexts(len(texts)), ", ".join(kinds))
        files = -(-job.profile.rows * job.row_bytes // _FILE_BYTES)
        ordered = frame.repartition(max(files, 1), PLACE).sortWithinPartitions(
            FOLD, PLACE, *id_names(job)
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
    return job.spark.read.schema(schema).parquet(*spark_paths([folder]))


def class_place(job: EngineInput, trained: Sequence[int]) -> Column:
    """Give the place of the label among some of the classes; null for strangers."""
    pairs = [
        part
        for place, k in enumerate(trained)
        for part in (F.lit(job.profile.classes[k]).cast(job.label_type), F.lit(place))
    ]
    return F.try_element_at(F.create_map(*pairs), F.col(LABEL))


def rows_in_quota(job: EngineInput, rows: DataFrame, quota: NDArray[np.int64]) -> DataFrame:
    """Keep the first rows of each class."""
    classes = range(len(job.profile.classes))
    most = F.get(F.array(*[F.lit(x) for x in quota.tolist()]), class_place(job, classes))
    of_class = Window.partitionBy(LABEL).orderBy(PLACE, *id_names(job))
    numbered = rows.withColumn(_NUMBER, F.row_number().over(of_class))
    return numbered.where(F.col(_NUMBER) <= most).drop(_NUMBER)


def collect_counts(job: EngineInput, rows: DataFrame) -> NDArray[np.int64]:
    """Count rows by fold, inner fold and class. One job; the driver holds as many numbers."""
    classes = job.profile.classes
    position = {label: k for k, label in enumerate(classes)}
    counts = np.zeros((job.predict.n_folds, INNER_FOLDS, len(classes)), np.int64)
    for row in rows.groupBy(FOLD, INNER, LABEL).count().collect():
        counts[row[FOLD], row[INNER], position[row[LABEL]]] = row["count"]
    return counts


def collect_means(job: EngineInput, rows: DataFrame) -> NDArray[np.float64] | None:
    """Find the means of the numbers of all folds but one; None where none may be missing.

    One job that makes a row of each number; the driver holds D numbers of each fold.
    """
    num_numbers, n_folds = job.profile.width, job.predict.n_folds
    if job.predict.missing != "impute" or not num_numbers:
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
