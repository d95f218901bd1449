"""Input that is not the same when it is read again: refused, told of, or fixed once for a run."""

from __future__ import annotations

import json
import os
import random
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import sparkclean
from sparkclean.commands.main import main
from sparkclean.errors import ConfigError, InputChangedError
from sparkclean.jobs.audit.passes import run_pass
from sparkclean.rows.columns import where
from tests.data import noisy_data, write_table

#: Conditions that may choose other rows the next time, and what is said of them.
UNSTABLE = {
    "rand() < 0.5": "not deterministic",
    "rand(7) < 0.5": "not deterministic",
    "uuid() > 'a'": "not deterministic",
    "shuffle(array(1, 2))[0] = 1": "not deterministic",
    "monotonically_increasing_id() > 2": "not deterministic",
    "input_file_name() != ''": "not deterministic",
    "reflect('java.lang.System', 'nanoTime') > '5'": "not deterministic",
    "dice(id) > 1": "not deterministic",
    "id > (SELECT max(id) FROM others WHERE rand() < .5)": "not deterministic",
    "id IN (SELECT id FROM others WHERE uuid() > 'a')": "not deterministic",
    "EXISTS (SELECT 1 FROM others o WHERE o.id = id AND rand() < .5)": "not deterministic",
    "id > (SELECT count(*) FROM others TABLESAMPLE (50 PERCENT))": "TABLESAMPLE",
    "updated > current_timestamp": "(current_timestamp)",
    "updated > now() - INTERVAL 1 DAY": "(now)",
    "updated > current_date() - 7": "(current_date)",
    "updated > CURDATE()": "(current_date)",
    "updated > localtimestamp()": "(localtimestamp)",
    "unix_timestamp() > 5": "(current_timestamp)",
    "current_timezone() = 'UTC'": "(current_timezone)",
    "updated > 'today'": "(today)",
    "updated > cast(' Yesterday' AS date)": "(yesterday)",
    "updated > TIMESTAMP 'now'": "(now)",
    "updated > /* a day */ DATE /* 'x' */ 'today'": "(today)",
    "id > (SELECT max(id) FROM others WHERE updated < now())": "(now)",
    "id > (SELECT max(id) FROM fresh)": "(current_date)",
    f"greatest({', '.join(['updated'] * 30)}, now()) > updated": "(now)",
}
#: Conditions that stay true of the same rows, however they look.
STABLE = [
    "label != 'now()' AND label != 'rand('",
    "label = 'today' OR id > 1  -- now()",
    "id > 1 /* rand() */",
    "updated > DATE '2020-01-01' - 7 AND updated > '2020-01-01'",
    "updated > cast('epoch' AS timestamp)",
    "`now` > 1 AND cast(`today` AS date) > '2020-01-01'",
    "same(id) > 1",
    "id IN (SELECT id FROM others)",
    "updated < :run_time AND label != ':run_time'",
]
MOMENT = "2026-11-30T07:00:00.000001+00:00"


@pytest.fixture(scope="module")
def table(spark: SparkSession) -> DataFrame:
    frame = spark.sql(
        "SELECT id, string(id) AS label, TIMESTAMP '2026-11-30 08:00:00' AS updated, id AS now, "
        "'2026-11-30' AS today FROM range(3)"
    )
    frame.createOrReplaceTempView("others")
    frame.where("updated < current_date()").createOrReplaceTempView("fresh")
    spark.udf.register("dice", F.udf(lambda value: value, "long").asNondeterministic())
    spark.udf.register("same", F.udf(lambda value: value, "long"))
    return frame


@pytest.mark.parametrize("condition", UNSTABLE)
def test_where_that_may_choose_other_rows_is_refused(table: DataFrame, condition: str) -> None:
    with pytest.raises(ConfigError) as caught:
        where(table, condition)
    message = str(caught.value)
    assert message.startswith("input.where: ")
    assert UNSTABLE[condition] in message
    assert ":run_time" in message


