"""Rows are counted by fold and label as their features are looked at."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkclean.learning import feature_check
from sparkclean.learning.feature_check import CheckFeatures
from sparkclean.learning.feature_reader import FeatureReader
from sparkclean.learning.fold_notes import FoldNotes
from sparkclean.rows.row_groups import RowGroups

NAN, INF = float("nan"), float("inf")
TASK = [RowGroups("a.parquet", (0,), 10, 4)]
UNFIT = [{"__fold": -1, "__label": None, "__rows": 1}]


def check(folder: Path, *, impute: bool = False) -> CheckFeatures:
    reader = FeatureReader(1, (1, 2), 42, 3, FoldNotes(str(folder)))
    return CheckFeatures(reader, impute=impute)


def batch(label: pa.Array, single: list[Any], lists: list[Any]) -> pa.RecordBatch:
    columns = {
        "__id_0": pa.array(range(len(single))),
        "__label": label,
        "__feature_0": pa.array(single, pa.float64()),
        "__feature_1": pa.array(lists, pa.list_(pa.float32())),
    }
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


@pytest.mark.parametrize("kind", [pa.int64(), pa.string(), pa.bool_()])
def test_check_counts_by_fold_and_label_and_notes_the_folds(
    tmp_path: Path, kind: pa.DataType
) -> None:
    labels = pa.array([1, 0, None, 1, 1, 0], pa.int64()).cast(kind)
    batches = [
        batch(labels.slice(start, 3), [0.5, -0.0, 7.0 + start], [[1.0, 2.0]] * 3)
        for start in (0, 3)
    ]
    work = check(tmp_path)
    found = [row for out in work(TASK, batches) for row in out.to_pylist()]
    read = list(work.reader(TASK, batches))
    folds = [fold for rows in read for fold in rows.column("__fold").to_pylist()]
    assert folds == [
        fold
        for part in batches
        for fold in work.reader.folds(work.reader.numbers(part)).to_pylist()
    ]
    wanted = Counter(zip(folds, labels.to_pylist(), strict=True))
    assert {(row["__fold"], row["__label"]): row["__rows"] for row in found} == wanted


@pytest.mark.parametrize(
    ("single", "lists", "fits", "fits_imputed"),
    [
        (0.5, [1.0, 2.0], True, True),
        (None, [1.0, 2.0], False, True),
        (NAN, [1.0, 2.0], False, True),
        (0.5, [1.0, None], False, True),
        (0.5, [NAN, 2.0], False, True),
        (INF, [1.0, 2.0], False, False),
        (0.5, [1.0, -INF], False, False),
        (0.5, [1.0], False, False),
        (0.5, [1.0, 2.0, 3.0], False, False),
        (0.5, [], False, False),
        (0.5, None, False, True),
    ],
)
def test_check_says_what_cannot_be_used_and_leaves_no_notes(
    tmp_path: Path, single: Any, lists: Any, fits: bool, fits_imputed: bool
) -> None:
    good = batch(pa.array([1]), [1.0], [[1.0, 2.0]])
    bad = batch(pa.array([1, 0]), [1.0, single], [[1.0, 2.0], lists])
    for impute, fine in ((False, fits), (True, fits_imputed)):
        (tmp_path / str(impute)).mkdir()
        work = check(tmp_path / str(impute), impute=impute)
        (found,) = work(TASK, [good, bad, good])
        assert (found.to_pylist() != UNFIT) == fine
        assert len(list(work.reader.notes.read(TASK))) == (3 if fine else 0)


def test_check_gives_up_on_many_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_check, "_MOST_COUNTS", 20)
    some = [batch(pa.array([k]), [1.0], [[1.0, 2.0]]) for k in range(21)]
    (found,) = check(tmp_path)(TASK, some[:20])
    assert len(found) == 20
    (found,) = check(tmp_path)(TASK, some)
    assert found.to_pylist() == UNFIT


@settings(deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["a", "b", None])), max_size=40))
def test_count_is_a_counter(rows: list[tuple[int, str | None]]) -> None:
    counts: Counter[tuple[int, Any]] = Counter()
    for part in (rows[:15], rows[15:]):
        fold = np.array([fold for fold, _ in part], np.int32)
        feature_check._count(counts, fold, pa.array([label for _, label in part], pa.string()))
    assert counts == Counter(rows)
