"""``sparkclean report`` and the list of runs, on Parquet without Spark."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sparkclean.commands.jobs import Jobs
from sparkclean.commands.main import main
from sparkclean.config.sections import ReportSection
from sparkclean.errors import AuditGateError, SparkCleanError
from sparkclean.lake import ParquetTarget
from sparkclean.lake.base import ANY
from sparkclean.rows.report import Line, Report
from sparkclean.runs import report
from sparkclean.runs.runner import JobResult
from sparkclean.schema import RUNS
from tests.unit.test_past import record

_TYPES = {"timestamp": pa.timestamp("us", "UTC"), "double": pa.float64(), "bigint": pa.int64()}
_SCHEMA = pa.schema(
    [(n, _TYPES.get(t, pa.int32() if t == "int" else pa.string())) for n, t in RUNS]
)
_SPARK = {
    "type": "struct",
    "fields": [{"name": n, "type": t, "nullable": True, "metadata": {}} for n, t in RUNS],
}


def publish(folder: Path, *rows: dict[str, Any]) -> str:
    """Publish run records, each by a commit of its own."""
    target = ParquetTarget(str(folder / "out" / "runs"))
    for row in rows:
        staging = target.stage(f"{row['run_id']}@{row['job']}")
        staging.write_arrow(pa.Table.from_pylist([row], schema=_SCHEMA))
        properties = {"config_fingerprint": "f", "input": "i"}
        target.publish(
            staging, expected_parent=ANY, accumulate=True, properties=properties,
            schema=json.dumps(_SPARK),
        )  # fmt: skip
    return target.location


@pytest.fixture
def runs(tmp_path: Path) -> str:
    """Two audits and a prediction."""
    config = json.dumps({"columns": {"id": "id", "label": "label"}, "output": {}})
    return publish(
        tmp_path,
        record("monday", 0, config=config),
        record("tuesday", 24, config=config, status="gate_failed", message="too <b>many</b>"),
        record("tuesday", 25, "predict", suspects=None, config=config),
    )


def test_show_lists_runs_and_chooses_them(runs: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", runs]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
        "run_id", "monday", "tuesday", "tuesday",
    ]  # fmt: skip
    assert main(["show", runs, "--job", "audit", "--since", "2026-11-25", "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["run_id"], row["status"], row["noise"]) == ("tuesday", "gate_failed", 0.05)
    assert main(["show", runs, "-n", "1", "--format", "markdown"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("| tuesday | predict |")
    assert main(["show", runs, "--since", "soon"]) == 2
    assert main(["show", runs, "--run-id", "monday", "--format", "json"]) == 0  # the whole record
    assert "config_fingerprint" in capsys.readouterr().out


def test_report_without_the_extra_names_it(
    runs: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(report, "_NEEDED", {"no_such_module": "vl-convert-python<2"})
    assert main(["report", runs]) == 2
    said = capsys.readouterr().err
    assert "needs vl-convert-python<2: pip install 'sparkclean[report]'" in said


def test_report_of_a_run_of_the_history_and_of_the_folder(
    runs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("altair")
    page = tmp_path / "pages" / "page.html"
    words = ["report", str(tmp_path / "out"), "-o", str(page)]
    assert main([*words, "--run-id", "tuesday", "--job", "audit"]) == 0
    assert str(page) in capsys.readouterr().out
    text = page.read_text(encoding="utf-8")
    assert "Gate failed" in text or "Refused" in text
    assert "too &lt;b&gt;many&lt;/b&gt;" in text
    assert "What changed" in text
    assert page.stat().st_mode & 0o044
    assert main(words) == 0
    assert "audit of in" in page.read_text(encoding="utf-8")
    assert [path.name for path in page.parent.iterdir()] == ["page.html"]
    assert main([*words, "--run-id", "friday"]) == 3
    assert main([*words, "--columns", "text"]) == 2


def test_report_of_a_folder_without_run_records_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("altair")
    publish(tmp_path, record("r"))
    (tmp_path / "out" / "runs").rename(tmp_path / "out" / "suspects")
    assert main(["report", str(tmp_path / "out"), "-o", str(tmp_path / "x.html")]) == 2
    assert "holds no run records" in capsys.readouterr().err


def test_joined_examples_of_a_pin_that_is_gone_are_a_note(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    from sparkclean.runs.reported import PublishedRun

    table = tmp_path / "in"
    table.mkdir()
    pq.write_table(pa.table({"id": [1, 2], "text": ["a", "b"]}), table / "a.parquet")
    pin = {"table": str(table), "format": "parquet", "version": None, "dataset_version": "another"}
    config = json.dumps({"columns": {"id": "id", "label": "label", "pred_probs": "p"}})
    row = record("r", input=json.dumps(pin), config=config)
    run = PublishedRun(row, str(tmp_path / "runs"))
    found = run.examples(pa.table({"id": [1]}))
    assert "is not what run 'r' has read" in found.note
    assert PublishedRun(row, "", columns=[]).examples(pa.table({"id": [1]})).note == ""


# -- at the end of a run --------------------------------------------------------------------------


class Runner:
    """A run that ends as it is told, and has records."""

    job = SimpleNamespace(name="audit")
    run_id = "monday"

    def __init__(self, runs: str | None, error: SparkCleanError | None = None) -> None:
        self.targets = {} if runs is None else {"runs": ParquetTarget(runs)}
        self.error = error

    def execute(self, _: Any) -> JobResult:
        if self.error is not None:
            raise self.error
        return JobResult("audit", self.run_id, "published", {}, {}, Report([Line("done")]))


def end_of(runner: Runner, path: Path | None) -> JobResult:
    section = ReportSection(path=None if path is None else str(path))
    config: Any = SimpleNamespace(report=section)
    none: Any = None
    jobs = Jobs(none, config, "monday", none, ExitStack(), None, none)
    return jobs._execute(runner, none, ends=True)  # type: ignore[arg-type]


def test_a_run_ends_with_the_path_of_its_report(runs: str, tmp_path: Path) -> None:
    pytest.importorskip("altair")
    result = end_of(Runner(runs), tmp_path / "report.html")
    assert result.summary.splitlines() == ["done", "", f"report {tmp_path / 'report.html'}"]
    assert "run monday" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert end_of(Runner(runs), None).summary == "done"


def test_a_refused_run_writes_its_report_and_stays_refused(runs: str, tmp_path: Path) -> None:
    pytest.importorskip("altair")
    with pytest.raises(AuditGateError, match="closed"):
        end_of(Runner(runs, AuditGateError("closed")), tmp_path / "report.html")
    assert (tmp_path / "report.html").exists()


@pytest.mark.parametrize("without", ["extra", "records", "place"])
def test_a_report_that_fails_is_a_warning(
    without: str,
    runs: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = tmp_path / "report.html"
    if without == "extra":
        monkeypatch.setattr(report, "_NEEDED", {"no_such_module": "Jinja2"})
    if without == "place":
        pytest.importorskip("altair")
        path.mkdir()
    with caplog.at_level("WARNING", "sparkclean"):
        result = end_of(Runner(None if without == "records" else runs), path)
    assert result.summary == "done"
    (said,) = [one.getMessage() for one in caplog.records]
    assert said.startswith("report.path: ")
    words = {
        "extra": "needs Jinja2",
        "records": "output.runs is null",
        "place": "cannot be written",
    }
    assert words[without] in said
