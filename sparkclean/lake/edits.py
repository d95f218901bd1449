"""Versions made of a pinned table and a list of changes: what is changed, and what is staged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from sparkclean.errors import SparkCleanError

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

#: Columns of a list of changes: keys 0, 1, ...; whether the row goes; else its new value.
KEY: Final = "__key"
GOES: Final = "__goes"
VALUE: Final = "__value"


@dataclass(frozen=True)
class Edit:
    """What a version changes in the rows of a pinned table.

    Attributes
    ----------
    action : {"delete", "keep", "update"}
        Delete the listed rows; delete all others; or give the listed rows a new value.
    keys : tuple of str
        Columns by which rows are listed.
    rows : int
        Rows that the version must have.
    column : str
        Whose value is new (``update``).
    """

    action: Literal["delete", "keep", "update"]
    keys: tuple[str, ...]
    rows: int
    column: str = ""


class StagedEdit:
    """A branch or clone that is written and counted, and no version yet.

    Parameters
    ----------
    run_id : str
        The scheduler's.
    place : str
        Name of the branch, or folder of the attempt.
    rows : int
    discard : callable
        Removes it.
    """

    path = data_path = ""

    def __init__(self, run_id: str, place: str, rows: int, discard: Callable[[], None]) -> None:
        self.run_id = run_id
        self.place = place
        self._rows = rows
        self._discard = discard

    def command_to_show(self) -> str:
        """Give none: it is no table of its own yet."""
        return ""

    def write_frame(self, frame: DataFrame, timestamps: str | None = None) -> None:  # noqa: ARG002
        """Refuse: it is written when it is made."""
        raise SparkCleanError(f"the version of run {self.run_id} is staged: {frame}")

    def write_arrow(self, table: pa.Table) -> None:
        """Refuse: it is written when it is made."""
        raise SparkCleanError(f"the version of run {self.run_id} is staged: {table.num_rows} rows")

    def count_rows(self) -> int:
        """Rows of the version, as counted when it was written."""
        return self._rows

    def discard(self) -> None:
        """Remove it."""
        self._discard()
