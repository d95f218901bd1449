"""Audit a table in a lake: pin, audit, gate, stage, publish, record. The main job."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import functions as F

from sparkclean import schema
from sparkclean.cluster.checks import count_duplicate_ids
from sparkclean.cluster.clean import Cleaned, check_free_names, clean_dataset
from sparkclean.cluster.columns import Columns, resolve_columns
from sparkclean.cluster.gate import gate_error, judge
from sparkclean.cluster.passes import Scanner
from sparkclean.cluster.pipeline import (
    Findings,
    collect_findings,
    compute_result_hash,
    count_passes,
)
from sparkclean.cluster.progress import Progress
from sparkclean.cluster.publish import ORDER, Outputs, open_targets
from sparkclean.cluster.record import (
    CLEANED_CONFLICT,
    GATE_FAILED,
    PUBLISHED,
    RunRecord,
    package_versions,
)
from sparkclean.cluster.summary import summarise
from sparkclean.cluster.tables import (
    Provenance,
    class_rows,
    pair_rows,
    rejected_frame,
    suspects_frame,
)
from sparkclean.cluster.workspace import FolderWorkspace
from sparkclean.config import Config, config_fingerprint, resolve_classes
from sparkclean.errors import (
    ConfigError,
    InputError,
    PublishConflictError,
    SparkCleanError,
    VersionExistsError,
)
from sparkclean.faults import fault_point
from sparkclean.lake import Pin, SourceTable, open_source, safe_run_id
from sparkclean.lake.run_state import RunState, forget_run, remember_run

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_log = logging.getLogger("sparkclean")
_TOP = 10
_ROWS_PER_FILE = 1_000_000


@dataclass(frozen=True)
class RunResult:
    """The end of a run.

    Attributes
    ----------
    text : str
        Summary for people.
    repeated : bool
        Whether the run had finished before and nothing was done.
    """

    text: str
    repeated: bool = False


@dataclass
class Run:
    """One audit of one table.

    Attributes
    ----------
    spark : SparkSession
    config : Config
    run_id : str
        The scheduler's; stable over its retries.
    on_classes : callable
        Called with K once it is known (to fit the session's batch size).
    """

    spark: SparkSession
    config: Config
    run_id: str
    on_classes: Callable[[int], None] = lambda _: None
    progress: Progress = field(default_factory=Progress)

    def __post_init__(self) -> None:
        self.source: SourceTable = open_source(self.config.input.table, self.config.input.format)
        self.targets = open_targets(self.config.output, mode=self.config.clean.mode)
        #: The target that keeps the state of unfinished runs: of the run record, if there is one.
        self.home = self.targets[[name for name in ORDER if name in self.targets][-1]]

    # -- before anything is written ------------------------------------------------------------

    def prepare(self) -> None:
        """Pin the input and check the configuration against it. Writes nothing.

        Raises
        ------
        ConfigError, InputError
        """
        config = self.config
        self.state = RunState.load(self.home.location, self.run_id)
        if self.state is not None:
            self.pin: Pin = self.state.pin
            self.source.verify(self.pin)
            _log.info("resuming run %s on its pinned input", self.run_id)
        else:
            self.pin = self.source.pin(config.input.version)
        self.table: DataFrame = self.source.read(self.spark, self.pin)
        self.audited: DataFrame = self._where(self.table)
        self.columns: Columns = resolve_columns(
            self.audited,
            ids=config.columns.id_columns,
            label=config.columns.label,
            probs=config.columns.pred_probs_columns,
            classes=resolve_classes(config),
        )
        check_free_names(self.table.columns, self.columns.label, config.clean.mode)
        self.on_classes(self.columns.num_classes)
        self.fingerprint = config_fingerprint(config, self.columns.classes)
        _check_same_run(self.state, self.run_id, self.fingerprint, config.input.table)

    def _where(self, table: DataFrame) -> DataFrame:
        where = self.config.input.where
        if where is None:
            return table
        try:
            frame = table.where(F.expr(where))
            frame.schema  # noqa: B018 (Connect analyses only now)
        except (AnalysisException, ParseException) as exc:
            reason = str(exc).splitlines()[0]
            raise ConfigError(
                f"input.where: {where!r} is not a predicate on the table: {reason}"
            ) from exc
        return frame

    # -- the run -------------------------------------------------------------------------------

    def execute(self) -> RunResult:
        """Audit and publish. Safe to repeat with the same run id.

        Returns
        -------
        RunResult

        Raises
        ------
        SparkCleanError
            Any of its kinds; what was published by then stays, and a repetition completes it.

        Notes
        -----
        Reads the wide column `count_passes` times, and the whole table once more to write the
        cleaned version.
        """
        outputs = Outputs(
            self.targets,
            self.run_id,
            {"config_fingerprint": self.fingerprint, "input": self.pin.dataset_version},
        )
        finished = self._finished(outputs)
        if finished is not None:
            return finished
        remember_run(
            self.home.location,
            RunState(self.run_id, self.fingerprint, self.config.input.table, self.pin),
        )
        fault_point("run.pinned")
        record = self._record()
        staging = self.home.stage(self.run_id)
        try:
            scanner = Scanner(
                self.columns.narrow(self.audited),
                self.columns,
                self.columns.reader(self.config.admission.row_sum_tolerance),
                FolderWorkspace(f"{staging.path}/work"),
            )
            text = self._audit_and_publish(scanner, outputs, record)
        finally:
            staging.discard()
            if record.status == GATE_FAILED:
                # nothing of it was published: a repetition looks at the input anew
                forget_run(self.home.location, self.run_id)
                outputs.discard(keep=("suspects",))
            else:
                outputs.discard()
        forget_run(self.home.location, self.run_id)
        return RunResult(text)

    def _finished(self, outputs: Outputs) -> RunResult | None:
        """Recognise a run that has published everything before."""
        missing = [name for name in self.targets if outputs.wants(name)]
        for name, version in outputs.published.items():
            of_before = version.properties.get("config_fingerprint")
            if of_before not in (None, self.fingerprint):
                raise VersionExistsError(
                    f"run id {self.run_id!r} has already published {name} ({version.name}) with "
                    f"another configuration (fingerprint {of_before}, now {self.fingerprint}); "
                    "use a new run id"
                )
        if "runs" in self.targets:
            status = self.targets["runs"].run_status(self.run_id)
            if status != PUBLISHED:
                return None
        elif missing:
            return None
        return RunResult(f"run {self.run_id} has finished before; nothing was done", repeated=True)

    def _record(self) -> RunRecord:
        pin = json.loads(self.pin.to_json())
        pin["files"] = len(self.pin.files)
        pin.pop("schema_groups", None)
        return RunRecord(
            run_id=safe_run_id(self.run_id),
            original_run_id=self.run_id,
            config_fingerprint=self.fingerprint,
            dataset_version=self.pin.dataset_version,
            config=self.config.model_dump(mode="json"),
            input=pin,
            versions=package_versions(self.spark.version),
        )

    def _audit_and_publish(self, scanner: Scanner, outputs: Outputs, record: RunRecord) -> str:
        config, progress = self.config, self.progress
        progress.total = count_passes(config.method) + 5
        try:
            with progress.phase("check record ids") as phase:
                everything = self.columns.narrow(self.table)
                phase.rows = count_duplicate_ids(everything, scanner.ids, self.columns.ids)
            findings = collect_findings(scanner, config.method, config.admission, progress)
        except InputError as exc:
            record.status, record.message = GATE_FAILED, str(exc)
            self._publish_record(outputs, record, None)
            raise
        fault_point("run.audited")
        provenance = Provenance(
            self.pin.dataset_version, self.fingerprint, safe_run_id(self.run_id)
        )
        with progress.phase("write suspects") as phase:
            record.result_hash = compute_result_hash(findings, self.columns.classes, scanner.ids)
            top = self._stage_findings(findings, outputs, provenance)
            phase.rows = findings.num_suspects
        record.gates = judge(
            findings, config.gate, mode=config.clean.mode, classes=self.columns.classes
        )
        staged = outputs.staged.get("suspects")
        error = gate_error(list(record.gates), staged.data_path if staged else None)
        if error is not None:
            record.status, record.message = GATE_FAILED, str(error)
            self._publish_record(outputs, record, findings)
            raise error
        with progress.phase("write cleaned version") as phase:
            phase.rows = self._stage_cleaned(findings, outputs)
        with progress.phase("publish"):
            self.source.verify(self.pin)
            fault_point("run.verified")
            self._publish(outputs, record, findings)
        where = {name: version_of(outputs, name) for name in self.targets}
        return summarise(findings, self.columns, top, where)

    def _stage_findings(
        self, findings: Findings, outputs: Outputs, provenance: Provenance
    ) -> list[Any]:
        suspects = suspects_frame(findings, self.columns, provenance)
        if outputs.wants("suspects"):
            written = outputs.stage_frame("suspects", _by_rank(suspects, findings.num_suspects))
            _check_rows("suspects", written, findings.num_suspects)
        if outputs.wants("rejected"):
            rejected = rejected_frame(findings.statistics.rejected, self.columns, provenance)
            count = findings.statistics.rows - findings.statistics.audited
            few = rejected.coalesce(1) if count <= _ROWS_PER_FILE else rejected
            written = outputs.stage_frame("rejected", few)
            _check_rows("rejected", written, count)
        for name, rows, contract in (
            ("classes", class_rows(findings, self.columns, provenance), schema.CLASSES),
            ("pairs", pair_rows(findings, self.columns, provenance), schema.PAIRS),
        ):
            if outputs.wants(name):
                outputs.stage_rows(name, rows, contract, self.columns.label_type)
        return suspects.where(F.col(schema.RANK) <= _TOP).orderBy(schema.RANK).collect()

    def _stage_cleaned(self, findings: Findings, outputs: Outputs) -> int:
        config = self.config.clean
        if "cleaned" not in self.targets:
            return 0
        cleaned: Cleaned = clean_dataset(
            self.table,
            findings,
            self.columns,
            mode=config.mode,
            rejected=config.rejected,
            where=self.config.input.where,
            rows=self.pin.rows,
        )
        written = 0
        if cleaned.quarantine is not None and outputs.wants("quarantine"):
            rows = outputs.stage_frame("quarantine", cleaned.quarantine)
            _check_rows("quarantine", rows, cleaned.quarantine_rows)
            written += rows
        if outputs.wants("cleaned"):
            rows = outputs.stage_frame("cleaned", cleaned.clean)
            _check_rows("cleaned", rows, cleaned.clean_rows)
            written += rows
        return written

    def _publish(self, outputs: Outputs, record: RunRecord, findings: Findings) -> None:
        conflict = None
        for name in ORDER:
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
        record.outputs = {
            name: {"location": self.targets[name].location, "version": version.name}
            for name, version in outputs.published.items()
        }
        row = record.row(findings, self.progress.phases)
        outputs.stage_rows("runs", [row], schema.RUNS)
        outputs.publish("runs", replace_run=True)


def version_of(outputs: Outputs, name: str) -> str:
    """Say where an output is and in which version."""
    location = outputs.targets[name].location
    version = outputs.published.get(name)
    return f"{location} ({version.name})" if version else location


def _by_rank(suspects: DataFrame, rows: int) -> DataFrame:
    """Order suspects over files and within them, so that the first rows are the worst."""
    files = -(-rows // _ROWS_PER_FILE)
    if files <= 1:
        return suspects.coalesce(1).sortWithinPartitions(schema.RANK)
    return suspects.repartitionByRange(files, schema.RANK).sortWithinPartitions(schema.RANK)


def _check_rows(name: str, written: int, wanted: int) -> None:
    if written != wanted:
        raise SparkCleanError(
            f"{name}: {written:,} rows were written where {wanted:,} must be; nothing was "
            "published. The input may have changed in the middle of the run: run again"
        )


def _check_same_run(state: RunState | None, run_id: str, fingerprint: str, table: str) -> None:
    if state is None:
        return
    if state.config_fingerprint != fingerprint or state.table != table:
        raise VersionExistsError(
            f"run id {run_id!r} was begun with another configuration or input (fingerprint "
            f"{state.config_fingerprint} on {state.table}, now {fingerprint} on {table}); use a "
            "new run id, or go back to that configuration to complete it"
        )
