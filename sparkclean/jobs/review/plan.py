"""Draw what people look at: a random part, suspects, gold items, disagreements."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from sparkclean import schema
from sparkclean.config.review import ReviewSection
from sparkclean.errors import ConfigError, InputError
from sparkclean.examples.ledger import (
    content_hash,
)
from sparkclean.jobs.review.assign import Assignments, assign, hash_of
from sparkclean.jobs.review.audited import Audited, find_reviewed_audit, open_audited
from sparkclean.jobs.review.parts import Chosen, choose_examples, key_of
from sparkclean.jobs.review.population import (
    UNIT,
    Population,
    collect_population,
)
from sparkclean.jobs.review.steps import (
    ReviewPrepared,
    frame_of_ids,
    open_reviewed,
)
from sparkclean.noise.strata import SUSPECTS
from sparkclean.rows.columns import find_columns, quoted
from sparkclean.rows.driver_rows import rows_frame
from sparkclean.rows.report import Grid, Line, Report
from sparkclean.runs.context import Context, Parent
from sparkclean.runs.job import Execution, Result
from sparkclean.schema import ADJUDICATE, MEASURE

if TYPE_CHECKING:
    pass


def prepare_plan(context: Context) -> ReviewPrepared:
    """Pin the table and find the audit. Writes nothing.

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
    if not section.reviewers:
        raise ConfigError(
            "review.reviewers: [] names nobody; list the reviewers, such as [ann, bob]"
        )
    if not section.budget:
        raise ConfigError("review.budget: 0 asks for no example; write at least 1")
    for name in ("queue", "strata"):
        context.config.output.needed(name, context.job)
    table, ids, label, label_type = open_reviewed(context)
    wanted = [*section.content, *([section.annotator] if section.annotator else [])]
    find_columns(table.frame, wanted, "review.content and review.annotator")
    content_hash(table.frame, section.content)
    audit = find_reviewed_audit(context)
    audited = open_audited(context, table, audit)
    return ReviewPrepared(
        tables={"input": table} | audited.tables,
        ids=ids,
        label_type=label_type,
        label=label,
        notes={"audit": audit.run_id},
        parents=(Parent("audit", audit.run_id),),
        about={"audit": audit.run_id},
        more={"audited": audited},
    )


def describe_plan(prepared: ReviewPrepared, context: Context) -> Report:
    """Say what a plan would draw from. No job."""
    section = context.config.section(ReviewSection)
    facts = [
        ("audit", prepared.more["audited"].audit.run_id),
        ("input", prepared.input.pin.table),
        ("budget", f"{section.budget:,} examples, {section.reviews_per_item} reviews each"),
        ("reviewers", ", ".join(section.reviewers)),
    ]
    return Report([Grid(facts, line="{0:<9} {1}"), context.publishes])


def execute_plan(prepared: ReviewPrepared, execution: Execution) -> Result:
    """Draw the examples, choose their reviewers, stage queue and strata.

    Reads the probabilities once, record ids and content once more.

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
        If nothing is left to look at.
    """
    context, section = execution.context, execution.context.config.section(ReviewSection)
    audited: Audited = prepared.more["audited"]
    with execution.progress.phase("read the model's view") as phase:
        population = collect_population(
            audited.examples,
            audited.columns,
            audited.suspects,
            tolerance=audited.tolerance,
            folder=str(execution.folder),
            design=(audited.run, prepared.input.pin.dataset_version, section.seed),
        )
        phase.rows = sum(population.sizes)
    with execution.progress.phase("draw") as phase:
        chosen, before = choose_examples(prepared, context, population)
        if not chosen:
            raise InputError(
                f"review.budget: {section.budget}, but nothing of {prepared.input.pin.table} is "
                "left to look at: all was drawn, or decided. Import the decisions, or audit again"
            )
        rows, assigned = _queue_rows(prepared, execution, chosen, population)
        phase.rows = len(chosen)
    execution.computed()
    if execution.outputs.wants("queue"):
        columns = (*prepared.ids, *schema.QUEUE)
        frame = rows_frame(context.spark, rows, columns, prepared.label_type)
        execution.outputs.stage_frame("queue", frame)
    if execution.outputs.wants("strata"):
        strata = _strata_rows(population, before, chosen, execution)
        execution.outputs.stage_rows("strata", strata, prepared.label_type)
    return _result(population, chosen, assigned, context)


