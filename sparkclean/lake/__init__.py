"""Tables: pins, staged writes, atomic publishing. Knows nothing of labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkclean.errors import UnsupportedFeatureError
from sparkclean.lake.base import CleanUp, DataFile, Pin, SourceTable, Version
from sparkclean.lake.files import translate_write_error
from sparkclean.lake.run_ids import safe_run_id
from sparkclean.lake.source import ParquetSource, translate_read_error
from sparkclean.lake.target import ParquetTarget, Staging

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = [
    "CleanUp",
    "DataFile",
    "ParquetTarget",
    "Pin",
    "SourceTable",
    "Staging",
    "Version",
    "open_source",
    "open_target",
    "read",
    "safe_run_id",
    "translate_read_error",
    "translate_write_error",
]


def open_source(table: str, format: str = "auto") -> SourceTable:  # noqa: A002 (the key's name)
    """Open a table to read.

    Parameters
    ----------
    table : str
    format : {"auto", "parquet"}

    Returns
    -------
    SourceTable

    Raises
    ------
    UnsupportedFeatureError
    """
    if format not in ("auto", "parquet"):
        raise UnsupportedFeatureError(f"format {format!r} is not supported yet; parquet is")
    return ParquetSource(table)


def open_target(location: str) -> ParquetTarget:
    """Open an output.

    Parameters
    ----------
    location : str

    Returns
    -------
    ParquetTarget
    """
    return ParquetTarget(location)


def read(spark: SparkSession, target: str, version: str | int | None = None) -> DataFrame:
    """Read an output: the current version, or an older one.

    Parameters
    ----------
    spark : SparkSession
    target : str
        Location of an output.
    version : str or int, optional
        Number, or name such as ``v00000003``.

    Returns
    -------
    DataFrame
        Lazy. Rows of runs that did not finish are left out.

    Raises
    ------
    InputError
        If there is no such output or version.
    """
    return open_target(target).frame(spark, version)
