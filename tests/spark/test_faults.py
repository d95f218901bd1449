"""An audit that fails at any step leaves the lake readable; the same run id again completes it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from sparkclean.commands.main import main
from sparkclean.lake import open_target
from tests.data import noisy_data, write_table
from tests.steps import steps_of

ROWS = 200
OUTPUTS = ("suspects", "cleaned", "rejected", "classes", "pairs", "runs")
# a run of mode quarantine passes all of these
STEPS = steps_of("audit", "run", "stage", "publish")
IN_CI = {"run.pinned", "stage.cleaned.end", "publish.cleaned.begin", "publish.runs.end"}


def audit(place: Path, run_id: str, table: str = "in") -> int:
    path = place / "config.json"
    outputs = {name: str(place / "out" / name) for name in OUTPUTS}
    content = {
        "input": {"table": str(place / table)},
        "output": {**outputs, "adopt": True},  # table and outputs are copied together
        "clean": {"mode": "quarantine"},
    }
    path.write_text(json.dumps(content))
    return main(["audit", "--config", str(path), "--run-id", run_id])


def count(place: Path, name: str, run_id: str | None = None) -> int:
    table = open_target(str(place / "out" / name)).head(10**6)
    if run_id is None:
        return table.num_rows
    return table.column("run_id").to_pylist().count(run_id)


@pytest.fixture(scope="module")
def audited_once(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("audited")
    write_table(place / "in", *noisy_data(ROWS, 3, seed=4), files=2)
    assert audit(place, "first") == 0
    return place


@pytest.fixture
def place(audited_once: Path, tmp_path: Path) -> Path:
    shutil.copytree(audited_once, tmp_path, dirs_exist_ok=True)
    return tmp_path


def fail_at(monkeypatch: pytest.MonkeyPatch, place: Path, step: str, run_id: str) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("SPARKCLEAN_FAULT", f"{step}:raise")
        assert audit(place, run_id) == 1


@pytest.mark.parametrize(
    "step",
    [step if step in IN_CI else pytest.param(step, marks=pytest.mark.full) for step in STEPS],
)
def test_audit_fails_at_a_step_and_is_completed_by_a_repetition(
    place: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    suspects = count(place, "suspects")
    fail_at(monkeypatch, place, step, "second")
    assert count(place, "cleaned") + suspects == ROWS
    assert count(place, "cleaned-quarantine") == suspects
    # the newest run that counts is the first, until the second has a record
    newest = "second" if step == "publish.runs.end" else "first"
    assert count(place, "suspects", newest) == suspects
    assert audit(place, "second") == 0
    assert count(place, "suspects", "second") == suspects
    assert count(place, "cleaned") + count(place, "cleaned-quarantine") == ROWS
    for name in (*OUTPUTS, "cleaned-quarantine"):
        assert len(open_target(str(place / "out" / name)).versions()) == 2
        assert list((place / "out" / name / "_staging").iterdir()) == []
    assert list((place / "out" / "runs" / "_pins").iterdir()) == []


def test_audit_repeated_reads_what_was_pinned_at_first(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_at(monkeypatch, place, "run.audited", "second")
    shutil.copy(place / "in" / "part-00000.parquet", place / "in" / "part-00009.parquet")
    assert audit(place, "second") == 0
    assert count(place, "cleaned") + count(place, "cleaned-quarantine") == ROWS


@pytest.mark.parametrize("finished", [True, False])
def test_audit_same_run_id_on_another_table_exits_5(
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    finished: bool,
) -> None:
    run_id = "first"
    if not finished:
        run_id = "second"
        fail_at(monkeypatch, place, "run.pinned", run_id)
    shutil.copytree(place / "in", place / "elsewhere")
    assert audit(place, run_id, table="elsewhere") == 5
    error = capsys.readouterr().err
    assert "use a new run id" in error
    assert "elsewhere" in error
