"""Examples that a call was given: a frame of Spark, a table by its name, or local rows."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from sparkclean.errors import InputError
from sparkclean.examples.given_frame import GivenFrame
from sparkclean.examples.given_rows import GivenRows, is_arrow, is_pandas
from sparkclean.examples.predictions import find_prediction, notes_of_version
from sparkclean.lake import open_source
from sparkclean.rows.conditions import find_unstable
from sparkclean.rows.session import find_or_start_session, find_session
from sparkclean.rows.table_names import check_table_names

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, Row
    from pyspark.sql.types import StructType

    from sparkclean.rows.progress import PhaseListener
    from sparkclean.rows.streams import Stream

_log = logging.getLogger("sparkclean")

#: What results are given as: a DataFrame of Spark, or of pandas.
F_co = TypeVar("F_co", covariant=True)


class Given(Protocol[F_co]):
    """Examples for Spark to read, and results in what their owner works with."""

    @property
    def frame(self) -> DataFrame:
        """What Spark reads: all columns of a table, those that are needed of local rows."""

    @property
    def ids(self) -> tuple[str, ...]:
        """Record id columns of the frame."""

    @property
    def columns(self) -> list[str]:
        """Names of all columns that the caller has."""

    @property
    def is_numbered(self) -> bool:
        """Whether the record ids are the numbers of the rows."""

    @property
    def version(self) -> str:
        """What results say of where they come from."""

    @property
    def is_lazy(self) -> bool:
        """Whether results are computed when they are used."""

    def verify(self) -> None:
        """Raise `InputChangedError` if what was pinned is no longer there."""

    def notes_of(self, name: str) -> Mapping[Any, Any]:
        """Give what is noted beside a column of probabilities."""

    def give(self, rows: DataFrame) -> F_co:
        """Give a table of results. A job where the examples are local."""

    def give_top(self, rows: Sequence[Row], kind: StructType, own: Sequence[str]) -> F_co:
        """Give a few rows of results, in their order, with the examples' own columns.

        Parameters
        ----------
        rows : sequence of Row
        kind : StructType
            Their columns, the record id among them.
        own : sequence of str
            Further columns, of the caller's.
        """

    def narrowed(self, names: Sequence[str]) -> DataFrame:
        """Give the frame that `give_changed` wants a change of.

        Parameters
        ----------
        names : sequence of str
            Columns that the change is about.
        """

    def give_changed(self, changed: DataFrame, names: Sequence[str]) -> F_co:
        """Give the examples as they are after a change: fewer rows, other values.

        Parameters
        ----------
        changed : DataFrame
            Of `narrowed`.
        names : sequence of str
            Columns whose values have changed; new ones need not be named.
        """

    def join(
        self,
        rows: Stream,
        ids: Sequence[str],
        new: Sequence[tuple[str, str]],
        notes: Mapping[str, str],
    ) -> F_co:
        """Give the examples with columns of other rows, which have their record ids.

        Parameters
        ----------
        rows : Stream
            One row for each example.
        ids : sequence of str
            Names of the record id columns in it.
        new : sequence of (str, str)
            Names of the columns in it, and what they are to be called; the first ones are
            probabilities.
        notes : mapping
            What is noted beside the probabilities (`note_of`).
        """


def open_given(
    data: Any,
    *,
    id: str | Sequence[str] | None,  # noqa: A002
    needed: Sequence[str] | None,
    keys: str | Mapping[str, str],
    listener: PhaseListener | None = None,
) -> tuple[Given[Any], bool]:
    """Open what a call was given. Reads no rows of a table.

    Parameters
    ----------
    data : DataFrame, pandas.DataFrame, pyarrow.Table or str
        By `check_given`. A str is the name or path of a table.
    id : str, sequence of str or None
        None: the column ``id`` of a table, row numbers of local rows.
    needed : sequence of str or None
        Columns that Spark needs, besides the record id; None: all that it can hold.
    keys : str or mapping
        Settings that name them, of all or of each, for errors.
    listener : PhaseListener, optional
        Who is told how long Spark takes to start.

    Returns
    -------
    given : Given
    own : bool
        Whether the session was created for this.

    Raises
    ------
    InputError
        If a column of local rows is missing, or they are too large to be sent to Spark.
    """
    ids = None if id is None else (id,) if isinstance(id, str) else tuple(id)
    if is_pandas(data) or is_arrow(data):
        return GivenRows.send(data, ids, needed, keys, listener)
    if not isinstance(data, str):
        return GivenFrame(data, ids or ("id",)), False
    if find_session() is None:
        check_table_names({"df": data}, {})
    spark, own = find_or_start_session(listener)
    source = open_source(data, spark=spark)
    pin = source.pin()
    frame = source.read(spark, pin)
    version, verify = pin.dataset_version, partial(source.verify, pin)
    notes = notes_of_version(find_prediction(data, pin, spark))
    return GivenFrame(frame, ids or ("id",), version, verify, notes), own


def check_given(data: Any) -> None:
    """Check that what a call was given is of a kind that `open_given` opens.

    Parameters
    ----------
    data : object

    Raises
    ------
    InputError
        If it is not, or is a stream.
    """
    if getattr(data, "isStreaming", False) is True:
        raise InputError(
            "the DataFrame is a stream, which an audit cannot read several times; write the "
            "stream to a table, and pass the table (spark.read)"
        )
    is_frame = hasattr(data, "sparkSession") and hasattr(data, "isStreaming")
    if is_frame or isinstance(data, str) or is_pandas(data) or is_arrow(data):
        return
    kind = type(data)
    raise InputError(
        f"df is a {kind.__module__}.{kind.__name__}; pass a DataFrame of Spark or pandas, an Arrow "
        "table, or the name or path of a table. For arrays there is sparkclean.find_label_issues"
    )


def default_id(data: Any) -> str:
    """Say what the record id is where a call names none."""
    return "row number" if is_pandas(data) or is_arrow(data) else "id"


def warn_of_unstable(given: Given[Any], read: DataFrame) -> tuple[str, ...]:
    """Log that what is read may be other rows each time that it is computed, and give that."""
    unstable = find_unstable(read) if given.is_lazy else None
    if unstable is None:
        return ()
    warning = (
        f"the DataFrame depends on {unstable}: its rows may change each time it is read, and an "
        "audit reads it several times. Write it to a table, and audit the table"
    )
    _log.warning("%s", warning)
    return (warning,)
