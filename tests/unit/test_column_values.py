"""Values of columns are counted exactly up to a limit, however the rows are cut."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest

from sparkclean.learning.column_values import CountValues


def batches(column: pa.Array, size: int) -> Iterator[pa.RecordBatch]:
    for start in range(0, len(column), size):
        yield pa.RecordBatch.from_arrays([column.slice(start, size)], ["c0"])


def told(column: pa.Array, most: int = 50, size: int = 7) -> tuple[list[str | None], int, bool]:
    (batch,) = CountValues((most,))(batches(column, size))
    found = batch.to_pydict()
    assert set(found["column"]) == {0}
    (is_many,) = set(found["many"])
    return found["value"], sum(found["rows"]), is_many


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize(("values", "is_many"), [(50, False), (51, True)])
def test_count_values_at_and_above_the_limit(values: int, is_many: bool, size: int) -> None:
    texts = [f"é{i % values:02}" for i in range(3 * values)]
    mixed = np.random.default_rng(1).permutation(texts).tolist()
    found, rows, many = told(pa.array([*mixed, None]), size=size)
    assert many is is_many
    if not is_many:
        assert (found, rows) == (sorted(set(texts)), 150)


@pytest.mark.parametrize(("length", "is_many"), [(100, False), (101, True)])
def test_count_values_longer_than_a_category_has(length: int, is_many: bool) -> None:
    assert told(pa.array(["日" * length, "a"]))[2] is is_many  # characters, not bytes


def test_count_values_of_nulls_alone_and_of_nothing() -> None:
    assert told(pa.nulls(5, pa.string())) == ([None], 0, False)
    assert told(pa.array([], pa.string())) == ([None], 0, False)


@pytest.mark.parametrize(
    ("column", "wanted"),
    [
        (pa.array([True, None, False]), ["false", "true"]),
        (pa.array([10, 9, None], pa.int16()), ["10", "9"]),
        (pa.array(["", None, "a", "A", "a "]), ["", "A", "a", "a "]),
    ],
)
def test_count_values_of_other_types(column: pa.Array, wanted: list[str]) -> None:
    assert told(column)[0] == wanted


def test_count_values_stops_reading_when_all_columns_have_many() -> None:
    read = []

    def rows() -> Iterator[pa.RecordBatch]:
        for i in range(100):
            read.append(i)
            values = [f"{i} {j}" for j in range(10)]
            yield pa.RecordBatch.from_arrays([pa.array(values)] * 2, ["c0", "c1"])

    found = list(CountValues((50, 50), stops=True)(rows()))
    assert [batch.to_pydict()["many"] for batch in found] == [[True], [True]]
    assert len(read) == 6
    read.clear()
    list(CountValues((50, 5000), stops=True)(rows()))
    assert len(read) == 100
