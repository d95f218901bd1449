"""The two audits that are compared, by their run records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from sparkclean.config.sections import Config
from sparkclean.errors import InputError, first_of
from sparkclean.lake import TargetTable, original_run_id, safe_run_id
from sparkclean.lake.base import COUNTED
from sparkclean.lake.run_records import without_void
from sparkclean.locations import same_place
from sparkclean.schema import JOB, RUN_ID

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_AUDIT = "audit"
#: Audits before the first of the two, of whose suspects one may be back.
_MOST_EARLIER = 1000


@dataclass(frozen=True)
class Audit:
    """An audit, as its record tells of it.

    Attributes
    ----------
    run_id : str
        The scheduler's.
    finished_at : datetime
    format, version : str or None
        Of the table that was audited.
    dataset_version : str
    outputs : mapping
        Locations, by the name of the output.
    where : str or None
        Condition by which its rows were chosen (``input.where``).
    """

    run_id: str
    finished_at: datetime
    format: str
    version: str | None
    dataset_version: str
    outputs: Mapping[str, str]
    where: str | None = None

    @property
    def selector(self) -> int | str | None:
        """The version of the table as `SourceTable.pin` takes it; None where it has none."""
        if self.version is None:
            return None
        if self.format == "iceberg":
            return f"snapshot:{self.version}"
        return int(self.version.removeprefix("v"))

    @property
    def rows_of(self) -> str:
        """Run id as it stands in the rows of its outputs."""
        return safe_run_id(self.run_id)


def find_audits(runs: TargetTable, run_a: str, run_b: str, config: Config) -> tuple[Audit, Audit]:
    """Find the two audits.

    Parameters
    ----------
    runs : TargetTable
        The run records.
    run_a, run_b : str
        The scheduler's run ids.
    config : Config
        Of which ``input.table``, record id and label count.

    Returns
    -------
    Audit, Audit

    Raises
    ------
    InputError
        With all findings: no such run, no audit, void, not published, of another table, of other
        columns, without suspects, or in the wrong order.
    """
    findings: list[str] = []
    found = []
    for key, run_id in (("compare.run_a", run_a), ("compare.run_b", run_b)):
        try:
            found.append(_find(runs, key, run_id, config))
        except InputError as exc:
            findings += exc.findings
    if findings:
        raise InputError(findings)
    one, other = found
    if one.finished_at > other.finished_at:
        raise InputError(
            f"compare.run_a: audit {run_a!r} is later than {run_b!r}; swap the two, so that new "
            "suspects are those of the later one"
        )
    return one, other


def _find(runs: TargetTable, key: str, run_id: str, config: Config) -> Audit:
    row = runs.find_record(_AUDIT, run_id) if runs.current() is not None else None
    if row is None:
        raise InputError(unknown_audit(runs, key, run_id))
    if row["status"] not in COUNTED:
        reason = (row["message"] or "").splitlines()
        raise InputError(
            f"{key}: audit {run_id!r} counts for nothing, its record says {row['status']}"
            f"{': ' + reason[0] if reason else ''}; name another audit"
        )
    source, then = json.loads(row["input"]), json.loads(row["config"])
    if not same_place(source["table"], config.input.table):
        raise InputError(
            f"{key}: run {run_id!r} has audited {source['table']}, and input.table is "
            f"{config.input.table}; name two audits of one table"
        )
    columns = _columns(then)
    if columns != _columns(config.model_dump(mode="json")):
        raise InputError(
            f"{key}: run {run_id!r} was of the columns {', '.join(map(repr, columns))}; set "
            "columns.id and columns.label to them, or name another audit"
        )
    if then["columns"]["id"] is None:
        raise InputError(
            f"{key}: run {run_id!r} has numbered the rows, and numbers of two versions have "
            "nothing in common; audit with a record id (columns.id)"
        )
    outputs = json.loads(row["outputs"] or "{}")
    if "suspects" not in outputs:
        raise InputError(
            f"{key}: run {run_id!r} has written no suspects; audit with output.suspects"
        )
    return Audit(
        run_id=row["original_run_id"],
        finished_at=row["finished_at"],
        format=source.get("format", ""),
        version=source.get("version"),
        dataset_version=row["dataset_version"],
        outputs={name: entry["location"] for name, entry in outputs.items()},
        where=then.get("input", {}).get("where"),
    )


def warn_of_other_rows(one: Audit, other: Audit) -> str | None:
    """Say that two audits have chosen their rows by different conditions; None where not."""
    if one.where == other.where:
        return None
    chosen = [f"{audit.run_id} by {audit.where or 'none'}" for audit in (one, other)]
    return (
        f"the audits have chosen their rows by different conditions (input.where): "
        f"{' and '.join(chosen)}; a suspect may be new or fixed for that alone"
    )


def unknown_audit(runs: TargetTable, key: str, run_id: str) -> str:
    """Say that there is no such audit, and which there are."""
    known = runs.known_runs() if runs.current() is not None else {}
    jobs = sorted(str(of) for of, run in known if run == safe_run_id(run_id))
    if jobs:
        return (
            f"{key}: run {run_id!r} in {runs.location} is no audit, it is of {', '.join(jobs)}; "
            "name the run id of an audit"
        )
    audits = [original_run_id(run) for of, run in known if of == _AUDIT]
    return (
        f"{key}: there is no run {run_id!r} in {runs.location}; it has "
        f"the audits {first_of(list(map(repr, audits[::-1]))) or 'none'}"
    )


def _columns(config: Mapping[str, Any]) -> tuple[str, ...]:
    ids, label = config["columns"]["id"], config["columns"]["label"]
    return (*([ids] if isinstance(ids, str) else ids or ()), label)


def collect_earlier(spark: SparkSession, runs: TargetTable, audit: Audit, table: str) -> list[str]:
    """List the audits of the table that were published before one, as they stand in the rows.

    Parameters
    ----------
    spark : SparkSession
    runs : TargetTable
    audit : Audit
    table : str

    Returns
    -------
    list of str
        At most the 1,000 newest.

    Notes
    -----
    One small job over the run records.
    """
    records = without_void(runs.frame(spark))
    is_audit = F.lit(True) if JOB not in records.columns else F.col(JOB) == _AUDIT
    before = records.where(
        is_audit & F.col("status").isin(*COUNTED) & (F.col("finished_at") < audit.finished_at)
    )
    newest = before.orderBy(F.col("finished_at").desc()).limit(_MOST_EARLIER)
    of = F.get_json_object("input", "$.table").alias("audited")
    rows = newest.select(RUN_ID, of).collect()
    own = audit.rows_of
    return [row[RUN_ID] for row in rows if row[RUN_ID] != own and same_place(row["audited"], table)]
