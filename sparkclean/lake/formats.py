"""What format a table has: asked of the table, not guessed from its name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sparkclean.errors import ConfigError, InputError, UnsupportedFeatureError
from sparkclean.lake.engine_errors import cannot_look, translating_reads
from sparkclean.lake.files import format_of_folder
from sparkclean.locations import local_path
from sparkclean.names import FORMATS, TableName, parse_table_name

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

#: Folder of the files that make clones versions.
CLONES = "_versions"

_NO_SOURCE = re.compile(
    r"DATA_SOURCE_NOT_FOUND|UNSUPPORTED_DATASOURCE_FOR_DIRECT_QUERY|ClassNotFoundException|"
    r"PARSE_SYNTAX_ERROR|Unsupported data source type for direct query|"
    r"DELTA_CONFIGURE_SPARK_SESSION_WITH_EXTENSION_AND_CATALOG|table or view `DETAIL`"
)
#: Coordinates and settings by format; (1) of the Spark version, (2) of all.
_PACKAGES = {
    ("delta", "4.1"): "io.delta:delta-spark_4.1_2.13:4.4.0",
    ("delta", "4.0"): "io.delta:delta-spark_2.13:4.0.0",
    ("delta", "3.5"): "io.delta:delta-spark_2.12:3.3.2",
    ("iceberg", "4.1"): "org.apache.iceberg:iceberg-spark-runtime-4.1_2.13:1.11.0",
    ("iceberg", "4.0"): "org.apache.iceberg:iceberg-spark-runtime-4.0_2.13:1.11.0",
    ("iceberg", "3.5"): "org.apache.iceberg:iceberg-spark-runtime-3.5_2.12:1.11.0",
}
_SETTINGS = {
    "delta": (
        "spark.sql.extensions=io.delta.sql.DeltaSparkSessionExtension and "
        "spark.sql.catalog.spark_catalog=org.apache.spark.sql.delta.catalog.DeltaCatalog"
    ),
    "iceberg": (
        "spark.sql.extensions="
        "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions and a catalog, "
        "spark.sql.catalog.<name>=org.apache.iceberg.spark.SparkCatalog"
    ),
}


def package_of(kind: str, spark_version: str) -> str:
    """Name the package that brings a format to a version of Spark.

    Parameters
    ----------
    kind : {"delta", "iceberg"}
    spark_version : str
        Such as ``4.1.4``.

    Returns
    -------
    str
        Maven coordinates; those for the newest Spark that we know, where it is another.
    """
    series = ".".join(spark_version.split(".")[:2])
    return _PACKAGES.get((kind, series), _PACKAGES[kind, "4.1"])


def find_format(spark: SparkSession | None, name: TableName) -> str:
    """Find the format of an existing table.

    Parameters
    ----------
    spark : SparkSession or None
        Not needed for a local path.
    name : TableName

    Returns
    -------
    {"parquet", "delta", "iceberg"}

    Raises
    ------
    InputError
        If a catalog has no such table.
    UnsupportedFeatureError
        If the table has another format, or the session lacks what the format needs.

    Notes
    -----
    Looks at a folder, or asks the catalog; no job.
    """
    if name.format is not None:
        return name.format
    if name.path is None:
        return _format_in_catalog(_needed(spark, name), name)
    try:
        folder = local_path(name.path)
    except UnsupportedFeatureError:
        return _format_at_uri(_needed(spark, name), name.path)
    return format_of_folder(folder) or "parquet"


def has_clones(name: TableName) -> bool:
    """Tell whether a folder holds cleaned versions of layout ``clone``."""
    if name.path is None:
        return False
    try:
        return (local_path(name.path) / CLONES).is_dir()
    except UnsupportedFeatureError:
        return False


def needs_spark(table: str) -> bool:
    """Tell whether a table can only be looked at with a Spark session.

    Parameters
    ----------
    table : str
        Path or URI, or a name in a catalog.

    Returns
    -------
    bool
        False for Parquet at a local path.
    """
    name = parse_table_name(table)
    if name.path is None or name.format not in (None, "parquet"):
        return True
    try:
        return has_clones(name) or format_of_folder(local_path(name.path)) is not None
    except UnsupportedFeatureError:
        return True


def _needed(spark: SparkSession | None, name: TableName) -> SparkSession:
    if spark is None:
        raise UnsupportedFeatureError(f"{name} can only be looked at with a Spark session")
    return spark


def _format_in_catalog(spark: SparkSession, name: TableName) -> str:
    with translating_reads(str(name)):
        rows = spark.sql(f"DESCRIBE TABLE EXTENDED {name}").collect()
    providers = [row["data_type"] for row in rows if row["col_name"] == "Provider"]
    provider = (providers or [""])[-1].lower()
    if provider in FORMATS:
        return provider
    raise UnsupportedFeatureError(
        f"{name} is {f'a table of format {provider}' if provider else 'a view or temporary table'}"
        f"; an audit reads tables of {', '.join(FORMATS)}, which can be pinned to a version"
    )


def _format_at_uri(spark: SparkSession, path: str) -> str:
    for kind, query in (
        ("delta", lambda: spark.sql(f"DESCRIBE DETAIL delta.`{path}`").collect()),
        ("iceberg", lambda: spark.read.format("iceberg").load(path).schema),
    ):
        try:
            query()
        except Exception:  # noqa: BLE001, S112 (whatever is wrong, it is not such a table here)
            continue
        return kind
    _look_at_uri(spark, path)
    raise UnsupportedFeatureError(
        f"{path} is neither a Delta nor an Iceberg table that this session can read; Parquet files "
        "are read from local or shared file systems so far"
    )


def _look_at_uri(spark: SparkSession, path: str) -> None:
    """Raise an error if nothing is there, or the session cannot look."""
    try:
        spark.read.format("binaryFile").load(path).schema  # noqa: B018 (looks only then)
    except Exception as exc:
        if "PATH_NOT_FOUND" in str(exc):
            raise InputError(f"{path}: there is no such table; check its name") from exc
        raise cannot_look(exc, path) from exc


def checked_session(spark: SparkSession | None, kind: str, name: TableName) -> SparkSession:
    """Return the session, if it can work with a format.

    Parameters
    ----------
    spark : SparkSession or None
    kind : {"delta", "iceberg"}
    name : TableName
        For the message.

    Returns
    -------
    SparkSession

    Raises
    ------
    UnsupportedFeatureError
        Says exactly what to add to the session.
    """
    session = _needed(spark, name)
    if kind not in _SETTINGS:
        raise unopened(kind, name)
    try:
        if kind == "delta":
            session.sql("DESCRIBE DETAIL delta.`/`").collect()
        else:
            session.read.format("iceberg").load("/").schema  # noqa: B018 (analysed only then)
    except Exception as exc:
        if not _NO_SOURCE.search(str(exc)):
            return session
        package = package_of(kind, session.version)
        title = {"delta": "Delta Lake", "iceberg": "Apache Iceberg"}[kind]
        raise UnsupportedFeatureError(
            f"{name} is a table of {title}, and this session lacks {title}: add --packages "
            f"{package} with {_SETTINGS[kind]} (all of it is in conf/spark-defaults-{kind}.conf: "
            "spark-submit --properties-file)"
        ) from exc
    return session


def check_format(given: str, key: str, known: Sequence[str]) -> None:
    """Refuse a format that we do not know."""
    if given not in known:
        raise ConfigError(f"{key}: {given!r} is not a format; write {' or '.join(known)}")


def unopened(kind: str, name: TableName) -> UnsupportedFeatureError:
    """Say that nothing opens tables of a format, which `FORMATS` names: for whoever adds one."""
    return UnsupportedFeatureError(f"{name}: nothing opens tables of format {kind} here")
