"""What is wrong with a run is said before Spark starts, where it shows."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sparkclean.commands import jobs
from sparkclean.commands.main import main
from sparkclean.config.file import load_config
from sparkclean.lake import ParquetSource
from sparkclean.lake.parquet.frames import schema_of_footers
from tests.data import noisy_data, write_table

STARTED = 77


class StartedError(SystemExit):
    """Spark would have been started."""


@pytest.fixture(autouse=True)
def no_spark(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(*_: object, **__: object) -> None:
        raise StartedError(STARTED)

    monkeypatch.setattr("sparkclean.commands.jobs.find_session", lambda: None)
    monkeypatch.setattr("sparkclean.commands.jobs.open_session", start)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    given, pred_probs = noisy_data(40, 3)
    more = {"text": pa.array(["a"] * 40), "when": pa.array(np.arange(40), pa.timestamp("us"))}
    return write_table(tmp_path / "in", given, pred_probs, files=2, **more)


def said(
    table: Path, capsys: pytest.CaptureFixture[str], job: str = "audit", **sections: Any
) -> tuple[bool, str]:
    """Run a job; whether Spark would have been started, and what was said before."""
    names = ("suspects", "cleaned", "classes", "pairs", "rejected", "runs", "predictions", "models")
    content = {"input": {"table": str(table)}} | sections
    output = {name: str(table.parent / "out" / name) for name in names}
    content["output"] = output | sections.get("output", {})
    path = table.parent / "config.json"
    path.write_text(json.dumps(content))
    main([job, "--config", str(path), "--run-id", "r"])
    err = capsys.readouterr().err
    return "a library ended the process" in err, err


@pytest.mark.parametrize("job", ["audit", "predict", "run", "train"])
def test_run_that_is_right_starts_spark_and_writes_nothing(
    table: Path, capsys: pytest.CaptureFixture[str], job: str
) -> None:
    sections = {"predict": {"features": ["text"]}} if job != "audit" else {}
    if job == "train":  # it looks for an audit first, which is not there
        started, err = said(table, capsys, job, **sections)
        assert not started or "audit" not in err
        return
    started, err = said(table, capsys, job, **sections)
    assert started, err
    assert len(err.splitlines()) == 1  # the log was silent
    assert not (table.parent / "out").exists()


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"columns": {"label": "lable"}}, "column 'lable' is not in the table; did you mean"),
        ({"columns": {"id": "when"}}, "column 'when' is timestamp"),
        ({"columns": {"label": "when"}}, "column 'when' is timestamp; a label is"),
        ({"columns": {"pred_probs": "text"}}, "column 'text' is string; probabilities are"),
        ({"columns": {"label": "text"}}, "classes: null, but column 'text' holds strings"),
        ({"classes": ["a", "b", "c"]}, "classes: number 1 of 3 is str, but column 'label' is"),
        ({"input": {"table": "nowhere/in"}}, "does not exist"),
    ],
)
def test_audit_that_is_wrong_is_told_before_spark(
    table: Path, capsys: pytest.CaptureFixture[str], sections: dict[str, Any], words: str
) -> None:
    started, err = said(table, capsys, **sections)
    assert not started
    assert words in err


@pytest.mark.parametrize("job", ["predict", "run"])
def test_run_takes_the_pin_of_the_early_check(
    table: Path, monkeypatch: pytest.MonkeyPatch, job: str
) -> None:
    config = load_config(
        {"input": {"table": str(table)}, "predict": {"features": ["text"]}}
        | {"output": {"runs": str(table.parent / "runs")}}
    )
    monkeypatch.setattr(jobs, "open_session", lambda *_, **__: nullcontext((None, False)))
    monkeypatch.setattr(jobs, "watched_tasks", lambda _: nullcontext(lambda: None))
    with jobs.open_jobs(config, "r", settings={}, job=job) as opened:
        assert opened.given == {"input": ParquetSource(str(table)).pin()}


@pytest.mark.parametrize("job", ["predict", "run"])
@pytest.mark.parametrize(
    ("predict", "words"),
    [
        ({"features": ["pixels"]}, "column 'pixels' is not in the table"),
        ({"features": ["when"]}, "column 'when' is timestamp"),
        ({"features": ["label"]}, "'label' is the label, which a model must not see"),
        ({"features": ["text"], "estimator": "sklearn.nope.Nope"}, "predict.estimator"),
    ],
)
def test_prediction_that_is_wrong_is_told_before_spark(
    table: Path,
    capsys: pytest.CaptureFixture[str],
    job: str,
    predict: dict[str, Any],
    words: str,
) -> None:
    started, err = said(table, capsys, job, predict=predict)
    assert not started
    assert words in err


def test_audit_behind_a_prediction_is_checked_before_spark(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    started, err = said(
        table, capsys, "run", predict={"features": ["text"]}, classes=["a", "b", "c"]
    )
    assert not started
    assert "column 'label' is bigint" in err


def test_output_of_somebody_else_is_told_before_spark(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = table.parent / "mine"
    place.mkdir()
    (place / "notes.txt").write_text("mine")
    started, err = said(table, capsys, output={"suspects": str(place)})
    assert not started
    assert "notes.txt" in err


@pytest.mark.parametrize(
    "sections",
    [
        {
            "input": {"table": "lake.db.examples"},
            "spark": {"spark.sql.catalog.lake": "org.apache.iceberg.spark.SparkCatalog"},
        },
        {"output": {"format": "delta"}},
        {"scan": "dataframe"},
    ],
)
def test_what_only_spark_knows_is_left_to_it(
    table: Path, capsys: pytest.CaptureFixture[str], sections: dict[str, Any]
) -> None:
    if "output" in sections:
        sections = {"output": sections["output"] | {"work": str(table.parent / "work")}}
    assert said(table, capsys, **sections)[0]


def test_condition_is_left_to_spark(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(table, capsys, input={"table": str(table), "where": "nope > 1"})[0]


def test_columns_that_differ_by_case_are_left_to_spark(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given, pred_probs = noisy_data(40, 3)
    table = write_table(tmp_path / "in", given, pred_probs, LABEL=pa.array(given))
    assert said(table, capsys)[0]


# -- footers -------------------------------------------------------------------------------------


def schema_text(folder: Path) -> str | None:
    schema = schema_of_footers(ParquetSource(str(folder)).pin())
    return None if schema is None else schema.simpleString()


def write(folder: Path, name: str, **columns: Any) -> Path:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), folder / name)
    return folder


def test_schema_of_files_is_what_spark_reads(tmp_path: Path) -> None:
    words = pa.array(["x", "y"]).dictionary_encode()  # as pandas writes categories
    write(tmp_path, "a.parquet", id=pa.array([1, 2], pa.int32()), words=words)
    write(tmp_path, "b.parquet", id=pa.array([1], pa.int64()), more=pa.array([[0.5]]))
    assert schema_text(tmp_path) == "struct<id:bigint,words:string,more:array<double>>"


def test_schema_has_the_columns_of_folders(tmp_path: Path) -> None:
    for split in ("1", "2"):
        write(tmp_path, f"label={split}/a.parquet", id=pa.array([1]))
    assert schema_text(tmp_path) == "struct<id:bigint,label:int>"


@pytest.mark.parametrize(
    "columns",
    [{"id": pa.array([1], pa.uint64())}, {"id": pa.array([1]), "ID": pa.array([1])}],
    ids=["unsigned", "case"],
)
def test_schema_that_only_spark_knows_is_none(tmp_path: Path, columns: dict[str, Any]) -> None:
    assert schema_text(write(tmp_path, "a.parquet", **columns)) is None
