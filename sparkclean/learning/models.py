"""Models of scikit-learn: named by their import path, trained on a fold, kept with a manifest.

Runs on executors.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import json
import pickle
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparkclean.errors import ConfigError, InputError
from sparkclean.learning.calibration import Calibration
from sparkclean.learning.features import Block, FeatureMatrix

MANIFEST = "manifest.json"
ROBUST_LOSS = "forward_correction"
#: Wrong labels want more than the classifier's own default: with a fifth of the labels of digits
#: wrong, 0.001 gives an accuracy of .892, this .935.
_ROBUST_ALPHA = 0.01
#: Rows that a model scores at once, always as many: matrix products of other shapes may round
#: otherwise, and a probability must not depend on what else is in its batch.
SCORED_ROWS = 1024


def make_estimator(
    path: str | None, params: Mapping[str, Any], *, sparse: bool, section: str = "predict"
) -> Any:
    """Make a classifier that is named by its import path.

    Parameters
    ----------
    path : str or None
        Such as ``sklearn.ensemble.RandomForestClassifier``; None: logistic regression on
        standardised features.
    params : mapping
        Of the classifier; ``step__name`` reaches into what it is made of.
    sparse : bool
        Whether features are sparse, which forbids to centre them.
    section : str
        Of the configuration, for the message.

    Returns
    -------
    object

    Raises
    ------
    ConfigError
        If there is no such class, it takes no such parameters, or gives no probabilities.
    """
    if path is None:
        from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 (slow)

        last = _with_params(LogisticRegression, {"max_iter": 1000} | dict(params), section)
        return last if sparse else _standardised(last)
    kind = import_class(path, example="sklearn.ensemble.RandomForestClassifier", section=section)
    made = _with_params(kind, dict(params), section)
    if not hasattr(made, "fit") or not hasattr(made, "predict_proba"):
        more = " (it is one of Spark ML: predict.engine: spark-ml)" if _is_of_spark(made) else ""
        raise ConfigError(
            f"{section}.estimator: {path!r} has no fit and predict_proba{more}; choose a "
            "classifier that yields probabilities"
        )
    return made


def import_class(path: str, *, example: str, section: str = "predict") -> Any:
    """Import what an import path names.

    Parameters
    ----------
    path : str
    example : str
        Of such a path, for the message.
    section : str
        Of the configuration.

    Returns
    -------
    object

    Raises
    ------
    ConfigError
    """
    module, _, name = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as exc:
        raise ConfigError(
            f"{section}.estimator: {path!r} cannot be imported ({exc}); write the path of a class, "
            f"such as {example}"
        ) from exc


def _is_of_spark(made: Any) -> bool:
    """Tell an estimator of Spark ML, or of who follows its interface, without importing it."""
    return hasattr(made, "fit") and hasattr(made, "explainParams")


def robust_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """Give the parameters of a robust classifier, defaults of `make_robust` among them."""
    return {"loss": ROBUST_LOSS, "alpha": _ROBUST_ALPHA} | dict(params)


def make_robust(
    params: Mapping[str, Any], noise_matrix: NDArray[np.float64] | None, *, sparse: bool
) -> Any:
    """Make a classifier whose loss bears wrong labels, on standardised features.

    Parameters
    ----------
    params : mapping
        Of `sparkclean.learning.robust_classifier.RobustClassifier`; by default the loss is
        ``forward_correction`` and ``alpha`` 0.01.
    noise_matrix : ndarray of float64, shape (K, K), or None
        For ``forward_correction``.
    sparse : bool
        Whether features are sparse, which forbids to centre them.

    Returns
    -------
    object

    Raises
    ------
    ConfigError
        If it takes no such parameters.
    """
    from sparkclean.learning.robust_classifier import RobustClassifier  # noqa: PLC0415 (slow)

    given = robust_params(params)
    if noise_matrix is not None:
        more = dict(given.get("loss_params") or {})
        given["loss_params"] = more | {"noise_matrix": noise_matrix}
    last = _with_params(RobustClassifier, given, "train")
    return last if sparse else _standardised(last)


def noise_of_sample(
    noise_matrix: NDArray[np.float64], shares: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the noise matrix of rows that were sampled by their given class.

    Parameters
    ----------
    noise_matrix : ndarray of float64, shape (K, K)
        P(given | true) of all rows.
    shares : ndarray of float64, shape (K,)
        Of the rows of each given class.

    Returns
    -------
    noise_matrix : ndarray of float64, shape (K, K)
        P(given | true) in the sample, proportional to the shares of rows.
    shares : ndarray of float64, shape (K,)
        Of the rows of each true class, by which its probabilities are those of all rows again; 1
        for a class that is never true.
    """
    if (shares == 1.0).all():
        return noise_matrix, shares
    sampled = noise_matrix * shares[:, None]
    totals = sampled.sum(axis=0)
    totals = np.where(totals > 0.0, totals, 1.0)
    return sampled / totals, totals


def weight_parameter(estimator: Any) -> str:
    """Name the parameter of ``fit`` by which a classifier takes sample weights.

    Parameters
    ----------
    estimator : object
        Of `make_estimator`.

    Returns
    -------
    str

    Raises
    ------
    ConfigError
        If it takes none.
    """
    from sklearn.pipeline import Pipeline  # noqa: PLC0415 (slow)
    from sklearn.utils.validation import has_fit_parameter  # noqa: PLC0415

    prefix, last = "", estimator
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        prefix = f"{name}__"
    if not has_fit_parameter(last, "sample_weight"):
        raise ConfigError(
            f"train.mode: weights, but {type(last).__name__} takes no sample_weight; choose "
            "another train.estimator, or audit with clean.mode: drop and set train.mode: cleaned"
        )
    return f"{prefix}sample_weight"


