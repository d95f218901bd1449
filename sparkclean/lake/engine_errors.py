"""What Spark says when it cannot read, on classic and on Connect, in our words."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

from sparkclean.errors import InputError, SparkCleanError
from sparkclean.lake.base import Pin
from sparkclean.lake.source import changed_files

_GONE = re.compile(
    r"FAILED_READ_FILE\.FILE_NOT_EXIST|PATH_NOT_FOUND|FileNotFoundException|"
    r"NoSuchFileException|does not exist.*REFRESH TABLE"
)
_CORRUPT = re.compile(
    r"FAILED_READ_FILE|CANNOT_READ_FILE_FOOTER|CANNOT_READ_FOOTER|is not a Parquet file|"
    r"ParquetDecodingException|Could not read footer"
)
_TYPE = re.compile(r"PARQUET_TYPE_(?:ILLEGAL|NOT_SUPPORTED|NOT_RECOGNIZED)|Illegal Parquet type")
# (1) the path, up to the quote or blank that ends it
_FILE = re.compile(r"file:/+[^\s,;'\"<>]+")
_ILLEGAL = re.compile(r"(?:type|Parquet type):? *\"?([^\".\n]*\([^\n\"]*?\))")


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
    if found := _TYPE.search(text):
        kind = _ILLEGAL.search(text, found.start())
        what = f"a column of type {kind[1].strip()}" if kind else "a column of a type"
        return InputError(
            f"input.table: {table} has {what} that Spark cannot read. Times in nanoseconds, "
            "for one, must be written in microseconds (pandas: to_parquet(..., "
            "coerce_timestamps='us', allow_truncated_timestamps=True))"
        )
    if not (_GONE.search(text) or _CORRUPT.search(text)):
        return None
    changed = changed_files(where) if isinstance(where, Pin) else []
    if changed:
        shown = ", ".join(changed[:5]) + (", ..." if len(changed) > 5 else "")
        return InputError(
            f"input.table: {shown}: no longer as when the run began. Nothing was published; start "
            "again with a new run id, and write new files instead of replacing old ones"
        )
    which = _which(text, where)
    if _GONE.search(text):
        return InputError(f"input.table: {which} is gone; nothing was published. Check the table")
    return InputError(
        f"input.table: {which} cannot be read: it is damaged. Nothing was published; write it "
        "again, or move it elsewhere"
    )


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
