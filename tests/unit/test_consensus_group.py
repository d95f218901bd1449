"""Items that tasks make of sorted annotations."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from sparkclean.jobs.consensus.group import GroupItems, _whole_items
from sparkclean.jobs.consensus.row_types import (
    HASHED,
    ITEM,
    LABEL,
    PROBLEM,
    PROBS,
    SAME_TIME,
    SOURCE,
    TIME,
    WHO,
)
from sparkclean.rows.emitted import ANY_KEYS, ID_PREFIX, KIND


def batch_of(rows: list[tuple[int, str, int, str]], probs: list | None = None) -> pa.RecordBatch:
    """Make a batch of (item, annotator, time, label); a row of probabilities is of a model."""
    items, who, times, labels = (list(column) for column in zip(*rows, strict=True))
    lists = probs or [None] * len(rows)
    return pa.RecordBatch.from_pydict(
        {
            f"{ID_PREFIX}0": pa.array(items, pa.int64()),
            SOURCE: pa.array([int(p is not None) for p in lists], pa.int8()),
            WHO: pa.array(who, pa.string()),
            LABEL: pa.array(labels, pa.string()),
            TIME: pa.array(times, pa.int64()),
            PROBS: pa.array(lists, pa.list_(pa.float64())),
            HASHED: pa.array(items, pa.int64()),
        }
    )


def group(*batches: pa.RecordBatch, models: int = 0) -> pa.Table:
    orders = ((0, 1),) * models
    function = GroupItems(
        ("bigint",), pa.array(["ann", "ben"]), pa.array(["a", "b"]), orders, 1e-3,
        has_time=True, stops_at_duplicates=False,
    )  # fmt: skip
    return pa.Table.from_batches(list(function(batches)))


@pytest.mark.parametrize(
    ("labels", "times", "is_wrong"),
    [
        ("ab", (1, 1), True),
        ("abb", (1, 1, 1), True),
        ("aab", (1, 1, 1), True),
        ("bb", (1, 1), False),
        ("abb", (1, 2, 2), False),
        ("aba", (1, 1, 2), False),
    ],
)
def test_two_labels_at_the_last_moment_are_a_problem(
    labels: str, times: tuple[int, ...], is_wrong: bool
) -> None:
    rows = [(1, "ann", time, label) for label, time in zip(labels, times, strict=True)]
    table = group(batch_of([(0, "ann", 1, "a"), *rows, (1, "ben", 1, "b")]))
    state = table.filter(pa.array(np.array(table[KIND]) == PROBLEM))
    assert state[ANY_KEYS[0]].to_pylist() == ([SAME_TIME] if is_wrong else [])


def test_items_are_the_same_however_few_bytes_are_gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        (item, who, 1, label)
        for item in range(9)
        for who, label in (("ann", "ab"[item % 2]), ("ben", "b"), (None, None))
    ]
    probs = [[0.25, 0.75] if who is None else None for _, who, _, _ in rows]
    whole = batch_of(rows, probs)
    parts = [whole.slice(start, 2) for start in range(0, len(rows), 2)]

    def items() -> list[dict]:
        table = group(*parts, models=1)
        return table.filter(pa.array(np.array(table[KIND]) == ITEM)).to_pylist()

    at_once = items()
    monkeypatch.setattr("sparkclean.jobs.consensus.group._BYTES", 1)
    assert items() == at_once
    assert len(at_once) == 9


def test_wide_rows_are_gathered_by_bytes() -> None:
    wide = batch_of([(0, None, 1, None)], [[0.0] * 10_000])
    rows = [wide.set_column(0, f"{ID_PREFIX}0", pa.array([item])) for item in range(2000)]
    tables = list(_whole_items(rows, 1))
    assert sum(map(len, tables)) == 2000
    assert max(table.nbytes for table in tables) < 80e6
