"""Add to the ledger what reviewers have decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from sparkclean import schema
from sparkclean.config.classes import resolve_classes
from sparkclean.config.review import ReviewSection
from sparkclean.errors import InputError
from sparkclean.jobs.review.decisions import Decision, FileRow, Judged, Task, judge_rows
from sparkclean.jobs.review.files import digest_of, find_files, read_file
from sparkclean.jobs.review.steps import (
    ReviewPrepared,
    needed_output,
    open_reviewed,
    read_ledger,
    read_output,
)
from sparkclean.rows.columns import quoted
from sparkclean.rows.driver_rows import rows_frame
from sparkclean.rows.report import Grid, Line, Report
from sparkclean.runs.context import Context
from sparkclean.runs.job import Execution, Result
from sparkclean.schema import RUN_ID

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_IMPORTED_AT = "imported_at"
_LONGEST = 200


def prepare_import(context: Context) -> ReviewPrepared:
    """Read the files. Writes nothing.

    Parameters
    ----------
    context : Context

    Returns
    -------
    ReviewPrepared

    Raises
    ------
    ConfigError, InputError
        With what is wrong with all files.
    """
    config = context.config
    section = config.section(ReviewSection)
    for name in ("ledger", "queue"):
        config.output.needed(name, context.job)
    named = section.files
    if named is None:
        named = config.output.needed("review", context.job)
    paths = find_files([named] if isinstance(named, str) else named)
    table, ids, label, label_type = open_reviewed(context)
    rows: list[FileRow] = []
    findings: list[str] = []
    for path in paths:
        try:
            rows += read_file(path, [name for name, _ in ids])
        except InputError as exc:
            findings += exc.findings
    if findings:
        raise InputError(findings)
    now = context.note(_IMPORTED_AT) or datetime.now(timezone.utc).isoformat()
    digest = digest_of({path: path.read_bytes() for path in paths})
    return ReviewPrepared(
        tables={"input": table},
        ids=ids,
        label_type=label_type,
        label=label,
        notes={_IMPORTED_AT: now},
        about={"files": len(paths)},
        # a run id stands for these files: with others it is another run
        taken=(("review.files", digest),),
        more={"rows": rows, "files": [str(path) for path in paths], _IMPORTED_AT: now},
    )


def describe_import(prepared: ReviewPrepared, context: Context) -> Report:
    """Say what the files hold, and what would become of it."""
    judged = _judge(prepared, context)[0]
    return Report(_lines(prepared, judged))


def execute_import(prepared: ReviewPrepared, execution: Execution) -> Result:
    """Judge the rows, and stage new decisions and refused rows.

    Parameters
    ----------
    prepared : ReviewPrepared
    execution : Execution

    Returns
    -------
    Result

    Notes
    -----
    Three small jobs. The driver holds the rows of the files, and of queue and ledger those of the
    plans that the files name.
    """
    context, outputs = execution.context, execution.outputs
    judged, tasks = _judge(prepared, context)
    execution.computed()
    constants = execution.provenance.values()
    now = datetime.fromisoformat(prepared.more[_IMPORTED_AT])
    if outputs.wants("ledger"):
        rows = [_ledger_row(d, tasks, prepared, now) | constants for d in judged.decisions]
        columns = (*prepared.ids, *schema.LEDGER)
        outputs.stage_frame("ledger", rows_frame(context.spark, rows, columns, prepared.label_type))
    if outputs.wants("rejected_decisions"):
        refused = [
            {
                "file": refusal.row.file,
                "line": refusal.row.line,
                "queue": _short(refusal.row.queue),
                "queue_item": _short(refusal.row.item),
                "reviewer": _short(refusal.row.reviewer),
                "decision": _short(_decision_text(refusal.row)),
                schema.REASON: refusal.reason,
                schema.DETAIL: refusal.detail,
                **constants,
            }
            for refusal in judged.refused
        ]
        outputs.stage_rows("rejected_decisions", refused)
    metrics = {
        "decisions": len(judged.decisions),
        "known": judged.known,
        "blank": judged.blank,
        "rejected": len(judged.refused),
    }
    return Result(
        rows=len(prepared.more["rows"]), metrics=metrics, report=Report(_lines(prepared, judged))
    )


def _decision_text(row: FileRow) -> str:
    return " ".join(str(part) for part in (row.label, row.unclear) if part not in (None, ""))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _lines(prepared: ReviewPrepared, judged: Judged) -> list[Line | Grid]:
    counts = [
        ("new decisions", len(judged.decisions)),
        ("known before", judged.known),
        ("not decided yet", judged.blank),
        ("rejected", len(judged.refused)),
    ]
    files = prepared.more["files"]
    lines: list[Line | Grid] = [
        Line(f"{len(prepared.more['rows']):,} rows of {len(files):,} files"),
        Grid([(name, f"{count:,}") for name, count in counts], right=(1,), indent=2),
    ]
    reasons = Counter(refusal.reason for refusal in judged.refused)
    if reasons:
        lines.append(
            Grid(
                [(reason, f"{count:,}") for reason, count in sorted(reasons.items())],
                ("reason", "rows"),
                right=(1,),
                indent=2,
            )
        )
        first = judged.refused[0]
        lines.append(
            Line(f"first: {first.row.file}, line {first.row.line}: {first.detail}", "warning")
        )
    return lines


# -- what is known ---------------------------------------------------------------------------------


def _judge(
    prepared: ReviewPrepared, context: Context
) -> tuple[Judged, dict[tuple[str, int], Task]]:
    """Judge the rows by queue and ledger."""
    rows: list[FileRow] = prepared.more["rows"]
    queues = sorted({row.queue.strip().removeprefix("'") for row in rows})
    queue = needed_output(context, "queue")
    tasks = _tasks(queue, prepared, queues)
    ledger = read_ledger(context)
    known = [] if ledger is None else _known(ledger, queues)
    return judge_rows(rows, tasks, _labels(context, queue, queues), known), tasks


def _tasks(
    queue: DataFrame, prepared: ReviewPrepared, queues: Sequence[str]
) -> dict[tuple[str, int], Task]:
    ids = prepared.id_columns
    own = [RUN_ID, "queue_item", "reviewer", "part", "inclusion_probability", "given_label"]
    chosen = queue.where(F.col(RUN_ID).isin(list(queues)))
    tasks: dict[tuple[str, int], Task] = {}
    for row in chosen.select(*own, schema.CONTENT_HASH, *map(quoted, ids)).collect():
        key = (row[RUN_ID], row["queue_item"])
        others = tasks[key].reviewers if key in tasks else ()
        tasks[key] = Task(
            tuple(row[name] for name in ids),
            row["part"],
            {*others, row["reviewer"]},
            row["inclusion_probability"],
            row["given_label"],
            row[schema.CONTENT_HASH],
        )
    return tasks


def _known(ledger: DataFrame, queues: Sequence[str]) -> list[Decision]:
    own = ["queue", "queue_item", "reviewer", schema.DECIDED_LABEL, "note"]
    # a moment as microseconds: what Spark makes of it depends on the time zone of the driver
    moment = F.unix_micros("decided_at").alias("at")
    of = ledger.where(F.col("queue").isin(list(queues))).select(*own, moment)
    return [
        Decision(row[0], row[1], row[2], row[3], row[4], _moment(row[5])) for row in of.collect()
    ]


def _moment(micros: int) -> datetime:
    whole, rest = divmod(micros, 1_000_000)
    return datetime.fromtimestamp(whole, timezone.utc).replace(microsecond=rest)


def _labels(context: Context, queue: DataFrame, queues: Sequence[str]) -> list[Any]:
    """Give the labels that a reviewer may decide: the classes, and those that are in the plan."""
    found = dict.fromkeys(resolve_classes(context.config) or ())
    strata = read_output(context, "strata")
    if strata is not None:
        rows = strata.where(F.col(RUN_ID).isin(list(queues))).select("given_label").distinct()
        found |= dict.fromkeys(sorted((row[0] for row in rows.collect()), key=str))
    more = queue.where(F.col(RUN_ID).isin(list(queues))).select("suggested_label").distinct()
    found |= dict.fromkeys(sorted((r[0] for r in more.collect() if r[0] is not None), key=str))
    return list(found)


def _ledger_row(
    decision: Decision,
    tasks: dict[tuple[str, int], Task],
    prepared: ReviewPrepared,
    now: datetime,
) -> dict[str, Any]:
    task = tasks[decision.queue, decision.item]
    return dict(zip(prepared.id_columns, task.ids, strict=True)) | {
        schema.DECIDED_LABEL: decision.label,
        "is_unclear": decision.label is None,
        "reviewer": decision.reviewer,
        "decided_at": decision.decided_at or now,
        "imported_at": now,
        "queue": decision.queue,
        "queue_item": decision.item,
        "part": task.part,
        "inclusion_probability": task.inclusion_probability,
        "given_label": task.given,
        schema.CONTENT_HASH: task.content_hash,
        "note": decision.note,
    }
