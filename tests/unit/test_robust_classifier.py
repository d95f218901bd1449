"""The classifier as scikit-learn wants it, on its objective, and under wrong labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import approx_fprime
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

from sparkclean.errors import ConfigError
from sparkclean.learning.losses import LOSSES, GeneralizedCrossEntropy, make_loss
from sparkclean.learning.robust_classifier import RobustClassifier, _Problem

Arrays = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]
#: Close to the optimum, for comparisons.
EXACT: dict[str, Any] = {"tol": 1e-9, "max_iter": 5000}


def checks() -> Iterator[Any]:
    """Checks of scikit-learn, but the one of inputs that scipy takes by an environment variable."""
    for model in (
        RobustClassifier(),
        RobustClassifier(hidden_units=4, max_iter=50),
        RobustClassifier(solver="adam", max_iter=200),
        RobustClassifier(solver="adam", hidden_units=8, max_iter=200),
    ):
        for estimator, check in estimator_checks_generator(model):
            name = check.func.__name__
            if name != "check_array_api_input":
                yield pytest.param(
                    estimator, check, id=f"{model.solver}-{model.hidden_units}-{name}"
                )


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("estimator", "check"), list(checks()))
def test_classifier_passes_the_check_of_scikit_learn(
    estimator: RobustClassifier, check: Callable[[RobustClassifier], None]
) -> None:
    check(estimator)


# -- the objective --------------------------------------------------------------------------------


@cache
def iris() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def loss_params(loss: str) -> dict[str, Any] | None:
    noise = 0.7 * np.eye(3) + 0.3 * np.roll(np.eye(3), 1, axis=0)
    return {"noise_matrix": noise} if loss == "forward_correction" else None


@pytest.mark.parametrize("hidden", [(), (5,)])
@pytest.mark.parametrize("loss", LOSSES)
def test_objective_gradient_is_that_of_finite_differences(
    loss: str, hidden: tuple[int, ...], rng: np.random.Generator
) -> None:
    X, y = iris()
    weights = rng.uniform(size=len(y))
    problem = _Problem(X, y, weights / weights.sum(), 0.1, (4, *hidden, 3))
    made = make_loss(loss, loss_params(loss))
    point = rng.normal(size=problem.start(np.random.RandomState(0)).size)
    wanted = approx_fprime(point, lambda at: problem.objective(at, made)[0], 1e-7)
    assert problem.objective(point, made)[1] == pytest.approx(wanted, abs=2e-6)


@pytest.mark.parametrize("sparse", [False, True])
def test_fit_by_cross_entropy_is_logistic_regression(*, sparse: bool) -> None:
    X, y = iris()
    X = csr_matrix(X) if sparse else X
    weight = 1.0 + np.arange(len(y)) % 3
    ours = RobustClassifier("cross_entropy", alpha=0.01, **EXACT).fit(X, y, weight)
    # theirs is the sum of losses, not their mean
    theirs = LogisticRegression(C=1.0 / (0.01 * weight.sum()), **EXACT).fit(X, y, weight)
    (weights,) = ours.coefs_
    assert pytest.approx(theirs.coef_, abs=1e-5) == weights.T
    assert ours.predict_proba(X) == pytest.approx(theirs.predict_proba(X), abs=1e-6)
    assert ours.predict(X).tolist() == theirs.predict(X).tolist()


def test_fit_by_adam_comes_near_the_optimum() -> None:
    X, y = iris()
    best = RobustClassifier("cross_entropy", alpha=0.01, **EXACT).fit(X, y)
    adam = RobustClassifier(
        "cross_entropy", alpha=0.01, solver="adam", batch_size=32, tol=1e-5, random_state=0
    ).fit(X, y)
    assert np.abs(adam.predict_proba(X) - best.predict_proba(X)).max() < 0.03


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_fit_by_adam_takes_the_steps_of_its_paper() -> None:
    X, y = iris()
    found = RobustClassifier(
        "cross_entropy", solver="adam", batch_size=len(y), learning_rate=0.1, max_iter=4
    ).fit(X, y)
    problem = _Problem(X, y, np.full(len(y), 1.0 / len(y)), 1e-3, (4, 3))
    theta, m, v = np.zeros(15), np.zeros(15), np.zeros(15)
    for t in range(1, 5):
        _, g = problem.objective(theta, make_loss("cross_entropy"))
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        theta -= 0.1 * (m / (1.0 - 0.9**t)) / (np.sqrt(v / (1.0 - 0.999**t)) + 1e-8)
    assert found.coefs_[0].ravel() == pytest.approx(theta[:12], abs=1e-6)
    assert found.intercepts_[0] == pytest.approx(theta[12:], abs=1e-6)


@pytest.mark.parametrize("hidden_units", [0, 3])
@pytest.mark.parametrize("loss", ["cross_entropy", "generalized_cross_entropy"])
def test_sample_weights_are_repeated_rows(loss: str, hidden_units: int) -> None:
    X, y = iris()
    times = np.arange(len(y)) % 3  # 0 too
    model = RobustClassifier(
        loss, alpha=0.01, hidden_units=hidden_units, random_state=0, tol=1e-7, max_iter=5000
    )
    weighted = clone(model).fit(X, y, times)
    repeated = clone(model).fit(np.repeat(X, times, axis=0), np.repeat(y, times))
    assert weighted.predict_proba(X) == pytest.approx(repeated.predict_proba(X), abs=1e-4)
    plain = clone(model).fit(X, y)
    assert np.abs(weighted.predict_proba(X) - plain.predict_proba(X)).max() > 1e-3


@pytest.mark.parametrize(
    "weights", [[-1.0] + [1.0] * 149, [0.0] * 150, [1.0] * 149, [np.nan] * 150]
)
def test_sample_weights_that_are_none_are_an_error(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="sample_weight"):
        RobustClassifier().fit(*iris(), weights)


def test_fit_of_two_classes_has_two_outputs_and_their_labels() -> None:
    X, y = iris()
    names = np.array(["wrong", "right"])[(y == 2).astype(int)]
    model = RobustClassifier().fit(X, names)
    assert model.classes_.tolist() == ["right", "wrong"]
    assert model.coefs_[0].shape == (4, 2)
    assert model.predict_proba(X).sum(axis=1) == pytest.approx(1.0, abs=1e-12)
    assert model.score(X, names) > 0.9


@pytest.mark.parametrize(
    "parameters",
    [
        {"hidden_units": 6},
        {"solver": "adam", "batch_size": 40},
        {"hidden_units": 6, "solver": "adam"},
    ],
)
def test_fit_depends_on_the_random_state_alone(parameters: dict[str, Any]) -> None:
    X, y = iris()

    def probs(seed: int) -> NDArray[np.float64]:
        model = RobustClassifier(alpha=0.03, random_state=seed, **parameters)
        return model.fit(X, y).predict_proba(X)

    assert (probs(3) == probs(3)).all()
    assert (probs(3) != probs(4)).any()


# -- how it ends, and what is asked for -----------------------------------------------------------


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_fit_stopped_before_its_end_warns(solver: str) -> None:
    model = RobustClassifier(solver=solver, max_iter=2, random_state=0)
    with pytest.warns(ConvergenceWarning, match=f"{solver} did not converge in 2 iterations"):
        model.fit(*iris())
    assert model.n_iter_ == 2


def test_fit_begins_at_what_cross_entropy_has_learnt() -> None:
    scores = {}
    for iterations in (0, 20):
        model = RobustClassifier(
            "mean_absolute_error", cross_entropy_iter=iterations, max_iter=1, tol=1e-9
        )
        with pytest.warns(ConvergenceWarning):
            scores[iterations] = model.fit(*iris()).score(*iris())
    assert scores[20] > 0.95
    assert scores[0] < 0.9


def test_fit_takes_a_loss_or_its_name_and_parameters() -> None:
    X, y = iris()
    made = RobustClassifier(GeneralizedCrossEntropy(0.3)).fit(X, y)
    named = RobustClassifier("generalized_cross_entropy", loss_params={"q": 0.3}).fit(X, y)
    other = RobustClassifier("generalized_cross_entropy").fit(X, y)
    assert (made.predict_proba(X) == named.predict_proba(X)).all()
    assert (made.predict_proba(X) != other.predict_proba(X)).any()


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"alpha": -1.0}, "alpha is -1.0; give at least 0"),
        ({"hidden_units": -1}, "hidden_units is -1"),
        ({"solver": "sgd"}, "solver is 'sgd'; give lbfgs or adam"),
        ({"max_iter": 0}, "max_iter is 0; give at least 1"),
        ({"tol": 0.0}, "tol is 0.0; give above 0"),
        ({"cross_entropy_iter": -1}, "cross_entropy_iter is -1"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0"),
        ({"loss": "hinge"}, "there is no loss 'hinge'"),
        ({"loss_params": {"q": 2.0}}, "q is 2.0"),
        ({"loss": GeneralizedCrossEntropy(), "loss_params": {"q": 0.5}}, "give none beside a loss"),
    ],
)
def test_fit_wrong_parameter_is_a_config_error(parameters: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        RobustClassifier(**parameters).fit(*iris())


def test_fit_says_all_wrong_parameters_at_once() -> None:
    with pytest.raises(ConfigError) as raised:
        RobustClassifier("hinge", alpha=-1.0, tol=-1.0).fit(*iris())
    assert len(raised.value.findings) == 3


# -- wrong labels ---------------------------------------------------------------------------------

#: Share of the labels that are flipped.
RATE = 0.4
#: P(given | true), rows given, columns true: to the next class.
PAIR_NOISE = (1.0 - RATE) * np.eye(10) + RATE * np.roll(np.eye(10), 1, axis=0)


@cache
def digits(seed: int) -> Arrays:
    X, y = load_digits(return_X_y=True)
    train, test, y_train, y_test = train_test_split(
        X, y, test_size=0.4, stratify=y, random_state=seed
    )
    scaler = StandardScaler().fit(train)
    return scaler.transform(train), scaler.transform(test), y_train, y_test


def accuracy(seed: int, *, pairs: bool, **parameters: Any) -> float:
    """Accuracy on right labels of what was learnt from flipped ones."""
    train, test, y_train, y_test = digits(seed)
    rng = np.random.default_rng(seed)
    flipped = rng.random(len(y_train)) < RATE
    moved = 1 if pairs else rng.integers(1, 10, len(y_train))
    given = np.where(flipped, (y_train + moved) % 10, y_train)
    return float(
        RobustClassifier(random_state=seed, **parameters).fit(train, given).score(test, y_test)
    )


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    ("loss", "gain"),
    [
        ("symmetric_cross_entropy", 0.03),
        ("generalized_cross_entropy", 0.03),
        ("mean_absolute_error", 0.03),
        ("hard_bootstrapping", 0.01),
    ],
)
def test_robust_loss_beats_cross_entropy_under_uniform_flips(
    loss: str, gain: float, seed: int
) -> None:
    plain = accuracy(seed, pairs=False, loss="cross_entropy", alpha=0.01)
    assert accuracy(seed, pairs=False, loss=loss, alpha=0.01) > plain + gain


def test_robust_loss_beats_cross_entropy_by_adam_with_a_hidden_layer() -> None:
    model: dict[str, Any] = {"solver": "adam", "hidden_units": 32, "alpha": 0.01}
    plain = accuracy(0, pairs=False, loss="cross_entropy", **model)
    assert accuracy(0, pairs=False, loss="generalized_cross_entropy", **model) > plain + 0.03


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_forward_correction_beats_cross_entropy_under_flips_to_the_next_class(seed: int) -> None:
    plain = accuracy(seed, pairs=True, loss="cross_entropy")
    corrected = accuracy(
        seed, pairs=True, loss="forward_correction", loss_params={"noise_matrix": PAIR_NOISE}
    )
    assert corrected > 0.93
    assert corrected > plain + 0.25
