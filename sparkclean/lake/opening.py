"""Open tables: to read, to publish to, and what a run has published."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sparkclean.errors import ConfigError, InputError, UnsupportedFeatureError, first_of
from sparkclean.lake.base import MAIN_OUTPUT
from sparkclean.lake.files import format_of_folder
from sparkclean.lake.formats import (
    CLONES,
    check_format,
    checked_session,
    find_format,
    has_clones,
    unopened,
)
from sparkclean.lake.parquet.manifest import FOLDER as MANIFESTS
from sparkclean.lake.parquet.source import ParquetSource
from sparkclean.lake.parquet.target import ParquetTarget
from sparkclean.lake.protocols import OpenTable, SourceTable, TargetTable
from sparkclean.locations import local_path, same_place
from sparkclean.names import FORMATS, TableName, parse_table_name
from sparkclean.schema import RUN_ID

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from sparkclean.lake.base import Version
    from sparkclean.lake.iceberg.branch import BranchOptions


def open_source(
    table: str,
    format: str = "auto",  # noqa: A002 (the key's name)
    *,
    spark: SparkSession | None = None,
) -> SourceTable:
    """Open a table to read.

    Parameters
    ----------
    table : str
        Path or URI, or a name in a catalog.
    format : {"auto", "parquet", "delta", "iceberg"}
        ``auto`` asks the table.
    spark : SparkSession, optional
        Not needed for Parquet at a path.

    Returns
    -------
    SourceTable

    Raises
    ------
    InputError
        If a catalog has no such table.
    UnsupportedFeatureError
        If the format or the location is not supported, or the session lacks what the format needs.
    """
    check_format(format, "input.format", ("auto", *FORMATS))
    name = _resolved(table)
    kind = find_format(spark, name) if format == "auto" else format
    if kind == "parquet":
        return ParquetSource(table if name.path is None else name.path)
    session = checked_session(spark, kind, name)
    if kind == "delta":
        from sparkclean.lake.delta.source import DeltaSource  # noqa: PLC0415 (imports pyspark)

        return DeltaSource(session, name)
    if kind == "iceberg":
        from sparkclean.lake.iceberg.source import IcebergSource  # noqa: PLC0415

        return IcebergSource(session, name)
    raise unopened(kind, name)


def open_target(
    location: str,
    format: str = "auto",  # noqa: A002
    *,
    spark: SparkSession | None = None,
    work: Path | None = None,
    layout: str = "auto",
) -> TargetTable:
    """Open an output. Writes nothing.

    Parameters
    ----------
    location : str
        Path or URI, or a name in a catalog.
    format : {"auto", "parquet", "delta", "iceberg"}
        ``auto`` asks the table, which must exist.
    spark : SparkSession, optional
        Not needed for Parquet.
    work : Path, optional
        Folder that driver and executors share, in which outputs of Delta and Iceberg are staged.
    layout : {"auto", "copy"}
        ``copy`` where the versions of a dataset are the versions of its table; by default the
        table is asked whether versions of layout ``clone`` or ``branch`` are in it.

    Returns
    -------
    TargetTable

    Raises
    ------
    InputError
        If a catalog has no such table (``auto``).
    UnsupportedFeatureError
        If the format or the location is not supported, or the session lacks what the format needs.
    """
    check_format(format, "output.format", ("auto", *FORMATS))
    name = _resolved(location)
    if layout == "auto" and has_clones(name):
        return open_edited_target(location, "delta", spark=spark, work=work)
    kind = name.format or (find_format(spark, name) if format == "auto" else format)
    if kind == "parquet":
        return ParquetTarget(location if name.path is None else name.path)
    session = checked_session(spark, kind, name)
    if kind == "delta":
        from sparkclean.lake.delta.target import DeltaTarget  # noqa: PLC0415 (imports pyspark)

        return DeltaTarget(session, name, work, _opener(session))
    if kind == "iceberg":
        from sparkclean.lake.iceberg.target import IcebergTarget  # noqa: PLC0415

        if layout == "auto" and name.path is None:
            edited = open_edited_target(location, kind, spark=session, work=work)
            if edited.versions():
                return edited
        return IcebergTarget(session, name, work, _opener(session))
    raise unopened(kind, name)


def open_edited_target(
    location: str,
    format: str,  # noqa: A002
    *,
    spark: SparkSession | None,
    work: Path | None = None,
    output: str = MAIN_OUTPUT,
    options: BranchOptions | None = None,
) -> TargetTable:
    """Open a target whose versions are a pinned table and changes: clones or branches.

    Parameters
    ----------
    location : str
        Folder of the clones; name of the Iceberg table.
    format : {"delta", "iceberg"}
    spark : SparkSession
    work : Path, optional
    output : str
        What the configuration calls it; `MAIN_OUTPUT`, or another output of the same runs.
    options : BranchOptions, optional
        Of branches.

    Returns
    -------
    TargetTable
        One that `keeps_versions_apart`.
    """
    name = _resolved(location)
    session = checked_session(spark, format, name)
    if format == "delta":
        from sparkclean.lake.delta.clone import DeltaCloneTarget  # noqa: PLC0415

        return DeltaCloneTarget(session, name, work, _opener(session), output=output)
    if format == "iceberg":
        from sparkclean.lake.iceberg.branch import IcebergBranchTarget  # noqa: PLC0415

        opener = _opener(session)
        return IcebergBranchTarget(session, name, work, opener, output=output, options=options)
    raise unopened(format, name)


def open_version(
    location: str, run_id: str, *, spark: SparkSession
) -> tuple[SourceTable, str | int | None] | None:
    """Open what a run has published in an output, to read and pin it like any table.

    Parameters
    ----------
    location : str
        Of the output, of whatever layout.
    run_id : str
    spark : SparkSession

    Returns
    -------
    source : SourceTable
    version : str or int or None
        What `SourceTable.pin` takes.

    None in place of both where the output has no such version (any longer).

    Notes
    -----
    Reads metadata; for layouts ``clone`` and ``branch`` a job over it.
    """
    try:
        target = open_target(location, spark=spark)
        found = target.find_run(run_id)
    except InputError:  # no such table
        return None
    if found is None:
        return None
    source = open_source(target.version_location(found), target.format, spark=spark)
    return source, target.version_selector(found)


def open_records(
    target: TargetTable, version: Version | None = None, *, spark: SparkSession | None
) -> TargetTable | None:
    """Open the run records by which the rows of an output count.

    Parameters
    ----------
    target : TargetTable
        An output that holds the rows of all runs.
    version : Version, optional
        That names them; the newest one of ours by default.
    spark : SparkSession or None
        Not needed for Parquet.

    Returns
    -------
    TargetTable or None
        None where its runs write no records, or these are gone.

    Notes
    -----
    Reads metadata.
    """
    if version is None:
        version = next((made for made in reversed(target.versions()) if made.run_id), None)
    runs = None if version is None else version.properties.get("runs")
    if runs is None:
        return None
    if target.has_folder:  # as `seen_from` has written it
        runs = os.path.normpath(Path(target.location, runs))
    try:
        records = open_target(runs, spark=spark)
        return records if records.current() is not None else None
    except InputError:
        return None


def _opener(spark: SparkSession) -> OpenTable:
    """Give targets what opens the run records, whose module they could not import."""

    def open_runs(location: str, *, work: Path | None = None) -> TargetTable:
        return open_target(location, spark=spark, work=work)

    return open_runs


def _resolved(text: str) -> TableName:
    """Parse a name; a local path becomes absolute, as SQL does not know this folder."""
    name = parse_table_name(text)
    if name.path is None:
        return name
    try:
        return replace(name, path=str(local_path(name.path)))
    except UnsupportedFeatureError:
        return name


def tables_within(location: str) -> list[str]:
    """List the tables in a local folder that is none itself, as the one of all outputs of a run.

    Parameters
    ----------
    location : str
        Path or URI, or a name in a catalog.

    Returns
    -------
    list of str
        Sorted; empty where the folder is a table, or holds none, or is none.
    """
    name = parse_table_name(location)
    if name.path is None or name.format is not None:
        return []
    try:
        folder = local_path(name.path)
        inside = [each for each in folder.iterdir() if _is_table(each)]
    except (UnsupportedFeatureError, OSError):
        return []
    return [] if _is_table(folder) else sorted(str(Path(location, each.name)) for each in inside)


def _is_table(folder: Path) -> bool:
    """Tell whether a folder is a table with versions."""
    known = (folder / MANIFESTS).is_dir() or (folder / CLONES).is_dir()
    return known or format_of_folder(folder) is not None


def runs_of_table(
    target: TargetTable, table: str | None, version: str | int | None = None
) -> list[str] | None:
    """Choose the runs whose rows are of one table.

    Parameters
    ----------
    target : TargetTable
    table : str or None
        Path or name; may be left out where all rows are of one.
    version : str or int, optional

    Returns
    -------
    list of str or None
        Safe run ids, the newest one last; None where all rows will do.

    Raises
    ------
    ConfigError
        If there are rows of several tables and none is named, or none of the one that is.

    Notes
    -----
    Reads the run records, in a job where they are not Parquet.
    """
    tables = target.tables_by_run(version)
    there = sorted(set(tables.values()))
    if table is None:
        if len(there) < 2:
            return None
        raise ConfigError(
            f"{target.location} holds the rows of {len(there)} tables: {first_of(there)}. Name the "
            "one to read (table=..., --table)"
        )
    chosen = [run for run, of in tables.items() if same_place(of, table)]
    if not chosen:
        raise ConfigError(
            f"{target.location} holds no rows that are known to be of table {table}; it has those "
            f"of {first_of(there) or 'none'}"
        )
    return chosen


def read(
    spark: SparkSession,
    target: str,
    version: str | int | None = None,
    *,
    table: str | None = None,
) -> DataFrame:
    """Read an output: the current version, or an older one.

    Parameters
    ----------
    spark : SparkSession
    target : str
        Path or URI of an output, or its name in a catalog.
    version : str or int, optional
        Number, or name such as ``v00000003``.
    table : str, optional
        Table that the rows are of, where an output holds those of several.

    Returns
    -------
    DataFrame
        Lazy. Rows of runs that did not finish are left out.

    Raises
    ------
    InputError
        If there is no such output or version, or files of it are gone.
    ConfigError
        If the output holds the rows of several tables, and none of them is named.

    Notes
    -----
    Looks at the size of every file, on the driver; no job but for listing many files. On Delta and
    Iceberg one or two jobs over the run records, a row for each run.
    """
    opened = open_target(target, spark=spark)
    frame, runs = opened.frame(spark, version), runs_of_table(opened, table, version)
    if runs is None:
        return frame
    from pyspark.sql import functions as F  # noqa: PLC0415 (metadata needs no Spark)

    return frame.where(F.col(RUN_ID).isin(runs))
