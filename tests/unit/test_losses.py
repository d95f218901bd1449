"""Robust losses: the papers' formulas, their limits, gradients by finite differences."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import array_api_strict
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn
from numpy.typing import NDArray

from sparkclean.confident.noise import estimate_noise
from sparkclean.errors import ConfigError, InputError
from sparkclean.learning.losses import (
    LOSSES,
    CrossEntropy,
    ForwardCorrection,
    GeneralizedCrossEntropy,
    HardBootstrapping,
    Loss,
    MeanAbsoluteError,
    SoftBootstrapping,
    SymmetricCrossEntropy,
    log_softmax,
    make_loss,
    noise_matrix_of_pairs,
)

PROPERTY = settings(deadline=None, derandomize=True, max_examples=60)
PROBS = [[0.2, 0.5, 0.3], [0.7, 0.2, 0.1]]
#: Rows given, columns true: nobody of class 0 is given 2.
NOISE = [[0.9, 0.2, 0.1], [0.1, 0.7, 0.3], [0.0, 0.1, 0.6]]

# -- the papers, a row at a time: y, p -> loss ----------------------------------------------------

Formula = Callable[[int, list[float]], float]


def target(y: int, size: int) -> list[float]:
    return [1.0 if k == y else 0.0 for k in range(size)]


def cross_entropy(y: int, p: list[float]) -> float:
    return -sum(q_k * math.log(p_k) for q_k, p_k in zip(target(y, len(p)), p, strict=True))


def symmetric(alpha: float, beta: float, A: float) -> Formula:
    def loss(y: int, p: list[float]) -> float:
        logs = [math.log(q_k) if q_k > 0.0 else A for q_k in target(y, len(p))]
        reverse = -sum(p_k * log for p_k, log in zip(p, logs, strict=True))
        return alpha * cross_entropy(y, p) + beta * reverse

    return loss


def mean_absolute_error(y: int, p: list[float]) -> float:
    return sum(abs(q_k - p_k) for q_k, p_k in zip(target(y, len(p)), p, strict=True))


def bootstrapping(beta: float, believed: Callable[[list[float]], list[float]]) -> Formula:
    def loss(y: int, p: list[float]) -> float:
        mixed = zip(target(y, len(p)), believed(p), p, strict=True)
        return -sum((beta * q_k + (1.0 - beta) * b_k) * math.log(p_k) for q_k, b_k, p_k in mixed)

    return loss


def forward(noise: list[list[float]]) -> Formula:
    T = np.array(noise).T  # the paper's: rows true, columns given
    return lambda y, p: -math.log(float((T.T @ np.array(p))[y]))


FORMULAS: list[tuple[Loss, Formula]] = [
    (CrossEntropy(), cross_entropy),
    (SymmetricCrossEntropy(), symmetric(0.1, 1.0, -4.0)),
    (SymmetricCrossEntropy(6.0, 0.5, -2.0), symmetric(6.0, 0.5, -2.0)),
    (GeneralizedCrossEntropy(), lambda y, p: (1.0 - p[y] ** 0.7) / 0.7),
    (GeneralizedCrossEntropy(0.2), lambda y, p: (1.0 - p[y] ** 0.2) / 0.2),
    (MeanAbsoluteError(), mean_absolute_error),
    (SoftBootstrapping(), bootstrapping(0.95, lambda p: p)),
    (SoftBootstrapping(0.4), bootstrapping(0.4, lambda p: p)),
    (HardBootstrapping(), bootstrapping(0.8, lambda p: target(p.index(max(p)), len(p)))),
    (HardBootstrapping(0.4), bootstrapping(0.4, lambda p: target(p.index(max(p)), len(p)))),
    (ForwardCorrection(NOISE), forward(NOISE)),
]
ALL = [loss for loss, _ in FORMULAS]


def kind(loss: object) -> str:
    return loss.name if isinstance(loss, Loss) else ""


@pytest.mark.parametrize(("loss", "formula"), FORMULAS, ids=kind)
def test_losses_are_the_formula_of_the_paper(loss: Loss, formula: Formula) -> None:
    for y in range(3):
        found = loss.losses(np.array([y, y]), np.log(PROBS))
        assert found.tolist() == pytest.approx([formula(y, p) for p in PROBS], rel=1e-14)


def test_every_loss_has_a_formula() -> None:
    assert {type(loss) for loss in ALL} == set(LOSSES.values())


# -- gradients ------------------------------------------------------------------------------------


@st.composite
def noise_matrices(draw: st.DrawFn, size: int) -> NDArray[np.float64]:
    entries = st.one_of(st.just(0.0), st.floats(0.01, 1.0))
    matrix = draw(stn.arrays(np.float64, (size, size), elements=entries))
    np.fill_diagonal(matrix, 1.0)
    return matrix / matrix.sum(axis=0)


def losses_of(size: int) -> st.SearchStrategy[Loss]:
    share, factor = st.floats(0.0, 1.0), st.floats(0.0, 10.0)
    return st.one_of(
        st.just(CrossEntropy()),
        st.builds(SymmetricCrossEntropy, factor, factor, st.floats(-10.0, -0.1)),
        st.builds(GeneralizedCrossEntropy, st.floats(1e-3, 1.0)),
        st.just(MeanAbsoluteError()),
        st.builds(SoftBootstrapping, share),
        st.builds(HardBootstrapping, share),
        st.builds(ForwardCorrection, noise_matrices(size)),
    )


def finite_differences(
    loss: Loss, labels: NDArray[np.int64], logits: NDArray[np.float64], step: float = 1e-5
) -> NDArray[np.float64]:
    found = np.empty_like(logits)
    for k in range(logits.shape[1]):
        move = step * np.eye(logits.shape[1])[k]
        higher = loss.losses(labels, log_softmax(logits + move))
        found[:, k] = (higher - loss.losses(labels, log_softmax(logits - move))) / (2.0 * step)
    return found


@PROPERTY
@given(st.data())
def test_gradient_is_that_of_finite_differences(data: st.DataObject) -> None:
    size, rows = data.draw(st.integers(2, 6)), data.draw(st.integers(1, 4))
    loss = data.draw(losses_of(size))
    logits = data.draw(stn.arrays(np.float64, (rows, size), elements=st.floats(-8.0, 8.0)))
    labels = data.draw(stn.arrays(np.int64, rows, elements=st.integers(0, size - 1)))
    if isinstance(loss, HardBootstrapping):
        best, second = np.sort(logits, axis=1)[:, -1], np.sort(logits, axis=1)[:, -2]
        assume((best - second > 1e-3).all())  # the loss has a kink where they are one
    gradient = loss.gradient(labels, log_softmax(logits))
    assert gradient == pytest.approx(finite_differences(loss, labels, logits), abs=2e-8, rel=1e-6)
    assert gradient.sum(axis=1) == pytest.approx(np.zeros(rows), abs=1e-13)


# -- limits ---------------------------------------------------------------------------------------

LIMITS: list[tuple[Loss, Loss, float, float]] = [
    (SymmetricCrossEntropy(alpha=1.0, beta=0.0), CrossEntropy(), 1.0, 1e-15),
    (GeneralizedCrossEntropy(q=1e-9), CrossEntropy(), 1.0, 1e-7),
    (GeneralizedCrossEntropy(q=1.0), MeanAbsoluteError(), 0.5, 1e-15),
    (SoftBootstrapping(beta=1.0), CrossEntropy(), 1.0, 1e-15),
    (HardBootstrapping(beta=1.0), CrossEntropy(), 1.0, 1e-15),
    (ForwardCorrection(np.eye(3)), CrossEntropy(), 1.0, 1e-15),
    (SymmetricCrossEntropy(alpha=0.0, beta=1.0, log_zero=-2.0), MeanAbsoluteError(), 1.0, 1e-15),
]


@pytest.mark.parametrize(("loss", "limit", "factor", "tolerance"), LIMITS, ids=kind)
def test_loss_at_its_limit_is_another(
    loss: Loss, limit: Loss, factor: float, tolerance: float
) -> None:
    log_probs = np.log([*PROBS, [0.999, 0.0009, 0.0001]])
    for y in range(3):
        labels = np.full(3, y)
        wanted = (
            factor * limit.losses(labels, log_probs),
            factor * limit.gradient(labels, log_probs),
        )
        assert loss.losses(labels, log_probs) == pytest.approx(wanted[0], rel=tolerance)
        near = pytest.approx(wanted[1], rel=tolerance, abs=tolerance)
        assert loss.gradient(labels, log_probs) == near


# -- extremes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ALL, ids=kind)
@pytest.mark.parametrize(("dtype", "gap"), [(np.float64, 1e6), (np.float32, 1e4)])
def test_loss_of_a_given_class_without_probability_is_finite(
    loss: Loss, dtype: type[np.floating[Any]], gap: float
) -> None:
    log_probs = log_softmax(np.array([[0.0, gap, 0.0]], dtype))
    assert np.exp(log_probs)[0, 0] == 0.0
    values, gradient = (
        loss.losses(np.array([0]), log_probs),
        loss.gradient(np.array([0]), log_probs),
    )
    assert values.dtype == gradient.dtype == dtype
    assert np.isfinite(values).all()
    assert np.isfinite(gradient).all()


def test_losses_of_a_given_class_without_probability_grow_or_stay_as_the_formula_says() -> None:
    log_probs = log_softmax(np.array([[0.0, 1e6, 0.0]]))
    found = [float(loss.losses(np.array([0]), log_probs)[0]) for loss in ALL]
    wanted = [
        1e6, 0.1e6 + 4.0, 6e6 + 1.0, 1.0 / 0.7, 1.0 / 0.2, 2.0,
        0.95e6, 0.4e6, 0.8e6, 0.4e6, -math.log(0.2),
    ]  # fmt: skip
    assert found == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize(
    ("loss", "slope"),
    [(CrossEntropy(), 1.0), (MeanAbsoluteError(), 2.0), (SymmetricCrossEntropy(), 4.1)],
)
def test_loss_of_a_given_class_that_is_nearly_certain_keeps_its_digits(
    loss: Loss, slope: float
) -> None:
    # 1 - p_y is exp(-40): 1 minus the rounded p_y would be 0
    rest = math.exp(-40.0)
    log_probs = np.array([[-rest, -40.0]])
    assert loss.losses(np.array([0]), log_probs) == pytest.approx(
        [slope * rest], rel=1e-12, abs=0.0
    )
    gradient = loss.gradient(np.array([0]), log_probs)[0]
    assert gradient == pytest.approx([-slope * rest, slope * rest], rel=1e-12, abs=0.0)


def test_log_softmax_of_large_logits_is_finite_and_of_equal_ones_log_of_k() -> None:
    assert log_softmax(np.array([[1e300, -1e300]])).tolist() == [[0.0, -2e300]]
    assert log_softmax(np.full((1, 4), 1e5)) == pytest.approx(-math.log(4.0))


# -- types and labels -----------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ALL, ids=kind)
def test_loss_takes_arrays_of_the_standard_alone(loss: Loss) -> None:
    logits = np.array([[0.5, -1.0, 2.0], [3.0, 0.0, -3.0]])
    labels = np.array([2, 1])
    log_probs = log_softmax(array_api_strict.asarray(logits))
    strict = (array_api_strict.asarray(labels), log_probs)
    ours = (labels, log_softmax(logits))
    for work in (loss.losses, loss.gradient):
        found = work(*strict)
        assert type(found) is type(log_probs)
        assert np.asarray(found) == pytest.approx(work(*ours), rel=1e-15)


def test_loss_with_parameters_of_numpy_keeps_the_type_of_the_probabilities() -> None:
    loss = GeneralizedCrossEntropy(q=np.float64(0.5))
    assert loss.losses(np.array([0]), np.log(np.array(PROBS[:1], np.float32))).dtype == np.float32


def test_losses_take_labels_of_any_width() -> None:
    log_probs = np.full((2, 300), -math.log(300.0))
    assert CrossEntropy().losses(np.array([0, 100], np.int8), log_probs) == pytest.approx(
        [math.log(300.0)] * 2
    )


@pytest.mark.parametrize("labels", [[0, 3], [-1, 0]])
@pytest.mark.parametrize("loss", [CrossEntropy(), SoftBootstrapping(), ForwardCorrection(NOISE)])
def test_label_that_is_no_class_is_an_input_error(loss: Loss, labels: list[int]) -> None:
    for work in (loss.losses, loss.gradient):
        with pytest.raises(InputError, match="labels outside 0 to 2"):
            work(np.array(labels), np.log(PROBS))


@pytest.mark.parametrize("labels", [[0], [[0, 1]], [0, 1, 2]])
def test_other_than_one_label_a_row_is_an_input_error(labels: Any) -> None:
    with pytest.raises(InputError, match=r"give \(n,\) and \(n, K\)"):
        CrossEntropy().losses(np.array(labels), np.log(PROBS))


# -- parameters -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "parameters", "words"),
    [
        ("symmetric_cross_entropy", {"alpha": -1}, "alpha is -1; give a number of at least 0"),
        ("symmetric_cross_entropy", {"beta": math.nan}, "beta is nan"),
        ("symmetric_cross_entropy", {"log_zero": 0.0}, "log_zero is 0.0; give a number below 0"),
        ("generalized_cross_entropy", {"q": 0}, "q is 0; give a number above 0, at most 1"),
        ("generalized_cross_entropy", {"q": 1.1}, "q is 1.1"),
        ("generalized_cross_entropy", {"q": "0.7"}, "q is '0.7'"),
        ("soft_bootstrapping", {"beta": 1.5}, "beta is 1.5; give a number from 0 to 1"),
        ("hard_bootstrapping", {"beta": -0.1}, "beta is -0.1"),
        ("cross_entropy", {"q": 0.5}, "has no parameter 'q'; it takes none"),
        ("soft_bootstrapping", {"q": 0.5}, "has no parameter 'q'; it takes beta"),
        ("forward_correction", {}, "noise_matrix is missing"),
        ("forward_correction", {"noise_matrix": [[1.0, 0.0]]}, r"shape \(1, 2\); give \(K, K\)"),
        ("forward_correction", {"noise_matrix": [[2.0, 0.0], [-1.0, 1.0]]}, "holds -1.0"),
        ("forward_correction", {"noise_matrix": [[0.9, 0.0], [0.0, 1.0]]}, "column 0 sums to 0.9"),
        ("forward_correction", {"noise_matrix": np.transpose(NOISE)}, "seems to be transposed"),
        ("no_such", {}, "no loss 'no_such'; use one of cross_entropy, symmetric_cross_entropy"),
    ],
)
def test_make_loss_wrong_parameter_is_a_config_error(
    name: str, parameters: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        make_loss(name, parameters)


def test_make_loss_says_all_that_is_wrong_at_once() -> None:
    with pytest.raises(ConfigError) as raised:
        make_loss("symmetric_cross_entropy", {"alpha": -1, "beta": -2})
    assert len(raised.value.findings) == 2


def test_make_loss_is_the_loss_of_that_name() -> None:
    assert make_loss("symmetric_cross_entropy", {"beta": 2}) == SymmetricCrossEntropy(beta=2.0)
    assert make_loss("cross_entropy") == CrossEntropy()


# -- the audit's noise matrix ---------------------------------------------------------------------

#: Rows given, columns true; nobody is given class 1, and nobody is of it.
CALIBRATED = np.array([[8, 0, 3], [0, 0, 0], [1, 0, 9]])


def audited_noise() -> NDArray[np.float64]:
    joint = np.eye(3, dtype=np.int64)
    return estimate_noise(joint, CALIBRATED, CALIBRATED.sum(axis=1)).noise_matrix


def test_forward_correction_takes_the_matrix_of_an_audit() -> None:
    found = ForwardCorrection(audited_noise()).losses(np.array([2]), np.log([PROBS[0]]))
    # P(given 2) = P(2 | true 0) p_0 + P(2 | true 2) p_2
    assert found == pytest.approx([-math.log(1 / 9 * 0.2 + 9 / 12 * 0.3)])


def test_forward_correction_of_a_class_never_given_is_an_input_error() -> None:
    with pytest.raises(InputError, match=r"classes \[1\] are never given"):
        ForwardCorrection(audited_noise()).losses(np.array([1, 0]), np.log(PROBS))


def test_forward_correction_of_other_classes_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="of 3 classes and the probabilities of 2"):
        ForwardCorrection(NOISE).losses(np.array([1]), np.log([[0.5, 0.5]]))


def pair(given: str, true: str, rate: float) -> dict[str, Any]:
    return {"given_label": given, "true_label": true, "noise_rate": rate}


def test_noise_matrix_of_pairs_is_the_audits_in_the_order_of_the_classes() -> None:
    noise, names = audited_noise(), ["cat", "ant", "bee"]
    pairs = [
        pair(names[i], names[j], noise[i, j]) for i, j in zip(*np.nonzero(CALIBRATED), strict=True)
    ]
    assert noise_matrix_of_pairs(pairs, names).tolist() == noise.tolist()
    order = [1, 2, 0]
    found = noise_matrix_of_pairs(pairs, sorted(names))
    assert found.tolist() == noise[np.ix_(order, order)].tolist()


def test_noise_matrix_of_pairs_of_other_classes_or_runs_is_an_input_error() -> None:
    pairs = [pair("a", "a", 1.0), pair("b", "b", 1.0)]
    with pytest.raises(InputError, match=r"\('b', 'b'\) is not of the classes"):
        noise_matrix_of_pairs(pairs, ["a"])
    with pytest.raises(InputError, match="occurs twice; give the pairs of one run"):
        noise_matrix_of_pairs([*pairs, pairs[0]], ["a", "b"])
