"""Columns are found as the session finds them; frames that cannot be audited are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import sparkclean
from sparkclean.commands.main import main
from sparkclean.errors import InputError
from sparkclean.rows.columns import find_columns
from tests.data import noisy_data, write_table


@pytest.fixture
def examples(spark: SparkSession, tmp_path: Path) -> DataFrame:
    return spark.read.parquet(str(write_table(tmp_path / "in", *noisy_data(200, 3, seed=4))))


# -- sparkclean.audit(df) ------------------------------------------------------------------------


def test_audit_of_a_stream_is_refused(spark: SparkSession) -> None:
    stream = spark.readStream.format("rate").load()
    with pytest.raises(InputError, match="the DataFrame is a stream, which an audit"):
        sparkclean.audit(stream, id="value", label="value")


def test_audit_of_columns_of_one_name_is_refused(examples: DataFrame) -> None:
    twice = examples.select("*", F.col("label"), F.col("id").alias("ID"))
    with pytest.raises(InputError) as caught:
        sparkclean.audit(twice)
    assert caught.value.findings == (
        "column 'id' may be any of 2 columns of the table: 'id', 'ID'. Rename them, or tell those "
        "apart that differ in case: spark.sql.caseSensitive: true",
        "column 'label' may be any of 2 columns of the table: 'label', 'label'. Rename them, or "
        "tell those apart that differ in case: spark.sql.caseSensitive: true",
    )


def test_audit_of_a_frame_with_other_columns_of_one_name_is_taken(examples: DataFrame) -> None:
    other = F.lit(1).alias("other")
    with sparkclean.audit(examples.select("*", other, other)) as result:
        assert result.num_suspects > 0
        assert result.warnings == ()


@pytest.mark.parametrize("classes", [None, [0, 1, 2]])
def test_audit_of_no_rows_is_refused(examples: DataFrame, classes: list[int] | None) -> None:
    with pytest.raises(InputError) as caught:
        sparkclean.audit(examples.where("id < 0"), classes=classes)
    assert str(caught.value) == "the DataFrame is empty (0 rows to audit)"


def test_audit_of_a_missing_column_names_arguments(examples: DataFrame) -> None:
    with pytest.raises(InputError) as caught:
        sparkclean.audit(examples, label="lable")
    message = str(caught.value)
    assert message.startswith("column 'lable' is not in the table; did you mean 'label'? ")
    assert message.endswith("Set label=")
    with pytest.raises(InputError, match=r"^id=: column 'id' is double; a record id is an integ"):
        sparkclean.audit(examples.withColumn("id", F.col("id").cast("double")))


# -- upper and lower case --------------------------------------------------------------------------


def test_find_columns_follows_the_session(spark: SparkSession) -> None:
    frame = spark.createDataFrame([(1, 2, 3)], "ID int, Label int, `a.b` int")
    assert find_columns(frame, ["id", "label", "A.B"], "x") == ["ID", "Label", "a.b"]
    spark.conf.set("spark.sql.caseSensitive", "true")
    try:
        both = frame.withColumn("id", F.lit(1))
        assert find_columns(both, ["id", "ID"], "x") == ["id", "ID"]
        with pytest.raises(InputError, match="'label' is not in the table; did you mean 'Label'"):
            find_columns(both, ["label"], "x")
    finally:
        spark.conf.set("spark.sql.caseSensitive", "false")


@pytest.mark.parametrize("name", ["audit", pytest.param("run", marks=pytest.mark.full)])
def test_default_names_find_columns_in_other_case(
    spark: SparkSession, tmp_path: Path, name: str
) -> None:
    given, probs = noisy_data(300, 3, seed=4)
    table = pa.table({"ID": range(300), "Label": given, "Pred_Probs": list(probs)})
    table = table.append_column("Features", pa.array(probs.tolist()))
    (tmp_path / "in").mkdir()
    pq.write_table(table, tmp_path / "in" / "0.parquet")
    outputs = ("suspects", "cleaned", "runs", "predictions", "models")
    output = {output: str(tmp_path / "out" / output) for output in outputs}
    config = {
        "input": {"table": str(tmp_path / "in")},
        "predict": {"features": "features", "n_folds": 2},
        "clean": {"mode": "relabel"},
        "output": output | dict.fromkeys(("rejected", "classes", "pairs")),
    }
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    assert main([name, "--config", str(path), "--run-id", "r1"]) == 0
    suspects = sparkclean.read(spark, output["suspects"])
    assert suspects.columns[0] == "ID"
    cleaned = sparkclean.read(spark, output["cleaned"])
    assert cleaned.columns == [*table.column_names, "Label_original", "label_was_changed"]
    changed = {row["ID"] for row in cleaned.where("Label != Label_original").collect()}
    assert changed == {row["ID"] for row in suspects.collect()} != set()


# -- outputs that are left out ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("job", "left_out", "code"),
    [
        ("audit", ("predictions", "models"), 0),
        ("predict", ("predictions",), 2),
        ("run", ("models",), 2),
        ("train", ("models",), 2),
    ],
)
def test_null_leaves_out_an_output_unless_the_job_needs_it(
    spark: SparkSession,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    job: str,
    left_out: tuple[str, ...],
    code: int,
) -> None:
    write_table(tmp_path / "in", *noisy_data(200, 3, seed=4))
    output: dict[str, Any] = {"suspects": f"{tmp_path}/suspects", "runs": f"{tmp_path}/runs"}
    output |= dict.fromkeys(("rejected", "classes", "pairs", "cleaned"))
    output |= {name: f"{tmp_path}/{name}" for name in ("predictions", "models")}
    config = {
        "input": {"table": str(tmp_path / "in")},
        "predict": {"features": "pred_probs"},
        "output": output | dict.fromkeys(left_out),
    }
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    assert main([job, "--config", str(path), "--run-id", "r1", "--dry-run"]) == code
    if code:
        error = capsys.readouterr().err
        assert f"output.{left_out[0]}: null, but " in error
        assert " needs it; name a location for it" in error