@pytest.mark.parametrize("condition", STABLE)
def test_where_that_chooses_the_same_rows_is_taken(table: DataFrame, condition: str) -> None:
    where(table, condition, MOMENT)


def test_where_through_sql_functions_is_refused(spark: SparkSession, table: DataFrame) -> None:
    if int(spark.version.split(".")[0]) < 4:
        pytest.skip("there are no SQL functions before Spark 4")
    for text in (
        "drawn() RETURNS DOUBLE RETURN rand()",
        "yesterday() RETURNS DATE RETURN current_date - 1",
        "week() RETURNS DATE RETURN yesterday() - 6",
        "two() RETURNS INT RETURN 1 + 1",
    ):
        spark.sql(f"CREATE OR REPLACE TEMPORARY FUNCTION {text}")
    where(table, "two() > id")
    for condition, reason in {
        "drawn() < .5": "not deterministic",
        "updated > yesterday()": "(current_date in yesterday)",
        "id > (SELECT count(*) FROM others WHERE updated > week())": "(current_date in yesterday)",
    }.items():
        with pytest.raises(ConfigError) as caught:
            where(table, condition)
        assert reason in str(caught.value)


def test_where_at_the_run_time_chooses_the_rows_of_that_moment(spark: SparkSession) -> None:
    zone = spark.conf.get("spark.sql.session.timeZone")
    moments = spark.sql("SELECT TIMESTAMP '2026-11-30T07:00:00Z' + make_interval(0,0,0,0,0,0,id * "
                        "0.000001) AS at FROM range(3)")  # fmt: skip
    assert where(moments, "at <= :run_time", MOMENT).count() == 2
    try:
        spark.conf.set("spark.sql.session.timeZone", "America/New_York")
        assert where(moments, "at <= :run_time", MOMENT).count() == 2
    finally:
        spark.conf.set("spark.sql.session.timeZone", zone)


