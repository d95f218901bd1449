"""A Delta table to read, pinned to a version."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sparkclean.errors import ConfigError, InputChangedError, InputError
from sparkclean.lake.base import NoPlainFiles, Pin
from sparkclean.lake.engine_errors import analysed, translating_reads, verifying
from sparkclean.lake.files import local_files
from sparkclean.lake.sql import rows_at
from sparkclean.lake.timestamps import parse_timestamp
from sparkclean.names import TableName, quote_name

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_TIMESTAMP = "timestamp:"
#: Table features with which the rows of a version are not those of its files, by their names.
_CHANGES_FILES = {"deletionVectors", "columnMapping", "typeWidening", "checkpointProtection"}


class DeltaSource:
    """A Delta table, by path or by name.

    Parameters
    ----------
    spark : SparkSession
        With Delta.
    name : TableName
    """

    format = "delta"

    def __init__(self, spark: SparkSession, name: TableName) -> None:
        self.spark = spark
        self.name = name
        self.location = str(name)
        self._sql = delta_sql(name)

    def pin(self, version: str | int | None = None) -> Pin:
        """Decide which version is read.

        Parameters
        ----------
        version : str or int, optional
            A number, or ``timestamp:2026-11-01T00:00:00``; the current version by default.

        Returns
        -------
        Pin

        Raises
        ------
        InputError
            If there is no such table or version.
        ConfigError
            If the version is neither.

        Notes
        -----
        Reads the log; no job over data.
        """
        with translating_reads(self.location):
            detail = self.spark.sql(f"DESCRIBE DETAIL {self._sql}").collect()[0]
            history = self.spark.sql(f"DESCRIBE HISTORY {self._sql}").select("version", "timestamp")
            newest = history.orderBy(history.version.desc()).limit(1).collect()[0]["version"]
            number = newest if version is None else self._find(version, history, newest)
        return Pin(
            format=self.format,
            table=self.location,
            version=str(number),
            dataset_version=f"delta-{number}",
            table_id=detail["id"],
            size_bytes=detail["sizeInBytes"] if number == newest else None,
        )

    def _find(self, version: str | int, history: DataFrame, newest: int) -> int:
        text = str(version)
        if text.startswith(_TIMESTAMP):
            when = parse_timestamp(text.removeprefix(_TIMESTAMP))
            before = [row for row in history.collect() if _utc(row["timestamp"]) <= when]
            if not before:
                raise InputError(
                    f"input.version: {version!r}: {self.location} has no version that old; its "
                    "history begins later"
                )
            return int(max(row["version"] for row in before))
        if not (text.isascii() and text.isdigit()):
            raise ConfigError(
                f"input.version: {version!r} is not a version of a Delta table; write a number or "
                "timestamp:2026-11-01T00:00:00"
            )
        if int(text) > newest:
            raise InputError(
                f"input.version: {self.location} has no version {text}; the newest is {newest}"
            )
        return int(text)

    def read(self, spark: SparkSession, pin: Pin) -> DataFrame:
        """Return the rows of exactly the pinned version. Lazy."""
        with translating_reads(pin):
            if self.name.path is None:
                return analysed(rows_at(spark, self._sql, str(pin.version)))
            reader = spark.read.format("delta").option("versionAsOf", str(pin.version))
            return analysed(reader.load(self.name.path))

    def read_numbered(self, spark: SparkSession, pin: Pin, name: str) -> None:
        """Leave it: the rows of a Delta table have no order."""

    def plain_files(self, pin: Pin) -> Sequence[str] | NoPlainFiles:
        """List the data files of the pinned version, unless the table changes what they mean.

        Parameters
        ----------
        pin : Pin

        Returns
        -------
        sequence of str or NoPlainFiles

        Notes
        -----
        Reads the log, without a job over data.
        """
        with translating_reads(pin):
            detail = self.spark.sql(f"DESCRIBE DETAIL {self._sql}").collect()[0]
            features = set(detail["tableFeatures"] or ()) & _CHANGES_FILES
            if features:
                return NoPlainFiles(f"{self.location} has the feature {min(features)}")
            found = self.read(self.spark, pin).inputFiles()
        return local_files(found)

    def verify(self, pin: Pin) -> None:
        """Check that the table is still the one that was pinned.

        Parameters
        ----------
        pin : Pin

        Raises
        ------
        InputChangedError
            If it was dropped, or created again. Files that a vacuum removed are met when they are
            read.
        """
        with verifying(pin):
            detail = self.spark.sql(f"DESCRIBE DETAIL {self._sql}").collect()[0]
        if detail["id"] != pin.table_id:
            raise InputChangedError(
                f"input.table: {self.location} is not the table with which the run started: it "
                "was dropped and created again. Nothing was published; start again with a new run "
                "id"
            )


def delta_sql(name: TableName) -> str:
    """Name a Delta table in SQL."""
    if name.path is None:
        return str(name)
    return f"delta.{quote_name((name.path,))}"


def _utc(moment: Any) -> datetime:
    """Spark hands over timestamps in the time zone of the driver, without saying so."""
    return datetime.fromtimestamp(moment.timestamp()).astimezone()
