"""The linear default beside gradient boosting: a gain is said where it is one, and exact."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from numpy.typing import NDArray

from sparkclean.config.sections import PredictSection
from sparkclean.learning.boosting import Comparison, compare_boosting, may_compare, outcome
from sparkclean.learning.encoding import Encoding
from sparkclean.learning.estimators import make_estimator
from sparkclean.learning.model_files import ModelEntry
from sparkclean.learning.profile import Profile
from tests.unit.test_fold_models import train_folds

ROWS = 300


def compared(
    folder: Path, numbers: NDArray[np.float64], given: NDArray[np.int64]
) -> Comparison | None:
    """Train models of two folds, and compare them."""
    fold = np.arange(ROWS) % 2
    table = {
        "__id_0": range(ROWS), "__label": given, "__numbers": numbers.tolist(), "__fold": fold,
        "__inner": [0] * ROWS, "__place": np.random.default_rng(3).permutation(ROWS),
    }  # fmt: skip
    (folder / "sample").mkdir()
    pq.write_table(pa.table(table), folder / "sample" / "part.parquet")
    train = train_folds(folder)
    entries = []
    for number in range(2):
        entry = json.loads(train.train(number))
        entries.append(
            ModelEntry(**{k: v for k, v in entry.items() if k not in ("warnings", "found")})
        )
    examples = np.array([[int((given[fold == f] == k).sum()) for k in (0, 1)] for f in (0, 1)])
    profile = Profile(2, (0, 1), examples, ROWS, 0)
    return compare_boosting(folder / "sample", folder, entries, profile, 0)


def test_compare_boosting_where_classes_are_no_halves(tmp_path: Path) -> None:
    numbers = np.random.default_rng(1).standard_normal((ROWS, 2))
    given = (numbers[:, 0] * numbers[:, 1] > 0).astype(np.int64)
    found = compared(tmp_path, numbers, given)
    assert found is not None
    assert found.gain > 0.2
    first, second = found.advice()
    assert first.startswith("the linear model is weak here: by the same folds gradient boosting")
    line = yaml.safe_load(second)["predict"]
    made = make_estimator(line["estimator"], line["params"], scaled=False)
    assert made.get_params()["max_iter"] == 50
    assert found == Comparison(**json.loads(json.dumps(found.to_json())))


def test_compare_boosting_where_a_line_divides_says_nothing(tmp_path: Path) -> None:
    numbers = np.random.default_rng(1).standard_normal((ROWS, 2))
    noise = np.random.default_rng(2).standard_normal(ROWS)
    assert compared(tmp_path, numbers, (numbers.sum(axis=1) + noise > 0).astype(np.int64)) is None


def test_comparison_interval_is_that_of_paired_shares() -> None:
    found = Comparison(rows=200, linear=4, boosted=24, both=150)
    assert found.gain == pytest.approx(0.1)
    # by simulation of pairs of rows
    pairs = np.repeat([1, -1, 0], [24, 4, 172])
    spread = np.std(pairs) / np.sqrt(200)
    assert found.interval == pytest.approx((0.1 - 1.96 * spread, 0.1 + 1.96 * spread), abs=1e-4)
    assert (
        "has an accuracy of 0.8700, and it 0.7700 (+10.0 points, 95 % interval" in found.advice()[0]
    )


@pytest.mark.parametrize(
    ("linear", "boosted", "worth"),
    [(0, 10, True), (0, 9, False), (100, 110, False), (30, 40, False), (10, 0, False)],
)  # five points of 200 rows are ten; they may be chance where the models differ in many rows
def test_comparison_is_worth_it_from_five_points_that_are_no_chance(
    linear: int, boosted: int, worth: bool
) -> None:
    found = Comparison(200, linear, boosted, 80)
    assert found.is_worth_it is worth
    assert bool(found.advice()) is worth
    assert ("the linear model stays" in outcome(found)) is not worth
    assert f"{100 * found.gain:+.1f} points" in outcome(found)


def test_comparison_without_a_result_says_what_came_of_it() -> None:
    assert outcome(None).endswith("no gain worth a change; the linear model stays")


def test_may_compare_the_default_on_few_rows_alone() -> None:
    predict = PredictSection(features=["x"])
    profile = Profile(3, tuple(range(20)), np.ones((5, 20), np.int64), 2000, 0)
    assert may_compare(predict, profile, 2000, 0)
    assert not may_compare(predict, profile, 1999, 0)
    assert not may_compare(predict, profile, 2000, 1)
    assert not may_compare(predict, replace(profile, rows=2001), 5000, 0)
    assert not may_compare(predict, replace(profile, classes=tuple(range(21))), 2000, 0)
    assert not may_compare(predict, replace(profile, encoding=Encoding(0, (100, 100, 57))), 2000, 0)
    named = PredictSection(features=["x"], estimator="sklearn.naive_bayes.GaussianNB")
    assert not may_compare(named, profile, 2000, 0)
