"""Functions of columns on arrays: the rows that an audit admits, with its bits."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyspark import cloudpickle

from sparkclean.confident.issues import audit_arrays
from sparkclean.confident.scores import label_quality
from sparkclean.errors import ConfigError, InputError
from sparkclean.examples.row_functions import (
    FindIssues,
    PredictRows,
    RowReader,
    ScoreRows,
    labels_of,
    list_array,
)
from sparkclean.jobs.audit import functions
from tests.data import noisy_data

METHODS = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")


def reader(classes: tuple[Any, ...] | None = None, tolerance: float = 1e-3) -> RowReader:
    return RowReader(classes, tolerance)


def own(labels: Any, probs: Any, classes: tuple[Any, ...] | None = None) -> list[Any]:
    found = ScoreRows(reader(classes), "self_confidence")(pa.array(labels), probs)
    return [None if np.isnan(score) else score for score in found.tolist()]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("method", METHODS)
def test_scores_have_the_bits_of_the_audit(method: str, dtype: type) -> None:
    given, probs = noisy_data(500, 7, seed=3)
    probs = probs.astype(dtype)
    wanted = label_quality(given, probs.astype(np.float64), method=method)
    for classes in (None, tuple(range(7))):
        found = ScoreRows(reader(classes), method)(pa.array(given), list(probs))
        assert found.tobytes() == wanted.tobytes()


@pytest.mark.parametrize(
    ("label", "probs"),
    [
        (None, [0.5, 0.5]),
        (2, [0.5, 0.5]),
        (-1, [0.5, 0.5]),
        (0, None),
        (0, []),
        (0, [1.0]),
        (0, [np.nan, 1.0]),
        (0, [np.inf, 1.0]),
        (0, [1.2, -0.2]),
        (0, [0.5, 0.4]),
        (0, [50.0, 50.0]),
    ],
)
def test_scores_of_rows_that_an_audit_rejects_are_null(label: Any, probs: Any) -> None:
    row = None if probs is None else np.array(probs, np.float64)
    fine = np.array([0.25, 0.75])
    assert own([label, 1], [row, fine]) == [None, 0.75]
    assert own([1, label], [fine, row], (0, 1)) == [0.75, None]


def test_scores_without_classes_take_each_row_by_its_own_length() -> None:
    rows = [np.array([0.25, 0.75]), np.array([0.2, 0.3, 0.5]), np.array([0.6, 0.4])]
    assert own([1, 2, 2], rows) == [0.75, 0.5, None]
    assert own([1, 2, 1], rows, (0, 1)) == [0.75, None, 0.4]


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["b", None, "c", "a"], ("a", "b")),
        ([True, None, True, False], (False, True)),
        ([7.0, None, 7.5, 3.0], (3, 7)),
        ([7, None, 8, 3], (3, 7)),
    ],
)
def test_labels_of_every_type_match_their_classes(labels: Any, classes: Any) -> None:
    rows = [np.array([0.25, 0.75])] * 4
    wrong = [0.75, None, 0.75 if labels[2] is True else None, 0.25]
    assert own(labels, rows, classes) == wrong


def test_labels_that_are_booleans_need_no_classes() -> None:
    assert own([True, False], [np.array([0.25, 0.75])] * 2) == [0.75, 0.25]
    assert own([True], [np.array([0.2, 0.3, 0.5])]) == [None]


@pytest.mark.parametrize(
    ("labels", "classes", "words"),
    [
        (["a"], None, "values are str, but the classes are int"),
        ([1], ("a", "b"), "values are int, but the classes are str"),
        ([True], (0, 1), "values are bool, but the classes are int"),
        ([1], (False, True), "values are int, but the classes are bool"),
        ([Decimal(1)], (0, 1), "decimal"),
    ],
)
def test_labels_of_another_type_than_the_classes_are_an_error(
    labels: Any, classes: Any, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        own(labels, [np.array([0.5, 0.5])], classes)


@pytest.mark.parametrize("labels", [[None, None], []])
def test_labels_all_null_or_none_at_all_are_no_error(labels: list[None]) -> None:
    assert own(labels, [np.array([0.5, 0.5])] * len(labels), ("a", "b")) == labels


def test_probabilities_of_other_numbers_are_read_as_float64() -> None:
    rows = [np.array([Decimal("0.1"), Decimal("0.9")], object), np.array([None, 1], object)]
    found = list_array(rows)
    assert found.type == pa.list_(pa.float64())
    assert own([1, 1], rows) == [0.9, None]
    assert own([1, 0], [np.array([0, 1]), np.array([1, 0])]) == [1.0, 1.0]


def test_list_array_keeps_float32_and_nulls() -> None:
    found = list_array([None, np.array([0.5, 0.5], np.float32), None])
    assert found.type == pa.list_(pa.float32())
    assert found.to_pylist() == [None, [0.5, 0.5], None]
    assert list_array([]).to_pylist() == []


def test_vectors_dense_and_sparse_are_read() -> None:
    frame = pd.DataFrame(
        {
            "type": [1, 0, None],
            "size": [None, 3, None],
            "indices": [None, np.array([0, 2]), None],
            "values": [np.array([0.2, 0.3, 0.5]), np.array([0.25, 0.75]), None],
        }
    )
    assert own([2, 2, 2], frame) == [0.5, 0.75, None]
    with pytest.raises(InputError, match="a struct holds no probabilities"):
        own([2], pd.DataFrame({"a": [1]}))


def test_predictions_are_the_first_argmax_as_labels() -> None:
    rows = [np.array([0.5, 0.5]), np.array([0.25, 0.75]), None, np.array([0.5, 0.6])]
    assert PredictRows(reader())(None, rows).tolist() == [0, 1, None, None]
    assert PredictRows(reader(("a", "b")))(None, rows).tolist() == ["a", "b", None, None]
    labelled = PredictRows(reader(("a", "b")))(pa.array(["a", "x", "a", "a"]), rows)
    assert labelled.tolist() == ["a", None, None, None]


def test_labels_of_negative_indices_are_null() -> None:
    assert labels_of(("a", "b"), np.array([1, -1, 0])).tolist() == ["b", None, "a"]


@pytest.mark.parametrize("collision", ["cleanlab-2.9", "paper"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_issues_are_those_of_the_filter_with_these_thresholds(collision: str, dtype: type) -> None:
    given, probs = noisy_data(3000, 4, seed=8, noise=0.3)
    probs = probs.astype(dtype)
    thresholds = np.array([0.55, 0.4, 0.3, 0.2])
    wanted = audit_arrays(
        given,
        probs,
        filter_by="confident_learning",
        thresholds=thresholds,
        collision=collision,
    )
    classes = ("a", "b", "c", "d")
    find = FindIssues(reader(classes), thresholds, collision)  # type: ignore[arg-type]
    found = find(pa.array([classes[k] for k in given]), list(probs))
    assert found["is_label_issue"].tolist() == wanted.is_label_issue.tolist()
    confident = labels_of(classes, wanted.outcomes)
    assert found["confident_label"].tolist() == confident.tolist()
    assert None in confident.tolist()
    # some are confidently of a class that is not the most probable one
    assert found["suggested_label"].tolist() == [classes[k] for k in probs.argmax(axis=1)]
    issues = np.flatnonzero(wanted.is_label_issue)
    assert (found["suggested_label"][issues] != confident[issues]).any()


def test_issues_of_a_row_that_an_audit_rejects_are_null() -> None:
    find = FindIssues(reader((0, 1)), np.array([0.5, 0.5]), "paper")
    found = find(pa.array([0, 5]), [np.array([0.1, 0.9])] * 2)
    assert {name: column.tolist() for name, column in found.items()} == {
        "is_label_issue": [True, None], "confident_label": [1, None], "suggested_label": [1, None],
    }  # fmt: skip


# -- what is checked before a task begins ----------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"classes": ["a"]}, "K = 1"),
        ({"classes": ["a", 1]}, "types int, str"),
        ({"classes": [1, 1]}, "more than once"),
        ({"classes": "ab"}, "is one text"),
        ({"classes": [0, 1 << 53]}, "cast labels and classes to strings"),
        ({"row_sum_tolerance": 1.5}, r"row_sum_tolerance: 1\.5"),
    ],
)
def test_arguments_that_cannot_be_are_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        functions.self_confidence("label", "probs", **options)


def test_task_of_a_function_loads_numpy_pyarrow_and_pandas_only() -> None:
    kept = functions._score("self_confidence", reader((0, 1)))
    code = """
import json, pickle, sys
import numpy, pandas, pyarrow.compute
before = set(sys.modules)
function = pickle.loads(sys.stdin.buffer.read())
rows = pandas.Series([[.25, .75], [.5, .5]]).map(numpy.array)
found = function(pandas.Series([1, 0]), rows)
print(json.dumps([found.tolist(), sorted({m for m in set(sys.modules) - before})]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=cloudpickle.dumps(kept.func),
        capture_output=True,
        check=True,
    )
    found, loaded = json.loads(done.stdout)
    assert found == [0.75, 0.5]
    packages = {name.split(".")[0] for name in loaded}
    assert packages.isdisjoint({"pydantic", "scipy", "sklearn", "yaml"})
    rooms = {name.split(".")[1] for name in loaded if name.startswith("sparkclean.")}
    assert rooms <= {
        "confident",
        "errors",
        "examples",
        "numbers",
        "rows",
        "schema",
        "texts",
        "version",
    }
