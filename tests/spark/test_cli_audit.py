"""`sparkclean audit` in process: outputs, modes, repetitions, gates."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

import sparkclean
from sparkclean.commands.main import main
from sparkclean.lake import open_target
from tests.data import noisy_data, write_table

ROWS = 400
Audit = Callable[..., int]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    given, probs = noisy_data(ROWS, 4, seed=11)
    images = pa.array([bytes([i % 256]) * 3 for i in range(ROWS)], pa.binary())
    nested = pa.array([{"a": i, "b": [str(i)]} for i in range(ROWS)])
    return write_table(tmp_path / "in", given, probs, files=3, image=images, nested=nested)


@pytest.fixture
def audit(spark: SparkSession, table: Path, tmp_path: Path) -> Audit:
    def run(*settings: str, run_id: str | None = None, **options: bool) -> int:
        names = ("suspects", "cleaned", "rejected", "classes", "pairs", "runs")
        config = {
            "input": {"table": str(table)},
            "output": {name: str(tmp_path / "out" / name) for name in names},
        }
        path = tmp_path / "config.json"
        path.write_text(json.dumps(config))
        argv = ["audit", "--config", str(path)]
        argv += [f"--{name.replace('_', '-')}" for name, wanted in options.items() if wanted]
        argv += ["--run-id", run_id] if run_id else []
        return main([*argv, *(word for setting in settings for word in ("--set", setting))])

    return run


def read(spark: SparkSession, tmp_path: Path, name: str) -> list[dict]:
    frame = sparkclean.read(spark, str(tmp_path / "out" / name))
    return [row.asDict(recursive=True) for row in frame.collect()]


def test_audit_drop_publishes_all_outputs(
    spark: SparkSession, audit: Audit, tmp_path: Path, table: Path, capsys: pytest.CaptureFixture
) -> None:
    assert audit(run_id="a") == 0
    suspects = read(spark, tmp_path, "suspects")
    cleaned = read(spark, tmp_path, "cleaned")
    assert len(suspects) > 10
    assert len(suspects) + len(cleaned) == ROWS
    assert {row["id"] for row in suspects}.isdisjoint(row["id"] for row in cleaned)
    # extra columns are untouched
    original = {row["id"]: row for row in pq.read_table(table).to_pylist()}
    assert all(row["image"] == original[row["id"]]["image"] for row in cleaned)
    assert all(row["nested"] == original[row["id"]]["nested"] for row in cleaned)
    assert [row["rank"] for row in sorted(suspects, key=lambda row: row["rank"])] == list(
        range(1, len(suspects) + 1)
    )
    classes, pairs = read(spark, tmp_path, "classes"), read(spark, tmp_path, "pairs")
    assert sum(row["examples"] for row in classes) == ROWS
    assert sum(row["calibrated_joint"] for row in pairs) == ROWS
    assert sum(row["suspects"] for row in pairs) == len(suspects)
    (record,) = read(spark, tmp_path, "runs")
    assert record["status"] == "published"
    assert record["suspects"] == len(suspects)
    assert len(record["result_hash"]) == 64
    assert json.loads(record["outputs"])["cleaned"]["version"] == "v00000001"
    rows = [*suspects, *classes, *pairs, record]
    assert {row["run_id"] for row in rows} == {"a"}
    assert len({row["config_fingerprint"] for row in rows}) == 1
    shown = capsys.readouterr()
    assert "most confused" in shown.out
    assert "pass 1" in shown.err


def test_audit_same_run_id_again_does_nothing(
    audit: Audit, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    run_id = "scheduled__2026-11-01T00:00:00+00:00"
    assert audit(run_id=run_id) == 0
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    capsys.readouterr()
    assert audit(run_id=run_id) == 0
    assert "finished before" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == before


def test_audit_same_run_id_other_method_exits_5(audit: Audit) -> None:
    assert audit(run_id="a") == 0
    assert audit("method.filter_by=both", run_id="a") == 5


def test_audit_relabel_keeps_the_original(
    spark: SparkSession, audit: Audit, tmp_path: Path
) -> None:
    assert audit("clean.mode=relabel") == 0
    suspects = {row["id"]: row for row in read(spark, tmp_path, "suspects")}
    cleaned = read(spark, tmp_path, "cleaned")
    assert len(cleaned) == ROWS
    for row in cleaned:
        found = suspects.get(row["id"])
        assert row["label_was_changed"] == (found is not None)
        assert row["label"] == (found["suggested_label"] if found else row["label_original"])


def test_audit_weight_gives_0_to_suspects(
    spark: SparkSession, audit: Audit, tmp_path: Path
) -> None:
    assert audit("clean.mode=weight") == 0
    suspects = {row["id"] for row in read(spark, tmp_path, "suspects")}
    rates = {
        row["given_label"]: row["noise_rate"]
        for row in read(spark, tmp_path, "pairs")
        if row["given_label"] == row["true_label"]
    }
    cleaned = read(spark, tmp_path, "cleaned")
    assert len(cleaned) == ROWS
    for row in cleaned:
        wanted = 0.0 if row["id"] in suspects else 1.0 / rates[row["label"]]
        assert row["sample_weight"] == pytest.approx(wanted)


def test_audit_quarantine_splits_the_input(
    spark: SparkSession, audit: Audit, tmp_path: Path
) -> None:
    assert audit("clean.mode=quarantine") == 0
    apart = {row["id"] for row in read(spark, tmp_path, "cleaned-quarantine")}
    cleaned = {row["id"] for row in read(spark, tmp_path, "cleaned")}
    assert apart == {row["id"] for row in read(spark, tmp_path, "suspects")}
    assert apart | cleaned == set(range(ROWS))
    assert apart.isdisjoint(cleaned)


def test_audit_none_writes_no_cleaned_version(audit: Audit, tmp_path: Path) -> None:
    assert audit("clean.mode=none", "output.rejected=null") == 0
    assert not (tmp_path / "out" / "cleaned").exists()
    assert not (tmp_path / "out" / "rejected").exists()


def test_audit_where_keeps_the_other_rows(
    spark: SparkSession, audit: Audit, tmp_path: Path
) -> None:
    assert audit("input.where=id < 200") == 0
    suspects = {row["id"] for row in read(spark, tmp_path, "suspects")}
    cleaned = {row["id"] for row in read(spark, tmp_path, "cleaned")}
    assert max(suspects) < 200
    assert cleaned == set(range(ROWS)) - suspects


def test_audit_gate_closed_publishes_a_record_alone(
    spark: SparkSession, audit: Audit, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert audit("gate.max_suspects=1", run_id="a") == 4
    error = capsys.readouterr().err
    assert "gate.max_suspects wants at most 1" in error
    staged = next((tmp_path / "out" / "suspects" / "_staging").iterdir())
    assert f"sparkclean show {tmp_path}/out/suspects --run-id a" in error
    assert pq.read_table(staged / "data").num_rows > 1
    assert open_target(str(tmp_path / "out" / "suspects")).current() is None
    assert not list((tmp_path / "out" / "cleaned").glob("_manifests/*"))
    (record,) = read(spark, tmp_path, "runs")
    assert record["status"] == "gate_failed"
    # with the limit lifted the same run id completes
    assert audit(run_id="a") == 0
    (record,) = read(spark, tmp_path, "runs")
    assert record["status"] == "published"


def test_audit_dry_run_writes_nothing(
    audit: Audit, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert audit(dry_run=True) == 0
    shown = capsys.readouterr().out
    assert "scan      files" in shown
    assert "passes    1: class sums and confident joint (thresholds and cutoffs of" in shown
    assert "nothing was written" in shown
    assert not (tmp_path / "out").exists()


def test_audit_second_run_adds_suspects_and_replaces_cleaned(
    spark: SparkSession, audit: Audit, tmp_path: Path
) -> None:
    assert audit(run_id="a") == 0
    assert audit("method.filter_by=both", run_id="b") == 0
    by_run = {row["run_id"] for row in read(spark, tmp_path, "suspects")}
    assert by_run == {"a", "b"}
    cleaned = open_target(str(tmp_path / "out" / "cleaned"))
    assert [version.run_id for version in cleaned.versions()] == ["a", "b"]
    assert cleaned.frame(spark).count() != cleaned.frame(spark, 1).count()


def test_audit_rejected_rows_are_kept_or_removed(
    spark: SparkSession, audit: Audit, tmp_path: Path, table: Path
) -> None:
    given, probs = noisy_data(ROWS, 4, seed=11)
    probs[7] = np.nan
    given[9] = 77
    write_table(table, given, probs, files=3)
    assert audit(run_id="keep") == 0
    rejected = {row["id"]: row["reason"] for row in read(spark, tmp_path, "rejected")}
    assert rejected == {7: "pred_probs_not_finite", 9: "label_not_in_classes"}
    assert {7, 9} <= {row["id"] for row in read(spark, tmp_path, "cleaned")}
    assert audit("clean.rejected=remove", run_id="remove") == 0
    assert {7, 9}.isdisjoint(row["id"] for row in read(spark, tmp_path, "cleaned"))
