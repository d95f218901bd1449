"""Quality of predicted probabilities: against formulas, and exact in any order and cut."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given as over
from hypothesis import settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, log_loss

from sparkclean.learning.quality import (
    BIN_STATE,
    BINS,
    CLASS_STATE,
    LOWEST_PROBABILITY,
    ClassQuality,
    Quality,
    QualitySums,
)
from sparkclean.numbers.fixed_point import ONE, portable_log, to_fixed
from tests.data import noisy_data

PROPERTY = settings(deadline=None, derandomize=True, max_examples=100)
#: Sums in units of 2**-40 keep a mean to half a unit.
HALF_A_UNIT = 2.0**-41

Rows = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]


def sums_of(rows: Rows, num_folds: int = 1) -> QualitySums:
    sums = QualitySums(num_folds, rows[2].shape[1])
    sums.add(*rows)
    return sums


def overall_of(given: list[int], pred_probs: Any) -> Quality:
    fold = np.zeros(len(given), np.int64)
    quality = sums_of((fold, np.array(given), np.array(pred_probs))).report().overall
    assert quality is not None
    return quality


def realistic(num_folds: int, rows: int = 3000, num_classes: int = 7) -> Rows:
    labels, probs = noisy_data(rows, num_classes, noise=0.3, seed=5)
    return np.arange(rows) % num_folds, labels, probs


def brier_by_formula(labels: NDArray[np.int64], probs: NDArray[np.float64]) -> float:
    return float(((probs - np.eye(probs.shape[1])[labels]) ** 2).sum(axis=1).mean())


def calibration_error_by_formula(labels: NDArray[np.int64], probs: NDArray[np.float64]) -> float:
    error = 0.0
    confidence, hits = probs.max(axis=1), probs.argmax(axis=1) == labels
    for m in range(1, 16):
        here = (confidence > (m - 1) / 15) & (confidence <= m / 15)
        if here.any():
            error += here.mean() * abs(hits[here].mean() - confidence[here].mean())
    return error


@st.composite
def rows_in_folds(draw: st.DrawFn) -> tuple[Rows, int]:
    """Rows with exact zeros and ones among the probabilities; folds and classes may be empty."""
    num_rows, num_folds = draw(st.integers(0, 30)), draw(st.integers(1, 4))
    num_classes = draw(st.integers(1, 10))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    probs = rng.dirichlet(np.full(num_classes, draw(st.sampled_from([0.1, 1.0]))), num_rows)
    certain = rng.random(num_rows) < draw(st.sampled_from([0.0, 0.5]))
    probs[certain] = np.eye(num_classes)[rng.integers(0, num_classes, num_rows)][certain]
    folds, given = (rng.integers(0, size, num_rows) for size in (num_folds, num_classes))
    return (folds, given, probs), num_folds


# --- sums that are exact ---


@PROPERTY
@over(rows_in_folds(), st.data())
def test_quality_state_any_order_and_cut_is_the_same(case: Any, data: st.DataObject) -> None:
    rows, num_folds = case
    number = len(rows[0])
    order = data.draw(st.permutations(range(number)))
    cuts = sorted(data.draw(st.lists(st.integers(0, number), max_size=4)))
    merged = QualitySums(num_folds, rows[2].shape[1])
    in_parts = QualitySums(num_folds, rows[2].shape[1])
    for part in np.split(np.array(order, np.int64), cuts):
        few: Rows = (rows[0][part], rows[1][part], rows[2][part])
        in_parts.add(*few)
        merged.merge(sums_of(few, num_folds).state().ravel())
    whole = sums_of(rows, num_folds)
    assert in_parts.state().tolist() == merged.state().tolist() == whole.state().tolist()
    assert in_parts.report() == merged.report() == whole.report()


@PROPERTY
@over(rows_in_folds())
def test_quality_state_is_what_python_integers_sum_to(case: Any) -> None:
    (folds, labels, probs), num_folds = case
    num_classes = probs.shape[1]
    wanted = np.zeros((num_folds, num_classes + BINS, 4), object)
    for fold, given, row in zip(folds, labels, probs, strict=True):
        best = int(row.argmax())
        loss = -portable_log(np.array([max(row[given], LOWEST_PROBABILITY)]))[0]
        brier = math.fsum((p - (k == given)) ** 2 for k, p in enumerate(row))
        wanted[fold, given] += [1, best == given, round(loss * ONE), round(brier * ONE)]
        place = num_classes + math.ceil(row[best] * 15) - 1
        wanted[fold, place] += [1, best == given, round(row[best] * ONE), 0]
    found = sums_of((folds, labels, probs), num_folds).state().astype(object)
    found = np.dstack([found[..., :2], found[..., 2::2] * (1 << 24) + found[..., 3::2]])
    # the sum over the classes is rounded otherwise: by a unit at most, of 2**-40
    distance = np.abs(found - wanted)
    assert (distance[..., :3] == 0).all()
    assert (distance[..., 3] <= wanted[..., 0]).all()


def test_quality_log_loss_has_the_bits_of_the_portable_logarithm(rng: np.random.Generator) -> None:
    # rows whose loss numpy's own logarithm would round to another unit: few, as units are coarse
    values = rng.random(1_000_000)
    portable = to_fixed(-portable_log(values))
    apart = np.flatnonzero(portable != to_fixed(-np.log(values)))
    assert len(apart)
    folds = np.arange(len(apart))
    rows = folds, folds * 0, np.column_stack([values, 1.0 - values])[apart]
    high, low = sums_of(rows, len(apart)).state()[:, 0, 2:4].T
    assert (high * 2**24 + low).tolist() == portable[apart].tolist()


def test_quality_state_is_laid_out_as_named() -> None:
    # two rows of fold 1, given 0; of confidence 3/4 (bin 11), one hit
    rows = np.array([1, 1]), np.array([0, 0]), np.array([[0.75, 0.25], [0.25, 0.75]])
    state = sums_of(rows, 3).state()
    assert state.dtype == np.int64
    assert state.shape == (3, 2 + BINS, len(CLASS_STATE))
    brier = round((2 * 0.25**2 + 2 * 0.75**2) * ONE)
    loss = sum(round(-math.log(p) * ONE) for p in (0.75, 0.25))
    named = dict(zip(CLASS_STATE, state[1, 0].tolist(), strict=True))
    assert (named["rows"], named["hits"]) == (2, 1)
    assert named["loss_high"] * 2**24 + named["loss_low"] == loss
    assert named["brier_high"] * 2**24 + named["brier_low"] == brier
    named = dict(zip((*BIN_STATE, "", "_"), state[1, 2 + 11].tolist(), strict=True))
    assert (named["rows"], named["hits"], named[""], named["_"]) == (2, 1, 0, 0)
    assert named["confidence_high"] * 2**24 + named["confidence_low"] == round(1.5 * ONE)
    assert [place.tolist() for place in np.nonzero(state.any(axis=2))] == [[1, 1], [0, 13]]


def test_quality_state_is_a_copy() -> None:
    sums = sums_of(realistic(2), 2)
    before = sums.report()
    sums.state()[:] = 0
    assert sums.report() == before


def test_quality_float32_adds_what_its_values_add_as_float64() -> None:
    folds, labels, probs = realistic(2)
    narrow = probs.astype(np.float32)
    found, wanted = (
        sums_of((folds, labels, values), 2).state() for values in (narrow, narrow.astype(float))
    )
    assert found.tolist() == wanted.tolist()


def test_quality_does_not_change_the_probabilities() -> None:
    folds, labels, probs = realistic(2)
    before = probs.copy()
    sums_of((folds, labels, probs), 2)
    assert probs.tobytes() == before.tobytes()


def test_quality_ten_billion_of_the_worst_rows_do_not_overflow() -> None:
    number = 10**10
    one = sums_of((np.array([0]), np.array([1]), np.array([[1.0, 0.0]]))).state()
    sums = QualitySums(1, 2)
    sums.merge(one * number)
    found = sums.report().overall
    assert found is not None
    assert (found.rows, found.accuracy, found.brier_score) == (number, 0.0, 2.0)
    assert found.log_loss == pytest.approx(52 * math.log(2), abs=HALF_A_UNIT)
    assert found.calibration_error == 1.0


def test_quality_a_million_of_the_worst_rows_at_once_are_exact() -> None:
    number = 1_000_003
    one = sums_of((np.array([0]), np.array([1]), np.array([[0.9, 0.1]]))).state()
    many = np.zeros(number, np.int64), np.ones(number, np.int64), np.tile([0.9, 0.1], (number, 1))
    assert sums_of(many).state().tolist() == (one * number).tolist()


# --- values ---


@pytest.mark.parametrize("num_classes", [2, 7, 150])
def test_quality_overall_is_that_of_the_formulas(num_classes: int) -> None:
    rows = realistic(5, num_classes=num_classes)
    _, labels, probs = rows
    found = sums_of(rows, 5).report().overall
    assert found is not None
    assert found.rows == len(labels)
    assert found.accuracy == accuracy_score(labels, probs.argmax(axis=1))
    wanted = log_loss(labels, probs, labels=range(num_classes))
    assert found.log_loss == pytest.approx(wanted, abs=1e-11)
    assert found.brier_score == pytest.approx(brier_by_formula(labels, probs), abs=1e-11)
    error = calibration_error_by_formula(labels, probs)
    assert error > 0.01
    assert found.calibration_error == pytest.approx(error, abs=1e-11)


def test_quality_of_each_fold_is_that_of_its_rows() -> None:
    folds, labels, probs = realistic(3)
    report = sums_of((folds, labels, probs), 3).report()
    parts = [np.flatnonzero(folds == i) for i in range(3)]
    alone = [sums_of((part * 0, labels[part], probs[part])).report().overall for part in parts]
    assert report.folds == tuple(alone)
    assert len(set(alone)) == 3


def test_quality_of_each_class_is_that_of_the_rows_given_it() -> None:
    rows = folds, labels, probs = realistic(3)
    report = sums_of(rows, 3).report()
    for k, found in enumerate(report.classes):
        here = labels == k
        alone = sums_of((folds[here], labels[here], probs[here]), 3).report().overall
        assert alone is not None
        assert found == ClassQuality(alone.rows, alone.accuracy, alone.log_loss, alone.brier_score)
    assert len(set(report.classes)) == 7


def test_quality_calibration_error_overall_puts_bins_of_folds_together() -> None:
    # of confidence 3/4: all hits in one fold, none in the other
    rows = np.array([0, 1]), np.array([0, 1]), np.array([[0.75, 0.25]] * 2)
    report = sums_of(rows, 2).report()
    assert [fold and fold.calibration_error for fold in report.folds] == [0.25, 0.75]
    assert report.overall is not None
    assert report.overall.calibration_error == 0.25


@pytest.mark.parametrize(
    ("confidence", "place"),
    [(0.5, 7), (8 / 15, 7), (math.nextafter(8 / 15, 1), 8), (0.6, 8), (14.1 / 15, 14), (1.0, 14)],
)
def test_quality_bin_holds_its_upper_edge(confidence: float, place: int) -> None:
    row = np.array([[confidence, 1 - confidence]])
    state = sums_of((np.array([0]), np.array([0]), row)).state()
    assert np.flatnonzero(state[0, 2:, 0]).tolist() == [place]


def test_quality_bins_are_those_of_all_rows_however_they_were_cut() -> None:
    fold, labels, probs = realistic(3)
    rows = (fold, labels, probs)
    report, parts = sums_of(rows, 3).report(), QualitySums(3, probs.shape[1])
    for part in np.array_split(np.random.default_rng(1).permutation(len(labels)), 7):
        parts.add(fold[part], labels[part], probs[part])
    assert parts.report().bins == report.bins
    confidence, hits = probs.max(axis=1), probs.argmax(axis=1) == labels
    assert len(report.bins) == BINS
    for m, found in enumerate(report.bins):
        here = (confidence > m / 15) & (confidence <= (m + 1) / 15)
        assert (found.rows, found.hits) == (here.sum(), hits[here].sum())
        if here.any():
            assert found.confidence == pytest.approx(confidence[here].mean(), abs=HALF_A_UNIT)
        else:
            assert found.confidence is None
    assert report.metrics()["calibration"]["rows"] == [found.rows for found in report.bins]
    assert set(report.to_record()) == {"overall", "folds", "classes"}
    assert QualitySums(1, 2).report().metrics() == {}


def test_quality_confidence_a_little_above_one_is_in_the_last_bin() -> None:
    state = sums_of((np.array([0]), np.array([0]), np.array([[1 + 1e-9, 0.0]]))).state()
    assert state[0, 2 + BINS - 1, 0] == 1


def test_quality_tie_predicts_the_first_class() -> None:
    row = [[0.2, 0.4, 0.4]]
    assert [overall_of([k], row).accuracy for k in range(3)] == [0.0, 1.0, 0.0]


def test_quality_certain_and_right_is_perfect() -> None:
    assert overall_of([1, 0], [[0.0, 1.0], [1.0, 0.0]]) == Quality(2, 1.0, 0.0, 0.0, 0.0)


def test_quality_certain_and_wrong_costs_what_the_reference_says() -> None:
    found = overall_of([0], [[0.0, 1.0]])
    assert (found.accuracy, found.brier_score, found.calibration_error) == (0.0, 2.0, 1.0)
    wanted = log_loss([0], np.array([[0.0, 1.0]]), labels=[0, 1])
    assert found.log_loss == pytest.approx(wanted, abs=1e-12)


def test_quality_one_row_is_its_own_mean() -> None:
    found = overall_of([2], [[0.5, 0.25, 0.25]])
    assert (found.rows, found.accuracy) == (1, 0.0)
    assert found.log_loss == pytest.approx(math.log(4), abs=HALF_A_UNIT)
    assert found.brier_score == 0.5**2 + 0.25**2 + 0.75**2
    assert found.calibration_error == 0.5


def test_quality_one_class_is_always_right() -> None:
    assert overall_of([0, 0], [[1.0], [1.0]]) == Quality(2, 1.0, 0.0, 0.0, 0.0)


# --- where there is nothing, and what is wrong ---


def test_quality_folds_and_classes_without_rows_are_none() -> None:
    rows = np.array([1]), np.array([2]), np.array([[0.1, 0.1, 0.8, 0.0]])
    report = sums_of(rows, 3).report()
    assert [fold is None for fold in report.folds] == [True, False, True]
    assert [of_class is None for of_class in report.classes] == [True, True, False, True]
    assert report.overall == report.folds[1]


def test_quality_without_rows_is_none() -> None:
    report = QualitySums(2, 3).report()
    assert (report.overall, report.folds, report.classes) == (None, (None,) * 2, (None,) * 3)


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_quality_probability_that_is_no_number_is_refused_and_nothing_added(wrong: float) -> None:
    sums = QualitySums(1, 3)
    rows = np.array([[0.5, 0.5, 0.0], [0.5, 0.5, wrong]])
    with pytest.raises(ValueError, match="NaN or infinite"):
        sums.add(np.zeros(2, np.int64), np.zeros(2, np.int64), rows)
    assert not sums.state().any()
