"""Estimators that cannot work: found on a few rows before any work, in their own words."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from sparkclean.config.sections import PredictSection
from sparkclean.errors import ConfigError, InputError
from sparkclean.learning.features import Block
from sparkclean.learning.sklearn_engine import trial_of
from sparkclean.learning.trial import TrialRows, judge
from tests.spark.test_predict import ROWS, K, examples, run_predict
from tests.unit.test_fold_models import train_folds

BAYES = "sklearn.naive_bayes.MultinomialNB"
FOREST = "sklearn.ensemble.RandomForestClassifier"
QDA = "sklearn.discriminant_analysis.QuadraticDiscriminantAnalysis"
CALIBRATED = "sklearn.calibration.CalibratedClassifierCV"
NEIGHBOURS = "sklearn.neighbors.KNeighborsClassifier"


def rows(count: int = 60, width: int = 4, classes: int = K, *, positive: bool = False) -> TrialRows:
    numbers = np.random.default_rng(2).standard_normal((count, width))
    given = np.arange(count) % classes
    return TrialRows(Block(np.abs(numbers) if positive else numbers, ()), given, classes)


def tried(
    found: TrialRows, *, estimator: str | None = None, classes: int = K, **params: Any
) -> None:
    section = PredictSection(features=["x"])
    attempt = trial_of(section, estimator, params, num_texts=0).try_on
    judge(attempt, found, lambda: classes, section="predict")


@pytest.mark.parametrize(
    ("estimator", "params", "said"),
    [
        (None, {"C": -1}, "LogisticRegression fails on any rows of 3 classes: The 'C' parameter"),
        (None, {"C": "os.system"}, "Got 'os.system' instead"),
        (None, {"C": float("nan")}, "Got nan instead"),
        (None, {"class_weight": {"a": 1.0}}, "are not in class_weight. To it classes are num"),
        (None, {"class_weight": {7: 1.0}}, "numbers, 0 to 2; correct the parameters, or "),
        (FOREST, {"max_depth": 0}, "RandomForestClassifier fails on any rows of 3 "),
        (NEIGHBOURS, {"metric": "cosy"}, "KNeighborsClassifier fails on any rows of 3 "),
    ],
    ids=str,
)  # fmt: skip
def test_judge_parameters_that_cannot_work_are_an_error_of_the_configuration(
    estimator: str | None, params: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=r"^predict\.params: ") as caught:
        tried(rows(), estimator=estimator, **params)
    assert said in str(caught.value)


def test_judge_rows_that_an_estimator_does_not_take_are_an_error_of_the_input() -> None:
    with pytest.raises(InputError, match="MultinomialNB cannot be trained on these rows: Negative"):
        tried(rows(), estimator=BAYES)
    tried(rows(positive=True), estimator=BAYES)


@pytest.mark.parametrize(
    ("found", "estimator", "params"),
    [
        # fewer rows than the estimator asks for
        (rows(20), NEIGHBOURS, {"n_neighbors": 30}),
        (rows(20), NEIGHBOURS, {"n_neighbors": 5000}),
        (rows(20), FOREST, {"max_samples": 100_000}),
        # fewer of a class than folds of its own
        (rows(9), CALIBRATED, {"cv": 10}),
        # fewer of a class than numbers
        (rows(20, 12), QDA, {}),
        # a class that is not among them has a weight
        (rows(20, classes=2), None, {"class_weight": {2: 5.0}}),
    ],
    ids=str,
)
def test_judge_what_more_rows_may_cure_is_left_to_the_run(
    found: TrialRows, estimator: str | None, params: dict[str, Any]
) -> None:
    tried(found, estimator=estimator, **params)


@pytest.mark.parametrize(
    "estimator",
    ["sklearn.naive_bayes.GaussianNB", "sklearn.ensemble.HistGradientBoostingClassifier"],
)
def test_judge_estimators_of_dense_matrices_are_given_one_of_texts(estimator: str) -> None:
    found = rows()
    words = [["cat meows", "dog barks", "cow moos"][k] for k in found.given.tolist()]
    trial = trial_of(PredictSection(features=["x"]), estimator, {}, num_texts=1)
    block = Block(found.block.numbers, (words,))
    judge(trial.try_on, replace(found, block=block), lambda: K, section="predict")


def test_judge_rows_that_do_are_tried_once() -> None:
    attempts = []
    judge(lambda *_: attempts.append(1), rows(), lambda: K, section="predict")
    assert attempts == [1]


def test_train_what_the_estimator_says_in_a_task_is_told_and_not_raised(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    numbers = np.random.default_rng(1).standard_normal((20, 2)).tolist()
    table = {"__id_0": range(20), "__label": [i % 2 for i in range(20)], "__numbers": numbers}
    hashed = {name: [1] * 20 for name in ("__fold", "__inner")} | {"__place": range(20)}
    (tmp_path / "sample").mkdir()
    pq.write_table(pa.table(table | hashed), tmp_path / "sample" / "part.parquet")
    train = train_folds(tmp_path, estimator=BAYES)
    (found,) = train(iter([pa.RecordBatch.from_arrays([pa.array([0])], ["id"])]))
    problem = json.loads(found.column(0)[0].as_py())["problem"]
    assert problem.startswith("MultinomialNB cannot be trained on these rows: Negative values")


def test_predict_by_what_cannot_work_writes_nothing(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    # sorted by label, so that the first rows are of one class
    table = examples().sort_by("label")
    for dry, section, code, said in (
        (
            True,
            {"params": {"C": -1}},
            2,
            "predict.params: LogisticRegression fails on any",
        ),
        (False, {"params": {"class_weight": {"1": 2.0}}}, 2, "are not in class_weight"),
        (True, {"estimator": BAYES}, 3, "Negative values in data passed to MultinomialNB"),
        (False, {"features": "text", "params": {"tol": "x"}}, 2, "The 'tol' parameter"),
    ):
        assert run_predict(tmp_path, table, dry=dry, **section) == code
        assert said in capsys.readouterr().err
        # and the run id is free
        assert not (tmp_path / "out").exists()


def test_predict_error_of_a_model_in_a_task_is_not_tried_again(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    # of a category that the model has not seen: the first rows do not tell
    categories = np.random.default_rng(3).integers(0, 4, (ROWS, 4))
    categories[-1] = 99
    table = examples(vector=pa.array(categories.tolist()))
    section = {"features": "vector", "estimator": "sklearn.naive_bayes.CategoricalNB"}
    assert run_predict(tmp_path, table, n_folds=2, **section) == 3
    said = capsys.readouterr().err
    assert "CategoricalNB cannot predict these rows: IndexError: index 99 is out of bounds" in said
    assert "stage failure" not in said
