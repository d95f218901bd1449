"""Features, models of folds, and which rows they are trained on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, settings
from hypothesis import given as drawn
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from sparkclean.errors import ConfigError, InputError
from sparkclean.learning.calibration import fit_calibration
from sparkclean.learning.estimators import make_estimator
from sparkclean.learning.features import Block, FeatureMatrix, read_block
from sparkclean.learning.folds import ScoreFolds, TrainFolds
from sparkclean.learning.model_files import (
    ModelEntry,
    read_models,
    write_manifest,
    write_model,
)
from sparkclean.learning.models import SCORED_ROWS, FoldModel, predict_all
from sparkclean.learning.profile import Profile
from sparkclean.learning.sampling import check_seen, sample_quotas, sample_shares


def block(rows: int, seed: int = 0) -> Block:
    return Block(np.random.default_rng(seed).standard_normal((rows, 5)), ())


def test_read_block_reads_slices_numbers_and_texts() -> None:
    batch = pa.RecordBatch.from_arrays(
        [
            pa.array([[0.0, 0.5], [1.0, float("nan")], [2.0, 2.5]]),
            pa.array(["zero", None, "two"]),
        ],
        ["__numbers", "__text_0"],
    )
    found = read_block(batch.slice(1), 2, 1)
    np.testing.assert_array_equal(found.numbers, [[1.0, np.nan], [2.0, 2.5]])
    assert found.texts == (["", "two"],)


def test_feature_matrix_fills_in_the_mean_of_the_training_rows() -> None:
    matrix = FeatureMatrix().fit(Block(np.array([[1.0, np.nan], [3.0, np.nan]]), ()))
    held = Block(np.array([[np.nan, np.nan], [9.0, 9.0]]), ())
    np.testing.assert_array_equal(matrix.transform(held), [[2.0, 0.0], [9.0, 9.0]])


def test_feature_matrix_of_texts_weighs_rare_words_more() -> None:
    texts = (["the cat", "the dog", "the cow"],)
    matrix = FeatureMatrix().fit(Block(np.zeros((3, 0)), texts))
    (row,) = matrix.transform(Block(np.zeros((1, 0)), (["the cat"],))).toarray()
    weights = sorted(row[row > 0])
    assert len(weights) == 3  # two words and the pair of them
    assert weights[0] < weights[1] == weights[2]


@pytest.mark.parametrize("rows", [1, 2, SCORED_ROWS - 1, SCORED_ROWS, SCORED_ROWS + 3])
def test_predict_all_of_a_row_does_not_depend_on_its_neighbours(rows: int) -> None:
    train = block(300)
    matrix = FeatureMatrix().fit(train)
    model = LogisticRegression().fit(matrix.transform(train), np.arange(300) % 4)
    everything = block(2 * SCORED_ROWS, seed=1)
    whole = predict_all(model, matrix, everything, 4)
    places = np.random.default_rng(rows).permutation(len(everything))[:rows]
    some = predict_all(model, matrix, everything.take(places), 4)
    np.testing.assert_array_equal(some, whole[places])


def test_predict_all_gives_classes_that_were_not_trained_on_zero() -> None:
    train = block(40)
    matrix = FeatureMatrix().fit(train)
    model = LogisticRegression().fit(matrix.transform(train), np.where(np.arange(40) % 2, 3, 1))
    probs = predict_all(model, matrix, block(3, seed=2), 5)
    assert (probs[:, [0, 2, 4]] == 0.0).all()
    np.testing.assert_allclose(probs.sum(axis=1), 1.0)


def test_make_estimator_reaches_into_the_default_and_named_ones() -> None:
    assert make_estimator(None, {"C": 0.5}, scaled=False)[-1].C == 0.5
    assert make_estimator(None, {"C": 0.5}, scaled=True).C == 0.5
    named = make_estimator("sklearn.naive_bayes.GaussianNB", {"var_smoothing": 1e-3}, scaled=False)
    assert named.var_smoothing == 1e-3
    with pytest.raises(ConfigError, match="has no fit and predict_proba"):
        make_estimator("sklearn.svm.LinearSVC", {}, scaled=False)


def write_folder(folder: Path) -> ModelEntry:
    train = block(40)
    matrix = FeatureMatrix().fit(train)
    given = np.arange(40) % 2
    fitted = LogisticRegression().fit(matrix.transform(train), given)
    calibration = fit_calibration("none", np.zeros((0, 2)), given[:0])
    model = FoldModel(1, matrix, fitted, calibration, np.ones(2))
    entry = write_model(folder, model, name="fold-0", training_rows=40, seconds=0.1)
    write_manifest(folder, [entry], None, {}, {}, engine="sklearn", versions={})
    return entry


def test_read_models_reads_what_was_written(tmp_path: Path) -> None:
    write_folder(tmp_path)
    (found,) = read_models(tmp_path).values()
    assert found.fold == 1
    np.testing.assert_allclose(found.predict(block(3)).sum(axis=1), 1.0)


def test_read_models_changed_file_is_refused_and_not_loaded(tmp_path: Path) -> None:
    entry = write_folder(tmp_path)
    (tmp_path / entry.file).write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    with pytest.raises(InputError, match="not the model that its manifest names"):
        read_models(tmp_path)


@settings(max_examples=100, deadline=None)
@drawn(
    st.lists(st.integers(0, 10**9), min_size=2, max_size=5),
    st.integers(1, 10**6),
)
@example(counts=[9, 77], most=55)
def test_sample_quotas_are_at_most_what_is_allowed_and_keep_small_classes(
    counts: list[int], most: int
) -> None:
    profile = Profile(1, tuple(range(len(counts))), np.array([counts, counts]), 0, 0)
    quotas = sample_quotas(profile, most)
    of_class = np.array(counts)
    assert quotas.shape == (2, len(counts))
    for quota in quotas:
        assert quota.sum() == min(most, of_class.sum())
        assert ((quota >= 0) & (quota <= of_class)).all()
        if most >= len(counts):
            # what small classes keep is half of the training at most: all shrink by 1.5 at most,
            # and a fraction of a row is cut off
            kept = np.minimum(of_class, max(min(50, most / (2 * len(counts))), 1))
            assert (quota > kept / 1.5 - 1 - 1e-9).all()
            assert (quota >= np.minimum(of_class, 1)).all()
    shares = sample_shares(profile, quotas)
    assert ((shares >= 0.0) & (shares <= 1.0)).all()
    assert (shares * of_class >= quotas.max(axis=0) * (1.0 - 1e-12)).all()


def test_sample_quotas_are_all_rows_where_they_fit() -> None:
    profile = Profile(1, (0, 1), np.array([[5, 5], [4, 6]]), 20, 0)
    assert sample_quotas(profile, 10).tolist() == [[4, 6], [5, 5]]
    assert sample_shares(profile, sample_quotas(profile, 10)).tolist() == [1.0, 1.0]
    assert sample_quotas(profile, 9).sum(axis=1).tolist() == [9, 9]
    whole = Profile(1, (0, 1), np.array([[5, 15]]), 20, 0)
    assert sample_quotas(whole, 8).tolist() == [[2, 6]]


def test_check_seen_speaks_of_folds_only_where_there_are_some() -> None:
    profile = Profile(1, (0, 1), np.array([[5, 5], [4, 6]]), 20, 0)
    check_seen(profile, [], {0: [4, 2], 1: [3, 3]})
    with pytest.raises(InputError, match=r"no training row of some model: 1 .* predict.group"):
        check_seen(profile, [], {0: [4, 2], 1: [3, 0]})
    with pytest.raises(InputError, match=r"no training row of the model: 1 .*max_train_rows, or l"):
        check_seen(profile, [], {0: [4, 0]})


def test_train_takes_the_first_rows_of_each_class_and_weighs_them_by_what_was_drawn(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(3)
    given = np.repeat([0, 1, 2], [400, 30, 7])
    place = rng.permutation(437)
    numbers = rng.standard_normal((437, 2)) + given[:, None]
    table = {
        "__id_0": np.arange(437),
        "__label": given,
        "__numbers": list(numbers),
        "__fold": np.full(437, 1),
        "__inner": rng.integers(0, 3, 437),
        "__place": place,
    }
    (tmp_path / "sample").mkdir()
    pq.write_table(pa.table(table), tmp_path / "sample" / "part.parquet")
    quotas, counts = np.array([[200, 20, 9]]), np.array([[8000, 40, 9]])
    train = train_folds(
        tmp_path, classes=(0, 1, 2, 3), quotas=np.hstack([quotas, [[5]]]),
        counts=np.hstack([counts, [[5]]]),
    )  # fmt: skip
    entry = json.loads(train.train(0))
    assert entry.pop("found") == [200, 20, 7, 0]
    entry.pop("warnings")
    write_manifest(tmp_path, [ModelEntry(**entry)], None, {}, {}, engine="sklearn", versions={})
    (model,) = read_models(tmp_path).values()
    assert model.shares.tolist() == [200 / 8000, 20 / 40, 7 / 9, 1.0]
    order = np.argsort(place)
    first = [order[given[order] == k][:most] for k, most in enumerate((200, 20, 9))]
    rows = order[np.isin(order, np.concatenate(first))]
    wanted = make_estimator(None, {}, scaled=False).fit(numbers[rows], given[rows])
    np.testing.assert_array_equal(model.estimator[-1].coef_, wanted[-1].coef_)


def train_folds(folder: Path, **settings: Any) -> TrainFolds:
    """Training on two numbers, from a folder ``sample``."""
    defaults = {
        "sample": str(folder / "sample"), "models": str(folder), "estimator": None, "params": {},
        "calibrate": "none", "classes": (0, 1), "num_numbers": 2, "num_texts": 0, "seed": 0,
        "quotas": np.full((2, 2), 1000), "counts": np.full((2, 2), 1000),
        "max_rows": 1000,
    }  # fmt: skip
    return TrainFolds(**(defaults | settings))


@pytest.mark.parametrize("error", [MemoryError, pa.ArrowMemoryError, pa.ArrowCapacityError])
def test_train_beyond_memory_is_a_problem_of_max_train_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def read_table(*_: Any, **__: Any) -> pa.Table:
        raise error

    monkeypatch.setattr("sparkclean.learning.folds.pq.read_table", read_table)
    numbers = pa.RecordBatch.from_arrays([pa.array([0])], ["id"])
    (batch,) = train_folds(tmp_path, max_rows=2500)(iter([numbers]))
    problem = json.loads(batch.column(0)[0].as_py())["problem"]
    assert problem.startswith("predict.max_train_rows: the training rows, here up to 2,500, do not")


def test_train_more_text_than_an_array_holds_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sparkclean.learning.folds._MOST_TEXT", 7)
    table = {"__id_0": [1, 2], "__fold": [1, 1], "__place": [1, 2], "__text_0": ["four", None]}
    (tmp_path / "sample").mkdir()
    pq.write_table(pa.table(table), tmp_path / "sample" / "part.parquet")
    train = train_folds(tmp_path, num_numbers=0, num_texts=1)
    with pytest.raises(KeyError):  # it goes on to the labels, which are not there
        train.train(0)
    table["__text_0"] = ["four", "more"]
    pq.write_table(pa.table(table), tmp_path / "sample" / "part.parquet")
    with pytest.raises(pa.ArrowCapacityError):
        train.train(0)


@pytest.mark.parametrize(
    ("classes", "numbers", "texts", "rows"),
    [(10, 64, 0, 8192), (2, 1, 0, 8192), (2000, 1, 0, 1024), (10, 5000, 0, 1024), (2, 1, 1, 1024)],
)
def test_score_rows_at_once_are_bounded_by_what_they_hold(
    classes: int, numbers: int, texts: int, rows: int
) -> None:
    score = ScoreFolds(
        classes=tuple(range(classes)), id_types=("int",), label_type="int", models="",
        entries=(), estimator=None, num_numbers=numbers, num_texts=texts,
    )  # fmt: skip
    assert score.rows_at_once == rows
