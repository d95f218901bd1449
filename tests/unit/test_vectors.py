"""What tasks do for models of Spark ML: texts as vectors, probabilities of all classes."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from sparkclean.errors import InputError
from sparkclean.learning.calibration import Temperature, Uncalibrated, fit_calibration
from sparkclean.learning.features import HASHED, hash_texts
from sparkclean.learning.spark_ml.files import digest_folder
from sparkclean.learning.spark_ml.vectors import (
    EmitPredictions,
    FitCalibration,
    FoldFacts,
    HashTexts,
    read_probs,
)

TEXTS = ["the cat", "", "the dog and the cat"]


def batch(**columns: pa.Array) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


def test_hash_texts_puts_the_counts_of_scikit_learn_in_the_place_of_the_text() -> None:
    rows = batch(__id_0=pa.array([1, 2, 3]), __text_0=pa.array([TEXTS[0], None, TEXTS[2]]))
    (found,) = HashTexts(1)([rows])
    assert found.column("__id_0").to_pylist() == [1, 2, 3]
    wanted = hash_texts(TEXTS)
    for i, vector in enumerate(found.column("__text_0").to_pylist()):
        assert (vector["type"], vector["size"]) == (0, HASHED)
        assert vector["indices"] == sorted(wanted[i].indices.tolist())
        dense = np.zeros(HASHED)
        dense[vector["indices"]] = vector["values"]
        np.testing.assert_array_equal(dense, wanted[i].toarray()[0])


@pytest.mark.parametrize(
    ("lists", "wanted"),
    [
        ([[0.25, 0.75], [1.0, 0.0]], [[0.0, 0.25, 0.0, 0.75], [0.0, 1.0, 0.0, 0.0]]),
        # it has seen no row of its last class
        ([[1.0], [1.0]], [[0.0, 1.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]]),
    ],
)
def test_read_probs_gives_each_class_its_place(
    lists: list[list[float]], wanted: list[list[float]]
) -> None:
    found = read_probs(batch(__probs=pa.array(lists)), (1, 3), 4, "fold 0")
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    ("lists", "said"),
    [
        ([[0.5, 0.25, 0.25]], "fold 0 predicts 3 probabilities where it was trained on 2"),
        ([[0.5, 0.5], [1.0]], "predicts 1, 2 probabilities"),
        ([[0.5, 0.5], None], "predicts -1, 2 probabilities"),
        ([[0.5, float("nan")]], "the model of fold 0 predicts NaN"),
        ([[0.5, None]], "the model of fold 0 predicts NaN"),
    ],
)
def test_read_probs_refuses_what_is_no_answer(lists: list[list[float]], said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_probs(batch(__probs=pa.array(lists)), (1, 3), 4, "fold 0")


def test_fit_calibration_is_that_of_all_rows_whatever_batches_they_came_in() -> None:
    rng = np.random.default_rng(3)
    probs, given = rng.dirichlet(np.ones(3), 60), rng.integers(0, 3, 60)
    model = np.arange(60) % 3
    rows = batch(__probs=pa.array(probs.tolist()), __given=pa.array(given), __model=pa.array(model))
    fit = FitCalibration("temperature", ((0, 1, 2),) * 3, 3, fold=0)
    (found,) = fit([rows.slice(0, 7), rows.slice(7)])
    wanted = fit_calibration("temperature", probs, given)
    assert pickle.loads(found.column("calibration")[0].as_py()).calibration == wanted
    assert found.column("problem").to_pylist() == [None]


def test_fit_calibration_of_probabilities_that_are_none_is_told_and_not_raised() -> None:
    rows = batch(__probs=pa.array([[0.5, None]]), __given=pa.array([0]), __model=pa.array([0]))
    (found,) = FitCalibration("temperature", ((0, 1),) * 3, 2, fold=0)([rows])
    assert found.column("problem")[0].as_py().startswith("the model of fold 0, inner fold 0, pred")


def test_emit_predictions_are_calibrated_and_corrected_by_fold() -> None:
    facts = {
        0: FoldFacts((0, 1), None, Uncalibrated(), np.array([1.0, 0.5])),
        1: FoldFacts((0, 1), None, Temperature(2.0), np.ones(2)),
    }
    emit = EmitPredictions(
        classes=("a", "b"), id_types=("bigint",), label_type="string", facts=facts
    )
    rows = batch(
        __id_0=pa.array([1, 2]),
        __label=pa.array(["a", None]),
        __fold=pa.array([0, 1], pa.int32()),
        __probs=pa.array([[0.5, 0.5], [0.8, 0.2]]),
    )
    first, second, state = emit([rows])
    np.testing.assert_allclose(first.column("pred_probs").to_pylist(), [[1 / 3, 2 / 3]], rtol=1e-6)
    np.testing.assert_allclose(second.column("pred_probs").to_pylist(), [[2 / 3, 1 / 3]], rtol=1e-6)
    assert state.column("fold").to_pylist() == [0, 0]  # the row with a label, its class and bin


def test_digest_folder_sees_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_bytes(b"1")
    one = digest_folder(tmp_path)
    (tmp_path / "a" / "x").write_bytes(b"2")
    two = digest_folder(tmp_path)
    (tmp_path / "a" / "x").rename(tmp_path / "a" / "y")
    assert len({one, two, digest_folder(tmp_path)}) == 3
