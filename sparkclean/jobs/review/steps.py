"""What all review jobs need: the reviewed table, the plans of before, the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from sparkclean.config.review import ReviewSection
from sparkclean.errors import ConfigError, InputError
from sparkclean.examples.columns import check_id_types, check_label_type
from sparkclean.examples.ledger import open_rows
from sparkclean.lake import TargetTable, open_source, original_run_id, safe_run_id
from sparkclean.rows.columns import find_columns, quoted
from sparkclean.runs.context import Context, Parent, PinnedTable
from sparkclean.runs.job import Prepared
from sparkclean.runs.status import PUBLISHED
from sparkclean.schema import JOB, LEDGER, QUEUE, RUN_ID, RUN_RECORDS, STRATA

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

PLAN_JOB = "review-plan"
_OWN = {name for columns in (QUEUE, STRATA, LEDGER) for name, _ in columns}
_FILE = {"decided_label", "unclear", "decided_at", "note", "reviewer", "queue", "queue_item"}


@dataclass(frozen=True, kw_only=True)
class ReviewPrepared(Prepared):
    """A review that is ready.

    Attributes
    ----------
    label : str
        Label column.
    plan : str or None
        Safe run id of the plan that is gone by.
    more : mapping
        What else a job has found.
    """

    label: str
    plan: str | None = None
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def id_columns(self) -> list[str]:
        """Names of the record id columns."""
        return [name for name, _ in self.ids]


def open_reviewed(context: Context) -> tuple[PinnedTable, tuple[tuple[str, str], ...], str, str]:
    """Pin the table that is reviewed, and check its record ids and labels.

    Parameters
    ----------
    context : Context

    Returns
    -------
    table : PinnedTable
    ids : tuple of (str, str)
        Names and types of the record id columns.
    label, label_type : str

    Raises
    ------
    ConfigError, InputError
    """
    config = context.config
    if config.columns.is_numbered:
        raise ConfigError(
            "columns.id: null numbers rows, and a row has another number in the next version of "
            "the table; decisions need a record id that stays. Name one"
        )
    source = open_source(config.input.table, config.input.format, spark=context.spark)
    table = context.pin("input", source, config.input.version)
    named = "columns.id and columns.label"
    *ids, label = find_columns(
        table.frame, [*config.columns.id_columns, config.columns.label], named
    )
    schema = table.frame.schema
    findings = check_id_types(schema, ids) + check_label_type(schema, label)
    findings += [
        f"columns.id: {name!r} is also the name of a column of the review; rename the column of "
        "the table"
        for name in ids
        if name.lower() in _OWN | _FILE
    ]
    findings += [
        f"review.content: {name!r} is also the name of a column of the files for reviewers; rename "
        "the column of the table"
        for name in config.section(ReviewSection).content
        if name.lower() in _FILE
    ]
    if findings:
        raise InputError(findings)
    types = tuple((name, schema[name].dataType.simpleString()) for name in ids)
    return table, types, label, schema[label].dataType.simpleString()


def records_of(context: Context, what: str) -> TargetTable:
    """Give the run records; raise `ConfigError` where there are none."""
    runs = context.targets.get(RUN_RECORDS.name)
    if runs is None:
        raise ConfigError(
            f"output.runs: null, but {what} is found in the run records; name those of the audit"
        )
    return runs


def find_plan(context: Context) -> str:
    """Find the plan that a job goes by: the one that is named, or the last one of the table.

    Parameters
    ----------
    context : Context

    Returns
    -------
    str
        Safe run id.

    Raises
    ------
    InputError
        If there is none.

    Notes
    -----
    A small job over the run records.
    """
    wanted = context.note("plan") or context.config.section(ReviewSection).plan
    runs = records_of(context, "the plan")
    table = context.config.input.table
    known: list[Any] = []
    if runs.current() is not None:
        records = runs.frame(context.spark)
        if JOB in records.columns:
            of = F.get_json_object("config", "$.input.table")
            mine = (F.col(JOB) == PLAN_JOB) & (F.col("status") == PUBLISHED) & (of == table)
            newest = records.where(mine).orderBy(F.col("finished_at").desc())
            known = [row[0] for row in newest.select(RUN_ID).limit(1000).collect()]
    if wanted is not None:
        for name in (safe_run_id(wanted), wanted):
            if name in known:
                return name
        shown = ", ".join(repr(original_run_id(name)) for name in known[:5]) or "none"
        raise InputError(
            f"review.plan: {runs.location} has no plan {wanted!r} of {table}; the last plans are "
            f"{shown}"
        )
    if not known:
        raise InputError(
            f"review.plan: {runs.location} holds no plan of {table}; run sparkclean review plan "
            "first, with the same output.runs"
        )
    return str(known[0])


def prepare_with_plan(context: Context) -> ReviewPrepared:
    """Pin the table and find the plan that a command goes by. Writes nothing.

    Parameters
    ----------
    context : Context

    Returns
    -------
    ReviewPrepared

    Raises
    ------
    ConfigError, InputError
    """
    table, ids, label, label_type = open_reviewed(context)
    plan = find_plan(context)
    return ReviewPrepared(
        tables={"input": table},
        ids=ids,
        label_type=label_type,
        label=label,
        plan=plan,
        notes={"plan": plan},
        parents=(Parent(PLAN_JOB, original_run_id(plan)),),
        about={"plan": plan},
    )


def ledger_place(context: Context) -> str:
    """Give the location of the ledger."""
    config = context.config
    own = config.section(ReviewSection).ledger
    return own if own is not None else config.output.needed("ledger", context.job)


def read_ledger(context: Context) -> DataFrame | None:
    """Read the ledger; None where nothing was imported yet."""
    config = context.config
    form = config.output.format if config.section(ReviewSection).ledger is None else "auto"
    return open_rows(context.spark, ledger_place(context), config.input.table, form)


def read_output(context: Context, name: str) -> DataFrame | None:
    """Read the rows of an output of the review that are of the table; None if there are none."""
    config = context.config
    place = config.output.needed(name, context.job)
    return open_rows(context.spark, place, config.input.table, config.output.format)


def needed_output(context: Context, name: str) -> DataFrame:
    """Read the rows of an output as `read_output`; raise `InputError` if there are none."""
    frame = read_output(context, name)
    if frame is None:
        raise InputError(
            f"output.{name}: nothing was published at {context.config.output.location(name)}; run "
            "sparkclean review plan first"
        )
    return frame


def of_run(frame: DataFrame, run: str) -> DataFrame:
    """Keep the rows of a run."""
    return frame.where(F.col(RUN_ID) == run)


def frame_of_ids(
    spark: SparkSession, rows: Sequence[tuple[Any, ...]], ids: Sequence[tuple[str, str]]
) -> DataFrame:
    """Make a small frame of record ids."""
    return spark.createDataFrame(list(rows), ", ".join(f"`{n}` {kind}" for n, kind in ids))


def sorted_ids(ids: Sequence[str]) -> list[Any]:
    """Give the record id columns, to order by."""
    return [quoted(name) for name in ids]
