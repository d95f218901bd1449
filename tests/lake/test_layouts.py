"""Cleaned versions inside an Iceberg table (branch), and beside a Delta table (clone)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyspark
import pytest
from pyspark.sql import SparkSession

import sparkclean
from sparkclean.commands.main import main
from sparkclean.errors import UnsupportedFeatureError
from sparkclean.lake import open_target
from tests.tables import ROWS, InPlace

FULL = pytest.mark.full
#: Elsewhere they are refused: `test_audit_branch_needs_spark_4`.
HAS_BRANCHES = int(pyspark.__version__.split(".")[0]) >= 4
BRANCHES = pytest.mark.skipif(not HAS_BRANCHES, reason="no branches on Spark 3.5")


@pytest.fixture(params=["delta", "iceberg"] if HAS_BRANCHES else ["delta"])
def place(request: pytest.FixtureRequest, spark: SparkSession, tmp_path: Path) -> InPlace:
    found = InPlace(spark, tmp_path, request.param)
    if found.kind == "iceberg":
        spark.sql(
            f"ALTER TABLE {found.table} SET TBLPROPERTIES ('write.delete.mode' = 'merge-on-read')"
        )
    return found


def test_audit_in_place_drops_suspects_and_leaves_the_table(
    place: InPlace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert place.audit() == 0
    suspects = {row["id"] for row in place.read("suspects")}
    assert place.version() == set(range(ROWS)) - suspects
    assert {row["id"] for row in place.main()} == set(range(ROWS))
    assert sparkclean.read(place.spark, place.cleaned).count() == ROWS - len(suspects)
    assert place.record()["bytes_written"] > 0
    for command in ("versions", "show", "check-version"):
        capsys.readouterr()
        assert main([command, place.cleaned]) == 0
        assert capsys.readouterr().out
    assert place.audit() == 0
    assert "finished before" in capsys.readouterr().out
    assert len(open_target(place.cleaned, spark=place.spark).versions()) == 1


@FULL
def test_audit_in_place_quarantine_accounts_for_every_row(place: InPlace) -> None:
    assert place.audit("clean.mode=quarantine") == 0
    suspects = {row["id"] for row in place.read("suspects")}
    assert place.version(suffix="/quarantine" if place.kind == "iceberg" else "-quarantine") == (
        suspects
    )
    assert place.version() == set(range(ROWS)) - suspects


@FULL
def test_audit_in_place_relabels_without_new_columns(place: InPlace) -> None:
    assert place.audit("clean.mode=relabel") == 2
    assert place.audit("clean.mode=relabel", "clean.keep_original=false") == 0
    suggested = {row["id"]: row["suggested_label"] for row in place.read("suspects")}
    given = {row["id"]: row["label"] for row in place.main()}
    cleaned = sparkclean.read(place.spark, place.cleaned).collect()
    assert {row["id"]: row["label"] for row in cleaned} == given | suggested


@FULL
def test_audit_in_place_later_run_is_current_and_can_be_reverted(
    place: InPlace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert place.audit() == 0
    assert place.audit("method.filter_by=confident_learning", run_id="second:2") == 0
    first, second = place.version(), place.version("second_x3a2")
    assert first != second

    def current() -> set[int]:
        return {r["id"] for r in sparkclean.read(place.spark, place.cleaned).collect()}

    assert current() == second
    assert main(["revert", place.cleaned, "--to", "r1"]) == 0
    assert current() == first
    assert sparkclean.read(place.spark, place.prefix + "suspects").count() > 0
    capsys.readouterr()
    assert main(["clean-up", place.cleaned, "--keep", "3", "--yes"]) == 0
    assert "nothing to clean up" in capsys.readouterr().out
    assert main(["clean-up", place.cleaned, "--keep", "1", "--yes"]) == 0
    # the current one stays, and so does the newest
    assert len(open_target(place.cleaned, spark=place.spark).versions()) == 2
    assert main(["revert", place.cleaned, "--to", "second:2"]) == 0
    assert main(["clean-up", place.cleaned, "--keep", "1", "--yes"]) == 0
    (left,) = open_target(place.cleaned, spark=place.spark).versions()
    assert left.run_id == "second_x3a2"
    assert current() == second


@pytest.mark.parametrize(
    "step",
    [
        pytest.param("edit.made", marks=FULL),
        pytest.param("edit.written", marks=FULL),
        pytest.param("stage.cleaned.end", marks=FULL),
        pytest.param("publish.cleaned.begin", marks=FULL),
        pytest.param("commit.done#6", marks=FULL),
        pytest.param("publish.cleaned.end", marks=FULL),
    ],
)
def test_audit_in_place_failed_at_a_step_is_completed(
    place: InPlace, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    # a failure in process removes what was staged; a kill does not
    monkeypatch.setattr("sparkclean.lake.edits.StagedEdit.discard", lambda _: None)
    with monkeypatch.context() as patch:
        patch.setenv("SPARKCLEAN_FAULT", f"{step}:raise")
        assert place.audit() == 1
    place.append()
    assert place.audit() == 0
    suspects = {row["id"] for row in place.read("suspects")}
    assert place.version() == set(range(ROWS)) - suspects
    (record,) = place.read("runs")
    assert record["status"] == "published"
    assert len(open_target(place.cleaned, spark=place.spark).versions()) == 1


@FULL
@pytest.mark.parametrize("of_this_run", [True, False])
def test_audit_clone_renamed_and_not_sealed_is_used_if_it_is_of_this_run(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, of_this_run: bool
) -> None:
    place = InPlace(spark, tmp_path, "delta")

    def die(*_: object) -> None:
        raise OSError("the power is off")

    with monkeypatch.context() as patch:
        patch.setattr("sparkclean.lake.delta.clone.put_if_absent", die)
        assert place.audit() != 0
    left = Path(place.cleaned) / "r1"
    number = left.stat().st_ino
    assert place.versions() == []
    if not of_this_run:
        log = next((left / "_delta_log").glob("*0.json"))
        log.write_text(log.read_text().replace("original_run_id", "another"))
    assert place.audit() == 0
    assert (left.stat().st_ino == number) == of_this_run
    suspects = {row["id"] for row in place.read("suspects")}
    assert place.version() == set(range(ROWS)) - suspects
    assert len(place.versions()) == 1
    assert not list((Path(place.cleaned) / "_staging").iterdir())


@pytest.mark.full
def test_check_version_of_a_clone_whose_source_lost_files_exits_3(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = InPlace(spark, tmp_path, "delta")
    assert place.audit() == 0
    for file in Path(place.table).glob("*.parquet"):
        file.unlink()
    assert main(["check-version", place.cleaned]) == 3
    assert "are gone" in capsys.readouterr().err
    assert main(["versions", place.cleaned]) == 0
    assert "gone" in capsys.readouterr().out
    assert main(["show", place.cleaned]) == 3
    assert "files of this version are gone or damaged" in capsys.readouterr().err


@FULL
@BRANCHES
def test_audit_branch_copies_on_write_unless_allowed_to_set_properties(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = InPlace(spark, tmp_path, "iceberg")
    assert place.audit() == 0
    assert "copies on write" in capsys.readouterr().err
    assert place.audit("clean.set_table_properties=true", run_id="r2") == 0
    assert place.version("r2") == place.version()
    assert place.record("r2")["bytes_written"] < place.record()["bytes_written"] / 2


@FULL
@BRANCHES
def test_audit_branch_fast_forward_follows_or_exits_5(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = InPlace(spark, tmp_path, "iceberg")
    follow = ("clean.publish=fast_forward", "clean.publish_branch=clean")
    assert place.audit(*follow) == 0
    branch = spark.sql(f"SELECT * FROM {place.table} VERSION AS OF 'clean'")
    assert {row["id"] for row in branch.collect()} == place.version()
    assert place.audit(*follow, run_id="r2") == 5
    assert "input.version: branch:clean" in capsys.readouterr().err
    assert place.audit(*follow, "input.version=branch:clean", run_id="r3") == 0
    place.spark.catalog.refreshTable(place.table)
    assert {row["id"] for row in place.main()} == set(range(ROWS))


@FULL
@BRANCHES
def test_audit_branch_retained_tag_is_kept_by_clean_up(spark: SparkSession, tmp_path: Path) -> None:
    place = InPlace(spark, tmp_path, "iceberg")
    assert place.audit("clean.retain_days=30") == 0
    assert place.audit(run_id="r2") == 0
    assert main(["clean-up", place.cleaned, "--keep", "1", "--yes"]) == 0
    assert len(open_target(place.cleaned, spark=spark).versions()) == 2


def test_audit_branch_of_a_delta_table_is_refused(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = InPlace(spark, tmp_path, "iceberg")
    shutil.rmtree(tmp_path / "delta", ignore_errors=True)
    spark.read.parquet(str(place.files)).write.format("delta").save(str(tmp_path / "delta"))
    place.table = str(tmp_path / "delta")
    assert place.audit() == 2
    assert "clean.layout: branch keeps versions inside the input table" in capsys.readouterr().err


def test_audit_branch_needs_spark_4(
    spark: SparkSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    place = InPlace(spark, tmp_path, "iceberg")
    if HAS_BRANCHES:
        monkeypatch.setattr("sparkclean.lake.iceberg.branch._FIRST_SPARK", 99)
    code = place.audit()
    error = capsys.readouterr().err
    assert (code, spark.version in error) == (UnsupportedFeatureError.exit_code, True)
    assert "use clean.layout copy" in error
