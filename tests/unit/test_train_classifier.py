"""Which classifier a training makes, by mode and sections."""

from __future__ import annotations

from typing import Any

import pytest

import sparkclean
from sparkclean.config.sections import PredictSection
from sparkclean.errors import ConfigError
from sparkclean.jobs.train.classifier import check_classifier, choose_classifier
from sparkclean.jobs.train.sections import TrainSection
from sparkclean.learning.named_classes import import_class

SVC = "sklearn.svm.SVC"
FOREST = "sklearn.ensemble.RandomForestClassifier"


@pytest.mark.parametrize(
    ("train", "predict", "wanted"),
    [
        ({}, {}, (None, {}, "predict")),
        ({}, {"estimator": SVC, "params": {"C": 2}}, (SVC, {"C": 2}, "predict")),
        ({"params": {"C": 3}}, {"estimator": SVC, "params": {"C": 2}}, (SVC, {"C": 3}, "predict")),
        ({"estimator": FOREST}, {"estimator": SVC, "params": {"C": 2}}, (FOREST, {}, "train")),
        ({}, {"engine": "spark-ml", "estimator": "a.B", "params": {"c": 1}}, (None, {}, "predict")),
        ({"mode": "robust", "params": {"alpha": 1}}, {"estimator": SVC},
         (None, {"loss": "forward_correction", "alpha": 1}, "predict")),
    ],
)  # fmt: skip
def test_choose_classifier_of_both_sections(
    train: dict[str, Any], predict: dict[str, Any], wanted: tuple[Any, ...]
) -> None:
    section = PredictSection(features="x", **predict)
    found = choose_classifier(TrainSection(**train), section)
    assert (found.estimator, found.params, found.section) == wanted


def test_classifier_of_mode_robust_has_its_public_name() -> None:
    found = choose_classifier(TrainSection(mode="robust"), PredictSection(features="x"))
    assert found.class_path == "sparkclean.RobustClassifier"
    assert import_class(found.class_path, example="") is sparkclean.RobustClassifier
    assert found.name == "RobustClassifier (forward_correction)"
    assert found.needs_noise


def test_classifier_of_another_mode_is_named_by_its_class() -> None:
    found = choose_classifier(TrainSection(), PredictSection(features="x", estimator=SVC))
    assert (found.name, found.class_path) == ("SVC", SVC)
    assert not found.needs_noise


@pytest.mark.parametrize("method", ["temperature", "isotonic"])
def test_check_classifier_calibration_on_cleaned_rows_is_refused(
    method: str, caplog: pytest.LogCaptureFixture
) -> None:
    predict = PredictSection(features="x", calibrate=method)
    with pytest.raises(ConfigError, match="kept because a model agrees with their labels"):
        check_classifier(choose_classifier(TrainSection(), predict), predict)
    for mode in ("weights", "robust"):
        check_classifier(choose_classifier(TrainSection(mode=mode), predict), predict)
        said = f"predict.calibrate: {method} has no effect with train.mode: {mode}"
        assert caplog.records[-1].getMessage() == said
