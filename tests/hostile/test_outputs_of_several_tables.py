"""Outputs know of which table they are: datasets refuse another, shared outputs are told apart."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

import sparkclean
from sparkclean.commands.main import main
from sparkclean.errors import ConfigError, InputError
from sparkclean.lake import Pin, open_source, open_target
from sparkclean.runs.targets import check_same_table
from tests.data import noisy_data, write_table
from tests.lake.helpers import IDENTITY, publish

PIN = Pin("parquet", "/data/a", None, "files-0")


# -- datasets ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("history", "pin", "refused"),
    [
        ([], PIN, False),
        ([None], PIN, False),  # a version of before, which the next run adopts
        (["/data/a"], PIN, False),
        (["/data/b"], PIN, True),
        (["/data/b", "/data/a"], PIN, False),  # adopted once
        (["/data/a", "/data/b"], PIN, True),
        (["/data/b", None], PIN, True),  # written by older software in between
        (["delta:7"], replace(PIN, format="delta", table="/moved/a", table_id="7"), False),
        (["delta:7"], replace(PIN, format="delta", table_id="8"), True),
        (["lake.db.a"], replace(PIN, format="iceberg", table="lake.db.b"), True),
        # replaced under its name
        (["lake.db.a"], replace(PIN, format="delta", table="lake.db.a", table_id="8"), False),
    ],
)
def test_dataset_of_another_table_is_refused(
    tmp_path: Path, history: list[str | None], pin: Pin, refused: bool
) -> None:
    target = open_target(str(tmp_path / "cleaned"))
    for i, table in enumerate(history):
        of = {} if table is None else {"of_table": table, "input_table": table}
        publish(target, f"r{i}", accumulate=False, parent=i or None, properties=IDENTITY | of)
    if not refused:
        check_same_table({"cleaned": target}, pin)
        return
    with pytest.raises(InputError) as caught:
        check_same_table({"cleaned": target}, pin)
    message = str(caught.value)
    assert message.startswith(f"output.cleaned: {tmp_path}/cleaned holds versions of table ")
    assert f"this run is of {pin.table}" in message
    assert "output.adopt: true" in message


Audit = Callable[..., int]


@pytest.fixture
def audit(spark: SparkSession, tmp_path: Path) -> Audit:
    def run(table: str, run_id: str, *words: str, output: dict[str, Any] | None = None) -> int:
        place = tmp_path / table
        if not place.exists():
            write_table(place, *noisy_data(200, 3, seed=len(table)))
        if output is None:
            output = {
                name: str(tmp_path / "out" / name) for name in ("suspects", "cleaned", "runs")
            }
        config = {
            "input": {"table": str(place)},
            "output": dict.fromkeys(("rejected", "classes", "pairs")) | output,
        }
        path = tmp_path / "config.json"
        path.write_text(json.dumps(config))
        return main(["audit", "--config", str(path), "--run-id", run_id, *words])

    return run


def test_audits_of_two_tables_share_suspects_and_not_the_dataset(
    spark: SparkSession, audit: Audit, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = {name: str(tmp_path / "out" / name) for name in ("suspects", "cleaned", "runs")}
    assert audit("one", "r1") == 0
    for words in (("--dry-run",), ()):
        assert audit("second", "r2", *words) == 3
        error = capsys.readouterr().err
        assert f"output.cleaned: {out['cleaned']} holds versions of table {tmp_path}/one" in error
    assert len(open_target(out["suspects"]).versions()) == 1  # nothing was written
    assert audit("second", "r2", "--set", "output.adopt=true") == 0
    assert audit("one", "r3") == 3
    assert audit("second", "r4", "--set", "method.filter_by=both") == 0
    capsys.readouterr()

    # rows of both tables in one output
    tables = f"holds the rows of 2 tables: {tmp_path}/one, {tmp_path}/second. Name the one"
    with pytest.raises(ConfigError, match="2 tables") as caught:
        sparkclean.read(spark, out["suspects"])
    assert tables in str(caught.value)
    runs = {
        table: {
            row["run_id"]
            for row in sparkclean.read(
                spark, out["suspects"], table=str(tmp_path / table)
            ).collect()
        }
        for table in ("one", "second")
    }
    assert runs == {"one": {"r1"}, "second": {"r2", "r4"}}
    with pytest.raises(ConfigError, match="no rows that are known to be of table third; it has"):
        sparkclean.read(spark, out["suspects"], table="third")
    assert sparkclean.read(spark, out["suspects"], 1).count() > 0  # one table then
    assert sparkclean.read(spark, out["cleaned"]).count() > 0
    assert sparkclean.read(spark, out["runs"]).count() == 3  # each row says of which table it is

    assert main(["show", out["suspects"]]) == 2
    assert tables in capsys.readouterr().err
    shown = {"one": "r1", "second": "r4"}
    for table, run in shown.items():
        assert main(["show", out["suspects"], "-n", "1", "--table", str(tmp_path / table)]) == 0
        assert run in capsys.readouterr().out
    assert main(["show", out["suspects"], "-n", "1", "--version", "r2"]) == 0
    assert "r2" in capsys.readouterr().out
    assert main(["show", out["runs"], "-n", "1"]) == 0


def test_audit_of_a_moved_table_is_refused_until_adopted(
    audit: Audit, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    output = {"cleaned": str(tmp_path / "cleaned"), "suspects": None, "runs": None}
    assert audit("one", "r1", output=output) == 0
    shutil.move(tmp_path / "one", tmp_path / "moved")
    assert audit("moved", "r2", output=output) == 3
    assert "output.adopt: true if that table has moved" in capsys.readouterr().err
    assert audit("moved", "r2", output=output | {"adopt": True}) == 0


def test_audit_with_default_places_says_where_those_of_before_are(
    audit: Audit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("suspects", "runs"):
        publish(open_target(f"out/{name}"), "before")
    output = {"cleaned": None}
    assert audit("one", "r1", output=output) == 0
    error = capsys.readouterr().err
    assert (
        "out/suspects, out/runs: written by earlier runs, and left as they are: by default this "
        f"run writes to {tmp_path}/out/one. To keep writing there, name these locations, such as "
        "output.suspects: out/suspects"
    ) in error.replace("\n", " ")
    assert sorted(path.name for path in (tmp_path / "out" / "one").iterdir()) == [
        "runs",
        "suspects",
    ]
    assert audit("one", "r2", output=output) == 0
    assert "written by earlier runs" not in capsys.readouterr().err


# -- what tells a table from others ----------------------------------------------------------------


@pytest.mark.full
def test_delta_table_is_the_same_by_path_and_by_name(spark: SparkSession, tmp_path: Path) -> None:
    place, name = f"{tmp_path}/t", f"t{uuid.uuid4().hex[:8]}"
    spark.range(3).write.format("delta").save(place)
    spark.sql(f"CREATE TABLE {name} USING delta LOCATION '{place}'")
    first = _identity(spark, place)
    assert first.startswith("delta:")
    assert _identity(spark, name) == first
    spark.range(4).write.format("delta").mode("overwrite").save(place)
    assert _identity(spark, name) == first
    # which is why a table is the same by its place, too
    spark.sql(f"CREATE OR REPLACE TABLE {name} USING delta AS SELECT 1L AS id")
    assert _identity(spark, name) != first
    spark.sql(f"DROP TABLE {name}")


@pytest.mark.full
def test_iceberg_table_is_the_same_when_renamed_and_replaced(spark: SparkSession) -> None:
    space = f"lake.i{uuid.uuid4().hex[:8]}"
    spark.sql(f"CREATE NAMESPACE {space}")
    spark.range(3).writeTo(f"{space}.a").using("iceberg").create()
    first = _identity(spark, f"{space}.a")
    assert first.startswith("iceberg:")
    spark.sql(f"ALTER TABLE {space}.a RENAME TO {space.removeprefix('lake.')}.b")
    assert _identity(spark, f"{space}.b") == first
    spark.range(3).writeTo(f"{space}.b").using("iceberg").createOrReplace()
    assert _identity(spark, f"{space}.b") == first
    spark.range(3).writeTo(f"{space}.a").using("iceberg").create()
    assert _identity(spark, f"{space}.a") != first


def _identity(spark: SparkSession, table: str) -> str:
    return open_source(table, spark=spark).pin().table_identity
