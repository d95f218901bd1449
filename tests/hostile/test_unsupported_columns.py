"""Columns that an output cannot hold: found before any work, or written all the same."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pytest
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import sparkclean
from sparkclean.commands.main import main
from sparkclean.errors import InputError, PublishConflictError
from sparkclean.lake import open_target
from sparkclean.lake.unsupported_columns import mapped_columns, unsupported_columns
from sparkclean.runs.outputs import Outputs
from sparkclean.runs.status import CLEANED_CONFLICT, FAILED, PUBLISHED
from tests.data import noisy_data, write_table
from tests.lake.test_committed import publish
from tests.tables import NAMES, Place
from tests.unit.test_lake_schemas import array, field, mapping, struct

PROBS = noisy_data(120, 3, seed=4)
UDT = {"type": "udt", "pyClass": "pyspark.ml.linalg.VectorUDT", "sqlType": struct(values="double")}


def unsupported(kind: Any, table_format: str, **session: Any) -> list[str]:
    return unsupported_columns(json.dumps(struct(id="long", x=kind)), table_format, **session)


@pytest.mark.parametrize(
    ("kind", "formats", "said"),
    [
        ("void", "iceberg", "column 'x' holds nothing but nulls (void)"),
        (struct(a="void"), "delta iceberg", "column 'x.a' holds nothing but nulls (void)"),
        (array("void"), "delta iceberg", "column 'x.element' holds nothing but nulls (void)"),
        ("variant", "iceberg", "column 'x' is of type variant"),
        (mapping("string", "variant"), "iceberg", "column 'x.value' is of type variant"),
        ("interval day to second", "delta iceberg", "is of type interval day to second"),
        ("interval year to month", "delta iceberg", "is of type interval year to month"),
        ("interval", "parquet delta iceberg", "column 'x' is of type interval"),
        (array(struct(b="time(6)")), "parquet delta iceberg", "'x.element.b' is of type time(6)"),
        (struct(), "parquet delta iceberg", "column 'x' is a struct without fields"),
        (UDT, "iceberg", "column 'x' is of type VectorUDT"),
        (array(struct(b="long", B="long")), "parquet delta iceberg", "column 'x.B' is there twice"),
        ("decimal(38,38)", "", ""),
        ("timestamp_ntz", "", ""),
        ("byte", "", ""),
        (mapping(struct(a="binary"), array("short")), "", ""),
    ],
    ids=str,
)
def test_unheld_columns_are_named_with_the_reason(kind: Any, formats: str, said: str) -> None:
    found = {name: unsupported(kind, name) for name in ("parquet", "delta", "iceberg")}
    assert {name for name, texts in found.items() if texts} == set(formats.split())
    assert all(said in text for texts in found.values() for text in texts)


def test_unheld_columns_depend_on_session_and_version() -> None:
    twice = struct(a="long", A="long")
    assert unsupported(twice, "parquet") == ["column 'x.A' is there twice, in upper and lower case"]
    assert unsupported(twice, "parquet", case_sensitive=True) == []
    assert unsupported(twice, "delta", case_sensitive=True) != []
    assert unsupported("void", "parquet", spark_version="4.1.4") == []
    assert unsupported("void", "parquet", spark_version="3.5.9") != []
    collated = field("x", "string") | {"metadata": {"__COLLATIONS": {"x": "icu.UNICODE_CI"}}}
    schema = json.dumps({"type": "struct", "fields": [collated, field("", "long")]})
    assert unsupported_columns(schema, "delta") == ["column 'x' is text with a collation"]
    assert unsupported_columns(schema, "iceberg") == ["column '' has no name"]


def test_mapped_columns_are_those_with_a_character_that_delta_refuses() -> None:
    plain = {"a.b": "long", "a`b": "long", "a/b": "long", "é": "long", "1": "long", "a:b": "long"}
    odd = [f"a{character}b" for character in " ,;{}()\n\t="]
    inner = array(struct(**{"no good": "long"}))
    text = json.dumps(struct(**plain, **dict.fromkeys(odd, "long"), x=inner))
    assert mapped_columns(text) == [*odd, "x.element.no good"]


def audit(folder: Path, kind: str, *words: str, **sections: Any) -> int:
    config = {
        "input": {"table": str(folder / "in")},
        "output": {name: f"{folder}/out/{name}" for name in NAMES}
        | {"format": kind, "work": str(folder / "work")},
    }
    path = folder / "config.json"
    path.write_text(json.dumps(config | sections))
    return main(["audit", "--config", str(path), *words])


def test_delta_target_maps_names_that_delta_refuses(spark: SparkSession, tmp_path: Path) -> None:
    target = open_target(f"{tmp_path}/cleaned", "delta", spark=spark, work=tmp_path / "work")
    rows = spark.range(3).select(
        F.col("id").alias("record id"), F.struct(F.col("id").alias("no good")).alias("x")
    )
    schema = rows.schema.json()
    assert target.unsupported_columns(schema, spark) == []
    first = publish(target, "r1", rows, accumulate=False)
    assert target.unsupported_columns(schema, spark) == []
    publish(target, "r2", rows.limit(2), accumulate=False, parent=first.number)
    found = spark.read.format("delta").load(f"{tmp_path}/cleaned")
    assert found.schema.simpleString() == rows.schema.simpleString()
    assert sorted(row["record id"] for row in found.collect()) == [0, 1]
    assert all(row["x"]["no good"] == row["record id"] for row in found.collect())
    # rows of runs, too
    runs = open_target(f"{tmp_path}/suspects", "delta", spark=spark, work=tmp_path / "work")
    for run in ("r1", "r2"):
        publish(runs, run, rows.withColumn("run_id", F.lit(run)))
    assert runs.frame(spark).count() == 6
    # a table that was made without column mapping does not take them any more
    plain = open_target(f"{tmp_path}/plain", "delta", spark=spark, work=tmp_path / "work")
    publish(plain, "r1", spark.range(3).toDF("id"), accumulate=False)
    assert plain.unsupported_columns(spark.range(1).schema.json(), spark) == []
    one, other = plain.unsupported_columns(schema, spark)
    assert one.startswith("column 'record id' has a character that this table, which was made with")
    assert other.startswith("column 'x.no good' has a character that this table")


def test_audit_of_a_type_that_the_output_cannot_hold_is_refused_before_any_work(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    plain = write_table(tmp_path / "plain", *PROBS)
    frame = spark.read.parquet(str(plain)).withColumn("age", F.expr("interval 3 days"))
    frame.write.parquet(str(tmp_path / "in"))
    for words in (["--dry-run"], ["--run-id", "r1"]):
        assert audit(tmp_path, "delta", *words) == 3
        said = capsys.readouterr().err
        assert f"output.cleaned: {tmp_path}/out/cleaned: column 'age' is of type interval" in said
        assert "choose another output.format" in said
        assert not (tmp_path / "out").exists()


def test_run_that_fails_after_its_first_publication_leaves_a_record_that_counts_nothing(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_table(tmp_path / "in", *PROBS)
    assert audit(tmp_path, "parquet", "--run-id", "r1") == 0
    runs = open_target(f"{tmp_path}/out/runs")
    before = len(sparkclean.read(spark, f"{tmp_path}/out/suspects").collect())
    real = Outputs.publish
    for error, code in (
        (RuntimeError("of a library"), 1),
        (AnalysisException("of Spark"), 1),
        (OSError(errno.ENOSPC, "No space left on device"), 1),
        (InputError("of a table"), 3),
        (PublishConflictError("of two runs"), 5),
    ):

        def fail(self: Outputs, name: str, error: Exception = error, **options: Any) -> Any:
            if name == "cleaned":
                raise error
            return real(self, name, **options)

        with monkeypatch.context() as patch:
            patch.setattr(Outputs, "publish", fail)
            assert audit(tmp_path, "parquet", "--run-id", "r2") == code
        record = runs.find_record("audit", "r2")
        wanted = CLEANED_CONFLICT if isinstance(error, PublishConflictError) else FAILED
        assert record["status"] == wanted, error
        counted = sparkclean.read(spark, f"{tmp_path}/out/suspects").select("run_id").collect()
        assert {row["run_id"] for row in counted} == ({"r1"} if wanted == FAILED else {"r1", "r2"})
    assert audit(tmp_path, "parquet", "--run-id", "r2") == 0
    statuses = {row["run_id"]: row["status"] for row in runs.head(9).to_pylist()}
    assert statuses["r2"] == PUBLISHED
    counted = sparkclean.read(spark, f"{tmp_path}/out/suspects").select("run_id").collect()
    assert [row["run_id"] for row in counted].count("r2") == before


@pytest.mark.full
def test_run_that_fails_after_its_first_publication_counts_for_nothing_until_it_is_repeated(
    spark: SparkSession, tmp_path: Path
) -> None:
    place = Place(spark, tmp_path, "delta")
    assert place.audit(run_id="r1") == 0
    cleaned = f"delta.`{place.prefix}cleaned`"
    before = place.read("suspects")
    # the output that is published last refuses a row that only another mode keeps
    gone = min(row["id"] for row in before)
    spark.sql(f"ALTER TABLE {cleaned} ADD CONSTRAINT small CHECK (id <> {gone})")
    assert place.audit("clean.mode=relabel", run_id="r2") == 3
    record = place.target("runs").find_record("audit", "r2")
    assert record["status"] == FAILED
    assert "small" in record["message"]
    assert {row["run_id"] for row in place.read("suspects")} == {"r1"}
    assert len(place.read("suspects")) == len(before)
    spark.sql(f"ALTER TABLE {cleaned} DROP CONSTRAINT small")
    assert place.audit("clean.mode=relabel", run_id="r2") == 0
    statuses = {row["run_id"]: row["status"] for row in place.read("runs")}
    assert statuses == {"r1": PUBLISHED, "r2": PUBLISHED}
    found = [row["run_id"] for row in place.read("suspects")]
    assert found.count("r2") == found.count("r1") == len(before)
