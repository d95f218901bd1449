"""The steps of a ranking: pin and check, add up in one pass, compare, stage."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from sparkclean.config.classes import resolve_classes
from sparkclean.errors import InputError
from sparkclean.jobs.rank_models import tally
from sparkclean.jobs.rank_models.counting import collect_classes, collect_models, collect_totals
from sparkclean.jobs.rank_models.problems import check_problems
from sparkclean.jobs.rank_models.results import Compared, compare
from sparkclean.jobs.rank_models.sections import RankSection
from sparkclean.jobs.rank_models.summary import counts_of, summarise
from sparkclean.jobs.rank_models.sums import Sums, hash_sums
from sparkclean.jobs.rank_models.tables import Answers, Labels, open_answers, open_labels
from sparkclean.rows.driver_rows import typed_columns
from sparkclean.rows.report import Grid, Report
from sparkclean.rows.types import arrow_type, schema_json
from sparkclean.runs.context import Context
from sparkclean.runs.job import Execution, Prepared, Result


@dataclass(frozen=True, kw_only=True)
class RankPrepared(Prepared):
    """A ranking that is ready.

    Attributes
    ----------
    answers : Answers
    labels : Labels
    """

    answers: Answers
    labels: Labels


def prepare_ranking(context: Context) -> RankPrepared:
    """Pin answers and labels, and check the configuration against them. Writes nothing.

    Parameters
    ----------
    context : Context

    Returns
    -------
    RankPrepared

    Raises
    ------
    ConfigError, InputError
    """
    rank = context.config.section(RankSection)
    run_time = context.run_time()
    table, answers = open_answers(context, rank, run_time)
    tables, labels = open_labels(context, rank, table, answers)
    classes = resolve_classes(context.config) if answers.has_probs else None
    return RankPrepared(
        tables={"input": table, **tables},
        classes=classes or (),
        run_time=run_time,
        answers=answers,
        labels=labels,
    )


def describe_ranking(prepared: RankPrepared, context: Context) -> Report:
    """Say what would be compared.

    Parameters
    ----------
    prepared : RankPrepared
    context : Context

    Returns
    -------
    Report
    """
    rank = context.config.section(RankSection)
    facts = [
        ("answers", prepared.tables["input"].pin.shown),
        ("labels", prepared.tables["labels"].pin.shown),
    ]
    if "audit" in prepared.tables:
        facts.append(("audit", prepared.tables["audit"].pin.shown))
    facts += [("metrics", ", ".join(rank.chosen_metrics)), ("missing", rank.missing)]
    return Report([Grid(facts, line="{0:<9} {1}"), context.publishes])


def execute_ranking(prepared: RankPrepared, execution: Execution) -> Result:
    """Add up hits by model and pair of models in one pass; compare; stage both outputs.

    Parameters
    ----------
    prepared : RankPrepared
    execution : Execution

    Returns
    -------
    Result

    Notes
    -----
    A job over the models' names, one over the labels where a metric counts by class, and one over
    answers and labels. The driver holds M x M integers.
    """
    config, progress = execution.context.config, execution.progress
    rank = config.section(RankSection)
    answers, labels = prepared.answers, prepared.labels
    with progress.phase("list models and classes"):
        models = collect_models(answers)
        classes: tuple[str, ...] | None = None
        if answers.has_probs:
            classes = tuple(map(_as_text, prepared.classes))
        elif rank.needs_classes:
            classes = collect_classes(labels, len(models))
    count = tally.CountAnswers(
        num_models=len(models),
        classes=classes,
        by_class=rank.needs_classes,
        has_probs=answers.has_probs,
        missing_is_wrong=rank.missing == "wrong",
    )
    with progress.phase("compare answers with labels") as phase:
        totals = collect_totals(answers, labels, models, count)
        check_problems(totals, rank, len(models))
        sums = Sums(totals, models, len(classes or ()) if count.by_class else 0)
        phase.rows = sums.items((0, 1))
    _check_sums(sums, rank)
    execution.computed()
    found = compare(
        sums,
        rank.chosen_metrics,
        is_known=rank.labels.is_known,
        is_checked=rank.labels.is_checked,
    )
    _stage(found, execution)
    return Result(
        rows=found.metrics["items"],
        metrics=found.metrics,
        record={"counts": json.dumps(counts_of(found), ensure_ascii=False)},
        result_hash=hash_sums(sums),
        report=summarise(found, rank),
    )


def _as_text(label: Any) -> str:
    """Write a label as Spark casts it to text."""
    return str(label).lower() if isinstance(label, bool) else str(label)


def _check_sums(sums: Sums, rank: RankSection) -> None:
    """Check that there is something to compare, once the items are all right."""
    items, valid = sums.items((0, 1)), sums.items((0,))
    if not items:
        raise InputError("rank.labels: the table is empty (0 rows); check rank.labels.table")
    if rank.labels.is_known and not valid:
        raise InputError(
            f"rank.labels: none of {items:,} items has a valid label; check valid, corrected, "
            "cleaned or suspects"
        )
    if not sums.hits((0, 1)).any():
        raise InputError(
            f"rank.answers: no answer of {len(sums.models):,} models to {items:,} items equals "
            "its label; check that both columns write labels in the same way, and that item "
            "means the same in both tables"
        )


def _stage(found: Compared, execution: Execution) -> None:
    """Stage what is wanted of both outputs."""
    provenance, outputs = execution.provenance.values(), execution.outputs
    if outputs.wants("flips"):
        columns = typed_columns(outputs.specs["flips"].columns, "string")
        table = found.flips
        for name, value in provenance.items():
            table = table.append_column(name, pa.repeat(pa.scalar(value), len(table)))
        arrays = [table.column(name).cast(arrow_type(kind)) for name, kind in columns]
        names = [name for name, _ in columns]
        outputs.stage_table("flips", pa.table(arrays, names=names), schema_json(columns))
    if outputs.wants("ranking"):
        outputs.stage_rows("ranking", [row | provenance for row in found.ranking])
