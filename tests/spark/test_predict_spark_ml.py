"""`predict.engine: spark-ml`: trained by the cluster, out of sample, repeatable, clear."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.functions import array_to_vector
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from sklearn.naive_bayes import MultinomialNB

import sparkclean
from sparkclean.config.sections import PredictSection
from sparkclean.errors import UnsupportedFeatureError
from sparkclean.lake import open_target
from sparkclean.learning.features import Block, FeatureMatrix
from sparkclean.learning.spark_ml.engine import SparkMLEngine
from tests.spark.test_predict import (
    ROWS,
    K,
    Predict,
    examples,
    manifest,
    predicted,
    run_predict,
)

LINEAR = {"params": {"regParam": 0.01, "maxIter": 50}, "n_folds": 2}
FOREST = {
    "estimator": "pyspark.ml.classification.RandomForestClassifier",
    "params": {"numTrees": 3, "maxDepth": 3},
    "n_folds": 2,
}


@pytest.fixture
def predict(spark: SparkSession, tmp_path: Path) -> Predict:
    return partial(run_predict, tmp_path, engine="spark-ml")


def probabilities(found: dict[int, dict[str, Any]]) -> np.ndarray:
    return np.array([found[i]["pred_probs"] for i in range(len(found))])


def folds_of(found: dict[int, dict[str, Any]]) -> np.ndarray:
    return np.array([found[i]["fold"] for i in range(len(found))])


def test_predict_spark_ml_string_labels_have_the_probabilities_of_a_cross_fit_by_hand(
    spark: SparkSession, predict: Predict, tmp_path: Path
) -> None:
    data, names = examples(), np.array(["b", "c", "a"])
    given = names[data["label"].to_numpy()]
    table = examples(label=pa.array(given.tolist()))
    classes = ["c", "b", "a"]
    assert predict(table, classes=classes, **LINEAR) == 0
    found = predicted(spark, tmp_path)
    probs = probabilities(found)
    np.testing.assert_allclose(probs.sum(axis=1), 1.0, atol=1e-6)
    number, vector = data["number"].to_pylist(), data["vector"].to_pylist()
    frame = spark.createDataFrame(
        [
            (i, found[i]["fold"], float(classes.index(given[i])), [number[i], *vector[i]])
            for i in range(ROWS)
        ],
        "id long, fold int, label double, features array<double>",
    ).withColumn("features", array_to_vector("features"))
    for fold in range(2):
        estimator = LogisticRegression(family="multinomial", regParam=0.01, maxIter=50)
        model = estimator.fit(frame.where(F.col("fold") != fold))
        for row in model.transform(frame.where(F.col("fold") == fold)).collect():
            np.testing.assert_allclose(probs[row["id"]], row["probability"], atol=1e-6)
    (record,) = open_target(str(tmp_path / "out" / "runs")).head(2).to_pylist()
    hits = [classes[k] for k in probs.argmax(axis=1)] == given
    quality = json.loads(record["counts"])["quality"]
    assert quality["overall"]["accuracy"] == pytest.approx(float(hits.mean()))
    assert 0.8 < hits.mean() < 1.0
    assert [part["rows"] for part in quality["folds"]] == np.bincount(folds_of(found)).tolist()
    content = manifest(tmp_path)
    assert content["engine"] == "spark-ml"
    assert content["versions"]["spark"] == spark.version
    assert sum(entry["training_rows"] for entry in content["models"]) == ROWS


@pytest.mark.full
def test_predict_spark_ml_texts_and_numbers_are_weighed_as_by_scikit_learn(
    spark: SparkSession, predict: Predict, tmp_path: Path
) -> None:
    data = examples()
    words = [f"{text} {i % 7}0 {text}" for i, text in enumerate(data["text"].to_pylist())]
    number = np.abs(data["number"].to_numpy())
    table = examples(text=pa.array(words), number=pa.array(number))
    # has a closed form, and wants nothing negative
    bayes = "pyspark.ml.classification.NaiveBayes"
    assert predict(table, features=["number", "text"], n_folds=2, estimator=bayes) == 0
    found = predicted(spark, tmp_path)
    probs, fold = probabilities(found), folds_of(found)
    block = Block(number[:, None], (words,))
    given = data["label"].to_numpy()
    for k in range(2):
        rest, held = block.take(np.flatnonzero(fold != k)), block.take(np.flatnonzero(fold == k))
        matrix = FeatureMatrix(is_centred=False).fit(rest)
        model = MultinomialNB().fit(matrix.transform(rest), given[fold != k])
        wanted = model.predict_proba(matrix.transform(held))
        # the deviation of n - 1 there, of n here; priors are smoothed there
        np.testing.assert_allclose(probs[fold == k], wanted, atol=5e-3)


def test_predict_spark_ml_rare_class_in_the_middle_has_no_probability_and_gaps_are_filled(
    spark: SparkSession, predict: Predict, tmp_path: Path
) -> None:
    given, number = (examples()[name].to_pylist() for name in ("label", "number"))
    given = [9 if label == 2 else label for label in given]
    given[0], number[7], number[9] = 5, None, float("nan")
    table = examples(label=pa.array(given), number=pa.array(number))
    assert predict(table, missing="impute", rare_classes="exclude", classes=[0, 1, 5, 9, 11],
                   **FOREST) == 0  # fmt: skip
    probs = probabilities(predicted(spark, tmp_path))
    assert probs.shape == (ROWS, 5)
    assert (probs[:, [2, 4]] == 0.0).all()
    np.testing.assert_allclose(probs.sum(axis=1), 1.0, atol=1e-6)
    hits = np.array([0, 1, 5, 9, 11])[probs.argmax(axis=1)] == given
    assert hits.mean() > 0.7
    assert sum(entry["training_rows"] for entry in manifest(tmp_path)["models"]) == ROWS - 1


def test_predict_spark_ml_that_fails_after_training_is_completed_by_the_same_models(
    spark: SparkSession,
    predict: Predict,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.setenv("SPARKCLEAN_FAULT", "predict.trained:raise")
    assert predict(**LINEAR) == 1
    monkeypatch.delenv("SPARKCLEAN_FAULT")
    assert open_target(str(tmp_path / "out" / "predictions")).current() is None
    monkeypatch.setattr(SparkMLEngine, "train", _not_again)
    model = tmp_path / "out" / "models" / "predict" / "r1" / "fold-1" / "facts.pickle"
    content = model.read_bytes()
    model.write_bytes(content + b" ")
    assert predict(**LINEAR) == 3
    assert "fold-1 is not the model that its manifest names" in capsys.readouterr().err
    model.write_bytes(content)
    assert predict(**LINEAR) == 0
    assert len(predicted(spark, tmp_path)) == ROWS


def _not_again(*_: object) -> None:
    raise AssertionError


def test_run_by_spark_ml_finds_what_was_flipped(
    spark: SparkSession, predict: Predict, tmp_path: Path
) -> None:
    rng = np.random.default_rng(3)
    true = np.arange(ROWS) % K
    vector = rng.standard_normal((ROWS, 4))
    vector[np.arange(ROWS), true] += 5.0
    flipped = set(range(0, ROWS, 20))
    given = [int(k + 1) % K if i in flipped else int(k) for i, k in enumerate(true)]
    table = examples(label=pa.array(given), vector=pa.array(vector.tolist()))
    assert predict(table, command="run", features=["vector"], **LINEAR) == 0
    suspects = sparkclean.read(spark, str(tmp_path / "out" / "suspects")).collect()
    found = {row["id"] for row in suspects}
    assert len(found & flipped) >= 11
    assert len(found) <= 14
    assert len(sparkclean.read(spark, str(tmp_path / "out" / "cleaned")).collect()) == ROWS - len(
        found
    )


@pytest.mark.full
def test_predict_spark_ml_calibrated_by_inner_models_of_a_sample(
    spark: SparkSession, predict: Predict, tmp_path: Path
) -> None:
    assert predict(**LINEAR) == 0
    plain = probabilities(predicted(spark, tmp_path))
    assert predict(**LINEAR, run_id="r2", calibrate="temperature") == 0
    warm = probabilities(predicted(spark, tmp_path))
    assert (plain.argmax(axis=1) == warm.argmax(axis=1)).all()
    about = [model["calibration"] for model in manifest(tmp_path, "r2")["models"]]
    assert all(one["rows"] > 100 and one["left_out"] == [] for one in about)
    changed = [one["calibrated_log_loss"] < one["log_loss"] for one in about]
    assert [one["published"] == "temperature" for one in about] == changed
    assert np.allclose(plain, warm, atol=1e-6) != any(changed)
    assert predict(**LINEAR, run_id="r3", calibrate="isotonic", max_train_rows=100) == 0
    assert all(20 < entry["training_rows"] <= 100 for entry in manifest(tmp_path, "r3")["models"])
    np.testing.assert_allclose(
        probabilities(predicted(spark, tmp_path)).sum(axis=1), 1.0, atol=1e-6
    )


@pytest.mark.full
def test_predict_spark_ml_rows_that_the_estimator_refuses_are_said(
    predict: Predict, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    trees = "pyspark.ml.classification.GBTClassifier"
    assert predict(estimator=trees, params={"maxIter": 1}, n_folds=2) == 2
    said = capsys.readouterr().err
    assert f"{trees} fails on any rows of 3 classes" in said
    assert "{0, 1}" in said
    bayes = "pyspark.ml.classification.NaiveBayes"
    assert predict(estimator=bayes, n_folds=2) == 3
    assert f"{bayes} cannot be trained on these rows" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"params": {"depth": 3}}, "predict.params: depth: unknown; LogisticRegression takes: "),
        ({"params": {"regParam": "much"}}, 'param "regParam"'),
        ({"params": {"labelCol": "x"}}, "predict.params: labelCol: columns are named by us"),
        ({"estimator": "pyspark.ml.classification.Nope"}, "cannot be imported"),
        ({"estimator": "pyspark.ml.classification.LinearSVC"}, "has no probabilityCol"),
        ({"estimator": "pyspark.ml.feature.VectorAssembler"}, "is no estimator of Spark ML"),
        (
            {"estimator": "sklearn.ensemble.RandomForestClassifier"},
            "it is one of scikit-learn: predict.engine: sklearn",
        ),
        (
            {"engine": "sklearn", "estimator": FOREST["estimator"]},
            "it is one of Spark ML: predict.engine: spark-ml",
        ),
        ({"engine": "sparkml"}, "predict.engine: 'sparkml' is unknown; did you mean 'spark-ml'?"),
    ],
)
def test_predict_spark_ml_what_is_wrong_with_the_configuration_is_said(
    predict: Callable[..., int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    section: dict[str, Any],
    said: str,
) -> None:
    assert predict(**section) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_predict_spark_ml_value_that_spark_refuses_is_said(
    spark: SparkSession, predict: Predict, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert predict(params={"regParam": -1.0}) == 2
    assert "regParam given invalid value -1.0" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_spark_ml_engine_on_connect_of_spark_3_is_refused(tmp_path: Path) -> None:
    session = type("SparkSession", (), {"version": "3.5.9"})
    session.__module__ = "pyspark.sql.connect.session"
    predict = PredictSection(features=["y"], engine="spark-ml")
    with pytest.raises(UnsupportedFeatureError, match=r"has no pyspark\.ml; use Spark"):
        SparkMLEngine.check(session(), predict)
