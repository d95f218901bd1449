"""Run a job, or the sequence of jobs that ``sparkclean run`` is."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkclean import registry
from sparkclean.errors import SparkCleanError
from sparkclean.rows.interrupts import interrupt_behind, outcome_of
from sparkclean.rows.report import Line, Report
from sparkclean.rows.session import batch_setter, find_session, open_session
from sparkclean.rows.task_status import CountTasks, watched_tasks
from sparkclean.schema import RUN_RECORDS
from sparkclean.texts import cause_of, remember_secrets

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from sparkclean.config.sections import Config
    from sparkclean.lake import Pin
    from sparkclean.rows.progress import PhaseListener
    from sparkclean.runs.attempt import PreparedRun
    from sparkclean.runs.context import Context
    from sparkclean.runs.runner import JobResult, Runner

_log = logging.getLogger("sparkclean")

#: Commands that are several jobs, one after another, all under one run id.
SEQUENCES = {"run": ("predict", "audit")}


def new_run_id() -> str:
    """Make a run id for a caller that gives none."""
    return f"run-{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:6]}"


def run_job(
    job: str,
    config: Mapping[str, Any] | str | Path,
    *,
    run_id: str | None = None,
    dry_run: bool = False,
    overrides: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
) -> JobResult:
    """Run a job as its command does: the same checks, the same outputs, the same errors.

    Parameters
    ----------
    job : str
        Name of the command: ``audit``, ``predict``, ``train``, or ``run``, which predicts and
        then audits.
    config : mapping, str or Path
        The configuration, or the file that holds it (YAML or JSON).
    run_id : str, optional
        What stays the same when the run is repeated: a finished run is not done again, one that
        was cut off is completed. A new one by default.
    dry_run : bool
        Whether to check and describe only; nothing is written.
    overrides : sequence of str
        ``section.key=value`` each.
    settings : mapping, optional
        Of a Spark session that is created, as in a ``--properties-file``.

    Returns
    -------
    JobResult
        Of the last job: status, run id, outputs with versions, metrics, summary.

    Raises
    ------
    SparkCleanError
        Any of its kinds; ``exit_code`` is that of the command.

    Notes
    -----
    Uses the active Spark session; without one it makes a session and stops it at the end. Works
    outside the main thread.

    Examples
    --------
    >>> result = sparkclean.run_job("audit", "conf/audit.yaml", run_id="nightly-2026-11-24")
    >>> result.outputs["suspects"]["version"], result.metrics["suspects"]
    """
    from sparkclean.config.file import load_config  # noqa: PLC0415 (pydantic, for a job only)

    checked = load_config(config, overrides=overrides)
    last = None
    run_id = run_id or new_run_id()
    with open_jobs(checked, run_id, settings=settings or {}, job=job) as jobs:
        for last in jobs.run(job, dry_run=dry_run):
            _log.debug("%s", last.summary)
    if last is None or last.job != SEQUENCES.get(job, (job,))[-1]:
        raise KeyboardInterrupt  # when everything was published
    return last


@dataclass
class Jobs:
    """What the jobs of one command share.

    Attributes
    ----------
    spark : SparkSession
    config : Config
    run_id : str
    fit_batches : callable
        Fits the session's batches to the numbers of a row.
    after : ExitStack
        What is done once the session has stopped.
    listener : PhaseListener or None
        Who is told of phases; the log by default.
    count_tasks : callable
        Counts the tasks that run: `sparkclean.rows.task_status.CountTasks`.
    ending : list of Runner
        The runner of the job that ends the command.
    make_context : callable
        Makes what jobs are prepared with; `sparkclean.runs.context.Context` by default.
    given : mapping
        What the first job reads, by the name of the table, where it is pinned.
    """

    spark: SparkSession
    config: Config
    run_id: str
    fit_batches: Callable[[int], None]
    after: ExitStack
    listener: PhaseListener | None
    count_tasks: CountTasks
    ending: list[Runner] = field(default_factory=list)
    make_context: Callable[..., Context] | None = None
    given: Mapping[str, Pin] = field(default_factory=dict)

    def run(self, name: str, *, dry_run: bool = False) -> Iterator[JobResult]:
        """Run a job, or a sequence; yield the result of each job as it ends."""
        if name not in SEQUENCES:
            yield self._run_one(
                self._runner(name, self.config, self.run_id, self.given), dry_run=dry_run
            )
            return
        from sparkclean.jobs.predict.steps import pins_of_prediction  # noqa: PLC0415

        audited, first, prepared, plan = self._begin_sequence()
        yield self._run_one(first, prepared, dry_run=dry_run, ends=False)
        if dry_run and plan is not None:
            yield plan
            return
        given = pins_of_prediction(self.config, first.run_id, first.targets, self.spark)
        second = self._runner("audit", audited, self.run_id, given)
        yield self._run_one(second, dry_run=dry_run)

    def _begin_sequence(self) -> tuple[Config, Runner, PreparedRun, JobResult | None]:
        """Prepare the prediction, and the audit, with its configuration, as far as it can be."""
        from sparkclean.config.model import with_predictions  # noqa: PLC0415

        audited = with_predictions(self.config, self.config.output.location("predictions") or "")
        first = self._runner("predict", self.config, self._id_of_prediction(), self.given)
        prepared = first.prepare()
        if first.is_finished(prepared):
            return audited, first, prepared, None
        # what is wrong with the audit is said before hours of prediction
        pin = {"input": prepared.prepared.input.pin}
        plan = self._runner("audit", audited, self.run_id, pin).look_ahead()
        return audited, first, prepared, plan

    def prepare(self, name: str) -> None:
        """Prepare a job, or a sequence, as far as can be before anything runs. Writes nothing."""
        # first, as a step that must wait for Spark ends all that follows
        for part in SEQUENCES.get(name, (name,)):
            self._runner(part, self.config, self.run_id).check_writable()
        if name not in SEQUENCES:
            self._runner(name, self.config, self.run_id).prepare()
        else:
            self._begin_sequence()

    def _id_of_prediction(self) -> str:
        """Give the run id of the prediction of a sequence: version 0.1.0 gave it one of its own."""
        before = f"{self.run_id}-predict"
        if self._runner("predict", self.config, self.run_id).is_known():
            return self.run_id
        known = self._runner("predict", self.config, before).is_known()
        return before if known else self.run_id

    def _runner(
        self, name: str, config: Config, run_id: str, given: Mapping[str, Pin] | None = None
    ) -> Runner:
        from sparkclean.config.model import for_job  # noqa: PLC0415
        from sparkclean.rows.progress import PhaseLog, Progress  # noqa: PLC0415
        from sparkclean.runs.context import Context  # noqa: PLC0415
        from sparkclean.runs.runner import Runner  # noqa: PLC0415 (imports pyspark)

        return Runner(
            registry.load_job(name)(),
            self.spark,
            for_job(config, name),
            run_id,
            fit_batches=self.fit_batches,
            given=given or {},
            progress=Progress(self.listener or PhaseLog(), count_tasks=self.count_tasks),
            make_context=self.make_context or Context,
        )

    def _run_one(
        self,
        runner: Runner,
        prepared: PreparedRun | None = None,
        *,
        dry_run: bool,
        ends: bool = True,
    ) -> JobResult:
        self.after.callback(runner.discard)
        self.ending[:] = [runner] if ends else []
        _log.info("%s, run %s", runner.job.name, runner.run_id)
        prepared = prepared or runner.prepare()
        return runner.describe(prepared) if dry_run else self._execute(runner, prepared, ends=ends)

    def _execute(self, runner: Runner, prepared: PreparedRun, *, ends: bool) -> JobResult:
        """Run a job, and write the report of the command's last one, or of the one that fails."""
        try:
            result = runner.execute(prepared)
        except SparkCleanError:
            self._write_report(runner, failed=True)
            raise
        path = self._write_report(runner) if ends else None
        if path is None:
            return result
        parts = (*result.report.parts, Line(""), Line(f"report {path}"))
        return replace(result, report=Report(parts))

    def _write_report(self, runner: Runner, *, failed: bool = False) -> Path | None:
        """Write the page of a run where the configuration wants one; what fails is a warning."""
        section, records = self.config.report, runner.targets.get(RUN_RECORDS.name)
        if section.path is None:
            return None
        if records is None:
            _log.warning("report.path: output.runs is null, and a report is made of run records")
            return None
        name, run_id = runner.job.name, runner.run_id
        try:
            from sparkclean.runs.report import report_on_run, write_report  # noqa: PLC0415

            if failed and records.find_record(name, run_id) is None:
                return None
            page = report_on_run(
                records, run_id, job=name, columns=section.columns, session=lambda _: self.spark
            )
            return write_report(page, section.path)
        except Exception as exc:  # noqa: BLE001 (what was published counts, with a page or without)
            said = str(exc) if isinstance(exc, SparkCleanError) else cause_of(exc)
            _log.warning("report.path: no report was written: %s", said)
            return None


