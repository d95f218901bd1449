"""What is wrong with the configuration of conflicts, or with the columns that it names."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pyspark.sql import types as T

from sparkclean.config.file import load_config
from sparkclean.config.model import parse_config
from sparkclean.errors import ConfigError, InputError
from sparkclean.examples.conflicts import (
    Found,
    Part,
    content_findings,
    has_text,
    refuse_nothing_compared,
)
from sparkclean.jobs.conflicts import steps
from sparkclean.jobs.conflicts.sections import ConflictsSection, trusted_table
from sparkclean.runs.early import FooterFrame, NoSession

INPUT = {"input": {"table": "data/reviews"}}


@pytest.mark.parametrize(
    ("section", "key", "says"),
    [
        ({}, "conflicts.columns", "is missing"),
        ({"columns": []}, "conflicts.columns", "[] names no column"),
        ({"columns": ["text", "text"]}, "conflicts.columns", "'text' is named 2 times"),
        ({"columns": ["id"]}, "conflicts.columns", "'id' is also columns.id"),
        ({"columns": ["label"]}, "conflicts.columns", "'label' is also columns.label"),
        ({"columns": 5}, "conflicts.columns", "wanted"),
        ({"columns": "text", "fold": "yes"}, "conflicts.fold", "wanted"),
        ({"columns": "text", "split": "text"}, "conflicts.split", "also among conflicts.columns"),
        ({"columns": "text", "split": "label"}, "conflicts.split", "also columns.label"),
        ({"columns": "text", "max_ids": 0}, "conflicts.max_ids", "1"),
        ({"columns": "text", "audit": "r1"}, "conflicts.audit", "without conflicts.suspects"),
        ({"columns": "text", "splits": "s"}, "conflicts.splits", "did you mean 'split'?"),
    ],
)
def test_conflicts_refuses_settings(section: dict, key: str, says: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_config(INPUT | {"conflicts": section})
    (finding,) = error.value.findings
    assert finding.startswith(key)
    assert says in finding


def test_conflicts_takes_the_name_of_one_column() -> None:
    config = parse_config(INPUT | {"conflicts": {"columns": "text"}})
    assert config.section(ConflictsSection).content_columns == ("text",)
    assert trusted_table(config) is None


def test_conflicts_reads_the_trusted_table_of_a_training() -> None:
    more = {"conflicts": {"columns": "text"}, "train": {"test": "data/trusted"}}
    assert trusted_table(parse_config(INPUT | more)) == "data/trusted"


def test_conflicts_without_its_section_says_what_to_write() -> None:
    config = load_config(INPUT)
    with pytest.raises(ConfigError, match=r"name the content columns.*conflicts: \{columns"):
        config.section(ConflictsSection)


def test_conflicts_claims_no_place_where_it_is_not_configured() -> None:
    table = INPUT["input"]["table"].rpartition("/")[2]
    output = {"output": {"suspects": f"out/{table}"}}  # in which all other outputs are by default
    places = {"output": {"suspects": f"out/{table}/conflicts"}}
    parse_config(INPUT | places)
    for more in ({"conflicts": {"columns": "text"}}, {"output": output["output"]}):
        with pytest.raises(ConfigError) as caught:
            parse_config(INPUT | places | more)
        assert any("output.conflicts" in text for text in caught.value.findings) == (
            "conflicts" in more
        )


def test_conflicts_set_in_the_place_of_another_output_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"output\.conflicts"):
        parse_config(INPUT | {"output": {"conflicts": "out/x", "suspects": "out/x"}})


SCHEMA = T.StructType(
    [
        T.StructField("id", T.LongType()),
        T.StructField("label", T.StringType()),
        T.StructField("text", T.StringType()),
        T.StructField("size", T.DoubleType()),
        T.StructField("tags", T.MapType(T.StringType(), T.StringType())),
        T.StructField("many", T.ArrayType(T.MapType(T.StringType(), T.StringType()))),
        T.StructField("parts", T.ArrayType(T.StringType())),
    ]
)


def find(columns: dict[str, Any], conflicts: dict[str, Any]) -> Any:
    """Find the columns of a table of which only the schema is there."""
    sections = {"conflicts": {"columns": "text"} | conflicts, "columns": columns}
    context: Any = SimpleNamespace(config=parse_config(INPUT | sections))
    return steps._find_examples(context, cast("Any", FooterFrame(SCHEMA, NoSession())))


def test_find_examples_knows_columns_and_types() -> None:
    found = find({}, {"fold": True})
    assert (found.ids, found.id_types, found.label, found.label_type) == (
        ("id",),
        ("bigint",),
        "label",
        "string",
    )
    assert (found.content, found.split, found.fold) == (("text",), None, True)
    assert replace(found, content=("TEXT",)).id_names == ["__id_0"]


@pytest.mark.parametrize(
    ("columns", "conflicts", "says"),
    [
        ({}, {"columns": "txt"}, "column 'txt' is not in the table; did you mean 'text'?"),
        ({}, {"split": "fold"}, "column 'fold' is not in the table"),
        ({}, {"columns": "tags"}, "column 'tags' is map<string,string>"),
        ({}, {"columns": "many"}, "column 'many' is array<map<string,string>>"),
        ({}, {"split": "size"}, "conflicts.split: column 'size' is double; a split is"),
        ({"label": "size"}, {}, "columns.label: column 'size' is double"),
        ({"id": "size"}, {}, "columns.id: column 'size' is double"),
        ({}, {"columns": "size", "fold": True}, "conflicts.fold: true, but none of"),
    ],
)
def test_find_examples_refuses_columns(columns: dict, conflicts: dict, says: str) -> None:
    with pytest.raises(InputError) as error:
        find(columns, conflicts)
    (finding,) = error.value.findings
    assert says in finding


def test_content_findings_names_every_column_that_has_no_one_form() -> None:
    assert len(content_findings(SCHEMA, SCHEMA.names)) == 2
    assert [has_text(field.dataType) for field in SCHEMA] == [
        False, True, True, False, False, False, True,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("part", "says"),
    [
        (Part(), "the table is empty"),
        (Part(5, 5, 0), "all 5 rows of input.table are null or blank in 'text'"),
        (Part(5, 0, 5), "all 5 rows of input.table have no label"),
    ],
)
def test_refuse_nothing_compared_says_what_is_not_there(part: Part, says: str) -> None:
    with pytest.raises(InputError, match=says):
        refuse_nothing_compared(part, "input.table", ["text"])
    refuse_nothing_compared(Part(5, 1, 1), "input.table", ["text"])


def test_result_hash_covers_counts_and_rows() -> None:
    one = Found(cast("Any", None), Part(5, 5, 5), Part(), 2, 1, 2, 1, digest=7)
    metrics = steps._metrics(one)
    assert metrics["conflicts"] == 1
    assert metrics["duplicate_rows"] == 2
    hashed = steps._result_hash(metrics, one.digest)
    assert hashed == steps._result_hash(dict(reversed(metrics.items())), 7)
    assert hashed != steps._result_hash(metrics, 8)
    assert hashed != steps._result_hash(metrics | {"rows": 6}, 7)
