"""What can be checked of an audit before its probabilities are predicted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from sparkclean.config.classes import resolve_classes
from sparkclean.errors import InputError
from sparkclean.examples.checks import REMEDIES, shown_id
from sparkclean.examples.columns import (
    EMPTY,
    check_classes,
    check_id_types,
    check_label_type,
    keys_of,
)
from sparkclean.jobs.audit.first_bounds import fixed_thresholds
from sparkclean.jobs.audit.sections import AdmissionSection, MethodSection
from sparkclean.jobs.audit.steps import open_input
from sparkclean.rows.columns import find_columns, quoted, where
from sparkclean.runs.context import Context
from sparkclean.runs.engine_errors import engine_errors
from sparkclean.runs.job import Prepared

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_SHOWN = 5


def prepare_ahead(context: Context) -> Prepared:
    """Check an audit whose probabilities are yet to be predicted. Writes nothing.

    Parameters
    ----------
    context : Context

    Returns
    -------
    Prepared

    Raises
    ------
    ConfigError, InputError

    Notes
    -----
    One job that reads the label column; another one for each reason where too many rows are
    rejected.
    """
    config = context.config
    table = open_input(context)
    run_time = context.run_time()
    examples = where(table.frame, config.input.where, run_time)
    named = [*config.columns.id_columns, config.columns.label]
    keys = keys_of(config.columns.id_columns, config.columns.label)
    *ids, label = find_columns(examples, named, keys)
    findings = check_id_types(examples.schema, ids) + check_label_type(examples.schema, label)
    if findings:
        raise InputError(findings)
    classes = resolve_classes(config)
    if classes is not None:
        check_classes(classes, label, examples.schema[label].dataType)
        fixed_thresholds(config.section(MethodSection).thresholds, classes)
    limit = config.section(AdmissionSection).max_rejected_fraction
    with engine_errors(table.pin, config.input.table):
        _check_labels(examples, ids, label, classes, max_rejected_fraction=limit)
    types = [examples.schema[name].dataType.simpleString() for name in ids]
    return Prepared(
        tables={"input": table},
        classes=classes or (),
        ids=tuple(zip(ids, types, strict=True)),
        label_type=examples.schema[label].dataType.simpleString(),
        run_time=run_time,
    )


def _check_labels(
    examples: DataFrame,
    ids: Sequence[str],
    label: str,
    classes: tuple[Any, ...] | None,
    *,
    max_rejected_fraction: float,
) -> None:
    """Check that few enough rows will be rejected for their labels."""
    reasons = {"label_null": quoted(label).isNull()}
    if classes is not None:
        strange = quoted(label).isNotNull() & ~quoted(label).isin(list(classes))
        reasons["label_not_in_classes"] = strange
    sums = [F.count(F.when(wrong, 1)).alias(reason) for reason, wrong in reasons.items()]
    (counts,) = examples.agg(F.count("*").alias("rows"), *sums).collect()
    rows, rejected = counts["rows"], sum(counts[reason] for reason in reasons)
    if not rows:
        raise InputError(EMPTY)
    if rejected <= max_rejected_fraction * rows and rejected < rows:
        return
    findings = [
        f"{rejected:,} of {rows:,} rows would be rejected ({rejected / rows:.2%}); "
        f"admission.max_rejected_fraction allows {max_rejected_fraction:.2%}"
    ]
    for reason, wrong in reasons.items():
        if counts[reason]:
            keys = [quoted(name) for name in ids]
            some = examples.where(wrong).select(*keys, quoted(label)).orderBy(*keys).limit(_SHOWN)
            shown = "; ".join(
                f"{shown_id(list(row)[:-1])} ({row[len(ids)]!r})" for row in some.collect()
            )
            findings.append(
                f"column {label!r}: {counts[reason]:,} rows {reason}, record ids {shown}: "
                f"{REMEDIES[reason]}"
            )
    raise InputError(findings)
