"""What a job is: its parts of the configuration, its outputs, and three steps.

The runner (``runner``) does the rest, once for all jobs. This module loads neither Spark nor a
job, so that the configuration can ask every job for its sections and outputs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeVar

from sparkclean.errors import InputError
from sparkclean.faults import fault_point
from sparkclean.rows.report import Report
from sparkclean.runs.gates import Verdict, gate_error

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from sparkclean.config.sections import Config, Section
    from sparkclean.lake import Pin, SourceTable, TargetTable
    from sparkclean.lake.run_state import RunMarks, RunState
    from sparkclean.rows.progress import Progress
    from sparkclean.runs.outputs import Outputs
    from sparkclean.runs.provenance import Provenance
    from sparkclean.schema import OutputSpec


#: By which name state, records and versions of a run carry what ``:run_time`` stands for.
RUN_TIME: Final = "run_time"


@dataclass(frozen=True)
class PinnedTable:
    """A table in the version that a run reads.

    Attributes
    ----------
    source : SourceTable
    pin : Pin
    frame : DataFrame
        The rows of exactly that version. Lazy.
    """

    source: SourceTable
    pin: Pin
    frame: DataFrame

    def verify(self) -> None:
        """Raise `InputChangedError` if what was pinned is no longer there."""
        self.source.verify(self.pin)

    def check_rows(self, rows: int) -> None:
        """Check that Spark has read all rows of the pin, where their number is known.

        Parameters
        ----------
        rows : int
            That were read.

        Raises
        ------
        InputError
        """
        if self.pin.rows not in (None, rows):
            self.verify()
            raise InputError(
                f"input.table: Spark reads {rows:,} rows of {self.pin.table}, while its "
                f"{len(self.pin.files):,} files hold {self.pin.rows:,}; nothing was published. "
                "Write the table anew into a folder of its own"
            )


@dataclass(frozen=True)
class Parent:
    """A run whose outputs another one reads."""

    job: str
    run_id: str


@dataclass(frozen=True)
class Context:
    """What a job is prepared with.

    Attributes
    ----------
    spark : SparkSession
    config : Config
    job, run_id : str
        The run id is the scheduler's, stable over its retries.
    targets : mapping
        The outputs that are written, by name, the run records last.
    state : RunState or None
        What an unfinished attempt of this run has begun with.
    record : mapping or None
        The run record, where this run has one.
    given : mapping
        Pins that another job of the same sequence has read, by the name of the table.
    progress : Progress
    fit_batches : callable
        To be called with the numbers of a row, once these are known.
    """

    spark: SparkSession
    config: Config
    job: str
    run_id: str
    targets: Mapping[str, TargetTable]
    state: RunState | None
    record: Mapping[str, Any] | None
    given: Mapping[str, Pin]
    progress: Progress
    fit_batches: Callable[[int], None]

    def pin(
        self,
        name: str,
        source: SourceTable,
        version: str | int | None = None,
        *,
        found: Pin | None = None,
    ) -> PinnedTable:
        """Pin a table: as an unfinished attempt has pinned it, as given, or as it is now.

        Parameters
        ----------
        name : str
            By which a repetition knows the table again.
        source : SourceTable
        version : str or int, optional
            The current one by default.
        found : Pin, optional
            What a new run reads, where the job has pinned the table itself.

        Returns
        -------
        PinnedTable
        """
        pin = None if self.state is None else self.state.pins.get(name)
        if pin is not None:
            source.verify(pin)
        else:
            pin = self.given.get(name) or found or source.pin(version)
        return PinnedTable(source, pin, source.read(self.spark, pin))

    def note(self, name: str) -> str | None:
        """Give what an unfinished attempt of this run has noted (`Prepared.notes`)."""
        return None if self.state is None else self.state.notes.get(name)

    def run_time(self, found: str | None = None) -> str | None:
        """Give what ``:run_time`` in ``input.where`` stands for.

        Parameters
        ----------
        found : str, optional
            By which the rows that this run goes by were chosen.

        Returns
        -------
        str or None
            As an unfinished attempt has noted it, as found, or now. None where ``input.where``
            does not name it.
        """
        from sparkclean.rows.conditions import needs_run_time, utc_now  # noqa: PLC0415 (loads Spark)

        if not needs_run_time(self.config.input.where):
            return None
        return self.note(RUN_TIME) or found or utc_now()


@dataclass(frozen=True)
class Prepared:
    """What a job has found before anything is written; jobs add what is theirs.

    Attributes
    ----------
    tables : mapping
        Tables that are read, by name; ``input`` is the one that the run record names first.
    classes : tuple
        The K labels, as far as the configuration fixes them: they belong to the fingerprint.
    ids : tuple of (str, str)
        Name and Spark type of the record id columns, for outputs that are keyed.
    label_type : str
        Spark type of the label column.
    run_time : str or None
        What ``:run_time`` in ``input.where`` stands for, if it is named: `Context.run_time`.
    notes : mapping
        Texts that a repetition must go by, besides the pins.
    parents : tuple of Parent
    about : mapping
        What else the run record says under ``input``.
    """

    tables: Mapping[str, PinnedTable]
    classes: tuple[Any, ...] = ()
    ids: tuple[tuple[str, str], ...] = ()
    label_type: str = "string"
    run_time: str | None = None
    notes: Mapping[str, str] = field(default_factory=dict)
    parents: tuple[Parent, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def input(self) -> PinnedTable:
        """The table that the run is about."""
        return self.tables["input"]

    @property
    def moment(self) -> dict[str, str]:
        """The time of the run as its state, its record and its versions carry it."""
        return {} if self.run_time is None else {RUN_TIME: self.run_time}


@dataclass(frozen=True)
class Result:
    """What a job found.

    Attributes
    ----------
    rows : int or None
        That were read.
    metrics : mapping
        Numbers by name, for whoever watches runs.
    record : mapping
        Further columns of the run record (``sparkclean.schema.RUNS``).
    gates : sequence of Verdict
    result_hash : str or None
        Equal for equal answers, where the job has such a hash.
    report : Report
        For people; the runner adds what was published, and where.
    places : mapping
        What was made besides tables, such as a folder of models, by name.
    """

    rows: int | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)
    gates: Sequence[Verdict] = ()
    result_hash: str | None = None
    report: Report = field(default_factory=lambda: Report(()))
    places: Mapping[str, Path] = field(default_factory=dict)


@dataclass
class Execution:
    """One attempt of a run, as the job sees it.

    Attributes
    ----------
    context : Context
    prepared : Prepared
    outputs : Outputs
        To stage in.
    folder : Path
        That driver and executors share, for what is removed at the end of the run.
    fingerprint : str
    provenance : Provenance
        What every row that is published says of where it comes from.
    recall : callable
        Gives what the last published run of the same fingerprint has left
        (``remembered`` in its record), if there was one.
    marks : RunMarks
        By which an attempt knows what another one has made besides tables.
    stopped : Result or None
        What was found when a gate closed.
    kept : tuple of str
        Outputs whose staged rows stay then.
    has_made : bool
        Whether the job has made what stays; see `made`.
    """

    context: Context
    prepared: Prepared
    outputs: Outputs
    folder: Path
    fingerprint: str
    provenance: Provenance
    recall: Callable[[], str | None]
    marks: RunMarks
    stopped: Result | None = None
    kept: tuple[str, ...] = ()
    has_made: bool = field(default=False, init=False)

    @property
    def progress(self) -> Progress:
        """Phases of the run."""
        return self.context.progress

    def verify(self) -> None:
        """Check that all that was pinned is still there.

        Raises
        ------
        InputChangedError
        """
        for table in self.prepared.tables.values():
            table.verify()

    def made(self) -> None:
        """Say that what stays was made, such as models: a repetition goes on with its input."""
        self.has_made = True

    def computed(self) -> None:
        """Say that the answer is there and the wide part of the input is read: it is verified."""
        self.verify()
        fault_point("run.audited")

    def check_gates(self, result: Result, *, look_at: str | None = None) -> None:
        """End the run here if a gate is closed; the runner records what was found.

        Parameters
        ----------
        result : Result
            As far as it is known.
        look_at : str, optional
            Output whose staged rows stay, for people to look at.

        Raises
        ------
        AuditGateError
        """
        staged = self.outputs.staged.get(look_at or "")
        command = "" if staged is None else staged.command_to_show()
        error = gate_error(result.gates, look_at or "", command)
        if error is not None:
            self.stopped, self.kept = result, () if look_at is None else (look_at,)
            raise error


P = TypeVar("P", bound=Prepared)


class Job(ABC, Generic[P]):
    """A job: a table is read in a pinned version, something is found and published.

    Attributes
    ----------
    name : str
        Of the command; run records carry it.
    outputs : tuple of OutputSpec
        In the order of publication; the run record follows behind them.
    sections : mapping
        Its parts of the configuration, by name.
    unaffected_by : frozenset of str
        Settings (``section.key``) of shared sections that its answer does not depend on.
    fault_points : tuple of str
        Places of its own at which tests make a run die.
    """

    name: ClassVar[str]
    outputs: ClassVar[tuple[OutputSpec, ...]] = ()
    sections: ClassVar[Mapping[str, type[Section]]] = {}
    unaffected_by: ClassVar[frozenset[str]] = frozenset()
    fault_points: ClassVar[tuple[str, ...]] = ()

    # -- what the configuration asks ------------------------------------------------------------

    @classmethod
    def locations(cls, config: Config) -> dict[str, str]:
        """Give the place of every output that is written, by its name."""
        found = {
            spec.name: config.output.location(spec.name)
            for spec in cls.outputs
            if spec.location is not None
        }
        return {name: place for name, place in found.items() if place is not None}

    @classmethod
    def claims(cls, config: Config) -> dict[str, str]:
        """Give the places that must be the job's own, by the keys that name them."""
        return {f"output.{name}": place for name, place in cls.locations(config).items()}

    @classmethod
    def needs_work(cls, config: Config) -> str | None:  # noqa: ARG003
        """Say why the job needs ``output.work`` whatever the outputs are; None if it does not."""
        return None

    # -- what the runner asks --------------------------------------------------------------------

    def open_output(
        self,
        name: str,
        location: str,
        config: Config,
        *,
        spark: SparkSession,
        work: Path | None,
    ) -> TargetTable:
        """Open an output. Writes nothing."""
        from sparkclean.lake import open_target  # noqa: PLC0415 (the configuration needs no table)

        del name
        return open_target(location, config.output.format, spark=spark, work=work, layout="copy")

    @abstractmethod
    def prepare(self, context: Context) -> P:
        """Pin what is read and check the configuration against it. Writes nothing.

        Raises
        ------
        ConfigError, InputError
        """

    def try_out(self, prepared: P, context: Context) -> None:
        """Try on a few rows what may fail on all: of a new run, and for ``--dry-run``."""

    @abstractmethod
    def describe(self, prepared: P, context: Context) -> Report:
        """Say what the run would do, for ``--dry-run``. Writes nothing."""

    @abstractmethod
    def execute(self, prepared: P, execution: Execution) -> Result:
        """Do the job: stage its outputs. The runner publishes them.

        Raises
        ------
        InputError
            If the input does not do: the runner records it, and nothing is published.
        AuditGateError
            By `Execution.check_gates`.
        """
