"""Row groups whose rows are numbered."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sparkclean.examples.file_scan import find_row_groups, number_groups
from sparkclean.lake import ParquetSource
from sparkclean.rows.row_groups import RowGroups, joined, read_row_groups
from sparkclean.schema import ROW_NUMBER


@pytest.fixture
def groups(tmp_path: Path) -> list[RowGroups]:
    """Row groups of 4, 4 and 2 rows; the rows before them are 100."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"place": range(100, 110)}), path, row_group_size=4)
    found = find_row_groups(str(path), {"place": "bigint"})
    assert not isinstance(found, str)
    return number_groups(found, 100)


def test_numbers_of_a_file_go_on_from_group_to_group(groups: list[RowGroups]) -> None:
    numbers = [(range(100, 104),), (range(104, 108),), (range(108, 110),)]
    assert [group.numbers for group in groups] == numbers


@pytest.mark.parametrize("some", [slice(None), slice(None, None, 2), slice(None, None, -1)])
@pytest.mark.parametrize("rows", [1, 3, 5, 100])
def test_numbers_are_read_beside_the_rows(groups: list[RowGroups], some: slice, rows: int) -> None:
    task = joined(groups[some])
    assert len(task) == 1
    columns = [("n", ROW_NUMBER), ("p", "place")]
    batches = list(read_row_groups(task, columns, rows))
    found = [number for batch in batches for number in batch["n"].to_pylist()]
    assert found == [place for batch in batches for place in batch["p"].to_pylist()]
    assert len(found) == task[0].rows
    assert all(batch["n"].type == pa.int64() for batch in batches)
    alone = read_row_groups(task, columns[:1], rows)
    assert [number for batch in alone for number in batch["n"].to_pylist()] == found


def test_a_column_of_that_name_is_read_where_rows_are_not_numbered(tmp_path: Path) -> None:
    path = str(tmp_path / "a.parquet")
    pq.write_table(pa.table({ROW_NUMBER: [7, 5]}), path)
    (batch,) = read_row_groups([RowGroups(path, (0,), 1, 2)], [("n", ROW_NUMBER)], 10)
    assert batch["n"].to_pylist() == [7, 5]


def test_files_are_numbered_in_the_order_of_the_pin(tmp_path: Path) -> None:
    for name, rows in (("b", 3), ("a", 2), ("c", 0), ("d", 4)):
        pq.write_table(pa.table({"x": [0] * rows}), tmp_path / f"{name}.parquet")
    first = ParquetSource(str(tmp_path)).pin().first_rows()
    found = {Path(path).stem: row for path, row in first.items()}
    assert found == {"a": 0, "b": 2, "c": 5, "d": 5}
