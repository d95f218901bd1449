"""Histograms of scores: exact, and the same however rows were cut and in whatever order."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from sparkclean.examples.batches import Admitted
from sparkclean.jobs.audit.histograms import (
    SCORE_BINS,
    Histogram,
    ScoreCounts,
    read_histogram,
    score_bin,
)
from sparkclean.jobs.audit.row_kernels import ConfidentCounts
from sparkclean.jobs.audit.row_types import SCORES
from sparkclean.rows.emitted import KIND, STATE, Emitted
from sparkclean.rows.streams import State
from tests.data import noisy_data

KEYS = ("given", "true")


def states_of(*emitted: Emitted) -> list[State]:
    """Add up the state of tasks as Spark does."""
    totals: dict[tuple[int, int], int] = {}
    for state in emitted:
        if state[KIND] != SCORES:
            continue
        for first, second, (count,) in zip(*(state[k] for k in (*KEYS, STATE)), strict=True):
            key = int(first), int(second)
            totals[key] = totals.get(key, 0) + count
    return [State(SCORES, *key, [count]) for key, count in totals.items()]


def test_score_bin_holds_its_lower_end_and_the_last_one_holds_one() -> None:
    scores = np.array([-1e-12, 0.0, 0.0199, 0.02, 0.5, 0.98, 1.0, 1.0 + 1e-12])
    assert score_bin(scores).tolist() == [0, 0, 0, 1, 25, 49, 49, 49]


def test_counts_of_no_rows_are_no_state() -> None:
    counts = ScoreCounts()
    counts.add(np.zeros(0), differs=False)
    assert list(counts.state(KEYS)) == []
    assert read_histogram([]) == Histogram()


def test_metrics_say_what_was_counted() -> None:
    found = Histogram().metrics("self_confidence", "audited")
    assert (found["score"], found["of"]) == ("self_confidence", "audited")
    assert len(found["agreed"]) == len(found["disagreed"]) == SCORE_BINS


def histogram_of(
    given: NDArray[np.int64], probs: NDArray[np.float64], parts: int, *, bands: float = 0.0
) -> Histogram:
    """Count by the kernel of a pass, in several tasks of several chunks."""
    thresholds = np.full(probs.shape[1], 0.6)
    emitted: list[Emitted] = []
    for part in np.array_split(np.arange(len(given)), parts):
        kernel = ConfidentCounts(thresholds - bands, thresholds, "most_probable", 1e-3)
        for chunk in np.array_split(part, 2):
            ids = [pa.array(chunk)]
            rows = Admitted(ids, given[chunk], probs[chunk], 0)
            emitted += list(kernel.update(rows, None))
        emitted += list(kernel.state())
    return read_histogram(states_of(*emitted))


@pytest.mark.parametrize("bands", [0.0, 0.2])
@pytest.mark.parametrize("parts", [1, 3, 7])
def test_kernel_counts_all_rows_by_self_confidence_however_they_are_cut(
    parts: int, bands: float
) -> None:
    given, probs = noisy_data(400, 4, seed=3)[:2]
    given, probs = np.asarray(given, np.int64), np.asarray(probs, np.float64)
    order = np.random.default_rng(5).permutation(len(given))
    own, agrees = probs[np.arange(len(given)), given], probs.argmax(axis=1) == given
    wanted = [
        tuple(np.bincount(score_bin(own[chosen]), minlength=SCORE_BINS).tolist())
        for chosen in (agrees, ~agrees)
    ]
    assert min(agrees.sum(), (~agrees).sum()) > 20
    for found in (
        histogram_of(given, probs, parts, bands=bands),
        histogram_of(given[order], probs[order], parts, bands=bands),
    ):
        assert found == Histogram(*wanted)
