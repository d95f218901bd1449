"""Examples of a caller who works with pandas or Arrow: the driver has them, and few are sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sparkclean.errors import InputError, first_of
from sparkclean.examples.given_frame import beside
from sparkclean.rows.columns import find_names, unused_name
from sparkclean.rows.local_rows import local_frame, sendable
from sparkclean.rows.session import find_or_start_session

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame, Row
    from pyspark.sql.types import StructType

    from sparkclean.rows.progress import PhaseListener
    from sparkclean.rows.streams import Stream

#: Bytes, as Arrow holds them, of the columns that are sent to Spark.
MOST_BYTES = 256 << 20
#: What row numbers are called in results.
ROW = "row"


def is_pandas(data: Any) -> bool:
    """Tell whether something is a DataFrame of pandas."""
    return any(
        kind.__module__.split(".")[0] == "pandas" and kind.__name__ == "DataFrame"
        for kind in type(data).__mro__
    )


def is_arrow(data: Any) -> bool:
    """Tell whether something is an Arrow table."""
    return isinstance(data, pa.Table)


@dataclass(frozen=True)
class GivenRows:
    """Local rows, as `sparkclean.examples.given.Given` has them; results are of pandas.

    Attributes
    ----------
    rows : pandas.DataFrame
        As they were given; of Arrow, made of it.
    frame : DataFrame
        The columns that were sent.
    ids : tuple of str
        Of the frame: the caller's, or the row number.
    table : pyarrow.Table or None
        The caller's record ids; None where they are the row numbers.
    notes : mapping
        Attributes of the rows, or of the fields of an Arrow table, by column.
    """

    rows: pd.DataFrame
    frame: DataFrame
    ids: tuple[str, ...]
    table: pa.Table | None
    notes: Mapping[str, Mapping[Any, Any]]
    version = "dataframe"
    is_lazy = False

    @classmethod
    def send(
        cls,
        data: Any,
        ids: tuple[str, ...] | None,
        needed: Sequence[str] | None,
        keys: str | Mapping[str, str],
        listener: PhaseListener | None = None,
    ) -> tuple[GivenRows, bool]:
        """Send the columns that are needed to Spark.

        Parameters
        ----------
        data : pandas.DataFrame or pyarrow.Table
        ids, needed, keys, listener
            As in `sparkclean.examples.given.open_given`.

        Returns
        -------
        given : GivenRows
        own : bool
            Whether the session was created for this.

        Raises
        ------
        InputError
            If a column is missing or of a type that Spark does not take, or all are too large.
        """
        arrow = is_arrow(data)
        rows: pd.DataFrame = data.to_pandas() if arrow else data
        levels = [] if arrow else [name for name in rows.index.names if isinstance(name, str)]
        there = list(data.column_names if arrow else rows.columns)
        known = [name for name in there if isinstance(name, str)]
        wanted = [*(ids or ()), *(known if needed is None else needed)]
        # an id may be a level of the index; a column of that name comes first
        known += [name for name in levels if name in (ids or ()) and name not in known]
        names = list(dict.fromkeys(find_names(known, wanted, keys, exact=True)))
        columns: dict[str, pa.Array] = {}
        for name in names:
            source = data[name] if name in there else rows.index.get_level_values(name)
            column = _column(name, source, must=needed is not None or name in (ids or ()))
            columns |= {} if column is None else {name: column}
        own_ids = ids
        if ids is None:
            number = unused_name(ROW, [*columns, *known])
            columns[number], own_ids = pa.array(np.arange(len(rows))), (number,)
        table = pa.table(columns)
        if table.nbytes > MOST_BYTES:
            raise InputError(
                f"the columns {first_of(names, 10)} hold {table.nbytes >> 20:,} MiB; at most "
                f"{MOST_BYTES >> 20} MiB are sent to Spark. Write them to Parquet "
                "(df.to_parquet), and pass the path of that, or a DataFrame of Spark"
            )
        notes: dict[str, Mapping[Any, Any]] = dict.fromkeys(known, {} if arrow else rows.attrs)
        if arrow:
            notes |= {field.name: field.metadata or {} for field in data.schema}
        keys_of = None if ids is None else table.select(list(ids))
        spark, own = find_or_start_session(listener)
        return cls(rows, local_frame(spark, table), own_ids or (), keys_of, notes), own

    @property
    def is_numbered(self) -> bool:
        """Whether the caller has no record ids."""
        return self.table is None

    @property
    def columns(self) -> list[str]:
        """Names of all columns."""
        return [str(name) for name in self.rows.columns]

    def verify(self) -> None:
        """Rely on the rows, of which Spark has a copy."""

    def notes_of(self, name: str) -> Mapping[Any, Any]:
        """Give what is noted in ``attrs``, or in the metadata of an Arrow field."""
        return self.notes.get(name, {})

    def places(self, found: Any) -> NDArray[np.int64]:
        """Find the places of rows by their record ids, columns of what was found."""
        columns = [np.asarray(found[name]).tolist() for name in self.ids]
        if self.table is None:
            return np.array(columns[0], np.int64)
        place_of = self._place_of
        return np.array([place_of[key] for key in zip(*columns, strict=True)], np.int64)

    @cached_property
    def _place_of(self) -> dict[tuple[Any, ...], int]:
        columns = [] if self.table is None else self.table.columns
        values = zip(*(column.to_pylist() for column in columns), strict=True)
        return {key: place for place, key in enumerate(values)}

    def give(self, rows: DataFrame) -> pd.DataFrame:
        """Collect a table of results; rows of examples get their index."""
        found = rows.toPandas()
        if all(name in found.columns for name in self.ids):
            found.index = self.rows.index.take(self.places(found))
        return found

    def give_top(self, rows: Sequence[Row], kind: StructType, own: Sequence[str]) -> pd.DataFrame:
        """Give a few rows with columns of their examples, and their index."""
        own = find_names(self.columns, own, "columns=", exact=True)
        columns = {name: [row[i] for row in rows] for i, name in enumerate(kind.names)}
        places = self.places(columns)
        found: pd.DataFrame = pa.table(columns).to_pandas()
        found.index = self.rows.index.take(places)
        taken = {name.lower() for name in kind.names}
        for name in own:
            found[beside(name, taken)] = self.rows[name].take(places).array
        return found

    def narrowed(self, names: Sequence[str]) -> DataFrame:
        """Give record ids and the columns that a change is about."""
        return self.frame.select(*self.ids, *names)

    def give_changed(self, changed: DataFrame, names: Sequence[str]) -> pd.DataFrame:
        """Take the rows that are left, in their order, with the values that have changed."""
        found = changed.toPandas()
        places = self.places(found)
        order = np.argsort(places)
        result = self.rows.take(places[order])
        for name in found.columns:
            if name in names or (name not in self.ids and name not in self.columns):
                result[name] = _like(found[name].take(order).to_numpy(), self.rows.get(name))
        return result

    def join(
        self,
        rows: Stream,
        ids: Sequence[str],
        new: Sequence[tuple[str, str]],
        notes: Mapping[str, str],
    ) -> pd.DataFrame:
        """Add columns in the order of the rows; lists become arrays of numpy."""
        if rows.folder is not None:
            table = pq.read_table(rows.folder)
        else:
            table = pa.Table.from_pandas(rows.frame.toPandas())
        named = dict(zip(self.ids, ids, strict=True))
        places = self.places({name: table[key].to_numpy() for name, key in named.items()})
        back = np.empty(len(places), np.int64)
        back[places] = np.arange(len(places))
        result = self.rows.copy(deep=False)
        for internal, name in new:
            result[name] = table[internal].to_pandas().take(back).array
        result.attrs = {**self.rows.attrs, **notes}
        return result


def _column(name: str, values: Any, *, must: bool) -> pa.Array | None:
    """Make an Arrow column of what a caller has; None where Spark takes no such, and need not."""
    try:
        is_made = isinstance(values, pa.ChunkedArray)
        column = values if is_made else pa.array(values, from_pandas=True)
        return sendable(column.combine_chunks() if hasattr(column, "combine_chunks") else column)
    except (TypeError, ValueError, NotImplementedError, pa.ArrowException) as exc:
        if not must:
            return None
        raise InputError(f"column {name!r} cannot be sent to Spark: {exc}") from exc


def _like(values: Any, before: Any) -> Any:
    """Give new values the type of those before, where it holds them."""
    if before is None:
        return values
    categories = getattr(before.dtype, "categories", None)
    if categories is not None and not set(values) <= set(categories):
        return values
    made = type(before)(values)
    return made.astype(before.dtype).array