@pytest.mark.parametrize("name", ["audit", pytest.param("run", marks=pytest.mark.full)])
def test_run_time_is_fixed_once_for_a_run_and_repeated(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    given, probs = noisy_data(900, 3, seed=4)
    begin = datetime.now(timezone.utc) - timedelta(seconds=20)
    # other rows in each second in which it is looked at
    updated = [begin + timedelta(milliseconds=100 * i) for i in range(900)]
    features = pa.array(probs.tolist())
    write_table(tmp_path / "in", given, probs, updated=pa.array(updated), features=features)
    outputs = ("suspects", "cleaned", "runs", "predictions", "models")
    content = {
        "input": {"table": str(tmp_path / "in"), "where": "updated <= :run_time"},
        "predict": {"features": "features", "n_folds": 2},
        "clean": {"mode": "weight"},
        "output": {output: str(tmp_path / "out" / output) for output in outputs}
        | dict.fromkeys(("rejected", "classes", "pairs")),
    }
    config = tmp_path / "config.json"
    config.write_text(json.dumps(content))
    command = [name, "--config", str(config), "--run-id", "r1"]
    with monkeypatch.context() as patch:
        patch.setenv("SPARKCLEAN_FAULT", "publish.cleaned.begin:raise")
        assert main(command) == 1
    assert main(command) == 0
    read = {
        output: sparkclean.read(spark, str(tmp_path / "out" / output)).collect()
        for output in outputs[: 3 if name == "audit" else 4]
    }
    (moment,) = {json.loads(row["input"])["run_time"] for row in read["runs"]}
    there = {i for i, at in enumerate(updated) if at <= datetime.fromisoformat(moment)}
    assert 0 < len(there) < 900
    assert {row["rows"] for row in read["runs"]} == {len(there)}
    suspects = {row["id"] for row in read["suspects"]}
    weights = {row["id"]: row["sample_weight"] for row in read["cleaned"]}
    assert {key for key, weight in weights.items() if weight == 0.0} == suspects != set()
    assert {weights[key] for key in set(range(900)) - there} == {1.0}
    assert np.mean([weights[key] != 1.0 for key in there]) > 0.5


# -- what a later pass reads must be what an earlier one has read ----------------------------------

#: A score that takes a second pass, whatever the bounds are.
TWO_PASSES = "prior_shifted_self_confidence"


def examples(spark: SparkSession, folder: Path) -> DataFrame:
    return spark.read.parquet(str(write_table(folder, *noisy_data(600, 3, seed=4))))


@pytest.fixture(scope="module")
def drawn(spark: SparkSession) -> None:
    """Register functions that Spark takes for deterministic."""
    functions = {
        "shuffled": (lambda values: random.sample(values, len(values)), "array<double>"),
        "toss": (lambda _: random.random() < 0.5, "boolean"),
    }
    for name, (function, kind) in functions.items():
        spark.udf.register(name, F.udf(function, kind))


@pytest.mark.usefixtures("drawn")
@pytest.mark.parametrize(
    ("name", "made"),
    [("label", "if(toss(id), label, 0)"), ("pred_probs", "shuffled(pred_probs)")],
)
def test_audit_of_a_frame_that_changes_between_passes_is_refused(
    spark: SparkSession, tmp_path: Path, name: str, made: str
) -> None:
    frame = examples(spark, tmp_path).withColumn(name, F.expr(made))
    with pytest.raises(InputChangedError) as caught:
        sparkclean.audit(frame, ranked_by=TWO_PASSES)
    assert caught.value.exit_code == 3
    assert "changed between two reads: of class 0 " in str(caught.value)
    assert "valid rows and a self-confidence of 0." in str(caught.value)


@pytest.mark.usefixtures("drawn")
def test_audit_of_rows_drawn_anew_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(InputChangedError, match=r"between two reads: [\d,]+, then [\d,]+ rows"):
        sparkclean.audit(examples(spark, tmp_path).where("toss(id)"))


def test_audit_of_a_frame_whose_plan_is_unstable_warns(spark: SparkSession, tmp_path: Path) -> None:
    frame = examples(spark, tmp_path)
    with sparkclean.audit(frame, ranked_by=TWO_PASSES) as plain:
        assert plain.warnings == ()
    for condition, said in {
        "current_date() > '2020-01-01'": "the current time or time zone (current_date)",
        "rand() < 2": "what Spark calls not deterministic",
    }.items():
        with sparkclean.audit(frame.where(condition)) as result:
            assert result.num_suspects == plain.num_suspects
            assert f"the DataFrame depends on {said}" in result.warnings[0]


def test_audit_of_files_replaced_between_passes_is_refused(
    spark: SparkSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    given, probs = noisy_data(600, 3, seed=4)
    (file,) = write_table(tmp_path / "in", given, probs).iterdir()
    write_table(tmp_path / "other", given, np.roll(probs, 1, axis=0))
    before = file.stat()
    content = (tmp_path / "other" / file.name).read_bytes()
    assert len(content) == before.st_size

    def replace(scanner: Any, name: str, *kernels: Any) -> Any:
        found = run_pass(scanner, name, *kernels)
        file.write_bytes(content)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        return found

    monkeypatch.setattr("sparkclean.jobs.audit.passes.run_pass", replace)
    output = {name: str(tmp_path / "out" / name) for name in ("suspects", "cleaned", "runs")}
    config = tmp_path / "config.json"
    content_of = {
        "input": {"table": str(tmp_path / "in")},
        "method": {"ranked_by": TWO_PASSES},
        "output": output | dict.fromkeys(("rejected", "classes", "pairs")),
    }
    config.write_text(json.dumps(content_of))
    assert main(["audit", "--config", str(config), "--run-id", "r1"]) == 3
    error = capsys.readouterr().err
    assert "changed between two reads: of class 0 " in error
    assert not list((tmp_path / "out" / "suspects").glob("_manifests/*"))
