"""The one runner of all jobs: pin, resume, verify, publish in order, record, tidy up."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkclean.config.fingerprint import changed_settings, fingerprint, fingerprint_of_before
from sparkclean.errors import ConfigError, InputError, VersionExistsError
from sparkclean.faults import fault_point
from sparkclean.lake import Pin, StagingFolder, TargetTable, Version, open_target
from sparkclean.lake.base import INPUT_TABLE, OF_TABLE
from sparkclean.lake.record_rows import VOID
from sparkclean.lake.run_state import RunState, forget_run, remember_run
from sparkclean.locations import local_path
from sparkclean.rows.progress import Progress
from sparkclean.rows.report import Line, Report
from sparkclean.runs.attempt import Attempt, PreparedRun
from sparkclean.runs.context import Context
from sparkclean.runs.engine_errors import engine_errors
from sparkclean.runs.job import Job, Prepared, Result
from sparkclean.runs.outputs import Outputs
from sparkclean.runs.recall import recall_run
from sparkclean.runs.result import JobResult, finished_result, plan_report, run_report
from sparkclean.runs.status import GATE_FAILED, PUBLISHED
from sparkclean.runs.targets import check_columns, check_same_table, warn_of_places_before
from sparkclean.schema import CONFIG_FINGERPRINT, JOB, RUN_RECORDS, OutputSpec

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from sparkclean.config.sections import Config

_log = logging.getLogger("sparkclean")

_RUNS = RUN_RECORDS.name


@dataclass
class Runner:
    """Runs one job once, and again under the same run id.

    Attributes
    ----------
    job : Job
    spark : SparkSession
    config : Config
    run_id : str
        The scheduler's; stable over its retries.
    fit_batches : callable
        Called with the numbers of a row once these are known (to fit the session's batch size).
    given : mapping
        What to read, by the name of the table, where somebody has pinned it before.
    make_context : callable
        Makes what the job is prepared with.
    """

    job: Job[Any]
    spark: SparkSession
    config: Config
    run_id: str
    fit_batches: Callable[[int], None] = lambda _: None
    given: Mapping[str, Pin] = field(default_factory=dict)
    progress: Progress = field(default_factory=Progress)
    make_context: Callable[..., Context] = Context
    #: Whether all that the run publishes is published.
    is_published: bool = field(default=False, init=False)
    _leftovers: list[StagingFolder] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        output = self.config.output
        work = None if output.work is None else local_path(output.work)
        self.specs: dict[str, OutputSpec] = {spec.name: spec for spec in self.job.outputs}
        self.specs[_RUNS] = RUN_RECORDS
        self.targets: dict[str, TargetTable] = self._open_targets(work)
        #: Folder of intermediate files and of the state of unfinished runs: beside the run record,
        #: or the last of the outputs on Parquet, where no other is configured.
        places = [t.location for t in self.targets.values() if t.has_folder]
        if work is None and not places:
            if not self.targets:
                raise ConfigError(
                    "output.runs: null, but this job writes no other table; name a location for "
                    "the run records"
                )
            raise ConfigError(
                f"output.work: null, but {' and '.join(self.targets)} of this job are not on "
                "Parquet; name a folder that driver and executors share, for intermediate files"
            )
        self.home = str(work or places[-1])

    def _open_targets(self, work: Path | None) -> dict[str, TargetTable]:
        """Open the outputs that are written, in the order of publication."""
        places = self.job.locations(self.config)
        targets = {
            spec.name: self.job.open_output(
                spec.name, places[spec.name], self.config, spark=self.spark, work=work
            )
            for spec in self.job.outputs
            if spec.name in places
        }
        runs, kind = self.config.output.runs, self.config.output.format
        if runs is not None:
            targets[_RUNS] = open_target(runs, kind, spark=self.spark, work=work, layout="copy")
        return targets

    # -- before anything is written ------------------------------------------------------------

    def prepare(self) -> PreparedRun:
        """Pin what is read and check the configuration against it. Writes nothing.

        Raises
        ------
        ConfigError, InputError
        VersionExistsError
            If the run id was begun with another configuration or input.
        """
        state = RunState.load(self.home, self.job.name, self.run_id)
        record = self.find_record()
        if state is not None and state.is_of_before and not self._is_ours(state, record):
            state = None
        run = self._prepare(state, record)
        if state is not None:
            _log.info("resuming run %s on its pinned input", self.run_id)
            changed = (
                "" if state.config_fingerprint == run.fingerprint else self._changed(state.config)
            )
            state.check_same(run.fingerprint, run.input_table, run.version, changed)
        self._check_outputs(run.prepared, run.published)
        return run

    def _check_outputs(self, prepared: Prepared, published: Mapping[str, Version]) -> None:
        self.check_writable()
        warn_of_places_before(self.config, self.targets)
        check_columns(self.targets, self.specs, prepared, self.spark)
        datasets = {
            name: target
            for name, target in self.targets.items()
            if not self.specs[name].accumulates and name not in published
        }
        if not self.config.output.adopt:
            check_same_table(datasets, prepared.input.pin)

    def check_writable(self) -> None:
        """Check that the outputs are in places that can be published to. Writes nothing.

        Raises
        ------
        InputError
        """
        for target in self.targets.values():
            target.check_writable()

    def look_ahead(self) -> JobResult:
        """Check and describe a run that reads what the job before it is yet to make.

        Writes nothing.

        Raises
        ------
        ConfigError, InputError
        """
        ahead = self.job.prepare_ahead(self._context(None, None))
        if ahead is None:
            raise TypeError(f"{self.job.name} follows no job")
        prepared, describe = ahead
        self._check_outputs(prepared, self.find_published())
        with engine_errors(prepared.input.pin, self.home):
            plan = describe()
        return self._planned(plan, prepared.about_ids)

    def _is_ours(self, state: RunState, record: Mapping[str, Any] | None) -> bool:
        """Tell whether a state of before, when an id was one job's alone, is that of this job."""
        try:
            return self._prepare(state, record).fingerprint == state.config_fingerprint
        except InputError:  # what this job has begun must go on with its own input
            return bool(self.find_published())

    def _context(self, state: RunState | None, record: Mapping[str, Any] | None) -> Context:
        return self.make_context(
            spark=self.spark,
            config=self.config,
            job=self.job.name,
            run_id=self.run_id,
            targets=self.targets,
            state=state,
            record=record,
            given=self.given,
            progress=self.progress,
            fit_batches=self.fit_batches,
        )

    def _prepare(self, state: RunState | None, record: Mapping[str, Any] | None) -> PreparedRun:
        context = self._context(state, record)
        prepared = self.job.prepare(context)
        published = self.find_published()
        known = {version.properties.get(CONFIG_FINGERPRINT) for version in published.values()}
        known |= {None if state is None else state.config_fingerprint}
        known |= {None if record is None else record[CONFIG_FINGERPRINT]}
        return PreparedRun(context, prepared, self._fingerprint(prepared, known), published)

    def find_published(self) -> dict[str, Version]:
        """Find what this run has published before; run records are looked up by themselves."""
        own = {name: target for name, target in self.targets.items() if name != _RUNS}
        found = {name: target.find_run(self.run_id) for name, target in own.items()}
        return {name: version for name, version in found.items() if version is not None}

    def _fingerprint(self, prepared: Prepared, known: Set[str | None]) -> str:
        """Make the fingerprint; a run that was begun by the old rule goes on by it."""
        job, classes, taken = self.job, prepared.classes, prepared.taken
        before = fingerprint_of_before(self.config, job.name, classes)
        if before is not None and before in known and not taken:  # then all had one meaning
            return before
        return fingerprint(
            self.config, job.name, job.sections, classes, without=job.unaffected_by, taken=taken
        )

    def is_known(self) -> bool:
        """Tell whether the run has begun, or ended, before."""
        if RunState.load(self.home, self.job.name, self.run_id) is not None:
            return True
        return self.find_record() is not None or bool(self.find_published())

    def find_record(self) -> Mapping[str, Any] | None:
        """Find the record of this run."""
        if _RUNS not in self.targets:
            return None
        return self.targets[_RUNS].find_record(self.job.name, self.run_id)

    def is_finished(self, run: PreparedRun) -> bool:
        """Tell whether the run has published everything before; refuse another of its name."""
        return self._finished(run, self._outputs(run)) is not None

    def describe(self, run: PreparedRun) -> JobResult:
        """Say what a run would do. Writes nothing."""
        about = [*run.prepared.about_ids, Line(f"config fingerprint {run.fingerprint}")]
        if self.is_finished(run):
            about.append(Line(f"run {self.run_id} has finished before; nothing would be done"))
        self._try_out(run)
        with engine_errors(run.prepared.input.pin, self.home):
            plan = self.job.describe(run.prepared, run.context)
        return self._planned(plan, about)

    def _planned(self, plan: Report, about: Sequence[Line]) -> JobResult:
        return self._result("planned", plan_report(self.job.name, plan, about), {}, Result())

    def _try_out(self, run: PreparedRun) -> None:
        with engine_errors(run.prepared.input.pin, self.home):
            self.job.try_out(run.prepared, run.context)

    # -- the run -------------------------------------------------------------------------------

    def execute(self, run: PreparedRun) -> JobResult:
        """Do the job and publish. Safe to repeat with the same run id.

        Parameters
        ----------
        run : PreparedRun

        Returns
        -------
        JobResult

        Raises
        ------
        SparkCleanError
            Any of its kinds; what was published by then stays, and a repetition completes it.
        """
        outputs = self._outputs(run)
        finished = self._finished(run, outputs)
        if finished is not None:
            self.is_published = True
            self._forget(run)
            return finished
        if run.context.state is None:  # else it was tried before
            self._try_out(run)
        remember_run(self.home, run.state())
        fault_point("run.pinned")
        attempt = Attempt(self.job, run, outputs, self.home, lambda: self._recall(run))
        try:
            result = attempt.work()
            self.is_published = True
        finally:
            if attempt.is_refused:
                self._forget(run)
            self._leftovers = attempt.leftovers()
            self.discard()
        self._forget(run)
        report = run_report(result, outputs, run.prepared.about_ids)
        return self._result(PUBLISHED, report, outputs.versions(), result)

    def _outputs(self, run: PreparedRun) -> Outputs:
        properties = {
            JOB: self.job.name,
            CONFIG_FINGERPRINT: run.fingerprint,
            "input": run.input_version,
            INPUT_TABLE: run.prepared.input.pin.table,
            OF_TABLE: run.prepared.input.pin.table_identity,
            **run.prepared.moment,
        }
        return Outputs(
            self.targets,
            self.specs,
            self.run_id,
            self.job.name,
            properties,
            published=dict(run.published),
        )

    def _recall(self, run: PreparedRun) -> str | None:
        """Give what the last published run of the same fingerprint has left."""
        if _RUNS not in self.targets:
            return None
        before = fingerprint_of_before(self.config, self.job.name, run.prepared.classes)
        prints = [run.fingerprint, *([] if before is None else [before])]
        table = run.prepared.input.pin.table
        return recall_run(self.spark, self.targets[_RUNS], prints, table)

    def _finished(self, run: PreparedRun, outputs: Outputs) -> JobResult | None:
        """Recognise a run that has published everything before; refuse another of its name."""
        record = run.context.record
        status = None if record is None else record["status"]
        if record is not None and status == VOID:
            raise VersionExistsError(
                f"run {self.run_id!r} is void: {record['message']}; use a new run id"
            )
        known = {
            name: (f"{name} ({version.name})", version.properties)
            for name, version in outputs.published.items()
        }
        if record is not None and status != GATE_FAILED:  # else nothing stands for the id yet
            table = json.loads(record["input"] or "{}").get("table")
            then = {CONFIG_FINGERPRINT: record[CONFIG_FINGERPRINT], "input_table": table}
            known[_RUNS] = (_RUNS, then)
        for what, before in known.values():
            for key in (CONFIG_FINGERPRINT, "input_table"):
                was, now = before.get(key), outputs.properties[key]
                if was != now:
                    raise VersionExistsError(
                        f"run id {self.run_id!r} has already published {what} with another {key} "
                        f"({was}, now {now}){self._why(key, record)}; use a new run id"
                    )
        datasets = {name for name in self.targets if not self.specs[name].accumulates}
        missing = datasets - set(outputs.published)
        if status == PUBLISHED and missing:
            places = ", ".join(self.targets[name].location for name in sorted(missing))
            raise VersionExistsError(
                f"run id {self.run_id!r} has finished before, and is not among the versions of "
                f"{places}: it had other outputs, or its version was cleaned up; use a new run id"
            )
        done = set(outputs.published) == set(self.targets)
        if not (status == PUBLISHED if _RUNS in self.targets else done):
            return None
        metrics = {} if record is None else json.loads(record.get("metrics") or "{}")
        return finished_result(self.job.name, self.run_id, outputs.versions(), metrics)

    def _why(self, key: str, record: Mapping[str, Any] | None) -> str:
        """Say which settings have changed since a run record was written."""
        if key != CONFIG_FINGERPRINT or record is None:
            return ""
        return f": {self._changed(json.loads(record['config'] or '{}'))}"

    def _changed(self, before: Mapping[str, Any]) -> str:
        """List the settings that have changed, of those that the answer depends on."""
        if not before:
            return ""
        job = self.job
        changed = changed_settings(before, self.config, job.sections, without=job.unaffected_by)
        return "; ".join(changed) or (
            "no setting has changed, but the labels in the file of classes, what feature columns "
            "are taken as, a secret, or the version of sparkclean"
        )

    def _result(
        self, status: str, report: Report, outputs: Mapping[str, Mapping[str, str]], result: Result
    ) -> JobResult:
        return JobResult(self.job.name, self.run_id, status, outputs, dict(result.metrics), report)

    def _forget(self, run: PreparedRun) -> None:
        forget_run(self.home, self.job.name, self.run_id, adopted=run.has_adopted)

    def discard(self) -> None:
        """Remove what the run has staged and not published.

        After an interrupt tasks go on writing until the session stops: then call it once more.
        """
        for staging in self._leftovers:
            # what fails here must not hide what ended the run; `sparkclean clean-up` removes it
            with suppress(Exception):
                staging.discard()
