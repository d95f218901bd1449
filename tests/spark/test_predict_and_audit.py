"""`sparkclean run`: from features to a cleaned version; audits by a table of predictions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

import sparkclean
from sparkclean.commands.main import main
from sparkclean.config.sections import Config
from sparkclean.jobs.predict import steps
from sparkclean.lake import open_target
from tests.spark.test_predict import ROWS, examples, write

Command = Callable[..., int]
NAMES = ("predictions", "models", "runs", "suspects", "cleaned")
WORDS = np.array(["zebra", "ant", "mule"])


@pytest.fixture
def command(spark: SparkSession, tmp_path: Path) -> Command:
    def run(name: str, *settings: str, run_id: str = "r1") -> int:
        place = tmp_path / "in"
        if not place.exists():
            write(named(), place)
        path = tmp_path / "config.json"
        config = {
            "input": {"table": str(place)},
            "predict": {"features": ["vector", "number"], "n_folds": 3},
            "output": {name: str(tmp_path / "out" / name) for name in NAMES}
            | dict.fromkeys(("rejected", "classes", "pairs")),
        }
        path.write_text(json.dumps(config))
        words = [word for setting in settings for word in ("--set", setting)]
        return main([name, "--config", str(path), "--run-id", run_id, *words])

    return run


def named() -> pa.Table:
    """Examples with text for labels, which probabilities do not name."""
    return examples(label=pa.array(WORDS[examples()["label"].to_numpy()].tolist()))


def read(spark: SparkSession, tmp_path: Path, name: str) -> list[dict[str, Any]]:
    return [row.asDict() for row in sparkclean.read(spark, str(tmp_path / "out" / name)).collect()]


@pytest.mark.parametrize(
    ("name", "interrupted", "code", "said"),
    [
        (
            "predict",
            "predict",
            0,
            "interrupted when run r1 had published everything: all of it counts",
        ),
        ("run", "audit", 0, "interrupted when run r1 had published everything: all of it counts"),
        ("run", "predict", 130, "error: interrupted; nothing of this run counts until"),
    ],
)
def test_interrupt_after_the_last_publication_is_too_late(
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    name: str,
    interrupted: str,
    code: int,
    said: str,
) -> None:
    def forget(_: str, job: str, run_id: str, **__: Any) -> None:
        if (job, run_id) == (interrupted, "r1"):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("sparkclean.runs.runner.forget_run", forget)
        assert command(name) == code
    assert said in capsys.readouterr().err
    assert command(name) == 0
    # the audit behind an interrupted prediction is done now
    done = {"predict": 1, "run": 2 if code == 0 else 1}[name]
    assert capsys.readouterr().out.count("run r1 has finished before; nothing was done") == done


def test_run_cleans_the_input_by_probabilities_of_its_own(
    spark: SparkSession, command: Command, tmp_path: Path
) -> None:
    assert command("run") == 0
    suspects, cleaned = (read(spark, tmp_path, name) for name in ("suspects", "cleaned"))
    assert len(suspects) > 5
    assert len(suspects) + len(cleaned) == ROWS
    assert set(cleaned[0]) == set(named().column_names)
    predicted = {row["id"]: row for row in read(spark, tmp_path, "predictions")}
    classes = sorted(WORDS)
    for row in suspects:
        probs = predicted[row["id"]]["pred_probs"]
        assert row["given_label"] == predicted[row["id"]]["label"]
        assert row["suggested_label"] == classes[int(np.argmax(probs))] != row["given_label"]
    runs = {(row["job"], row["run_id"]): row for row in read(spark, tmp_path, "runs")}
    assert set(runs) == {("predict", "r1"), ("audit", "r1")}
    assert json.loads(runs["audit", "r1"]["parents"]) == [{"job": "predict", "run_id": "r1"}]
    assert {row["dataset_version"] for row in runs.values()} == {suspects[0]["dataset_version"]}
    assert command("run") == 0
    assert len(open_target(str(tmp_path / "out" / "cleaned")).versions()) == 1


def test_run_that_dies_in_the_audit_is_completed_on_the_same_predictions(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARKCLEAN_FAULT", "publish.cleaned.begin:raise")
    assert command("run") == 1
    monkeypatch.delenv("SPARKCLEAN_FAULT")
    assert command("run") == 0
    assert len(open_target(str(tmp_path / "out" / "predictions")).versions()) == 1
    assert len(open_target(str(tmp_path / "out" / "cleaned")).versions()) == 1


def test_run_audits_what_it_has_predicted_whatever_comes_meanwhile(
    spark: SparkSession, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = _with_others(steps.pins_of_prediction, command)
    monkeypatch.setattr(steps, "pins_of_prediction", found)
    assert command("run") == 0
    assert len(read(spark, tmp_path, "suspects")) + len(read(spark, tmp_path, "cleaned")) == ROWS
    assert len(open_target(str(tmp_path / "out" / "predictions")).versions()) == 2
    assert len(list((tmp_path / "in").iterdir())) == 3


def _with_others(find: Callable[..., Any], command: Command) -> Callable[..., Any]:
    """Between prediction and audit somebody appends rows, and somebody else predicts the table."""

    def found(config: Config, *others: Any) -> Any:
        more = named().slice(0, 20).set_column(0, "id", pa.array(np.arange(1000, 1020)))
        pq.write_table(more, Path(config.input.table) / "more.parquet")
        assert command("predict", run_id="other") == 0
        return find(config, *others)

    return found


def audit(command: Command, tmp_path: Path, *settings: str, run_id: str = "a1") -> int:
    """Audit by what was predicted before; that place is an input now, no output."""
    predictions = f"input.predictions={tmp_path}/out/predictions"
    return command("audit", predictions, "predict=null", *settings, run_id=run_id)


def test_audit_by_predictions_is_that_of_the_probabilities_in_the_table(
    spark: SparkSession, command: Command, tmp_path: Path
) -> None:
    assert command("predict") == 0
    assert audit(command, tmp_path, "clean.mode=relabel") == 0
    joined = sparkclean.read(spark, str(tmp_path / "out" / "predictions"))
    with sparkclean.audit(joined, classes=sorted(WORDS)) as result:
        wanted = result.compute_result_hash()
    (record,) = [row for row in read(spark, tmp_path, "runs") if row["run_id"] == "a1"]
    assert record["result_hash"] == wanted
    assert len(read(spark, tmp_path, "cleaned")) == ROWS


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"label": {5: "zebra", 8: "ant", 9: "ant"}},
            "rows have another label than when they were predicted ('id': ",
        ),
        ({"id": {7: 1000}}, "1 rows have no prediction ('id': 1000)"),
        pytest.param(
            {"id": {7: 1000}},
            "1 predictions belong to no row of the table ('id': 7)",
            marks=pytest.mark.full,
        ),
    ],
)
def test_audit_by_predictions_of_other_examples_is_refused(
    command: Command,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    changes: dict[str, dict[int, Any]],
    said: str,
) -> None:
    assert command("predict") == 0
    table = named()
    for name, values in changes.items():
        column = table[name].to_pylist()
        for i, value in values.items():
            column[i] = value
        table = table.set_column(table.column_names.index(name), name, pa.array(column))
    for path in (tmp_path / "in").iterdir():
        path.unlink()
    pq.write_table(table, tmp_path / "in" / "other.parquet")
    assert audit(command, tmp_path) == 3
    assert said in capsys.readouterr().err
    assert open_target(str(tmp_path / "out" / "suspects")).current() is None


def test_audit_by_predictions_of_some_rows_keeps_the_others(
    spark: SparkSession, command: Command, tmp_path: Path
) -> None:
    where = "input.where=id < 200"
    assert command("predict", where) == 0
    assert len(read(spark, tmp_path, "predictions")) == 200
    assert audit(command, tmp_path, where) == 0
    suspects, cleaned = (read(spark, tmp_path, name) for name in ("suspects", "cleaned"))
    assert {row["id"] for row in cleaned} == set(range(ROWS)) - {row["id"] for row in suspects}
