"""What a job is given to make its sections of a report: a run record, and readers of its tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from sparkclean.errors import SparkCleanError
from sparkclean.lake import open_target
from sparkclean.plots.parts import Example
from sparkclean.runs.example_values import example_of
from sparkclean.runs.own_columns import join_columns
from sparkclean.runs.past import parsed, table_of
from sparkclean.schema import ROW_NUMBER
from sparkclean.texts import cause_of

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import SparkSession

SessionOf: TypeAlias = "Callable[[str], SparkSession | None]"
#: Columns of an example that are shown where nobody has named some.
MOST_COLUMNS = 8


@dataclass(frozen=True)
class Examples:
    """Examples that are shown.

    Attributes
    ----------
    shown : sequence of Example or None
        For each row that was asked for; None where it was not found. Empty where none are shown.
    note : str
        Why there are none.
    """

    shown: Sequence[Example | None] = ()
    note: str = ""

    def of(self, row: int) -> Example | None:
        """Give the example of a row."""
        return self.shown[row] if row < len(self.shown) else None


class ReportedRun(Protocol):
    """A run that is reported on.

    Attributes
    ----------
    record : mapping
        By ``sparkclean.schema.RUNS``; nested content is JSON text (`parsed`).
    """

    @property
    def record(self) -> Mapping[str, Any]:
        """The run record."""

    def location(self, output: str) -> str | None:
        """Give the place of an output; None where it was not written."""

    def head(self, output: str, rows: int, *, largest: str | None = None) -> pa.Table | None:
        """Read the first rows of an output of this run, by rank or by the largest of a column.

        None where the run has not written it, or it is gone.
        """

    def examples(self, rows: pa.Table) -> Examples:
        """Read the examples that rows of an output are about, by their record ids."""


def no_session(_: str) -> None:
    """Give no session: all tables are Parquet."""


def default_columns(record: Mapping[str, Any]) -> Callable[[Sequence[str]], list[str]]:
    """Choose the columns of an example that are shown where nobody has named some.

    Parameters
    ----------
    record : mapping

    Returns
    -------
    callable
        Of the columns of the table gives the first eight that are neither id nor label nor
        probabilities.
    """
    own = (parsed(record, "config") or {}).get("columns", {})
    left_out = {ROW_NUMBER}
    for key in ("id", "label", "pred_probs"):
        value = own.get(key)
        left_out |= {str(n).lower() for n in ([value] if isinstance(value, str) else value or ())}

    def choose(there: Sequence[str]) -> list[str]:
        return [name for name in there if name.lower() not in left_out][:MOST_COLUMNS]

    return choose


@dataclass
class PublishedRun:
    """A run whose tables are read where it has published them.

    Attributes
    ----------
    record : mapping
    records : str
        Location of the run records.
    session : callable
        Gives the session that a table at some place needs; None for Parquet.
    columns : sequence of str or None
        Of an example, that are shown; None chooses.
    """

    record: Mapping[str, Any]
    records: str
    session: SessionOf = no_session
    columns: Sequence[str] | None = None
    _heads: dict[tuple[str, int, str | None], pa.Table | None] = field(default_factory=dict)

    @property
    def run_id(self) -> str:
        """The scheduler's."""
        return str(self.record["original_run_id"])

    def location(self, output: str) -> str | None:
        """Give the place of an output; of a closed gate where its rows are staged."""
        made = (parsed(self.record, "outputs") or {}).get(output)
        if made is not None:
            return str(made["location"])
        place = (parsed(self.record, "config") or {}).get("output", {}).get(output)
        return None if place is None else str(place)

    def head(self, output: str, rows: int, *, largest: str | None = None) -> pa.Table | None:
        """Read the first rows of an output of this run; None where it has none, or it is gone."""
        key = (output, rows, largest)
        if key not in self._heads:
            self._heads[key] = self._read_head(output, rows, largest)
        return self._heads[key]

    def _read_head(self, output: str, rows: int, largest: str | None) -> pa.Table | None:
        place = self.location(output)
        # a folder of outputs that was moved as a whole
        beside = str(Path(self.records).parent / output)
        for location in dict.fromkeys(p for p in (place, beside) if p is not None):
            try:
                target = open_target(location, spark=self.session(location))
                return target.head(rows, run_id=self.run_id, largest=largest)
            except SparkCleanError:
                continue
        return None

    def examples(self, rows: pa.Table) -> Examples:
        """Read the examples of rows, of the version of the table that the run has read."""
        if not rows.num_rows or self.columns == []:
            return Examples()
        names = default_columns(self.record) if self.columns is None else self.columns
        try:
            spark = self.session(table_of(self.record) or "")
            joined = join_columns(rows, self.record, names, spark, flag="report.columns")
        except Exception as exc:  # noqa: BLE001 (a page without examples is worth more than none)
            said = "; ".join(getattr(exc, "findings", ())) or (
                str(exc) if isinstance(exc, SparkCleanError) else cause_of(exc)
            )
            return Examples(note=f"the example cannot be shown: {said}")
        own = joined.select(joined.column_names[rows.num_columns :])
        if not own.num_columns:
            return Examples()
        return examples_of(own.to_pylist())


def examples_of(rows: Sequence[Mapping[str, Any]]) -> Examples:
    """Make examples of values by column; a row of nulls alone was not found."""
    return Examples(
        [example_of(row) if any(v is not None for v in row.values()) else None for row in rows]
    )
