"""The audit that a later job goes by, as its run record tells of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from sparkclean.config.sections import Config
from sparkclean.errors import InputError
from sparkclean.lake import TargetTable, original_run_id, safe_run_id
from sparkclean.lake.run_records import without_void
from sparkclean.locations import same_place
from sparkclean.runs.status import PUBLISHED
from sparkclean.schema import JOB, RUN_ID

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

#: Run records that are looked through for the last audit of a table.
_NEWEST = 1000
_SHOWN = 5
_AUDIT = "audit"


@dataclass(frozen=True)
class Audit:
    """A published audit.

    Attributes
    ----------
    run_id : str
        The scheduler's.
    clean_mode : str
    where : str or None
        Which rows were audited.
    input : mapping
        The pin of the audited table, without its list of files.
    outputs : mapping
        Locations, by the name of the output.
    config : mapping
        Of the audit, as its record has it.
    """

    run_id: str
    clean_mode: str
    where: str | None
    input: Mapping[str, Any]
    outputs: Mapping[str, str]
    config: Mapping[str, Any] = field(default_factory=dict)


def find_audit(
    spark: SparkSession,
    runs: TargetTable,
    run_id: str | None,
    config: Config,
    key: str = "train.audit",
) -> Audit:
    """Find a published audit of a table by the run records.

    Parameters
    ----------
    spark : SparkSession
    runs : TargetTable
    run_id : str or None
        None: the last one of the same label.
    config : Config
        Of which ``input.table``, record id and label count.
    key : str
        Of the configuration, that names the audit.

    Returns
    -------
    Audit

    Raises
    ------
    InputError
        If there is none, or the run was no audit, was of another table or label, or did not
        publish.

    Notes
    -----
    Two small jobs over the run records.
    """
    table, columns = config.input.table, _key_columns(config.model_dump(mode="json"))
    records = _records(spark, runs, table, key)
    if run_id is None:
        run_id = _last_audit(records, runs, table, columns, key)
    row = runs.find_record(_AUDIT, run_id)
    if row is None:  # the name that every format accepts is known, too
        row = runs.find_record(_AUDIT, original_run_id(run_id))
    if row is None:
        raise InputError(_unknown(records, runs, run_id, key))
    if row["status"] != PUBLISHED:
        reason = (row["message"] or "").splitlines()
        raise InputError(
            f"{key}: run {run_id!r} has published no cleaned version, its record says "
            f"{row['status']}{': ' + reason[0] if reason else ''}; audit again, or name another run"
        )
    source = json.loads(row["input"])
    if not same_place(source["table"], table):
        raise InputError(
            f"{key}: run {run_id!r} has audited {source['table']}, and input.table is "
            f"{table}; set input.table, or name an audit of it"
        )
    outputs, then = json.loads(row["outputs"]), json.loads(row["config"])
    if _key_columns(then) != columns:
        raise InputError(
            f"{key}: run {run_id!r} was of the columns {_shown(_key_columns(then))}, and "
            f"these are {_shown(columns)}; name an audit of the same label"
        )
    return Audit(
        run_id=row["original_run_id"],
        clean_mode=then["clean"]["mode"],
        where=then["input"]["where"],
        input=source,
        outputs={name: entry["location"] for name, entry in outputs.items()},
        config=then,
    )


def _unknown(records: DataFrame, runs: TargetTable, run_id: str, key: str) -> str:
    """Say that there is no such audit, and which there are."""
    if records.where(F.col(RUN_ID) == safe_run_id(run_id)).limit(1).collect():
        return (
            f"{key}: run {run_id!r} was no audit; name the run id of `sparkclean audit` or "
            "`sparkclean run`"
        )
    newest = records.where(_is_audit(records)).orderBy(F.col("finished_at").desc())
    there = [row[0] for row in newest.select("original_run_id").limit(_SHOWN).collect()]
    return (
        f"{key}: there is no run {run_id!r} in {runs.location}; the last audits are "
        f"{', '.join(map(repr, there)) or 'none'}"
    )


def _is_audit(records: DataFrame) -> Column:
    """Tell records of published audits; of those without a job, audits alone have a hash."""
    job = F.col(JOB) if JOB in records.columns else F.lit(None)
    known = F.coalesce(job == _AUDIT, F.col("result_hash").isNotNull())
    return (F.col("status") == PUBLISHED) & known


def _records(spark: SparkSession, runs: TargetTable, table: str, key: str) -> DataFrame:
    try:
        if runs.current() is not None:
            return without_void(runs.frame(spark))
    except InputError:
        pass
    raise InputError(_no_audit(runs, table, key))


def _no_audit(runs: TargetTable, table: str, key: str) -> str:
    return (
        f"{key}: {runs.location} holds no record of a published audit of {table}; run "
        "`sparkclean run` or `sparkclean audit` first, with the same output.runs"
    )


def _last_audit(
    records: DataFrame, runs: TargetTable, table: str, columns: tuple[list[str], str], key: str
) -> str:
    newest = records.where(_is_audit(records)).orderBy(F.col("finished_at").desc()).limit(_NEWEST)
    of = F.get_json_object("input", "$.table").alias("audited")
    for row in newest.select("original_run_id", of, "config").collect():
        same = _key_columns(json.loads(row["config"])) == columns
        if same and same_place(row["audited"], table):
            return str(row["original_run_id"])
    raise InputError(_no_audit(runs, table, key))


def _key_columns(config: Mapping[str, Any]) -> tuple[list[str], str]:
    """Give record id (no column, where rows are numbered) and label, as a record has them."""
    ids, label = config["columns"]["id"], config["columns"]["label"]
    return [ids] if isinstance(ids, str) else list(ids or ()), label


def _shown(columns: tuple[list[str], str]) -> str:
    return ", ".join(map(repr, (*columns[0], columns[1])))
