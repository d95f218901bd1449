"""What run records tell of runs: chosen, listed, compared, and done again. Needs no Spark."""

from __future__ import annotations

import json
import shlex
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from sparkclean.config.file import load_config
from sparkclean.errors import ConfigError, InputError
from sparkclean.runs.past import (
    COLUMNS,
    choose,
    find_before,
    find_one,
    listed,
    read_past,
    read_since,
)
from sparkclean.runs.report_parts import (
    changed_part,
    flattened,
    not_default,
    reproducing,
    verdict_of,
)
from sparkclean.schema import RUNS

NOON = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)


def record(run_id: str, hours: int = 0, job: str | None = "audit", **more: Any) -> dict[str, Any]:
    """Make a record of a run that ended some hours after noon."""
    metrics = {"rows": 100, "suspects": 5, "noise_rate": 0.05, "histograms": {"x": {}}}
    base = dict.fromkeys(name for name, _ in RUNS) | {
        "run_id": run_id,
        "original_run_id": run_id,
        "job": job,
        "status": "published",
        "finished_at": NOON + timedelta(hours=hours),
        "seconds": 12.34,
        "rows": 100,
        "suspects": 5,
        "input": json.dumps({"table": "lake/in"}),
        "gates": json.dumps([]),
        "metrics": json.dumps(metrics),
    }
    return base | more


class Records:
    """A table of run records that lies in a list."""

    location = "out/runs"

    def __init__(self, *rows: dict[str, Any], columns: tuple[str, ...] = COLUMNS) -> None:
        self.rows, self.names = rows, (*columns, "outputs")

    def schema(self) -> str:
        return json.dumps({"fields": [{"name": name} for name in self.names]})

    def records(self, columns: tuple[str, ...]) -> list[dict[str, Any]]:
        return [{k: row[k] for k in columns if k in self.names} for row in self.rows]


def test_read_past_keeps_the_newest_record_of_each_run_in_the_order_of_their_ends() -> None:
    refused = record("a", 0, status="gate_failed")
    rows = Records(record("b", 1), record("a", 3), refused, record("a", 2, "predict"))
    past = read_past(rows)  # type: ignore[arg-type]
    assert [(row["original_run_id"], row["job"]) for row in past] == [
        ("b", "audit"), ("a", "predict"), ("a", "audit"),
    ]  # fmt: skip
    assert past[-1]["status"] == "published"


def test_read_past_of_records_without_a_job_knows_audits_by_their_hash() -> None:
    columns = tuple(name for name in COLUMNS if name not in ("job", "metrics"))
    counts = json.dumps({"noise_rate": 0.25})
    row = record("old", job=None, result_hash="ab", counts=counts)
    (found,) = read_past(Records(row, columns=columns))  # type: ignore[arg-type]
    assert (found["job"], found["metrics"], listed([found])[0]["noise"]) == ("audit", None, 0.25)


def test_read_past_of_another_output_is_an_error() -> None:
    rows = Records(columns=("id", "rank"))
    rows.names = ("id", "rank")
    with pytest.raises(InputError, match="holds no run records"):
        read_past(rows)  # type: ignore[arg-type]


def test_choose_by_job_table_and_time() -> None:
    past = [
        record("a"),
        record("b", 5, "predict"),
        record("c", 9, input=json.dumps({"table": "x"})),
    ]

    def ids(**chosen: Any) -> list[str]:
        return [row["run_id"] for row in choose(past, **chosen)]

    assert ids(job="audit") == ["a", "c"]
    assert ids(table="x") == ["c"]
    assert ids(since=NOON + timedelta(hours=5)) == ["b", "c"]
    assert ids(run_id="a", job="predict") == []


def test_find_one_of_several_jobs_is_the_newest_and_a_missing_one_names_others() -> None:
    past = [record("n", 1, "predict"), record("n", 2, "audit")]
    assert find_one(past, "n", None, "out")["job"] == "audit"
    assert find_one(past, "n", "predict", "out")["job"] == "predict"
    with pytest.raises(InputError, match=r"out has no run 'm' of job audit; it has n \(audit\)"):
        find_one(past, "m", "audit", "out")


