"""The examples' own columns beside rows of an output, of Parquet without Spark."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sparkclean.errors import ConfigError, InputError
from sparkclean.lake import ParquetSource
from sparkclean.runs.own_columns import join_columns

ROWS = pa.table({"id": [9, 2, 5], "given_label": ["b", "a", "a"], "reason": ["x", "y", "z"]})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten rows in two files, the first of row groups of two rows."""
    table = pa.table(
        {
            "ID": pa.array(range(10), pa.int32()),
            "text": [f"text {i}" for i in range(10)],
            "reason": [f"own {i}" for i in range(10)],
            "list": [[i, i + 1] for i in range(10)],
        }
    )
    (tmp_path / "in").mkdir()
    pq.write_table(table.slice(0, 6), tmp_path / "in" / "a.parquet", row_group_size=2)
    pq.write_table(table.slice(6), tmp_path / "in" / "b.parquet")
    return tmp_path / "in"


def record_of(folder: Path, ids: Any = "id") -> dict[str, Any]:
    pin = ParquetSource(str(folder)).pin()
    read = {"table": pin.table, "format": "parquet", "version": pin.version}
    return {
        "original_run_id": "nightly",
        "config": json.dumps({"columns": {"id": ids}}),
        "input": json.dumps(read | {"dataset_version": pin.dataset_version}),
    }


def joined(folder: Path, names: Sequence[str], rows: pa.Table = ROWS, ids: Any = "id") -> Any:
    return join_columns(rows, record_of(folder, ids), names, None)


def test_columns_are_joined_by_record_id_in_the_order_of_the_rows(folder: Path) -> None:
    table = joined(folder, ["text", "list"])
    assert table.column_names == [*ROWS.column_names, "text", "list"]
    assert table.column("text").to_pylist() == ["text 9", "text 2", "text 5"]
    assert table.column("list").to_pylist() == [[9, 10], [2, 3], [5, 6]]


def test_rows_without_a_record_id_are_joined_by_their_number(folder: Path) -> None:
    rows = pa.table({"row_number": [9, 2, 5], "given_label": ["b", "a", "a"]})
    table = joined(folder, ["text", "ID"], rows, ids=None)
    assert table.column("text").to_pylist() == ["text 9", "text 2", "text 5"]
    assert table.column("ID").to_pylist() == [9, 2, 5]


def test_column_is_found_whatever_its_case(folder: Path) -> None:
    assert joined(folder, ["TEXT"]).column("text").to_pylist()[0] == "text 9"


def test_star_is_all_columns_but_the_record_id(folder: Path) -> None:
    assert joined(folder, ["*"]).column_names[3:] == ["text", "reason (table)", "list"]


def test_column_of_the_same_name_is_told_apart(folder: Path) -> None:
    table = joined(folder, ["reason"])
    assert table.column("reason").to_pylist() == ["x", "y", "z"]
    assert table.column("reason (table)").to_pylist() == ["own 9", "own 2", "own 5"]


def test_row_groups_without_such_rows_are_not_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[tuple[int, str]] = []
    whole = pq.ParquetFile.read_row_group

    def spy(self: Any, group: int, columns: list[str]) -> Any:
        read.append((group, columns[0]))
        return whole(self, group, columns=columns)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", spy)
    joined(folder, ["text"], ROWS.slice(1, 1))  # id 2, the second row group of the first file
    assert [group for group, name in read if name == "text"] == [1]
    assert len([group for group, name in read if name == "ID"]) == 2  # nothing behind it is read


def test_composite_ids_match_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    table = pa.table({"a": [1, 1, 2], "b": ["x", "y", "x"], "text": ["1x", "1y", "2x"]})
    pq.write_table(table, tmp_path / "in" / "a.parquet")
    rows = pa.table({"a": [2, 1], "b": ["x", "y"]})
    found = joined(tmp_path / "in", ["text"], rows, ["a", "b"])
    assert found.column("text").to_pylist() == ["2x", "1y"]


def test_what_folders_say_is_joined_too(tmp_path: Path) -> None:
    for split in ("train", "a%20b"):
        (tmp_path / "in" / f"split={split}").mkdir(parents=True)
    pq.write_table(pa.table({"id": [2]}), tmp_path / "in" / "split=train" / "a.parquet")
    pq.write_table(pa.table({"id": [9]}), tmp_path / "in" / "split=a%20b" / "a.parquet")
    found = joined(tmp_path / "in", ["split"])
    assert found.column("split").to_pylist() == ["a b", "train", None]


def test_no_rows_have_columns_all_the_same(folder: Path) -> None:
    assert joined(folder, ["text"], ROWS.slice(0, 0)).column_names[-1] == "text"


def test_column_that_is_not_there_is_an_error(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"--with: 'txt' is no column of the table; it has ID, t"):
        joined(folder, ["txt"])


def test_rows_without_record_ids_are_an_error(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"by the record id \(id\), which this output does"):
        joined(folder, ["text"], pa.table({"class": [1]}))


def test_table_that_has_changed_is_an_error(folder: Path) -> None:
    record = record_of(folder)
    pq.write_table(pa.table({"ID": [1]}), folder / "c.parquet")
    with pytest.raises(InputError, match="is not what run 'nightly' has read"):
        join_columns(ROWS, record, ["text"], None)
