"""Audit a table in a lake: pin, audit, gate, stage, publish, record. The main job."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkclean import schema
from sparkclean.config.model import config_fingerprint, resolve_classes
from sparkclean.errors import InputError, PublishConflictError, SparkCleanError
from sparkclean.examples.checks import check_same_examples, count_duplicate_ids
from sparkclean.examples.clean import check_free_names
from sparkclean.examples.columns import Columns, check_present, resolve_columns
from sparkclean.examples.scan_choice import choose_scan
from sparkclean.examples.statistics import Scanner
from sparkclean.faults import OUTPUTS, fault_point
from sparkclean.jobs.audit.findings import Findings, findings_hash
from sparkclean.jobs.audit.gate import judge
from sparkclean.jobs.audit.pipeline import collect_findings
from sparkclean.jobs.audit.stage import stage_cleaned, stage_findings
from sparkclean.jobs.audit.summary import summarise
from sparkclean.lake import (
    SourceTable,
    Staging,
    TargetTable,
    open_source,
    open_target,
    safe_run_id,
)
from sparkclean.lake.run_records import recall_run
from sparkclean.rows.columns import quoted
from sparkclean.rows.stores import FolderStore
from sparkclean.runs.gates import gate_error
from sparkclean.runs.outputs import Outputs
from sparkclean.runs.pinned_run import PinnedRun
from sparkclean.runs.provenance import Provenance
from sparkclean.runs.record import CLEANED_CONFLICT, GATE_FAILED, RunRecord
from sparkclean.runs.targets import check_columns, open_targets

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass
class Run(PinnedRun):
    """One audit of one table.

    With ``input.predictions`` probabilities come from that table alone; the input is read narrowly,
    to check that it has the same record ids and labels, and to clean it.

    Attributes
    ----------
    predictions_version : str or int or None
        Of ``input.predictions``; the current one by default.
    """

    predictions_version: str | int | None = None

    def _open_targets(self, work: Path | None) -> dict[str, TargetTable]:
        return open_targets(
            self.config, spark=self.spark, source_format=self.source.format, work=work
        )

    # -- before anything is written ------------------------------------------------------------

    def prepare(self) -> None:
        """Pin the input and check the configuration against it. Writes nothing.

        Raises
        ------
        ConfigError, InputError
        """
        config = self.config
        self._pin()
        classes = resolve_classes(config)
        #: Where probabilities are read.
        self.scanned: SourceTable = self.source
        if config.input.predictions is not None:
            self._pin_predictions(config.input.predictions)
            classes = classes or self._predicted_classes(config.input.predictions)
        with self.engine_errors():
            self.columns: Columns = resolve_columns(
                self.audited,
                ids=config.columns.id_columns,
                label=config.columns.label,
                probs=config.columns.pred_probs_columns,
                classes=classes,
            )
        check_free_names(
            self.table.columns,
            self.columns.label,
            config.clean.mode,
            keep_original=config.clean.keep_original,
        )
        self.on_classes(self.columns.num_classes)
        self._check_run(config_fingerprint(config, self.columns.classes))
        check_columns(self.targets, self.columns)

    def _pin_predictions(self, table: str) -> None:
        self.examples: DataFrame = self.audited
        self.scanned = open_source(table, "auto", spark=self.spark)
        remembered = None if self.state is None else self.state.predictions
        if remembered is not None:
            self.scanned.verify(remembered)
        self.predictions = remembered or self.scanned.pin(self.predictions_version)
        self.audited = self.scanned.read(self.spark, self.predictions)
        keys = [*self.config.columns.id_columns, self.config.columns.label]
        for frame in (self.examples, self.audited):
            check_present(frame.schema, keys, "columns.id and columns.label")
        # a format may know fewer types: Iceberg has no smallint
        wanted = {name: self.examples.schema[name].dataType for name in keys}
        casts = {
            name: quoted(name).cast(kind)
            for name, kind in wanted.items()
            if kind != self.audited.schema[name].dataType
        }
        self.audited = self.audited.withColumns(casts) if casts else self.audited

    def _predicted_classes(self, table: str) -> tuple[Any, ...] | None:
        """Find the classes that the prediction has noted; None in a table of somebody else."""
        if self.predictions is None:
            return None
        with suppress(InputError):  # files of somebody else
            versions = open_target(table, self.predictions.format, spark=self.spark).versions()
            names = [version.name for version in versions]
            if self.predictions.version in names:
                # others may have compacted the table since
                before = versions[: names.index(self.predictions.version) + 1]
                noted = [v.properties["classes"] for v in before if "classes" in v.properties]
                return tuple(json.loads(noted[-1])) if noted else None
        return None

    def _verify(self) -> None:
        """Check that what was pinned is still there."""
        self.source.verify(self.pin)
        if self.predictions is not None:
            self.scanned.verify(self.predictions)

    # -- the run -------------------------------------------------------------------------------

    def _work(self, staging: Staging, outputs: Outputs, record: RunRecord) -> str:
        """Audit and publish.

        Reads the wide column as often as `collect_findings`, and the whole table once more to write
        the cleaned version.
        """
        pin = self.predictions or self.pin
        scan = choose_scan(self.config, self.scanned, pin, self.audited, self.columns)
        scanner = Scanner(scan, self.columns, FolderStore(f"{staging.path}/work"))
        return self._audit_and_publish(scanner, outputs, record)

    def _audit_and_publish(self, scanner: Scanner, outputs: Outputs, record: RunRecord) -> str:
        config, progress = self.config, self.progress
        try:
            with progress.phase("check record ids") as phase:
                rows = self._check_ids(scanner)
                phase.rows = rows
            findings = collect_findings(
                scanner,
                config.method,
                config.admission,
                progress,
                rows=rows if config.input.where is None else self.audited.count(),
                recall=self._recall,
            )
            if config.input.where is None and findings.statistics.rows != rows:
                raise SparkCleanError(
                    f"the scan of {scanner.scan.kind} has read {findings.statistics.rows:,} rows "
                    f"of {rows:,}; nothing was published. Run again with scan: dataframe"
                )
        except InputError as exc:
            record.status, record.message = GATE_FAILED, str(exc)
            self._publish_record(outputs, record, None)
            raise
        self._verify()
        fault_point("run.audited")
        provenance = Provenance(
            self.pin.dataset_version, self.fingerprint, safe_run_id(self.run_id)
        )
        with progress.phase("write suspects") as phase:
            record.result_hash = findings_hash(findings, self.columns.classes)
            top = stage_findings(outputs, findings, self.columns, provenance)
            phase.rows = findings.suspects.num_suspects
        record.gates = judge(
            findings.suspects,
            findings.statistics.examples,
            config.gate,
            mode=config.clean.mode,
            classes=self.columns.classes,
        )
        staged = outputs.staged.get("suspects")
        error = gate_error(list(record.gates), staged.data_path if staged else None)
        if error is not None:
            record.status, record.message = GATE_FAILED, str(error)
            self._publish_record(outputs, record, findings)
            raise error
        with progress.phase("write cleaned version") as phase:
            try:
                phase.rows = stage_cleaned(
                    outputs,
                    self.table,
                    findings,
                    self.columns,
                    config,
                    pin=self.pin,
                    rows_in_table=rows,
                )
            except SparkCleanError:
                self._verify()  # rows that are too many or too few: it may say why
                raise
        with progress.phase("publish"):
            self._verify()
            fault_point("run.verified")
            self._publish(outputs, record, findings)
        return summarise(findings, self.columns, top, outputs.places())

    def _recall(self) -> str | None:
        """Give what the last published run of this configuration has left."""
        if "runs" not in self.targets:
            return None
        return recall_run(self.spark, self.targets["runs"].location, self.fingerprint)

    def _check_ids(self, scanner: Scanner) -> int:
        """Check that record ids are unique; count the rows of the table."""
        scan = scanner.scan
        of_table = self.predictions is None and self.config.input.where is None
        looked = of_table and scan.looks_at_ids
        if looked:
            rows = scan.collect_rising_ids()
            if rows is not None:
                there = self.table.count() if self.pin.rows is None else self.pin.rows
                if rows == there:
                    return rows
        if self.predictions is not None:
            check_same_examples(
                self.columns.keys(self.examples), self.columns.keys(self.audited), self.columns.ids
            )
        keys = self.columns.keys(self.table)
        return count_duplicate_ids(keys, scanner.ids, self.columns.ids, may_rise=not looked)

    def _publish(self, outputs: Outputs, record: RunRecord, findings: Findings) -> None:
        conflict = None
        for name in OUTPUTS:
            if name == "runs":
                continue
            try:
                outputs.publish(name)
            except PublishConflictError as exc:
                # the suspects of both runs are recorded; the cleaned version is the other's
                conflict = exc
                record.status, record.message = CLEANED_CONFLICT, str(exc)
        self._publish_record(outputs, record, findings)
        if conflict is not None:
            raise conflict

    def _publish_record(
        self, outputs: Outputs, record: RunRecord, findings: Findings | None
    ) -> None:
        if "runs" not in self.targets:
            return
        record.outputs = outputs.versions()
        record.bytes_written = outputs.bytes_written
        found = {} if findings is None else recorded(findings)
        row = record.row(self.progress.phases, found)
        outputs.stage_rows("runs", [row], schema.RUNS)
        outputs.publish("runs", replace_run=True)


def recorded(findings: Findings) -> dict[str, Any]:
    """Give what the run record says of findings, by its columns."""
    statistics = findings.statistics
    counts = {
        "rejections": statistics.rejections,
        "clipped": statistics.clipped,
        "warnings": list(findings.warnings),
        "noise_rate": findings.noise.noise_rate,
    }
    return {
        "rows": statistics.rows,
        "audited": statistics.audited,
        "rejected": statistics.rows - statistics.audited,
        "suspects": findings.suspects.num_suspects,
        "classes": len(findings.thresholds),
        "counts": json.dumps(counts, ensure_ascii=False, default=str),
        "remembered": findings.remembered,
    }
