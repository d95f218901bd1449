"""Rows that a model cannot tell apart: never in two folds, and counted where a group parts them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from sparkclean.config.sections import PredictSection
from sparkclean.jobs.predict.checks import collect_checked_profile
from sparkclean.learning.columns import LearningColumns
from sparkclean.learning.feature_columns import resolve_features
from sparkclean.learning.features import hash_texts, words_of

#: Texts that a model cannot tell apart, line by line.
ALIKE = [
    ("The cat sat.", "the CAT sat", " the, cat... sat!!", "a the cat sat", "The\tcat\nsat"),
    ("ÉTÉ à la mer", "été, la mer"),
    ("", "a b c", "?!", "1"),
    ("İstanbul 12", "i̇STANBUL 12"),
]
OTHERS = ["cat the sat", "the cat", "thecat sat", "ete la mer", "istanbul 12"]


def is_same_to_a_model(one: str, other: str) -> bool:
    rows = hash_texts([one, other])
    return bool((rows[0] != rows[1]).nnz == 0)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(*[st.text(alphabet="aAbB1_é ,.-İß\u0301ſK\n", max_size=12)] * 2)
@example("ß", "SS")
def test_words_of_texts_are_the_same_where_the_model_sees_the_same(one: str, other: str) -> None:
    for text in (one, other):
        assert is_same_to_a_model(text, words_of(text))
    assert (words_of(one) == words_of(other)) == is_same_to_a_model(one, other)


def test_words_of_texts_that_differ_in_case_and_punctuation_are_the_same() -> None:
    for texts in ALIKE:
        assert len({words_of(text) for text in texts}) == 1
        assert all(is_same_to_a_model(texts[0], text) for text in texts)
    assert len({words_of(text) for text in [*OTHERS, *(texts[0] for texts in ALIKE)]}) == 9


@pytest.fixture(scope="module")
def rows() -> list[tuple[Any, ...]]:
    """Rows of id, label, number, text and group: each line of texts, each number twice."""
    lines = [*ALIKE, *[(text,) for text in OTHERS]]
    texts = [(n % 2 / 3, text) for n in range(2) for line in lines for text in line]
    return [(i, i % 2, *row, f"g{i % 40}") for i, row in enumerate(texts * 3)]


def test_folds_hold_all_rows_that_a_model_cannot_tell_apart(
    spark: SparkSession, rows: list[tuple[Any, ...]]
) -> None:
    columns, frame = learning_columns(spark, rows)
    predict = PredictSection(features=["number", "text"])
    found = columns.narrow(frame, predict, group=None, n_folds=7)
    folds: dict[tuple[float, str], set[tuple[int, int]]] = {}
    for row in found.select("__id_0", "__fold", "__inner").collect():
        seen = rows[row[0]][2], words_of(rows[row[0]][3])
        folds.setdefault(seen, set()).add((row[1], row[2]))
    assert len(folds) == 18
    assert all(len(places) == 1 for places in folds.values())
    assert len(set.union(*folds.values())) > 5


def test_group_that_parts_copies_is_warned_of_with_how_many_they_are(
    spark: SparkSession, rows: list[tuple[Any, ...]], caplog: pytest.LogCaptureFixture
) -> None:
    columns, frame = learning_columns(spark, rows)
    said = []
    for group in ("group", None):
        predict = PredictSection(features=["number", "text"], group=group)
        narrowed = columns.narrow(frame, predict, group=group, n_folds=5)
        held = {row[0]: row[1] for row in narrowed.select("__id_0", "__fold").collect()}
        folds: dict[tuple[float, str], set[int]] = {}
        seen = [(row[2], words_of(row[3])) for row in rows]
        for i, key in enumerate(seen):
            folds.setdefault(key, set()).add(held[i])
        wanted = sum(len(folds[key]) > 1 for key in seen)
        found = collect_checked_profile(frame, narrowed, columns, predict, classes=None, files=None)
        assert (found.copied, found.rows) == (wanted, len(rows))
        assert found.examples.sum(axis=0).tolist() == np.bincount([r[1] for r in rows]).tolist()
        said.append([record.getMessage() for record in caplog.records])
        caplog.clear()
    assert said[0][0].startswith("predict.group: 108 of 108 rows have the same features as rows of")
    assert said[1] == []


def learning_columns(spark: SparkSession, rows: Any) -> tuple[LearningColumns, Any]:
    frame = spark.createDataFrame(
        rows, "id int, label int, number double, text string, group string"
    )
    features = resolve_features(frame.schema, ["number", "text"])
    kind = frame.schema["id"].dataType
    return LearningColumns(("id",), "label", features, (kind,), kind), frame
