"""The steps of a comparison: find the audits, pin the table, join, test, stage."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from sparkclean.errors import InputError
from sparkclean.examples.columns import check_id_types, check_label_type
from sparkclean.jobs.compare.audits import (
    Audit,
    collect_earlier,
    find_audits,
    warn_of_other_rows,
)
from sparkclean.jobs.compare.changes import (
    CHANGES,
    Keys,
    changes_frame,
    count_changes,
    labels_of,
    suspects_of,
)
from sparkclean.jobs.compare.moves import Counts, find_moves, sentences
from sparkclean.jobs.compare.sections import CompareSection
from sparkclean.lake import open_source, open_target
from sparkclean.rows.columns import find_columns
from sparkclean.rows.report import Grid, Line, Report
from sparkclean.runs.context import Context, Parent, PinnedTable
from sparkclean.runs.job import Execution, Prepared, Result
from sparkclean.schema import RUN_ID, RUN_RECORDS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True, kw_only=True)
class ComparePrepared(Prepared):
    """A comparison that is ready.

    Attributes
    ----------
    one, other : Audit
    keys : Keys
    """

    one: Audit
    other: Audit
    keys: Keys

    @property
    def before(self) -> PinnedTable | None:
        """The version of the first audit, where it can be read."""
        return self.tables.get("before")


def prepare_comparison(context: Context) -> ComparePrepared:
    """Find the audits, pin the table and check them against each other. Writes nothing.

    Parameters
    ----------
    context : Context

    Returns
    -------
    ComparePrepared

    Raises
    ------
    ConfigError, InputError
    """
    config = context.config
    section = config.section(CompareSection)
    runs = context.targets[RUN_RECORDS.name]
    one, other = find_audits(runs, section.run_a, section.run_b, config)
    source = open_source(config.input.table, config.input.format, spark=context.spark)
    table = context.pin("input", source, other.selector)
    tables = {"input": table}
    if one.selector is not None:
        tables["before"] = context.pin("before", source, one.selector)
    names = [*config.columns.id_columns, config.columns.label]
    *ids, label = find_columns(table.frame, names, "columns.id and columns.label")
    schema = table.frame.schema
    findings = check_id_types(schema, ids) + check_label_type(schema, label)
    if findings:
        raise InputError(findings)
    typed = tuple((name, schema[name].dataType.simpleString()) for name in ids)
    keys = Keys(typed, label, schema[label].dataType.simpleString())
    return ComparePrepared(
        tables=tables,
        ids=typed,
        label_type=keys.label_type,
        parents=(Parent("audit", one.run_id), Parent("audit", other.run_id)),
        about={"compared": [one.run_id, other.run_id]},
        one=one,
        other=other,
        keys=keys,
    )


def describe_comparison(prepared: ComparePrepared, context: Context) -> Report:
    """Say what a comparison would do.

    Parameters
    ----------
    prepared : ComparePrepared
    context : Context

    Returns
    -------
    Report
    """
    audits = (("from", prepared.one), ("to", prepared.other))
    facts = [
        (name, f"audit {a.run_id} of {a.dataset_version}, {a.finished_at:%Y-%m-%d %H:%M}")
        for name, a in audits
    ]
    return Report([Grid(facts, line="{0:<9} {1}"), context.publishes])


def execute_comparison(prepared: ComparePrepared, execution: Execution) -> Result:
    """Join the suspects, test the rates, and stage what changed.

    Parameters
    ----------
    prepared : ComparePrepared
    execution : Execution

    Returns
    -------
    Result
    """
    spark, keys = execution.context.spark, prepared.keys
    with execution.progress.phase("compare suspects"):
        changes = _changes(prepared, execution.context)
        counts, digest = count_changes(changes, [name for name, _ in keys.ids])
    with execution.progress.phase("compare rates"):
        moves = find_moves(*(_counts(spark, audit) for audit in (prepared.one, prepared.other)))
    execution.computed()
    if execution.outputs.wants("changes"):
        own = changes.select("*", *execution.provenance.columns())
        execution.outputs.stage_frame("changes", own)
    if execution.outputs.wants("moves"):
        rows = [move | execution.provenance.values() for move in moves]
        execution.outputs.stage_rows("moves", rows, keys.label_type)
    moved = sum(move["moved"] for move in moves)
    metrics = counts | {"rates_compared": len(moves), "rates_moved": moved}
    numbers = [[move[name] for name in _COUNTED] for move in moves]
    text = json.dumps([digest, numbers], default=str)
    result = Result(metrics=metrics, result_hash=hashlib.sha256(text.encode()).hexdigest())
    return replace(result, report=_summarise(prepared, counts, moves))


#: Integers of a move: nothing of scipy enters the result hash.
_COUNTED = (
    "subject", "given_label", "suggested_label", "examples_a", "suspects_a", "examples_b",
    "suspects_b",
)  # fmt: skip


def _changes(prepared: ComparePrepared, context: Context) -> DataFrame:
    spark, keys = context.spark, prepared.keys
    one, other, table = prepared.one, prepared.other, prepared.input
    frames = [open_target(a.outputs["suspects"], spark=spark).frame(spark) for a in (one, other)]
    sides = zip(frames, (one, other), "ab", strict=True)
    found = [suspects_of(frame, keys, audit.rows_of, side) for frame, audit, side in sides]
    runs = context.targets[RUN_RECORDS.name]
    before = collect_earlier(spark, runs, one, table.pin.table)
    earlier = None
    if before:
        earlier = keys.select(frames[0].where(F.col(RUN_ID).isin(before)))
    old = None if prepared.before is None else labels_of(prepared.before.frame, keys, "a")
    new = labels_of(table.frame, keys, "b", with_file=True)
    is_b = table.pin.dataset_version == other.dataset_version
    return changes_frame(keys, (found[0], found[1]), earlier, (old, new), is_b=is_b)


def _counts(spark: SparkSession, audit: Audit) -> Counts:
    """Read what an audit counted by class and by pair; the driver holds a row for each."""
    missing = [name for name in ("classes", "pairs") if name not in audit.outputs]
    if missing:
        raise InputError(
            f"audit {audit.run_id!r} has written no {' and no '.join(missing)}, by which rates are "
            f"compared; audit with output.{missing[0]}"
        )

    def rows(name: str, *columns: str) -> list[Any]:
        frame = open_target(audit.outputs[name], spark=spark).frame(spark)
        return frame.where(F.col(RUN_ID) == audit.rows_of).select(*columns).collect()

    classes = {row[0]: (row[1], row[2]) for row in rows("classes", "class", "examples", "suspects")}
    pairs = {
        (row[0], row[1]): row[2]
        for row in rows("pairs", "given_label", "true_label", "suspects")
        if row[2]
    }
    return Counts(classes, pairs)


def _summarise(
    prepared: ComparePrepared, counts: dict[str, int], moves: list[dict[str, Any]]
) -> Report:
    parts = ", ".join(f"{counts[kind]:,} {kind}" for kind in CHANGES)
    first = f"from audit {prepared.one.run_id} to {prepared.other.run_id}: {parts}"
    labels = f"{counts['labels_changed']:,} of these rows have another label"
    warning = warn_of_other_rows(prepared.one, prepared.other)
    warnings = [] if warning is None else [Line(warning, tone="warning")]
    return Report([Line(first), Line(labels), *map(Line, sentences(moves)), *warnings])
