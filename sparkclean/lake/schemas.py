"""Table schemas in Spark's JSON, and the schema that holds the rows of two. Needs no Spark."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

_INTEGERS = ("byte", "short", "integer", "long")
_FLOATS = ("float", "double")


class SchemaMismatchError(Exception):
    """Two columns of one name cannot be united; for the caller to say where they are."""

    def __init__(self, column: str, one: str, other: str) -> None:
        super().__init__(f"column {column!r} is {one} in one and {other} in the other")
        self.column, self.one, self.other = column, one, other


def unite_schemas(one: str, other: str) -> str:
    """Find the schema that holds the rows of two.

    Parameters
    ----------
    one, other : str
        JSON of a ``StructType``.

    Returns
    -------
    str
        Columns of ``one``, then those that only ``other`` has; integers and floats of the wider
        type, also inside arrays, maps and structs. Nulls without a type take any.

    Raises
    ------
    SchemaMismatchError
        If columns of one name differ otherwise, or names in upper and lower case only.
    """
    if one == other:
        return one
    fields = {field["name"]: field for field in json.loads(one)["fields"]}
    cases = {name.lower(): name for name in fields}
    for field in json.loads(other)["fields"]:
        name = field["name"]
        if name not in fields:
            if name.lower() in cases:
                raise SchemaMismatchError(
                    name, f"called {cases[name.lower()]!r}", f"called {name!r}"
                )
            fields[name] = field
            continue
        before = fields[name]
        wider = _wider(before["type"], field["type"])
        if wider is None:
            raise SchemaMismatchError(name, describe(before["type"]), describe(field["type"]))
        fields[name] = before | {"type": wider, "nullable": True}
    return json.dumps({"type": "struct", "fields": list(fields.values())})


def _wider(one: Any, other: Any) -> Any:
    """Type that holds the values of both, None if there is none."""
    if other in (one, "void"):
        return one
    if one == "void":  # nothing but nulls: any type holds them
        return other
    if isinstance(one, str) or isinstance(other, str):
        return _wider_number(one, other)
    if one["type"] != other["type"]:
        return None
    return _wider_nested(one, other)


def _wider_number(one: Any, other: Any) -> str | None:
    for order in (_INTEGERS, _FLOATS):
        if one in order and other in order:
            return order[max(order.index(one), order.index(other))]
    return None


def _wider_nested(one: Any, other: Any) -> Any:
    if one["type"] == "array":
        entry = _wider(one["elementType"], other["elementType"])
        return None if entry is None else one | {"elementType": entry, "containsNull": True}
    if one["type"] == "map":
        key = _wider(one["keyType"], other["keyType"])
        value = _wider(one["valueType"], other["valueType"])
        found = None not in (key, value)
        return (
            one | {"keyType": key, "valueType": value, "valueContainsNull": True} if found else None
        )
    if one["type"] == "struct":
        return _wider_struct(one["fields"], other["fields"])
    return None


def _wider_struct(one: Sequence[Any], other: Sequence[Any]) -> Any:
    if [field["name"] for field in one] != [field["name"] for field in other]:
        return None
    types = [_wider(a["type"], b["type"]) for a, b in zip(one, other, strict=True)]
    if None in types:
        return None
    return {
        "type": "struct",
        "fields": [a | {"type": t, "nullable": True} for a, t in zip(one, types, strict=True)],
    }


def describe(kind: Any) -> str:
    """Write a type as people do, such as ``array<float>``."""
    if isinstance(kind, str):
        return {"integer": "int", "long": "bigint", "short": "smallint", "byte": "tinyint"}.get(
            kind, kind
        )
    if kind["type"] == "array":
        return f"array<{describe(kind['elementType'])}>"
    if kind["type"] == "map":
        return f"map<{describe(kind['keyType'])},{describe(kind['valueType'])}>"
    if kind["type"] == "struct":
        inside = ",".join(f"{field['name']}:{describe(field['type'])}" for field in kind["fields"])
        return f"struct<{inside}>"
    return str(kind.get("pyClass") or kind.get("class") or kind["type"])
