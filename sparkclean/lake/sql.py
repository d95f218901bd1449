"""SQL that several formats write: texts, and rows of an older version of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def rows_at(spark: SparkSession, table: str, version: str | int) -> DataFrame:
    """Return the rows of a table as they were in a version.

    Parameters
    ----------
    spark : SparkSession
    table : str
        As SQL names it.
    version : str or int
        Number of a Delta version; id of an Iceberg snapshot, name of a branch or tag.

    Returns
    -------
    DataFrame
        Lazy.

    Notes
    -----
    In SQL, because Spark 3.5 passes over the option ``versionAsOf`` of ``spark.read.table`` and
    reads the current version, silently (seen on 3.5.9 with Iceberg 1.11).
    """
    quoted = sql_text(str(version))
    return spark.sql(f"SELECT * FROM {table} VERSION AS OF {quoted}")  # noqa: S608 (quoted)


def sql_text(value: str) -> str:
    """Write a text in SQL."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
