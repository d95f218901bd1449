"""Which audits can be compared, by their records; what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from sparkclean.commands.main import main
from sparkclean.config.model import parse_config
from sparkclean.errors import ConfigError, InputError
from sparkclean.jobs.compare.audits import find_audits, warn_of_other_rows
from sparkclean.lake import ParquetTarget
from sparkclean.runs.void import void_run
from tests.lake.records import write_record

INPUT = {"input": {"table": "/data/t"}}


@pytest.fixture
def runs(tmp_path: Path) -> ParquetTarget:
    target = ParquetTarget(str(tmp_path / "runs"))
    write_record(target, "a", 1)
    write_record(target, "b", 2)
    write_record(target, "p", 3, job="predict")
    write_record(target, "shut", 4, status="gate_failed", message="too many\nsuspects")
    write_record(target, "other", 5, input={"table": "/data/u"})
    write_record(target, "key", 6, config={"columns": {"id": ["x", "y"], "label": "label"}})
    write_record(target, "bare", 7, outputs={})
    write_record(target, "numbered", 8, config={"columns": {"id": None, "label": "label"}})
    write_record(target, "gone", 9)
    void_run(target, "gone", "wrong day")
    return target


def find(runs: ParquetTarget, one: str, other: str, **columns: Any) -> Any:
    return find_audits(runs, one, other, parse_config(INPUT | {"columns": columns}))


def test_find_audits_reads_their_records(runs: ParquetTarget) -> None:
    one, other = find(runs, "a", "b")
    assert (one.run_id, other.run_id) == ("a", "b")
    assert one.outputs["suspects"] == "suspects"
    assert one.selector is None


def test_audits_of_rows_chosen_by_other_conditions_are_warned_of(runs: ParquetTarget) -> None:
    columns = {"id": "id", "label": "label"}
    config = {"columns": columns, "input": {"where": "day > 3"}}
    write_record(runs, "c", 31, config=config)
    assert warn_of_other_rows(*find(runs, "a", "b")) is None
    warning = warn_of_other_rows(*find(runs, "a", "c"))
    assert warning is not None
    assert "a by none and c by day > 3; a suspect may be new" in warning


@pytest.mark.parametrize(
    ("source", "selector"),
    [
        ({"format": "delta", "version": "7"}, 7),
        ({"format": "iceberg", "version": "123"}, "snapshot:123"),
        ({"format": "parquet", "version": "v00000003"}, 3),
    ],
)
def test_find_audits_knows_the_version_of_the_table(
    runs: ParquetTarget, source: dict, selector: Any
) -> None:
    write_record(runs, "c", 30, input={"table": "/data/t"} | source)
    assert find(runs, "a", "c")[1].selector == selector


@pytest.mark.parametrize(
    ("one", "other", "columns", "says"),
    [
        ("x", "b", {}, "compare.run_a: there is no run 'x' in"),
        ("a", "p", {}, "compare.run_b: run 'p' in"),
        ("a", "shut", {}, "its record says gate_failed: too many; name another audit"),
        ("a", "gone", {}, "its record says void: wrong day"),
        ("a", "other", {}, "has audited /data/u, and input.table is /data/t"),
        ("a", "key", {}, "was of the columns 'x', 'y', 'label'"),
        ("a", "bare", {}, "has written no suspects"),
        ("numbered", "numbered", {"id": None}, "has numbered the rows"),
        ("b", "a", {}, "audit 'b' is later than 'a'; swap the two"),
    ],
)
def test_find_audits_refuses(
    runs: ParquetTarget, one: str, other: str, columns: dict, says: str
) -> None:
    with pytest.raises(InputError, match=re.escape(says)):
        find(runs, one, other, **columns)


def test_find_audits_says_what_is_wrong_with_both(runs: ParquetTarget) -> None:
    with pytest.raises(InputError) as error:
        find(runs, "x", "y")
    assert len(error.value.findings) == 2


@pytest.mark.parametrize(
    ("sections", "says"),
    [
        ({"compare": {"run_a": "a", "run_b": "a"}}, "compare.run_b: 'a' is also compare.run_a"),
        ({"compare": {"run_a": "a"}}, "compare.run_b: is missing"),
        ({"compare": {"run_a": 1, "run_b": "b"}}, "compare.run_a: 1"),
        (
            {"compare": {"run_a": "a", "run_b": "b"}, "output": {"runs": None}},
            "output.runs: null, but a comparison finds its audits in the run records",
        ),
    ],
)
def test_compare_refuses_settings(sections: dict, says: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_config(INPUT | sections)
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("place", "run_b", "says"),
    [
        ("none", "b", "holds no run records; name the location of output.runs"),
        ("runs", "x", "run_b: there is no run 'x' in"),
    ],
)
def test_compare_command_refuses(
    runs: ParquetTarget, capsys: pytest.CaptureFixture[str], place: str, run_b: str, says: str
) -> None:
    assert main(["compare", str(runs.root.parent / place), "a", run_b]) == 3
    assert says in capsys.readouterr().err
