"""Mark a run void: an appended record says so, and then the run counts for nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from sparkclean.errors import ConfigError, InputError, first_of
from sparkclean.lake import TargetTable, original_run_id, safe_run_id
from sparkclean.lake.base import COUNTED
from sparkclean.lake.record_rows import VOID
from sparkclean.lake.run_ids import void_run_id
from sparkclean.lake.staged import StagedFrame
from sparkclean.rows.driver_rows import arrow_table, rows_frame
from sparkclean.schema import JOB, RUN_ID, RUNS

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_LABELS = "string"  # run records have no label


@dataclass(frozen=True)
class Voided:
    """A run that counts for nothing from now on.

    Attributes
    ----------
    job, run_id : str
    outputs : str
        JSON: what it has published.
    """

    job: str
    run_id: str
    outputs: str


def void_run(
    runs: TargetTable,
    run_id: str,
    why: str,
    *,
    job: str | None = None,
    spark: SparkSession | None = None,
) -> list[Voided]:
    """Append a record by which a run is void.

    Parameters
    ----------
    runs : TargetTable
        The run records.
    run_id : str
        The scheduler's.
    why : str
        The reason, for people.
    job : str or None
        Job of the run. None: all jobs that ran under this id.
    spark : SparkSession or None
        Not needed for Parquet.

    Returns
    -------
    list of Voided
        One for each job.

    Raises
    ------
    ConfigError
        If no reason is given.
    InputError
        If there is no such run, it is void already, or it never counted.

    Notes
    -----
    Each record is appended in one atomic step; the records of before stay. The rows of the run stay
    where they are, and readers leave them out. A dataset that the run has published stays current:
    `sparkclean revert` makes an older version current.
    """
    if not why.strip():
        raise ConfigError("--why: is empty; say why the run is void, for whoever asks later")
    records = _find_records(runs, run_id, job)
    for name, record in records.items():
        _check_counts(record, name, run_id)
    for name, record in records.items():
        _append(runs, name, run_id, _void(record, name, why), spark)
    return [Voided(name, run_id, row["outputs"] or "{}") for name, row in records.items()]


def _find_records(runs: TargetTable, run_id: str, job: str | None) -> dict[str, Mapping[str, Any]]:
    """Find the newest record of every job of the run."""
    known = runs.known_runs()
    jobs = sorted({of for of, run in known if run == safe_run_id(run_id) and of is not None})
    if not jobs:
        there = sorted({original_run_id(run) for of, run in known if of is not None})
        raise InputError(
            f"there is no run {run_id!r} in {runs.location}; it has {len(there)} runs: "
            f"{first_of(list(map(repr, there))) or 'none'}"
        )
    if job is not None and job not in jobs:
        raise InputError(
            f"--job: run {run_id!r} in {runs.location} is no {job}; it is of {', '.join(jobs)}"
        )
    found: dict[str, Mapping[str, Any]] = {}
    for name in jobs if job is None else [job]:
        record = runs.find_record(name, run_id)
        if record is not None:
            found[name] = record
    return found


def _check_counts(record: Mapping[str, Any], job: str, run_id: str) -> None:
    if record["status"] == VOID:
        raise InputError(
            f"{job} {run_id!r} is void already, since {record['finished_at']:%Y-%m-%d}: "
            f"{record['message']}"
        )
    if record["status"] not in COUNTED:
        raise InputError(
            f"{job} {run_id!r} counts for nothing anyway: its record says {record['status']}; "
            "name a run that has published (--job)"
        )


def _void(record: Mapping[str, Any], job: str, why: str) -> dict[str, Any]:
    """Write the record by which a run is void; it is newer than the one of before."""
    before = record["finished_at"]
    if before.tzinfo is None:
        before = before.replace(tzinfo=timezone.utc)
    now = max(datetime.now(timezone.utc), before + timedelta(microseconds=1))
    own = {"status": VOID, "finished_at": now, "message": why.strip(), "remembered": None, JOB: job}
    return {name: record.get(name) for name, _ in RUNS} | own


def _append(
    runs: TargetTable,
    job: str,
    run_id: str,
    row: dict[str, Any],
    spark: SparkSession | None,
) -> None:
    name = void_run_id(job, run_id)
    staging: Any
    if spark is None or runs.takes_files:
        table, schema = arrow_table([row], RUNS, _LABELS)
        staging = runs.stage(name, accumulate=True)
        staging.write_arrow(table)
    else:
        frame = rows_frame(spark, [row], RUNS, _LABELS)
        staging, schema = StagedFrame(name), frame.schema.json()
        staging.write_frame(frame)
    runs.publish(
        staging,
        expected_parent=None,
        accumulate=True,
        properties={"operation": "void"},
        schema=schema,
        key={RUN_ID: row[RUN_ID], JOB: job, "status": VOID},
    )
