"""Types of Spark and of Arrow: one map between them. Imports numpy and pyarrow only.

A type of Spark is written as Spark writes it: ``bigint``, ``array<double>``,
``struct<class:int,margin:double>``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

#: Names and Spark types of columns.
Fields = tuple[tuple[str, str], ...]

_SCALARS = {
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "string": pa.string(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}
_NAMES = {kind: name for name, kind in _SCALARS.items()}
#: Spark reads unsigned integers as the next wider signed ones, and knows one type of text.
_PLAIN_TYPES = {
    pa.uint8(): pa.int16(),
    pa.uint16(): pa.int32(),
    pa.uint32(): pa.int64(),
    pa.large_string(): pa.string(),
    pa.string_view(): pa.string(),
}
_TOKEN = re.compile(r"[<>,:]|[^<>,:]+")


@cache
def arrow_type(spark_type: str) -> pa.DataType:
    """Find the Arrow type of a type of Spark.

    Parameters
    ----------
    spark_type : str
        As Spark writes it.

    Returns
    -------
    pyarrow.DataType

    Raises
    ------
    TypeError
        If it is none that we read or write.

    Examples
    --------
    >>> arrow_type("array<float>")
    ListType(list<item: float>)
    """
    tokens = iter(_TOKEN.findall(spark_type.replace(" ", "")))
    kind = _parse(next(tokens, ""), tokens, spark_type)
    if next(tokens, None) is not None:
        raise TypeError(spark_type)
    return kind


def _parse(name: str, tokens: Iterator[str], whole: str) -> pa.DataType:
    if name in _SCALARS:
        return _SCALARS[name]
    if name not in ("array", "struct") or next(tokens, None) != "<":
        raise TypeError(whole)
    if name == "array":
        item = _parse(next(tokens, ""), tokens, whole)
        if next(tokens, None) != ">":
            raise TypeError(whole)
        return pa.list_(item)
    fields = []
    while True:
        field = next(tokens, "")
        if next(tokens, None) != ":":
            raise TypeError(whole)
        fields.append((field, _parse(next(tokens, ""), tokens, whole)))
        end = next(tokens, None)
        if end == ">":
            return pa.struct(fields)
        if end != ",":
            raise TypeError(whole)


def has_arrow_type(spark_type: str) -> bool:
    """Tell whether `arrow_type` knows a type of Spark."""
    try:
        arrow_type(spark_type)
    except TypeError:
        return False
    return True


def spark_type(kind: pa.DataType) -> str:
    """Name the type in which Spark reads an Arrow type from Parquet.

    Parameters
    ----------
    kind : pyarrow.DataType

    Returns
    -------
    str
        As Spark's ``simpleString``.

    Raises
    ------
    TypeError
        If it is none that we read.
    """
    plain = plain_type(kind)
    if pa.types.is_map(plain):
        return f"map<{spark_type(plain.key_type)},{spark_type(plain.item_type)}>"
    if pa.types.is_list(plain):
        return f"array<{spark_type(plain.value_type)}>"
    if pa.types.is_struct(plain):
        fields = [plain.field(i) for i in range(plain.num_fields)]
        return f"struct<{','.join(f'{f.name}:{spark_type(f.type)}' for f in fields)}>"
    return _NAMES[plain]


def plain_type(kind: pa.DataType) -> pa.DataType:
    """Find the Arrow type in which Spark would hand a column over.

    Parameters
    ----------
    kind : pyarrow.DataType

    Returns
    -------
    pyarrow.DataType

    Raises
    ------
    TypeError
        If it is none that a scan reads.
    """
    if isinstance(kind, pa.BaseExtensionType):
        return plain_type(kind.storage_type)
    kind = _PLAIN_TYPES.get(kind, kind)
    if kind in _NAMES and not pa.types.is_timestamp(kind):
        return kind
    if pa.types.is_dictionary(kind):
        return plain_type(kind.value_type)
    if pa.types.is_map(kind):
        return pa.map_(plain_type(kind.key_type), plain_type(kind.item_type))
    if (
        pa.types.is_list(kind)
        or pa.types.is_large_list(kind)
        or pa.types.is_fixed_size_list(kind)
        or _is_view(kind)
    ):
        return pa.list_(plain_type(kind.value_type))
    if pa.types.is_struct(kind):
        fields = [kind.field(i) for i in range(kind.num_fields)]
        return pa.struct([pa.field(field.name, plain_type(field.type)) for field in fields])
    raise TypeError(str(kind))


def plain_array(column: pa.Array) -> pa.Array:
    """Give a column the type in which Spark would hand it over.

    Parameters
    ----------
    column : pyarrow.Array

    Returns
    -------
    pyarrow.Array
        Of `plain_type`.

    Raises
    ------
    TypeError
        If it is none that a scan reads.
    """
    wanted = plain_type(column.type)
    return column if column.type == wanted else _without_views(column).cast(wanted)


def _without_views(column: pa.Array) -> pa.Array:
    """Rebuild lists that are views: a cast of pyarrow 26 makes invalid arrays of them."""
    if isinstance(column, pa.ExtensionArray):
        return _without_views(column.storage)
    if _is_view(column.type):
        lengths = column.value_lengths().fill_null(0).to_numpy()
        offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int64())
        values = _without_views(column.flatten())
        return pa.LargeListArray.from_arrays(offsets, values, mask=column.is_null())
    return column


def _is_view(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind))


#: How Spark stores and hands over vectors of its ML library: a struct of these.
VECTOR = ("type", "size", "indices", "values")

#: Types whose name in Spark's JSON is not the one in SQL.
_JSON_NAMES = {"tinyint": "byte", "smallint": "short", "int": "integer", "bigint": "long"}


def schema_json(fields: Iterable[tuple[str, str]]) -> str:
    """Write columns as Spark's JSON, as ``StructType.json`` does."""
    return json.dumps(_json_struct(fields), separators=(",", ":"))


def _json_struct(fields: Iterable[tuple[str, str]]) -> dict[str, Any]:
    entries = [
        {"metadata": {}, "name": name, "nullable": True, "type": _json_type(kind)}
        for name, kind in fields
    ]
    return {"fields": entries, "type": "struct"}


def _json_type(kind: str) -> Any:
    """Write a type of `arrow_type` as Spark's JSON does; any other name as it is."""
    if not kind.startswith(("array<", "struct<")):
        return _JSON_NAMES.get(kind, kind)
    arrow = arrow_type(kind)
    if pa.types.is_list(arrow):
        entry = _json_type(spark_type(arrow.value_type))
        return {"containsNull": True, "elementType": entry, "type": "array"}
    parts = [arrow.field(i) for i in range(arrow.num_fields)]
    return _json_struct((part.name, spark_type(part.type)) for part in parts)


def schema_text(fields: Fields) -> str:
    """Write columns for Spark."""
    return ", ".join(f"`{name}` {kind}" for name, kind in fields)
