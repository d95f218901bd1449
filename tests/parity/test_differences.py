"""Each line of docs/method/differences-from-cleanlab.md, by cleanlab 2.9.0 itself."""

from __future__ import annotations

import warnings
from typing import Any

import cleanlab.count
import cleanlab.filter
import cleanlab.rank
import numpy as np
import pytest
from numpy.typing import NDArray

import sparkclean
from sparkclean.confident.issues import audit_arrays
from sparkclean.confident.joint import calibrate_joint
from sparkclean.errors import ConfigError, InputError, SparkCleanError, UnsupportedFeatureError

ROWS = 600


@pytest.fixture(scope="module")
def problem() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    rng = np.random.default_rng(1)
    true = rng.choice(3, ROWS, p=[0.6, 0.3, 0.1])
    probs = rng.dirichlet([1, 1, 1], ROWS)
    probs[np.arange(ROWS), true] += 2
    probs /= probs.sum(axis=1, keepdims=True)
    labels = np.where(rng.random(ROWS) < 0.2, rng.integers(0, 3, ROWS), true)
    return labels, probs


def theirs(*args: Any, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return cleanlab.filter.find_label_issues(*args, n_jobs=1, **options)


@pytest.mark.parametrize(
    ("joint", "examples", "row", "of_theirs", "of_ours"),
    [
        # remainders tie, and none is a half
        ([[1, 4, 2], [5, 1, 4], [4, 1, 1]], [5, 6, 14], 2, [10, 2, 2], [9, 2, 3]),
        ([[5, 3], [5, 1]], [12, 14], 0, [7, 5], [8, 4]),
    ],
    ids=["remainders", "half"],
)
def test_difference_calibrated_joint_of_ties(
    joint: Any, examples: Any, row: int, of_theirs: Any, of_ours: Any
) -> None:
    labels = np.repeat(np.arange(len(examples)), examples)
    found = cleanlab.count.calibrate_confident_joint(np.array(joint), labels)
    assert found[row].tolist() == of_theirs
    assert calibrate_joint(np.array(joint), np.array(examples))[row].tolist() == of_ours


def test_difference_cuts_of_equal_scores(problem: Any) -> None:
    labels, probs = problem
    coarse = np.round(probs * 4) / 4
    coarse /= coarse.sum(axis=1, keepdims=True)
    found = []
    for find in (theirs, sparkclean.find_label_issues):
        flagged = set()
        for mixed in (np.arange(ROWS), np.random.default_rng(0).permutation(ROWS)):
            mask = find(labels[mixed], coarse[mixed], filter_by="prune_by_class")
            flagged.add(tuple(sorted(mixed[mask].tolist())))
        found.append(flagged)
    assert len(found[0]) == 2
    # ours goes by position here, and by record id in a table
    again = sparkclean.find_label_issues(labels, coarse, filter_by="prune_by_class")
    assert tuple(np.flatnonzero(again).tolist()) in found[1]


def test_difference_num_to_remove_per_class(problem: Any) -> None:
    labels, probs = problem
    options: Any = {"filter_by": "prune_by_noise_rate", "num_to_remove_per_class": [30, 20, 10]}
    for find, wanted in ((theirs, [11, 13, 34]), (sparkclean.find_label_issues, [21, 20, 10])):
        found = find(labels, probs, **options)
        assert np.bincount(labels[found], minlength=3).tolist() == wanted


def test_difference_adjusted_scores_with_a_missing_class(problem: Any) -> None:
    labels, probs = problem
    wider = np.column_stack([probs * 0.9, np.full(ROWS, 0.1)])
    found = cleanlab.rank.get_label_quality_scores(labels, wider, adjust_pred_probs=True)
    ours = audit_arrays(labels, wider, adjust_pred_probs=True).label_quality
    assert np.abs(found - ours).max() > 0.3


def _with(probs: NDArray[np.float64], *row: float) -> NDArray[np.float64]:
    changed = probs.copy()
    changed[3] = row
    return changed


@pytest.mark.parametrize(
    ("probs", "options", "error"),
    [
        (lambda p: _with(p, np.nan, 0.5, 0.5), {}, InputError),
        (lambda p: p / 2, {}, InputError),
        (
            lambda p: p,
            {"filter_by": "low_self_confidence", "confident_joint": np.eye(3, dtype=int)},
            ConfigError,
        ),
        (lambda p: p, {"num_to_remove_per_class": [-1, 0, 0]}, ConfigError),
        (lambda p: p, {"num_to_remove_per_class": [10_000, 0, 0]}, ConfigError),
    ],
    ids=["NaN", "sums", "joint", "negative", "too many"],
)
def test_difference_input_that_only_the_reference_takes(
    problem: Any, probs: Any, options: Any, error: type[SparkCleanError]
) -> None:
    labels, given = problem
    assert theirs(labels, probs(given), **options).shape == (ROWS,)
    with pytest.raises(error):
        sparkclean.find_label_issues(labels, probs(given), **options)


def test_difference_shapes_that_only_the_reference_takes(problem: Any) -> None:
    one = np.zeros(ROWS, int), np.ones((ROWS, 1))
    assert not theirs(*one).any()
    with pytest.raises(InputError):
        sparkclean.find_label_issues(*one)
    several: Any = ([[0], [1], [2]], problem[1][:3])
    assert theirs(*several, multi_label=True).shape == (3,)
    with pytest.raises(UnsupportedFeatureError):
        sparkclean.find_label_issues(*several, multi_label=True)


@pytest.mark.parametrize(
    "change",
    [
        lambda y, p: (y, _with(p, 1.00005, 0.0, 0.0)),
        lambda y, p: (y, p.tolist()),
        lambda y, p: (y > 0, p[:, :2] / p[:, :2].sum(axis=1, keepdims=True)),
        lambda y, p: (np.ones_like(y), p),
    ],
    ids=["above 1", "list", "booleans", "one class"],
)
def test_difference_input_that_only_we_take(problem: Any, change: Any) -> None:
    arguments = change(*problem)
    with pytest.raises((ValueError, TypeError, IndexError)):
        theirs(*arguments)
    assert sparkclean.find_label_issues(*arguments).shape == (ROWS,)
