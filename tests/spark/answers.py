"""What an audit must answer, computed on arrays; and frames to audit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import DataFrame, SparkSession

from sparkclean.confident.issues import audit_arrays
from sparkclean.numbers.result_hash import result_hash, sum_hashes, suspect_text
from sparkclean.schema import SUSPECT_REASONS

_PARTS = 64


def dyadic_data(
    rows: int, classes: int, *, seed: int = 0, noise: float = 0.15
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Labels, some of them wrong, and probabilities in 64ths: exact in every number type."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, classes, rows)
    logits = rng.standard_normal((rows, classes))
    logits[np.arange(rows), true] += 2.0
    shares = np.exp(logits)
    parts = np.floor(shares / shares.sum(axis=1, keepdims=True) * _PARTS)
    parts[np.arange(rows), parts.argmax(axis=1)] += _PARTS - parts.sum(axis=1)
    flipped = rng.random(rows) < noise
    given = np.where(flipped, rng.integers(0, classes, rows), true)
    return given, parts / _PARTS


def hash_of_arrays(
    given: NDArray[np.int64],
    probs: NDArray[np.float64],
    filter_by: str,
    *,
    ids: Sequence[Sequence[Any]] | None = None,
    classes: Sequence[Any] | None = None,
    **options: Any,
) -> str:
    """Result hash from numpy; ties go by position, so rows stand in the order of their ids."""
    found = audit_arrays(given, probs, filter_by=filter_by, **options)
    issues = np.flatnonzero(found.is_label_issue).tolist()
    ids = [[i] for i in range(len(given))] if ids is None else ids
    suggested = probs.argmax(axis=1)
    reason = SUSPECT_REASONS[filter_by]
    texts = [suspect_text(ids[i], int(given[i]), int(suggested[i]), reason) for i in issues]
    return result_hash(
        classes=list(range(probs.shape[1])) if classes is None else classes,
        thresholds=found.thresholds,
        confident_joint=found.noise.confident_joint,
        calibrated_joint=found.noise.calibrated_joint,
        suspects=len(issues),
        suspect_sum=sum_hashes(texts),
    )


def frame_of(
    spark: SparkSession,
    given: NDArray[np.int64],
    probs: NDArray[np.float64],
    kind: str = "double",
    *,
    ids: Sequence[Any] | None = None,
    id_type: str = "bigint",
) -> DataFrame:
    """Frame of id, label, pred_probs (array<kind>)."""
    ids = range(len(given)) if ids is None else ids
    rows = [(i, int(g), [float(x) for x in p]) for i, g, p in zip(ids, given, probs, strict=True)]
    return spark.createDataFrame(rows, f"id {id_type}, label int, pred_probs array<{kind}>")
