"""Targets with a few rows, made without Spark."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from sparkclean.lake import ParquetTarget, Staging, Version, open_target, shared_run_id

SCHEMA = json.dumps(
    {
        "type": "struct",
        "fields": [
            {"name": "id", "type": "long", "nullable": True, "metadata": {}},
            {"name": "run", "type": "string", "nullable": True, "metadata": {}},
        ],
    }
)
IDENTITY = {"config_fingerprint": "f1", "input": "files-0123456789ab"}
REPOSITORY = Path(__file__).resolve().parents[2]


def stage(target: ParquetTarget, run_id: str, rows: int = 2) -> Staging:
    staging = target.stage(run_id)
    staging.write_arrow(
        pa.table({"id": pa.array(range(rows), pa.int64()), "run": pa.array([run_id] * rows)})
    )
    return staging


def publish(
    target: ParquetTarget,
    run_id: str,
    *,
    rows: int = 2,
    accumulate: bool = True,
    parent: int | None = None,
    properties: dict[str, str] | None = None,
    replace_run: bool = False,
) -> Version:
    return target.publish(
        stage(target, run_id, rows),
        expected_parent=parent,
        accumulate=accumulate,
        properties=IDENTITY if properties is None else properties,
        schema=SCHEMA,
        replace_run=replace_run,
    )


def publish_record(target: ParquetTarget, run_id: str, status: str) -> Version:
    staging = target.stage(shared_run_id("audit", run_id))
    record = {"run_id": "x", "original_run_id": run_id, "status": status, "job": "audit"}
    staging.write_arrow(pa.Table.from_pylist([record]))
    text = [{"name": name, "type": "string", "nullable": True, "metadata": {}} for name in record]
    return target.publish(
        staging,
        expected_parent=None,
        accumulate=True,
        properties=IDENTITY,
        schema=json.dumps({"type": "struct", "fields": text}),
        replace_run=True,
    )


def rows_of(target: ParquetTarget, version: int | None = None) -> dict[str, int]:
    """Rows by run of a version, as a reader sees them; fails if a file of it is not there."""
    found: dict[str, int] = {}
    for file in target.manifest(version).files:
        runs = pq.read_table(target.root / file.path, partitioning=None)["run"].to_pylist()
        assert len(runs) == file.rows
        for run in runs:
            found[run] = found.get(run, 0) + 1
    return found


def in_child(code: str, *arguments: str, fault: str | None = None) -> subprocess.Popen[str]:
    """Start a Python process that has the helpers at hand."""
    prelude = "import sys\nfrom tests.lake.helpers import *\nfrom sparkclean.lake import *\n"
    environment = dict(os.environ)
    environment.pop("SPARKCLEAN_FAULT", None)
    if fault:
        environment["SPARKCLEAN_FAULT"] = fault
    return subprocess.Popen(
        [sys.executable, "-c", prelude + textwrap.dedent(code), *arguments],
        cwd=REPOSITORY,
        env=environment,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def new_target(folder: Path) -> ParquetTarget:
    return open_target(str(folder / "target"))
