"""Rows of the table of runs: of which job and run they are, also those of before. Needs no Spark.

Runs are keyed by job and run id. Records of before name no job: what they hold tells it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any, Final

from sparkclean.lake.base import COUNTED
from sparkclean.lake.run_ids import is_safe_run_id, safe_run_id
from sparkclean.schema import JOB, RUN_ID, RUNS

#: Status of the record by which an older version became current again.
REVERTED: Final = "reverted"
#: Job of outputs whose commits name none: those of before that accumulate are an audit's.
JOB_OF_BEFORE: Final = "audit"
#: Columns that tell a run and its status.
TELLING: Final = (RUN_ID, "original_run_id", "status", "finished_at", JOB)
#: Columns that tell the job where there is none.
JOB_TELLING: Final = ("result_hash", "input", "counts")

#: Statuses by job, where it is known, and safe run id.
Statuses = dict[tuple[str | None, str], str]


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


def statuses_of(rows: Iterable[Mapping[str, Any]]) -> Statuses:
    """Give the status of each run by its newest record.

    Parameters
    ----------
    rows : iterable of mapping
        With columns `TELLING`, and `JOB_TELLING` where the job is null.

    Returns
    -------
    dict
    """
    return {
        (job_of_record(row), run_of_record(row)): row.get("status") or ""
        for row in sorted(rows, key=_finished)
    }


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


def counted_runs(statuses: Statuses, job: str) -> set[str]:
    """Find the runs of a job whose rows count.

    Parameters
    ----------
    statuses : dict
    job : str

    Returns
    -------
    set of str
        Safe run ids.
    """
    return {run for (of, run), status in statuses.items() if of == job and status in COUNTED}


def _finished(row: Mapping[str, Any]) -> datetime:
    moment: datetime | None = row.get("finished_at")
    if moment is None:
        return datetime.min.replace(tzinfo=timezone.utc)
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
