"""Record ids that rise: divided into runs, which must not meet."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from sparkclean.examples.rising_ids import count_disjoint, find_runs, find_runs_of_files

Run = tuple[int | None, int | None, int]


def runs_of(*batches: Sequence[int | None]) -> list[Run]:
    made = (pa.record_batch([pa.array(ids, pa.int64())], ["id"]) for ids in batches)
    return [tuple(row.values()) for found in find_runs(made) for row in found.to_pylist()]


def runs_of_files(files: Sequence[Sequence[int]]) -> list[Run]:
    made = ([pa.record_batch([pa.array(ids, pa.int64())], ["id"])] for ids in files)
    return [tuple(row.values()) for found in find_runs_of_files(made) for row in found.to_pylist()]


def test_find_runs_go_on_in_the_next_batch() -> None:
    assert runs_of([1, 2, 5], [], [6, 9, 3], [4, 4]) == [(1, 9, 5), (3, 4, 2), (4, 4, 1)]


def test_find_runs_of_nothing_is_nothing() -> None:
    assert runs_of() == []
    assert count_disjoint([]) == 0


def test_find_runs_null_ends_it() -> None:
    assert runs_of([1, 2], [3, None], [4]) == [(None, None, 4)]
    assert count_disjoint([(1, 2, 2), (None, None, 4)]) is None


def test_find_runs_of_ids_in_no_order_give_up_whatever_the_batches() -> None:
    ids = np.random.default_rng(0).permutation(6400)
    for size in (1, 64, 6400):
        assert runs_of(*ids.reshape(-1, size).tolist())[0][0] is None


def test_find_runs_of_files_counts_one_of_each_and_gives_up_with_many_more() -> None:
    rising = [[10 * i, 10 * i + 1] for i in range(500)]
    falling = [ids[::-1] for ids in rising]
    found = [runs_of_files([*files, []]) for files in (rising, falling)]
    assert [len(runs) for runs in found] == [500, 2 * 65 + 1]
    assert count_disjoint(found[0]) == 1000
    assert count_disjoint(found[1]) is None


@given(st.lists(st.lists(st.integers(-4, 12), max_size=6), max_size=4))
def test_count_disjoint_is_the_number_of_rows_only_if_no_id_stands_twice(
    batches: list[list[int]],
) -> None:
    ids = [i for batch in batches for i in batch]
    found = count_disjoint(runs_of(*batches))
    assert found in (None, len(ids))
    if found is not None:
        assert len(set(ids)) == len(ids)
    if all(a < b for a, b in itertools.pairwise(ids)):
        assert found == len(ids)
