"""Label issues of features in memory: cross-validated probabilities, then confident learning."""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix, issparse

from sparkclean.confident.issues import find_label_issues
from sparkclean.errors import ConfigError, InputError, first_of
from sparkclean.learning.estimator_errors import EstimatorError, estimator_errors, name_of
from sparkclean.learning.estimators import make_estimator, seed_estimator
from sparkclean.learning.features import Block, FeatureMatrix
from sparkclean.learning.hashing import hash_integers, hash_numbers

#: What Spark's hashes begin with; any other number would do.
_HASH_SEED = 42


class FeatureIssues(NamedTuple):
    """Label issues, and the probabilities that they were found by.

    Attributes
    ----------
    issues : ndarray of bool, shape (N,), or ndarray of int
        What `sparkclean.find_label_issues` returns.
    pred_probs : ndarray of float64, shape (N, K)
        Of each row by the model that was trained without it and its copies.
    classes : ndarray, shape (K,)
        The labels in the order of the probabilities: sorted.
    """

    issues: NDArray[np.bool_] | NDArray[np.intp]
    pred_probs: NDArray[np.float64]
    classes: NDArray[Any]


def find_label_issues_from_features(
    X: Any,
    labels: ArrayLike,
    estimator: Any = None,
    *,
    n_folds: int = 5,
    seed: int = 0,
    **options: Any,
) -> FeatureIssues:
    """Find label issues by cross-validated probabilities of a classifier. Needs no Spark.

    Parameters
    ----------
    X : array, sparse matrix or DataFrame of pandas, shape (N, D); or N texts
        Features, as the estimator takes them.
    labels : array_like, shape (N,)
        Given labels of any kind that sorts.
    estimator : object, optional
        A classifier of scikit-learn's interface with ``predict_proba``, or a pipeline that ends in
        one; it is cloned, not changed. By default logistic regression on standardised numbers,
        missing ones replaced by the mean, and on the words of texts.
    n_folds : int
        At least 2.
    seed : int
        Of whatever in the estimator draws random numbers and was given no ``random_state``.
    **options
        As in `sparkclean.find_label_issues`: ``filter_by``, ``return_indices_ranked_by`` and so on.

    Returns
    -------
    FeatureIssues
        A tuple ``issues, pred_probs, classes``.

    Raises
    ------
    ConfigError
        If an argument is wrong.
    InputError
        If shapes differ, labels are missing, a class has rows in one fold only, or the estimator
        does not take the rows.

    Notes
    -----
    Folds are chosen by hashes of the rows, stratified by label: they do not depend on the order of
    the rows, and copies of a row are in one fold. A model is trained on its rows in the order of
    these hashes, by one thread of linear algebra. So the probabilities have the same bits whenever
    the same rows are given, in whatever order, to the same versions of packages. Trains ``n_folds``
    models one after the other; holds a copy of the rows.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.repeat([0.0, 10.0], 20)[:, None] + np.arange(40)[:, None] / 100
    >>> labels = np.repeat(["cat", "dog"], 20)
    >>> labels[3] = "dog"
    >>> issues, pred_probs, classes = find_label_issues_from_features(X, labels)
    >>> np.flatnonzero(issues), pred_probs.shape, classes.tolist()
    (array([3]), (40, 2), ['cat', 'dog'])
    """
    from threadpoolctl import threadpool_limits  # noqa: PLC0415 (comes with scikit-learn)

    rows, given, classes = _checked(X, labels, estimator, n_folds)
    hashes = hash_rows(rows)
    order = np.lexsort((given, hashes))
    folds = choose_folds(hashes, given, n_folds)
    _check_folds(folds, given, classes)
    probs = np.zeros((len(given), len(classes)))
    with threadpool_limits(1):
        for fold in range(n_folds):
            trained, held = order[folds[order] != fold], order[folds[order] == fold]
            if len(held):
                probs[held] = _predict(rows, given, (trained, held), estimator, seed)
    return FeatureIssues(find_label_issues(given, probs, **options), probs, classes)


