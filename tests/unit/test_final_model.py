"""The final model, loaded and given examples in every form; the noise matrix of a sample."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression

from sparkclean.errors import ConfigError, InputError
from sparkclean.learning.calibration import fit_calibration
from sparkclean.learning.encoding import Encoding
from sparkclean.learning.estimators import make_estimator, weight_parameter
from sparkclean.learning.features import Block, FeatureMatrix
from sparkclean.learning.final_model import load_model
from sparkclean.learning.model_files import write_manifest, write_model
from sparkclean.learning.models import FoldModel
from sparkclean.learning.noise_matrix import noise_of_sample

ROWS = 40
NUMBERS = np.random.default_rng(1).standard_normal((ROWS, 3))
WORDS = ["cat meows" if i % 2 else "dog barks" for i in range(ROWS)]


def frame() -> pd.DataFrame:
    """A column of numbers, one of lists of two, one of texts, and one that is no feature."""
    lists = [row.tolist() for row in NUMBERS[:, 1:]]
    return pd.DataFrame({"x": lists, "id": range(ROWS), "n": NUMBERS[:, 0], "t": WORDS})


def saved(folder: Path, *, texts: bool = False, more: dict[str, Any] | None = None) -> Path:
    block = Block(NUMBERS, (WORDS,) if texts else ())
    matrix = FeatureMatrix().fit(block)
    given = np.arange(ROWS) % 2
    fitted = LogisticRegression().fit(matrix.transform(block), given)
    calibration = fit_calibration("none", np.zeros((0, 2)), given[:0])
    model = FoldModel(0, matrix, fitted, calibration, np.ones(2))
    entry = write_model(folder, model, name="model", training_rows=ROWS, seconds=0.1)
    features = {"numbers": ["n"], "lists": ["x"], "vectors": [], "texts": ["t"] if texts else []}
    about = {"classes": ["even", "odd"], "features": features, "num_numbers": 3}
    more = about if more is None else more
    write_manifest(folder, [entry], None, {}, {}, engine="sklearn", versions={}, more=more)
    return folder


def test_load_model_null_lists_are_missing_numbers(tmp_path: Path) -> None:
    model = load_model(saved(tmp_path))
    numbers = NUMBERS.copy()
    numbers[3:5, 1:] = np.nan
    table = frame()
    table.loc[3:4, "x"] = None
    for rows in (slice(None), slice(3, 5)):
        found = model.predict_proba(pa.Table.from_pandas(table[rows]))
        assert (found == model.predict_proba(numbers[rows])).all()


def test_load_model_predicts_tables_and_arrays_alike(tmp_path: Path) -> None:
    model = load_model(saved(tmp_path))
    wanted = model.predict_proba(NUMBERS)
    assert wanted.shape == (ROWS, 2)
    for table in (frame(), pa.Table.from_pandas(frame()), pa.Table.from_pandas(frame()).slice(7)):
        found = model.predict_proba(table)
        assert (found == wanted[-len(found) :]).all()
    best = [("even", "odd")[k] for k in wanted.argmax(axis=1)]
    assert model.predict(frame()) == best
    assert model.predict_proba(frame().iloc[:0]).shape == (0, 2)


def test_load_model_takes_texts_and_what_is_missing(tmp_path: Path) -> None:
    model = load_model(saved(tmp_path, texts=True))
    assert model.predict(frame()) == [("even", "odd")[i % 2] for i in range(ROWS)]
    some = frame().iloc[:2].assign(n=[np.nan, 1.0], t=[None, "cat meows"])
    assert np.isfinite(model.predict_proba(some)).all()
    with pytest.raises(InputError, match="and the texts"):
        model.predict_proba(NUMBERS)


@pytest.mark.parametrize(
    ("examples", "said"),
    [
        (frame().drop(columns="n"), r"has no columns \['n'\]"),
        (frame().assign(n="a"), "column 'n' is .*string; give numbers"),
        (frame().assign(x=1.0), "column 'x' is double; give lists of numbers"),
        (frame().assign(x=[[1.0]] * ROWS), "has 2 numbers a row .* was trained on 3"),
        (frame().assign(x=[[1.0]] + [[1.0, 2.0]] * (ROWS - 1)), "give each row as many"),
        (NUMBERS[:, :2], r"an array of shape \(40, 2\)"),
        (NUMBERS.tolist(), "examples are a list; give a pandas or Arrow table"),
    ],
)
def test_load_model_examples_that_do_not_fit_are_refused(
    tmp_path: Path, examples: Any, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        load_model(saved(tmp_path)).predict_proba(examples)


def test_load_model_of_what_is_no_final_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no model"):
        load_model(tmp_path / "nowhere")
    folds = tmp_path / "folds"
    folds.mkdir()
    with pytest.raises(InputError, match="holds the models of folds"):
        load_model(saved(folds, more={}))


def test_load_model_changed_file_is_not_loaded(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    (entry,) = json.loads((folder / "manifest.json").read_text())["models"]
    (folder / entry["file"]).write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    with pytest.raises(InputError, match="not the model that its manifest names"):
        load_model(folder)


def test_noise_of_sample_is_that_of_the_rows_that_are_left() -> None:
    rng = np.random.default_rng(2)
    joint = rng.integers(1, 50, (4, 4)) + np.diag([500, 300, 20, 0])  # rows given
    joint[:, 3] = 0  # never true
    shares = np.array([0.05, 0.1, 1.0, 1.0])
    prior = joint.sum(axis=0)
    noise, of_true = noise_of_sample(joint / np.maximum(prior, 1), shares)
    left = joint * shares[:, None]
    np.testing.assert_allclose(noise, left / np.maximum(left.sum(axis=0), 1e-300))
    np.testing.assert_allclose(prior * of_true, left.sum(axis=0))
    assert of_true[3] == 1.0


def test_load_model_reads_categories_and_dates_by_their_values(tmp_path: Path) -> None:
    days = [date(2024, 1, 1) + timedelta(i) for i in range(ROWS)]
    codes = np.arange(ROWS) % 3
    numbers = np.column_stack([NUMBERS[:, 0], codes, [(d - date(1970, 1, 1)).days for d in days]])
    matrix = FeatureMatrix(Encoding(1, (3,), 1)).fit(Block(numbers, ()))
    fitted = LogisticRegression().fit(matrix.transform(Block(numbers, ())), np.arange(ROWS) % 2)
    model = FoldModel(0, matrix, fitted, fit_calibration("none", np.zeros((0, 2)), codes[:0]),
                      np.ones(2))  # fmt: skip
    entry = write_model(tmp_path, model, name="model", training_rows=ROWS, seconds=0.1)
    features = {
        "numbers": ["n"], "lists": [], "vectors": [], "texts": [],
        "categories": {"c": ["1", "2", "é"]}, "dates": {"d": "date"},
    }  # fmt: skip
    about = {"classes": ["even", "odd"], "features": features, "num_numbers": 3}
    write_manifest(tmp_path, [entry], None, {}, {}, engine="sklearn", versions={}, more=about)
    final = load_model(tmp_path)
    words = [["1", "2", "é"][code] for code in codes]
    table = pd.DataFrame({"d": days, "c": words, "n": NUMBERS[:, 0]})
    wanted = model.predict(Block(numbers, ()))
    for given in (table, table.astype({"c": "category", "d": "datetime64[ns]"})):
        assert (final.predict_proba(given) == wanted).all()
        assert (final.predict_proba(pa.Table.from_pandas(given)) == wanted).all()
    # what was never seen, and null, are no value
    few = pd.DataFrame({"d": [None, None], "c": ["new", None], "n": [0.5, 0.5]})
    unknown = np.array([[0.5, np.nan, np.nan]] * 2)
    assert (final.predict_proba(few) == model.predict(Block(unknown, ()))).all()
    with pytest.raises(InputError, match=r"takes \(N, 3\) and the columns \['c', 'd'\]"):
        final.predict_proba(numbers)
    with pytest.raises(InputError, match="column 'd' is string; give what the model was trained"):
        final.predict_proba(table.assign(d="2024-01-01"))


def test_noise_of_sample_of_all_rows_is_the_same() -> None:
    noise = np.array([[0.9, 0.3], [0.1, 0.7]])
    assert noise_of_sample(noise, np.ones(2))[0] is noise


def test_weight_parameter_is_that_of_the_last_step() -> None:
    assert weight_parameter(make_estimator(None, {}, scaled=True)) == "sample_weight"
    found = weight_parameter(make_estimator(None, {}, scaled=False))
    assert found == "logisticregression__sample_weight"
    with pytest.raises(ConfigError, match="KNeighborsClassifier takes no sample_weight"):
        weight_parameter(make_estimator("sklearn.neighbors.KNeighborsClassifier", {}, scaled=False))
