"""A run that has finished is recognised without Spark, and only where nothing has changed."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sparkclean.config.model import parse_config
from sparkclean.jobs.audit.job import AuditJob
from sparkclean.lake import Pin
from sparkclean.lake.parquet.source import ParquetSource
from sparkclean.lake.run_state import RunState, remember_run
from sparkclean.runs.early import find_early
from sparkclean.runs.recognition import recognise
from sparkclean.runs.runner import Runner
from sparkclean.runs.status import GATE_FAILED, PUBLISHED
from sparkclean.version import __version__


class Finished:
    """A run that has published suspects and a cleaned version, and what its runner knows of it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.table = folder, folder / "in.parquet"
        pq.write_table(pa.table({"id": [1, 2]}), self.table)
        self.settings: dict[str, Any] = {"input": {"table": str(self.table)}}
        config = parse_config(self.settings)
        pin = ParquetSource(str(self.table)).pin()
        self.record: dict[str, Any] = {
            "status": PUBLISHED,
            "config": json.dumps(config.model_dump(mode="json")),
            "versions": json.dumps({"sparkclean": __version__}),
            "input": json.dumps({"table": pin.table, "dataset_version": pin.dataset_version}),
            "metrics": json.dumps({"suspects": 7}),
        }
        version = SimpleNamespace(name="v00000001")
        self.published: dict[str, Any] = {"suspects": version, "cleaned": version}

    def found(self, **sections: Any) -> Any:
        runner = Runner.__new__(Runner)
        runner.job, runner.run_id, runner.home = AuditJob(), "r1", str(self.folder / "runs")
        runner.config = parse_config(self.settings | sections)
        runner.targets = {
            name: cast(Any, SimpleNamespace(location=f"out/{name}"))
            for name in ("suspects", "cleaned")
        }
        runner.specs = {spec.name: spec for spec in AuditJob.outputs}
        fake = cast(Any, runner)
        fake.find_record, fake.find_published = lambda: self.record, lambda: self.published
        return recognise(runner)


@pytest.fixture
def finished(tmp_path: Path) -> Finished:
    return Finished(tmp_path)


def test_finished_run_is_recognised_with_what_it_gave(finished: Finished) -> None:
    result = finished.found(gate={"max_suspects": 5})
    assert result.summary == "run r1 has finished before; nothing was done"
    assert (result.status, result.metrics) == (PUBLISHED, {"suspects": 7})
    assert result.outputs["cleaned"] == {"location": "out/cleaned", "version": "v00000001"}


@pytest.mark.parametrize(
    "sections",
    [
        {"method": {"filter_by": "both"}},
        {"columns": {"label": "other"}},
        {"classes": ["a", "b"]},
        {"input": {"table": "elsewhere"}},
    ],
    ids=str,
)
def test_other_settings_are_left_to_the_run(finished: Finished, sections: dict[str, Any]) -> None:
    assert finished.found(**sections) is None


@pytest.mark.parametrize(
    "change",
    [
        {"status": GATE_FAILED},
        {"versions": json.dumps({"sparkclean": "0.0.9"})},
        {"config": None},
        {"input": json.dumps({"table": "other", "dataset_version": "files-0"})},
    ],
    ids=str,
)
def test_other_records_are_left_to_the_run(finished: Finished, change: dict[str, Any]) -> None:
    finished.record |= change
    assert finished.found() is None


def test_changed_input_is_left_to_the_run(finished: Finished) -> None:
    pq.write_table(pa.table({"id": [1, 2, 3]}), finished.table)
    assert finished.found() is None


def test_missing_version_and_unfinished_state_are_left_to_the_run(finished: Finished) -> None:
    del finished.published["cleaned"]
    assert finished.found() is None
    finished.published["cleaned"] = finished.published["suspects"]
    assert finished.found() is not None
    pin = Pin("parquet", "/x/in", None, "files-0")
    home = str(finished.folder / "runs")
    remember_run(home, RunState("audit", "r1", "f", "in", None, {"input": pin}))
    assert finished.found() is None


def test_what_needs_a_session_is_not_found() -> None:
    assert find_early(lambda session: session.sql("SELECT 1")) is None
    assert find_early(lambda _: 7) == 7
