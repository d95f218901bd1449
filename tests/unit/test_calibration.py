"""Calibration of predicted probabilities."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from hypothesis import given as over
from hypothesis import settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import log_loss

from sparkclean.learning.calibration import (
    TEMPERATURES,
    Isotonic,
    Temperature,
    Uncalibrated,
    fit_calibration,
)
from sparkclean.schema import CALIBRATIONS

PROPERTY = settings(deadline=None, derandomize=True, max_examples=150)
FITTED = [method for method in CALIBRATIONS if method != "none"]

Data = tuple[NDArray[np.float64], NDArray[np.int64]]


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def draw_labels(rng: np.random.Generator, probs: NDArray[np.float64]) -> NDArray[np.int64]:
    return (probs.cumsum(axis=1) > rng.random(len(probs))[:, None]).argmax(axis=1)


def miscalibrated(
    rng: np.random.Generator, temperature: float, rows: int = 4000, num_classes: int = 4
) -> Data:
    """Probabilities that are right once taken at a temperature, and labels by the right ones."""
    logits = rng.normal(size=(rows, num_classes)) * 1.5
    return softmax(logits * temperature), draw_labels(rng, softmax(logits))


def brier_score(probs: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    return float(((probs - np.eye(probs.shape[1])[labels]) ** 2).sum(axis=1).mean())


@st.composite
def rows_with_ties(draw: st.DrawFn) -> NDArray[np.float64]:
    """Rows with zeros, ties, and neighbours among floating-point numbers, the best among them."""
    num_classes = draw(st.integers(1, 9))
    few = draw(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=3))
    entry = st.sampled_from([*few, *[math.nextafter(p, 0.0) for p in few], 0.0])
    row = st.lists(entry, min_size=num_classes, max_size=num_classes)
    rows = np.array(draw(st.lists(row, min_size=1, max_size=6)))
    total = rows.sum(axis=1)
    rows[total < 1e-3] = 1.0 / num_classes
    if draw(st.booleans()):
        rows /= rows.sum(axis=1, keepdims=True)
    return rows


# --- all methods ---


def test_calibration_none_gives_the_probabilities_themselves(rng: np.random.Generator) -> None:
    probs, labels = miscalibrated(rng, 2.0, rows=50)
    found = fit_calibration("none", probs, labels)
    assert found == Uncalibrated()
    assert found.apply(probs) is probs


def test_calibration_unknown_method_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ValueError, match=r"unknown calibration 'platt'; use one of none, temp"):
        fit_calibration("platt", np.ones((1, 1)), np.zeros(1, np.int64))


@pytest.mark.parametrize("method", FITTED)
def test_calibration_any_order_of_the_rows_gives_the_same_bits(
    method: str, rng: np.random.Generator
) -> None:
    probs, labels = miscalibrated(rng, 2.0, rows=501)
    probs = np.round(probs, 2)  # equal probabilities of different labels
    wanted = fit_calibration(method, probs, labels).apply(probs)
    for _ in range(5):
        order = rng.permutation(len(labels))
        found = fit_calibration(method, probs[order], labels[order]).apply(probs)
        assert found.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("method", FITTED)
def test_calibration_of_a_row_does_not_depend_on_the_others(
    method: str, rng: np.random.Generator
) -> None:
    probs, labels = miscalibrated(rng, 2.0, rows=67)
    calibration = fit_calibration(method, probs, labels)
    alone = np.vstack([calibration.apply(probs[i : i + 1]) for i in range(len(probs))])
    assert calibration.apply(probs).tobytes() == alone.tobytes()


@pytest.mark.parametrize("method", CALIBRATIONS)
def test_calibration_pickled_is_the_same(method: str, rng: np.random.Generator) -> None:
    probs, labels = miscalibrated(rng, 2.0, rows=200)
    found = fit_calibration(method, probs, labels)
    again = pickle.loads(pickle.dumps(found))
    assert again.apply(probs).tobytes() == found.apply(probs).tobytes()


@pytest.mark.parametrize("method", FITTED)
@pytest.mark.parametrize("num_classes", [1, 2, 3, 150])
def test_calibration_rows_with_zeros_and_ones_sum_to_one(
    method: str, num_classes: int, rng: np.random.Generator
) -> None:
    probs, labels = miscalibrated(rng, 2.0, rows=300, num_classes=num_classes)
    probs[::2] = np.eye(num_classes)[rng.integers(0, num_classes, 150)]
    before = probs.copy()
    found = fit_calibration(method, probs, labels).apply(probs)
    assert probs.tobytes() == before.tobytes()
    assert (found.shape, found.dtype) == (probs.shape, np.float64)
    assert (found >= 0.0).all()
    assert found.sum(axis=1) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("method", FITTED)
@pytest.mark.parametrize("row", [[0.3, 0.7], [0.0, 1.0], [1.0, 0.0]])
def test_calibration_fitted_on_one_row_gives_probabilities(method: str, row: list[float]) -> None:
    found = fit_calibration(method, np.array([row]), np.array([1]))
    some = np.array([row, [0.5, 0.5], [0.0, 1.0], [1.0, 0.0]])
    assert found.apply(some).sum(axis=1) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("method", FITTED)
def test_calibration_fitted_without_rows_changes_nothing(
    method: str, rng: np.random.Generator
) -> None:
    found = fit_calibration(method, np.zeros((0, 4)), np.zeros(0, np.int64))
    probs, _ = miscalibrated(rng, 2.0, rows=20)
    assert found.apply(probs) == pytest.approx(probs, abs=1e-15)
    assert found.apply(probs[:0]).shape == (0, 4)


@pytest.mark.parametrize("method", FITTED)
def test_calibration_of_float32_is_that_of_its_values(
    method: str, rng: np.random.Generator
) -> None:
    probs, labels = miscalibrated(rng, 2.0, rows=200)
    narrow = probs.astype(np.float32)
    wide = narrow.astype(np.float64)
    found = fit_calibration(method, narrow, labels).apply(narrow)
    assert found.tobytes() == fit_calibration(method, wide, labels).apply(wide).tobytes()


# --- temperature ---


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_temperature_of_known_logits_is_found(temperature: float, rng: np.random.Generator) -> None:
    probs, labels = miscalibrated(rng, temperature, rows=20_000)
    found = fit_calibration("temperature", probs, labels)
    assert isinstance(found, Temperature)
    assert found.temperature == pytest.approx(temperature, rel=0.03)


@pytest.mark.parametrize("temperature", [0.4, 2.5])
def test_temperature_lowers_log_loss_of_other_rows(
    temperature: float, rng: np.random.Generator
) -> None:
    probs, labels = miscalibrated(rng, temperature)
    found = fit_calibration("temperature", probs, labels)
    probs, labels = miscalibrated(rng, temperature)
    assert log_loss(labels, found.apply(probs)) < log_loss(labels, probs) - 0.02


def test_temperature_is_where_log_loss_is_least(rng: np.random.Generator) -> None:
    probs, labels = miscalibrated(rng, 2.5)
    found = fit_calibration("temperature", probs, labels)
    assert isinstance(found, Temperature)
    losses = [
        log_loss(labels, Temperature(found.temperature * factor).apply(probs))
        for factor in (0.999, 1.0, 1.001)
    ]
    assert losses[1] == min(losses)


def test_temperature_applied_is_the_formula() -> None:
    probs = np.array([[0.2, 0.5, 0.3], [0.0, 1.0, 0.0]])
    floored = np.maximum(probs, 2.0**-52)
    wanted = floored ** (1 / 2.5) / (floored ** (1 / 2.5)).sum(axis=1, keepdims=True)
    assert Temperature(2.5).apply(probs) == pytest.approx(wanted, rel=1e-14)


@PROPERTY
@over(rows_with_ties(), st.floats(*TEMPERATURES))
def test_temperature_any_keeps_the_argmax_and_its_ties(
    probs: NDArray[np.float64], temperature: float
) -> None:
    found = Temperature(temperature).apply(probs)
    assert found.argmax(axis=1).tolist() == probs.argmax(axis=1).tolist()
    ties = probs == probs.max(axis=1, keepdims=True)
    assert (found == found.max(axis=1, keepdims=True)).tolist() == ties.tolist()


@pytest.mark.parametrize("temperature", [0.5, 3.0, 1000.0])
def test_temperature_neighbour_of_the_best_stays_below_it(
    temperature: float, rng: np.random.Generator
) -> None:
    # many, because whether quotients by the sum fall together hangs on their last digits
    best = rng.uniform(0.34, 0.5, 20_000)
    probs = np.column_stack([np.nextafter(best, 0.0), best, 1.0 - best - best])
    assert (Temperature(temperature).apply(probs).argmax(axis=1) == 1).all()


def test_temperature_of_perfect_predictions_stays_within_its_limits(
    rng: np.random.Generator,
) -> None:
    probs, _ = miscalibrated(rng, 1.0)
    found = fit_calibration("temperature", probs, probs.argmax(axis=1))
    assert isinstance(found, Temperature)
    assert TEMPERATURES[0] <= found.temperature < 2 * TEMPERATURES[0]


def test_temperature_of_certain_predictions_that_know_nothing_makes_them_even(
    rng: np.random.Generator,
) -> None:
    probs = np.eye(2)[rng.integers(0, 2, 1000)]
    found = fit_calibration("temperature", probs, np.arange(1000) % 2)
    assert found.apply(probs) == pytest.approx(0.5, abs=0.05)


# --- isotonic ---


def test_isotonic_lowers_brier_score_of_other_rows(rng: np.random.Generator) -> None:
    probs, labels = miscalibrated(rng, 3.0)
    found = fit_calibration("isotonic", probs, labels)
    probs, labels = miscalibrated(rng, 3.0)
    assert brier_score(found.apply(probs), labels) < brier_score(probs, labels) - 0.02


def test_isotonic_applied_is_the_reference_normalised(rng: np.random.Generator) -> None:
    probs, labels = miscalibrated(rng, 3.0, rows=400)
    # curves that end in 0.1 and 0.9, where the others do not, at neither 0 nor 1
    probs = np.clip(probs.round(1), 0.1, 0.9)
    labels[::3] = rng.integers(0, 4, 134)
    found = fit_calibration("isotonic", probs, labels)
    assert isinstance(found, Isotonic)
    ends = [curve[1][[0, -1]] for curve in found.curves if curve]
    assert all(0.0 < low < high < 1.0 for low, high in ends)
    others = miscalibrated(rng, 5.0, rows=400)[0]
    curves = [
        IsotonicRegression(out_of_bounds="clip").fit(probs[:, k], labels == k).predict(others[:, k])
        for k in range(4)
    ]
    assert min(curve.min() for curve in curves) > 0.5 / 400  # which no floor changes
    wanted = np.column_stack(curves)
    wanted /= wanted.sum(axis=1, keepdims=True)
    assert found.apply(others) == pytest.approx(wanted, abs=1e-12)


def test_isotonic_class_without_examples_keeps_its_probabilities() -> None:
    probs = np.array([[0.6, 0.2, 0.2], [0.2, 0.7, 0.1], [0.5, 0.1, 0.4]])
    found = fit_calibration("isotonic", probs, np.array([0, 1, 0]))
    assert isinstance(found, Isotonic)
    assert [curve is None for curve in found.curves] == [False, False, True]
    # of the others 1 is left, and half a row of three instead of 0
    wanted = np.array([[1.0, 1 / 6, 0.2], [1 / 6, 1.0, 0.1], [1.0, 1 / 6, 0.4]])
    wanted /= wanted.sum(axis=1, keepdims=True)
    assert found.apply(probs) == pytest.approx(wanted, abs=1e-15)


def test_isotonic_makes_no_class_impossible(rng: np.random.Generator) -> None:
    probs, labels = miscalibrated(rng, 3.0, rows=100)
    found = fit_calibration("isotonic", probs, labels)
    others, given = miscalibrated(rng, 3.0)
    assert found.apply(others).min() > 0.1 / 100
    assert log_loss(given, found.apply(others)) < 1.4


def test_isotonic_row_without_a_class_left_stays_as_it_is() -> None:
    nothing = (np.array([0.0, 1.0]), np.array([0.0, 0.0]))  # as older models may have it
    found = Isotonic((nothing, nothing))
    assert found.apply(np.array([[0.3, 0.7]])).tolist() == [[0.3, 0.7]]


def test_isotonic_only_one_class_given_is_certain_where_nothing_else_is() -> None:
    probs = np.array([[0.6, 0.4], [0.2, 0.8]])
    found = fit_calibration("isotonic", probs, np.array([1, 1]))
    assert found.apply(probs) == pytest.approx(
        np.array([[0.6 / 1.6, 1 / 1.6], [0.2 / 1.2, 1 / 1.2]])
    )