def _checked(
    X: Any, labels: ArrayLike, estimator: Any, n_folds: int
) -> tuple[Any, NDArray[np.int64], NDArray[Any]]:
    """Check arguments; give rows that can be indexed, classes by number, and the classes."""
    if type(n_folds) is not int or n_folds < 2:
        raise ConfigError(f"n_folds is {n_folds!r}; give a whole number of at least 2")
    if estimator is not None and not (
        hasattr(estimator, "fit") and hasattr(estimator, "predict_proba")
    ):
        raise ConfigError(
            f"estimator: {type(estimator).__name__} has no fit and predict_proba; give a "
            "classifier that predicts probabilities, such as RandomForestClassifier()"
        )
    if isinstance(estimator, type):
        raise ConfigError(f"estimator: is the class {estimator.__name__}; give an object of it")
    rows = X.tocsr() if issparse(X) else X if hasattr(X, "iloc") else _array(X)
    if rows.ndim not in (1, 2) or (rows.ndim == 1 and rows.dtype.kind in "biufc"):
        raise InputError(
            f"X has shape {rows.shape}; give one row of features for each label, shape (N, D), "
            "or N texts"
        )
    given = np.asarray(labels)
    if given.shape != (rows.shape[0],):
        raise InputError(
            f"labels has shape {given.shape}, X {rows.shape}: one label for each row is needed"
        )
    missing = [i for i, label in enumerate(given.tolist()) if _is_missing(label)]
    if missing:
        raise InputError(
            f"labels: {len(missing)} of {len(given)} are missing, at positions "
            f"{first_of([str(i) for i in missing])}; leave these rows out"
        )
    try:
        classes, index = np.unique(given, return_inverse=True)
    except TypeError as exc:
        raise InputError(f"labels are of types that do not sort ({exc}); give one type") from None
    if len(classes) < 2:
        raise InputError(f"labels: {len(classes)} classes; label issues need at least two")
    return rows, index.astype(np.int64), classes


def _array(X: Any) -> NDArray[Any]:
    try:
        return np.asarray(X)
    except ValueError as exc:
        raise InputError(f"X is not an array: {exc}") from exc


def hash_rows(rows: Any) -> NDArray[np.int64]:
    """Hash rows of features by what they hold.

    Parameters
    ----------
    rows : ndarray, CSR matrix, Series or DataFrame, N rows

    Returns
    -------
    ndarray of int64, shape (N,)
        Equal for rows of equal values.
    """
    if issparse(rows):
        plain = csr_matrix(rows, dtype=np.float64, copy=True)
        plain.sum_duplicates()
        plain.eliminate_zeros()
        entries = hash_numbers(np.column_stack([plain.indices, plain.data]), _HASH_SEED)
        # a sum does not ask for the order of the entries; it wraps around
        sums = np.concatenate([[0], np.cumsum(entries)])
        return sums[plain.indptr[1:]] - sums[plain.indptr[:-1]]
    if not hasattr(rows, "columns") and rows.ndim == 2 and _is_number(rows):
        return hash_numbers(rows, _HASH_SEED)
    hashes = np.full(len(rows), _HASH_SEED)
    for column in _columns(rows):
        hashes = hash_integers(_column_hashes(column), hashes)
    return hashes


def _columns(rows: Any) -> list[Any]:
    """List the columns of a DataFrame or an array; of one dimension, the one that it is."""
    if hasattr(rows, "columns"):
        return [rows.iloc[:, j] for j in range(rows.shape[1])]
    return [rows] if rows.ndim == 1 else list(rows.T)


def _column_hashes(column: Any) -> NDArray[np.int64]:
    if _is_number(column):
        return hash_numbers(_numbers(column)[:, None], _HASH_SEED)
    known: dict[str, int] = {}
    found = []
    for value in column.tolist():
        text = f"{type(value).__name__} {value}"
        if text not in known:
            digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
            known[text] = int.from_bytes(digest, "little", signed=True)
        found.append(known[text])
    return np.array(found, np.int64)


def _is_number(column: Any) -> bool:
    return getattr(column.dtype, "kind", "O") in "biuf"


def _numbers(column: Any) -> NDArray[np.float64]:
    """Read a column of numbers; NaN where missing."""
    if hasattr(column, "iloc"):
        numbers: NDArray[np.float64] = column.to_numpy(dtype=np.float64, na_value=np.nan)
        return numbers
    return np.asarray(column, np.float64)