def test_find_before_is_the_last_published_one_of_the_same_job_and_table() -> None:
    other = json.dumps({"table": "other"})
    past = [
        record("first", 0),
        record("second", 1),
        record("refused", 2, status="gate_failed"),
        record("other", 3, input=other),
        record("predicted", 4, "predict"),
        record("now", 5),
        record("later", 6),
    ]
    before = find_before(past, past[5])
    assert before is not None
    assert before["run_id"] == "second"
    assert find_before(past, past[0]) is None


def test_listed_counts_closed_gates() -> None:
    gates = json.dumps([{"passed": True}, {"passed": False}])
    rows = listed([record("a"), record("b", 1, gates=gates)])
    assert [row["gates"] for row in rows] == [None, "1 of 2 closed"]
    assert (rows[0]["noise"], rows[0]["seconds"]) == (0.05, 12.3)
    assert rows[0]["finished_at"] == "2026-11-24 12:00"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=timezone.utc)),
        ("2026-11-20T06:30", datetime(2026, 11, 20, 6, 30, tzinfo=timezone.utc)),
        ("36h", NOON - timedelta(hours=36)),
        ("30d", NOON - timedelta(days=30)),
        ("999999999d", datetime.min.replace(tzinfo=timezone.utc)),
    ],
)
def test_read_since_takes_dates_and_ages(text: str, moment: datetime) -> None:
    assert read_since(text, NOON) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "d", "-3d", "2026-13-01"])
def test_read_since_refuses_anything_else(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--since: .* is no moment"):
        read_since(text)


# -- sections of records ---------------------------------------------------------------------------


def test_verdict_says_how_a_run_ended() -> None:
    gate = {"gate": "g", "limit": 1, "found": 2, "passed": False}
    closed = record("a", status="gate_failed", gates=json.dumps([gate]), message="too many")
    assert (verdict_of(closed).level, verdict_of(closed).title) == ("error", "Gate failed")
    assert verdict_of(closed).text == "too many"
    refused = record("a", status="gate_failed", message="no rows")
    assert verdict_of(refused).title == "Refused"
    assert verdict_of(record("a")).level == "info"
    assert verdict_of(record("a", status="cleaned_conflict")).level == "warning"


def test_changed_part_compares_numbers_and_settings() -> None:
    config = {"method": {"filter_by": "both"}, "output": {"runs": "x"}}
    before = record("a", config=json.dumps(config), result_hash="1")
    config = {"method": {"filter_by": "prune_by_class"}, "output": {"runs": "y"}}
    metrics = json.dumps({"rows": 100, "suspects": 8, "noise_rate": 0.08})
    now = record("b", 1, config=json.dumps(config), result_hash="2", metrics=metrics)
    part = changed_part(now, before)
    assert part is not None
    numbers = {row[0]: row[1:] for row in part.blocks[1].rows}  # type: ignore[union-attr]
    assert numbers["suspects"] == (5, 8, 3)
    assert "histograms" not in numbers
    assert part.blocks[3].rows == [  # type: ignore[union-attr]
        ("method.filter_by", "both", "prune_by_class")
    ]
    assert changed_part(now, None) is None


def test_flattened_writes_nested_settings_with_dots() -> None:
    content = {"a": {"b": 1, "c": {"d": None}}, "e": ["x"], "f": {}}
    assert dict(flattened(content)) == {"a.b": "1", "a.c.d": "null", "e": '["x"]', "f": "{}"}


def test_reproducing_is_a_command_that_reads_the_same_version() -> None:
    config = load_config({"input": {"table": "it's here"}, "method": {"filter_by": "both"}})
    content = config.model_dump(mode="json")
    assert not_default(content) == {
        "input": {"table": "it's here"},
        "method": {"filter_by": "both"},
    }
    pin = json.dumps({"table": "it's here", "format": "iceberg", "version": "77"})
    ((_, command),) = reproducing(record("r 1", config=json.dumps(content), input=pin))
    words = shlex.split(command)
    assert words[:2] == ["printf", "%s"]
    assert json.loads(words[2])["input"] == {"table": "it's here", "version": "snapshot:77"}
    assert words[3:] == ["|", "sparkclean", "audit", "--config", "-", "--run-id", "r 1-again"]


def test_reproducing_a_long_configuration_is_not_cut() -> None:
    content = {"input": {"table": "in"}, "classes": [f"class {i}" for i in range(1000)]}
    ((what, command),) = reproducing(record("r", config=json.dumps(content)))
    assert "with the configuration above in audit.yaml" in what
    assert command == "sparkclean audit --config audit.yaml --run-id r-again"
