"""What a job is prepared with: the session, the configuration, and the tables that it pins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sparkclean.errors import InputError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from sparkclean.config.sections import Config
    from sparkclean.lake import Pin, SourceTable, TargetTable
    from sparkclean.lake.run_state import RunState
    from sparkclean.rows.progress import Progress

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
        return PinnedTable(source, pin, self.frame_of(source, pin))

    def frame_of(self, source: SourceTable, pin: Pin) -> DataFrame:
        """Give the rows of a pinned table. Lazy."""
        return source.read(self.spark, pin)

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
