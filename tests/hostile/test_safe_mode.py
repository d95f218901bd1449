"""What a configuration may not do where whoever runs it does not trust it."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from sparkclean.config.file import load_config
from sparkclean.config.safe_mode import SAFE_FUNCTIONS, SAFE_MODE, unsafe_part
from sparkclean.errors import ConfigError

SAFE = [
    "label = 'cat'",
    "`user` = 1 and t.user is not null",
    "split in ('train', 'test') and not (x between -1 and 1.5e-3)",
    "lower(name) like '%select reflect(%' or length(name) > 3",
    "name rlike '^\\\\d+\\'s' and x || 'a' <=> concat('--', \"/*\", '$')",
    "day >= DATE '2026-01-01' and cast(x as decimal(10,2)) > 1 and y::int = 2",
    "exists(tags, t -> t = 'ok') and tags[0] = m.key",
    "CASE WHEN a THEN (b) ELSE (c) END",
    "extract(year from day) = 2026 and trim(both from name) = 'x'",
    "updated > :run_time",
    r"name rlike r'^\d+$'",
    "`a``b(` = 1",
    "ü = 1",
]
UNSAFE = {
    "reflect('java.lang.Runtime', 'getRuntime')": "reflect(",
    "java_method ('a', 'b') = 1": "java_method(",
    "x in (select 1)": "select",
    "x in (\u017felect 1)": "\u017felect",
    "x \u0131n (MAP 'a' U\u017fING 'sh')": "U\u017fING",
    "exists (SELECT * FROM other)": "SELECT",
    "x in (VALUES 1)": "VALUES",
    "x in (TABLE other)": "TABLE",
    "x in (FROM other |> select id)": "|> select id)",
    "x in (FROM other)": "(FROM",
    "x in (MAP 'a' USING 'sh -c touch')": "USING",
    "x = mine(1)": "mine(",
    "x = db.upper(1)": "upper(",
    "`reflect`('a')": "`reflect`(",
    '"reflect"(1)': '"reflect"(',
    "identifier('reflect')('a')": "identifier(",
    "1foo(x)": "1foo(",
    "day < current_date": "current_date",
    "t < now()": "now(",
    "rand() < 0.5": "rand(",
    "uuid() = x": "uuid(",
    "input_file_name() = x": "input_file_name(",
    "repeat('x', 1000000000) = x": "repeat(",
    "raise_error(x)": "raise_error(",
    "x = 1 -- '\n or reflect('a') -- '": "-- '\n or reflect('a'",
    "x = /* ' */ reflect('a') /* ' */": "/* ' */ reflect('a')",
    "x = r'\\' or reflect('b') or y = '": "r'\\'",
    "x = $$a$$": "$$a$$",
    "x = 1; drop table t": "; drop table t",
    "x = 'never closed": "'never closed",
    "x = ${v}": "${v}",
}


@pytest.mark.parametrize("predicate", SAFE)
def test_unsafe_part_of_columns_and_deterministic_functions_is_none(predicate: str) -> None:
    assert unsafe_part(predicate) is None


@pytest.mark.parametrize("predicate", UNSAFE)
def test_unsafe_part_of_everything_else_is_named(predicate: str) -> None:
    assert unsafe_part(predicate) == UNSAFE[predicate]


@pytest.mark.parametrize("value", [None, "", "0"])
def test_configuration_without_the_safe_mode_may_do_all(
    value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SAFE_MODE, raising=False)
    if value is not None:
        monkeypatch.setenv(SAFE_MODE, value)
    sections = {"input": {"table": "in", "where": "reflect(1)"}, "spark": {"spark.a": "1"}}
    assert load_config(sections, environ={}).spark == {"spark.a": "1"}


def test_configuration_in_the_safe_mode_is_refused_with_what_it_may_not_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(SAFE_MODE, "1")
    sections = {"input": {"table": "in", "where": "reflect(1)"}, "spark": {"spark.jars": "a.jar"}}
    with pytest.raises(ConfigError) as caught:
        load_config(sections, environ={})
    predicate, settings = caught.value.findings
    assert predicate.startswith("input.where: 'reflect(' is not allowed where SPARKCLEAN_SAFE is")
    assert settings.startswith("spark: spark.jars is not allowed where SPARKCLEAN_SAFE is set")
    load_config({"input": {"table": "in", "where": "label = 'x'"}}, environ={})


def test_safe_functions_are_those_of_spark(spark: SparkSession) -> None:
    known = {row[0] for row in spark.sql("SHOW SYSTEM FUNCTIONS").collect()}
    if not spark.version.startswith("3."):  # which knows fewer
        words = {"between", "case", "div", "extract"}  # of the grammar
        assert set(SAFE_FUNCTIONS) - known <= words
    frame = spark.createDataFrame([(1, "cat", ["ok"])], "x int, name string, tags array<string>")
    for predicate in ("exists(tags, t -> t = 'ok') and x between 0 and 2", r"name rlike r'^\w+$'"):
        assert unsafe_part(predicate) is None
        assert frame.where(predicate).count() == 1
