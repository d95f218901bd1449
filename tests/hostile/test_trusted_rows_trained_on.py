"""Test tables that share rows, ids or groups with what is trained on: refused, or warned of."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession

from sparkclean.errors import InputError
from sparkclean.jobs.train.trusted import Overlap, count_overlap
from sparkclean.learning.columns import LearningColumns
from sparkclean.learning.feature_columns import resolve_features
from sparkclean.learning.profile import Profile

NUMBERS = np.random.default_rng(3).normal(size=(40, 3))


def table(spark: SparkSession, rows: range, kind: str, *, shift: int = 0, more: Any = ()) -> Any:
    """Rows of id, label, embedding, text, and the group of ten ids."""
    data = [
        (i + shift, i % 2, NUMBERS[i].astype(kind).tolist(), f"Word {i}", f"g{i // 10}")
        for i in rows
    ]
    schema = f"id int, label int, v array<{kind.replace('float64', 'double').replace('32', '')}>"
    return spark.createDataFrame([*data, *more], f"{schema}, t string, g string")


def overlap(test: DataFrame, trained: DataFrame, group: str | None = None) -> Overlap:
    features = resolve_features(trained.schema, ["v", "t"])
    kind = trained.schema["id"].dataType
    columns = LearningColumns(("id",), "label", features, (kind,), kind)
    profile = Profile(3, (0, 1), np.ones((1, 2), np.int64), 30, 0)
    pinned: Any = SimpleNamespace(frame=test, is_numbered=False)
    return count_overlap(pinned, trained, columns, profile, group=group)


def test_overlap_rows_of_another_floating_type_are_refused(spark: SparkSession) -> None:
    trained = table(spark, range(30), "float64")
    with pytest.raises(InputError, match=r"3 rows are among those .* record ids 27, 28, 29;"):
        overlap(table(spark, range(27, 40), "float32"), trained)


def test_overlap_of_ids_features_and_groups_is_warned_of(
    spark: SparkSession, caplog: pytest.LogCaptureFixture
) -> None:
    trained = table(spark, range(25), "float64")
    # rows 30 to 34 under ids that are trained on; 20 to 23 under others, their texts in capitals
    copies = [(90 + i, 0, NUMBERS[i].tolist(), f"WORD {i}!", "other") for i in range(20, 24)]
    test = table(spark, range(30, 35), "float64", shift=-20, more=copies)
    assert overlap(test, trained) == Overlap(alike=4, ids=5, groups=None)
    assert [record.getMessage().split(";")[0] for record in caplog.records] == [
        "train.test: 4 rows have the same features as rows that are trained on, under other record "
        "ids",
        "train.test: 5 rows have the record ids of rows that are trained on, and other features",
    ]
    caplog.clear()
    others = table(spark, range(25, 40), "float64")
    assert overlap(others, trained, "g") == Overlap(alike=0, ids=0, groups=5)
    assert overlap(others.drop("g"), trained, "g").groups is None
    assert [record.getMessage() for record in caplog.records] == [
        "train.test: 5 rows are of groups (predict.group: g) that are trained on; they make the "
        "model look better than it is"
    ]
