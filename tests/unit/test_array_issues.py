"""Label issues of features in memory: the same answer in whatever order the rows come."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

import sparkclean
from sparkclean.errors import ConfigError, InputError
from sparkclean.learning.array_issues import choose_folds, hash_rows
from sparkclean.learning.estimators import seed_estimator

find = sparkclean.find_label_issues_from_features


def two_clouds(rows: int = 60, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    rng = np.random.default_rng(seed)
    true = np.arange(rows) % 2
    X = rng.standard_normal((rows, 3)) + 6.0 * true[:, None]
    labels = np.array(["cat", "dog"])[true]
    labels[:2] = ["dog", "cat"]
    return X, labels


def test_issues_of_digits_find_most_flipped_labels() -> None:
    X, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(1)
    flipped = rng.random(len(y)) < 0.05
    given = np.where(flipped, (y + rng.integers(1, 10, len(y))) % 10, y)
    found = find(X, given)
    assert found.issues.dtype == bool
    assert found.pred_probs.shape == (len(y), 10)
    assert found.classes.tolist() == list(range(10))
    assert (found.issues & flipped).sum() > 0.75 * flipped.sum()
    assert (found.issues & flipped).sum() > 0.6 * found.issues.sum()
    assert found.issues.tolist() == sparkclean.find_label_issues(given, found.pred_probs).tolist()


@pytest.mark.parametrize("estimator", [None, RandomForestClassifier(20), LogisticRegression()])
def test_probabilities_have_the_same_bits_in_any_order(estimator: Any) -> None:
    X, labels = two_clouds()
    order = np.random.default_rng(5).permutation(len(X))
    first, again = find(X, labels, estimator), find(X, labels, estimator)
    other = find(X[order], labels[order], estimator)
    assert first.pred_probs.tobytes() == again.pred_probs.tobytes()
    assert first.pred_probs[order].tobytes() == other.pred_probs.tobytes()
    assert np.flatnonzero(first.issues).tolist() == [0, 1]
    assert first.issues[order].tolist() == other.issues.tolist()


def test_seed_is_of_estimators_that_have_none() -> None:
    X, labels = two_clouds()
    wanted = find(X, labels, RandomForestClassifier(5, random_state=3), seed=1)
    assert np.array_equal(find(X, labels, RandomForestClassifier(5), seed=3)[1], wanted[1])
    assert not np.array_equal(find(X, labels, RandomForestClassifier(5), seed=1)[1], wanted[1])
    mine = RandomForestClassifier(5)
    find(X, labels, mine)
    assert mine.random_state is None
    assert not hasattr(mine, "classes_")
    inner = make_pipeline(RandomForestClassifier())
    seed_estimator(inner, 7)
    assert inner[-1].random_state == 7


def test_options_are_those_of_find_label_issues() -> None:
    X, labels = two_clouds()
    found = find(
        X, labels, return_indices_ranked_by="self_confidence", filter_by="confident_learning"
    )
    assert sorted(found.issues.tolist()) == [0, 1]
    with pytest.raises(ConfigError, match="filter_by='nope'"):
        find(X, labels, filter_by="nope")


def test_every_kind_of_features_gives_issues() -> None:
    X, labels = two_clouds()
    words = np.where(np.arange(len(X)) % 2, "barks at the post", "purrs on a sofa")
    texts = [f"{word} number{i}" for i, word in enumerate(words)]
    frame = pd.DataFrame({"x": X[:, 0], "text": texts}, index=np.arange(len(X)) * 7)
    frame.loc[35, "x"] = np.nan
    frame.loc[14, "text"] = None
    pipeline = make_pipeline(TfidfVectorizer(), LogisticRegression())
    for rows, estimator in (
        (csr_matrix(X), None),
        (csr_matrix(X), LogisticRegression()),
        (frame, None),
        (frame[["x"]].fillna(3.0), LogisticRegression()),
        (texts, pipeline),
        (frame["text"].fillna(""), pipeline),
        (np.array(texts), None),
        (X.tolist(), None),
    ):
        found = find(rows, labels, estimator)
        own = found.pred_probs[np.arange(len(labels)), (labels == "dog").astype(int)]
        assert set(np.argsort(own)[:2].tolist()) == {0, 1}
        assert found.issues[:2].any()


# -- hashes and folds ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rows",
    [
        np.array([[0.0, np.nan], [1.0, 2.0], [-0.0, np.nan]]),
        np.array([[1, 2], [3, 4], [1, 2]], np.int8),
        csr_matrix(np.array([[0.0, 2.0, 1.0], [1.0, 2.0, 0.0], [0.0, 2.0, 1.0]])),
        np.array(["a", "b", "a"]),
        pd.Series(["a", None, "a"]),
        pd.DataFrame({"a": [1, 1, 1], "b": ["x", "y", "x"], "c": pd.Categorical(["u", "u", "u"])}),
        pd.DataFrame({"a": pd.array([1, None, 1], "Int64"), "b": [True, True, True]}),
        pd.DataFrame({"d": pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-01"])}),
    ],
)
def test_hashes_of_rows_are_those_of_their_values(rows: Any) -> None:
    first, second, third = hash_rows(rows)
    assert first == third != second


def test_hashes_of_sparse_rows_do_not_depend_on_how_they_are_stored() -> None:
    stored = csr_matrix(([1.0, 1.0, 0.0, 5.0], [2, 2, 0, 1], [0, 4]), shape=(1, 3))
    assert hash_rows(stored) == hash_rows(csr_matrix(np.array([[0.0, 5.0, 2.0]])))
    assert hash_rows(csr_matrix(np.array([[0.0, 5.0, 2.0]]))) != hash_rows(
        csr_matrix(np.array([[0.0, 2.0, 5.0]]))
    )


def test_folds_are_stratified_and_keep_copies_together() -> None:
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 1 << 62, 1000)
    given = np.repeat([0, 1, 2], [700, 293, 7])
    folds = choose_folds(hashes, given, 5)
    for k, count in ((0, 140), (1, 59), (2, 2)):
        found = np.bincount(folds[given == k], minlength=5)
        assert count - 1 <= found.min() <= found.max() <= count
    order = rng.permutation(1000)
    assert choose_folds(hashes[order], given[order], 5).tolist() == folds[order].tolist()
    copies = choose_folds(np.repeat(hashes, 3), np.repeat(given, 3), 5)
    assert (copies.reshape(-1, 3) == copies[::3, None]).all()


@pytest.mark.parametrize("sizes", [[1, 1], [9, 1], [1, 9], [1, 1, 8], [1, 1, 30, 1]])
@pytest.mark.parametrize("n_folds", [2, 3, 10])
def test_folds_part_a_class_of_two_groups(sizes: list[int], n_folds: int) -> None:
    hashes = np.repeat(np.arange(len(sizes)), sizes)
    folds = choose_folds(hashes, np.zeros(len(hashes), np.int64), n_folds)
    assert len(set(folds.tolist())) > 1


def test_folds_of_many_small_classes_are_of_about_one_size() -> None:
    given = np.repeat(np.arange(10), 2)
    folds = choose_folds(np.arange(20), given, 5)
    assert np.bincount(folds, minlength=5).tolist() == [4, 4, 4, 4, 4]


# -- what is refused -------------------------------------------------------------------------------

X, LABELS = two_clouds(20)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"n_folds": 1}, ConfigError, "n_folds is 1; give a whole number of at least 2"),
        ({"estimator": LinearSVC()}, ConfigError, "estimator: LinearSVC has no fit and pred"),
        ({"estimator": LogisticRegression}, ConfigError, "estimator: is the class Logistic"),
        ({"X": X[:, 0]}, InputError, r"X has shape \(20,\); give one row"),
        ({"X": [[1.0], [1.0, 2.0]]}, InputError, "X is not an array"),
        ({"labels": LABELS[:3]}, InputError, r"labels has shape \(3,\), X \(20, 3\)"),
        ({"labels": [None, *LABELS[1:19], None]}, InputError, "2 of 20 are missing.* 0, 19;"),
        ({"labels": [np.nan, *range(19)]}, InputError, "1 of 20 are missing, at positions 0;"),
        ({"labels": np.array([1, "a"] * 10, object)}, InputError, "types that do not sort"),
        ({"labels": ["a"] * 20}, InputError, "1 classes"),
        ({"labels": ["rare", *LABELS[1:]]}, InputError, "'rare', at positions 0. A class needs"),
        ({"X": np.where(X > 5, np.nan, X), "estimator": LogisticRegression()}, InputError,
         "LogisticRegression cannot be trained on these rows: Input X contains NaN"),
    ],
)  # fmt: skip
def test_arguments_that_cannot_be_used_are_named(
    changes: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        find(**{"X": X, "labels": LABELS} | changes)


def test_example_in_the_documentation_runs() -> None:
    module = importlib.import_module("sparkclean.learning.array_issues")
    done = doctest.testmod(module)
    assert (done.failed, done.attempted) == (0, 6)


def test_page_of_the_documentation_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "getting-started" / "arrays.md").read_text()
    names: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        exec(block, names)
    assert set(range(5)) <= set(np.flatnonzero(names["issues"]))
    assert len(capsys.readouterr().out.splitlines()) >= 2
