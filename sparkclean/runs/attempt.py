"""One attempt of a run: the job's work, then publication in order, then the record."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sparkclean.errors import (
    AuditGateError,
    InputChangedError,
    InputError,
    PublishConflictError,
    VersionExistsError,
)
from sparkclean.faults import InjectedFault, fault_point
from sparkclean.lake import Staging, StagingFolder, Version, safe_run_id, shared_run_id
from sparkclean.lake.base import COUNTED
from sparkclean.lake.run_state import RunMarks, RunState
from sparkclean.runs.context import Context
from sparkclean.runs.engine_errors import engine_errors
from sparkclean.runs.job import Execution, Job, Prepared, Result
from sparkclean.runs.outputs import Outputs
from sparkclean.runs.provenance import Provenance
from sparkclean.runs.record import RunRecord, package_versions, pin_summary
from sparkclean.runs.status import CLEANED_CONFLICT, FAILED, GATE_FAILED, PUBLISHED
from sparkclean.schema import RUN_RECORDS

_log = logging.getLogger("sparkclean")


@dataclass(frozen=True)
class PreparedRun:
    """A run that is ready to be executed.

    Attributes
    ----------
    context : Context
    prepared : Prepared
    fingerprint : str
    published : mapping
        Versions that this run has published before, by the name of the output.
    """

    context: Context
    prepared: Prepared
    fingerprint: str
    published: Mapping[str, Version]

    @property
    def input_table(self) -> str:
        """Write what is read, as the configuration names it."""
        source = self.context.config.input
        more = "" if source.predictions is None else f" with {source.predictions}"
        return source.table + more

    @property
    def input_version(self) -> str:
        """Identify what is read."""
        tables = self.prepared.tables
        pins = [tables[name].pin for name in ("input", "predictions") if name in tables]
        return " with ".join(pin.dataset_version for pin in pins)

    @property
    def version(self) -> str | None:
        """Write ``input.version``, which the pin is of."""
        version = self.context.config.input.version
        return None if version is None else str(version)

    def state(self) -> RunState:
        """Gather what a repetition must know to go on with the same."""
        return RunState(
            job=self.context.job,
            run_id=self.context.run_id,
            config_fingerprint=self.fingerprint,
            table=self.input_table,
            version=self.version,
            pins={name: table.pin for name, table in self.prepared.tables.items()},
            notes=dict(self.prepared.notes) | self.prepared.moment,
            has_adopted=self.has_adopted,
            has_marks=self.marks("").is_needed,
        )

    def marks(self, home: str) -> RunMarks:
        """Give the marks of what its attempts make, which lie beside the state of the run."""
        state = self.context.state
        needed = state is None or state.has_marks
        return RunMarks(home, self.context.job, self.context.run_id, needed)

    @property
    def has_adopted(self) -> bool:
        """Whether it goes on with the state that version 0.1.0 has left."""
        state = self.context.state
        return state is not None and (state.is_of_before or state.has_adopted)


@dataclass
class Attempt:
    """One attempt of a run.

    Attributes
    ----------
    job : Job
    run : PreparedRun
    outputs : Outputs
    home : str
        Folder of intermediate files.
    recall : callable
        As `Execution.recall`.
    status : str
        Of the run record, as far as the attempt has come.
    """

    job: Job[Any]
    run: PreparedRun
    outputs: Outputs
    home: str
    recall: Callable[[], str | None]
    status: str = field(default=PUBLISHED, init=False)

    def __post_init__(self) -> None:
        context, prepared = self.run.context, self.run.prepared
        self.staging = Staging(Path(self.home), shared_run_id(context.job, context.run_id))
        provenance = Provenance(
            prepared.input.pin.dataset_version, self.run.fingerprint, safe_run_id(context.run_id)
        )
        self.execution = Execution(
            context=context,
            prepared=prepared,
            outputs=self.outputs,
            folder=Path(self.staging.path) / "work",
            fingerprint=self.run.fingerprint,
            provenance=provenance,
            recall=self.recall,
            marks=self.run.marks(self.home),
        )
        self.record = _new_record(self.run)

    def work(self) -> Result:
        """Do the job, publish, and record.

        Returns
        -------
        Result

        Raises
        ------
        SparkCleanError
            Any of its kinds. What was refused is recorded, and so is what failed after the first
            output was published.
        """
        try:
            with engine_errors(self.run.prepared.input.pin, self.home):
                result = self._find()
                self._publish(result)
        except Exception as exc:
            # what a test injects stands for a crash, which leaves no record
            if self.status == PUBLISHED and not isinstance(exc, InjectedFault):
                try:
                    self._record_failure(str(exc))
                except Exception as failure:  # noqa: BLE001 (the first error is the one that counts)
                    _log.warning("no run record says that the run failed: %s", failure)
            raise
        return result

    @property
    def is_refused(self) -> bool:
        """Whether nothing of it was published: a repetition looks at the input anew."""
        return self.status == GATE_FAILED

    def leftovers(self) -> list[StagingFolder]:
        """List what is staged and not published, but for what people are to look at."""
        return [self.staging, *self.outputs.leftovers(keep=self.execution.kept)]

    def _find(self) -> Result:
        try:
            return self.job.execute(self.run.prepared, self.execution)
        except InputChangedError:
            raise
        except (AuditGateError, InputError) as exc:
            if self.outputs.published or self.execution.has_made:
                raise  # a repetition must complete it, on the same input
            self.status = GATE_FAILED
            self._publish_record(self.execution.stopped or Result(), GATE_FAILED, str(exc))
            raise

    def _publish(self, result: Result) -> None:
        with self.execution.progress.phase("publish"):
            self.execution.verify()
            fault_point("run.verified")
            conflict = self._publish_outputs()
            if conflict is not None:
                self.status = CLEANED_CONFLICT
            self._publish_record(result, self.status, "" if conflict is None else str(conflict))
        if conflict is not None:
            raise conflict

    def _publish_outputs(self) -> PublishConflictError | None:
        """Publish all but the run record, in their order."""
        conflict = None
        for name in self.outputs.targets:
            if name == RUN_RECORDS.name:
                continue
            try:
                self.outputs.publish(name)
            except VersionExistsError:
                raise
            except PublishConflictError as exc:
                # what was found by both runs is recorded; the dataset's version is the other's
                conflict = exc
        return conflict

    def _record_failure(self, message: str) -> None:
        """Record that the run failed half-way, unless its rows count already."""
        runs, run = self.outputs.targets.get(RUN_RECORDS.name), self.run.context
        if runs is None or not self.outputs.published:
            return
        if runs.run_status(run.job, run.run_id) not in COUNTED:
            self._publish_record(Result(), FAILED, message)

    def _publish_record(self, result: Result, status: str, message: str) -> None:
        if RUN_RECORDS.name not in self.outputs.targets:
            return
        made = {
            name: {"location": str(place.parent), "version": place.name}
            for name, place in result.places.items()
        }
        row = self.record.row(
            result,
            status=status,
            message=message,
            phases=self.execution.progress.phases,
            outputs=self.outputs.versions() | made,
            bytes_written=self.outputs.bytes_written,
        )
        stale = self.outputs.staged.pop(RUN_RECORDS.name, None)
        if stale is not None:  # a record that could not be published
            stale.discard()
        self.outputs.stage_rows(RUN_RECORDS.name, [row])
        self.outputs.publish(RUN_RECORDS.name, replace_run=True)


def _new_record(run: PreparedRun) -> RunRecord:
    context, prepared = run.context, run.prepared
    summaries = {name: pin_summary(table.pin) for name, table in prepared.tables.items()}
    first = summaries.pop("input")
    return RunRecord(
        job=context.job,
        run_id=context.run_id,
        config_fingerprint=run.fingerprint,
        dataset_version=prepared.input.pin.dataset_version,
        config=context.config.model_dump(mode="json"),
        input=first | summaries | dict(prepared.about) | prepared.moment,
        versions=package_versions(context.spark.version),
        parents=prepared.parents,
    )