def choose_folds(
    hashes: NDArray[np.int64], given: NDArray[np.int64], n_folds: int
) -> NDArray[np.int64]:
    """Choose the fold of each row: stratified, equal rows together, whatever the order.

    Parameters
    ----------
    hashes : ndarray of int64, shape (N,)
    given : ndarray of int64, shape (N,)
        Classes by number.
    n_folds : int

    Returns
    -------
    ndarray of int64, shape (N,)

    Notes
    -----
    Rows of one hash are a group, of its most frequent class. The groups of a class stand in a row
    by their hashes, which is cut into ``n_folds`` parts of about as many rows. A class of two
    groups or more thus has rows in two folds at least.
    """
    _, group, sizes = np.unique(hashes, return_inverse=True, return_counts=True)
    pairs, counts = np.unique(group * (given.max() + 1) + given, return_counts=True)
    groups, labels = np.divmod(pairs, given.max() + 1)
    # the last one that is written is the most frequent, the first class of several
    ranked = np.lexsort((-labels, counts))
    label = np.zeros(len(sizes), np.int64)
    label[groups[ranked]] = labels[ranked]
    folds = np.zeros(len(sizes), np.int64)
    for k in range(int(given.max()) + 1):
        members = np.flatnonzero(label == k)  # in the order of their hashes
        middles = 2 * np.cumsum(sizes[members]) - sizes[members]
        total = max(2 * int(sizes[members].sum()), 1)
        # each class begins with another fold, so that small ones are not all in the first
        folds[members] = (middles * n_folds // total + k) % n_folds
    return folds[group]


def _check_folds(folds: NDArray[np.int64], given: NDArray[np.int64], classes: NDArray[Any]) -> None:
    """Refuse classes that a model would have to predict without having seen them."""
    rare = [k for k in range(len(classes)) if len(np.unique(folds[given == k])) < 2]
    if not rare:
        return
    shown = first_of([repr(label) for label in classes[rare].tolist()])
    where = first_of([str(i) for i in np.flatnonzero(np.isin(given, rare)).tolist()])
    raise InputError(
        f"labels: {len(rare)} of {len(classes)} classes have rows in one fold only, so no model "
        f"that predicts them was trained on them: {shown}, at positions {where}. A class needs two "
        "rows of different features; leave these rows out, or merge the class with another"
    )


def _predict(
    rows: Any,
    given: NDArray[np.int64],
    parts: tuple[NDArray[np.intp], NDArray[np.intp]],
    estimator: Any,
    seed: int,
) -> NDArray[np.float64]:
    """Train on the rows of one part, which holds all classes, and predict those of the other."""
    from sklearn.base import clone  # noqa: PLC0415 (slow)

    trained, held = parts
    model = _DefaultModel() if estimator is None else clone(estimator)
    seed_estimator(model, seed)
    name = "the default estimator" if estimator is None else name_of(model)
    with estimator_errors(name, "be trained on these rows"):
        model.fit(_take(rows, trained), given[trained])
    with estimator_errors(name, "predict these rows"):
        found = model.predict_proba(_take(rows, held))
    if not np.isfinite(found).all():
        raise EstimatorError(name, "predict these rows", "it predicts NaN")
    probs: NDArray[np.float64] = np.asarray(found, np.float64)
    return probs


def _take(rows: Any, chosen: NDArray[np.intp]) -> Any:
    return rows.iloc[chosen] if hasattr(rows, "iloc") else rows[chosen]


class _DefaultModel:
    """Logistic regression on the features that the job ``predict`` makes of a table."""

    def fit(self, rows: Any, given: NDArray[np.int64]) -> None:
        """Learn from rows and their classes."""
        self._matrix = None if issparse(rows) else FeatureMatrix()
        block = None if self._matrix is None else _block(rows)
        is_scaled = block is None or bool(block.texts)
        self._model = make_estimator(None, {}, scaled=is_scaled)
        if self._matrix is not None and block is not None:
            rows = self._matrix.fit(block).transform(block)
        self._model.fit(rows, given)
        self.classes_ = self._model.classes_

    def predict_proba(self, rows: Any) -> NDArray[np.float64]:
        """Predict the probability of each class that was seen."""
        if self._matrix is not None:
            rows = self._matrix.transform(_block(rows))
        probs: NDArray[np.float64] = self._model.predict_proba(rows)
        return probs


def _block(rows: Any) -> Block:
    """Take numbers as numbers, and all else as texts."""
    columns = _columns(rows)
    numbers = [_numbers(column) for column in columns if _is_number(column)]
    texts = [column for column in columns if not _is_number(column)]
    matrix = np.column_stack(numbers) if numbers else np.zeros((len(rows), 0))
    return Block(matrix, tuple([_text(v) for v in column.tolist()] for column in texts))


def _text(value: Any) -> str:
    return "" if _is_missing(value) else str(value)


def _is_missing(value: Any) -> bool:
    """Tell None, NaN, and what pandas has for them."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and value != value  # noqa: PLR0124
