"""The schema that holds the rows of two."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sparkclean.lake.schemas import SchemaMismatchError, describe, unite_schemas


def field(name: str, kind: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "nullable": False, "metadata": {}}


def array(entry: Any) -> dict[str, Any]:
    return {"type": "array", "elementType": entry, "containsNull": False}


def mapping(key: Any, value: Any) -> dict[str, Any]:
    kind = {"type": "map", "keyType": key, "valueType": value}
    return kind | {"valueContainsNull": False}


def struct(**fields: Any) -> dict[str, Any]:
    return {"type": "struct", "fields": [field(name, kind) for name, kind in fields.items()]}


def united(one: Any, other: Any) -> list[dict[str, Any]]:
    text = unite_schemas(json.dumps(struct(**one)), json.dumps(struct(**other)))
    fields: list[dict[str, Any]] = json.loads(text)["fields"]
    return fields


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        ("integer", "long", "bigint"),
        ("byte", "short", "smallint"),
        ("float", "double", "double"),
        ("string", "string", "string"),
        ("void", "string", "string"),
        ("void", array("double"), "array<double>"),
        (array("void"), array(struct(a="long")), "array<struct<a:bigint>>"),
        (array("float"), array("double"), "array<double>"),
        (mapping("string", "float"), mapping("string", "double"), "map<string,double>"),
        (struct(a="byte"), struct(a="long"), "struct<a:bigint>"),
        (array(struct(p="float")), array(struct(p="double")), "array<struct<p:double>>"),
    ],
)
def test_unite_column_gets_the_wider_type_in_either_order(
    one: Any, other: Any, wanted: str
) -> None:
    for pair in ((one, other), (other, one)):
        (column,) = united({"x": pair[0]}, {"x": pair[1]})
        assert describe(column["type"]) == wanted


def test_unite_widened_column_may_be_null() -> None:
    (column,) = united({"x": array("float")}, {"x": array("double")})
    assert column["nullable"]
    assert column["type"]["containsNull"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("long", "double"),
        ("string", "long"),
        ("boolean", "byte"),
        ("decimal(10,2)", "decimal(12,2)"),
        ("timestamp", "date"),
        (array("long"), "long"),
        (array("long"), array("string")),
        (array("long"), mapping("long", "long")),
        (mapping("string", "long"), mapping("long", "long")),
        (struct(a="long"), struct(b="long")),
        (struct(a="long"), struct(a="string")),
        (struct(a="long", b="long"), struct(b="long", a="long")),
    ],
)
def test_unite_columns_that_do_not_fit_are_named(one: Any, other: Any) -> None:
    with pytest.raises(SchemaMismatchError) as caught:
        united({"x": one}, {"x": other})
    error = caught.value
    assert (error.column, error.one, error.other) == ("x", describe(one), describe(other))
    assert str(error).startswith("column 'x' is ")


def test_unite_columns_of_one_side_are_kept_in_order() -> None:
    columns = united({"a": "long", "b": "string"}, {"c": "date", "a": "long"})
    assert [column["name"] for column in columns] == ["a", "b", "c"]


def test_unite_names_in_upper_and_lower_case_are_refused() -> None:
    with pytest.raises(SchemaMismatchError, match="called 'Label'"):
        united({"Label": "long"}, {"label": "long"})


def test_unite_schema_with_itself_is_the_same_text() -> None:
    text = json.dumps(struct(a="long"))
    assert unite_schemas(text, text) == text


def test_describe_udt_is_named_by_its_class() -> None:
    kind = {"type": "udt", "pyClass": "pyspark.ml.linalg.VectorUDT"}
    assert describe(kind) == "pyspark.ml.linalg.VectorUDT"
