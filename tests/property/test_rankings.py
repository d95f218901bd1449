"""What must hold of rankings for any data: sums are those of loops, sets those of a grid."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sparkclean.jobs.rank_models import tally
from sparkclean.jobs.rank_models.totals import (
    BAD,
    CLASS_ITEMS,
    FIXED,
    HITS,
    ITEMS,
    LOSS_PAIRS,
    LOSSES,
    PREDICTED,
    RIGHT,
    VALID,
    Totals,
    add_up,
)
from sparkclean.noise import pairs
from sparkclean.noise.levels import level_set
from sparkclean.noise.metrics import LOSS_UNIT
from sparkclean.noise.pair_sums import HitSums, LossSums

PROPERTY = settings(deadline=None, derandomize=True, max_examples=100)

unit = st.floats(-0.3, 0.3, allow_nan=False).map(lambda x: round(x, 4))
variance = st.sampled_from([0.0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2])


@PROPERTY
@given(st.lists(st.floats(0.0, 1.0, allow_nan=False), max_size=12), st.floats(0.001, 0.999))
def test_holm_rejects_what_the_sequential_procedure_rejects(
    p_values: list[float], alpha: float
) -> None:
    # Holm (1979): go through the p values from the smallest, stop at the first that is too large
    rejected = set()
    order = sorted(range(len(p_values)), key=lambda k: p_values[k])
    for step, k in enumerate(order):
        if p_values[k] * (len(p_values) - step) > alpha:
            break
        rejected.add(k)
    adjusted = pairs.holm(np.array(p_values))
    assert set(np.flatnonzero(adjusted <= alpha).tolist()) == rejected
    assert ((adjusted >= p_values) & (adjusted <= 1.0)).all()


@PROPERTY
@given(unit, unit, variance, variance)
def test_level_set_is_that_of_a_grid(
    clean: float, bad: float, clean_variance: float, bad_variance: float
) -> None:
    grid = np.linspace(0.0, 1.0, 2001)
    mean = (1 - grid) * clean + grid * bad
    spread = (1 - grid) ** 2 * clean_variance + grid**2 * bad_variance
    left = mean * mean - pairs.Z**2 * spread
    found = level_set(clean, bad, clean_variance, bad_variance)
    inside = np.zeros(len(grid), bool)
    for low, high in found:
        assert 0.0 <= low <= high <= 1.0
        inside |= (grid >= low - 1e-12) & (grid <= high + 1e-12)
    sure = np.abs(left) > 1e-12  # else rounding decides
    assert (inside == (left <= 0))[sure].all()
    assert len(found) <= 2
    assert all(one[1] < other[0] for one, other in itertools.pairwise(found))


@PROPERTY
@given(st.integers(1, 5), st.integers(0, 30), st.integers(0, 2**32 - 1))
def test_gram_matrices_are_those_of_loops(models: int, items: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    hits = rng.random((items, models)) < 0.6
    losses = rng.random((items, models)) * 36.0
    sums, products = HitSums(models), LossSums(models)
    for start in range(0, items, 7):
        sums.add(hits[start : start + 7])
        products.add(losses[start : start + 7])
    units = np.rint(losses * 4096).astype(int)
    for a in range(models):
        for b in range(models):
            assert sums.sums()[a, b] == sum(bool(x[a] and x[b]) for x in hits)
            assert products.sums()[a, b] == sum(int(x[a]) * int(x[b]) for x in units)


def test_gram_matrix_of_many_items_is_exact() -> None:
    rng = np.random.default_rng(1)
    hits = rng.random((9000, 3)) < 0.5
    sums = HitSums(3)
    sums.add(hits[:5000])
    assert sums.items == 5000
    sums.add(hits[5000:])
    whole = hits.astype(np.int64)
    assert (sums.sums() == whole.T @ whole).all()


# -- answers against labels ----------------------------------------------------------------------

CLASSES = ("a", "b", "c")


class Case:
    """Items with labels and answers, as a loop knows them."""

    def __init__(self, items: int, models: int, seed: int, *, probs: bool) -> None:
        rng = np.random.default_rng(seed)
        self.models, self.probs = models, probs
        self.labels = rng.choice(CLASSES, items).tolist()
        self.is_valid = (rng.random(items) < 0.6).tolist()
        other = rng.choice([*CLASSES, None], items).tolist()
        self.corrected = [
            None if ok else label for ok, label in zip(self.is_valid, other, strict=True)
        ]
        self.given = rng.dirichlet([1.0] * 3, (items, models))
        self.answers: NDArray[Any] = rng.choice([*CLASSES, "z", None], (items, models))
        if probs:
            self.answers = np.array(CLASSES, object)[self.given.argmax(axis=2)]
        self.is_there = rng.random((items, models)) < 0.9

    def rows(self) -> list[dict[str, Any]]:
        rows = []
        for item, label in enumerate(self.labels):
            row = {"item": item, "model": -1, "text": label, "corrected": self.corrected[item]}
            rows.append(row | {"is_valid": self.is_valid[item], "probs": None})
            for model in range(self.models):
                if self.is_there[item, model]:
                    text = None if self.probs else self.answers[item, model]
                    probs = self.given[item, model].tolist() if self.probs else None
                    row = {"item": item, "model": model, "text": text, "corrected": None}
                    rows.append(row | {"is_valid": None, "probs": probs})
        return rows

    def stratum(self, name: int) -> list[tuple[int, str]]:
        """Items of a stratum, each with the label by which it is judged."""
        if name == FIXED:
            return [
                (i, c)
                for i, c in enumerate(self.corrected)
                if c is not None and not self.is_valid[i]
            ]
        wanted = name == VALID
        return [(i, x) for i, x in enumerate(self.labels) if self.is_valid[i] == wanted]

    def is_hit(self, item: int, model: int, label: str) -> bool:
        return bool(self.is_there[item, model] and self.answers[item, model] == label)


SCHEMA = pa.schema(
    [
        ("item", pa.int64()),
        ("model", pa.int32()),
        ("text", pa.string()),
        ("corrected", pa.string()),
        ("is_valid", pa.bool_()),
        ("probs", pa.list_(pa.float64())),
    ]
)


def totals_of(rows: list[dict[str, Any]], count: tally.CountAnswers, sizes: list[int]) -> Totals:
    """Count rows that come in batches of given sizes, and add up what several tasks give."""
    table = pa.Table.from_pylist(rows, SCHEMA)
    batches, start = [], 0
    for size in [*sizes, len(rows)]:
        batches += table.slice(start, size).combine_chunks().to_batches()
        start += size
    totals = Totals()
    for batch in add_up(count(batches)):
        totals.add_batch(batch)
    return totals


def count_of(models: int, *, probs: bool = False, missing: bool = True) -> tally.CountAnswers:
    return tally.CountAnswers(
        num_models=models, classes=CLASSES, by_class=True, has_probs=probs,
        missing_is_wrong=missing,
    )  # fmt: skip


@settings(deadline=None, derandomize=True, max_examples=40)
@given(
    st.integers(1, 12),
    st.integers(1, 4),
    st.integers(0, 10**6),
    st.lists(st.integers(1, 9), max_size=6),
    st.booleans(),
)
def test_tally_is_that_of_loops_however_the_rows_come(
    items: int, models: int, seed: int, sizes: list[int], probs: bool
) -> None:
    case = Case(items, models, seed, probs=probs)
    totals = totals_of(case.rows(), count_of(models, probs=probs), sizes)
    assert not totals.ids
    for stratum in (VALID, BAD, FIXED):
        mine = case.stratum(stratum)
        if not mine:
            assert (ITEMS, stratum, 0) not in totals.counts
            continue
        assert totals.counts[ITEMS, stratum, 0].tolist() == [len(mine)]
        for a in range(models):
            together = [
                sum(case.is_hit(i, a, x) and case.is_hit(i, b, x) for i, x in mine)
                for b in range(a, models)
            ]
            assert totals.counts[HITS, stratum, a].tolist() == together
            for k, name in enumerate(CLASSES):
                right = sum(case.is_hit(i, a, x) for i, x in mine if x == name)
                predicted = sum(
                    bool(case.is_there[i, a] and case.answers[i, a] == name) for i, _ in mine
                )
                assert totals.counts[RIGHT, stratum, a][k] == right
                assert totals.counts[PREDICTED, stratum, a][k] == predicted
        by_class = [sum(x == name for _, x in mine) for name in CLASSES]
        assert totals.counts[CLASS_ITEMS, stratum, 0].tolist() == by_class
        if probs:
            losses = np.array(
                [
                    [
                        -np.log(max(case.given[i, m][CLASSES.index(x)], 2.0**-52))
                        if case.is_there[i, m]
                        else 52 * np.log(2)
                        for m in range(models)
                    ]
                    for i, x in mine
                ]
            )
            sums = totals.counts[LOSSES, stratum, 0] / LOSS_UNIT
            assert sums == pytest.approx(losses.sum(axis=0), abs=1e-6)
            square = totals.counts[LOSS_PAIRS, stratum, 0][0] / 4096**2
            assert square == pytest.approx((losses[:, 0] ** 2).sum(), rel=1e-2, abs=1e-2)


@PROPERTY
@given(st.integers(1, 30), st.integers(0, 10**6), st.lists(st.integers(1, 9), max_size=8))
def test_items_stay_whole_however_the_rows_come(rows: int, seed: int, sizes: list[int]) -> None:
    items = np.sort(np.random.default_rng(seed).integers(0, 8, rows))
    table = pa.table({"item": [None if x == 7 else int(x) for x in items]})
    batches, start = [], 0
    for size in [*sizes, rows]:
        batches += table.slice(start, size).combine_chunks().to_batches()
        start += size
    found = [part.column("item").to_pylist() for part in tally.whole_items(batches)]
    assert [x for part in found for x in part] == table.column("item").to_pylist()
    of_parts = [set(part) for part in found]
    assert sum(map(len, of_parts)) == len(set().union(*of_parts))


def test_tally_finds_what_is_wrong_with_items() -> None:
    case = Case(6, 2, 0, probs=False)
    case.is_there[:] = True
    rows = case.rows()
    rows = [row for row in rows if (row["item"], row["model"]) != (1, -1)]  # no label
    rows += [row for row in rows if (row["item"], row["model"]) == (2, -1)]  # two labels
    rows += [row for row in rows if (row["item"], row["model"]) == (3, 1)]  # answered twice
    rows = [row for row in rows if (row["item"], row["model"]) != (4, 0)]  # missing
    rows += [row | {"item": None} for row in rows if row["item"] == 5]
    for row in rows:
        if (row["item"], row["model"]) == (0, -1):
            row["text"] = None
    rows.sort(key=lambda row: (row["item"] is not None, row["item"] or 0, row["model"]))
    found = totals_of(rows, count_of(2, missing=False), [3, 4]).ids
    assert {key[0].removeprefix("problem "): ids for key, ids in found.items()} == {
        tally.NULL_ITEM: ["None"],
        tally.NULL_LABEL: ["0"],
        tally.NO_LABEL: ["1"],
        tally.TWICE_LABELLED: ["2"],
        tally.TWICE_ANSWERED: ["3"],
        tally.MISSING: ["4"],
    }


def test_tally_finds_contradictions_strangers_and_probabilities_that_are_none() -> None:
    case = Case(5, 2, 1, probs=True)
    case.is_there[:] = True
    case.is_valid = [True] * 5
    case.corrected = [None, "b", None, None, None]
    case.labels = ["a", "a", "stranger", "b", "c"]
    rows = case.rows()
    wrong = {(3, 0): [0.5, 0.5], (3, 1): [0.9, 0.9, 0.9], (4, 0): [float("nan")] * 3}
    for row in rows:
        row["probs"] = wrong.get((row["item"], row["model"]), row["probs"])
    found = totals_of(rows, count_of(2, probs=True), [])
    names = {key[0].removeprefix("problem "): ids for key, ids in found.ids.items()}
    assert names == {
        tally.CONTRADICTION: ["1"], tally.UNKNOWN_CLASS: ["2"], tally.BAD_PROBS: ["3", "4"],
    }  # fmt: skip
    assert found.counts["problem " + tally.BAD_PROBS, 0, 0].tolist() == [3]


def test_problems_keep_the_smallest_ids() -> None:
    totals = Totals()
    for ids in (["30", "4"], ["100", "5"], ["6", "7"]):
        totals.add(("problem x", 0, 0), np.array([2]), ids)
    assert totals.ids["problem x", 0, 0] == ["4", "5", "6", "7", "30"]


@PROPERTY
@given(st.lists(st.sampled_from([0.1, 0.2, 0.3]), min_size=2, max_size=6))
def test_ranks_count_better_models(values: list[float]) -> None:
    assume(len(values) > 1)
    found = pairs.ranks(np.array(values)).tolist()
    assert found == [1 + sum(other > value for other in values) for value in values]
