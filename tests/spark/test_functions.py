"""Functions of columns on real data: the bits of an audit, in ``select``, SQL and streams."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.ml.functions import array_to_vector
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import sparkclean
from sparkclean import functions
from sparkclean.commands.main import main
from sparkclean.errors import ConfigError, InputError
from sparkclean.jobs.audit.published import collect_published_classes
from tests.conftest import GOLDEN
from tests.data import noisy_data, write_table
from tests.tables import Place

SCORES = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")
NAMES = ("suspects", "rejected", "classes", "pairs", "runs")


def audit_table(folder: Path, table: Path, run_id: str, *settings: str, out: str = "out") -> str:
    """Audit a table by the command; give the location of its classes."""
    output: dict[str, Any] = {name: str(folder / out / name) for name in NAMES}
    config = {"input": {"table": str(table)}, "output": output | {"cleaned": None}}
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    words = [word for setting in settings for word in ("--set", setting)]
    assert main(["audit", "--config", str(path), "--run-id", run_id, *words]) == 0
    return str(output["classes"])


def flagged(frame: DataFrame) -> list[Any]:
    issues = frame.where("issue.is_label_issue").select("id", "issue.suggested_label")
    return sorted((row["id"], row["suggested_label"]) for row in issues.collect())


def suspects(frame: DataFrame, **options: Any) -> list[Any]:
    with sparkclean.audit(frame, filter_by="confident_learning", **options) as result:
        rows = result.suspects.select("id", "suggested_label").collect()
    return sorted((row["id"], row["suggested_label"]) for row in rows)


@pytest.mark.parametrize(
    ("name", "score"),
    [("20news", SCORES[2]), pytest.param("mnist", SCORES[1], marks=pytest.mark.full)],
)
def test_functions_on_golden_data_are_the_scores_of_suspects(
    spark: SparkSession, name: str, score: str
) -> None:
    frame = spark.read.parquet(str(GOLDEN / name / "examples.parquet"))
    columns = [getattr(functions, s)("label", "pred_probs").alias(s) for s in SCORES]
    suggested = functions.suggested_label("label", "pred_probs").alias("suggested")
    predicted = functions.predicted_label("pred_probs").alias("predicted")
    rows = frame.select("id", *columns, suggested, predicted).collect()
    ours = {row["id"]: row for row in rows}
    assert all(row["suggested"] == row["predicted"] for row in rows)
    with sparkclean.audit(frame, ranked_by=score) as result:
        found = result.suspects.collect()
    assert len(found) > 10
    for row in found:
        mine = ours[row["id"]]
        # to the last bit
        assert (mine[score], mine["suggested"]) == (row["label_quality"], row["suggested_label"])
        assert mine["self_confidence"] == row["self_confidence"]


@pytest.mark.full
def test_label_issue_on_the_audited_table_is_its_own_audit(
    spark: SparkSession, tmp_path: Path
) -> None:
    table = GOLDEN / "mnist" / "examples.parquet"
    classes = audit_table(tmp_path, table, "night: 1", "method.filter_by=confident_learning")
    frame = spark.read.parquet(str(table))
    issue = functions.label_issue("label", "pred_probs", classes).alias("issue")
    found = flagged(frame.select("id", issue))
    assert len(found) > 10
    assert found == suspects(frame)
    published = sparkclean.read(spark, str(tmp_path / "out" / "suspects"))
    assert [i for i, _ in found] == sorted(row["id"] for row in published.select("id").collect())


def test_label_issue_of_a_stream_is_the_filter_with_the_thresholds_of_the_audit(
    spark: SparkSession, tmp_path: Path
) -> None:
    """Of new rows in other files, batch by batch; some of them cannot be audited."""
    given, probs = noisy_data(1200, 4, seed=5, noise=0.2)
    old = write_table(tmp_path / "old", given, probs, files=2)
    classes = audit_table(tmp_path, old, "r1", "method.collision=paper")
    given, probs = noisy_data(900, 4, seed=6, noise=0.3)
    given[[3, 800]] = 9
    probs[[5, 600]] *= 2.0
    new = write_table(tmp_path / "new", given, probs, files=3)
    schema = spark.read.parquet(str(new)).schema
    stream = spark.readStream.schema(schema).option("maxFilesPerTrigger", 1).parquet(str(new))
    issue = functions.label_issue("label", "pred_probs", classes).alias("issue")
    score = functions.self_confidence("label", "pred_probs").alias("score")
    writer = stream.select("id", issue, score).writeStream.format("parquet")
    query = (
        writer.option("checkpointLocation", str(tmp_path / "checkpoint"))
        .trigger(availableNow=True)
        .start(str(tmp_path / "scored"))
    )
    assert query.awaitTermination(300)
    assert len([p for p in query.recentProgress if p["numInputRows"]]) == 3
    scored = spark.read.parquet(str(tmp_path / "scored"))

    thresholds = collect_published_classes(spark, classes).thresholds
    frame = spark.read.parquet(str(new))
    options = {"thresholds": thresholds.tolist(), "collision": "paper"}
    assert flagged(scored) == suspects(frame, **options)
    # by thresholds of its own it is another answer
    assert flagged(scored) != suspects(frame, collision="paper")
    null = scored.where("issue.is_label_issue IS NULL").select("id", "score").collect()
    assert sorted((row["id"], row["score"]) for row in null) == [
        (3, None), (5, None), (600, None), (800, None),
    ]  # fmt: skip


def test_label_issue_takes_the_audit_that_is_named(spark: SparkSession, tmp_path: Path) -> None:
    tables = []
    for seed in (1, 2):
        folder = tmp_path / f"in{seed}"
        tables.append(write_table(folder, *noisy_data(200, 3, seed=seed), files=1))
    classes = audit_table(tmp_path, tables[0], "2026-11-30T00:00")
    audit_table(tmp_path, tables[0], "newer", "method.thresholds=[0.3, 0.4, 0.5]")
    newest = collect_published_classes(spark, classes)
    assert (newest.run_id, newest.classes) == ("newer", (0, 1, 2))
    assert newest.thresholds.tolist() == [0.3, 0.4, 0.5]
    for name in ("2026-11-30T00:00", "r_x-2026-11-30T00_x3a00"):
        older = collect_published_classes(spark, classes, name)
        assert older.thresholds.tolist() != [0.3, 0.4, 0.5]
    with pytest.raises(InputError, match=r"run_id: .* has no run 'r9' that counts; it has '2026"):
        functions.label_issue("label", "pred_probs", classes, "r9")

    audit_table(tmp_path, tables[1], "other")
    with pytest.raises(ConfigError, match="holds the rows of 2 tables"):
        functions.label_issue("label", "pred_probs", classes)
    of_first = collect_published_classes(spark, classes, table=str(tables[0]))
    assert of_first.run_id == "newer"
    of_second = collect_published_classes(spark, classes, table=str(tables[1]))
    assert of_second.run_id == "other"
    with pytest.raises(
        InputError, match=r"no run 'newer' that counts and is of .*in2; it has 'oth"
    ):
        collect_published_classes(spark, classes, "newer", str(tables[1]))

    with pytest.raises(InputError, match="'class', so it is not the output classes of an audit"):
        functions.label_issue("label", "pred_probs", str(tmp_path / "out" / "suspects"))
    with pytest.raises(InputError, match=r"nothing was published at .*/out/nothing"):
        functions.label_issue("label", "pred_probs", str(tmp_path / "out" / "nothing"))


@pytest.mark.full
def test_register_makes_the_functions_of_sql(spark: SparkSession, tmp_path: Path) -> None:
    given, probs = noisy_data(200, 3, seed=4, noise=0.3)
    table = write_table(tmp_path / "in", given, probs)
    classes = audit_table(tmp_path, table, "r1")
    names = functions.register(spark, audit=classes, prefix="sc_")
    assert names == (
        "sc_self_confidence", "sc_normalized_margin", "sc_confidence_weighted_entropy",
        "sc_predicted_label", "sc_suggested_label", "sc_label_issue",
    )  # fmt: skip
    frame = spark.read.parquet(str(table))
    frame.createOrReplaceTempView("rows_to_score")
    found = spark.sql(
        "SELECT id, sc_self_confidence(label, pred_probs) AS score, sc_predicted_label(pred_probs) "
        "AS predicted, sc_label_issue(label, pred_probs) AS issue FROM rows_to_score"
    )
    wanted = frame.select(
        "id",
        functions.self_confidence("label", "pred_probs").alias("score"),
        functions.predicted_label("pred_probs").alias("predicted"),
        functions.label_issue("label", "pred_probs", classes).alias("issue"),
    )
    assert found.orderBy("id").collect() == wanted.orderBy("id").collect()
    assert found.where("issue.is_label_issue").count() > 10


@pytest.mark.full
@pytest.mark.parametrize("kind", ["delta", "iceberg"])
def test_label_issue_reads_classes_of_every_format(
    spark: SparkSession, tmp_path: Path, kind: str
) -> None:
    place = Place(spark, tmp_path, kind)
    assert place.audit("method.collision=paper", run_id="2026-11-30") == 0
    assert place.audit("method.collision=cleanlab-2.9", run_id="r2") == 0
    location = place.prefix + "classes"
    newest = collect_published_classes(spark, location)
    older = collect_published_classes(spark, location, "2026-11-30")
    assert (newest.run_id, newest.collision) == ("r2", "cleanlab-2.9")
    assert older.collision == "paper"
    assert np.array_equal(newest.thresholds, older.thresholds)


def test_functions_on_vectors_columns_and_texts(spark: SparkSession) -> None:
    rows = [(0, "no", 0.75, 0.25), (1, "yes", 0.5, 0.5), (2, None, 0.5, 0.5), (3, "x", 0.5, 0.5)]
    frame = spark.createDataFrame(rows, "id int, label string, p0 double, p1 double")
    options = {"classes": ["no", "yes"]}
    both = functions.self_confidence("label", ["p0", F.col("p1")], **options)
    vector = array_to_vector(F.array("p0", "p1"))
    suggested = functions.suggested_label("label", vector, **options)
    found = frame.select("id", both.alias("a"), suggested.alias("b")).orderBy("id").collect()
    assert [tuple(row) for row in found] == [
        (0, 0.75, "no"), (1, 0.5, "no"), (2, None, None), (3, None, None),
    ]  # fmt: skip


@pytest.mark.full
def test_function_of_texts_without_classes_says_what_to_give(spark: SparkSession) -> None:
    frame = spark.createDataFrame([("a", [0.5, 0.5])], "label string, p array<double>")
    with pytest.raises(Exception, match="label: its values are str, but the classes are int; give"):
        frame.select(functions.self_confidence("label", "p")).collect()
