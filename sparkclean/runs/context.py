"""What a job is prepared with: the session, the configuration, and the tables that it pins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sparkclean.errors import InputError, first_of
from sparkclean.names import is_named_as_id
from sparkclean.rows.report import Grid
from sparkclean.schema import ROW_NUMBER

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from sparkclean.config.sections import Config
    from sparkclean.lake import Pin, SourceTable, TargetTable
    from sparkclean.lake.run_state import RunState
    from sparkclean.rows.progress import Progress

#: By which name state, records and versions of a run carry what ``:run_time`` stands for.
RUN_TIME: Final = "run_time"
_TYPES_OF_IDS: Final = ("tinyint", "smallint", "int", "bigint", "string")


@dataclass(frozen=True)
class PinnedTable:
    """A table in the version that a run reads.

    Attributes
    ----------
    source : SourceTable
    pin : Pin
    frame : DataFrame
        The rows of exactly that version. Lazy.
    is_numbered : bool
        Whether the frame numbers its rows, in a column `ROW_NUMBER` that the table does not have.
    """

    source: SourceTable
    pin: Pin
    frame: DataFrame
    is_numbered: bool = False

    @property
    def own_frame(self) -> DataFrame:
        """The rows without their numbers. Lazy."""
        return self.frame.drop(ROW_NUMBER) if self.is_numbered else self.frame

    @property
    def about_ids(self) -> tuple[str, ...]:
        """What people should know of the record ids."""
        if not self.is_numbered:
            return ()
        return (
            f"record ids: none, so rows are numbered from 0 ({ROW_NUMBER}), by the order of the "
            "files and the position in the file; valid for this version of the table "
            f"({self.pin.dataset_version}) alone",
        )

    @property
    def first_rows(self) -> dict[str, int] | None:
        """Number of the first row of each file, by path; None where rows are not numbered."""
        return self.pin.first_rows() if self.is_numbered else None

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
                "Rewrite the table into an empty folder"
            )


def _without_order(pin: Pin, frame: DataFrame) -> str:
    """Say that a table needs a record id, and which of its columns may be one."""
    fitting = [
        field.name for field in frame.schema if field.dataType.simpleString() in _TYPES_OF_IDS
    ]
    shown = first_of(sorted(fitting, key=lambda name: not is_named_as_id(name)), 10)
    some = f"name a column whose values are unique (--id, columns.id): {shown}"
    none = "no column of it is an integer or a string: add one to the table"
    return (
        f"columns.id: null numbers the rows of Parquet files alone, and {pin.table} is a table of "
        f"format {pin.format}, whose rows have no order; {some if fitting else none}"
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
        numbered: bool = False,
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
        numbered : bool
            Whether the rows have no record id, and are numbered.

        Returns
        -------
        PinnedTable

        Raises
        ------
        InputError
            If rows are to be numbered, and the format keeps no order of them.
        """
        pin = None if self.state is None else self.state.pins.get(name)
        if pin is not None:
            source.verify(pin)
        else:
            pin = self.given.get(name) or found or source.pin(version)
        frame = self.frame_of(source, pin, numbered=numbered)
        return PinnedTable(source, pin, frame, is_numbered=numbered)

    def frame_of(self, source: SourceTable, pin: Pin, *, numbered: bool) -> DataFrame:
        """Give the rows of a pinned table, numbered or not. Lazy."""
        if not numbered:
            return source.read(self.spark, pin)
        frame = source.read_numbered(self.spark, pin, ROW_NUMBER)
        if frame is None:
            raise InputError(_without_order(pin, source.read(self.spark, pin)))
        return frame

    @property
    def publishes(self) -> Grid:
        """What the run would publish, and where: for `Job.describe`."""
        places = [(f"publishes {n}", f"to {t.location}") for n, t in self.targets.items()]
        return Grid(places, line="{0:<21} {1}")

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
