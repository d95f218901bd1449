"""Suspects of any detector: what tasks say of them, and what the driver makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pytest

from sparkclean.examples.ranks import bucket_end, divide, quality_bucket
from sparkclean.examples.suspect_totals import SUSPECT, SuspectTotals, suspect_fields
from sparkclean.examples.suspects import Suspects, read_suspects
from sparkclean.numbers.result_hash import sum_hashes, suspect_text
from sparkclean.rows.emitted import KIND, STATE
from sparkclean.rows.streams import Output, State
from tests.unit.findings import make_suspects


class FakeFrame:
    """Says which columns are left."""

    def drop(self, *names: str) -> tuple[str, ...]:
        return names


class FakeStream:
    """Has a frame."""

    frame = FakeFrame()


def read(*tasks: SuspectTotals) -> Suspects:
    """Add up the states of tasks as a stream does, and read them."""
    totals: dict[tuple[int, int, int], Any] = {}
    for task in tasks:
        for columns in task.state():
            assert columns[KIND] in task.state_kinds
            keys = zip(*(columns[name] for name in (*task.keys, STATE)), strict=True)
            for first, second, values in keys:
                key = columns[KIND], first, second
                totals[key] = np.array(values, np.int64) + totals.get(key, 0)
    states = [State(*key, values.tolist()) for key, values in totals.items()]
    output = Output(states, {SUSPECT: cast(Any, FakeStream())})
    return read_suspects(output, 3, reason="alike", detector="duplicates", numbers=("likeness",))


def task(*rows: tuple[int, int, int, float]) -> SuspectTotals:
    """Totals of suspects: record id, given and suggested class, quality."""
    totals = SuspectTotals(3, "alike")
    for number, given, suggested, quality in rows:
        classes: Sequence[Any] = np.array([given]), np.array([suggested])
        totals.add([pa.array([number])], *classes, np.array([quality]))
    return totals


ROWS = [(7, 0, 1, 0.25), (8, 0, 1, 0.25), (9, 2, 0, 0.5), (1 << 60, 1, 1, 0.0)]


@pytest.mark.parametrize("cut", range(5))
def test_suspects_however_they_are_cut_into_tasks_are_the_same(cut: int) -> None:
    found = read(task(*ROWS[:cut]), task(*ROWS[cut:]))
    assert found.num_suspects == 4
    assert found.counts.as_array().tolist() == [[0, 2, 0], [0, 1, 0], [1, 0, 0]]
    bucket = {quality: int(quality_bucket(np.array([quality]))[0]) for quality in (0.0, 0.25, 0.5)}
    assert found.qualities == {bucket[0.0]: 1, bucket[0.25]: 2, bucket[0.5]: 1}
    texts = [suspect_text([number], given, to, "alike") for number, given, to, _ in ROWS]
    assert found.hash_sum == sum_hashes(texts)
    assert (found.reason, found.detector, found.numbers) == ("alike", "duplicates", ("likeness",))
    assert cast(Any, found.frame) == (KIND, STATE)  # what is no column of a suspect


def test_suspects_of_no_task_are_none() -> None:
    found = read()
    assert (found.num_suspects, found.qualities, found.hash_sum) == (0, {}, 0)


def test_suspects_are_counted_by_their_pairs() -> None:
    assert make_suspects([[0, 5], [3, 0]]).num_suspects == 8


def test_suspect_fields_are_ids_classes_the_detectors_numbers_and_quality() -> None:
    names = [name for name, _ in suspect_fields(("bigint", "string"), ("likeness",))]
    assert names == [
        KIND, "__id_0", "__id_1", "given", "suggested", STATE, "likeness", "label_quality",
    ]  # fmt: skip


def test_divide_cuts_between_buckets_when_a_piece_has_its_share() -> None:
    edges, before = divide({5: 4, 1: 3, 9: 2}, 5)
    assert (edges, before) == ([bucket_end(5)], [0, 7])
    assert divide({1: 3}, 5) == ([], [0])
    # the last piece may have none
    assert divide({1: 5}, 5) == ([bucket_end(1)], [0, 5])