def _standardised(last: Any) -> Any:
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415 (slow)
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    return make_pipeline(StandardScaler(), last)


def _with_params(kind: Any, params: dict[str, Any], section: str) -> Any:
    deep = {name: value for name, value in params.items() if "__" in name}
    try:
        made = kind(**{name: value for name, value in params.items() if name not in deep})
        return made.set_params(**deep) if deep else made
    except (TypeError, ValueError) as exc:
        known = ", ".join(inspect.signature(kind).parameters)
        raise ConfigError(f"{section}.params: {exc}; {kind.__name__} takes: {known}") from exc


@dataclass(frozen=True)
class FoldModel:
    """A model that was trained without one fold, or a final one, of all rows.

    Attributes
    ----------
    fold : int
        0 for a final one.
    matrix : FeatureMatrix
    estimator : object
        Fitted, of scikit-learn.
    calibration : Calibration
    shares : ndarray of float64, shape (K,)
        Of the rows of each class that were sampled: probabilities are those of all rows again.
    """

    fold: int
    matrix: FeatureMatrix
    estimator: Any
    calibration: Calibration
    shares: NDArray[np.float64]

    def predict(self, block: Block) -> NDArray[np.floating]:
        """Predict probabilities of all K classes.

        Parameters
        ----------
        block : Block

        Returns
        -------
        ndarray of float, shape (N, K)
        """
        raw = predict_all(self.estimator, self.matrix, block, len(self.shares))
        return correct(raw, self.calibration, self.shares)


def correct(
    raw: NDArray[np.floating], calibration: Calibration, shares: NDArray[np.float64]
) -> NDArray[np.floating]:
    """Calibrate what a model says, and make of it probabilities of all rows.

    Parameters
    ----------
    raw : ndarray of float, shape (N, K)
    calibration : Calibration
    shares : ndarray of float64, shape (K,)
        Of the rows of each class that were sampled for the training.

    Returns
    -------
    ndarray of float, shape (N, K)
    """
    found = calibration.apply(raw)
    if (shares == shares[0]).all():
        return found
    # of a sample of other shares: p(k | x) is proportional to what was learned / share of k
    found = found / shares
    return found / found.sum(axis=1, keepdims=True)


def predict_all(
    estimator: Any, matrix: FeatureMatrix, block: Block, num_classes: int
) -> NDArray[np.float64]:
    """Predict, and put the columns in the order of all classes; 0 for those not trained on."""
    probs = np.zeros((len(block), num_classes))
    for start in range(0, len(block), SCORED_ROWS):
        rows = np.arange(start, start + SCORED_ROWS)
        part = block.take(np.minimum(rows, len(block) - 1))  # filled up with the last one
        found = estimator.predict_proba(matrix.transform(part))[: len(block) - start]
        probs[start : start + SCORED_ROWS, estimator.classes_] = found
    return probs


@dataclass(frozen=True)
class ModelEntry:
    """What the manifest says of a model.

    Attributes
    ----------
    fold : int
    file : str
    sha256 : str
    training_rows : int
    seconds : float
    """

    fold: int
    file: str
    sha256: str
    training_rows: int
    seconds: float


def write_model(
    folder: Path, model: FoldModel, *, name: str, training_rows: int, seconds: float
) -> ModelEntry:
    """Write a model to a folder.

    Parameters
    ----------
    folder : Path
    model : FoldModel
    name : str
        That its file begins with.
    training_rows : int
    seconds : float
        That the training took.

    Returns
    -------
    ModelEntry
    """
    content = pickle.dumps(model, protocol=5)
    digest = hashlib.sha256(content).hexdigest()
    # two attempts of a task write the same name with the same content, or two names
    path = folder / f"{name}-{digest[:16]}.pickle"
    path.write_bytes(content)
    return ModelEntry(model.fold, path.name, digest, training_rows, seconds)


def write_manifest(
    folder: Path,
    entries: list[ModelEntry],
    estimator: str | None,
    params: Mapping[str, Any],
    identity: Mapping[str, str],
    *,
    engine: str,
    versions: Mapping[str, str],
    more: Mapping[str, Any] | None = None,
) -> None:
    """Write down which models a folder holds, of which run, with what they were made; and more."""
    content = {
        "identity": dict(identity),
        "engine": engine,
        "estimator": estimator,
        "params": dict(params),
        "versions": dict(versions),
        **(more or {}),
        "models": [asdict(entry) for entry in sorted(entries, key=lambda entry: entry.fold)],
    }
    (folder / MANIFEST).write_text(json.dumps(content, indent=1, default=str) + "\n")


def read_models(folder: Path) -> dict[int, FoldModel]:
    """Read the models of a folder that its manifest names.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    dict
        By fold.

    Raises
    ------
    InputError
        If a model is not the one that was written: nothing of it is loaded then.
    """
    models = {}
    for entry in read_entries(folder):
        content = (folder / entry.file).read_bytes()
        check_digest(folder, entry, hashlib.sha256(content).hexdigest())
        models[entry.fold] = pickle.loads(content)  # noqa: S301 (written by us, hash checked)
    return models


def read_entries(folder: Path) -> list[ModelEntry]:
    """Read what the manifest of a folder says of its models."""
    entries = json.loads((folder / MANIFEST).read_text())["models"]
    return [ModelEntry(**entry) for entry in entries]


def check_digest(folder: Path, entry: ModelEntry, found: str) -> None:
    """Raise an InputError if a model is not the one that was written."""
    if found != entry.sha256:
        raise InputError(
            f"{folder / entry.file} is not the model that its manifest names; it was changed, and "
            "is not loaded. Predict again under a new run id"
        )
