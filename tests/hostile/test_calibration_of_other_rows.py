"""A calibration makes no row worse that it was not fitted on, whatever the model."""

from __future__ import annotations

import json
import logging
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from sparkclean.learning.calibration import Temperature, Uncalibrated
from sparkclean.learning.chosen_calibration import (
    ChosenCalibration,
    HeldOut,
    choose_calibration,
    find_floors,
    warn_of_calibrations,
)
from sparkclean.learning.folds import TrainFolds
from sparkclean.learning.model_files import ModelEntry
from sparkclean.learning.pickles import loads
from sparkclean.learning.quality import QualitySums

K = 3


def examples(rng: np.random.Generator, given: NDArray[np.int64], shift: float = 1.8) -> Any:
    """Six numbers a row, of which the class moves one."""
    numbers = rng.normal(size=(len(given), 6))
    numbers[np.arange(len(given)), given] += shift
    return numbers


def held_out(model: Any, numbers: Any, given: NDArray[np.int64], inner: Any) -> HeldOut:
    """Predict each inner fold by a model of the others."""
    probs, trained = np.zeros((len(given), K)), np.zeros((3, K), np.bool_)
    for number in range(3):
        model.fit(numbers[inner != number], given[inner != number])
        mine = np.flatnonzero(inner == number)
        probs[np.ix_(mine, model.classes_)] = model.predict_proba(numbers[mine])
        trained[number, model.classes_] = True
    return HeldOut(probs, given, inner, trained)


def measured(probs: NDArray[np.float64], given: NDArray[np.int64]) -> tuple[float, float]:
    """Give log loss and calibration error."""
    sums = QualitySums(1, probs.shape[1])
    sums.add(np.zeros(len(given), np.int64), given, probs)
    found = sums.report().overall
    assert found
    return found.log_loss, found.calibration_error


def with_a_class_in_one_inner_fold(rng: np.random.Generator) -> Any:
    """Give 2,000 rows, of which 40 are of a class that one inner model does not see."""
    given = rng.integers(0, 2, 2000)
    given[:40] = 2
    inner = rng.integers(0, 3, 2000)
    inner[:40] = 1
    return examples(rng, given), given, inner


@pytest.mark.parametrize("method", ["temperature", "isotonic"])
def test_calibration_class_that_an_inner_model_has_not_seen_stays_out_of_the_fit(
    method: str, rng: np.random.Generator
) -> None:
    numbers, given, inner = with_a_class_in_one_inner_fold(rng)
    held = held_out(LogisticRegression(), numbers, given, inner)
    chosen = choose_calibration(method, held)
    assert chosen.about["left_out"] == [[2, 40]]
    assert chosen.about["rows"] == 1960
    others = rng.choice(K, 5000, p=[0.49, 0.49, 0.02])
    model = LogisticRegression().fit(numbers, given)
    raw = model.predict_proba(examples(rng, others))
    before, after = measured(raw, others), measured(chosen.calibration.apply(raw), others)
    assert after[0] < before[0] + 0.01
    assert after[1] < 0.03
    right = [p.argmax(axis=1)[others == 2] == 2 for p in (raw, chosen.calibration.apply(raw))]
    assert right[1].mean() >= right[0].mean() - 0.05


@pytest.mark.parametrize(
    "model",
    [
        RandomForestClassifier(30, random_state=0),
        KNeighborsClassifier(5),
        KNeighborsClassifier(15, weights="distance"),
        DecisionTreeClassifier(min_samples_leaf=5, random_state=0),
    ],
    ids=["forest", "neighbours", "neighbours by distance", "tree"],
)
def test_temperature_of_a_model_that_votes_is_not_that_of_its_zeros(
    model: Any, rng: np.random.Generator
) -> None:
    given = rng.integers(0, K, 3000)
    given[100:300] = given[300:500]
    numbers = examples(rng, given)
    numbers[100:300] = numbers[300:500] + 1e-9  # nearly twins, which weigh all by distance
    held = held_out(model, numbers, given, rng.integers(0, 3, 3000))
    assert (held.probs[np.arange(3000), given] == 0.0).sum() > 10
    chosen = choose_calibration("temperature", held)
    others = rng.integers(0, K, 5000)
    raw = model.fit(numbers, given).predict_proba(examples(rng, others))
    after = chosen.calibration.apply(raw)
    assert (after.argmax(axis=1) == raw.argmax(axis=1)).all()
    assert measured(after, others)[0] < measured(raw, others)[0] - 0.1
    assert measured(after, others)[1] < 0.05


def test_floor_of_a_forest_is_half_a_tree(rng: np.random.Generator) -> None:
    given = rng.integers(0, K, 600)
    forest = RandomForestClassifier(10, random_state=0)
    held = held_out(forest, examples(rng, given), given, rng.integers(0, 3, 600))
    assert find_floors(held) == pytest.approx([0.05] * K)
    plain = held_out(LogisticRegression(), examples(rng, given), given, rng.integers(0, 3, 600))
    assert find_floors(plain) is None


def test_floor_never_reaches_the_best_class_of_a_row() -> None:
    probs = np.vstack([np.eye(10), np.full((1, 10), 0.1)])
    probs[-1, :2] = [0.09, 0.11]
    every = np.ones((3, 10), np.bool_)
    given = np.append(np.arange(10), 1)
    found = find_floors(HeldOut(probs, given, np.arange(11) % 3, every))
    assert found == (0.05,) * 10
    assert Temperature(3.0, found).apply(probs).argmax(axis=1).tolist() == [*range(10), 1]


