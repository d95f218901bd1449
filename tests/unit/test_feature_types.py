"""What columns are taken as: by type, by configuration, by the number of their values."""

from __future__ import annotations

import pytest
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    BooleanType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    IntegerType,
    MapType,
    StringType,
    StructField,
    StructType,
    TimestampNTZType,
    TimestampType,
)

from sparkclean.errors import InputError
from sparkclean.learning.feature_columns import FeatureColumns, features_of
from sparkclean.learning.feature_types import (
    FEW_VALUES,
    MOST_VALUES,
    FeatureTypes,
    Values,
    check_feature_types,
    choose_all,
    choose_named,
    decide,
    feature_type_of,
    parts_of,
    takes_all,
    undecided,
)


def schema(**kinds: DataType) -> StructType:
    return StructType([StructField(name, kind) for name, kind in kinds.items()])


TABLE = schema(
    id=IntegerType(), label=StringType(), price=DecimalType(9, 2), flag=BooleanType(),
    zip=IntegerType(), state=StringType(), body=StringType(), opened=TimestampType(),
    vector=ArrayType(DoubleType()), image=BinaryType(), run_id=StringType(),
    __index_level_0__=IntegerType(),
)  # fmt: skip
MEANINGS = {"id": "the record id", "label": "the label"}


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        (DecimalType(9, 2), "number"),
        (BooleanType(), "number"),
        (StringType(), "text"),
        (DateType(), "date"),
        (TimestampType(), "date"),
        (TimestampNTZType(), "date"),
        (ArrayType(IntegerType()), "list"),
        (ArrayType(StringType()), None),
        (MapType(StringType(), DoubleType()), None),
        (BinaryType(), None),
    ],
)
def test_kind_by_type(kind: DataType, wanted: str | None) -> None:
    assert feature_type_of(kind) == wanted


def test_choose_all_takes_everything_that_can_be_a_feature_and_says_what_cannot() -> None:
    found = choose_all(TABLE, MEANINGS, {"zip": "category", "flag": "ignore"})
    assert found.pairs == (
        ("price", "number"), ("zip", "category"), ("state", "text"), ("body", "text"),
        ("opened", "date"), ("vector", "list"),
    )  # fmt: skip
    assert found.left_out == MEANINGS | {
        "flag": "predict.columns: ignore",
        "image": "its type is binary, which cannot be a feature",
        "run_id": "a column of sparkclean's own outputs",
        "__index_level_0__": "an index of pandas",
    }


def test_takes_all_unless_a_column_has_that_name() -> None:
    assert takes_all(["all"], TABLE)
    assert not takes_all(["all"], schema(id=IntegerType(), All=DoubleType()))
    assert not takes_all(["all", "price"], TABLE)
    assert not takes_all(["price"], TABLE)


def test_choose_named_keeps_the_meaning_of_before() -> None:
    found = choose_named(TABLE, ["state", "price", "vector"], {})
    assert found.pairs == (("state", "text"), ("price", "number"), ("vector", "list"))
    assert undecided(found, {}, all_columns=False) == {}
    declared = {"state": "category"}
    found = choose_named(TABLE, ["state", "body"], declared)
    assert undecided(found, declared, all_columns=False) == {"state": MOST_VALUES}


def test_undecided_are_texts_that_nobody_has_declared_and_categories() -> None:
    declared = {"zip": "category", "body": "text"}
    found = choose_all(TABLE, MEANINGS, declared)
    wanted = {"zip": MOST_VALUES, "state": FEW_VALUES}
    assert undecided(found, declared, all_columns=True) == wanted


@pytest.mark.parametrize(
    ("values", "rows", "kind", "note"),
    [
        (FEW_VALUES, 2 * FEW_VALUES, "category", "50 values"),
        (FEW_VALUES, 2 * FEW_VALUES - 1, "text", "50 values in 99 rows"),
        (None, 1000, "text", "more than 50 values, or longer than 100 characters"),
        (1, 2, "category", "1 value"),
        (1, 1, "text", "1 values in 1 rows"),
    ],
)
def test_decide_by_the_number_of_values(
    values: int | None, rows: int, kind: str, note: str
) -> None:
    found = None if values is None else tuple(map(str, range(values)))
    taken = decide(FeatureTypes({"n": "number", "t": "text"}), {"t": Values(found, rows)})
    assert (taken.kinds["t"], taken.notes["t"]) == (kind, note)
    assert taken.values == ({"t": found} if kind == "category" else {})
    assert taken.kinds["n"] == "number"


