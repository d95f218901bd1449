"""Default places of outputs, named after the table."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkclean.config.model import parse_config
from sparkclean.config.output_locations import default_locations_before, last_part


@pytest.mark.parametrize(
    ("table", "last"),
    [
        ("data/examples", "examples"),
        ("data/examples/", "examples"),
        ("s3://bucket/lake/examples/", "examples"),
        ("file:///data/examples", "examples"),
        ("data/examples.parquet", "examples"),
        ("lake.db.examples", "examples"),
        ("lake.db.`my.table`", "my.table"),
        ("lake.db.`a/b c`", "a_b_c"),
        ("delta.`/data/examples`", "examples"),
        ("data/naïve", "naïve"),
        ("data/a:b$c", "a_b_c"),
        ("/", "table"),
        ("lake.db.`..`", "table"),
        ("a..b", "table"),  # no name at all, of which the configuration tells elsewhere
    ],
)
def test_last_part_names_a_folder(table: str, last: str) -> None:
    assert last_part(table) == last


def test_last_part_of_this_folder_is_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert last_part(".") == tmp_path.name
    assert last_part("../x/..") == tmp_path.parent.name


def test_places_of_outputs_name_the_table_by_default_and_where_wanted() -> None:
    output = {"suspects": "lab/<table>/s", "runs": "lab/runs", "rejected": None}
    config = parse_config({"input": {"table": "lake.db.mails"}, "output": output})
    places = {name: getattr(config.output, name) for name in ("suspects", "runs", "rejected")}
    assert places == {"suspects": "lab/mails/s", "runs": "lab/runs", "rejected": None}
    assert config.output.cleaned == "out/mails/cleaned"
    assert config.output.models == "out/mails/models"
    before = {
        name: f"out/{name}" for name in ("models", "classes", "pairs", "cleaned", "predictions")
    }
    # outputs that came later were never there
    assert before.items() <= default_locations_before(config).items()
