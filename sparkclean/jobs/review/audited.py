"""What the reviewed audit has read and found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from sparkclean.config.classes import resolve_classes
from sparkclean.config.review import ReviewSection
from sparkclean.errors import InputError
from sparkclean.examples.columns import Columns, resolve_columns
from sparkclean.examples.ledger import open_rows
from sparkclean.jobs.review.steps import of_run, records_of
from sparkclean.lake import open_source, safe_run_id, version_selector
from sparkclean.rows.columns import find_columns, quoted, where
from sparkclean.runs.audits import Audit, find_audit
from sparkclean.runs.context import RUN_TIME, Context, PinnedTable

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class Audited:
    """The audit that is reviewed.

    Attributes
    ----------
    audit : Audit
    examples : DataFrame
        That were audited, with their probabilities. Lazy.
    columns : Columns
    suspects : DataFrame
        Of this audit. Lazy.
    tolerance : float
    tables : dict
        Pinned tables besides the input.
    """

    audit: Audit
    examples: DataFrame
    columns: Columns
    suspects: DataFrame
    tolerance: float
    tables: dict[str, PinnedTable]

    @property
    def run(self) -> str:
        """Run id as its rows have it."""
        return safe_run_id(self.audit.run_id)


def find_reviewed_audit(context: Context) -> Audit:
    """Find the audit: the one that is named, that the run was begun with, or the last one."""
    runs = records_of(context, "the audit")
    wanted = context.note("audit") or context.config.section(ReviewSection).audit
    return find_audit(context.spark, runs, wanted, context.config, key="review.audit")


def open_audited(context: Context, table: PinnedTable, audit: Audit) -> Audited:
    """Open what an audit has read and found.

    Parameters
    ----------
    context : Context
    table : PinnedTable
        The input.
    audit : Audit

    Returns
    -------
    Audited

    Raises
    ------
    InputError
        If the table is another one by now, or what the audit published is gone.

    Notes
    -----
    Small jobs over the classes of the audit.
    """
    then, now = audit.input["dataset_version"], table.pin.dataset_version
    if then != now:
        raise InputError(
            f"input.table: {table.pin.table} is {now}, and audit {audit.run_id} has read {then}; "
            "audit again, or name the audited version (input.version)"
        )
    if "suspects" not in audit.outputs:
        raise InputError(
            f"review.audit: audit {audit.run_id} has published no suspects (output.suspects: "
            "null); audit again with a location for them"
        )
    settings = audit.config
    frame, tables = where(table.frame, audit.where, audit.input.get(RUN_TIME)), {}
    probs = settings["columns"]["pred_probs"]
    keys = [*context.config.columns.id_columns, context.config.columns.label]
    if "predictions" in audit.input:
        tables["predictions"] = _open_predictions(context, audit)
        read = tables["predictions"].frame
        names = find_columns(frame, keys, "columns.id and columns.label")
        casts = {name: quoted(name).cast(frame.schema[name].dataType) for name in names}
        frame = read.withColumns(casts)
    suspects = _published(context, audit, "suspects")
    if suspects is None:
        raise InputError(
            f"review.audit: the suspects of audit {audit.run_id} are no longer at "
            f"{audit.outputs['suspects']}; audit again"
        )
    columns = resolve_columns(
        frame,
        ids=context.config.columns.id_columns,
        label=context.config.columns.label,
        probs=(probs,) if isinstance(probs, str) else probs,
        classes=_classes(context, audit),
    )
    tolerance = settings["admission"]["row_sum_tolerance"]
    return Audited(audit, frame, columns, suspects, tolerance, tables)


def _open_predictions(context: Context, audit: Audit) -> PinnedTable:
    then = audit.input["predictions"]
    source = open_source(then["table"], then["format"], spark=context.spark)
    version = version_selector(then["format"], then["version"])
    table = context.pin("predictions", source, version)
    if table.pin.dataset_version != then["dataset_version"]:
        raise InputError(
            f"input.predictions: {then['table']} is {table.pin.dataset_version}, and audit "
            f"{audit.run_id} has read {then['dataset_version']}; audit again"
        )
    return table


def _published(context: Context, audit: Audit, name: str) -> DataFrame | None:
    place = audit.outputs.get(name)
    if place is None:
        return None
    frame = open_rows(context.spark, place, context.config.input.table)
    return None if frame is None else of_run(frame, safe_run_id(audit.run_id))


def _classes(context: Context, audit: Audit) -> tuple[Any, ...] | None:
    """Read the labels in the order of the probabilities."""
    frame = _published(context, audit, "classes")
    if frame is None:
        return resolve_classes(context.config)
    rows = frame.select("class_index", "class").collect()
    return tuple(label for _, label in sorted((row[0], row[1]) for row in rows)) or None


def collect_audit_joint(context: Context, audit: Audit) -> tuple[list[int], list[list[int]]] | None:
    """Read examples by class and the confident joint of an audit.

    Parameters
    ----------
    context : Context
    audit : Audit

    Returns
    -------
    examples : list of int, length K
    joint : list of list of int, K x K

    None in place of both where the audit has published neither, or no longer.

    Notes
    -----
    Two small jobs; the driver holds K x K numbers.
    """
    classes, pairs = (_published(context, audit, name) for name in ("classes", "pairs"))
    if classes is None or pairs is None:
        return None
    rows = classes.select("class", "class_index", "examples").collect()
    number = {row[0]: row[1] for row in rows}
    joint = [[0] * len(number) for _ in number]
    counted = pairs.where(F.col("confident_joint") > 0)
    for given, true, count in counted.select(
        "given_label", "true_label", "confident_joint"
    ).collect():
        joint[number[given]][number[true]] = count
    examples = [0] * len(number)
    for _, index, count in rows:
        examples[index] = count
    return examples, joint