def test_decide_leaves_out_what_is_all_null() -> None:
    taken = decide(FeatureTypes({"t": "text", "n": "number"}), {"t": Values((), 0)})
    assert taken.pairs == (("n", "number"),)
    assert taken.left_out == {"t": "all rows are null"}
    with pytest.raises(InputError, match="no column of the table can be a feature"):
        decide(FeatureTypes({"t": "text"}), {"t": Values((), 0)})


def test_decide_declared_category_may_have_more_values_and_not_any_number() -> None:
    many = tuple(map(str, range(200)))
    declared = FeatureTypes({"zip": "category"})
    assert decide(declared, {"zip": Values(many, 201)}).values == {"zip": many}
    with pytest.raises(InputError, match="'zip' has more than 1,000 values, or one of more than "):
        decide(declared, {"zip": Values(None, 5000)})
    with pytest.raises(InputError, match="'zip': all rows are null"):
        decide(declared, {"zip": Values((), 0)})


def test_check_kinds_names_columns_of_other_types() -> None:
    taken = FeatureTypes({"state": "number", "price": "category", "zip": "date", "image": ""})
    with pytest.raises(InputError) as caught:
        check_feature_types(TABLE, taken)
    wanted = [
        "predict.columns: column 'state' is string, and a number is of numbers or booleans",
        "predict.columns: column 'price' is decimal(9,2), and a category is of texts, whole",
        "predict.columns: column 'zip' is int, and a date is of dates or timestamps",
        "predict.features: column 'image' is binary; a feature is a number",
    ]
    found = caught.value.findings
    assert all(text.startswith(words) for text, words in zip(found, wanted, strict=True))


def test_check_kinds_of_a_date_that_is_named_says_how_to_declare_it() -> None:
    with pytest.raises(InputError, match=r"or a date that predict.columns names: {opened: date}"):
        check_feature_types(TABLE, choose_named(TABLE, ["opened"], {}))
    check_feature_types(TABLE, choose_named(TABLE, ["opened"], {"opened": "date"}))


def test_taken_is_read_as_it_was_written() -> None:
    taken = FeatureTypes(
        {"s": "category", "n": "number"}, {"s": ("", "é", "日")}, {"s": "x"}, {"i": "y"}
    )
    assert FeatureTypes.from_json(taken.to_json()) == taken


def test_features_of_arranges_columns_by_kind() -> None:
    taken = FeatureTypes(
        {"state": "category", "price": "number", "opened": "date", "body": "text"},
        {"state": ("a", "b")},
    )
    found = features_of(TABLE, taken)
    assert found == FeatureColumns(
        numbers=("price",), texts=("body",), categories={"state": ("a", "b")},
        dates={"opened": "timestamp"},
    )  # fmt: skip
    assert found.single == ("price", "state", "opened")
    assert found.encoding.width(3) == 1 + 2 + 21


def test_parts_of_without_reasons_have_no_column_for_them() -> None:
    text = "\n".join(map(str, parts_of(FeatureTypes({"x": "number"}, {}, {}, {}))))
    assert text.splitlines() == [
        "1 of 1 columns are features:",
        "  column  taken as",
        "  x       number",
    ]


def test_parts_of_say_every_column_once() -> None:
    assert parts_of(None) == []
    taken = FeatureTypes(
        {"s": "category"}, {"s": ("a",)}, {"s": "1 value"}, {"id": "the record id"}
    )
    text = "\n".join(map(str, parts_of(taken)))
    assert text.splitlines() == [
        "1 of 2 columns are features:",
        "  column  taken as  because",
        "  s       category  1 value",
        "  id      left out  the record id",
    ]
