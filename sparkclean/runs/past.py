"""Runs as their records tell of them: chosen, listed, and the one before another."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

from sparkclean.errors import ConfigError, InputError, first_of
from sparkclean.lake.record_rows import are_records, job_of_record, run_of_record
from sparkclean.locations import same_place
from sparkclean.runs.status import PUBLISHED
from sparkclean.schema import CONFIG_FINGERPRINT, DATASET_VERSION, JOB, RUN_ID

if TYPE_CHECKING:
    from sparkclean.lake import TargetTable

#: What a history needs of a record: without what is long and about one run alone.
COLUMNS: Final = (
    RUN_ID,
    "original_run_id",
    "status",
    "started_at",
    "finished_at",
    "seconds",
    CONFIG_FINGERPRINT,
    DATASET_VERSION,
    "result_hash",
    "rows",
    "rejected",
    "suspects",
    "input",
    "counts",
    "gates",
    "message",
    JOB,
    "metrics",
)
#: Columns of a list of runs.
LISTED: Final = (
    RUN_ID,
    JOB,
    "status",
    "finished_at",
    "rows",
    "suspects",
    "noise",
    "gates",
    "seconds",
)


def parsed(record: Mapping[str, Any], name: str) -> Any:
    """Give what JSON text of a run record holds; None where it is null."""
    text = record.get(name)
    return None if text is None else json.loads(text)


def read_past(records: TargetTable) -> list[dict[str, Any]]:
    """Read what is known of all runs, by the newest record of each.

    Parameters
    ----------
    records : TargetTable
        Of run records.

    Returns
    -------
    list of dict
        `COLUMNS`, in the order in which the runs ended; those that a table of before lacks are
        None.

    Raises
    ------
    InputError
        If the table holds something else.

    Notes
    -----
    A file for each run, or one job; the driver holds a row for each run.
    """
    there = [field["name"] for field in json.loads(records.schema() or '{"fields": []}')["fields"]]
    if there and not are_records(there):
        raise InputError(
            f"{records.location} holds no run records; give the location of output.runs, or the "
            "folder of all outputs"
        )
    newest: dict[tuple[str | None, str], dict[str, Any]] = {}
    for row in sorted(records.records(COLUMNS), key=_ended):
        job = job_of_record(row)
        full = dict.fromkeys(COLUMNS) | row | {JOB: job}
        newest.pop((job, run_of_record(row)), None)  # the newest record has its place
        newest[job, run_of_record(row)] = full
    return list(newest.values())


def _ended(row: Mapping[str, Any]) -> datetime:
    moment: datetime | None = row.get("finished_at")
    if moment is None:
        return datetime.min.replace(tzinfo=timezone.utc)
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def table_of(record: Mapping[str, Any]) -> str | None:
    """Name the table that a run has read; None where its record does not say."""
    found = (parsed(record, "input") or {}).get("table")
    return None if found is None else str(found)


def noise_of(record: Mapping[str, Any]) -> float | None:
    """Give the estimated noise; None of a run that has estimated none."""
    for name in ("metrics", "counts"):
        found = (parsed(record, name) or {}).get("noise_rate")
        if found is not None:
            return float(found)
    return None


def gates_of(record: Mapping[str, Any]) -> str:
    """Say how many gates were closed."""
    gates = parsed(record, "gates") or []
    closed = sum(not gate["passed"] for gate in gates)
    if not gates:
        return ""
    return f"{closed} of {len(gates)} closed" if closed else f"{len(gates)} passed"


def choose(
    past: Sequence[Mapping[str, Any]],
    *,
    job: str | None = None,
    run_id: str | None = None,
    table: str | None = None,
    since: datetime | None = None,
) -> list[Mapping[str, Any]]:
    """Choose runs.

    Parameters
    ----------
    past : sequence of mapping
        Of `read_past`.
    job, run_id, table : str, optional
        The run id is the scheduler's.
    since : datetime, optional
        When they ended, at the earliest.

    Returns
    -------
    list of mapping
    """
    return [
        row
        for row in past
        if (job is None or row[JOB] == job)
        and (run_id is None or run_id in (row["original_run_id"], row[RUN_ID]))
        and (table is None or same_place(table_of(row) or "", table))
        and (since is None or _ended(row) >= since)
    ]


def find_one(
    past: Sequence[Mapping[str, Any]], run_id: str, job: str | None, location: str
) -> Mapping[str, Any]:
    """Find the record of a run.

    Parameters
    ----------
    past : sequence of mapping
    run_id : str
    job : str or None
        Where a run id is that of several jobs, the newest one is found without it.
    location : str
        For the message.

    Returns
    -------
    mapping

    Raises
    ------
    InputError
        If there is none.
    """
    found = choose(past, job=job, run_id=run_id)
    if found:
        return found[-1]
    of_job = choose(past, job=job)
    there = first_of([f"{row['original_run_id']} ({row[JOB]})" for row in reversed(of_job)])
    what = "" if job is None else f" of job {job}"
    raise InputError(f"{location} has no run {run_id!r}{what}; it has {there or 'none'}")


def find_before(
    past: Sequence[Mapping[str, Any]], record: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """Find the last run of the same job and table that was published before another one ended.

    Parameters
    ----------
    past : sequence of mapping
    record : mapping

    Returns
    -------
    mapping or None
    """
    table, job = table_of(record), job_of_record(record)
    found = [
        row
        for row in choose(past, job=job, table=table)
        if row["status"] == PUBLISHED
        and run_of_record(row) != run_of_record(record)
        and _ended(row) < _ended(record)
    ]
    return found[-1] if found else None


def listed(past: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """List runs for people and other programs.

    Parameters
    ----------
    past : sequence of mapping

    Returns
    -------
    list of dict
        By `LISTED`.
    """
    return [
        {
            RUN_ID: row["original_run_id"] or row[RUN_ID],
            JOB: row[JOB],
            "status": row["status"],
            "finished_at": None if row["finished_at"] is None else f"{_ended(row):%Y-%m-%d %H:%M}",
            "rows": row["rows"],
            "suspects": row["suspects"],
            "noise": noise_of(row),
            "gates": gates_of(row) or None,
            "seconds": None if row["seconds"] is None else round(row["seconds"], 1),
        }
        for row in past
    ]


def read_since(text: str, now: datetime | None = None) -> datetime:
    """Read a moment: a date, a date with a time, or an age such as ``12h`` or ``30d``.

    Parameters
    ----------
    text : str
    now : datetime, optional

    Returns
    -------
    datetime
        In UTC, which is meant where the text says no zone.

    Raises
    ------
    ConfigError
    """
    units = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
    number = text[:-1]
    if text[-1:] in units and number.isascii() and number.isdigit():
        try:
            return (now or datetime.now(timezone.utc)) - timedelta(**{units[text[-1]]: int(number)})
        except OverflowError:
            return datetime.min.replace(tzinfo=timezone.utc)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"--since: {text!r} is no moment; write 2026-11-24, 2026-11-24T12:00, 12h or 30d"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
