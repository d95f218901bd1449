"""Rows that are staged for a table of Delta or Iceberg, and the session that commits them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pyspark.sql.types import (
    ArrayType,
    DataType,
    DateType,
    MapType,
    StructType,
    TimestampNTZType,
    TimestampType,
)

from sparkclean.errors import SparkCleanError

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

_TIMESTAMPS = "spark.sql.parquet.outputTimestampType"
#: Settings of a session that say how values are stored in Parquet files.
_STORED_AS = {
    _TIMESTAMPS: "TIMESTAMP_MICROS",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.int96RebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.writeLegacyFormat": "false",
}


class StagedFrame:
    """A dataset that is too large to write twice: the commit itself writes it.

    Parameters
    ----------
    run_id : str
        The scheduler's.
    """

    path = data_path = ""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self._frame: DataFrame | None = None

    def command_to_show(self) -> str:
        """Give none: only the commit writes the rows."""
        return ""

    def write_frame(self, frame: DataFrame, timestamps: str | None = None) -> None:  # noqa: ARG002
        """Keep the frame; its inputs are pinned, so that it can be computed again."""
        self._frame = frame

    def write_arrow(self, table: pa.Table) -> None:
        """Refuse rows of the driver: they are few, and staged in files."""
        raise SparkCleanError(f"a dataset comes as a frame, not as {table.num_rows} rows")

    def count_rows(self) -> int:
        """Count the rows of the frame. One job, over the columns that decide on rows alone."""
        return self._staged().count()

    def frame(self, spark: SparkSession, schema: str) -> DataFrame:  # noqa: ARG002 (it has both)
        """Return what was staged."""
        return self._staged()

    def _staged(self) -> DataFrame:
        if self._frame is None:
            raise SparkCleanError(f"nothing was staged for run {self.run_id}")
        return self._frame

    def discard(self) -> None:
        """Forget the frame."""
        self._frame = None


def own_session(spark: SparkSession) -> SparkSession:
    """Return a session whose settings are not the user's, for what a commit takes from settings.

    Parameters
    ----------
    spark : SparkSession

    Returns
    -------
    SparkSession
        With the user's settings, but for those that say how values are stored in files.
    """
    if not hasattr(spark, "newSession"):
        own = spark.cloneSession()  # type: ignore[attr-defined] # Connect
    else:
        own = spark.newSession()
        for key, value in _settings(spark).items():
            if own.conf.isModifiable(key):
                own.conf.set(key, value)
        own.catalog.setCurrentCatalog(spark.catalog.currentCatalog())
        if database := spark.catalog.currentDatabase():  # a catalog may begin in none
            own.catalog.setCurrentDatabase(database)
    for key, value in _STORED_AS.items():
        own.conf.set(key, value)
    return own


def _settings(spark: SparkSession) -> dict[str, str]:
    """List the settings of a session that are not Spark's defaults."""
    if hasattr(spark.conf, "getAll"):
        return dict(spark.conf.getAll)
    # Spark 3.5; what it does not show is ignored
    rows = spark.sql("SET").collect()
    return {row[0]: row[1] for row in rows if "(redacted)" not in row[1]}


@contextmanager
def in_own_session(frame: DataFrame, settings: Mapping[str, str]) -> Iterator[DataFrame]:
    """Hand a frame to a session of ours, which stores values by its own settings.

    Parameters
    ----------
    frame : DataFrame
    settings : mapping
        Of that session, besides those of `own_session`.

    Yields
    ------
    DataFrame
        To be written before the end.
    """
    spark, name = frame.sparkSession, f"sparkclean_{uuid.uuid4().hex}"
    own = own_session(spark)
    for key, value in settings.items():
        own.conf.set(key, value)
    # the one way by which both classic sessions and Connect hand over a plan
    frame.createGlobalTempView(name)
    try:
        yield own.table(f"{spark.conf.get('spark.sql.globalTempDatabase')}.{name}")
    finally:
        spark.catalog.dropGlobalTempView(name)


@contextmanager
def stored_exactly(frame: DataFrame, timestamps: str | None = None) -> Iterator[DataFrame]:
    """Give a frame whose moments and days are stored as they are, whatever the user's settings.

    Spark takes from the settings of a session how it stores them; by default as INT96, in which
    other readers meet other moments.

    Parameters
    ----------
    frame : DataFrame
    timestamps : str, optional
        Of ``spark.sql.parquet.outputTimestampType``; microseconds by default.

    Yields
    ------
    DataFrame
        As of `in_own_session`; the frame itself where it holds neither.
    """
    if not _holds_times(frame.schema):
        yield frame
        return
    settings = {} if timestamps is None else {_TIMESTAMPS: timestamps}
    with in_own_session(frame, settings) as rows:
        yield rows


def _holds_times(kind: DataType) -> bool:
    if isinstance(kind, StructType):
        return any(_holds_times(field.dataType) for field in kind)
    if isinstance(kind, ArrayType):
        return _holds_times(kind.elementType)
    if isinstance(kind, MapType):
        return _holds_times(kind.keyType) or _holds_times(kind.valueType)
    return isinstance(kind, (DateType, TimestampType, TimestampNTZType))
