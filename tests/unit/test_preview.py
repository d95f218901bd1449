"""The first rows of files, in their order, by rank, and by the largest value of a column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sparkclean.lake.parquet import preview
from sparkclean.lake.parquet.preview import first_rows


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """Two files of a hundred rows, whose largest values stand anywhere."""
    values = np.random.default_rng(3).permutation(200)
    table = pa.table({"given_label": [str(v % 3) for v in values], "count": values})
    found = []
    for number in range(2):
        found.append(tmp_path / f"{number}.parquet")
        pq.write_table(table.slice(100 * number, 100), found[-1], row_group_size=30)
    return found


def test_first_rows_by_the_largest_value_are_of_all_files(
    paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview, "_BATCH", 7)
    found = first_rows(paths, 5, largest="count")
    assert found.column("count").to_pylist() == [199, 198, 197, 196, 195]
    found = first_rows(paths, 3, {"given_label": "1"}, largest="count")
    assert found.column("count").to_pylist() == [199, 196, 193]
    assert first_rows(paths, 1000, largest="count").num_rows == 200
    assert first_rows([], 5, largest="count").num_rows == 0
