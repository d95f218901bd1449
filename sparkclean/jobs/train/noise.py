"""What an audit has published of its classes: their order, and the noise matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray
from pyspark.sql import functions as F

from sparkclean import schema
from sparkclean.errors import InputError
from sparkclean.lake import open_target, safe_run_id
from sparkclean.learning.estimators import ROBUST_LOSS
from sparkclean.learning.noise_matrix import noise_matrix_of_pairs
from sparkclean.runs.audits import Audit

if TYPE_CHECKING:
    import numpy as np
    from pyspark.sql import DataFrame, SparkSession


def collect_noise(
    spark: SparkSession, audit: Audit, classes: tuple[Any, ...] | None
) -> tuple[NDArray[np.float64], tuple[Any, ...]]:
    """Read the noise matrix of an audit, and the classes that it is of.

    Parameters
    ----------
    spark : SparkSession
    audit : Audit
    classes : tuple or None
        None: the labels of the pairs, in their order.

    Returns
    -------
    noise_matrix : ndarray of float64, shape (K, K)
        P(given | true).
    classes : tuple, length K

    Raises
    ------
    InputError
        If the audit has published no pairs, or its pairs are of other classes.

    Notes
    -----
    One small job over the pairs; the driver holds K x K of them.
    """
    pairs = []
    if "pairs" in audit.outputs:
        frame = _rows_of_run(spark, audit, audit.outputs["pairs"])
        pairs = frame.select(schema.GIVEN_LABEL, "true_label", "noise_rate").collect()
    if not pairs:
        raise InputError(
            f"train.audit: run {audit.run_id!r} has no rows in output.pairs, from which the "
            f"noise matrix of {ROBUST_LOSS} is taken; audit with output.pairs, or choose a "
            "loss without one: train.params: {loss: generalized_cross_entropy}"
        )
    labels = sorted({row[name] for row in pairs for name in (schema.GIVEN_LABEL, "true_label")})
    known = classes or tuple(labels)
    return noise_matrix_of_pairs([row.asDict() for row in pairs], known), known


def collect_classes(spark: SparkSession, audit: Audit) -> tuple[Any, ...] | None:
    """Read the classes of an audit: a label that it has rejected is none. One small job."""
    location = audit.outputs.get("classes")
    if location is None:
        return None
    mine = _rows_of_run(spark, audit, location)
    return tuple(row[0] for row in mine.orderBy("class_index").select("class").collect())


def _rows_of_run(spark: SparkSession, audit: Audit, location: str) -> DataFrame:
    frame = open_target(location, spark=spark).frame(spark)
    return frame.where(F.col(schema.RUN_ID) == safe_run_id(audit.run_id))
