"""Write a file for each reviewer of a plan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from sparkclean.config.review import ReviewSection
from sparkclean.errors import InputError
from sparkclean.jobs.review.files import VIEW, Sheet, write_once
from sparkclean.jobs.review.steps import (
    ReviewPrepared,
    frame_of_ids,
    needed_output,
    of_run,
    prepare_with_plan,
)
from sparkclean.lake import original_run_id
from sparkclean.locations import local_path
from sparkclean.rows.columns import find_columns, quoted
from sparkclean.rows.report import Grid, Line, Report
from sparkclean.runs.context import Context
from sparkclean.runs.job import Execution, Result
from sparkclean.schema import ADJUDICATE

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def prepare_export(context: Context) -> ReviewPrepared:
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
    section = context.config.section(ReviewSection)
    context.config.output.needed("review", context.job)
    prepared = prepare_with_plan(context)
    find_columns(prepared.input.frame, section.content, "review.content")
    return prepared


def _folder(context: Context, plan: str) -> Path:
    return Path(local_path(context.config.output.needed("review", context.job))) / plan


def describe_export(prepared: ReviewPrepared, context: Context) -> Report:
    """Say where the files would go."""
    plan = prepared.plan or ""
    return Report([Line(f"plan {original_run_id(plan)} -> {_folder(context, plan)}")])


def execute_export(prepared: ReviewPrepared, execution: Execution) -> Result:
    """Write a file for each reviewer. A file that is there already is not touched.

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
        If the plan is of another version of the table, or a file is there with other content.

    Notes
    -----
    One job: it joins the queue with the columns of content. The driver holds the queue.
    """
    context, plan = execution.context, prepared.plan or ""
    section = context.config.section(ReviewSection)
    rows = _collect(prepared, context, of_run(needed_output(context, "queue"), plan), section)
    if not rows:
        raise InputError(f"review.plan: plan {original_run_id(plan)!r} holds no example")
    folder, made = _folder(context, plan), []
    for reviewer in sorted({row["reviewer"] for row in rows}):
        sheet = Sheet(
            queue=plan,
            reviewer=reviewer,
            ids=prepared.ids,
            label_type=prepared.label_type,
            shown=_shown(rows, blind=section.blind),
            content=tuple(section.content),
            rows=[_blinded(row, section) for row in rows if row["reviewer"] == reviewer],
        )
        content = sheet.csv() if section.format == "csv" else sheet.parquet()
        path = folder / f"{_file_name(reviewer)}.{section.format}"
        made.append((reviewer, len(sheet.rows), path, write_once(path, content)))
    execution.computed()
    grid = Grid(
        [(name, f"{count:,}", str(path)) for name, count, path, _ in made],
        ("reviewer", "examples", "file"),
        right=(1,),
        indent=2,
    )
    lines: list[Any] = [Line(f"plan {original_run_id(plan)}: {len(made)} files"), grid]
    old = sum(not is_new for *_, is_new in made)
    if old:
        lines.append(Line(f"{old} of them were there already, and are the same"))
    metrics = {"files": len(made), "reviews": len(rows)}
    return Result(rows=len(rows), metrics=metrics, report=Report(lines), places={"review": folder})


def _file_name(reviewer: str) -> str:
    """Make a file name of a reviewer's name: letters, digits, and codes of all else."""
    return "".join(c if c.isalnum() or c in "-_" else f"%{ord(c):x}" for c in reviewer)


def _shown(rows: list[dict[str, Any]], *, blind: bool) -> tuple[str, ...]:
    """Choose which views the files have; an adjudicator needs all."""
    is_any = any(row["part"] == ADJUDICATE for row in rows)
    return VIEW if is_any else VIEW[:2] if not blind else ()


def _blinded(row: dict[str, Any], section: ReviewSection) -> dict[str, Any]:
    """Leave out what a reviewer must not see."""
    shown = dict(row) | {"note": ""}
    if row["part"] != ADJUDICATE and section.blind:
        shown |= {"given_label": None, "suggested_label": None}
    return shown


def _collect(
    prepared: ReviewPrepared, context: Context, queue: DataFrame, section: ReviewSection
) -> list[dict[str, Any]]:
    """Collect the queue with the content of its examples."""
    ids = prepared.id_columns
    own = [*ids, "queue_item", "reviewer", "part", *VIEW]
    rows = [row.asDict() for row in queue.select(*map(quoted, own)).collect()]
    keys = sorted({tuple(row[name] for name in ids) for row in rows}, key=str)
    content = [name for name in section.content if name not in ids]
    if content and keys:
        table = prepared.input.frame
        wanted = F.broadcast(frame_of_ids(context.spark, keys, prepared.ids))
        read = table.select(*map(quoted, [*ids, *content])).join(wanted, ids).collect()
        found = {tuple(row[: len(ids)]): row.asDict(recursive=True) for row in read}
        missing = [key for key in keys if key not in found]
        if missing:
            shown = ", ".join("/".join(map(str, key)) for key in missing[:5])
            raise InputError(
                f"input.table: {len(missing):,} examples of the plan are no longer in "
                f"{prepared.input.pin.table}: {shown}. Plan again, or name the version that was "
                "planned (input.version)"
            )
        for row in rows:
            row |= {name: found[tuple(row[i] for i in ids)][name] for name in content}
    return sorted(rows, key=lambda row: (row["queue_item"], row["reviewer"]))
