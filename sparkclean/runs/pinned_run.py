"""What every job is that reads one pinned table and publishes: repeatable by its run id."""

from __future__ import annotations

import logging
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import functions as F

from sparkclean.config.model import Config
from sparkclean.errors import ConfigError, InputError, SparkCleanError, VersionExistsError
from sparkclean.faults import fault_point
from sparkclean.lake import (
    Pin,
    SourceTable,
    Staging,
    StagingFolder,
    TargetTable,
    open_source,
    safe_run_id,
    shared_run_id,
    translate_read_error,
    translate_write_error,
)
from sparkclean.lake.engine_errors import analysed
from sparkclean.lake.run_state import RunState, forget_run, remember_run
from sparkclean.locations import local_path
from sparkclean.rows.progress import Progress
from sparkclean.runs.outputs import DATASETS, Outputs
from sparkclean.runs.record import (
    GATE_FAILED,
    PUBLISHED,
    RunRecord,
    package_versions,
    pin_summary,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_log = logging.getLogger("sparkclean")

#: An error of ours that a task has raised, in the words of the engine.
_OF_A_TASK = re.compile(r"sparkclean\.errors\.InputError: (.+)")


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
class PinnedRun(ABC):
    """One job on one pinned table.

    Attributes
    ----------
    job : str
        As the run records name it.
    spark : SparkSession
    config : Config
    run_id : str
        The scheduler's; stable over its retries.
    on_classes : callable
        Called with K once it is known (to fit the session's batch size).
    given : Pin or None
        What to read, where another job has pinned it; the current version by default.
    """

    job: ClassVar[str]
    spark: SparkSession
    config: Config
    run_id: str
    on_classes: Callable[[int], None] = lambda _: None
    given: Pin | None = None
    progress: Progress = field(default_factory=Progress)
    fingerprint: str = field(default="", init=False)
    predictions: Pin | None = field(default=None, init=False)
    #: Whether all that it publishes is published.
    is_published: bool = field(default=False, init=False)
    _leftovers: list[StagingFolder] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        source = self.config.input
        self.source: SourceTable = open_source(source.table, source.format, spark=self.spark)
        self._open_outputs()

    def _open_outputs(self) -> None:
        output = self.config.output
        work = None if output.work is None else local_path(output.work)
        self.targets: dict[str, TargetTable] = self._open_targets(work)
        #: Folder of intermediate files and of the state of unfinished runs: beside the run record,
        #: or the last of the outputs on Parquet, where no other is configured.
        places = [t.location for t in self.targets.values() if t.has_folder]
        if work is None and not places:
            raise ConfigError(
                f"output.work: null, but {' and '.join(self.targets)} of this job are not on "
                "Parquet; name a folder that driver and executors share, for intermediate files"
            )
        self.home = Path(work or places[-1])

    # -- what a job does its own way -----------------------------------------------------------

    @abstractmethod
    def _open_targets(self, work: Path | None) -> dict[str, TargetTable]:
        """Open the outputs, by name, in the order of publication."""

    @abstractmethod
    def prepare(self) -> None:
        """Pin the input and check the configuration against it. Writes nothing."""

    @abstractmethod
    def _work(self, staging: Staging, outputs: Outputs, record: RunRecord) -> str:
        """Do the job and publish; a summary for people."""

    # -- before anything is written ------------------------------------------------------------

    def _pin(self) -> None:
        """Pin the input, as an unfinished attempt of this run has pinned it."""
        self.state = RunState.load(str(self.home), self.job, self.run_id)
        if self.state is not None:
            self.pin: Pin = self.state.pins["input"]
            self.source.verify(self.pin)
            _log.info("resuming run %s on its pinned input", self.run_id)
        else:
            self.pin = self.given or self.source.pin(self.config.input.version)
        self.table: DataFrame = self.source.read(self.spark, self.pin)
        self.audited: DataFrame = self._where(self.table)

    def _check_run(self, fingerprint: str) -> None:
        """Check that this is what an unfinished attempt did, and that outputs can be written."""
        self.fingerprint = fingerprint
        if self.state is not None:
            self.state.check_same(fingerprint, self._input_table, self._version)
        for target in self.targets.values():
            target.check_writable()

    @property
    def _input_table(self) -> str:
        """Write what is read, as the configuration names it."""
        source = self.config.input
        more = "" if self.predictions is None else f" with {source.predictions}"
        return source.table + more

    @property
    def _input_version(self) -> str:
        """Identify what is read."""
        pins = [self.pin, *([] if self.predictions is None else [self.predictions])]
        return " with ".join(pin.dataset_version for pin in pins)

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
        """Do the job and publish. Safe to repeat with the same run id.

        Returns
        -------
        RunResult

        Raises
        ------
        SparkCleanError
            Any of its kinds; what was published by then stays, and a repetition completes it.
        """
        outputs = Outputs(
            self.targets,
            self.job,
            self.run_id,
            {
                "job": self.job,
                "config_fingerprint": self.fingerprint,
                "input": self._input_version,
                "input_table": self.pin.table,
            },
        )
        if self._is_finished(outputs):
            self.is_published = True
            self._forget()
            text = f"run {self.run_id} has finished before; nothing was done"
            return RunResult(text, repeated=True)
        remember_run(str(self.home), self._run_state())
        fault_point("run.pinned")
        record = self._record()
        staging = Staging(self.home, shared_run_id(self.job, self.run_id))
        try:
            with self.engine_errors():
                text = self._work(staging, outputs, record)
                self.is_published = True
        finally:
            keep: tuple[str, ...] = ()
            if record.status == GATE_FAILED:
                # nothing of it was published: a repetition looks at the input anew
                self._forget()
                keep = ("suspects",)
            self._leftovers = [staging, *outputs.leftovers(keep=keep)]
            self.discard()
        self._forget()
        return RunResult(text)

    def _forget(self) -> None:
        forget_run(str(self.home), self.job, self.run_id, adopted=self._has_adopted)

    @property
    def _has_adopted(self) -> bool:
        return self.state is not None and (self.state.is_of_before or self.state.has_adopted)

    def _run_state(self) -> RunState:
        """Gather what a repetition must know to go on with the same."""
        more = {} if self.predictions is None else {"predictions": self.predictions}
        return RunState(
            self.job,
            self.run_id,
            self.fingerprint,
            self._input_table,
            self._version,
            {"input": self.pin, **more},
            has_adopted=self._has_adopted,
        )

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
            own = _OF_A_TASK.search(str(exc))
            if own is not None and not isinstance(exc, SparkCleanError):
                raise InputError(own[1]) from exc
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
        status = None
        if "runs" in self.targets:
            status = self.targets["runs"].run_status(self.job, self.run_id)
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
        missing = (set(DATASETS) & set(self.targets)) - set(outputs.published)
        if status == PUBLISHED and missing:
            places = ", ".join(self.targets[name].location for name in sorted(missing))
            raise VersionExistsError(
                f"run id {self.run_id!r} has finished before, and is not among the versions of "
                f"{places}: it had other outputs, or its version was cleaned up; use a new run id"
            )
        if "runs" in self.targets:
            return status == PUBLISHED
        return set(outputs.published) == set(self.targets)

    def _record(self) -> RunRecord:
        return RunRecord(
            job=self.job,
            run_id=safe_run_id(self.run_id),
            original_run_id=self.run_id,
            config_fingerprint=self.fingerprint,
            dataset_version=self.pin.dataset_version,
            config=self.config.model_dump(mode="json"),
            input=pin_summary(self.pin)
            | ({} if self.predictions is None else {"predictions": pin_summary(self.predictions)}),
            versions=package_versions(self.spark.version),
        )
