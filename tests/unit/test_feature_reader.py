"""Features of files become those that Spark would hand over, with the fold of each row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from sparkclean.learning.feature_reader import FeatureReader, read_numbers
from sparkclean.learning.features import read_block
from sparkclean.learning.fold_notes import FoldNotes
from sparkclean.learning.hashing import hash_numbers

NAN = float("nan")
#: What ``xxhash64`` of Spark gives for the seeds that come first.
BEGUN_0 = 1151812168208346021


def batch(**columns: pa.Array) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


@pytest.mark.parametrize(
    ("column", "wanted"),
    [
        (pa.array([1, None, -3], pa.int16()), [[1.0], [NAN], [-3.0]]),
        (pa.array([True, False]), [[1.0], [0.0]]),
        (pa.array([True, None]), [[1.0], [NAN]]),
        (pa.array([(1 << 53) + 1, 7]), [[float(1 << 53)], [7.0]]),
        (pa.array([(1 << 53) + 1, None]), [[float(1 << 53)], [NAN]]),
        (pa.array([[0.5, None], [NAN, 2.0]], pa.list_(pa.float32())), [[0.5, NAN], [NAN, 2.0]]),
        (pa.array([[0.5, None], [NAN, 2.0]], pa.list_(pa.float64())), [[0.5, NAN], [NAN, 2.0]]),
        (pa.array([[0.5, 1.0], None], pa.list_(pa.float32())), [[0.5, 1.0], [NAN, NAN]]),
        (pa.array([[1.0, 2.0], None, None], pa.list_(pa.float64())).slice(1), [[NAN, NAN]] * 2),
        (pa.array([None, [1, 2]], pa.list_(pa.int8())), [[NAN, NAN], [1.0, 2.0]]),
        (pa.array([True, None, False]), [[1.0], [NAN], [0.0]]),
        (pa.array([[9], [1, 2], [3, 4]], pa.list_(pa.int32())).slice(1), [[1.0, 2.0], [3.0, 4.0]]),
    ],
)
def test_read_numbers_are_floats_and_nan_where_missing(
    column: pa.Array, wanted: list[list[float]]
) -> None:
    found = read_numbers(column, len(wanted[0]))
    assert found.dtype.kind == "f"
    np.testing.assert_array_equal(found.astype(np.float64), wanted)


@pytest.mark.parametrize("kind", [pa.float32(), pa.float64(), pa.int16(), pa.bool_()])
def test_read_numbers_are_of_one_type_whatever_is_missing(kind: pa.DataType) -> None:
    column = pa.array([1, None, 0, 1]).cast(kind)
    some, none = read_numbers(column, 1), read_numbers(column.slice(2), 1)
    assert some.dtype == none.dtype == (np.float32 if kind == pa.float32() else np.float64)


def test_feature_reader_gives_what_a_model_reads(tmp_path: Path) -> None:
    rows = batch(
        __id_0=pa.array(["a", "b", "c"]),
        __label=pa.array([0, None, 1]),
        __feature_0=pa.array([1, 2, 3]),
        __feature_1=pa.array([[0.5, 1.5]] * 3, pa.list_(pa.float32())),
    )
    (found,) = FeatureReader(1, (1, 2), BEGUN_0, 4, FoldNotes(str(tmp_path)))([], [rows])
    assert found.schema.names == ["__id_0", "__label", "__numbers", "__fold"]
    assert found.column("__id_0").to_pylist() == ["a", "b", "c"]
    assert found.column("__label").to_pylist() == [0, None, 1]
    numbers = np.array([[1.0, 0.5, 1.5], [2.0, 0.5, 1.5], [3.0, 0.5, 1.5]])
    np.testing.assert_array_equal(read_block(found, 3, 0).numbers, numbers)
    folds = (hash_numbers(numbers, BEGUN_0) % 4).tolist()
    assert found.column("__fold").to_pylist() == folds
    assert found.schema.field("__fold").type == pa.int32()


def test_feature_reader_gives_the_codes_of_categories(tmp_path: Path) -> None:
    rows = batch(
        __id_0=pa.array(range(3)),
        __label=pa.array([0, 1, 1]),
        __feature_0=pa.array([1.5, 2.5, 3.5]),
        __feature_1=pa.array(["é", None, "a"]),
        __feature_2=pa.array([[0.5], [1.5], [2.5]], pa.list_(pa.float32())),
    )
    notes = FoldNotes(str(tmp_path))
    reader = FeatureReader(1, (1, 1, 1), BEGUN_0, 4, notes, {1: ("a", "b", "é")})
    (found,) = reader([], [rows])
    numbers = np.array([[1.5, 2.0, 0.5], [2.5, NAN, 1.5], [3.5, 0.0, 2.5]])
    np.testing.assert_array_equal(read_block(found, 3, 0).numbers, numbers)
    assert found.column("__fold").to_pylist() == (hash_numbers(numbers, BEGUN_0) % 4).tolist()


def test_feature_reader_rows_taken_apart_keep_their_numbers(tmp_path: Path) -> None:
    values = np.arange(12, dtype=np.float32).reshape(6, 2)
    lists = pa.array(values.tolist(), pa.list_(pa.float32()))
    rows = batch(__id_0=pa.array(range(6)), __label=pa.array([0] * 6), __feature_0=lists)
    (found,) = FeatureReader(1, (2,), 42, 3, FoldNotes(str(tmp_path)))([], [rows])
    table = pa.Table.from_batches([found.take(pa.array([4, 1])), found.take(pa.array([5, 0]))])
    (part,) = table.slice(1, 2).combine_chunks().to_batches()
    assert read_block(part, 2, 0).numbers.tolist() == [[2.0, 3.0], [10.0, 11.0]]


def test_feature_reader_takes_folds_that_were_noted(tmp_path: Path) -> None:
    lists = pa.array([[0.5, 1.5]] * 3, pa.list_(pa.float32()))
    rows = batch(__id_0=pa.array(range(3)), __label=pa.array([0] * 3), __feature_0=lists)
    notes = FoldNotes(str(tmp_path))
    with notes.write([]) as note:
        note(pa.array([7, 8, 9], pa.int32()))
    reader = FeatureReader(1, (2,), 42, 3, notes)
    (found,) = reader([], [rows])
    assert found.column("__fold").to_pylist() == [7, 8, 9]
    (other,) = reader([], [rows.slice(1)])  # of another table than was noted
    assert other.column("__fold").to_pylist() == reader.folds(reader.numbers(rows)).to_pylist()[1:]
