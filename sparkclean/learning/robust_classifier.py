"""A scikit-learn classifier whose loss is robust to wrong labels."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Tags, check_array, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from sparkclean.errors import ConfigError
from sparkclean.learning.losses import CrossEntropy, Loss, log_softmax, make_loss

SOLVERS = ("lbfgs", "adam")

#: Weights and biases of each layer, shapes (inputs, outputs) and (outputs,).
_Layers: TypeAlias = list[tuple[NDArray[np.float64], NDArray[np.float64]]]

# Adam's decays of the mean of gradients and of their squares, as its authors give them
_DECAY, _SQUARE_DECAY, _TINY = 0.9, 0.999, 1e-8
#: Epochs of Adam without progress, after which it has converged.
_PATIENCE = 10


class RobustClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # has no types
    """Softmax regression, or one hidden layer of tanh, with a loss that is robust to wrong labels.

    Minimises the weighted mean of the loss plus ``alpha / 2`` times the sum of squared weights,
    biases left out.

    Parameters
    ----------
    loss : str or Loss
        Name of one of `sparkclean.losses.LOSSES`, or a loss.
    loss_params : mapping, optional
        Attributes of the loss that is named. A noise matrix has its classes in sorted order, as
        ``classes_``.
    alpha : float
        At least 0; ``1 / (C n)`` is the ``C`` of scikit-learn's ``LogisticRegression``.
    hidden_units : int
        0 for softmax regression.
    solver : {"lbfgs", "adam"}
        ``lbfgs`` takes all rows at each step; ``adam`` minibatches, for many rows.
    max_iter : int
        Iterations of ``lbfgs``; epochs of ``adam``.
    tol : float
        Above 0. ``lbfgs`` has converged when no part of the gradient is larger; ``adam`` when for
        10 epochs the objective has not fallen by as much.
    cross_entropy_iter : int
        Iterations (epochs) by cross entropy before any other loss, which is not convex and learns
        slowly from a start at random. 0 for none.
    batch_size : int
        Of ``adam``.
    learning_rate : float
        Of ``adam``, above 0.
    random_state : int, RandomState or None
        Of the first weights, and of the order of rows of ``adam``.

    Attributes
    ----------
    classes_ : ndarray, shape (K,)
        Sorted.
    coefs_, intercepts_ : list of ndarray
        Weights and biases of each layer, shapes (inputs, outputs) and (outputs,); the last layer
        has K outputs, with two classes too.
    n_iter_ : int
        Iterations (epochs) by the loss itself.
    n_features_in_ : int
    feature_names_in_ : ndarray of str, shape (n_features_in_,)
        Where the columns had names.

    Notes
    -----
    Features of about one scale are learnt best: put a ``StandardScaler`` before. Softmax
    regression begins at zero weights, and by ``lbfgs`` its answer depends on no seed.

    Wrong labels want a larger ``alpha`` than right ones: on digits with 40 % of them flipped, 0.01
    does better than 0.001 by every loss. The more classes, the smaller it must be beside a loss
    that is not convex: where all probabilities are 1 / K the gradient of such a loss is small, and
    with 200 classes 0.01 holds all weights at nearly zero.
    """

    def __init__(
        self,
        loss: str | Loss = "generalized_cross_entropy",
        *,
        loss_params: Mapping[str, Any] | None = None,
        alpha: float = 1e-3,
        hidden_units: int = 0,
        solver: str = "lbfgs",
        max_iter: int = 500,
        tol: float = 1e-4,
        cross_entropy_iter: int = 20,
        batch_size: int = 200,
        learning_rate: float = 1e-2,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.loss = loss
        self.loss_params = loss_params
        self.alpha = alpha
        self.hidden_units = hidden_units
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.cross_entropy_iter = cross_entropy_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.random_state = random_state

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> RobustClassifier:
        """Learn from rows and their given labels.

        Parameters
        ----------
        X : array or sparse matrix, shape (n, d)
        y : array, shape (n,)
            Given labels.
        sample_weight : array of float, shape (n,), optional
            Not negative. A weight of 2 is a row twice; by ``adam`` only in the mean.

        Returns
        -------
        RobustClassifier
            Itself.

        Raises
        ------
        ConfigError
            If a parameter is wrong, all of them at once; if a noise matrix is of other classes.
        InputError
            If a noise matrix has it that one of the labels is never given.
        ValueError
            If the data is unusable, as scikit-learn says it.
        """
        loss = self._checked_loss()
        rows, y = validate_data(self, X, y, accept_sparse="csr", dtype=np.float64)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        weights = _checked_weights(sample_weight, rows.shape[0])
        hidden = (self.hidden_units,) if self.hidden_units else ()
        sizes = (rows.shape[1], *hidden, len(self.classes_))
        problem = _Problem(rows, labels, weights, self.alpha, sizes)
        random = check_random_state(self.random_state)
        found = problem.start(random)
        if self.cross_entropy_iter and not isinstance(loss, CrossEntropy):
            found, _, _ = self._minimise(
                problem, CrossEntropy(), found, self.cross_entropy_iter, random
            )
        found, self.n_iter_, converged = self._minimise(problem, loss, found, self.max_iter, random)
        if not converged:
            warnings.warn(
                f"{self.solver} did not converge in {self.n_iter_} iterations; scale the features, "
                "or raise max_iter or tol",
                ConvergenceWarning,
                stacklevel=2,
            )
        layers = problem.layers(found)
        self.coefs_ = [weight for weight, _ in layers]
        self.intercepts_ = [bias for _, bias in layers]
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Predict the probability of each class.

        Parameters
        ----------
        X : array or sparse matrix, shape (n, d)

        Returns
        -------
        ndarray of float64, shape (n, K)
            In the order of ``classes_``; rows sum to 1. By ``cross_entropy`` of the given label, by
            ``forward_correction`` of the true one.

        Notes
        -----
        The other losses are not proper: their probabilities lie nearer to 0 and 1 than those of
        the given label.
        """
        check_is_fitted(self)
        rows = validate_data(self, X, accept_sparse="csr", dtype=np.float64, reset=False)
        layers = list(zip(self.coefs_, self.intercepts_, strict=True))
        _, log_probs = _forward(layers, rows)
        return np.exp(log_probs)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Predict the most probable class, the first on a tie.

        Parameters
        ----------
        X : array or sparse matrix, shape (n, d)

        Returns
        -------
        ndarray, shape (n,)
            Of ``classes_``.
        """
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def _minimise(
        self,
        problem: _Problem,
        loss: Loss,
        start: NDArray[np.float64],
        max_iter: int,
        random: np.random.RandomState,
    ) -> tuple[NDArray[np.float64], int, bool]:
        """Find parameters; say in how many iterations, and whether these were enough."""
        if self.solver == "lbfgs":
            # the gradient alone decides: a loss that is not convex falls slowly at first
            options = {"maxiter": max_iter, "maxfun": 100 * max_iter, "gtol": self.tol, "ftol": 0.0}
            done = minimize(
                problem.objective, start, args=(loss,), jac=True, method="L-BFGS-B", options=options
            )
            return done.x, int(done.nit), bool(done.success)
        found, mean, square = start.copy(), np.zeros_like(start), np.zeros_like(start)
        rows, step, best, waited = len(problem.labels), 0, np.inf, 0
        for epoch in range(1, max_iter + 1):
            order, total = random.permutation(rows), 0.0
            for begin in range(0, rows, self.batch_size):
                part = problem.part(order[begin : begin + self.batch_size])
                value, gradient = part.objective(found, loss)
                total += value * len(part.labels) / rows
                step += 1
                mean += (1.0 - _DECAY) * (gradient - mean)
                square += (1.0 - _SQUARE_DECAY) * (np.square(gradient) - square)
                # both means began at zero
                unbiased = np.sqrt(square / (1.0 - _SQUARE_DECAY**step))
                rate = self.learning_rate / (1.0 - _DECAY**step)
                found -= rate * mean / (unbiased + _TINY)
            waited = waited + 1 if total > best - self.tol else 0
            best = min(best, total)
            if waited >= _PATIENCE:
                return found, epoch, True
        return found, max_iter, False

    def _checked_loss(self) -> Loss:
        """Make the loss, and check the parameters."""
        wanted = {
            "alpha": (self.alpha >= 0.0, "at least 0"),
            "hidden_units": (self.hidden_units >= 0, "at least 0"),
            "solver": (self.solver in SOLVERS, " or ".join(SOLVERS)),
            "max_iter": (self.max_iter >= 1, "at least 1"),
            "tol": (self.tol > 0.0, "above 0"),
            "cross_entropy_iter": (self.cross_entropy_iter >= 0, "at least 0"),
            "batch_size": (self.batch_size >= 1, "at least 1"),
            "learning_rate": (self.learning_rate > 0.0, "above 0"),
            "loss_params": (
                not (self.loss_params and isinstance(self.loss, Loss)),
                "none beside a loss that is made already",
            ),
        }
        findings = [
            f"{name} is {getattr(self, name)!r}; give {words}"
            for name, (holds, words) in wanted.items()
            if not holds
        ]
        try:
            loss = self.loss
            made = loss if isinstance(loss, Loss) else make_loss(loss, self.loss_params)
        except ConfigError as exc:
            findings.extend(exc.findings)
        if findings:
            raise ConfigError(findings)
        return made


@dataclass(frozen=True)
class _Problem:
    """Rows to learn from, and the objective over one vector of all parameters.

    Attributes
    ----------
    X : ndarray or CSR matrix of float64, shape (n, d)
    labels : ndarray of int64, shape (n,)
    weights : ndarray of float64, shape (n,)
        They sum to 1.
    alpha : float
    sizes : tuple of int
        Features, hidden units where there are any, classes.
    """

    X: Any
    labels: NDArray[np.int64]
    weights: NDArray[np.float64]
    alpha: float
    sizes: tuple[int, ...]

    def start(self, random: np.random.RandomState) -> NDArray[np.float64]:
        """Draw the first parameters: zeros where nothing is hidden, Glorot's range elsewhere."""
        shapes = list(pairwise(self.sizes))
        found = np.zeros(sum((inputs + 1) * outputs for inputs, outputs in shapes))
        if len(shapes) > 1:
            for weight, _ in self.layers(found):
                limit = np.sqrt(6.0 / sum(weight.shape))
                weight[:] = random.uniform(-limit, limit, weight.shape)
        return found

    def layers(self, parameters: NDArray[np.float64]) -> _Layers:
        """Cut a vector of parameters into layers, which are views of it."""
        layers, begin = [], 0
        for inputs, outputs in pairwise(self.sizes):
            middle = begin + inputs * outputs
            end = middle + outputs
            weight = parameters[begin:middle].reshape(inputs, outputs)
            layers.append((weight, parameters[middle:end]))
            begin = end
        return layers

    def part(self, rows: NDArray[np.int64]) -> _Problem:
        """Take some rows, whose objective is that of all in the mean."""
        scale = len(self.labels) / len(rows)
        return replace(
            self, X=self.X[rows], labels=self.labels[rows], weights=self.weights[rows] * scale
        )

    def objective(
        self, parameters: NDArray[np.float64], loss: Loss
    ) -> tuple[float, NDArray[np.float64]]:
        """Compute the objective and its gradient."""
        layers = self.layers(parameters)
        inputs, log_probs = _forward(layers, self.X)
        value = float(self.weights @ loss.losses(self.labels, log_probs))
        slope = self.weights[:, None] * loss.gradient(self.labels, log_probs)
        gradient = np.empty_like(parameters)
        places = self.layers(gradient)
        for layer in reversed(range(len(layers))):
            weight, (of_weight, of_bias) = layers[layer][0], places[layer]
            value += self.alpha / 2.0 * float(np.square(weight).sum())
            of_weight[:] = inputs[layer].T @ slope + self.alpha * weight
            of_bias[:] = slope.sum(axis=0)
            if layer:
                slope = slope @ weight.T * (1.0 - np.square(inputs[layer]))
        return value, gradient


def _forward(layers: _Layers, X: Any) -> tuple[list[Any], NDArray[np.float64]]:
    """Compute what goes into each layer, and the log-probabilities that come out."""
    inputs = [X]
    for weight, bias in layers[:-1]:
        inputs.append(np.tanh(inputs[-1] @ weight + bias))
    weight, bias = layers[-1]
    return inputs, log_softmax(inputs[-1] @ weight + bias)


def _checked_weights(sample_weight: ArrayLike | None, rows: int) -> NDArray[np.float64]:
    """Check weights, and scale them to a sum of 1."""
    if sample_weight is None:
        return np.full(rows, 1.0 / rows)
    weights = check_array(
        sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight"
    )
    if weights.shape != (rows,):
        raise ValueError(f"sample_weight.shape == {weights.shape}, expected {(rows,)}")
    if (weights < 0.0).any() or not (weights > 0.0).any():
        raise ValueError("sample_weight holds negative weights, or only zeros; give positive ones")
    return weights / weights.sum()
