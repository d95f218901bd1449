"""The steps of an audit: pin and check; scan, find, gate; stage what was found."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sparkclean.config.classes import resolve_classes
from sparkclean.config.review import ReviewSection
from sparkclean.config.sections import Config
from sparkclean.errors import InputError, SparkCleanError, first_of
from sparkclean.examples.checks import check_same_examples, count_duplicate_ids
from sparkclean.examples.clean import check_free_names
from sparkclean.examples.columns import Columns, resolve_columns
from sparkclean.examples.decided import decided_labels, take_decisions
from sparkclean.examples.ledger import content_hash
from sparkclean.examples.predictions import CLASSES, find_prediction
from sparkclean.examples.scan import Scan
from sparkclean.examples.scan_choice import choose_scan
from sparkclean.examples.statistics import Scanner
from sparkclean.examples.suspects import Suspects
from sparkclean.jobs.audit.findings import findings_hash
from sparkclean.jobs.audit.first_bounds import fixed_thresholds
from sparkclean.jobs.audit.gate import judge
from sparkclean.jobs.audit.ledger import open_ledger
from sparkclean.jobs.audit.numbers import result_of
from sparkclean.jobs.audit.pipeline import collect_findings
from sparkclean.jobs.audit.sections import (
    AdmissionSection,
    CleanSection,
    GateSection,
    MethodSection,
    check_layout,
    resolve_layout,
)
from sparkclean.jobs.audit.stage import stage_cleaned, stage_findings
from sparkclean.jobs.audit.summary import summarise
from sparkclean.lake import Pin, Version, open_source, plan_copy
from sparkclean.lake.base import OF_TABLE
from sparkclean.rows.columns import find_columns, quoted, where
from sparkclean.rows.stores import FolderStore
from sparkclean.runs.context import RUN_TIME, Context, Parent, PinnedTable
from sparkclean.runs.engine_errors import engine_errors
from sparkclean.runs.job import Execution, Prepared, Result
from sparkclean.schema import CONTENT_HASH

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_log = logging.getLogger("sparkclean")


@dataclass(frozen=True, kw_only=True)
class AuditPrepared(Prepared):
    """An audit that is ready.

    With ``input.predictions`` probabilities come from that table alone; the input is read narrowly,
    to check that it has the same record ids and labels, and to clean it.

    Attributes
    ----------
    columns : Columns
    examples : DataFrame
        The rows of the input that are audited.
    audited : DataFrame
        The same, or those of the table of predictions.
    timestamps : str or None
        How the cleaned version stores moments.
    settled : DataFrame or None
        What people have decided, where the configuration names a ledger.
    """

    columns: Columns
    examples: DataFrame
    audited: DataFrame
    timestamps: str | None
    settled: DataFrame | None = None

    @property
    def scanned(self) -> PinnedTable:
        """The table in which the probabilities are."""
        return self.tables.get("predictions", self.input)

    @property
    def has_predictions(self) -> bool:
        """Whether probabilities come from a table of their own."""
        return "predictions" in self.tables


# -- before anything is written ------------------------------------------------------------------


def prepare_audit(context: Context) -> AuditPrepared:
    """Pin the input and check the configuration against it. Writes nothing.

    Parameters
    ----------
    context : Context

    Returns
    -------
    AuditPrepared

    Raises
    ------
    ConfigError, InputError
    """
    config = context.config
    tables = {"input": open_input(context)}
    classes, maker = resolve_classes(config), None
    if config.input.predictions is not None:
        predictions = open_source(config.input.predictions, "auto", spark=context.spark)
        tables["predictions"] = context.pin("predictions", predictions)
        pin = tables["predictions"].pin
        maker = find_prediction(config.input.predictions, pin, context.spark)
        if tables["input"].is_numbered:
            _check_same_pin(maker, tables["input"].pin, config.input.predictions)
    noted = {} if maker is None else maker.properties
    if classes is None and maker is not None:
        classes = tuple(json.loads(noted[CLASSES]))
    run_time = context.run_time(noted.get(RUN_TIME))
    examples = audited = where(tables["input"].frame, config.input.where, run_time)
    if "predictions" in tables:
        audited = _as_examples(tables["predictions"].frame, examples, context)
    with engine_errors(tables["input"].pin, config.input.table):
        columns = resolve_columns(
            audited,
            ids=config.columns.id_columns,
            label=config.columns.label,
            probs=config.columns.pred_probs_columns,
            classes=classes,
        )
    fixed_thresholds(config.section(MethodSection).thresholds, columns.classes)
    context.fit_batches(columns.num_classes)
    timestamps = _plan_copy(tables["input"].pin, context)
    settled = None
    if config.section(ReviewSection).ledger is not None:
        tables["ledger"], settled = open_ledger(context, columns)
    return AuditPrepared(
        tables=tables,
        classes=columns.classes,
        ids=tuple(zip(columns.ids, columns.id_types, strict=True)),
        label_type=columns.label_type.simpleString(),
        run_time=run_time,
        parents=() if maker is None else (Parent("predict", noted["original_run_id"]),),
        columns=columns,
        examples=examples,
        audited=audited,
        timestamps=timestamps,
        settled=settled,
    )


def _check_same_pin(maker: Version | None, pin: Pin, predictions: str) -> None:
    """Refuse predictions of rows that may be numbered otherwise."""
    made_of = None if maker is None else maker.properties["input"]
    # a digest of files is of no other table, but the name of a version may be
    is_same = maker is not None and (
        pin.version is None or maker.properties.get(OF_TABLE) == pin.table_identity
    )
    if made_of != pin.dataset_version or not is_same:
        what = "an unknown version" if made_of is None else f"version {made_of}"
        raise InputError(
            f"input.predictions: {predictions} is of {what} of {pin.table}, which is now "
            f"{pin.dataset_version}; numbers of rows (columns.id: null) are good for one version "
            "alone. Predict again (sparkclean run), or name a record id"
        )


def _plan_copy(pin: Pin, context: Context) -> str | None:
    """Choose how the cleaned version stores moments, and say which columns it cannot keep."""
    if "cleaned" not in context.targets or resolve_layout(context.config) != "copy":
        return None
    copied = plan_copy(pin, context.targets["cleaned"].format)
    if copied.changes:
        _log.warning(
            "the cleaned version stores %d columns otherwise than the input, with the same values: "
            "%s",
            len(copied.changes),
            first_of(copied.changes),
        )
    return copied.timestamps


def open_input(context: Context) -> PinnedTable:
    """Pin the table that is cleaned, and check that it can be, as the configuration wants it."""
    config = context.config
    source = open_source(config.input.table, config.input.format, spark=context.spark)
    check_layout(config, source.format)
    table = context.pin("input", source, config.input.version, numbered=config.columns.is_numbered)
    (label,) = find_columns(table.frame, [config.columns.label], "columns.label")
    clean = config.section(CleanSection)
    check_free_names(table.own_frame.columns, label, clean.mode, keep_original=clean.keep_original)
    return table


def _as_examples(predictions: DataFrame, examples: DataFrame, context: Context) -> DataFrame:
    """Give record ids and labels of predictions the types of the input."""
    columns, named = context.config.columns, "columns.id and columns.label"
    keys = find_columns(examples, [*columns.id_columns, columns.label], named)
    if find_columns(predictions, keys, named) != keys:
        raise InputError(
            f"input.predictions: its columns of record id and label are not spelled {keys} as in "
            "input.table; predict again, or rename them"
        )
    # a format may know fewer types: Iceberg has no smallint
    wanted = {name: examples.schema[name].dataType for name in keys}
    casts = {
        name: quoted(name).cast(kind)
        for name, kind in wanted.items()
        if kind != predictions.schema[name].dataType
    }
    return predictions.withColumns(casts) if casts else predictions


# -- the run -------------------------------------------------------------------------------------


def execute_audit(prepared: AuditPrepared, execution: Execution) -> Result:
    """Audit, and stage the outputs.

    Reads the wide column as often as `collect_findings`, and the whole table once more to write
    the cleaned version.

    Parameters
    ----------
    prepared : AuditPrepared
    execution : Execution

    Returns
    -------
    Result
    """
    config, columns, progress = execution.context.config, prepared.columns, execution.progress
    store = FolderStore(str(execution.folder))
    scanner = Scanner(scan_of(prepared, config), columns, store)
    known = prepared.input.pin.rows
    with progress.phase("check record ids", of=known) as phase:
        rows = _check_ids(prepared, config.input.where, scanner)
        prepared.input.check_rows(rows)
        phase.rows = rows
    is_whole = config.input.where is None
    findings = collect_findings(
        scanner,
        config.section(MethodSection),
        config.section(AdmissionSection),
        progress,
        rows=rows if is_whole else prepared.audited.count(),
        recall=execution.recall,
    )
    if is_whole and findings.statistics.rows != rows:
        raise SparkCleanError(
            f"the scan of {scanner.scan.kind} has read {findings.statistics.rows:,} rows "
            f"of {rows:,}; nothing was published. Run again with scan: dataframe"
        )
    if prepared.settled is not None:
        with progress.phase("read the ledger") as phase:
            found = findings.suspects.num_suspects
            suspects = review_suspects(prepared, prepared.settled, findings.suspects, store, config)
            findings = replace(findings, suspects=suspects)
            phase.rows = found
    execution.computed()
    outputs, clean = execution.outputs, config.section(CleanSection)
    with progress.phase("write suspects") as phase:
        result_hash = findings_hash(findings, columns.classes)
        top = stage_findings(outputs, findings, columns, execution.provenance)
        phase.rows = findings.suspects.num_suspects
    gates = judge(
        findings.suspects,
        findings.statistics.examples,
        config.section(GateSection),
        mode=clean.mode,
        classes=columns.classes,
        # without a cleaned version they are warnings alone
        doubts=findings.doubts if "cleaned" in outputs.targets else (),
    )
    result = replace(
        result_of(findings, config.section(MethodSection).ranked_by),
        gates=gates,
        result_hash=result_hash,
    )
    execution.check_gates(result, look_at="suspects")
    with progress.phase("write cleaned version", of=rows) as phase:
        try:
            phase.rows = stage_cleaned(
                outputs,
                prepared.input,
                findings,
                columns,
                config,
                rows_in_table=rows,
                run_time=prepared.run_time,
                timestamps=prepared.timestamps,
            )
        except SparkCleanError:
            execution.verify()  # rows that are too many or too few: it may say why
            raise
    return replace(result, report=summarise(findings, columns, top))


def review_suspects(
    prepared: AuditPrepared,
    settled: DataFrame,
    suspects: Suspects,
    store: FolderStore,
    config: Config,
) -> Suspects:
    """Let what people decided come before what the audit suspects."""
    content, names = None, config.section(ReviewSection).content
    if names:
        table = prepared.input.frame
        hashed = content_hash(table, names).alias(CONTENT_HASH)
        content = table.select(*map(quoted, prepared.columns.ids), hashed)
    decided = decided_labels(settled, prepared.columns, content)
    return take_decisions(suspects, decided, prepared.columns, store)


def scan_of(prepared: AuditPrepared, config: Config) -> Scan:
    """Choose how the probabilities are read."""
    return choose_scan(
        prepared.scanned.source,
        prepared.scanned.pin,
        prepared.audited,
        prepared.columns,
        scan=config.scan,
        row_sum_tolerance=config.section(AdmissionSection).row_sum_tolerance,
        is_filtered=config.input.where is not None and not prepared.has_predictions,
        first_rows=prepared.scanned.first_rows,
    )


def _check_ids(prepared: AuditPrepared, condition: str | None, scanner: Scanner) -> int:
    """Check that record ids are unique; count the rows of the table."""
    columns, table, scan = prepared.columns, prepared.input, scanner.scan
    looked = not prepared.has_predictions and condition is None and scan.looks_at_ids
    if looked:
        rows = scan.collect_rising_ids()
        if rows is not None:
            there = table.frame.count() if table.pin.rows is None else table.pin.rows
            if rows == there:
                return rows
    if prepared.has_predictions:
        check_same_examples(
            columns.keys(prepared.examples), columns.keys(prepared.audited), columns.ids
        )
    keys = columns.keys(table.frame)
    return count_duplicate_ids(keys, scanner.ids, columns.ids, may_rise=not looked)
