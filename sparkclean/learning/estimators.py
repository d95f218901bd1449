"""Classifiers that are named by their import path, and made with the parameters of a configuration.

Runs on executors.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparkclean.errors import ConfigError
from sparkclean.learning.named_classes import import_class

ROBUST_LOSS = "forward_correction"
#: Wrong labels want more than the classifier's own default: with a fifth of the labels of digits
#: wrong, 0.001 gives an accuracy of .892, this .935.
_ROBUST_ALPHA = 0.01
_EXAMPLE = "sklearn.ensemble.RandomForestClassifier"


def make_estimator(
    path: str | None,
    params: Mapping[str, Any],
    *,
    scaled: bool,
    section: str = "predict",
    packages: Sequence[str] | None = None,
) -> Any:
    """Make a classifier that is named by its import path.

    Parameters
    ----------
    path : str or None
        Such as ``sklearn.ensemble.RandomForestClassifier``; None: logistic regression on
        standardised features.
    params : mapping
        Of the classifier; ``step__name`` reaches into what it is made of.
    scaled : bool
        Whether features are standardised already, as beside texts and categories.
    section : str
        Of the configuration, for the message.
    packages : sequence of str, optional
        That the class may be of; `known_packages` of this process by default.

    Returns
    -------
    object

    Raises
    ------
    ConfigError
        If there is no such class, it is of another package, takes no such parameters, or gives no
        probabilities.
    """
    if path is None:
        from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 (slow)

        last = _with_params(LogisticRegression, {"max_iter": 1000} | dict(params), section)
        return last if scaled else _standardised(last)
    kind = import_class(path, example=_EXAMPLE, section=section, packages=packages)
    _check_probabilities(kind, path, section)
    made = _with_params(kind, dict(params), section)
    _check_probabilities(made, path, section)  # some have them by their parameters
    return made


def _check_probabilities(found: Any, path: str, section: str) -> None:
    """Refuse a class, before it is called, or an object of it, that gives no probabilities."""
    if not hasattr(found, "fit") or not hasattr(found, "predict_proba"):
        more = " (it is one of Spark ML: predict.engine: spark-ml)" if _is_of_spark(found) else ""
        raise ConfigError(
            f"{section}.estimator: {path!r} has no fit and predict_proba{more}; choose a "
            "classifier that predicts probabilities"
        )


def _is_of_spark(found: Any) -> bool:
    """Tell an estimator of Spark ML, or of who follows its interface, without importing it."""
    return hasattr(found, "fit") and hasattr(found, "explainParams")


def robust_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """Give the parameters of a robust classifier, defaults of `make_robust` among them."""
    return {"loss": ROBUST_LOSS, "alpha": _ROBUST_ALPHA} | dict(params)


def make_robust(
    params: Mapping[str, Any], noise_matrix: NDArray[np.float64] | None, *, scaled: bool
) -> Any:
    """Make a classifier whose loss is robust to wrong labels, on standardised features.

    Parameters
    ----------
    params : mapping
        Of `sparkclean.RobustClassifier`; by default the loss is
        ``forward_correction`` and ``alpha`` 0.01.
    noise_matrix : ndarray of float64, shape (K, K), or None
        For ``forward_correction``.
    scaled : bool
        As in `make_estimator`.

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
    return last if scaled else _standardised(last)


def seed_estimator(estimator: Any, seed: int) -> None:
    """Give a seed to whatever in an estimator draws random numbers and has none.

    Parameters
    ----------
    estimator : object
        One without ``get_params`` stays as it is.
    seed : int
    """
    known = estimator.get_params() if hasattr(estimator, "get_params") else {}
    drawn = [name for name in known if name.split("__")[-1] == "random_state"]
    if unset := [name for name in drawn if known[name] is None]:
        estimator.set_params(**dict.fromkeys(unset, seed))


def takes_negative(estimator: Any) -> bool:
    """Tell whether a classifier takes negative numbers, which some of naive Bayes do not.

    Parameters
    ----------
    estimator : object
        Of `make_estimator`.

    Returns
    -------
    bool
        By its tags, which are those of scikit-learn 1.6; True for one that has none.
    """
    if not hasattr(estimator, "__sklearn_tags__"):
        return True
    return not estimator.__sklearn_tags__().input_tags.positive_only


def takes_sparse(estimator: Any) -> bool:
    """Tell whether a classifier takes sparse matrices, by its tags; True for one that has none."""
    if not hasattr(estimator, "__sklearn_tags__"):
        return True
    return bool(estimator.__sklearn_tags__().input_tags.sparse)


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
