"""The steps of a diagnosis: pin and check; count; diagnose; stage."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyspark.sql import functions as F

from sparkclean.config.classes import resolve_classes
from sparkclean.errors import InputError
from sparkclean.examples.checks import count_duplicate_ids, shown_id
from sparkclean.examples.columns import EMPTY, Columns, resolve_columns
from sparkclean.jobs.diagnose.examples import collect_examples
from sparkclean.jobs.diagnose.frames import (
    Narrow,
    collect_buckets,
    collect_expected,
    collect_neighbours,
    collect_rejected,
    collect_shape,
    collect_subjects,
    with_tiers,
)
from sparkclean.jobs.diagnose.rows import (
    BUCKET,
    DOUBT,
    GIVEN,
    HALF,
    POSITION,
    PREDICTED,
    REJECTED,
    SUBJECT,
    ReduceRows,
)
from sparkclean.jobs.diagnose.sections import DiagnoseSection
from sparkclean.jobs.diagnose.summary import metrics_of, shown_subject, summarise
from sparkclean.jobs.diagnose.tables import find_subjects, wide_rows, with_predictions
from sparkclean.lake import open_source, spark_path
from sparkclean.noise.diagnosis.buckets import tier_cutoffs
from sparkclean.noise.diagnosis.counts import Counts
from sparkclean.noise.diagnosis.decide import Stability, find_signs, judge_stability
from sparkclean.noise.diagnosis.findings import Finding, list_findings
from sparkclean.noise.diagnosis.limits import Limits
from sparkclean.rows.columns import where
from sparkclean.rows.driver_rows import typed_columns
from sparkclean.rows.emitted import ID_PREFIX
from sparkclean.rows.report import Grid, Report
from sparkclean.rows.tasks import map_in_arrow
from sparkclean.rows.types import arrow_type, schema_json
from sparkclean.runs.context import Context
from sparkclean.runs.engine_errors import engine_errors
from sparkclean.runs.job import Execution, Prepared, Result

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

#: Classes between which the driver counts disagreements.
MOST_CLASSES = 2000
_DECIMALS = 9


@dataclass(frozen=True, kw_only=True)
class DiagnosePrepared(Prepared):
    """A diagnosis that is ready.

    Attributes
    ----------
    columns : Columns
    examples : DataFrame
        The rows that are looked at.
    subjects : tuple of (str, str, str)
        Key of the configuration, kind and column.
    position : str or None
    """

    columns: Columns
    examples: DataFrame
    subjects: tuple[tuple[str, str, str], ...]
    position: str | None


def prepare_diagnosis(context: Context) -> DiagnosePrepared:
    """Pin the table and check the configuration against it. Writes nothing.

    Parameters
    ----------
    context : Context

    Returns
    -------
    DiagnosePrepared

    Raises
    ------
    ConfigError, InputError
    """
    config = context.config
    source, section = config.input, config.section(DiagnoseSection)
    opened = open_source(source.table, source.format, spark=context.spark)
    is_numbered = config.columns.is_numbered
    table = context.pin("input", opened, source.version, numbered=is_numbered)
    tables = {"input": table}
    run_time = context.run_time()
    examples = where(table.frame, source.where, run_time)
    if source.predictions is not None:
        predictions = open_source(source.predictions, "auto", spark=context.spark)
        tables["predictions"] = context.pin("predictions", predictions)
        examples = with_predictions(examples, tables["predictions"].frame, context)
    with engine_errors(table.pin, source.table):
        columns = resolve_columns(
            examples,
            ids=config.columns.id_columns,
            label=config.columns.label,
            probs=config.columns.pred_probs_columns,
            classes=resolve_classes(config),
        )
    if columns.num_classes < 2:
        raise InputError("classes: 1, but labels are wrong only where there are at least 2 classes")
    if columns.num_classes > MOST_CLASSES:
        raise InputError(
            f"classes: {columns.num_classes:,}, but a diagnosis counts disagreements between at "
            f"most {MOST_CLASSES:,}; merge rare classes"
        )
    subjects, position = find_subjects(examples, section, columns)
    context.fit_batches(columns.num_classes)
    return DiagnosePrepared(
        tables=tables,
        classes=columns.classes,
        ids=tuple(zip(columns.ids, columns.id_types, strict=True)),
        label_type=columns.label_type.simpleString(),
        run_time=run_time,
        columns=columns,
        examples=examples,
        subjects=subjects,
        position=position,
    )


def describe_diagnosis(prepared: DiagnosePrepared, context: Context) -> Report:
    """Say what would be looked at.

    Parameters
    ----------
    prepared : DiagnosePrepared
    context : Context

    Returns
    -------
    Report
    """
    pin = prepared.input.pin
    facts = [
        ("input", pin.shown),
        ("classes", f"{prepared.columns.num_classes:,}"),
    ]
    facts += [("subjects", f"{kind}: column {name}") for _, kind, name in prepared.subjects]
    if prepared.position is not None:
        facts.append(("order", f"column {prepared.position}"))
    return Report([Grid(facts, line="{0:<9} {1}"), context.publishes])


def execute_diagnosis(prepared: DiagnosePrepared, execution: Execution) -> Result:
    """Count, diagnose, and stage the output.

    Parameters
    ----------
    prepared : DiagnosePrepared
    execution : Execution

    Returns
    -------
    Result

    Notes
    -----
    Reads the wide column once, and again where cells of subjects are looked at. Everything else
    reads narrow rows, which are written once.
    """
    progress, section = execution.progress, execution.context.config.section(DiagnoseSection)
    columns, reader = prepared.columns, prepared.columns.reader(section.row_sum_tolerance)
    with progress.phase("check record ids", of=prepared.input.pin.rows) as phase:
        keys = columns.keys(prepared.examples)
        ids = tuple(f"{ID_PREFIX}{k}" for k in range(len(columns.ids)))
        phase.rows = count_duplicate_ids(keys, ids, columns.ids)
    wide = wide_rows(
        prepared.examples, columns, prepared.subjects, prepared.position, section.window_hours
    )
    with progress.phase("read probabilities") as phase:
        narrow, rows, rejected = _write_narrow(prepared, execution, wide, ids, section)
        phase.rows = rows
    with progress.phase("count disagreements"):
        shape = collect_shape(narrow)
        subjects = collect_expected(wide, reader, collect_subjects(narrow))
        neighbours = None
        if prepared.position is not None:
            kinds = [kind for _, kind in narrow.kinds]
            number = kinds.index("file" if "file" in kinds else "source")
            neighbours = collect_neighbours(narrow, number)
    execution.computed()
    counts, limits = Counts(shape, subjects, neighbours), Limits()
    with progress.phase("diagnose"):
        signs = find_signs(counts, limits)
        stability = judge_stability(counts, signs, limits)
        findings = list_findings(counts, signs, limits)
        examples = collect_examples(narrow, findings, section.examples)
    if execution.outputs.wants("diagnosis"):
        _stage(findings, examples, stability, prepared, execution)
    return Result(
        rows=rows,
        metrics=metrics_of(counts, signs, stability) | {"rejected": rejected},
        result_hash=hash_counts(counts),
        report=summarise(counts, signs, stability, findings, columns.classes),
    )


def _write_narrow(
    prepared: DiagnosePrepared,
    execution: Execution,
    wide: DataFrame,
    ids: tuple[str, ...],
    section: DiagnoseSection,
) -> tuple[Narrow, int, int]:
    """Write the narrow rows once; give those that are admitted, and how many there are."""
    columns = prepared.columns
    kept = [*ids, HALF, *(f"{SUBJECT}{k}" for k in range(len(prepared.subjects)))]
    if prepared.position is not None:
        kept.append(POSITION)
    types = {field.name: field.dataType.simpleString() for field in wide.schema}
    fields = [f"`{name}` {types[name]}" for name in kept]
    fields += [f"{name} int" for name in (GIVEN, PREDICTED, BUCKET)] + [f"{DOUBT} bigint"]
    folder, schema = execution.folder / "narrow", ", ".join(fields)
    reduce = ReduceRows(columns.reader(section.row_sum_tolerance), tuple(kept))
    map_in_arrow(wide, reduce, schema).write.mode("overwrite").parquet(spark_path(folder))
    frame = execution.context.spark.read.schema(schema).parquet(spark_path(folder))
    buckets, rejected = collect_buckets(frame)
    rows = int(buckets[:, 2].sum()) + rejected
    if not rows:
        raise InputError(EMPTY)
    if rejected == rows or rejected > section.max_rejected_fraction * rows:
        shown = ", ".join(shown_id(row) for row in collect_rejected(frame, ids))
        raise InputError(
            f"{rejected:,} of {rows:,} rows have no label of the {columns.num_classes:,} classes, "
            f"or no probabilities that sum to 1, record ids {shown}; "
            f"diagnose.max_rejected_fraction allows {section.max_rejected_fraction:.2%}. Run "
            "sparkclean audit, whose output rejected names the reason for each row"
        )
    kinds = tuple((key, kind) for key, kind, _ in prepared.subjects)
    admitted = frame.where(F.col(GIVEN) != REJECTED)
    narrow = Narrow(admitted, ids, kinds, columns.num_classes)
    predicted, bucket, count = buckets.T
    cutoffs = tier_cutoffs(predicted, bucket, count, columns.num_classes)
    return with_tiers(narrow, cutoffs), rows, rejected


def hash_counts(counts: Counts) -> str:
    """Hash all that was counted: equal for equal data, in whatever order it was read.

    Parameters
    ----------
    counts : Counts

    Returns
    -------
    str
        Of integers and of sums that are rounded to units of 2**-40, not of what scipy makes of
        them.
    """
    parts: list[Any] = [_plain(counts.shape)]
    parts += [_plain(of) for of in counts.subjects]
    if counts.neighbours is not None:
        parts.append(_plain(counts.neighbours))
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _plain(counts: Any) -> dict[str, Any]:
    return {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in vars(counts).items()
    }


def _stage(
    findings: Sequence[Finding],
    examples: Sequence[Sequence[str]],
    stability: Stability,
    prepared: DiagnosePrepared,
    execution: Execution,
) -> None:
    """Stage the output, a row for each finding."""
    outputs, label_type = execution.outputs, prepared.label_type
    columns = typed_columns(outputs.specs["diagnosis"].columns, label_type)
    classes, provenance = prepared.columns.classes, execution.provenance.values()
    rows = []
    for found, ids in zip(findings, examples, strict=True):
        row: dict[str, Any] = {
            "hypothesis": found.hypothesis,
            "subject_kind": found.kind,
            "subject": shown_subject(found),
            "given_label": None if found.given is None else classes[found.given],
            "predicted_label": None if found.predicted is None else classes[found.predicted],
            "measure": found.measure,
            "statistic": _rounded(found.statistic),
            "effect": _rounded(found.effect),
            "interval": [_rounded(found.low), _rounded(found.high)],
            "adjusted_p": _rounded(found.adjusted_p),
            "errors": _rounded(found.errors),
            "marked": found.is_marked,
            "dominant": found.hypothesis == stability.kind,
            "example_ids": list(ids),
            "suggested_action": found.action,
        }
        rows.append(row | provenance)
    arrays = [pa.array([row[name] for row in rows], arrow_type(kind)) for name, kind in columns]
    table = pa.table(arrays, names=[name for name, _ in columns])
    outputs.stage_table("diagnosis", table, schema_json(columns))


def _rounded(value: float | None) -> float | None:
    """Round what scipy may compute otherwise elsewhere; nothing is known of infinity."""
    return None if value is None or not np.isfinite(value) else round(float(value), _DECIMALS)
