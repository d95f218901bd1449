"""Estimate how many labels are wrong, by the random part of the ledger."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from sparkclean import schema
from sparkclean.config.review import ReviewSection
from sparkclean.errors import InputError
from sparkclean.examples.ledger import DECIDED, LABEL, STATE, settle
from sparkclean.jobs.review.audited import collect_audit_joint, find_reviewed_audit
from sparkclean.jobs.review.numbers import Cells, Sampled, estimate_rows
from sparkclean.jobs.review.population import UNIT, doubt_units
from sparkclean.jobs.review.steps import (
    ReviewPrepared,
    needed_output,
    of_run,
    prepare_with_plan,
    read_ledger,
    read_output,
)
from sparkclean.lake import original_run_id
from sparkclean.noise.rates import Reviewers
from sparkclean.rows.columns import quoted
from sparkclean.rows.report import Grid, Line, Report
from sparkclean.runs.context import Context
from sparkclean.runs.job import Execution, Result
from sparkclean.schema import CONTENT_HASH, GOLD, MEASURE, SELF_CONFIDENCE

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_OF_CELL = ("stratum", "given_label", "rank_decile")


def prepare_estimate(context: Context) -> ReviewPrepared:
    """Find plan and ledger. Writes nothing.

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
    for name in ("queue", "strata", "estimates"):
        context.config.output.needed(name, context.job)
    return prepare_with_plan(context)


def describe_estimate(prepared: ReviewPrepared, context: Context) -> Report:
    """Say by which plan would be estimated."""
    place = context.targets["estimates"].location
    return Report([Line(f"plan {original_run_id(prepared.plan or '')} -> {place}")])


def execute_estimate(prepared: ReviewPrepared, execution: Execution) -> Result:
    """Estimate, and stage the numbers.

    Parameters
    ----------
    prepared : ReviewPrepared
    execution : Execution

    Returns
    -------
    Result

    Raises
    ------
    InputError
        If the plan has no random part, or nobody has decided on it.

    Notes
    -----
    Some six small jobs over queue and ledger; the table itself is not read. The driver holds a
    count for each stratum, given label and rank decile.
    """
    context = execution.context
    with execution.progress.phase("count decisions") as phase:
        cells = collect_cells(prepared, context)
        phase.rows = sum(cell.reviewed for cell in cells.cells)
        # two reviews and a third person correct themselves; gold items tell of one review
        reviewers = _collect_reviewers(context) if cells.is_single else None
        joint = _joint(context, prepared)
    rows = estimate_rows(cells, reviewers, joint)
    execution.computed()
    constants = execution.provenance.values()
    if execution.outputs.wants("estimates"):
        execution.outputs.stage_rows(
            "estimates", [row | constants for row in rows], prepared.label_type
        )
    return Result(
        rows=sum(cell.examples for cell in cells.cells),
        metrics=_metrics(rows),
        report=_report(prepared, rows),
    )


def _joint(context: Context, prepared: ReviewPrepared) -> tuple[list[int], list[list[int]]] | None:
    """Read the joint of the audit that the plan is of; None where it is gone."""
    runs = context.targets.get("runs")
    record = None
    if runs is not None:
        record = runs.find_record("review-plan", original_run_id(prepared.plan or ""))
    if record is None:
        return None
    name = json.loads(record["input"]).get("audit")
    section = context.config.section(ReviewSection).model_copy(update={"audit": name})
    config = context.config.model_copy(update={"review": section})
    try:
        audit = find_reviewed_audit(replace(context, config=config))
        return collect_audit_joint(context, audit)
    except InputError:
        return None


# -- counts ----------------------------------------------------------------------------------------


def collect_cells(prepared: ReviewPrepared, context: Context) -> Cells:
    """Count the random part by stratum, given label and rank decile.

    Parameters
    ----------
    prepared : ReviewPrepared
    context : Context

    Returns
    -------
    Cells

    Raises
    ------
    InputError
        If the plan has no random part, or nobody has decided on it.
    """
    plan, ids = prepared.plan or "", prepared.id_columns
    strata, queue = needed_output(context, "strata"), needed_output(context, "queue")
    frame = [row.asDict() for row in of_run(strata, plan).collect()]
    if not any(row["drawn"] for row in frame):
        raise InputError(
            f"review.plan: plan {original_run_id(plan)!r} has drawn no random part; plan with "
            "review.measure above 0"
        )
    design = frame[0]["design"]
    # draws of all plans of this design are one sample
    drawn = (F.col("part") == MEASURE) & (F.col("design") == design)
    items = queue.where(drawn).dropDuplicates(ids)
    counts = _collect_counts(items, read_ledger(context), ids)
    if not any(row["reviewed"] for row in counts.values()):
        raise InputError(
            f"review.plan: nobody has decided on the random part of plan {original_run_id(plan)!r} "
            "yet; export it, let reviewers decide, and import the files"
        )
    cells = [_sampled(row, counts) for row in frame]
    reviews = queue.where(drawn).groupBy(*map(quoted, ids)).agg(F.count("*").alias("__reviews"))
    most = reviews.agg(F.max("__reviews")).collect()[0][0]
    return Cells(cells, is_single=most == 1)


def _sampled(
    row: Mapping[str, Any], counts: Mapping[tuple[Any, ...], Mapping[str, Any]]
) -> Sampled:
    """Put what a plan says of a cell beside what was counted there."""
    nothing = dict.fromkeys(("drawn", *Sampled.SUMS), 0)
    found = counts.get(tuple(row[name] for name in _OF_CELL), nothing)
    return Sampled(
        stratum=row["stratum"],
        is_suspect=row["is_suspect"],
        label=row["given_label"],
        decile=row["rank_decile"],
        examples=row["examples"],
        doubt=row["doubt"],
        # an example that no reviewer could get is in no queue, and undecided all the same
        drawn=max(found["drawn"], row["drawn"]),
        **{name: found[name] for name in Sampled.SUMS},
    )


