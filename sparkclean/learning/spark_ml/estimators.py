"""Estimators of Spark ML that are named by their import path, and what they say of rows."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pyspark.errors import IllegalArgumentException, PySparkException
from pyspark.ml import Estimator
from pyspark.ml.classification import NaiveBayes
from pyspark.ml.util import JavaMLWritable

from sparkclean.config.sections import PredictSection
from sparkclean.errors import ConfigError
from sparkclean.learning.estimator_errors import EstimatorError, words_of
from sparkclean.learning.named_classes import import_class

#: What an estimator is given: the class as a number, and one vector.
INDEX, FEATURES = "__index", "__features"
#: What it writes; its probabilities stay in the column that it names itself.
_OURS = {"labelCol": INDEX, "featuresCol": FEATURES}
_RESULTS = ("probabilityCol", "predictionCol", "rawPredictionCol")
_EXAMPLE = "pyspark.ml.classification.RandomForestClassifier"


def make_spark_estimator(
    predict: PredictSection, *, rows: int, classes: int, sparse: bool
) -> Estimator[Any]:
    """Make an estimator of Spark ML that is named by its import path.

    Parameters
    ----------
    predict : PredictSection
    rows, classes : int
        That it will be trained on: the penalty of the default goes by them.
    sparse : bool
        Whether there are texts, whose weights the default must not scale.

    Returns
    -------
    Estimator
        Told our columns, and the seed if it takes one.

    Raises
    ------
    ConfigError
        If there is no such class, it takes no such parameters, or gives no probabilities.

    Notes
    -----
    Values are checked here by classic Spark; on Connect by a trial on a few rows.
    """
    path, params = predict.estimator, dict(predict.params)
    if path is None:
        path = "pyspark.ml.classification.LogisticRegression"
        # two classes have weights u and -u here, and but one vector in scikit-learn
        penalty = (2.0 if classes == 2 else 1.0) / rows
        ours = {"family": "multinomial", "maxIter": 1000, "regParam": penalty}
        params = ours | {"standardization": not sparse} | params
    kind = import_class(path, example=_EXAMPLE)
    wrong = [f"{path!r} is no estimator of Spark ML"]
    if not issubclass(kind, Estimator):
        if hasattr(kind, "predict_proba"):
            wrong.append("it is one of scikit-learn: predict.engine: sklearn")
        raise ConfigError(f"predict.estimator: {'; '.join(wrong)}; name one, such as {_EXAMPLE}")
    made = _with_params(kind, params)
    if not made.hasParam("probabilityCol"):
        raise ConfigError(
            f"predict.estimator: {path!r} has no probabilityCol; choose one that predicts "
            f"probabilities, such as {_EXAMPLE}"
        )
    for name, column in _OURS.items():
        made.set(made.getParam(name), column)
    for name in ("seed", "random_state"):
        if made.hasParam(name) and name not in params:
            made.set(made.getParam(name), predict.seed)
    if isinstance(made, JavaMLWritable):
        try:
            made.write()  # hands the parameters over, which checks them, and writes nothing
        except IllegalArgumentException as exc:
            raise ConfigError(f"predict.params: {words_of(exc)}") from exc
    return made


def _with_params(kind: type[Estimator[Any]], params: Mapping[str, Any]) -> Estimator[Any]:
    columns = [
        name
        for name in params
        if name.lower().replace("_", "").endswith(("col", "cols")) and name not in _RESULTS
    ]
    if columns:
        raise ConfigError(
            f"predict.params: {', '.join(columns)}: columns are named by us, and there are no "
            "others; leave them out"
        )
    signature = inspect.signature(kind).parameters
    known = [name for name in signature if not name.lower().endswith(("col", "cols", "kwargs"))]
    takes = f"{kind.__name__} takes: {', '.join(known)}"
    others = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in signature.values())
    unknown = [] if others else [name for name in params if name not in signature]
    # an object of Spark ML that could not be made fails once more when it goes (4.1, Connect)
    if unknown:
        raise ConfigError(f"predict.params: {', '.join(unknown)}: unknown; {takes}")
    try:
        return kind(**params)
    except (TypeError, ValueError, AttributeError) as exc:
        raise ConfigError(f"predict.params: {exc}; {takes}") from exc


def takes_negative(estimator: Estimator[Any]) -> bool:
    """Tell whether an estimator takes negative numbers: naive Bayes does by Gaussians only."""
    if not isinstance(estimator, NaiveBayes):
        return True
    return bool(estimator.getModelType() == "gaussian")


@contextmanager
def training_errors(predict: PredictSection) -> Iterator[None]:
    """Put into our words what an estimator says of rows that it does not take."""
    try:
        yield
    except (PySparkException, ValueError) as exc:
        refused = isinstance(exc, IllegalArgumentException | ValueError)
        if not refused and "USER_RAISED_EXCEPTION" not in str(exc):
            raise
        name = predict.estimator or "LogisticRegression"
        raise EstimatorError(name, "be trained on these rows", words_of(exc)) from exc
