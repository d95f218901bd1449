"""Memory of a task is bounded by its batch: one file and task, larger than a worker may be."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sparkclean.lake import open_target

CLASSES = 1000
ROWS_PER_GROUP = 4000
#: What a worker may map. It maps 380 MB of libraries before it sees a row, and fails to start with
#: less than that.
LIMIT_MB = 600
SPARK = {
    "spark.master": "local[2,1]",  # the first failure of a task fails the run
    "spark.executor.pyspark.memory": f"{LIMIT_MB}m",
    # the whole file in one task
    "spark.sql.files.maxPartitionBytes": "64g",
    "spark.sql.files.minPartitionNum": "1",
    "spark.driver.memory": "2g",
}

# Does what no kernel may: keeps all batches of its partition.
_KEEP_ALL = """
import json, sys
import pyarrow as pa
from sparkclean.rows.session import open_session

def keep_all(batches):
    table = pa.Table.from_batches(list(batches))
    yield pa.RecordBatch.from_pydict({"rows": [table.num_rows]})

with open_session(json.loads(sys.argv[1])) as (spark, _):
    frame = spark.read.parquet(sys.argv[2])
    print("tasks", frame.rdd.getNumPartitions())
    print(frame.select("pred_probs").mapInArrow(keep_all, "rows bigint").collect())
"""


def write_one_file(folder: Path, rows: int) -> Path:
    """Write float64 probabilities that neither dictionary nor compression makes smaller."""
    folder.mkdir()
    writer = None
    for start in range(0, rows, ROWS_PER_GROUP):
        rng = np.random.default_rng(start)
        given = rng.integers(0, CLASSES, ROWS_PER_GROUP)
        probs = rng.random((ROWS_PER_GROUP, CLASSES))
        probs[np.arange(ROWS_PER_GROUP), given] += CLASSES * rng.random(ROWS_PER_GROUP)
        probs /= probs.sum(axis=1, keepdims=True)
        noise = rng.integers(0, CLASSES, ROWS_PER_GROUP)
        given = np.where(rng.random(ROWS_PER_GROUP) < 0.1, noise, given)
        offsets = pa.array(np.arange(0, probs.size + 1, CLASSES, dtype=np.int32))
        columns = {
            "id": np.arange(start, start + ROWS_PER_GROUP),
            "label": given,
            "pred_probs": pa.ListArray.from_arrays(offsets, pa.array(probs.reshape(-1))),
        }
        table = pa.table(columns)
        if writer is None:
            writer = pq.ParquetWriter(
                folder / "all.parquet", table.schema, use_dictionary=False, compression="none"
            )
        writer.write_table(table)
    assert writer is not None
    writer.close()
    return folder


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = write_one_file(tmp_path_factory.mktemp("memory") / "in", 100_000)
    yield folder
    shutil.rmtree(folder)  # pytest keeps temporary folders, and this one is large


def audit(place: Path, table: Path) -> subprocess.CompletedProcess[str]:
    outputs = {"suspects": str(place / "suspects"), "runs": str(place / "runs")}
    nothing = dict.fromkeys(("cleaned", "rejected", "classes", "pairs"))
    config = {"input": {"table": str(table)}, "output": outputs | nothing, "spark": SPARK}
    path = place / "config.json"
    path.write_text(json.dumps(config))
    words = [sys.executable, "-m", "sparkclean", "audit", "--config", str(path), "--debug"]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def check_audit(place: Path, table: Path, rows: int) -> None:
    (file,) = table.iterdir()
    assert file.stat().st_size > 1.2 * (LIMIT_MB << 20)
    done = audit(place, table)
    assert done.returncode == 0, done.stderr[-4000:]
    (record,) = open_target(str(place / "runs")).head(10).to_pylist()
    assert record["audited"] == rows
    assert record["suspects"] > rows / 100


def test_audit_file_larger_than_the_memory_of_a_worker_is_done(tmp_path: Path, table: Path) -> None:
    check_audit(tmp_path, table, 100_000)


def test_memory_limit_stops_a_task_that_keeps_its_partition(table: Path) -> None:
    # without this the test above could pass because no limit was in force
    words = [sys.executable, "-c", _KEEP_ALL, json.dumps(SPARK), str(table)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert "tasks 1" in done.stdout
    assert done.returncode != 0
    assert "MemoryError" in done.stderr


@pytest.mark.full
def test_audit_file_of_several_memory_limits_is_done(tmp_path: Path) -> None:
    table = write_one_file(tmp_path / "in", 400_000)
    try:
        check_audit(tmp_path, table, 400_000)
    finally:
        shutil.rmtree(table)
