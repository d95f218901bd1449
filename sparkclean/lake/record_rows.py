"""Rows of the table of runs: of which job and run they are, also those of before. Needs no Spark.

Runs are keyed by job and run id. Records of before name no job: what they hold tells it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timezone
from typing import Any, Final, NamedTuple

from sparkclean.lake.base import COUNTED
from sparkclean.lake.run_ids import is_safe_run_id, safe_run_id
from sparkclean.schema import JOB, RUN_ID, RUNS

#: Status of the record by which an older version became current again.
REVERTED: Final = "reverted"
#: Status of the appended record by which a run counts for nothing.
VOID: Final = "void"
#: Job of outputs whose commits name none: those of before that accumulate are an audit's.
JOB_OF_BEFORE: Final = "audit"
#: Columns that tell a run, its status and its table.
TELLING: Final = (RUN_ID, "original_run_id", "status", "finished_at", JOB, "input")
#: Columns that tell the job where there is none.
JOB_TELLING: Final = ("result_hash", "counts")


def job_of_record(row: Mapping[str, Any]) -> str | None:
    """Tell the job of a run record.

    Parameters
    ----------
    row : mapping
        By column; columns that a table of before lacks may be missing.

    Returns
    -------
    str or None
        None of a record of before that does not tell, as one that failed.
    """
    if row.get(JOB) is not None:
        return str(row[JOB])
    if row.get("status") == REVERTED:
        return "revert"
    if row.get("result_hash") is not None:
        return "audit"
    # a training may have measured its model: it has a quality as well
    if "audit" in json.loads(row.get("input") or "{}"):
        return "train"
    if "quality" in json.loads(row.get("counts") or "{}"):
        return "predict"
    return None


def run_of_record(row: Mapping[str, Any]) -> str:
    """Give the safe run id of a run record."""
    original, name = row.get("original_run_id"), row.get(RUN_ID) or ""
    if original:
        return safe_run_id(original)
    return name if is_safe_run_id(name) else safe_run_id(name)


class KnownRun(NamedTuple):
    """What a run record says of a run: its status, and the table that it was of."""

    status: str
    table: str | None


#: Runs by job, where it is known, and safe run id.
KnownRuns = dict[tuple[str | None, str], KnownRun]


def known_runs_of(rows: Iterable[Mapping[str, Any]]) -> KnownRuns:
    """Give what is known of each run, by its newest record.

    Parameters
    ----------
    rows : iterable of mapping
        With columns `TELLING`, and `JOB_TELLING` as far as there are such.

    Returns
    -------
    dict
    """
    return {
        (job_of_record(row), run_of_record(row)): KnownRun(
            row.get("status") or "", json.loads(row.get("input") or "{}").get("table")
        )
        for row in sorted(rows, key=_finished)
    }


def are_records(columns: Collection[str]) -> bool:
    """Tell by its columns whether a table is one of run records: each says of which table it is."""
    return {"original_run_id", "status", "outputs"} <= set(columns)


def newest_record(
    rows: Iterable[Mapping[str, Any]], job: str, run_id: str
) -> dict[str, Any] | None:
    """Find the newest record of a run.

    Parameters
    ----------
    rows : iterable of mapping
        Whole records, also of other runs.
    job : str
    run_id : str
        The scheduler's.

    Returns
    -------
    dict or None
        By column; None where a table of before lacks one.
    """
    run = safe_run_id(run_id)
    found = [row for row in rows if (job_of_record(row), run_of_record(row)) == (job, run)]
    if not found:
        return None
    newest = max(reversed(found), key=_finished)
    return dict.fromkeys(name for name, _ in RUNS) | dict(newest)


def counted_runs(known: KnownRuns, job: str) -> dict[str, str | None]:
    """Find the runs of a job whose rows count, and the table of each.

    Parameters
    ----------
    known : dict
    job : str

    Returns
    -------
    dict
        By safe run id.
    """
    return {run: k.table for (of, run), k in known.items() if of == job and k.status in COUNTED}


def _finished(row: Mapping[str, Any]) -> datetime:
    moment: datetime | None = row.get("finished_at")
    if moment is None:
        return datetime.min.replace(tzinfo=timezone.utc)
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
