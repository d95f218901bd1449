"""Functions over streams: every row once, whatever happens to the tasks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from sparkclean.rows.emitted import ANY_KEYS, KIND, STATE, state_fields, to_batch
from sparkclean.rows.file_stream import FileStream
from sparkclean.rows.frame_stream import FrameStream
from sparkclean.rows.row_groups import RowGroups
from sparkclean.rows.row_writer import CopyRows
from sparkclean.rows.stores import CacheStore, FolderStore
from sparkclean.rows.streams import RowStore, State, Stream
from sparkclean.rows.types import Fields

ROWS = 1000
EVEN, ODD, COUNTED = range(3)
by_tasks = pytest.mark.usefixtures("by_tasks")


@dataclass(frozen=True)
class Sort:
    """Odd numbers are of one kind, even ones of another; count both."""

    fails_once: str | None = None
    keys: ClassVar[tuple[str, str]] = ("nothing", "parity")
    fields: ClassVar[Fields] = (*state_fields(keys), ("number", "bigint"))
    kinds: ClassVar[tuple[int, ...]] = (EVEN, ODD)
    state_kinds: ClassVar[tuple[int, ...]] = (COUNTED,)

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        counts = [0, 0]
        for batch in batches:
            for odd, kind in enumerate(self.kinds):
                numbers = [n for n in batch.column("number").to_pylist() if n % 2 == odd]
                counts[odd] += len(numbers)
                if numbers:
                    yield to_batch({KIND: kind, "number": numbers}, self.fields)
        if self.fails_once is not None and not Path(self.fails_once).exists():
            Path(self.fails_once).touch()
            raise OSError("a worker is lost, its rows written")
        state = [[n, 1] for n in counts]
        columns = {KIND: COUNTED, "nothing": [0, 0], "parity": [0, 1], STATE: state}
        yield to_batch(columns, self.fields)


@dataclass(frozen=True)
class Double:
    """Rows alone, without state."""

    keys: ClassVar[tuple[str, str]] = ANY_KEYS
    fields: ClassVar[Fields] = (*state_fields(keys), ("number", "bigint"))
    kinds: ClassVar[tuple[int, ...]] = (EVEN,)
    state_kinds: ClassVar[tuple[int, ...]] = ()

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            numbers = [2 * number for number in batch.column("number").to_pylist()]
            yield to_batch({KIND: EVEN, "number": numbers}, self.fields)


def files(spark: SparkSession, folder: Path, store: RowStore) -> FileStream:
    """Numbers in four files."""
    folder.mkdir()
    groups = []
    for i in range(4):
        path = str(folder / f"{i}.parquet")
        pq.write_table(pa.table({"n": list(range(i, ROWS, 4))}), path)
        groups.append(RowGroups(path, (0,), 5 << 20, ROWS // 4))
    return FileStream(spark, (("number", "n"),), tuple(groups), store)


def numbers_of(stream: Stream) -> list[int]:
    return sorted(row["number"] for row in stream.frame.collect())


@by_tasks
@pytest.mark.parametrize("kind", ["files", "frame", "files without a folder", "frame and a cache"])
def test_run_gives_states_and_rows_by_kind(spark: SparkSession, tmp_path: Path, kind: str) -> None:
    cache = CacheStore()
    store: RowStore = FolderStore(str(tmp_path / "work")) if kind in ("files", "frame") else cache
    stream: Stream
    if kind.startswith("files"):
        stream = files(spark, tmp_path / "in", store)
        assert stream.rows == ROWS
    else:
        # of a frame nobody knows how many rows it has
        numbers = spark.range(0, ROWS, 1, 7).withColumnRenamed("id", "number")
        stream = FrameStream(numbers, store)
        assert stream.rows is None
    output = stream.run("sorted", Sort())
    states = {(state.kind, state.first, state.second): state.values for state in output.states}
    tasks = states[COUNTED, 0, 0][1]
    assert tasks > 1
    assert states == {(COUNTED, 0, odd): [ROWS // 2, tasks] for odd in (0, 1)}
    assert {kind: stream.rows for kind, stream in output.streams.items()} == {EVEN: 500, ODD: 500}
    assert numbers_of(output.streams[EVEN]) == list(range(0, ROWS, 2))
    # a stream is read by functions again, and can be empty
    again = output.streams[ODD].run("again", Sort())
    assert numbers_of(again.streams[ODD]) == list(range(1, ROWS, 2))
    assert numbers_of(again.streams[EVEN]) == []
    assert again.streams[EVEN].rows == 0
    # of state alone there are no rows, though the function emits some
    counted = output.streams[ODD].collect(Sort())
    assert {(state.kind, state.second): state.values[0] for state in counted} == {
        (COUNTED, 0): 0,
        (COUNTED, 1): 500,
    }
    doubled = output.streams[ODD].run("doubled", Double())
    assert doubled.states == []
    assert numbers_of(doubled.streams[EVEN]) == list(range(2, 2 * ROWS, 4))
    cache.close()


def test_run_of_few_rows_of_files_needs_no_job(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def job(*_: object) -> None:
        raise AssertionError("a job was made")

    stream = files(spark, tmp_path / "in", FolderStore(str(tmp_path / "work")))
    with monkeypatch.context() as patch:
        patch.setattr(FileStream, "map", job)
        output = stream.run("sorted", Sort())
        counted = output.streams[ODD].collect(Sort())
        with pytest.raises(AssertionError, match="a job was made"):
            replace(stream, chunk_rows=ROWS - 1).collect(Sort())
        with pytest.raises(AssertionError, match="a job was made"):
            replace(stream, prepare=lambda _, batches: iter(batches)).collect(Sort())
    assert output.states == [State(COUNTED, 0, odd, [ROWS // 2, 1]) for odd in (0, 1)]
    assert counted == [State(COUNTED, 0, odd, [odd * ROWS // 2, 1]) for odd in (0, 1)]
    assert numbers_of(output.streams[EVEN]) == list(range(0, ROWS, 2))


@by_tasks
def test_run_of_a_task_that_fails_after_it_wrote_counts_its_rows_once(
    spark: SparkSession, tmp_path: Path
) -> None:
    stream = files(spark, tmp_path / "in", FolderStore(str(tmp_path / "work")))
    output = stream.run("sorted", Sort(str(tmp_path / "failed")))
    assert (tmp_path / "failed").exists()
    assert numbers_of(output.streams[EVEN]) == list(range(0, ROWS, 2))
    assert output.streams[EVEN].rows == ROWS // 2
    assert not (tmp_path / "work" / "sorted" / "attempts").exists()


def test_stream_of_a_frame_leaves_to_spark_what_files_alone_can_do(spark: SparkSession) -> None:
    numbers = spark.range(3).withColumnRenamed("id", "number")
    stream: Stream = FrameStream(numbers, CacheStore(), 3)
    assert stream.folder is None
    assert stream.collect_here(Sort()) is None
    assert stream.plan_copy([("number", "number")], {}) is None
    assert (
        stream.plan_files(1, lambda groups, folder: CopyRows([list(groups)], (), {}, folder))
        is None
    )


@pytest.mark.parametrize("short", [-1, ROWS], ids=["by tasks", "by the driver"])
def test_stream_of_files_has_them_copied_and_others_written(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short: int
) -> None:
    monkeypatch.setattr("sparkclean.rows.streams.SHORT_ROWS", short)
    stream = files(spark, tmp_path / "in", FolderStore(str(tmp_path / "work")))
    even = stream.run("sorted", Sort()).streams[EVEN]
    assert even.folder == tmp_path / "work" / "sorted" / str(EVEN)
    copy = even.plan_copy([("n", "number")], {"source": "here"})
    # two tasks that each copy all files
    twice = even.plan_files(
        2, lambda groups, folder: CopyRows([list(groups)] * 2, (("n", "number"),), {}, folder)
    )
    assert copy is not None
    assert twice is not None
    wanted = list(range(0, ROWS, 2))
    for name, write, count in (("copy", copy, 1), ("twice", twice, 2)):
        folder = tmp_path / name
        folder.mkdir()
        written = [pq.read_table(folder / file) for file in write(str(folder))]
        numbers = [number for table in written for number in table["n"].to_pylist()]
        assert sorted(numbers) == sorted(wanted * count), name
        assert all(set(t["source"].to_pylist()) == {"here"} for t in written if name == "copy")
