"""Folds that one task has noted are read by the next, or not at all."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from sparkclean.learning.fold_notes import FoldNotes
from sparkclean.rows.row_groups import RowGroups

TASK = [RowGroups("a.parquet", (0, 1), 10, 4), RowGroups("b.parquet", (2,), 10, 1)]
BATCHES = [pa.array([3, 0, 1], pa.int32()), pa.array([2], pa.int32())]


def test_notes_are_read_as_they_were_written(tmp_path: Path) -> None:
    notes = FoldNotes(str(tmp_path))
    assert list(notes.read(TASK)) == []
    for _ in range(2):  # a task that is repeated
        with notes.write(TASK) as note:
            for batch in BATCHES:
                note(batch)
    assert list(notes.read(TASK)) == BATCHES


def test_notes_are_of_one_task(tmp_path: Path) -> None:
    notes = FoldNotes(str(tmp_path))
    with notes.write(TASK) as note:
        note(BATCHES[0])
    for task in (TASK[:1], TASK[::-1], [RowGroups("a.parquet", (0,), 10, 4), TASK[1]]):
        assert list(notes.read(task)) == []


def test_notes_of_a_task_that_fails_are_not_read(tmp_path: Path) -> None:
    notes = FoldNotes(str(tmp_path))

    def fail() -> None:
        with notes.write(TASK) as note:
            note(BATCHES[0])
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        fail()
    assert list(tmp_path.iterdir()) == []
    assert list(notes.read(TASK)) == []


def test_notes_in_a_folder_that_a_worker_does_not_see_are_none(tmp_path: Path) -> None:
    notes = FoldNotes(str(tmp_path / "elsewhere"))
    with notes.write(TASK) as note:
        note(BATCHES[0])
    assert list(notes.read(TASK)) == []
    assert list(tmp_path.iterdir()) == []