def test_temperature_class_that_no_model_is_trained_on_stays_impossible(
    rng: np.random.Generator,
) -> None:
    given = rng.integers(0, 2, 600)
    numbers = examples(rng, given)
    forest = RandomForestClassifier(10, random_state=0)
    some = held_out(forest, numbers, given, rng.integers(0, 3, 600))
    chosen = choose_calibration("temperature", some)
    assert chosen.about["published"] == "temperature"
    assert set(chosen.calibration.apply(some.probs)[:, 2].tolist()) == {0.0}


def test_calibration_of_no_rows_that_can_be_used_is_none(rng: np.random.Generator) -> None:
    seen = np.eye(K, dtype=np.bool_)[[1, 2, 0]]
    given = rng.integers(0, K, 60)
    held = HeldOut(seen[given].astype(np.float64), given, given, seen)
    for method in ("temperature", "isotonic"):
        chosen = choose_calibration(method, held)
        assert chosen.calibration == Uncalibrated()
        assert chosen.about["left_out"] == [[k, int((given == k).sum())] for k in range(K)]


@pytest.mark.parametrize("method", ["temperature", "isotonic"])
def test_calibration_of_probabilities_that_are_right_is_not_published(
    method: str, rng: np.random.Generator
) -> None:
    probs = rng.dirichlet(np.ones(K), 300)
    given = (probs.cumsum(axis=1) > rng.random(300)[:, None]).argmax(axis=1)
    found = [
        choose_calibration(method, HeldOut(probs, given, np.roll(np.arange(300) % 3, i), every))
        for i, every in enumerate([np.ones((3, K), np.bool_)] * 3)
    ]
    for chosen in found:
        is_better = chosen.about["calibrated_log_loss"] < chosen.about["log_loss"]
        assert (chosen.about["published"] == method) == is_better
        assert isinstance(chosen.calibration, Uncalibrated) != is_better
    assert sum(chosen.about["published"] == "none" for chosen in found) > 1


@pytest.mark.parametrize("method", ["temperature", "isotonic"])
def test_choice_of_a_calibration_does_not_depend_on_the_order_of_rows(
    method: str, rng: np.random.Generator
) -> None:
    given = rng.integers(0, K, 600)
    model = RandomForestClassifier(10, random_state=0)
    held = held_out(model, examples(rng, given), given, rng.integers(0, 3, 600))
    wanted = choose_calibration(method, held)
    mixed = rng.permutation(600)
    found = choose_calibration(method, held.take(mixed))
    assert found.about == wanted.about
    once, again = (one.calibration.apply(held.probs) for one in (wanted, found))
    assert once.tobytes() == again.tobytes()


def test_temperature_of_an_older_model_has_the_floor_of_then() -> None:
    older = Temperature.__new__(Temperature)
    older.__dict__["temperature"] = 2.0  # all that its pickle holds
    probs = np.array([[0.0, 1.0]])
    assert older.apply(probs).tobytes() == Temperature(2.0).apply(probs).tobytes()
    assert older.apply(probs)[0, 0] == pytest.approx(2.0**-26)


def test_train_says_which_rows_stay_out_and_what_was_published(
    rng: np.random.Generator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    numbers, given, inner = with_a_class_in_one_inner_fold(rng)
    table = {
        "__id_0": np.arange(2000), "__label": given, "__numbers": list(numbers),
        "__fold": np.full(2000, 1), "__inner": inner, "__place": rng.permutation(2000),
    }  # fmt: skip
    (tmp_path / "sample").mkdir()
    pq.write_table(pa.table(table), tmp_path / "sample" / "part.parquet")
    train = TrainFolds(
        sample=str(tmp_path / "sample"), models=str(tmp_path), estimator=None, params={},
        calibrate="temperature", classes=(0, 1, 2), num_numbers=6, num_texts=0,
        quotas=np.full((1, K), 2000), counts=np.bincount(given)[None], max_rows=5000, seed=0,
    )  # fmt: skip
    content = json.loads(train.train(0))
    assert content.pop("found") == [*np.bincount(given).tolist()]
    assert content.pop("warnings") == []
    about = ModelEntry(**content).calibration
    assert about is not None
    assert about["left_out"] == [[2, 40]]
    with caplog.at_level(logging.WARNING, "sparkclean"):
        warn_of_calibrations([about, None, about | {"published": "none"}], ("a", "b", "c"))
    said = [record.getMessage() for record in caplog.records]
    assert said[0].startswith("predict.calibrate: 80 rows of 1 classes stay out of the fits of 2 m")
    assert said[0].endswith("was trained on no row of their class: 'c' (80)")
    assert said[1] == (
        "predict.calibrate: 1 of 2 models stay without a calibration: temperature raised the log "
        "loss of rows that it was not fitted on"
    )


def test_chosen_calibration_survives_the_pickle_of_a_task() -> None:
    chosen = ChosenCalibration(Temperature(2.0, (0.5, 0.0)), {"method": "temperature"})
    assert loads(pickle.dumps(chosen), "a task's calibration") == chosen
