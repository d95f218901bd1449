"""Names of tables as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkclean.errors import ConfigError
from sparkclean.names import TableName, parse_table_name, quote_name


@pytest.mark.parametrize(
    "text",
    [
        "data/examples",
        "./examples",
        "/data/my examples",
        "~/examples",
        "s3://bucket/a.b",
        "abfss://box@account.dfs.core.windows.net/examples",
        "file:/tmp/examples",
        "hdfs:///examples",
    ],
)
def test_parse_table_name_path_is_a_path(text: str) -> None:
    assert parse_table_name(text) == TableName(path=text)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("examples", ("examples",)),
        ("db.examples", ("db", "examples")),
        ("lake.db.examples", ("lake", "db", "examples")),
        (" lake.db.examples ", ("lake", "db", "examples")),
        ("lake.my-db.`my.table`", ("lake", "my-db", "my.table")),
        ("`a`.`b``c`", ("a", "b`c")),
        ("`with blank`.größe", ("with blank", "größe")),
        ("lake.db.`with/slash`", ("lake", "db", "with/slash")),
    ],
)
def test_parse_table_name_catalog_name_is_taken_apart(text: str, parts: tuple[str, ...]) -> None:
    assert parse_table_name(text).parts == parts


def test_parse_table_name_path_in_sql_has_its_format() -> None:
    assert parse_table_name("delta.`/data/a b`") == TableName(path="/data/a b", format="delta")


@pytest.mark.parametrize(
    "text", ["", "  ", "a..b", "a.", "`a", "a`b`", "`a`b", "`a`.", "``", "a\0b"]
)
def test_parse_table_name_neither_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_table_name(text)


@given(
    st.lists(
        st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1), min_size=1, max_size=4
    )
)
def test_parse_table_name_undoes_quote_name(parts: list[str]) -> None:
    name = parse_table_name(quote_name(tuple(parts)))
    if name.path is None:
        assert name.parts == tuple(parts)
    else:  # one of ours that SQL, too, reads as a path
        assert parts[0].lower() in ("delta", "iceberg", "parquet")
