"""Run records of audits, for tests that need no run: on Parquet, without Spark."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

from sparkclean.lake import TargetTable, safe_run_id, shared_run_id
from sparkclean.rows.driver_rows import arrow_table
from sparkclean.schema import JOB, RUN_ID, RUNS

BEGIN = datetime(2026, 11, 1, tzinfo=timezone.utc)


def write_record(
    runs: TargetTable, run_id: str, minute: int, *, job: str = "audit", **content: Any
) -> None:
    """Write the record of a run; dicts become JSON."""
    columns = {"id": "id", "label": "label"}
    given = {
        RUN_ID: safe_run_id(run_id),
        "original_run_id": run_id,
        "status": "published",
        "finished_at": BEGIN + timedelta(minutes=minute),
        JOB: job,
        "dataset_version": "v1",
        "input": {"table": "/data/t", "format": "parquet", "version": None},
        "config": {"columns": columns},
        "outputs": {name: {"location": name} for name in ("suspects", "classes", "pairs")},
    }
    row = dict.fromkeys(name for name, _ in RUNS) | given | content
    row = {k: json.dumps(v) if isinstance(v, dict) else v for k, v in row.items()}
    table, schema = arrow_table([row], RUNS, "string")
    staging = runs.stage(shared_run_id(job, run_id), accumulate=True)
    staging.write_arrow(table)
    runs.publish(
        staging, expected_parent=None, accumulate=True, properties={}, schema=schema,
        replace_run=True, key={RUN_ID: row[RUN_ID], JOB: job},
    )  # fmt: skip
