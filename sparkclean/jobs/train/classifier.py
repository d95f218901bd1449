"""Which classifier a training makes: by the mode, with the parameters of two sections."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparkclean.config.sections import PredictSection
from sparkclean.errors import ConfigError
from sparkclean.jobs.train.sections import TrainSection
from sparkclean.learning.estimators import (
    ROBUST_LOSS,
    make_estimator,
    make_robust,
    robust_params,
    weight_parameter,
)

_log = logging.getLogger("sparkclean")

#: The public name of the classifier of mode ``robust``.
_ROBUST = "sparkclean.RobustClassifier"


@dataclass(frozen=True)
class Classifier:
    """The classifier of a final model.

    Attributes
    ----------
    mode : str
        ``cleaned``, ``weights`` or ``robust``.
    estimator : str or None
        Import path; None: logistic regression, and in mode ``robust`` softmax regression.
    params : mapping
    section : str
        Of the configuration, that names the estimator.
    """

    mode: str
    estimator: str | None
    params: Mapping[str, Any]
    section: str

    @property
    def is_robust(self) -> bool:
        """Whether its loss is robust to wrong labels."""
        return self.mode == "robust"

    @property
    def needs_noise(self) -> bool:
        """Whether its loss takes the noise matrix of the audit."""
        return self.is_robust and self.params["loss"] == ROBUST_LOSS

    @property
    def class_path(self) -> str | None:
        """Public import path of the class; None: logistic regression."""
        return _ROBUST if self.is_robust else self.estimator

    @property
    def name(self) -> str:
        """What people call it."""
        name = (self.class_path or "logistic regression").rpartition(".")[2]
        return f"{name} ({self.params['loss']})" if self.is_robust else name


def choose_classifier(train: TrainSection, predict: PredictSection) -> Classifier:
    """Choose the classifier by the sections of the configuration.

    Parameters
    ----------
    train : TrainSection
    predict : PredictSection
        Whose classifier is taken, if it is one of scikit-learn and ``train`` names none.

    Returns
    -------
    Classifier
    """
    estimator, params = train.estimator, train.params or {}
    if train.mode == "robust":
        params = robust_params(params)
    elif estimator is None and predict.engine == "sklearn":  # final models are of scikit-learn
        estimator = predict.estimator
        params = predict.params if train.params is None else train.params
    return Classifier(
        mode=train.mode,
        estimator=estimator,
        params=params,
        section="predict" if train.estimator is None else "train",
    )


def check_classifier(classifier: Classifier, predict: PredictSection) -> None:
    """Make the classifier once, to find what is wrong with it.

    Parameters
    ----------
    classifier : Classifier
    predict : PredictSection
        A calibration that has no effect is warned of.

    Raises
    ------
    ConfigError
        Of a calibration, too, that would be fitted on cleaned rows.
    """
    if predict.calibrate != "none" and classifier.mode == "cleaned":
        raise ConfigError(
            f"predict.calibrate: {predict.calibrate}, but train.mode: cleaned trains on rows that "
            "were kept because a model agrees with their labels. Calibrated by them, the final "
            "model would be overconfident. Set predict.calibrate: none for the training "
            "(on the command line --set predict.calibrate=none)"
        )
    if predict.calibrate != "none":
        _log.warning(
            "predict.calibrate: %s has no effect with train.mode: %s",
            predict.calibrate,
            classifier.mode,
        )
    if classifier.is_robust:
        _check_robust(classifier)
        return
    made = make_estimator(
        classifier.estimator, classifier.params, scaled=False, section=classifier.section
    )
    if classifier.mode == "weights":
        weight_parameter(made)


def _check_robust(classifier: Classifier) -> None:
    """Try the parameters of the robust loss on two rows."""
    params = classifier.params
    if "noise_matrix" in (params.get("loss_params") or {}):
        raise ConfigError(
            "train.params: loss_params holds a noise_matrix, which comes from the audit; leave it "
            "out"
        )
    made = make_robust(params, np.eye(2) if classifier.needs_noise else None, scaled=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made.fit(np.eye(2), np.arange(2))
    except (ConfigError, TypeError, ValueError) as exc:
        findings = exc.findings if isinstance(exc, ConfigError) else (str(exc),)
        raise ConfigError([f"train.params: {finding}" for finding in findings]) from None
