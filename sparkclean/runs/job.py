"""What a job is: its parts of the configuration, its outputs, and three steps.

The runner (``runner``) does the rest, once for all jobs. This module loads neither Spark nor a
job, so that the configuration can ask every job for its sections and outputs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from sparkclean.faults import fault_point
from sparkclean.rows.report import Line, Report
from sparkclean.runs.context import RUN_TIME, Context, Parent, PinnedTable
from sparkclean.runs.gates import Verdict, gate_error

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from sparkclean.config.sections import Config, Section
    from sparkclean.lake import TargetTable
    from sparkclean.lake.run_state import RunMarks
    from sparkclean.plots.parts import ReportPart
    from sparkclean.rows.progress import Progress
    from sparkclean.runs.outputs import Outputs
    from sparkclean.runs.provenance import Provenance
    from sparkclean.runs.reported import ReportedRun
    from sparkclean.schema import OutputSpec


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
    types : tuple of (str, str)
        Further words for types in the columns of outputs, and the Spark types that they stand for.
    run_time : str or None
        What ``:run_time`` in ``input.where`` stands for, if it is named: `Context.run_time`.
    notes : mapping
        Texts that a repetition must go by, besides the pins.
    parents : tuple of Parent
    about : mapping
        What else the run record says under ``input``.
    taken : tuple of (str, str)
        Columns, and what they are taken as, where the table has decided on it: they belong to the
        fingerprint.
    """

    tables: Mapping[str, PinnedTable]
    classes: tuple[Any, ...] = ()
    ids: tuple[tuple[str, str], ...] = ()
    label_type: str = "string"
    types: tuple[tuple[str, str], ...] = ()
    run_time: str | None = None
    notes: Mapping[str, str] = field(default_factory=dict)
    parents: tuple[Parent, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)
    taken: tuple[tuple[str, str], ...] = ()

    @property
    def input(self) -> PinnedTable:
        """The table that the run is about."""
        return self.tables["input"]

    @property
    def about_ids(self) -> list[Line]:
        """What people should know of the record ids."""
        return [Line(text) for text in self.input.about_ids]

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
        Points of its own at which tests make a run die.
    """

    name: ClassVar[str]
    outputs: ClassVar[tuple[OutputSpec, ...]] = ()
    sections: ClassVar[Mapping[str, type[Section]]] = {}
    unaffected_by: ClassVar[frozenset[str]] = frozenset()
    fault_points: ClassVar[tuple[str, ...]] = ()

    # -- what the configuration asks ------------------------------------------------------------

    @classmethod
    def locations(cls, config: Config) -> dict[str, str]:
        """Give the location of every output that is written, by its name."""
        found = {
            spec.name: config.output.location(spec.name)
            for spec in cls.outputs
            if spec.location is not None
        }
        return {name: place for name, place in found.items() if place is not None}

    @classmethod
    def claims(cls, config: Config) -> dict[str, str]:
        """Give the locations that must be the job's own, by the keys that name them.

        A configuration that has none of its sections is of other jobs: it claims only the outputs
        that are set there.
        """
        places = cls.locations(config)
        if config.model_fields_set.isdisjoint(cls.sections):
            places = {n: p for n, p in places.items() if n in config.output.model_fields_set}
        return {f"output.{name}": place for name, place in places.items()}

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

    def prepare_ahead(
        self,
        context: Context,  # noqa: ARG002
    ) -> tuple[Prepared, Callable[[], Report]] | None:
        """Check all but the table that a job before this one is yet to make. Writes nothing.

        Returns
        -------
        (Prepared, callable) or None
            What is known by then, and what describes the run by that; None where the job follows
            no other one.

        Raises
        ------
        ConfigError, InputError
        """
        return None

    def report_parts(
        self,
        run: ReportedRun,  # noqa: ARG002
        *,
        of_parent: bool = False,  # noqa: ARG002
    ) -> Sequence[ReportPart]:
        """Make the sections of a report that only this job can make. Writes nothing.

        Parameters
        ----------
        run : ReportedRun
            Of this job: its record, heads of its outputs, and examples. A run that was refused has
            published nothing.
        of_parent : bool
            Whether the report is on another run, which has read what this one has published.

        Returns
        -------
        sequence of ReportPart
            Blocks of a section that is named as another one, as ``top``, stand below its own.
        """
        return ()

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
