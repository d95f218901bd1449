"""Types that only Arrow knows: read from files as Spark reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sparkclean.rows.row_groups import RowGroups, read_row_groups
from sparkclean.rows.types import plain_array, spark_type

PROBS = [[0.25, 0.75], None, [], [0.5, None], [1.0, 0.0]]
PAIRS = [[{"label": 1, "prob": 0.5}], None, [{"label": 0, "prob": 1.0}, None]]
_PAIR = pa.struct([("label", pa.int64()), ("prob", pa.float64())])
TENSORS = pa.FixedShapeTensorArray.from_numpy_ndarray(np.array([[0.5, 0.5], [0.25, 0.75]]))
COLUMNS = {
    "list_view": (pa.array(PROBS, pa.list_view(pa.float64())), "array<double>"),
    "large_list_view": (pa.array(PROBS, pa.large_list_view(pa.float64())), "array<double>"),
    "pairs": (
        pa.array(PAIRS, pa.list_view(_PAIR)),
        "array<struct<label:bigint,prob:double>>",
    ),
    "tensor": (TENSORS, "array<double>"),
    "string_view": (
        pa.array(["a", None, "more than 12 bytes"], pa.string_view()),
        "string",
    ),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_read_row_groups_of_arrow_types_gives_those_of_spark(tmp_path: Path, name: str) -> None:
    column, kind = COLUMNS[name]
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"id": range(len(column)), "c": column}), path, row_group_size=2)
    # as far as the file itself says it: Arrow's schema is kept in its metadata
    assert pq.read_schema(path).field("c").type == column.type
    assert spark_type(column.type) == kind
    groups = range(pq.read_metadata(path).num_row_groups)
    whole = RowGroups(str(path), tuple(groups), 1, len(column))
    for rows in (1, 3, 100):
        found = []
        for batch in read_row_groups([whole], [("c", "c")], rows):
            batch.validate(full=True)
            found += batch.column("c").to_pylist()
        storage = column.storage if isinstance(column, pa.ExtensionArray) else column
        assert found == storage.to_pylist()


def test_plain_array_of_a_slice_of_views_has_its_rows() -> None:
    column = COLUMNS["list_view"][0].slice(3, 2)
    plain = plain_array(column)
    plain.validate(full=True)
    assert plain.to_pylist() == PROBS[3:]
    overlapping = pa.ListViewArray.from_arrays([1, 0], [1, 2], pa.array([0.5, 0.25]))
    assert plain_array(overlapping).to_pylist() == [[0.25], [0.5, 0.25]]
