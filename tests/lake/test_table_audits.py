"""`sparkclean audit` from and to Delta and Iceberg: the same answer, once for a run id."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

import sparkclean
from sparkclean.commands.main import main
from sparkclean.faults import watched
from sparkclean.lake import open_target
from tests.tables import NAMES, ROWS, Place

FULL = pytest.mark.full


@pytest.fixture(params=["delta", "iceberg"])
def place(request: pytest.FixtureRequest, spark: SparkSession, tmp_path: Path) -> Place:
    return Place(spark, tmp_path, request.param)


def test_audit_table_has_the_answer_of_its_files(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "guessed.yaml"
    assert main(["init", place.table, "--to", str(written)]) == 0
    assert "label: label" in written.read_text()
    assert place.audit() == 0
    (record,) = place.read("runs")
    suspects, cleaned = place.read("suspects"), place.read("cleaned")
    assert {row["id"] for row in suspects} | {row["id"] for row in cleaned} == set(range(ROWS))
    assert len(suspects) + len(cleaned) == ROWS
    assert all(row["text"] == f"row {row['id']}" for row in cleaned)
    version = record["dataset_version"]
    assert version.startswith("delta-" if place.kind == "delta" else "snapshot-")
    assert {row["dataset_version"] for row in suspects} == {version}
    for command in ("versions", "show"):
        capsys.readouterr()
        assert main([command, place.prefix + "suspects"]) == 0
        assert "r1" in capsys.readouterr().out
    outputs = {name: str(tmp_path / "plain" / name) for name in NAMES}
    place.table = str(place.files)
    assert place.audit(format="parquet", work=None, **outputs) == 0
    (plain,) = open_target(outputs["runs"]).head(1).to_pylist()
    assert record["result_hash"] == plain["result_hash"]


@FULL
def test_audit_same_run_id_again_does_nothing(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    assert place.audit() == 0
    before = [v.name for v in open_target(place.prefix + "runs", spark=place.spark).versions()]
    capsys.readouterr()
    assert place.audit() == 0
    assert "finished before" in capsys.readouterr().out
    after = [v.name for v in open_target(place.prefix + "runs", spark=place.spark).versions()]
    assert before == after
    assert place.audit("method.filter_by=both") == 5


@FULL
@pytest.mark.parametrize("mode", ["relabel", "weight", "quarantine"])
def test_audit_modes_account_for_every_row(place: Place, mode: str) -> None:
    assert place.audit(f"clean.mode={mode}") == 0
    suspects, cleaned = {row["id"] for row in place.read("suspects")}, place.read("cleaned")
    if mode == "relabel":
        changed = {row["id"] for row in cleaned if row["label_was_changed"]}
        assert (len(cleaned), changed) == (ROWS, suspects)
    elif mode == "weight":
        zero = {row["id"] for row in cleaned if row["sample_weight"] == 0}
        assert (len(cleaned), zero) == (ROWS, suspects)
    else:
        apart = {row["id"] for row in place.read("cleaned-quarantine")}
        assert apart == suspects
        assert apart | {row["id"] for row in cleaned} == set(range(ROWS))


@FULL
def test_audit_second_run_replaces_cleaned_and_adds_suspects(place: Place) -> None:
    assert place.audit() == 0
    assert place.audit("method.filter_by=both", run_id="scheduled:2") == 0
    assert {row["run_id"] for row in place.read("suspects")} == {"r1", "scheduled_x3a2"}
    target = open_target(place.prefix + "cleaned", spark=place.spark)
    first, second = [version for version in target.versions() if version.run_id]
    assert (first.run_id, second.run_id) == ("r1", "scheduled_x3a2")
    counts = [target.frame(place.spark, v.name).count() for v in (first, second)]
    assert counts[0] < counts[1] == len(place.read("cleaned"))


@pytest.mark.parametrize(
    "step",
    [
        pytest.param("run.audited", marks=FULL),
        pytest.param("publish.suspects.end", marks=FULL),
        "publish.cleaned.begin",
    ],
)
def test_audit_failed_at_a_step_is_completed_on_the_same_version(
    place: Place, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("SPARKCLEAN_FAULT", f"{step}:raise")
        assert place.audit() == 1
    assert open_target(place.prefix + "suspects", place.kind, spark=place.spark) is not None
    place.append()  # a duplicate of record ids: the run must not see it
    assert place.audit() == 0
    assert len(place.read("cleaned")) + len(place.read("suspects")) == ROWS
    (record,) = place.read("runs")
    assert record["status"] == "published"


@FULL
def test_audit_of_two_from_one_parent_the_second_exits_5(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    inner: list[int] = []

    def act(name: str) -> None:
        if name == "run.verified" and not inner:
            inner.append(1)
            assert place.audit("method.filter_by=both", run_id="faster") == 0

    with watched(act):
        assert place.audit(run_id="slower") == 5
    assert "published by faster" in capsys.readouterr().err
    assert {row["run_id"] for row in place.read("suspects")} == {"faster", "slower"}
    target = open_target(place.prefix + "cleaned", spark=place.spark)
    assert [v.run_id for v in target.versions() if v.run_id] == ["faster"]


def test_audit_mixed_formats(spark: SparkSession, tmp_path: Path) -> None:
    source = Place(spark, tmp_path, "iceberg")
    suspects = f"delta.`{tmp_path}/suspects`"
    assert source.audit(suspects=suspects) == 0
    assert open_target(suspects, spark=spark).format == "delta"
    found = sparkclean.read(spark, str(tmp_path / "suspects")).count()
    assert found + len(source.read("cleaned")) == ROWS


@FULL
def test_audit_gate_closed_publishes_a_record_alone(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    assert place.audit("gate.max_suspects=1") == 4
    assert f"sparkclean show {place.work} --run-id" in capsys.readouterr().err
    (record,) = place.read("runs")
    assert record["status"] == "gate_failed"
    assert place.audit() == 0
    assert [row["status"] for row in place.read("runs")] == ["published"]


@FULL
def test_revert_and_audit_again(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert place.audit() == 0
    first = len(place.read("cleaned"))
    target = open_target(place.prefix + "cleaned", spark=place.spark)
    number = target.current().number
    assert place.audit("method.filter_by=both", run_id="r2") == 0
    assert main(["revert", place.prefix + "cleaned", "--to", str(number)]) == 0
    assert len(place.read("cleaned")) == first
    assert place.audit("method.filter_by=confident_learning", run_id="r3") == 0
    assert len(place.read("cleaned")) != first
