"""The steps of a consensus: pin and check; group by item, fit, decide; stage what was found."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyspark.sql import functions as F

from sparkclean.config.classes import resolve_classes
from sparkclean.crowds.agreement import REPLICATES, agreements
from sparkclean.crowds.annotators import annotator_stats
from sparkclean.crowds.majority import UntiedCounts
from sparkclean.errors import ConfigError, InputError
from sparkclean.examples.columns import check_classes
from sparkclean.faults import fault_point
from sparkclean.jobs.consensus.annotations import (
    MOST_CLASSES,
    AnnotationColumns,
    collect_annotators,
    collect_labels,
    resolve_annotations,
)
from sparkclean.jobs.consensus.decide import Decide
from sparkclean.jobs.consensus.fit import Items, fit_method
from sparkclean.jobs.consensus.group import GroupItems
from sparkclean.jobs.consensus.predictions import Model, check_positions, open_models
from sparkclean.jobs.consensus.problems import problem_findings
from sparkclean.jobs.consensus.row_types import (
    AGREEMENT,
    ANNOTATOR,
    CELL,
    CLASS,
    EXAMPLE,
    ITEM,
    LABEL,
    PROBLEM,
    RESULT_TOTALS,
    SOURCE,
    TIME,
    TOTALS,
    WHO,
)
from sparkclean.jobs.consensus.sections import AnnotationsSection, ConsensusSection
from sparkclean.jobs.consensus.stage import answer_hash, stage_tables
from sparkclean.jobs.consensus.summary import Found, describe, summarise
from sparkclean.jobs.consensus.tables import (
    Names,
    collect_flags,
    read_agreement,
    read_cells,
)
from sparkclean.lake import open_source
from sparkclean.rows.columns import where
from sparkclean.rows.emitted import ANY_KEYS, ID_PREFIX
from sparkclean.rows.frame_stream import FrameStream
from sparkclean.rows.report import Report
from sparkclean.rows.stores import FolderStore
from sparkclean.rows.streams import Output, State
from sparkclean.runs.context import Context
from sparkclean.runs.job import Execution, Prepared, Result

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

#: How far the probabilities of a row may be from a sum of 1.
_ROW_SUM_TOLERANCE = 1e-3
_FIRST_ROWS = 1000


@dataclass(frozen=True, kw_only=True)
class ConsensusPrepared(Prepared):
    """A consensus that is ready.

    Attributes
    ----------
    columns : AnnotationColumns
    rows : DataFrame
        Annotations that count, by internal names.
    models : tuple of Model
    """

    columns: AnnotationColumns
    rows: DataFrame
    models: tuple[Model, ...]


# -- before anything is written ------------------------------------------------------------------


def prepare_consensus(context: Context) -> ConsensusPrepared:
    """Pin the tables and check the configuration against them. Writes nothing.

    Parameters
    ----------
    context : Context

    Returns
    -------
    ConsensusPrepared

    Raises
    ------
    ConfigError, InputError
    """
    config = context.config
    section = config.section(AnnotationsSection)
    source = open_source(config.input.table, config.input.format, spark=context.spark)
    table = context.pin("input", source, config.input.version)
    run_time = context.run_time()
    kept = where(table.frame, config.input.where, run_time)
    columns = resolve_annotations(kept, section)
    classes = resolve_classes(config)
    if classes is not None:
        check_classes(classes, columns.label, columns.label_type)
    models = open_models(context, columns, classes)
    return ConsensusPrepared(
        tables={"input": table}
        | {f"predictions_{n}": model.table for n, model in enumerate(models, 1)},
        classes=classes or (),
        ids=tuple(zip(columns.ids, columns.short_id_types, strict=True)),
        label_type=columns.label_type.simpleString(),
        types=(("<annotator>", columns.annotator_type.simpleString()),),
        run_time=run_time,
        parents=tuple(model.parent for model in models if model.parent is not None),
        columns=columns,
        rows=columns.narrow(kept),
        models=tuple(models),
    )


def describe_consensus(prepared: ConsensusPrepared, context: Context) -> Report:
    """Say what a consensus would do.

    Parameters
    ----------
    prepared : ConsensusPrepared
    context : Context

    Returns
    -------
    Report

    Notes
    -----
    Reads a thousand annotations.
    """
    first = prepared.rows.select(WHO, LABEL).limit(_FIRST_ROWS).collect()
    return describe(
        prepared.input.pin,
        context.config.section(ConsensusSection),
        context.publishes,
        rows=len(first),
        annotators=len({row[0] for row in first}),
        labels=len({row[1] for row in first if row[1] is not None}),
    )


# -- the run -------------------------------------------------------------------------------------


def execute_consensus(prepared: ConsensusPrepared, execution: Execution) -> Result:
    """Group the annotations by item, fit the method, decide, and stage the outputs.

    Reads the columns of annotator and label once each, then all columns, which are shuffled by
    item. Everything else reads intermediate files of items.

    Parameters
    ----------
    prepared : ConsensusPrepared
    execution : Execution

    Returns
    -------
    Result

    Raises
    ------
    InputError
        All problems of annotations and predictions at once.
    """
    context, progress = execution.context, execution.progress
    section = context.config.section(ConsensusSection)
    with progress.phase("list annotators and classes", of=prepared.input.pin.rows) as phase:
        names, orders, rows = _collect_names(prepared, context)
        if context.config.input.where is None:
            prepared.input.check_rows(rows)
        phase.rows = rows
    with progress.phase("group annotations by item", of=rows) as phase:
        items, totals = _group(prepared, execution, names, orders)
        phase.rows = rows
    fault_point("consensus.grouped")
    fitted = fit_method(items, section, progress)
    fault_point("consensus.fitted")
    with progress.phase("decide", of=items.items) as phase:
        decide = Decide(
            fitted.decider,
            items.num_models,
            tuple(names.classes),
            prepared.columns.short_id_types,
            names.label_type,
            section.adjudicate_below,
        )
        output = items.stream.run("decided", decide)
        phase.rows = items.items
    cells = read_cells(output.streams[CELL], items.num_classes)
    counts = read_agreement(output.streams[AGREEMENT], items.num_classes, REPLICATES)
    with progress.phase("compare annotators", of=items.items):
        flags = collect_flags(items, cells)
    execution.computed()
    stats = annotator_stats(
        cells, items.num_annotators, quality=fitted.quality, model_share=fitted.model_share
    )
    found = Found(
        names=names,
        grouped=totals,
        decided=_values(output.states, RESULT_TOTALS, 6),
        stats=stats,
        flags=flags,
        agreements=tuple(agreements(counts, items.num_classes)),
        fitted=fitted,
    )
    stage_tables(prepared.columns, execution, found, cells, output)
    return Result(
        rows=rows,
        metrics=found.metrics(),
        record={
            "rows": rows,
            "audited": found.annotations,
            "rejected": rows - found.annotations,
            "classes": len(names.classes),
            "counts": json.dumps(found.counts(), ensure_ascii=False, default=str),
        },
        result_hash=answer_hash(output, cells, names),
        report=summarise(found, section.chosen_method),
    )


def _collect_names(
    prepared: ConsensusPrepared, context: Context
) -> tuple[Names, tuple[tuple[int, ...], ...], int]:
    """List annotators and classes; match the classes of models with them."""
    columns, section = prepared.columns, context.config.section(AnnotationsSection)
    annotators, rows = collect_annotators(prepared.rows, section)
    of_models = [model.collect_labels(columns) for model in prepared.models]
    if prepared.classes:
        classes = prepared.classes
        _check_model_classes(prepared.models, of_models, classes)
    else:
        labels = columns.class_values(collect_labels(prepared.rows, section))
        check_positions(prepared.models, of_models, labels)
        classes = tuple(sorted({*labels, *(label for own in of_models for label in own)}))
        _check_number(classes, labels, columns)
    index = {label: place for place, label in enumerate(classes)}
    orders = tuple(tuple(index[label] for label in own) for own in of_models)
    names = Names(annotators, classes, columns.annotator_type.simpleString(), prepared.label_type)
    return names, orders, rows


def _check_model_classes(
    models: Sequence[Model], of_models: Sequence[Sequence[Any]], classes: Sequence[Any]
) -> None:
    findings = [
        f"consensus.predictions: {model.name} holds probabilities of {len(more)} labels that are "
        "not in classes; add them there"
        for model, own in zip(models, of_models, strict=True)
        if (more := set(own) - set(classes))
    ]
    if findings:
        raise ConfigError(findings)


def _check_number(
    classes: Sequence[Any], labels: Sequence[Any], columns: AnnotationColumns
) -> None:
    if not labels:
        raise InputError(
            f"annotations.label: no row has a label in {columns.label!r}; name the column of the "
            "label"
        )
    if len(classes) < 2:
        raise InputError(
            f"annotations.label: all labels in {columns.label!r} are {classes[0]!r}; a consensus "
            "needs two classes or more. Set classes to the list of all labels, if others are "
            "possible"
        )
    if len(classes) > MOST_CLASSES:
        raise InputError(
            f"consensus.predictions: {len(classes):,} classes, where at most {MOST_CLASSES:,} are "
            "possible"
        )


def _group(
    prepared: ConsensusPrepared,
    execution: Execution,
    names: Names,
    orders: tuple[tuple[int, ...], ...],
) -> tuple[Items, list[int]]:
    """Group annotations by item: one shuffle."""
    columns, section = prepared.columns, execution.context.config.section(AnnotationsSection)
    frame = prepared.rows
    models, of_classes = prepared.models, names.classes
    for number, (model, order) in enumerate(zip(models, orders, strict=True), 1):
        labels = [of_classes[place] for place in order]
        frame = frame.unionByName(model.narrow(number, columns, labels))
    keys = [F.col(f"{ID_PREFIX}{i}") for i in range(len(columns.ids))]
    frame = frame.repartition(*keys).sortWithinPartitions(*keys, SOURCE, WHO, TIME, LABEL)
    function = GroupItems(
        columns.short_id_types,
        pa.array(names.annotators, _arrow_kind(columns.annotator_type.simpleString())),
        pa.array(columns.label_values(names.classes), _arrow_kind(names.label_type)),
        orders,
        _ROW_SUM_TOLERANCE,
        has_time=columns.time is not None,
        stops_at_duplicates=section.duplicates == "error",
    )
    output = FrameStream(frame, FolderStore(str(execution.folder))).run("items", function)
    _check_problems(output, columns, models)
    totals = _values(output.states, TOTALS, 6)
    if not totals[2]:
        raise InputError("annotations.label: no item has a label; nothing can be decided")
    untied = UntiedCounts(
        *(np.zeros(size, np.int64) for size in (
            len(names.classes), len(names.annotators), len(names.annotators)
        ))
    )  # fmt: skip
    for state in output.states:
        if state.kind == CLASS:
            untied.classes[state.first] = state.values[0]
        elif state.kind == ANNOTATOR:
            untied.agreeing[state.first], untied.votes[state.first] = state.values
    items = Items(
        output.streams[ITEM], Path(execution.folder), untied, len(models), totals[2], totals[1]
    )
    return items, totals


def _arrow_kind(kind: str) -> pa.DataType:
    return pa.string() if kind == "string" else pa.int64()


def _check_problems(output: Output, columns: AnnotationColumns, models: Sequence[Model]) -> None:
    counts = {state.first: state.values[0] for state in output.states if state.kind == PROBLEM}
    if not counts:
        return
    examples: dict[int, set[tuple[Any, ...]]] = {}
    ids = [f"{ID_PREFIX}{i}" for i in range(len(columns.ids))]
    for batch in output.streams[EXAMPLE].read_here():
        rows = zip(*(batch.column(name).to_pylist() for name in ids), strict=True)
        for code, row in zip(batch.column(ANY_KEYS[0]).to_pylist(), rows, strict=True):
            examples.setdefault(code, set()).add(row)
    shown = {code: sorted(rows) for code, rows in examples.items()}
    raise InputError(problem_findings(counts, shown, columns, [model.name for model in models]))


def _values(states: Sequence[State], kind: int, width: int) -> list[int]:
    """Give the one state of a kind; zeros where there is none."""
    return next((state.values for state in states if state.kind == kind), [0] * width)
