"""Say how far a review has come: by part, by reviewer, and by the last estimate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from sparkclean import schema
from sparkclean.examples.ledger import CONTRADICTORY, DISPUTED, STATE, settle
from sparkclean.jobs.review.steps import (
    ReviewPrepared,
    needed_output,
    of_run,
    prepare_with_plan,
    read_ledger,
    read_output,
)
from sparkclean.lake import original_run_id
from sparkclean.rows.report import Grid, Line, Report
from sparkclean.runs.context import Context
from sparkclean.runs.job import Execution, Result
from sparkclean.schema import GOLD, RUN_ID

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_TASK = ("queue_item", "reviewer")


def prepare_status(context: Context) -> ReviewPrepared:
    """Find the plan. Writes nothing.

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
    return prepare_with_plan(context)


def describe_status(prepared: ReviewPrepared, context: Context) -> Report:
    """Say how far the review has come."""
    return _status(prepared, context)[0]


def execute_status(prepared: ReviewPrepared, execution: Execution) -> Result:
    """Say how far the review has come, and record it.

    Parameters
    ----------
    prepared : ReviewPrepared
    execution : Execution

    Returns
    -------
    Result

    Notes
    -----
    A few small jobs over queue and ledger.
    """
    report, metrics = _status(prepared, execution.context)
    execution.computed()
    return Result(metrics=metrics, report=report)


def _status(prepared: ReviewPrepared, context: Context) -> tuple[Report, dict[str, Any]]:
    plan, ids = prepared.plan or "", prepared.id_columns
    queue = needed_output(context, "queue")
    tasks, ledger = of_run(queue, plan), read_ledger(context)
    joined = _with_votes(tasks, ledger, plan)
    done = F.sum(F.col("__vote").isNotNull().cast("int"))
    by_part = {
        row[0]: (row[1], row[2]) for row in joined.groupBy("part").agg(F.count("*"), done).collect()
    }
    by_reviewer = _reviewers(joined)
    open_ = 0
    if ledger is not None:
        state = F.col(STATE).isin(CONTRADICTORY, DISPUTED)
        open_ = settle(ledger, ids).where(state).count()
    asked, answered = (sum(pair[i] for pair in by_part.values()) for i in (0, 1))
    lines: list[Line | Grid] = [
        Line(f"plan {original_run_id(plan)}: {answered:,} of {asked:,} reviews are done"),
        Grid(
            [
                (part, f"{by_part[part][1]:,}", f"{by_part[part][0]:,}")
                for part in schema.QUEUE_PARTS
                if part in by_part
            ],
            ("part", "done", "asked"),
            right=(1, 2),
            indent=2,
        ),
        Grid(by_reviewer, ("reviewer", "done", "asked", "agreement", "gold"), (1, 2, 3, 4), 2),
        Line(f"{open_:,} examples wait for a third person"),
        *_last_estimate(context),
    ]
    return Report(lines), {"asked": asked, "done": answered, "disagreements": open_}


def _with_votes(tasks: DataFrame, ledger: DataFrame | None, plan: str) -> DataFrame:
    """Add to each task the last decision of its reviewer."""
    if ledger is None:
        label = tasks.schema["given_label"].dataType
        return tasks.withColumn("__vote", F.lit(None).cast("string")).withColumn(
            "__label", F.lit(None).cast(label)
        )
    vote = F.struct("decided_at", "imported_at", schema.DECIDED_LABEL)
    last = ledger.where(F.col("queue") == plan).groupBy(*_TASK).agg(F.max(vote).alias("__vote"))
    return tasks.join(last, list(_TASK), "left").withColumn(
        "__label", F.col("__vote")[schema.DECIDED_LABEL]
    )


def _reviewers(joined: DataFrame) -> list[tuple[str, ...]]:
    """Count by reviewer: done, asked, agreement with the others, right answers on gold items."""
    done = F.col("__vote").isNotNull()
    others = joined.groupBy("queue_item").agg(
        F.min("__label").alias("__low"),
        F.max("__label").alias("__high"),
        F.sum(done.cast("int")).alias("__votes"),
    )
    both = joined.join(others, "queue_item")
    shared = done & (F.col("__votes") > 1) & (F.col("part") != GOLD)
    is_gold = done & (F.col("part") == GOLD)
    agrees = (
        F.coalesce(F.col("__low") == F.col("__high"), F.lit(False)) & F.col("__label").isNotNull()
    )
    is_right = F.coalesce(F.col("__label") == F.col("gold_label"), F.lit(False))

    def count(condition: Any) -> Any:
        return F.sum(condition.cast("int"))

    found = both.groupBy("reviewer").agg(
        count(done),
        F.count("*"),
        count(shared & agrees),
        count(shared),
        count(is_gold & is_right),
        count(is_gold),
    )
    return [
        (name, f"{done:,}", f"{asked:,}", _share(agree, of), _share(right, gold))
        for name, done, asked, agree, of, right, gold in sorted(map(tuple, found.collect()))
    ]


def _share(hits: int, total: int) -> str:
    return "none" if not total else f"{100 * hits / total:.0f} % of {total:,}"


def _last_estimate(context: Context) -> list[Line]:
    """Repeat the error rate that the last estimate has found."""
    place = context.config.output.location("estimates")
    frame = None if place is None else read_output(context, "estimates")
    if frame is None:
        return [Line("no estimate yet")]
    runs = context.targets.get("runs")
    main = frame.where("measure = 'error_rate' AND scope = 'all' AND method = 'reviewed'")
    rows = {row[RUN_ID]: row for row in main.collect()}
    newest = None
    if runs is not None and rows:
        known = runs.frame(context.spark).where(F.col(RUN_ID).isin(list(rows)))
        own = known.where((F.col("job") == "review-estimate") & (F.col("status") == "published"))
        last = own.orderBy(F.col("finished_at").desc()).select(RUN_ID).limit(1).collect()
        newest = rows.get(last[0][0]) if last else None
    if newest is None or newest["value"] is None:
        return [Line("no estimate yet")]
    value, low, high = (100 * newest[name] for name in ("value", "low", "high"))
    text = f"last estimate: {value:.2f} % of the labels are wrong, from {low:.2f} to {high:.2f} %"
    return [Line(text)]
