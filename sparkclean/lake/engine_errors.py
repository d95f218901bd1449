"""What Spark says when it cannot read, on classic and on Connect, in our words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from sparkclean.errors import (
    CommitStateUnknownError,
    InputChangedError,
    InputError,
    SparkCleanError,
    UnsupportedFeatureError,
    first_of,
)
from sparkclean.lake.base import Pin
from sparkclean.lake.files import changed_files
from sparkclean.texts import cause_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_GONE = re.compile(
    r"FAILED_READ_FILE\.FILE_NOT_EXIST|PATH_NOT_FOUND|"
    # Java says so, too, of a file that cannot be created
    r"FileNotFoundException(?!: .*\((?:No space|Disk quota|File name|Too many|Read-only))|"
    r"NoSuchFileException|does not exist.*REFRESH TABLE"
)
_CORRUPT = re.compile(
    r"FAILED_READ_FILE|CANNOT_READ_FILE_FOOTER|CANNOT_READ_FOOTER|is not a Parquet file|"
    r"ParquetDecodingException|Could not read footer|Encountered error while reading file"
)
_NO_TABLE = re.compile(
    r"TABLE_OR_VIEW_NOT_FOUND|DELTA_MISSING_DELTA_TABLE|DELTA_TABLE_ONLY_OPERATION|"
    r"DELTA_PATH_DOES_NOT_EXIST|DELTA_TABLE_NOT_FOUND|SCHEMA_NOT_FOUND|"
    r"NoSuchTableException|Table does not exist"
)
_CONFLICT = re.compile(
    r"DELTA_CONCURRENT|DELTA_METADATA_CHANGED|DELTA_PROTOCOL_CHANGED|"
    r"(?:Concurrent(?:Append|Write|Delete\w*|Transaction|Modification)|MetadataChanged|"
    r"ProtocolChanged|CommitFailed)Exception|Found conflicting files|"
    r"Table metadata refresh is required|is not an ancestor of"
)
_UNKNOWN = re.compile(
    r"[Cc]onnection (?:has been closed|reset|closed|timed out)|Broken pipe|UNAVAILABLE|"
    r"(?:SocketTimeout|Socket|NoHttpResponse|SQLTimeout|SQL\w*Connection|SQLRecoverable|"
    r"Communications)Exception|I/O error occurred while sending to the backend"
)
# a task that failed for good: the commit comes after all of them
_IN_TASK = re.compile(r"due to stage failure|TASK_WRITE_FAILED")
_MISMATCH = re.compile(
    r"DELTA_FAILED_TO_MERGE_FIELDS|DELTA_MERGE_INCOMPATIBLE_DATATYPE|INCOMPATIBLE_DATA_FOR_TABLE|"
    r"_LEGACY_ERROR_TEMP_DELTA_0007|Cannot change column type"
)
# (1) the path, up to the quote or blank that ends it
_FILE = re.compile(r"file:/+[^\s,;'\"<>]+")
_TYPE = re.compile(r"PARQUET_TYPE_(?:ILLEGAL|NOT_SUPPORTED|NOT_RECOGNIZED)|Illegal Parquet type")
_ILLEGAL = re.compile(r"(?:type|Parquet type):? *\"?([^\".\n]*\([^\n\"]*?\)+)")
#: Files of a table whose columns are looked at behind an error.
_LOOKED_AT = 20

#: What Spark, Java and Python say about a table as a whole, and what we say. ``{table}`` is its
#: name, ``{cause}`` what was said, ``{found}`` the first group of the pattern.
_ABOUT_TABLE: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"REQUIRES_SINGLE_PART_NAMESPACE|CATALOG_NOT_FOUND|CatalogNotFoundException"),
        "input.table: {table}: this session has no such catalog; name one that "
        "spark.sql.catalog.<name> configures, or write a path with a slash",
    ),
    (_NO_TABLE, "input.table: {table}: there is no such table; check its name"),
    (
        re.compile(
            r"DELTA_VERSION_NOT_FOUND|DELTA_NO_RECREATABLE_HISTORY_FOUND|VersionNotFoundException|"
            r"DELTA_MISSING_FILES_UNEXPECTED_VERSION|Cannot find (?:snapshot|matching snapshot)"
        ),
        "input.version: {table} does not have that version any more: its log, or the files "
        "it names, were cleaned up; use a new run id, and choose a newer version",
    ),
    (
        re.compile(
            r"(?:COLUMN_ALREADY_EXISTS|DELTA_DUPLICATE_COLUMNS_FOUND|AMBIGUOUS_REFERENCE)\S* \D*?"
            r"(`[^`]+`)"
        ),
        "input.table: {table} has columns that differ in upper and lower case alone ({found}), "
        "which Spark takes for one. Set spark.sql.caseSensitive to true in section spark, or "
        "rename one of them",
    ),
    (
        re.compile(r"(?i)\b(brotli|lzo|lz4_raw|lz4)\w*codec|codec for (\w+)"),
        "input.table: {table} has files compressed by {found}, which this Spark cannot read. "
        "Rewrite them with zstd or snappy, or add the codec to the session (spark.jars)",
    ),
    (
        re.compile(
            r"'utf-?8' codec can't decode|(?i:invalid|malformed) UTF-?8|INVALID_UTF8_STRING|"
            r"MalformedInputException"
        ),
        "input.table: {table} holds text that is not UTF-8, in the record ids or the labels: "
        "{cause}. Write the column again as UTF-8",
    ),
    (
        re.compile(r"\[UNSUPPORTED_(?:\w+_)?(?:DATA_?TYPE|TYPE)\b"),
        "input.table: {table} has a column of a type that Spark does not copy: {cause} Leave the "
        "column out, or write it as another type",
    ),
    (
        re.compile(r"FileNotFoundException: (?:file:)?(/.*) \(Permission denied\)"),
        "{found} cannot be read or written; check its owner and permissions",
    ),
    (
        re.compile(r"DELTA_VIOLATE_CONSTRAINT|DELTA_NOT_NULL_CONSTRAINT|NOT_NULL_ASSERT_VIOLATION"),
        "a constraint of {table} forbids what would be written: {cause}. Choose another "
        "clean.mode, or clean.layout: copy",
    ),
)


def translate_read_error(exc: BaseException, where: Pin | str) -> SparkCleanError | None:
    """Say which file kept Spark from reading, and why.

    Parameters
    ----------
    exc : BaseException
        Of Spark.
    where : Pin or str
        What was read.

    Returns
    -------
    SparkCleanError or None
        None where the cause is something else.

    Notes
    -----
    Looks at every pinned file, if the error is one of reading. The conditions are read from the
    message: classic wraps them in a ``Py4JJavaError`` or a captured exception, Connect in a
    ``SparkConnectGrpcException``, and only some of these carry them as an attribute (seen on 4.1).
    """
    if isinstance(exc, SparkCleanError):
        return exc
    text = str(exc)
    table = where.table if isinstance(where, Pin) else where
    if (about := _about_table(exc, table)) is not None:
        return _naming_columns(about, where) if isinstance(where, Pin) else about
    if not (_GONE.search(text) or _CORRUPT.search(text)):
        return None
    changed = changed_files(where) if isinstance(where, Pin) else []
    if changed:
        shown = first_of(changed)
        return InputChangedError(
            f"input.table: {shown}: changed since the run started. Nothing was published; start "
            "again with a new run id, and write new files instead of replacing old ones"
        )
    which = _which(text, where)
    if _GONE.search(text):
        remedy = "Check the table"
        if isinstance(where, Pin) and where.format != "parquet":
            remedy = (
                f"Version {where.version} of {where.table}, which the run id stands for, has lost "
                "files (VACUUM, expired snapshots): use a new run id, which reads the current one"
            )
        return InputError(f"input.table: {which} is gone; nothing was published. {remedy}")
    return InputError(
        f"input.table: {which} cannot be read: it is damaged. Nothing was published; write it "
        "again, or move it elsewhere"
    )


def is_conflict(exc: BaseException) -> bool:
    """Tell whether another writer was first; nothing was committed then."""
    return not is_state_unknown(exc) and bool(_CONFLICT.search(str(exc)))


def is_state_unknown(exc: BaseException) -> bool:
    """Tell whether a commit may have been made although it failed: the answer was lost."""
    text = str(exc)
    if isinstance(exc, CommitStateUnknownError) or "CommitStateUnknown" in text:
        return True
    return bool(_UNKNOWN.search(text)) and not _IN_TASK.search(text)


def cannot_look(exc: BaseException, path: str) -> UnsupportedFeatureError:
    """Say what keeps a session from looking at a URI."""
    return UnsupportedFeatureError(
        f"{path}: this session cannot look there: {cause_of(exc)}. The package of a file system "
        "must be in the session (s3a: --packages org.apache.hadoop:hadoop-aws in the version of "
        "Spark's Hadoop), and its settings (spark.hadoop.fs.*)"
    )


def is_file_gone(exc: BaseException) -> bool:
    """Tell whether a file was not there that was to be read."""
    return bool(_GONE.search(str(exc)))


def is_missing_table(exc: BaseException) -> bool:
    """Tell whether there is no such table."""
    return bool(_NO_TABLE.search(str(exc)))


def is_schema_mismatch(exc: BaseException) -> bool:
    """Tell whether the columns of what was written do not fit the table."""
    return bool(_MISMATCH.search(str(exc)))


def _naming_columns(error: InputError, pin: Pin) -> InputError:
    """Name the columns of times in nanoseconds, if these are what is wrong."""
    import pyarrow.parquet as pq  # noqa: PLC0415 (only behind an error)

    if "NANOS" not in str(error):
        return error
    found: dict[str, None] = {}
    for file in pin.files[:_LOOKED_AT]:
        with suppress(Exception):  # it may be gone, or at a location of Spark's
            found |= {c.name: None for c in pq.read_schema(file.path) if "[ns" in str(c.type)}
    if not found:
        return error
    named = f"has column {first_of(list(map(repr, found)))} of type"
    return InputError([text.replace("has a column of type", named) for text in error.findings])


def _about_table(exc: BaseException, table: str) -> InputError | None:
    """Say what is wrong with a table as a whole."""
    text = str(exc)
    if found := _TYPE.search(text):
        kind = _ILLEGAL.search(text, found.start())
        what = f"a column of type {kind[1].strip()}" if kind else "a column of a type"
        return InputError(
            f"input.table: {table} has {what} that Spark cannot read. Times in nanoseconds, "
            "for one, must be written in microseconds (pandas: to_parquet(..., "
            "coerce_timestamps='us', allow_truncated_timestamps=True))"
        )
    for pattern, message in _ABOUT_TABLE:
        if said := pattern.search(text):
            found_text = next((group for group in said.groups() if group), "")
            about = {"table": table, "found": found_text, "cause": cause_of(exc)}
            return InputError(message.format(**about))
    return None


@contextmanager
def verifying(pin: Pin) -> Iterator[None]:
    """Take whatever is wrong with an input for a change since it was pinned.

    Parameters
    ----------
    pin : Pin

    Raises
    ------
    InputChangedError
    """
    try:
        with translating_reads(pin):
            yield
    except InputError as exc:
        raise InputChangedError(exc.findings) from exc


@contextmanager
def translating_reads(where: Pin | str) -> Iterator[None]:
    """Put what Spark says when it cannot read into our words.

    Parameters
    ----------
    where : Pin or str
        What is read.

    Raises
    ------
    InputError
    """
    try:
        yield
    except Exception as exc:
        translated = translate_read_error(exc, where)
        if translated is None or translated is exc:
            raise
        raise translated from exc


def analysed(frame: DataFrame) -> DataFrame:
    """Return a frame after Spark has looked for what it reads, which Connect puts off.

    Parameters
    ----------
    frame : DataFrame

    Returns
    -------
    DataFrame
        Lazy; its schema is known.

    Notes
    -----
    No job.
    """
    frame.schema  # noqa: B018 (analysed only then)
    return frame


def _which(text: str, where: Pin | str) -> str:
    """Find the file that the message names."""
    table = where.table if isinstance(where, Pin) else where
    plain = unquote(text)
    if isinstance(where, Pin):
        for file in where.files:
            if file.path in text or file.path in plain:
                return file.path
    named = _FILE.search(text)
    if named:
        return "/" + unquote(re.sub(r"^file:/+", "", named[0])).rstrip(".)]")
    return table if Path(table).is_file() else f"a file of {table}"