def _collect_counts(
    items: DataFrame, ledger: DataFrame | None, ids: list[str]
) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Count drawn, decided and wrong examples of each cell, and add up the model's doubts."""
    own = [*ids, *_OF_CELL, CONTENT_HASH, SELF_CONFIDENCE]
    drawn = items.select(*map(quoted, own))
    if ledger is None:
        joined = drawn.withColumn(STATE, F.lit(None).cast("string"))
        joined = joined.withColumn(LABEL, F.lit(None).cast(items.schema["given_label"].dataType))
    else:
        known = settle(ledger, ids).select(*map(quoted, ids), CONTENT_HASH, STATE, LABEL)
        known = known.withColumnRenamed(CONTENT_HASH, "__hash")
        names = {name: f"__known_{i}" for i, name in enumerate(ids)}
        for name, other in names.items():
            known = known.withColumnRenamed(name, other)
        same = F.col(CONTENT_HASH).eqNullSafe(F.col("__hash"))
        for name, other in names.items():
            same &= quoted(name) == F.col(other)
        joined = drawn.join(known, same, "left")
    is_decided = F.coalesce(F.col(STATE) == DECIDED, F.lit(False))
    is_wrong = is_decided & (F.col(LABEL) != F.col("given_label"))
    doubt = doubt_units(F.col(SELF_CONFIDENCE))
    sums = joined.groupBy(*_OF_CELL).agg(
        F.count("*").alias("drawn"),
        F.sum(is_decided.cast("bigint")).alias("reviewed"),
        F.sum(is_wrong.cast("bigint")).alias("errors"),
        F.sum(F.when(is_decided, doubt).otherwise(0)).alias("doubts"),
        F.sum(F.when(is_wrong, doubt).otherwise(0)).alias("error_doubts"),
        # a square has 40 bits: of 100,000 draws the sum still fits
        F.sum(F.when(is_decided, doubt * doubt).otherwise(0)).alias("doubts_squared"),
    )
    found = {}
    for row in sums.collect():
        values = row.asDict()
        for name, unit in (("doubts", UNIT), ("error_doubts", UNIT), ("doubts_squared", UNIT**2)):
            values[name] = values[name] / unit
        found[tuple(row[name] for name in _OF_CELL)] = values
    return found


def _collect_reviewers(context: Context) -> Reviewers | None:
    """Count what reviewers say of gold items."""
    ledger, queue = read_ledger(context), read_output(context, "queue")
    if ledger is None or queue is None:
        return None
    gold = queue.where(F.col("part") == GOLD)
    tasks = gold.select(F.col(schema.RUN_ID).alias("queue"), "queue_item", "reviewer", "gold_label")
    votes = ledger.where((F.col("part") == GOLD) & ~F.col("is_unclear"))
    last = votes.groupBy("queue", "queue_item", "reviewer", "given_label").agg(
        F.max(F.struct("decided_at", "imported_at", schema.DECIDED_LABEL)).alias("vote")
    )
    both = last.join(tasks, ["queue", "queue_item", "reviewer"])
    is_wrong = F.col("gold_label") != F.col("given_label")
    says_wrong = F.col("vote")[schema.DECIDED_LABEL] != F.col("given_label")
    row = both.agg(
        F.sum(is_wrong.cast("int")),
        F.sum((is_wrong & says_wrong).cast("int")),
        F.sum((~is_wrong).cast("int")),
        F.sum((~is_wrong & ~says_wrong).cast("int")),
    ).collect()[0]
    return Reviewers(*(int(value or 0) for value in row))


# -- for people ------------------------------------------------------------------------------------


def _metrics(rows: list[dict[str, Any]]) -> dict[str, Any]:
    wanted = ("error_rate", "wrong_labels", "precision", "recall", "errors_left")
    found: dict[str, Any] = {}
    for row in rows:
        if row["scope"] == "all" and row["method"] == "reviewed" and row["measure"] in wanted:
            found[row["measure"]] = row["value"]
            found[f"{row['measure']}_low"] = row["low"]
            found[f"{row['measure']}_high"] = row["high"]
    return found


def _report(prepared: ReviewPrepared, rows: list[dict[str, Any]]) -> Report:
    main = [row for row in rows if row["scope"] in ("all", "suspects", "others")]
    shown = [
        (
            row["measure"].replace("_", " "),
            row["scope"],
            row["method"],
            _number(row["measure"], row["value"]),
            _number(row["measure"], row["low"]),
            _number(row["measure"], row["high"]),
            f"{row['errors']:,} of {row['reviewed']:,}",
        )
        for row in main
        if row["measure"] != "reviews_to_halve"
    ]
    titles = ("number", "of", "method", "estimate", "low", "high", "errors")
    lines: list[Line | Grid] = [
        Line(f"plan {original_run_id(prepared.plan or '')}, 95 % intervals"),
        Grid(shown, titles, right=(3, 4, 5, 6), indent=2),
    ]
    more = [row["value"] for row in rows if row["measure"] == "reviews_to_halve"]
    if more and more[0] is not None:
        lines.append(Line(f"{int(more[0]):,} more reviews would halve the interval of the rate"))
    return Report(lines)


def _number(measure: str, value: float | None) -> str:
    if value is None:
        return "unknown"
    if measure in ("wrong_labels", "errors_left"):
        return f"{value:,.0f}"
    return f"{100 * value:.2f} %"
