"""Which columns a table format cannot hold: found in the schema, before anything is written.

Seen on Spark 4.1.4, Delta 4.4 and Iceberg 1.11. Needs no Spark.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sparkclean.lake.schemas import describe

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

#: Types that no table can hold, and those of each format.
_NOWHERE = r"interval|time\(\d\)"
_UNSUPPORTED = {
    "parquet": re.compile(_NOWHERE),
    "delta": re.compile(rf"interval.*|{_NOWHERE}"),
    "iceberg": re.compile(rf"void|variant|udt|interval.*|{_NOWHERE}"),
}
#: Characters of names that Delta allows in tables with column mapping only.
_MAPPED = re.compile(r"[ ,;{}()\n\t=]")
_COLLATIONS = "__COLLATIONS"
_VOID_IN_PARQUET = (4, 1)


def unsupported_in_session(schema: str, table_format: str, spark: SparkSession) -> list[str]:
    """Find the columns that a session cannot write to a format, as `unsupported_columns` does."""
    return unsupported_columns(
        schema,
        table_format,
        case_sensitive=spark.conf.get("spark.sql.caseSensitive", "false") == "true",
        spark_version=spark.version,
    )


def unsupported_columns(
    schema: str,
    table_format: str,
    *,
    case_sensitive: bool = False,
    spark_version: str = "4.1",
) -> list[str]:
    """Find the columns that tables of a format cannot hold.

    Parameters
    ----------
    schema : str
        Spark's JSON.
    table_format : {"parquet", "delta", "iceberg"}
    case_sensitive : bool
        Whether the session tells names in upper and lower case apart.
    spark_version : str

    Returns
    -------
    list of str
        Column and reason, one each.
    """
    content = json.loads(schema)
    found = []
    for path, kind, metadata in _walk(content, ()):
        reason = _reason(kind, table_format, depth=len(path))
        if kind == "void" and table_format == "parquet":
            series = tuple(int(part) for part in spark_version.split(".")[:2])
            reason = "" if series >= _VOID_IN_PARQUET else "holds nothing but nulls (void)"
        if table_format == "delta" and _COLLATIONS in metadata:
            reason = "is text with a collation"
        if not path[-1] and table_format == "iceberg":
            reason = "has no name"
        if reason:
            found.append(f"column {'.'.join(path)!r} {reason}")
    if table_format == "delta" or not case_sensitive:
        found += [
            f"column {name!r} is there twice, in upper and lower case" for name in _twice(content)
        ]
    return found


def mapped_columns(schema: str) -> list[str]:
    """Find the columns whose names Delta allows in tables with column mapping only."""
    walked = _walk(json.loads(schema), ())
    return [".".join(path) for path, _, _ in walked if _MAPPED.search(path[-1])]


def _walk(
    kind: Any, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Any, Mapping[str, Any]]]:
    """Go through the fields of structs, at any depth, and the types within arrays and maps."""
    if isinstance(kind, str) or kind["type"] == "udt":
        return
    if kind["type"] == "struct":
        for field in kind["fields"]:
            inner = (*path, field["name"])
            yield inner, field["type"], field.get("metadata") or {}
            yield from _walk(field["type"], inner)
        return
    for part, name in (("elementType", "element"), ("keyType", "key"), ("valueType", "value")):
        if part in kind:
            yield (*path, name), kind[part], {}
            yield from _walk(kind[part], (*path, name))


def _reason(kind: Any, table_format: str, *, depth: int) -> str:
    """Say why a type cannot be held; empty if it can."""
    if isinstance(kind, str):
        if kind == "void" and table_format == "delta" and depth > 1:
            return "holds nothing but nulls (void), within another column"
        if not _UNSUPPORTED[table_format].fullmatch(kind):
            return ""
        return "holds nothing but nulls (void)" if kind == "void" else f"is of type {kind}"
    if kind["type"] == "udt" and _UNSUPPORTED[table_format].fullmatch("udt"):
        return f"is of type {describe(kind).rpartition('.')[2]}"
    if kind["type"] == "struct" and not kind["fields"]:
        return "is a struct without fields"
    return ""


def _twice(kind: Any, path: tuple[str, ...] = ()) -> list[str]:
    """Find names that differ from an earlier one of the same struct in case only."""
    if isinstance(kind, str):
        return []
    if kind["type"] != "struct":
        inner = [kind[part] for part in ("elementType", "keyType", "valueType") if part in kind]
        return [name for one in inner for name in _twice(one, path)]
    found, known = [], set()
    for field in kind["fields"]:
        here = (*path, field["name"])
        if field["name"].lower() in known:
            found.append(".".join(here))
        known.add(field["name"].lower())
        found += _twice(field["type"], here)
    return found
