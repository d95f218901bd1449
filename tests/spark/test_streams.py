"""Works over streams: every row once, whatever happens to the tasks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from sparkclean.rows.emitted import COUNTS, ISSUE, KIND, LOW, STATE, STATE_FIELDS, to_batch
from sparkclean.rows.row_groups import RowGroups
from sparkclean.rows.streams import FileStream, FrameStream, State, Stream, collect_states
from sparkclean.rows.types import Fields
from sparkclean.rows.workspace import CacheWorkspace, FolderWorkspace, Workspace

ROWS = 1000
by_tasks = pytest.mark.usefixtures("by_tasks")


@dataclass(frozen=True)
class Sort:
    """Odd numbers are of one kind, even ones of another; count both."""

    fails_once: str | None = None
    fields: ClassVar[Fields] = (*STATE_FIELDS, ("number", "bigint"))
    kinds: ClassVar[tuple[int, ...]] = (LOW, ISSUE)

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        counts = [0, 0]
        for batch in batches:
            for odd, kind in enumerate((LOW, ISSUE)):
                numbers = [n for n in batch.column("number").to_pylist() if n % 2 == odd]
                counts[odd] += len(numbers)
                if numbers:
                    yield to_batch({KIND: kind, "number": numbers}, self.fields)
        if self.fails_once is not None and not Path(self.fails_once).exists():
            Path(self.fails_once).touch()
            raise OSError("a worker is lost, its rows written")
        state = {KIND: COUNTS, "given": [0, 0], "true": [0, 1], STATE: [[n, 1] for n in counts]}
        yield to_batch(state, self.fields)


def files(spark: SparkSession, folder: Path, workspace: Workspace) -> FileStream:
    """Numbers in four files."""
    folder.mkdir()
    groups = []
    for i in range(4):
        path = str(folder / f"{i}.parquet")
        pq.write_table(pa.table({"n": list(range(i, ROWS, 4))}), path)
        groups.append(RowGroups(path, (0,), 5 << 20, ROWS // 4))
    return FileStream(spark, (("number", "n"),), tuple(groups), workspace)


def numbers_of(stream: Stream) -> list[int]:
    return sorted(row["number"] for row in stream.frame.collect())


@by_tasks
@pytest.mark.parametrize("kind", ["files", "frame", "files without a folder", "frame and a cache"])
def test_run_gives_states_and_rows_by_kind(spark: SparkSession, tmp_path: Path, kind: str) -> None:
    folder = FolderWorkspace(str(tmp_path / "work"))
    workspace = folder if kind in ("files", "frame") else CacheWorkspace()
    stream: Stream
    if kind.startswith("files"):
        stream = files(spark, tmp_path / "in", workspace)
    else:
        numbers = spark.range(0, ROWS, 1, 7).withColumnRenamed("id", "number")
        stream = FrameStream(numbers, workspace, ROWS)
    output = stream.run("sorted", Sort())
    states = {(state.kind, state.given, state.true): state.values for state in output.states}
    tasks = states[COUNTS, 0, 0][1]
    assert tasks > 1
    assert states == {(COUNTS, 0, odd): [ROWS // 2, tasks] for odd in (0, 1)}
    assert {kind: stream.rows for kind, stream in output.streams.items()} == {LOW: 500, ISSUE: 500}
    assert numbers_of(output.streams[LOW]) == list(range(0, ROWS, 2))
    # a stream is read by works again, and can be empty
    again = output.streams[ISSUE].run("again", Sort())
    assert numbers_of(again.streams[ISSUE]) == list(range(1, ROWS, 2))
    assert numbers_of(again.streams[LOW]) == []
    counted = collect_states(output.streams[ISSUE], Sort())
    assert {state.true: state.values[0] for state in counted if state.kind == COUNTS} == {
        0: 0,
        1: 500,
    }
    if isinstance(workspace, CacheWorkspace):
        workspace.close()


def test_run_of_few_rows_of_files_needs_no_job(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def job(*_: object) -> None:
        raise AssertionError("a job was made")

    stream = files(spark, tmp_path / "in", FolderWorkspace(str(tmp_path / "work")))
    with monkeypatch.context() as patch:
        patch.setattr(FileStream, "map", job)
        output = stream.run("sorted", Sort())
        counted = collect_states(output.streams[ISSUE], Sort())
        with pytest.raises(AssertionError, match="a job was made"):
            collect_states(replace(stream, chunk_rows=ROWS - 1), Sort())
        with pytest.raises(AssertionError, match="a job was made"):
            collect_states(replace(stream, prepare=lambda batches: batches), Sort())
    assert output.states == [State(COUNTS, 0, odd, [ROWS // 2, 1]) for odd in (0, 1)]
    counts = [state for state in counted if state.kind == COUNTS]
    assert counts == [State(COUNTS, 0, odd, [odd * ROWS // 2, 1]) for odd in (0, 1)]
    assert numbers_of(output.streams[LOW]) == list(range(0, ROWS, 2))


@by_tasks
def test_run_of_a_task_that_fails_after_it_wrote_counts_its_rows_once(
    spark: SparkSession, tmp_path: Path
) -> None:
    stream = files(spark, tmp_path / "in", FolderWorkspace(str(tmp_path / "work")))
    output = stream.run("sorted", Sort(str(tmp_path / "failed")))
    assert (tmp_path / "failed").exists()
    assert numbers_of(output.streams[LOW]) == list(range(0, ROWS, 2))
    assert output.streams[LOW].rows == ROWS // 2
    assert not (tmp_path / "work" / "sorted" / "attempts").exists()
