"""Examples in a frame of Spark: results are frames, too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from sparkclean.examples.class_order import notes_of_data
from sparkclean.names import quote_name
from sparkclean.rows.columns import find_columns, quoted, unused_name

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, Row
    from pyspark.sql.types import StructType

    from sparkclean.rows.streams import Stream


@dataclass(frozen=True)
class GivenFrame:
    """A frame of Spark, as `sparkclean.examples.given.Given` has it.

    Attributes
    ----------
    frame : DataFrame
    ids : tuple of str
    version : str
        Of the table, where it is one that was pinned.
    check : callable
        Raises if the pin is gone.
    notes : mapping
        What the table notes of its probabilities, where a prediction has published it.
    """

    frame: DataFrame
    ids: tuple[str, ...]
    version: str = "dataframe"
    check: Callable[[], None] = lambda: None
    notes: Mapping[str, str] = field(default_factory=dict)
    is_lazy = True
    is_numbered = False

    @property
    def columns(self) -> list[str]:
        """Names of all columns."""
        return self.frame.columns

    def verify(self) -> None:
        """Check that the pin is there."""
        self.check()

    def notes_of(self, name: str) -> Mapping[Any, Any]:
        """Give what is noted in the metadata of a column, or by the table."""
        return {**self.notes, **notes_of_data(self.frame, name)}

    def give(self, rows: DataFrame) -> DataFrame:
        """Give a table of results as it is."""
        return rows

    def give_top(self, rows: Sequence[Row], kind: StructType, own: Sequence[str]) -> DataFrame:
        """Give a few rows, which Spark broadcasts to find their examples. Reads the examples."""
        top = self.frame.sparkSession.createDataFrame(list(rows), kind)
        if not own:
            return top
        own = find_columns(self.frame, own, "columns=")
        keys = [unused_name(f"__key{i}", top.columns) for i in range(len(self.ids))]
        named = [quoted(name).alias(key) for name, key in zip(self.ids, keys, strict=True)]
        there = {name.lower() for name in top.columns}
        named += [quoted(name).alias(beside(name, there)) for name in own]
        joined = self._on(self.frame.select(*named), keys, F.broadcast(top), self.ids)
        return (
            joined.drop(*keys)
            .select(*map(quoted, top.columns), *(quoted(beside(name, there)) for name in own))
            .orderBy("rank")
        )

    def narrowed(self, names: Sequence[str]) -> DataFrame:  # noqa: ARG002 (a protocol)
        """Give all columns: what is changed is the result."""
        return self.frame

    def give_changed(self, changed: DataFrame, names: Sequence[str]) -> DataFrame:  # noqa: ARG002
        """Give the changed frame as it is."""
        return changed

    def join(
        self,
        rows: Stream,
        ids: Sequence[str],
        new: Sequence[tuple[str, str]],
        notes: Mapping[str, str],
    ) -> DataFrame:
        """Join by record id. Lazy."""
        keys = [unused_name(f"__key{i}", self.columns) for i in range(len(ids))]
        selected = [F.col(name).alias(key) for name, key in zip(ids, keys, strict=True)]
        (probs, name), *others = new
        selected.append(F.col(probs).alias(name, metadata=dict(notes)))
        selected += [F.col(internal).alias(name) for internal, name in others]
        return self._on(self.frame, self.ids, rows.frame.select(*selected), keys).drop(*keys)

    def _on(
        self, left: DataFrame, ids: Sequence[str], right: DataFrame, keys: Sequence[str]
    ) -> DataFrame:
        on = None
        for name, key in zip(ids, keys, strict=True):
            same = left[quote_name((name,))] == right[quote_name((key,))]
            on = same if on is None else on & same
        return left.join(right, on)


def beside(name: str, taken: set[str]) -> str:
    """Name a column of an example beside columns of results, which may have its name."""
    return f"{name}_of_example" if name.lower() in taken else name
