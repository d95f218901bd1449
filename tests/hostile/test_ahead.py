"""What a later job of one command, or a run behind a dry run, would fail on: said at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from sparkclean.commands.main import main
from tests.spark.test_predict import ROWS, examples, run_predict, write


def command(folder: Path, *words: str, **sections: Any) -> int:
    """Run a command; `output` is by name, other sections are as they are."""
    names = ("predictions", "models", "runs", "suspects", "cleaned", "rejected", "classes", "pairs")
    output = {name: str(folder / "out" / name) for name in names}
    config = {
        "input": {"table": str(folder / "in")},
        "predict": {"features": ["vector", "number"], "n_folds": 2},
    }
    config |= sections | {"output": output | sections.get("output", {})}
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    return main([*words, "--config", str(path), "--run-id", "r1"])


def test_run_finds_what_is_wrong_with_the_audit_before_it_predicts(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    labels = [
        None if i in (3, 5, 8, 50) else k for i, k in enumerate(examples()["label"].to_pylist())
    ]
    write(examples(label=pa.array(labels), sample_weight=pa.array([1.0] * ROWS)), tmp_path / "in")
    other = write(examples(10), tmp_path / "other")
    some = {"admission": {"max_rejected_fraction": 0.1}}
    for sections, code, said in (
        ({}, 3, "4 of 240 rows would be rejected (1.67%); admission.max_rejected_fraction allows"),
        ({"classes": [0, 1], **some}, 3, "rows label_not_in_classes, record ids"),
        (
            {"clean": {"mode": "weight"}, **some},
            3,
            "clean.mode: 'weight' adds column 'sample",
        ),
        ({"output": {"cleaned": str(other)}, **some}, 3, str(other)),
        ({"clean": {"layout": "clone"}, **some}, 2, "clean.layout"),
    ):
        for words in (["run"], ["run", "--dry-run"]):
            assert command(tmp_path, *words, **sections) == code, said
            found = capsys.readouterr().err
            assert said in found
            assert "record ids 3 (None); 5 (None); 8 (None); 50 (None): label" in found or sections
            assert not (tmp_path / "out").exists()


def test_run_dry_run_shows_both_jobs_and_what_has_finished(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    write(examples(), tmp_path / "in")
    assert command(tmp_path, "run", "--dry-run") == 0
    shown = capsys.readouterr().out
    assert shown.startswith("plan of predict\n")
    assert "\nnothing was written\n\nplan of audit\n" in shown
    assert "sample    all 240 rows can be used, 3 classes" in shown
    place = tmp_path / "out" / "predictions"
    assert f"probs     {place} (to be predicted)" in shown
    assert "publishes suspects" in shown
    assert not (tmp_path / "out").exists()
    assert command(tmp_path, "run") == 0
    capsys.readouterr()
    assert command(tmp_path, "run", "--dry-run") == 0
    shown = capsys.readouterr().out
    assert shown.count("run r1 has finished before; nothing would be done") == 2
    assert f"probs     {place} (v00000001)" in shown
    # a run id that stands for something else is refused here, too
    changed = {"features": ["vector"], "n_folds": 2}
    for words in (["predict"], ["predict", "--dry-run"]):
        assert command(tmp_path, *words, predict=changed) == 5
        err = capsys.readouterr().err
        assert "has already published predictions" in err
        assert 'predict.features: ["vector", "number"] -> ["vector"]; use a new run id' in err


def test_predict_dry_run_looks_at_rows(
    spark: SparkSession,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ids, number = list(range(ROWS)), examples()["number"].to_pylist()
    ids[7], number[9] = 6, None
    table = examples(id=pa.array(ids), number=pa.array(number))
    assert run_predict(tmp_path, table, files=1, dry=True) == 3
    said = capsys.readouterr().err
    assert "1 record ids in 'id' stand in 2 rows: 6;" in said
    assert "error: predict.features: column 'number': 1 rows are null, NaN or infinite" in said
    probs = pa.array([[0.8, 0.1, 0.1]] * ROWS)
    write(table.append_column("pred_probs", probs), tmp_path / "probs")
    audited = {"input": {"table": str(tmp_path / "probs")}, "predict": None}
    assert command(tmp_path, "audit", "--dry-run", **audited) == 3
    assert "1 record ids in 'id' stand in 2 rows: 6;" in capsys.readouterr().err
    monkeypatch.setattr("sparkclean.learning.first_rows.FIRST_ROWS", 10)
    assert run_predict(tmp_path, dry=True) == 3
    assert "error: of the first 10 rows: predict.features: column" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
