"""The page on notebooks: its blocks run in their order, as cells do."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from sparkclean.config.sections import PredictSection
from sparkclean.examples.given_rows import MOST_BYTES
from tests.packaging.checkout import REPOSITORY

PAGE = (REPOSITORY / "docs" / "getting-started" / "dataframe.md").read_text(encoding="utf-8")
CELLS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_page_names_the_limit_and_settings_that_there_are() -> None:
    assert f"{MOST_BYTES >> 20} MiB" in PAGE
    (call,) = [node for cell in CELLS for node in ast.walk(ast.parse(cell)) if is_long(node)]
    assert {key.arg for key in call.keywords} <= set(PredictSection.model_fields)


def is_long(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and len(node.keywords) > 3


def test_cells_run_in_their_order(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for number, cell in enumerate(CELLS):
        *before, last = ast.parse(cell).body
        exec(compile(ast.Module(before, []), f"cell {number}", "exec"), names)
        if isinstance(last, ast.Expr):  # as a notebook does, show what the last line gives
            shown = eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), names)
            is_result = shown is names["result"]
            assert not is_result or re.search(r"top \d suspects", repr(shown))
        else:
            exec(compile(ast.Module([last], []), f"cell {number}", "exec"), names)
    assert len(CELLS) == 8
    assert len(names["fixed"]) == len(names["df"])
    assert [path.name for path in tmp_path.iterdir()] == ["wine.parquet"]