def _check_early(job: str, config: Config, run_id: str) -> dict[str, Pin]:
    """Check what can be checked before Spark is waited for; give the tables that it has pinned."""
    from sparkclean.runs.early import EarlyContext, check_early  # noqa: PLC0415

    pins: dict[str, Pin] = {}

    def prepare(session: SparkSession) -> None:
        with ExitStack() as after:
            jobs = Jobs(session, config, run_id, lambda _: None, after, None, lambda: None)
            jobs.make_context = partial(EarlyContext, pins=pins)
            jobs.prepare(job)

    check_early(prepare)
    return pins


@contextmanager
def open_jobs(
    config: Config,
    run_id: str,
    *,
    settings: Mapping[str, str],
    debug: bool = False,
    listener: PhaseListener | None = None,
    job: str | None = None,
) -> Iterator[Jobs]:
    """Open a session for jobs, and tidy up behind them.

    Parameters
    ----------
    config : Config
    run_id : str
    settings : mapping
        Of a Spark session that is created; those of the configuration win.
    debug : bool
        Whether Spark's log shows stack traces.
    listener : PhaseListener, optional
        Who is told of phases; the log by default.
    job : str, optional
        Which of them will run: what is wrong with it is said before Spark starts, if it shows.

    Yields
    ------
    Jobs
    """
    from sparkclean.config.classes import resolve_classes  # noqa: PLC0415
    from sparkclean.lake.run_ids import check_run_id  # noqa: PLC0415 (imports pyarrow)

    check_run_id(run_id)
    remember_secrets(settings)
    resolve_classes(config)  # before a session is waited for
    ending: list[Runner] = []
    given: Mapping[str, Pin] = {}
    try:
        if job is not None and find_session() is None:
            given = _check_early(job, config, run_id)
        with (
            ExitStack() as after,
            open_session({**settings, **config.spark}, debug=debug) as (spark, own),
            watched_tasks(spark) as count_tasks,
        ):
            fit = batch_setter(spark, own=own)
            yield Jobs(
                spark, config, run_id, fit, after, listener, count_tasks, ending, given=given
            )
    except SystemExit as exc:  # with code 0 the command would seem to have done its work
        raise SparkCleanError(
            f"a library ended the process (SystemExit: {exc.code}) before the run had; check "
            "predict.estimator and what else the session loads"
        ) from exc
    except (Exception, KeyboardInterrupt) as exc:
        interrupt = interrupt_behind(exc)
        if interrupt is None or not any(runner.is_published for runner in ending):
            raise
        word, _ = outcome_of(interrupt)
        _log.warning("%s when run %s had published everything: all of it counts", word, run_id)