# -- the queue -------------------------------------------------------------------------------------


def _queue_rows(
    prepared: ReviewPrepared,
    execution: Execution,
    chosen: list[Chosen],
    population: Population,
) -> tuple[list[dict[str, Any]], Assignments]:
    """Order the examples by a hash, so that no part shows, and give them reviewers."""
    context, ids = execution.context, prepared.id_columns
    section = context.config.section(ReviewSection)
    table = prepared.input.frame
    annotator = F.lit(None) if section.annotator is None else quoted(section.annotator)
    read = table.select(
        *map(quoted, ids),
        content_hash(table, section.content).alias(schema.CONTENT_HASH),
        annotator.cast("string").alias("__annotator"),
    )
    keys = sorted({key_of(each.row, ids) for each in chosen}, key=str)
    wanted = frame_of_ids(context.spark, keys, prepared.ids)
    found = {
        tuple(row[: len(ids)]): row[len(ids) :]
        for row in read.join(F.broadcast(wanted), ids).collect()
    }
    texts = {id(each): f"{each.part}/{key_of(each.row, ids)!r}" for each in chosen}
    chosen = sorted(chosen, key=lambda each: hash_of(section.seed, context.run_id, texts[id(each)]))
    barred = {
        place: (*each.barred, *filter(None, found[key_of(each.row, ids)][1:]))
        for place, each in enumerate(chosen)
    }
    assigned = assign(
        [texts[id(each)] for each in chosen],
        section.reviewers,
        [1 if each.part == ADJUDICATE else section.reviews_per_item for each in chosen],
        barred,
        section.seed,
    )
    rows = []
    for number, (each, names) in enumerate(zip(chosen, assigned.reviewers, strict=True), 1):
        row = dict.fromkeys(name for name, _ in schema.QUEUE) | each.row | each.more
        row |= {
            "queue_item": number,
            "part": each.part,
            "design": population.design,
            "stratum": population.names[each.row["stratum"]],
            schema.CONTENT_HASH: found[key_of(each.row, ids)][0],
            **execution.provenance.values(),
        }
        rows += [row | {"reviewer": name} for name in names]
    return rows, assigned


def _strata_rows(
    population: Population, before: dict[Any, int], chosen: list[Chosen], execution: Execution
) -> list[dict[str, Any]]:
    drawn = dict(before)
    for each in chosen:
        if each.part == MEASURE:
            key = (each.row["stratum"], each.row["given_label"], each.row["rank_decile"])
            drawn[key] = drawn.get(key, 0) + 1
    return [
        {
            "design": population.design,
            "stratum": population.names[cell.stratum],
            "is_suspect": cell.stratum < SUSPECTS,
            "given_label": cell.label,
            "rank_decile": cell.decile,
            "examples": cell.examples,
            "drawn": drawn.get((cell.stratum, cell.label, cell.decile), 0),
            "doubt": cell.doubt / UNIT / cell.examples,
            **execution.provenance.values(),
        }
        for cell in population.cells
    ]


def _result(
    population: Population, chosen: list[Chosen], assigned: Assignments, context: Context
) -> Result:
    parts = {part: sum(each.part == part for each in chosen) for part in schema.QUEUE_PARTS}
    loads = assigned.loads()
    names = context.config.section(ReviewSection).reviewers
    lines: list[Line | Grid] = [
        Line(f"drew {len(chosen):,} of {sum(population.sizes):,} examples to look at"),
        Grid(
            [(part, f"{count:,}") for part, count in parts.items()],
            ("part", "examples"),
            right=(1,),
            indent=2,
        ),
        Grid(
            [(name, f"{loads.get(name, 0):,}") for name in names],
            ("reviewer", "examples"),
            right=(1,),
            indent=2,
        ),
    ]
    if assigned.short:
        lines.append(
            Line(
                f"{assigned.short:,} examples have fewer reviewers than asked for: the others have "
                "judged them before. Name more reviewers",
                "warning",
            )
        )
    metrics = {"examples": len(chosen), **parts, "reviews": sum(loads.values())}
    result = Result(rows=sum(population.sizes), metrics=metrics)
    return replace(result, report=Report(lines))
