"""How columns are stored in files, and what a copy by Spark makes of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sparkclean.errors import SparkCleanError
from sparkclean.lake.base import Pin
from sparkclean.lake.files import in_threads, list_data_files, local_files
from sparkclean.lake.parquet.layout import partition_types

MICROS = "TIMESTAMP_MICROS"
#: Ways to store moments, as Spark's setting calls them. It is one setting for all columns.
_MOMENTS = ("INT96", "TIMESTAMP_MILLIS", MICROS)
#: What Spark stores in the place of what it reads, but cannot write.
_BECOMES = {
    "uint8": "int16",
    "uint16": "int32",
    "uint32": "int64",
    "uint64": "decimal(20,0)",
    "a column without a type": "int32",
    "fixed-size binary": "binary",
    "JSON": "string",
    "ENUM": "string",
    "BSON": "binary",
    "TIMESTAMP_NTZ_MILLIS": "TIMESTAMP_NTZ_MICROS",
}


@dataclass(frozen=True)
class CopiedTypes:
    """What a copy of a table is stored as.

    Attributes
    ----------
    timestamps : str
        A value of ``spark.sql.parquet.outputTimestampType``.
    changes : tuple of str
        Columns that are not stored as they were, each with both types.
    """

    timestamps: str
    changes: tuple[str, ...]


def plan_copy(pin: Pin, output_format: str) -> CopiedTypes:
    """Decide how a copy of a pinned table is stored, and say what it cannot keep.

    Parameters
    ----------
    pin : Pin
    output_format : str
        Only Parquet stores moments in other ways than in microseconds.

    Returns
    -------
    CopiedTypes
        Without changes where the input is not plain Parquet files.

    Notes
    -----
    Reads a footer for each schema, 16 at a time.
    """
    stored: dict[str, set[str]] = {}
    first = [pin.files[group[0]].path for group in pin.schema_groups]
    for schema in in_threads(lambda path: pq.read_metadata(path).schema, first):
        for column in (schema.column(i) for i in range(len(schema))):
            stored.setdefault(column.path, set()).add(_stored_as(column))
    moments = {kind for kinds in stored.values() for kind in kinds if kind in _MOMENTS}
    one = len(moments) == 1 and output_format == "parquet"
    timestamps = moments.pop() if one else MICROS
    becomes = _BECOMES | {kind: timestamps for kind in _MOMENTS if kind != timestamps}
    changes = [
        f"{path!r} ({kind}) becomes {becomes[kind]}"
        for path, kinds in stored.items()
        for kind in sorted(kinds)
        if kind in becomes
    ]
    return CopiedTypes(timestamps, tuple(changes))


def _stored_as(column: Any) -> str:
    """Name the way in which a column is stored, if it matters here."""
    if column.physical_type == "INT96":
        return "INT96"
    kind = json.loads(column.logical_type.to_json())
    name = kind["Type"]
    if name == "Timestamp":
        unit = kind["timeUnit"].upper().replace("SECONDS", "S")
        return f"TIMESTAMP_{'' if kind['isAdjustedToUTC'] else 'NTZ_'}{unit}"
    if name == "Int" and not kind["isSigned"]:
        return f"uint{kind['bitWidth']}"
    if name == "Null":
        return "a column without a type"
    if name == "None" and column.physical_type == "FIXED_LEN_BYTE_ARRAY":
        return "fixed-size binary"
    return str(name).upper()


def find_changed_values(files: Sequence[str], input_table: str | None) -> list[str]:
    """Find columns of a published copy that may not have the values of the table that was copied.

    Parameters
    ----------
    files : sequence of str
        Of a version.
    input_table : str or None
        From which it was made.

    Returns
    -------
    list of str
        One sentence for each column: moments in INT96; numbers and dates in the place of partition
        folders whose names are none.

    Notes
    -----
    Looks at the footer of one file, as one run has written all, and at the names of folders of the
    input as it is now. Earlier releases made such copies.
    """
    local = local_files(files)
    there = [path for path in local if Path(path).is_file()] if isinstance(local, list) else []
    if not there:
        return []
    try:
        metadata = pq.read_metadata(there[0])
    except (OSError, pa.ArrowException):  # damaged: another check says so
        return []
    columns = [metadata.schema.column(i) for i in range(metadata.num_columns)]
    found = [
        f"column {column.path!r} holds timestamps as INT96; pyarrow and pandas read them wrongly "
        "outside of the years 1677 to 2262"
        for column in columns
        if column.physical_type == "INT96"
    ]
    kinds = {field.name: field.type for field in metadata.schema.to_arrow_schema()}
    for name in _text_partitions(input_table):
        if name in kinds and not _is_text(kinds[name]):
            found.append(
                f"column {name!r} is {kinds[name]}, while the names of the folders of "
                f"{input_table} are no such values: folders may have become one value"
            )
    return found


def _text_partitions(table: str | None) -> list[str]:
    """List partition columns of a folder whose values are text."""
    if table is None or not Path(table).is_dir():
        return []
    try:
        paths = list_data_files(Path(table))
    except SparkCleanError:
        return []
    types = partition_types(table, map(str, paths))
    return [name for name, kind in types.items() if kind == "string"]


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
