"""What makes an answer doubtful, on real probabilities and on made ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sparkclean
from sparkclean.examples.statistics import ClassStatistics
from sparkclean.jobs.audit.doubts import Core, Doubt, find_core, find_doubts
from sparkclean.jobs.audit.row_types import SURENESS
from sparkclean.jobs.audit.sureness import BUCKETS, SurenessCounts, sureness_bucket
from sparkclean.numbers.fixed_point import to_fixed
from sparkclean.numbers.pair_counts import PairCounts
from sparkclean.rows.emitted import STATE
from sparkclean.rows.streams import State
from tests.conftest import GOLDEN
from tests.unit.findings import make_findings

Labels = NDArray[np.int64]
Probs = NDArray[np.float64]


def statistics_of(labels: Labels, pred_probs: Probs) -> ClassStatistics:
    """Make those of all rows."""
    size = pred_probs.shape[1]
    own = to_fixed(pred_probs[np.arange(len(labels)), labels])
    sums = [int(own[labels == k].sum()) for k in range(size)]
    examples = np.bincount(labels, minlength=size)
    base = make_findings(np.diag(np.maximum(examples, 1)).tolist(), [[0] * size] * size)
    return replace(base.statistics, rows=len(labels), examples=examples, sums=sums)


def states_of(labels: Labels, pred_probs: Probs, parts: int = 1) -> list[State]:
    """Count by sureness, in several tasks, and add up as Spark does."""
    totals: dict[tuple[int, int], int] = {}
    for part in np.array_split(np.arange(len(labels)), parts):
        counts, predicted = SurenessCounts(pred_probs.shape[1]), pred_probs[part].argmax(axis=1)
        counts.add(predicted, pred_probs[part].max(axis=1), differs=predicted != labels[part])
        for state in counts.state():
            for group, bucket, (count,) in zip(
                state["given"], state["true"], state[STATE], strict=True
            ):
                key = int(group), int(bucket)
                totals[key] = totals.get(key, 0) + count
    return [State(SURENESS, group, bucket, [n]) for (group, bucket), n in totals.items()]


def doubts_of(labels: Labels, pred_probs: Probs, suspects: int | None = None) -> tuple[Doubt, ...]:
    size = pred_probs.shape[1]
    if suspects is None:
        suspects = int(sparkclean.find_label_issues(labels=labels, pred_probs=pred_probs).sum())
    predictions = np.zeros((size, size), np.int64)
    np.add.at(predictions, (labels, pred_probs.argmax(axis=1)), 1)
    core = find_core(states_of(labels, pred_probs))
    return find_doubts(
        statistics_of(labels, pred_probs), PairCounts(predictions), core, suspects, range(size)
    )


def keys_of(doubts: tuple[Doubt, ...]) -> list[str]:
    return [doubt.allowed_by for doubt in doubts]


def golden(name: str) -> tuple[Labels, Probs]:
    table = pq.read_table(GOLDEN / name / "examples.parquet")
    probs = np.stack(table["pred_probs"].to_numpy()).astype(np.float64)
    return table["label"].to_numpy().astype(np.int64), probs / probs.sum(axis=1, keepdims=True)


def weak_logistic_regression() -> tuple[Labels, Probs]:
    """A linear model of classes that are not linear: three of four suspects have right labels."""
    features, labels = make_classification(
        6000, 12, n_informative=8, n_classes=4, class_sep=2, flip_y=0, random_state=1
    )
    random = np.random.default_rng(0)
    flipped = random.permutation(len(labels))[:335]
    labels[flipped] = (labels[flipped] + random.integers(1, 4, len(flipped))) % 4
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
    return labels, cross_val_predict(model, features, labels, cv=3, method="predict_proba")


# -- the core ------------------------------------------------------------------------------------


@given(st.lists(st.floats(0, 1), min_size=2, max_size=30))
def test_sureness_bucket_rises_with_the_probability(values: list[float]) -> None:
    buckets = sureness_bucket(np.sort(values))
    assert (np.diff(buckets) >= 0).all()
    assert buckets.min() >= 0
    assert buckets.max() < BUCKETS


def test_sureness_bucket_tells_nearly_sure_from_sure() -> None:
    found = sureness_bucket(np.array([0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0]))
    assert len(set(found.tolist())) == 7
    assert found[-1] == BUCKETS - 1


def test_sureness_bucket_of_float32_is_that_of_its_value() -> None:
    values = np.linspace(0, 1, 1000, dtype=np.float32)
    assert (sureness_bucket(values) == sureness_bucket(values.astype(np.float64))).all()


@pytest.mark.parametrize("parts", [1, 3, 7])
def test_core_does_not_depend_on_tasks(parts: int) -> None:
    labels, probs = golden("20news")
    assert find_core(states_of(labels, probs, parts)) == find_core(states_of(labels, probs))


def test_core_is_a_quarter_of_each_predicted_class() -> None:
    labels, probs = golden("20news")
    core, predicted, surest = find_core(states_of(labels, probs)), probs.argmax(axis=1), 0
    differing = 0
    for k in range(20):
        rows = np.flatnonzero(predicted == k)
        buckets = sureness_bucket(probs[rows].max(axis=1))
        least = np.sort(buckets)[::-1][-(-len(rows) // 4) - 1]
        rows = rows[buckets >= least]
        surest += len(rows)
        differing += int((labels[rows] != k).sum())
    assert core == Core(surest, differing)


def test_core_of_many_classes_is_that_of_the_table() -> None:
    probs = np.full((1000, 300), 0.5 / 299)
    labels = np.arange(1000) % 300
    probs[np.arange(1000), labels] = 0.5
    probs[:250, :] = 0.1 / 299
    probs[np.arange(250), (labels[:250] + 1) % 300] = 0.9
    assert find_core(states_of(labels, probs)) == Core(250, 250)


def test_core_of_no_rows_is_empty() -> None:
    assert find_core([]) == Core(0, 0)
    assert Core(0, 0).share == 0.0


# -- doubts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mnist", "20news", "clpaper_cifar10_n20_s40"])
def test_doubts_of_good_probabilities_are_none(name: str) -> None:
    assert doubts_of(*golden(name)) == ()


def test_doubts_of_a_weak_model_with_many_suspects() -> None:
    labels, probs = weak_logistic_regression()
    (doubt,) = doubts_of(labels, probs)
    assert doubt.allowed_by == "allow_many_suspects"
    assert "likely to be mistakes of the model" in doubt.text
    assert "RandomForestClassifier" in doubt.remedy


def test_doubts_of_reversed_columns() -> None:
    labels, probs = golden("20news")
    doubts = doubts_of(labels, probs[:, ::-1])
    assert "allow_permuted" in keys_of(doubts)
    assert "look permuted: 20 labels" in doubts[0].text


@pytest.mark.parametrize("classes", [2, 10])
def test_doubts_of_probabilities_that_know_nothing(classes: int) -> None:
    random = np.random.default_rng(classes)
    labels = random.integers(0, classes, 5000)
    probs = random.dirichlet(np.ones(classes), 5000)
    assert "allow_weak_model" in keys_of(doubts_of(labels, probs))


def test_doubts_of_the_shares_themselves() -> None:
    labels = np.repeat([0, 1, 2], [100, 300, 600])
    probs = np.tile([0.1, 0.3, 0.6], (1000, 1))
    assert "allow_weak_model" in keys_of(doubts_of(labels, probs, 0))


def test_doubts_let_zeros_of_a_forest_pass() -> None:
    # right in 9 of 10, and sure of it: its log loss is infinite, and it knows the labels
    labels = np.arange(1000) % 4
    told = np.where(np.arange(1000) % 10 == 0, (labels + 1) % 4, labels)
    assert keys_of(doubts_of(labels, np.eye(4)[told], 100)) == []


def test_doubts_of_few_rows_are_not_raised() -> None:
    labels = np.repeat([0, 1], 40)
    assert doubts_of(labels, np.full((80, 2), 0.5), 40) == ()


@pytest.mark.parametrize(
    ("suspects", "differing", "doubtful"),
    [
        (999, 0, False),  # fewer than a tenth of the rows
        (1000, 0, True),
        (2000, 399, True),  # 15.96 % of the core
        (2000, 401, False),  # four fifths of 20 %
    ],
)
def test_doubts_about_many_suspects_go_by_the_core(
    suspects: int, differing: int, doubtful: bool
) -> None:
    labels = np.arange(10_000) % 2
    statistics = statistics_of(labels, np.eye(2)[labels])
    core = Core(2500, differing)
    agreement: Any = PairCounts([[5000, 0], [0, 5000]])
    found = find_doubts(statistics, agreement, core, suspects, [0, 1])
    assert (keys_of(found) == ["allow_many_suspects"]) == doubtful


def test_doubts_about_many_suspects_allow_for_chance() -> None:
    labels = np.arange(200) % 2
    statistics = statistics_of(labels, np.eye(2)[labels])
    agreement: Any = PairCounts([[100, 0], [0, 100]])
    assert find_doubts(statistics, agreement, Core(50, 3), 24, [0, 1]) == ()
