"""Files are scanned as the DataFrame is: the same rows, states and reasons."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sparkclean.examples.batches import BatchReader
from sparkclean.examples.checks import collect_rising_ids
from sparkclean.examples.columns import resolve_columns
from sparkclean.examples.file_scan import FileScan, plan_file_scan
from sparkclean.examples.kernels import REJECTED, ClassSums
from sparkclean.examples.scan import FrameScan, Scan
from sparkclean.examples.statistics import Scanner, collect_class_statistics
from sparkclean.jobs.audit.passes import run_pass
from sparkclean.jobs.audit.row_kernels import ConfidentCounts
from sparkclean.jobs.audit.row_types import LOW_CONFIDENCE
from sparkclean.lake import ParquetSource
from sparkclean.rows.row_groups import RowGroups, balanced, consecutive, read_row_groups
from sparkclean.rows.stores import CacheStore
from tests.data import noisy_data

CLASSES = ("cat", "dog", "eel")
pytestmark = pytest.mark.usefixtures("by_tasks")


def examples(rows: int = 300) -> dict[str, list[Any]]:
    """Examples, among them all that a row can be rejected for."""
    given, probs = noisy_data(rows, len(CLASSES), seed=9)
    probs = probs.astype(np.float32)
    columns: dict[str, list[Any]] = {
        "id": list(range(rows)),
        "label": [CLASSES[k] for k in given],
        "pred_probs": [row.tolist() for row in probs],
        "other": [str(k) * 20 for k in range(rows)],
    }
    columns["label"][3] = None
    columns["label"][5] = "cow"
    columns["pred_probs"][7] = None
    columns["pred_probs"][11] = [0.5, None, 0.5]
    columns["pred_probs"][13] = [0.5, 0.5]
    columns["pred_probs"][17] = [0.5, float("nan"), 0.5]
    columns["pred_probs"][19] = [0.9, 0.9, 0.9]
    columns["pred_probs"][23] = []
    return columns


def table(
    probs: pa.DataType | None = None,
    label: pa.DataType | None = None,
    ids: pa.DataType | None = None,
) -> pa.Table:
    columns = examples()
    types = {
        "id": ids or pa.int64(),
        "label": label or pa.string(),
        "pred_probs": probs or pa.list_(pa.float32()),
        "other": pa.string(),
    }
    return pa.table({name: pa.array(v).cast(types[name]) for name, v in columns.items()})


def by_arrow(found: pa.Table, **options: Any) -> Callable[[Path], None]:
    return lambda path: pq.write_table(found, path / "part.parquet", **options)


def by_duckdb(path: Path) -> None:
    found = table()
    duckdb.register("found", found)
    duckdb.execute(f"COPY (SELECT * FROM found) TO '{path}/part.parquet' (ROW_GROUP_SIZE 2048)")


def by_pandas(path: Path) -> None:
    frame = table().to_pandas()
    frame["label"] = frame["label"].astype("category")
    frame.to_parquet(path / "part.parquet")


def by_columns_in_files(path: Path) -> None:
    """Two files whose columns stand in another order."""
    found = table()
    pq.write_table(found.slice(0, 100), path / "a.parquet")
    pq.write_table(found.slice(100).select(found.column_names[::-1]), path / "b.parquet")


WRITERS = {
    "arrow": by_arrow(table(), row_group_size=64),
    "plain": by_arrow(table(), use_dictionary=False, compression="none"),
    "pages-2.0": by_arrow(table(), data_page_version="2.0", data_page_size=256),
    "old-lists": by_arrow(table(), use_compliant_nested_type=False),
    "byte-stream-split": by_arrow(
        table(), use_dictionary=["label"], column_encoding={"id": "DELTA_BINARY_PACKED"}
    ),
    "double": by_arrow(table(pa.list_(pa.float64()))),
    "large": by_arrow(table(pa.large_list(pa.float32()), pa.large_string())),
    "dictionary": by_arrow(table(label=pa.dictionary(pa.int32(), pa.string()))),
    "unsigned": by_arrow(table(ids=pa.uint32())),
    "duckdb": by_duckdb,
    "pandas": by_pandas,
    "orders": by_columns_in_files,
}


def scans(spark: SparkSession, folder: Path) -> tuple[FrameScan, FileScan | str]:
    source = ParquetSource(str(folder))
    pin = source.pin()
    frame = source.read(spark, pin)
    columns = resolve_columns(
        frame, ids=["id"], label="label", probs=["pred_probs"], classes=CLASSES
    )
    reader = columns.reader(1e-3)
    plain = FrameScan(columns.narrow(frame), reader, columns.id_types)
    return plain, plan_file_scan(columns, reader, frame, source.plain_files(pin))


def found_by(scan: Scan, spark: SparkSession, folder: Path) -> dict[str, Any]:
    source = ParquetSource(str(folder))
    columns = resolve_columns(
        source.read(spark, source.pin()),
        ids=["id"],
        label="label",
        probs=["pred_probs"],
        classes=CLASSES,
    )
    store = CacheStore()
    bands = np.array([0.3, 0.5, 0.7]), np.array([0.6, 0.5, 0.9])
    counts = ConfidentCounts(*bands, "paper", 1e-3, emit="rivals")
    scanner = Scanner(scan, columns, store)
    found = run_pass(scanner, "all", ClassSums(3), counts)
    low = found.streams[LOW_CONFIDENCE].frame.orderBy("__id_0").collect()
    rejected = found.streams[REJECTED].frame.orderBy("__id_0").collect()
    statistics = collect_class_statistics(scanner, found.states, found.streams[REJECTED])
    store.close()
    return {
        "rows": statistics.rows,
        "sums": statistics.sums,
        "examples": statistics.examples.tolist(),
        "confident": found.confident.as_array().tolist(),
        "predictions": found.predictions.as_array().tolist(),
        # as text, because NaN does not equal itself
        "low": [str(row) for row in low],
        "rejected": [str(row) for row in rejected],
    }


IN_CI = {"arrow", "pages-2.0", "large", "dictionary", "duckdb", "orders"}


@pytest.mark.parametrize(
    "writer",
    [name if name in IN_CI else pytest.param(name, marks=pytest.mark.full) for name in WRITERS],
)
def test_file_scan_finds_what_the_dataframe_scan_finds(
    spark: SparkSession, tmp_path: Path, writer: str
) -> None:
    WRITERS[writer](tmp_path)
    plain, files = scans(spark, tmp_path)
    assert isinstance(files, FileScan), files
    wanted = found_by(plain, spark, tmp_path)
    assert found_by(files, spark, tmp_path) == wanted
    assert len(wanted["rejected"]) == 8
    assert len(wanted["low"]) > 10


def test_file_scan_of_files_by_spark(spark: SparkSession, tmp_path: Path) -> None:
    by_arrow(table())(tmp_path)
    other = tmp_path / "by-spark"
    spark.read.parquet(str(tmp_path)).repartition(3).write.parquet(str(other))
    plain, files = scans(spark, other)
    assert isinstance(files, FileScan), files
    assert found_by(files, spark, other) == found_by(plain, spark, other)


@pytest.mark.parametrize(
    ("kind", "probs"),
    [
        (pa.map_(pa.string(), pa.float32()), lambda row: list(zip(CLASSES, row, strict=True))),
        (
            pa.list_(pa.struct([("label", pa.string()), ("probability", pa.float64())])),
            lambda row: [
                {"label": name, "probability": p} for name, p in zip(CLASSES, row, strict=True)
            ][:2],
        ),
    ],
    ids=["map", "top-k"],
)
def test_file_scan_of_labels_with_probabilities(
    spark: SparkSession, tmp_path: Path, kind: pa.DataType, probs: Callable[[Any], Any]
) -> None:
    given, matrix = noisy_data(200, 3, seed=2)
    columns = {
        "id": pa.array(range(200)),
        "label": pa.array([CLASSES[k] for k in given]),
        "pred_probs": pa.array([probs(row.tolist()) for row in matrix], kind),
    }
    pq.write_table(pa.table(columns), tmp_path / "part.parquet")
    plain, files = scans(spark, tmp_path)
    assert isinstance(files, FileScan), files
    assert found_by(files, spark, tmp_path) == found_by(plain, spark, tmp_path)


def test_file_scan_is_refused_where_files_are_not_the_table(
    spark: SparkSession, tmp_path: Path
) -> None:
    found = table()
    folders = tmp_path / "folders"
    for k, name in enumerate(CLASSES):
        part = folders / f"label={name}"
        part.mkdir(parents=True)
        pq.write_table(found.slice(k * 100, 100).drop_columns(["label"]), part / "a.parquet")
    assert "in the names of folders" in str(scans(spark, folders)[1])
    types = tmp_path / "types"
    types.mkdir()
    pq.write_table(found.slice(0, 100), types / "a.parquet")
    double = table(pa.list_(pa.float64())).slice(100)
    pq.write_table(double, types / "b.parquet")
    assert "is array<float>, in the table array<double>" in str(scans(spark, types)[1])
    fewer = tmp_path / "fewer"
    fewer.mkdir()
    pq.write_table(found.slice(0, 100), fewer / "a.parquet")
    pq.write_table(found.slice(100).drop_columns(["label"]), fewer / "b.parquet")
    assert "has no column 'label'" in str(scans(spark, fewer)[1])
    decimals = tmp_path / "decimals"
    spark.read.parquet(str(types / "a.parquet")).withColumn(
        "pred_probs", F.col("pred_probs").cast("array<decimal(9,8)>")
    ).write.parquet(str(decimals))
    assert "decimal" in str(scans(spark, decimals)[1])


def test_balanced_divides_bytes_and_opens_each_file_once() -> None:
    groups = [RowGroups(f"f{i % 3}", (i // 3,), 10 << 20, 1000) for i in range(60)]
    tasks = balanced(groups, 2)
    assert len(tasks) == 8
    sizes = [sum(part.size_bytes for part in task) for task in tasks]
    assert max(sizes) <= 1.5 * min(sizes)
    assert sum(len(part.indices) for task in tasks for part in task) == 60
    for task in tasks:
        assert len({part.path for part in task}) == len(task)
    assert balanced([], 2) == [[]]


@pytest.mark.parametrize(
    ("megabytes", "slots", "count"),
    [(600, 2, 8), (600, 4, 16), (600, 100, 200), (20, 100, 5), (2100, 2, 18), (2100, 16, 64)],
)
def test_balanced_leaves_no_slot_idle_in_the_last_round(
    megabytes: int, slots: int, count: int
) -> None:
    groups = [RowGroups("f", (i,), 1 << 20, 1000) for i in range(megabytes)]
    assert len(balanced(groups, slots)) == count


def test_read_row_groups_says_which_file_is_broken_or_gone(tmp_path: Path) -> None:
    by_arrow(table(), compression="snappy")(tmp_path)
    path = tmp_path / "part.parquet"
    size = path.stat().st_size
    groups = RowGroups(str(path), (0,), size, 300)
    content = bytearray(path.read_bytes())
    content[4 : size // 2] = b"\x07" * (size // 2 - 4)
    path.write_bytes(bytes(content))
    with pytest.raises(OSError, match=f"FAILED_READ_FILE file://{path}"):
        list(read_row_groups([groups], (("__id_0", "id"),), 100))
    path.unlink()
    with pytest.raises(OSError, match=f"FAILED_READ_FILE.FILE_NOT_EXIST file://{path}"):
        list(read_row_groups([groups], (("__id_0", "id"),), 100))


def test_consecutive_gives_each_task_neighbours() -> None:
    groups = [RowGroups(f"f{i // 10}", (i % 10,), 10 << 20, 1000) for i in range(60)]
    tasks = consecutive(groups, 2)
    assert len(tasks) == 8
    assert [sum(len(part.indices) for part in task) for task in tasks] == [8, 7, 8, 7] * 2
    assert [(p.path, i) for task in tasks for p in task for i in p.indices] == [
        (group.path, group.indices[0]) for group in groups
    ]
    assert consecutive([], 2) == [[]]


@pytest.mark.parametrize("short", [-1, 1000], ids=["by tasks", "by the driver"])
def test_collect_rising_ids_counts_rows_only_where_none_can_stand_twice(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short: int
) -> None:
    monkeypatch.setattr("sparkclean.rows.row_groups._LEAST_TASK_BYTES", 800)  # three tasks
    monkeypatch.setattr("sparkclean.rows.streams.SHORT_ROWS", short)
    found = table()
    for name, parts in {
        "rising": [found.slice(200), found.slice(0, 200)],
        "steps": [found.take([*range(150, 300), *range(150)])],
        "overlapping": [found.slice(0, 201), found.slice(200)],
        "falling": [found.take(list(range(299, -1, -1)))],
        "twice": [found.take([0, 1, 1, 2])],
    }.items():
        folder = tmp_path / name
        folder.mkdir()
        for i, part in enumerate(parts):
            pq.write_table(part, folder / f"{i}.parquet", row_group_size=20)
        plain, files = scans(spark, folder)
        assert isinstance(plain, FrameScan)
        assert isinstance(files, FileScan)
        wanted = 300 if name in ("rising", "steps") else None
        assert files.collect_rising_ids() == wanted, name
        assert plain.collect_rising_ids() is None, name
        assert (files.looks_at_ids, plain.looks_at_ids) == (True, False)
        assert collect_rising_ids(plain.frame, ["__id_0"]) == wanted, name


def test_sample_of_no_rows_is_none(spark: SparkSession) -> None:
    reader = BatchReader(1, CLASSES, "array", 1e-3)
    assert FileScan(spark, reader, ("bigint",), (("__id_0", "id"),), ()).collect_sample(0) is None
