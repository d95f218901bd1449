"""Models of xgboost on Spark: one that follows the interface of Spark ML and is not Spark's."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import xgboost
from pyspark.sql import SparkSession

from tests.spark.test_predict import ROWS, Predict, examples, manifest, predicted, run_predict

BOOSTED = {
    "engine": "spark-ml",
    "estimator": "xgboost.spark.SparkXGBClassifier",
    "params": {"n_estimators": 5, "max_depth": 3},
    "n_folds": 2,
}


@pytest.fixture
def predict(spark: SparkSession, tmp_path: Path) -> Predict:
    return partial(run_predict, tmp_path, **BOOSTED)


def test_predict_by_xgboost_on_spark_gives_probabilities_of_models_that_are_read_again(
    spark: SparkSession, predict: Predict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = np.array(["b", "c", "a"])[examples()["label"].to_numpy()]
    monkeypatch.setenv("SPARKCLEAN_FAULT", "predict.trained:raise")
    assert predict(examples(label=pa.array(names.tolist()))) == 1
    monkeypatch.delenv("SPARKCLEAN_FAULT")
    assert predict() == 0
    found = predicted(spark, tmp_path)
    probs = np.array([found[i]["pred_probs"] for i in range(ROWS)])
    np.testing.assert_allclose(probs.sum(axis=1), 1.0, atol=1e-5)
    assert (np.array(["a", "b", "c"])[probs.argmax(axis=1)] == names).mean() > 0.7
    assert manifest(tmp_path)["versions"]["xgboost"] == xgboost.__version__
    # what Spark has read was trained by the real thing
    models = tmp_path / "out" / "models" / "predict" / "r1"
    stages = [json.loads(p.read_text())["class"] for p in models.glob("fold-*/**/metadata/part-*")]
    assert "xgboost.spark.estimator.SparkXGBClassifierModel" in stages


def test_predict_by_xgboost_parameter_that_it_does_not_know_is_said(
    predict: Predict, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert predict(params={"use_gpu": "maybe", "num_workers": "x"}) == 2
    assert "predict.params: " in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
