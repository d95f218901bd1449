"""What is done with emitted rows, batch by batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkclean.examples.counts import count_codes
from sparkclean.examples.kernels import REJECTED, SUMS
from sparkclean.examples.ranks import bucket_end, quality_bucket
from sparkclean.examples.suspect_totals import SUSPECT, SuspectTotals
from sparkclean.jobs.audit import row_types
from sparkclean.jobs.audit.counts import BucketCounts, PairCounter, bucket_of, find_sorted
from sparkclean.jobs.audit.cutoffs import bucket_counts_of
from sparkclean.jobs.audit.emitted_rows import Rows
from sparkclean.jobs.audit.rankings import (
    CountBuckets,
    Cutoffs,
    GroupEntries,
    OfClasses,
    OfPairs,
    OfRivals,
    OfTable,
)
from sparkclean.jobs.audit.row_kernels import MARGINS
from sparkclean.jobs.audit.row_types import BUCKETS
from sparkclean.jobs.audit.selection import lowest_margins
from sparkclean.learning.sample_writer import SAMPLED
from sparkclean.learning.scored import PREDICTED, PREDICTIVE
from sparkclean.rows.emitted import STATE, WRITTEN, to_batch
from sparkclean.rows.streams import State
from sparkclean.rows.types import Fields
from tests.data import noisy_data

FIELDS: Fields = (
    ("kind", "tinyint"),
    ("__id_0", "string"),
    ("__id_1", "bigint"),
    ("given", "int"),
    ("own", "double"),
    ("other", "int"),
    ("other_probability", "double"),
    ("margins", MARGINS),
)


def rows(*values: tuple[str, int, int, float, list[tuple[int, float]]]) -> pa.RecordBatch:
    """Emitted rows: two columns of a record id, given class, self-confidence, margins."""
    names, numbers, given_, own, margins = zip(*values, strict=True)
    lists = [[{"class": c, "margin": m} for c, m in entries] for entries in margins]
    columns: dict[str, Any] = {
        "kind": 9,
        "ids": [pa.array(names), pa.array(numbers, pa.int64())],
        "given": list(given_),
        "own": list(own),
        "other": [0] * len(own),
        "other_probability": [0.5] * len(own),
        "margins": pa.array(
            lists, pa.list_(pa.struct([("class", pa.int32()), ("margin", pa.float64())]))
        ),
    }
    return to_batch(columns, FIELDS)


def cutoffs(ranking: Any, *last: tuple[int, float, str | None, int | None]) -> Cutoffs:
    groups, scores, names, numbers = zip(*last, strict=True)
    ids = pa.array(names, pa.string()), pa.array(numbers, pa.int64())
    return Cutoffs(ranking, np.array(groups), np.array(scores), ids)


def test_cuts_select_what_comes_not_after_the_last_row() -> None:
    batch = rows(
        ("b", 1, 0, 0.1, []),
        ("b", 2, 0, 0.2, []),
        ("b", 10, 0, 0.2, []),
        ("a", 99, 0, 0.2, []),
        ("c", 0, 0, 0.2, []),
        ("b", 1, 0, 0.3, []),
        ("b", 1, 1, 0.1, []),
    )
    found = cutoffs(OfClasses(), (0, 0.2, "b", 2)).select(Rows(batch))
    assert found.tolist() == [True, True, False, True, False, False, False]


def test_cuts_text_ids_compare_by_bytes() -> None:
    batch = rows(("Z", 0, 0, 0.2, []), ("a", 0, 0, 0.2, []), ("é", 0, 0, 0.2, []))
    found = cutoffs(OfClasses(), (0, 0.2, "a", 0)).select(Rows(batch))
    assert found.tolist() == [True, True, False]


def test_cuts_without_end_select_the_whole_group() -> None:
    batch = rows(("a", 0, 0, 0.9, []), ("a", 1, 2, 0.1, []))
    assert cutoffs(OfClasses(), (0, np.inf, None, None)).select(Rows(batch)).tolist() == [
        True,
        False,
    ]


def test_cuts_of_no_group_select_nothing() -> None:
    nothing = Cutoffs(OfClasses(), np.zeros(0, np.int64), np.zeros(0), ())
    assert nothing.select(Rows(rows(("a", 0, 0, 0.1, [])))).tolist() == [False]


def test_cuts_by_pair_select_a_row_that_any_of_its_pairs_reaches() -> None:
    batch = rows(
        ("a", 0, 1, 0.1, [(0, 0.2), (2, 0.4)]),
        ("a", 1, 1, 0.1, [(0, 0.5)]),
        ("a", 2, 1, 0.1, [(2, 0.3)]),
        ("a", 3, 1, 0.1, []),
    )
    # of the pair (1, 0) margins from 0.5 on, of the pair (1, 2) from 0.4 on
    found = cutoffs(OfPairs(3), (3, -0.5, "z", 9), (5, -0.4, "z", 9)).select(Rows(batch))
    assert found.tolist() == [True, True, False, False]


def test_kinds_of_functions_that_share_an_output_are_different() -> None:
    audit = [value for name, value in vars(row_types).items() if name.isupper()]
    assert len({SUMS, REJECTED, *audit}) == 2 + len(audit) == 10
    suspects = SuspectTotals.state_kinds
    assert len({SUSPECT, *suspects}) == 1 + len(suspects) == 4
    # a negative one tells of written files
    found = [SUMS, REJECTED, *audit, SUSPECT, *suspects, PREDICTED, PREDICTIVE, SAMPLED]
    assert min(found) > WRITTEN
    assert PREDICTED != PREDICTIVE


def test_places_give_the_rows_of_a_bucket_and_where_their_group_ends() -> None:
    batch = rows(("a", 0, 0, 0.26, []), ("b", 1, 0, 0.1, []), ("c", 2, 1, 0.3, []))
    places = GroupEntries(
        OfClasses(), np.array([0]), np.array([7]), ("string", "bigint"), np.array([1]), 4
    )
    (found,) = places(iter([batch]))
    assert found.select(["group", "score", "last_place", "__id_0"]).to_pylist() == [
        {"group": 0, "score": 0.26, "last_place": 7, "__id_0": "a"}
    ]


def test_count_buckets_counts_wanted_groups_alone() -> None:
    batch = rows(("a", 0, 0, 0.1, []), ("b", 1, 0, 0.12, []), ("c", 2, 1, 0.3, []))
    (state,) = CountBuckets(OfClasses(), np.array([0]), 4)(iter([batch, batch]))
    assert state.drop_columns(["kind"]).to_pylist() == [{"group": 0, "bucket": 0, STATE: [4]}]


def test_count_buckets_of_margins_keeps_their_sign() -> None:
    counts = BucketCounts(4)
    counts.add(np.array([2, 2, 2]), np.array([-1.0, -0.3, 1.0]))
    state = counts.state(("group", "bucket"))
    assert state["kind"] == BUCKETS
    assert state["group"] == [2, 2, 2]
    assert state["bucket"] == [-4, -2, 4]


def test_of_table_normalized_margin_is_the_score_of_arrays() -> None:
    batch = rows(("a", 0, 0, 0.25, []))
    _, group, score = OfTable("normalized_margin").placed(Rows(batch))
    assert (group.tolist(), score.tolist()) == ([0], [(0.25 - 0.5 + 1.0) / 2.0])


@given(st.lists(st.floats(0.0, 1.0), min_size=1))
def test_quality_bucket_any_values_keep_their_order(values: list[float]) -> None:
    quality = np.sort(np.array(values))
    buckets = quality_bucket(quality)
    assert (np.diff(buckets) >= 0).all()
    ends = np.array([bucket_end(bucket) for bucket in buckets.tolist()])
    assert (quality < ends).all()
    assert (ends[:-1][np.diff(buckets) > 0] <= quality[1:][np.diff(buckets) > 0]).all()


def test_quality_bucket_negative_zero_is_zero() -> None:
    assert quality_bucket(np.array([-0.0])).tolist() == [0]


@given(st.lists(st.integers(-(10**9), 10**9)), st.lists(st.integers(0, 50)))
def test_count_codes_any_codes_are_counted(sparse: list[int], dense: list[int]) -> None:
    from collections import Counter

    counts: Counter[int] = Counter()
    for codes in (sparse, dense):
        count_codes(counts, np.array(codes, np.int64))
    assert counts == Counter(sparse + dense)


@pytest.mark.parametrize("score", [0.0, -0.0, 0.999, 1.0, -1.0, 0.25])
def test_bucket_of_a_score_holds_it(score: float) -> None:
    bucket = bucket_of(np.array([score]), 8)[0]
    assert bucket / 8 <= score < (bucket + 1) / 8


@pytest.mark.parametrize("size", [4, 2000])
def test_pair_counts_few_and_many_classes_count_the_same(size: int) -> None:
    counts = PairCounter(size)
    assert counts.state("confident") is None
    for _ in range(2):
        counts.add(np.array([0, 3, 3, 1]), np.array([2, 3, 3, -1]))
    state = counts.state("predictions")
    assert state is not None
    found = zip(state["given"], state["true"], state[STATE], strict=True)
    # behind the place of "confident"
    assert sorted(found) == [(0, 2, [0, 2]), (3, 3, [0, 4])]


def test_find_sorted_what_is_not_there_is_not_found() -> None:
    place, found = find_sorted(np.array([2, 5]), np.array([5, 1, 9, 2]))
    assert found.tolist() == [True, False, False, True]
    assert place[found].tolist() == [1, 0]
    assert not find_sorted(np.zeros(0, np.int64), np.array([1]))[1].any()


@pytest.mark.parametrize("buckets", [4, 37, 256])
def test_lowest_margins_are_reached_by_the_quota_of_each_pair(buckets: int) -> None:
    num_classes = 30
    labels, probs = noisy_data(600, num_classes, seed=3)
    own = np.take_along_axis(probs, labels[:, None], axis=1)[:, 0]
    low = np.flatnonzero(own <= 0.5)
    rest = probs[low].copy()
    np.put_along_axis(rest, labels[low, None], -1.0, axis=1)
    other, second = np.argsort(rest, axis=1, kind="stable")[:, :-3:-1].T
    batch = pa.RecordBatch.from_pydict(
        {
            "given": pa.array(labels[low], pa.int32()),
            "own": own[low],
            "other": pa.array(other, pa.int32()),
            "other_probability": rest[np.arange(len(low)), other],
            "second": pa.array(second, pa.int32()),
            "second_probability": rest[np.arange(len(low)), second],
        }
    )
    quotas = np.random.default_rng(1).integers(0, 4, (num_classes, num_classes))
    np.fill_diagonal(quotas, 0)
    count = CountBuckets(OfRivals(num_classes), np.arange(num_classes**2), buckets)
    states = [
        State(*key, values)
        for found in count([batch])
        for *key, values in zip(*found.to_pydict().values(), strict=True)
    ]
    bounds = lowest_margins(bucket_counts_of(states, buckets), quotas)
    assert np.isinf(bounds[quotas == 0]).all()
    for i, j in np.argwhere(quotas):
        margins = np.sort(probs[labels == i, j] - own[labels == i])[::-1]
        # at least as many rows as the quota reach it, and not all rows where few need to
        assert bounds[i, j] <= margins[quotas[i, j] - 1]
        if quotas[i, j] <= (labels[low] == i).sum():
            assert bounds[i, j] > -1.0
