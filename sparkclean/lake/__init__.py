"""Tables: pins, staged writes, atomic publishing. Knows nothing of labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkclean.errors import ConfigError, UnsupportedFeatureError
from sparkclean.lake.base import (
    ANY,
    AnyParent,
    CleanUp,
    DataFile,
    Pin,
    SourceTable,
    StagingFolder,
    TargetTable,
    Version,
)
from sparkclean.lake.engine_errors import translate_read_error
from sparkclean.lake.files import spark_path, spark_paths, translate_write_error
from sparkclean.lake.run_ids import original_run_id, safe_run_id
from sparkclean.lake.runs import published_runs
from sparkclean.lake.source import ParquetSource
from sparkclean.lake.staging import Staging
from sparkclean.lake.target import ParquetTarget

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = [
    "ANY",
    "AnyParent",
    "CleanUp",
    "DataFile",
    "ParquetSource",
    "ParquetTarget",
    "Pin",
    "SourceTable",
    "Staging",
    "StagingFolder",
    "TargetTable",
    "Version",
    "open_source",
    "open_target",
    "original_run_id",
    "published_runs",
    "read",
    "safe_run_id",
    "spark_path",
    "spark_paths",
    "translate_read_error",
    "translate_write_error",
]

_LATER = ("delta", "iceberg")


def open_source(table: str, format: str = "auto") -> SourceTable:  # noqa: A002 (the key's name)
    """Open a table to read.

    Parameters
    ----------
    table : str
        A folder of Parquet files, one file, or an output of ours.
    format : {"auto", "parquet"}

    Returns
    -------
    SourceTable

    Raises
    ------
    UnsupportedFeatureError
        If the format or the place is not supported yet.
    """
    _check_format(format, "input.format", ("auto", "parquet"))
    return ParquetSource(table)


def open_target(location: str, format: str = "parquet") -> ParquetTarget:  # noqa: A002
    """Open an output. Writes nothing.

    Parameters
    ----------
    location : str
    format : {"parquet"}

    Returns
    -------
    ParquetTarget

    Raises
    ------
    UnsupportedFeatureError
        If the format or the place is not supported yet.
    """
    _check_format(format, "output.format", ("parquet",))
    return ParquetTarget(location)


def _check_format(given: str, key: str, known: tuple[str, ...]) -> None:
    if given in _LATER:
        raise UnsupportedFeatureError(f"{key}: {given!r} is not supported yet; parquet is")
    if given not in known:
        raise ConfigError(f"{key}: {given!r} is not a format; write {' or '.join(known)}")


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
        If there is no such output or version, or files of it are gone.

    Notes
    -----
    Looks at the size of every file, on the driver; no job but for listing many files.
    """
    return open_target(target).frame(spark, version)
