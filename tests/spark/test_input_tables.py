"""Tables through the command: how files lie, what columns are called, what the outputs keep."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from chispa import assert_df_equality
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

import sparkclean
from sparkclean.commands.main import main
from sparkclean.lake import open_target
from tests.data import write_table
from tests.spark.answers import dyadic_data, frame_of, hash_of_arrays

ROWS, K = 120, 4
CHEAP = "predicted_neq_given"
GIVEN, PROBS = dyadic_data(ROWS, K)
NAMES = ("suspects", "cleaned", "rejected", "classes", "pairs", "runs")

pytestmark = pytest.mark.usefixtures("spark")


def audit(place: Path, table: Path, **sections: Any) -> int:
    """Run the command on a table; outputs lie in ``place / "out"``."""
    outputs = {name: str(place / "out" / name) for name in NAMES}
    config: dict[str, Any] = {"input": {"table": str(table)}, "method": {"filter_by": CHEAP}}
    for name, section in ({"output": outputs} | sections).items():
        both = isinstance(section, dict) and isinstance(config.get(name), dict)
        config[name] = config[name] | section if both else section
    path = place / "config.json"
    path.write_text(json.dumps(config))
    return main(["audit", "--config", str(path)])


def rows(place: Path, name: str) -> list[dict[str, Any]]:
    return open_target(str(place / "out" / name)).head(10**6).to_pylist()


def result_hash(place: Path) -> str:
    (record,) = rows(place, "runs")
    return str(record["result_hash"])


# -- how files lie -----------------------------------------------------------------------------


def test_audit_scattered_files_have_the_hash_of_arrays(tmp_path: Path) -> None:
    table = tmp_path / "in"
    whole = pa.table({"id": np.arange(ROWS), "label": GIVEN, "pred_probs": list(PROBS)})
    narrow = pa.schema([("id", "int32"), ("label", "int8"), ("pred_probs", pa.list_(pa.float32()))])
    # many small files at several depths, every other with narrower types, columns in another order
    for i in range(0, ROWS, 3):
        piece = whole.slice(i, 3)
        if i % 2:
            piece = piece.cast(narrow).select(["pred_probs", "label", "id"])
        folder = table.joinpath(*["deep", "er"][: i // 3 % 3], f"{i % 4}")
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(piece, folder / f"{i:03}.parquet")
    # without rows: types that nobody chose; what Spark passes over
    nothing = pa.table({"id": pa.nulls(0), "label": pa.nulls(0), "pred_probs": pa.nulls(0)})
    for empty, none in ((nothing, table / "none"), (whole.slice(0, 0), table / "deep" / "none")):
        none.mkdir()
        pq.write_table(empty, none / "empty.parquet")
    (table / "_SUCCESS").touch()
    (table / ".hidden").mkdir()
    pq.write_table(whole, table / ".hidden" / "copy.parquet")
    assert audit(tmp_path, table) == 0
    assert result_hash(tmp_path) == hash_of_arrays(GIVEN, PROBS, CHEAP)
    suspects = {row["id"] for row in rows(tmp_path, "suspects")}
    cleaned = {row["id"]: row for row in rows(tmp_path, "cleaned")}
    assert set(cleaned) == set(range(ROWS)) - suspects
    assert all(row["pred_probs"] == PROBS[i].tolist() for i, row in cleaned.items())


def test_audit_partition_folders_are_label_and_part_of_the_id(
    spark: SparkSession, tmp_path: Path
) -> None:
    shards = ["a=b", "ä/ö", "Z 1"]
    ids = [(shards[i % 3], i // 3) for i in range(ROWS)]
    data = [(*ids[i], int(GIVEN[i]), PROBS[i].tolist()) for i in range(ROWS)]
    frame = spark.createDataFrame(data, "shard string, n int, label int, pred_probs array<float>")
    frame.coalesce(1).write.partitionBy("shard", "label").parquet(str(tmp_path / "in"))
    columns = {"id": ["shard", "n"]}
    assert audit(tmp_path, tmp_path / "in", columns=columns) == 0
    assert result_hash(tmp_path) == hash_of_arrays(GIVEN, PROBS, CHEAP, ids=ids)
    suspects = {(row["shard"], row["n"]) for row in rows(tmp_path, "suspects")}
    cleaned = rows(tmp_path, "cleaned")
    kept = {(row["shard"], row["n"]): row["label"] for row in cleaned}
    assert kept == {
        key: label for key, label in zip(ids, GIVEN, strict=True) if key not in suspects
    }


# -- labels and names --------------------------------------------------------------------------


def test_audit_labels_of_any_text_are_relabelled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    classes = ["", 'naïve, "quoted"', "zwei\nZeilen\t\x1b[1m", "日本語 'a`b\\"]
    labels = pa.array([classes[g] for g in GIVEN])
    table = write_table(tmp_path / "in", GIVEN, PROBS, label=labels)
    assert audit(tmp_path, table, classes=classes, clean={"mode": "relabel"}) == 0
    assert result_hash(tmp_path) == hash_of_arrays(GIVEN, PROBS, CHEAP, classes=classes)
    suggested = {row["id"]: row["suggested_label"] for row in rows(tmp_path, "suspects")}
    cleaned = rows(tmp_path, "cleaned")
    assert len(cleaned) == ROWS
    for row in cleaned:
        assert row["label_original"] == classes[GIVEN[row["id"]]]
        assert row["label"] == suggested.get(row["id"], row["label_original"])
    assert {row["label"] for row in cleaned} == set(classes)
    assert [row["class"] for row in rows(tmp_path, "classes")] == classes
    # a label can neither break the lines of the summary nor command the terminal
    shown = capsys.readouterr().out
    assert "zwei\\nZeilen\\t\\x1b[1m" in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize("mode", ["relabel", "weight", "quarantine"])
@pytest.mark.parametrize(
    "names",
    [("i.d", "the `label`", "p q", "x.y`z"), ("__id_0", "__fate", "__label", "__suggested")],
    ids=["odd", "internal"],
)
def test_audit_any_column_name_is_kept(
    spark: SparkSession, tmp_path: Path, names: tuple[str, ...], mode: str
) -> None:
    frame = frame_of(spark, GIVEN, PROBS).withColumn("extra", F.col("id") * 2).toDF(*names)
    frame.coalesce(1).write.parquet(str(tmp_path / "in"))
    sections = {
        "columns": {"id": names[0], "label": names[1], "pred_probs": names[2]},
        "clean": {"mode": mode},
        "input": {"table": str(tmp_path / "in"), "where": f"`{names[0]}` < 100"},
    }
    assert audit(tmp_path, tmp_path / "in", **sections) == 0
    cleaned = rows(tmp_path, "cleaned")
    if mode == "quarantine":
        cleaned += rows(tmp_path, "cleaned-quarantine")
    assert tuple(cleaned[0])[:4] == names
    assert {row[names[0]]: row[names[3]] for row in cleaned} == {i: 2 * i for i in range(ROWS)}
    wanted = hash_of_arrays(GIVEN[:100], PROBS[:100], CHEAP)
    assert result_hash(tmp_path) == wanted


@pytest.mark.parametrize("name", ["rank", "run_id", "Given_Label", "detail"])
def test_audit_record_id_named_as_an_output_column_says_so(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    table = tmp_path / "in"
    table.mkdir()
    pq.write_table(
        pa.table({name: np.arange(ROWS), "label": GIVEN, "pred_probs": list(PROBS)}),
        table / "part.parquet",
    )
    assert audit(tmp_path, table, columns={"id": name}) == 3
    error = capsys.readouterr().err
    assert f"columns.id: {name!r}" in error
    assert "rename" in error
    assert not (tmp_path / "out").exists()


# -- record ids outside of input.where ---------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "words"), [(118, "stand in 2 rows: 118"), (None, "1 rows have no record id")]
)
def test_audit_bad_id_outside_of_where_exits_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], value: int | None, words: str
) -> None:
    # the cleaned version keeps these rows and finds the suspects by id
    ids = pa.array([value if i == 119 else i for i in range(ROWS)])
    table = write_table(tmp_path / "in", GIVEN, PROBS, id=ids)
    where = {"table": str(table), "where": "label < 99 AND coalesce(id, 119) < 100"}
    assert audit(tmp_path, table, input=where) == 3
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out" / "cleaned" / "_manifests").exists()


# -- what the cleaned version keeps ------------------------------------------------------------

EXTRA = {
    "nested": "struct(id AS a, struct(array(string(id), NULL) AS c, NULL AS `d.e`) AS b)",
    "image": "unhex(hex(id * 1000003))",
    "at": "timestamp_micros(id * 1234567890123)",
    "local": "cast(timestamp_micros(id * 987654321) AS timestamp_ntz)",
    "day": "date_add(date'1899-12-30', int(id))",
    "money": "cast(id AS decimal(38, 10)) / 7",
    "small": "cast(id - 60 AS tinyint)",
    "boxes": "array(struct(id AS x, id / 3 AS y), NULL)",
    "tags": "map(concat('k', id), array(id, NULL))",
    "noise": "if(id % 3 = 0, float('NaN'), float(id))",
    "zero": "-0.0D",
    "took": "make_dt_interval(0, 0, 0, id)",
    "maybe": "if(id % 2 = 0, NULL, id % 3 = 0)",
    "a b.c": "if(id % 5 = 0, NULL, concat('ü', id, '\\n'))",
    "region": "if(id % 7 = 0, NULL, concat('r/', id % 2))",
}
REJECTED = {30: "pred_probs_not_finite", 31: "label_not_in_classes", 32: "label_null"}
AUDITED_FROM = 20


@pytest.fixture(scope="module")
def carried(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    probs = PROBS.copy()
    probs[30] = np.nan
    label = F.when(F.col("id") == 31, 77).when(F.col("id") != 32, F.col("label"))
    frame = frame_of(spark, GIVEN, probs).withColumn("label", label)
    frame = frame.withColumns({name: F.expr(sql) for name, sql in EXTRA.items()})
    table = tmp_path_factory.mktemp("carried") / "in"
    frame.repartition(2).write.partitionBy("region").parquet(str(table))
    return table


def dropped(original: DataFrame, suspects: dict[int, int], rates: dict[int, float]) -> DataFrame:
    return original.where(~F.col("id").isin(*suspects))


def relabelled(original: DataFrame, suspects: dict[int, int], rates: dict[int, float]) -> DataFrame:
    new: Column = F.col("label")
    for record_id, label in suspects.items():
        new = F.when(F.col("id") == record_id, label).otherwise(new)
    return original.withColumns(
        {
            "label": new,
            "label_original": F.col("label"),
            "label_was_changed": F.col("id").isin(*suspects),
        }
    )


def weighted(original: DataFrame, suspects: dict[int, int], rates: dict[int, float]) -> DataFrame:
    weight: Column = F.lit(1.0)
    for label, rate in rates.items():
        weight = F.when(F.col("label") == label, 1.0 / rate).otherwise(weight)
    outside = (F.col("id") < AUDITED_FROM) | F.col("id").isin(*REJECTED)
    weight = F.when(F.col("id").isin(*suspects), 0.0).when(outside, 1.0).otherwise(weight)
    return original.withColumn("sample_weight", weight)


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [("drop", dropped), ("relabel", relabelled), ("weight", weighted), ("quarantine", dropped)],
)
def test_audit_cleaned_version_is_the_input_but_for_the_mode(
    spark: SparkSession,
    tmp_path: Path,
    carried: Path,
    mode: str,
    wanted: Callable[[DataFrame, dict[int, int], dict[int, float]], DataFrame],
) -> None:
    sections = {
        "input": {"table": str(carried), "where": f"id >= {AUDITED_FROM}"},
        "admission": {"max_rejected_fraction": 0.1},
        "clean": {"mode": mode},
    }
    assert audit(tmp_path, carried, **sections) == 0
    assert {row["id"]: row["reason"] for row in rows(tmp_path, "rejected")} == REJECTED
    suspects = {row["id"]: row["suggested_label"] for row in rows(tmp_path, "suspects")}
    assert len(suspects) > 10
    assert min(suspects) >= AUDITED_FROM
    rates = {
        row["given_label"]: row["noise_rate"]
        for row in rows(tmp_path, "pairs")
        if row["given_label"] == row["true_label"]
    }
    cleaned = sparkclean.read(spark, str(tmp_path / "out" / "cleaned"))
    # what has no type at all is kept as int
    nested = F.col("nested").cast(cleaned.schema["nested"].dataType)
    original = spark.read.parquet(str(carried)).withColumn("nested", nested)
    assert_same(cleaned, wanted(original, suspects, rates))
    if mode == "quarantine":
        apart = sparkclean.read(spark, str(tmp_path / "out" / "cleaned-quarantine"))
        assert_same(apart, original.where(F.col("id").isin(*suspects)))


def assert_same(found: DataFrame, wanted: DataFrame) -> None:
    assert found.count() > 0
    assert_df_equality(
        found,
        wanted,
        ignore_nullable=True,
        allow_nan_equality=True,
        transforms=[lambda frame: frame.orderBy("id")],
    )


def test_audit_relabel_leaves_rows_whose_suggestion_is_the_given_label(
    tmp_path: Path,
) -> None:
    # rows that are sure of their label, of another one, and of none: these have the lowest scores
    # but their argmax is the given label
    kinds = np.array([[40, 14, 10], [24, 40, 0], [22, 21, 21]]).repeat((90, 20, 10), axis=0) / 64
    given = np.arange(ROWS) % 3
    probs = np.array([np.roll(row, shift) for row, shift in zip(kinds, given, strict=True)])
    table = write_table(tmp_path / "in", given, probs)
    method = {"filter_by": "low_self_confidence"}
    assert audit(tmp_path, table, method=method, clean={"mode": "relabel"}) == 0
    suspects = {row["id"]: row for row in rows(tmp_path, "suspects")}
    agreed = {i for i, row in suspects.items() if row["suggested_label"] == row["given_label"]}
    assert 0 < len(agreed) < len(suspects)
    for row in rows(tmp_path, "cleaned"):
        assert row["label_original"] == given[row["id"]]
        assert row["label_was_changed"] == (row["id"] in suspects.keys() - agreed)
        wanted = suspects[row["id"]]["suggested_label"] if row["id"] in suspects else None
        assert row["label"] == (given[row["id"]] if wanted is None else wanted)
