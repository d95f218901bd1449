"""Audit a table in a lake: pin, audit, gate, stage, publish, record. The main job."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import functions as F

from sparkclean import schema
from sparkclean.cluster.checks import count_duplicate_ids
from sparkclean.cluster.clean import check_free_names
from sparkclean.cluster.columns import Columns, resolve_columns
from sparkclean.cluster.findings import Findings, findings_hash
from sparkclean.cluster.gate import gate_error, judge
from sparkclean.cluster.passes import Scanner
from sparkclean.cluster.pipeline import collect_findings
from sparkclean.cluster.progress import Progress
from sparkclean.cluster.publish import DATASETS, ORDER, Outputs
from sparkclean.cluster.record import (
    CLEANED_CONFLICT,
    GATE_FAILED,
    PUBLISHED,
    RunRecord,
    package_versions,
    pin_summary,
)
from sparkclean.cluster.scan_choice import choose_scan
from sparkclean.cluster.stage import stage_cleaned, stage_findings
from sparkclean.cluster.summary import summarise
from sparkclean.cluster.tables import Provenance
from sparkclean.cluster.targets import check_columns, open_targets
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
from sparkclean.lake import (
    Pin,
    SourceTable,
    Staging,
    StagingFolder,
    open_source,
    safe_run_id,
    translate_read_error,
    translate_write_error,
)
from sparkclean.lake.engine_errors import analysed
from sparkclean.lake.run_records import recall_run
from sparkclean.lake.run_state import RunState, forget_run, remember_run
from sparkclean.locations import local_path

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_log = logging.getLogger("sparkclean")


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
    _leftovers: list[StagingFolder] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        source, output = self.config.input, self.config.output
        self.source: SourceTable = open_source(source.table, source.format, spark=self.spark)
        work = None if output.work is None else local_path(output.work)
        self.targets = open_targets(
            self.config, spark=self.spark, source_format=self.source.format, work=work
        )
        #: Folder of intermediate files and of the state of unfinished runs: beside the run record,
        #: or the last of the outputs on Parquet, where no other is configured.
        self.home = Path(
            work or [t.location for t in self.targets.values() if t.format == "parquet"][-1]
        )

    # -- before anything is written ------------------------------------------------------------

    def prepare(self) -> None:
        """Pin the input and check the configuration against it. Writes nothing.

        Raises
        ------
        ConfigError, InputError
        """
        config = self.config
        self.state = RunState.load(str(self.home), self.run_id)
        if self.state is not None:
            self.pin: Pin = self.state.pin
            self.source.verify(self.pin)
            _log.info("resuming run %s on its pinned input", self.run_id)
        else:
            self.pin = self.source.pin(config.input.version)
        self.table: DataFrame = self.source.read(self.spark, self.pin)
        self.audited: DataFrame = self._where(self.table)
        with self.engine_errors():
            self.columns: Columns = resolve_columns(
                self.audited,
                ids=config.columns.id_columns,
                label=config.columns.label,
                probs=config.columns.pred_probs_columns,
                classes=resolve_classes(config),
            )
        check_free_names(
            self.table.columns,
            self.columns.label,
            config.clean.mode,
            keep_original=config.clean.keep_original,
        )
        self.on_classes(self.columns.num_classes)
        self.fingerprint = config_fingerprint(config, self.columns.classes)
        if self.state is not None:
            self.state.check_same(self.fingerprint, config.input.table, self._version)
        for target in self.targets.values():
            target.check_writable()
        check_columns(self.targets, self.columns)

    @property
    def _version(self) -> str | None:
        version = self.config.input.version
        return None if version is None else str(version)

    def _where(self, table: DataFrame) -> DataFrame:
        where = self.config.input.where
        if where is None:
            return table
        try:
            return analysed(table.where(F.expr(where)))
        except (AnalysisException, ParseException) as exc:
            reason = str(exc).splitlines()[0]
            raise ConfigError(
                f"input.where: {where!r} is not a predicate on the table: {reason}"
            ) from exc

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
        Reads the wide column as often as `collect_findings`, and the whole table once more to
        write the cleaned version.
        """
        outputs = Outputs(
            self.targets,
            self.run_id,
            {
                "config_fingerprint": self.fingerprint,
                "input": self.pin.dataset_version,
                "input_table": self.pin.table,
            },
        )
        if self._is_finished(outputs):
            forget_run(str(self.home), self.run_id)
            text = f"run {self.run_id} has finished before; nothing was done"
            return RunResult(text, repeated=True)
        remember_run(
            str(self.home),
            RunState(
                self.run_id, self.fingerprint, self.config.input.table, self.pin, self._version
            ),
        )
        fault_point("run.pinned")
        record = self._record()
        staging = Staging(self.home, self.run_id)
        try:
            with self.engine_errors():
                scan = choose_scan(self.config, self.source, self.pin, self.audited, self.columns)
                scanner = Scanner(scan, self.columns, FolderWorkspace(f"{staging.path}/work"))
                text = self._audit_and_publish(scanner, outputs, record)
        finally:
            keep: tuple[str, ...] = ()
            if record.status == GATE_FAILED:
                # nothing of it was published: a repetition looks at the input anew
                forget_run(str(self.home), self.run_id)
                keep = ("suspects",)
            self._leftovers = [staging, *outputs.leftovers(keep=keep)]
            self.discard()
        forget_run(str(self.home), self.run_id)
        return RunResult(text)

    @contextmanager
    def engine_errors(self) -> Iterator[None]:
        """Put errors of the engine into our words."""
        try:
            yield
        except ConnectionError as exc:  # of py4j: the JVM has gone
            raise SparkCleanError(
                f"Spark has ended ({exc}); whatever was published is whole. Repeat the run with "
                "the same run id"
            ) from exc
        except Exception as exc:
            read = translate_read_error(exc, self.pin)
            translated = read or translate_write_error(exc, str(self.home))
            if translated is exc:
                raise
            raise translated from exc

    def discard(self) -> None:
        """Remove what the run has staged and not published.

        After an interrupt tasks go on writing until the session stops: then call it once more.
        """
        for staging in self._leftovers:
            # what fails here must not hide what ended the run; `sparkclean clean-up` removes it
            with suppress(Exception):
                staging.discard()

    def _is_finished(self, outputs: Outputs) -> bool:
        """Recognise a run that has published everything before; refuse another of its name."""
        status = self.targets["runs"].run_status(self.run_id) if "runs" in self.targets else None
        for name, version in outputs.published.items():
            if name == "runs" and status == GATE_FAILED:
                continue  # nothing stands for this run id yet
            for key in ("config_fingerprint", "input_table"):
                before, now = version.properties.get(key), outputs.properties[key]
                if before != now:
                    raise VersionExistsError(
                        f"run id {self.run_id!r} has already published {name} ({version.name}) "
                        f"with another {key} ({before}, now {now}); use a new run id"
                    )
        if status == PUBLISHED and not set(DATASETS) & set(self.targets) <= set(outputs.published):
            raise VersionExistsError(
                f"run id {self.run_id!r} has finished before, and is not among the versions of "
                f"{self.targets['cleaned'].location}: it had other outputs, or its version was "
                "cleaned up; use a new run id"
            )
        if "runs" in self.targets:
            return status == PUBLISHED
        return set(outputs.published) == set(self.targets)

    def _record(self) -> RunRecord:
        return RunRecord(
            run_id=safe_run_id(self.run_id),
            original_run_id=self.run_id,
            config_fingerprint=self.fingerprint,
            dataset_version=self.pin.dataset_version,
            config=self.config.model_dump(mode="json"),
            input=pin_summary(self.pin),
            versions=package_versions(self.spark.version),
        )

    def _audit_and_publish(self, scanner: Scanner, outputs: Outputs, record: RunRecord) -> str:
        config, progress = self.config, self.progress
        try:
            with progress.phase("check record ids") as phase:
                rows = self._check_ids(scanner)
                phase.rows = rows
            findings = collect_findings(
                scanner, config.method, config.admission, progress, self._recall
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
        self.source.verify(self.pin)
        fault_point("run.audited")
        provenance = Provenance(
            self.pin.dataset_version, self.fingerprint, safe_run_id(self.run_id)
        )
        with progress.phase("write suspects") as phase:
            record.result_hash = findings_hash(findings, self.columns.classes)
            top = stage_findings(outputs, findings, self.columns, provenance)
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
                self.source.verify(self.pin)  # rows that are too many or too few: it may say why
                raise
        with progress.phase("publish"):
            self.source.verify(self.pin)
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
        rows = scanner.scan.collect_rising_ids()
        if rows is not None:
            there = self.table.count() if self.pin.rows is None else self.pin.rows
            if rows == there:
                return rows
        everything = self.columns.narrow(self.table)
        return count_duplicate_ids(everything, scanner.ids, self.columns.ids)

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
        record.bytes_written = outputs.bytes_written
        row = record.row(findings, self.progress.phases)
        outputs.stage_rows("runs", [row], schema.RUNS)
        outputs.publish("runs", replace_run=True)
