"""`sparkclean rank-models` from tables to outputs: golden data, construction, layouts, errors."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import sparkclean
from benchmarks import leaderboard
from sparkclean import run_job
from sparkclean.errors import ConfigError, InputError

REPOSITORY = Path(__file__).resolve().parents[2]
MMLU = leaderboard.MMLU
ITEMS, MODELS = 60, ("m-a", "m-b", "m-c")


def write(path: Path, columns: dict[str, Any], *, files: int = 1, seed: int | None = None) -> str:
    """Write a folder of Parquet files, in another order where there is a seed."""
    table = pa.table(columns)
    if seed is not None:
        table = table.take(np.random.default_rng(seed).permutation(len(table)))
    path.mkdir(parents=True)
    for k in range(files):
        pq.write_table(table.slice(k * len(table) // files, -(-len(table) // files)), path / f"{k}")
        (path / f"{k}").rename(path / f"part-{k}.parquet")
    return str(path)


def questions(items: int = ITEMS) -> dict[str, Any]:
    """Labels of two classes and a half; every fifth is wrong, and half of these are corrected."""
    number = np.arange(items)
    bad = number % 5 == 0
    right = [str("xyz"[k % 3]) for k in number]
    label = [str("xyz"[(k + b) % 3]) for k, b in zip(number, bad, strict=True)]
    corrected = [r if b and k % 2 else None for k, r, b in zip(number, right, bad, strict=True)]
    state = np.where(bad, "wrong", "ok")
    return {"q": number, "label": label, "corrected": corrected, "state": state}


def answers(items: int = ITEMS) -> dict[str, Any]:
    """Models that are right by residues of the item; some answers are null."""
    right = questions(items)
    rows: dict[str, list[Any]] = {"q": [], "model": [], "answer": []}
    for k in range(items):
        for m, name in enumerate(MODELS):
            rows["q"].append(k)
            rows["model"].append(name)
            answer = right["label"][k] if k % (m + 4) else "xyz"[k % 3]
            rows["answer"].append(None if k % 11 == m else answer)
    return rows


class Study:
    """Two tables, and the configuration that compares them."""

    def __init__(self, folder: Path, **tables: dict[str, Any]) -> None:
        self.folder = folder
        own = {"answers": answers(), "questions": questions()} | tables
        self.places = {name: write(folder / name, of) for name, of in own.items()}
        self.rank: dict[str, Any] = {
            "answers": {
                "table": self.places["answers"], "item": "q", "model": "model",
                "prediction": "answer",
            },
            "labels": {
                "table": self.places["questions"], "item": "q", "corrected": "corrected",
                "valid": "state = 'ok'",
            },
        }  # fmt: skip
        self.prefix, self.more = f"{folder}/out/", {}
        self.tables = {self.places["answers"]}  # that runs were of

    def config(self, **rank: Any) -> dict[str, Any]:
        output = {name: self.prefix + name for name in ("flips", "ranking", "runs")}
        return {"rank": self.rank | rank, "output": output} | self.more

    def run(self, run_id: str = "r1", *overrides: str, **rank: Any) -> Any:
        config = self.config(**rank)
        self.tables.add(config["rank"]["answers"]["table"])
        return run_job("rank-models", config, run_id=run_id, overrides=overrides)

    def rows(self, spark: SparkSession, name: str, run_id: str = "r1") -> list[dict[str, Any]]:
        table = self.rank["answers"]["table"] if name != "runs" and len(self.tables) > 1 else None
        frame = sparkclean.read(spark, self.prefix + name, table=table)
        frame = frame.where(F.col("run_id") == run_id)
        return [row.asDict() for row in frame.collect()]

    def result_hash(self, spark: SparkSession, run_id: str = "r1") -> str:
        (row,) = self.rows(spark, "runs", run_id)
        return str(row["result_hash"])


def flip_of(rows: list[dict[str, Any]], a: str, b: str) -> dict[str, Any]:
    (row,) = [
        row for row in rows if (row["model_a"], row["model_b"], row["metric"]) == (a, b, "accuracy")
    ]
    return row


# -- golden data ---------------------------------------------------------------------------------


def test_mmlu_redux_flips_are_those_of_the_reference(spark: SparkSession, tmp_path: Path) -> None:
    reference = json.loads((MMLU / "reference.json").read_text())
    config = leaderboard.configuration(tmp_path)
    result = run_job("rank-models", config, run_id="golden")
    assert result.metrics["items"] == reference["n"]
    assert result.metrics["bad_items"] == reference["bad"]
    assert result.metrics["prevalence"] == pytest.approx(reference["prevalence"], abs=1e-12)
    ranking = sparkclean.read(spark, str(tmp_path / "ranking")).where("metric = 'accuracy'")
    rows = ranking.collect()
    # the table of the documents is this one
    table = leaderboard.table_of([row.asDict() for row in rows])
    assert table in leaderboard.RESULTS.read_text()
    for row in rows:
        assert row["value"] == pytest.approx(reference["original"][row["model"]], abs=1e-9)
        assert row["clean"] == pytest.approx(reference["clean"][row["model"]], abs=1e-9)
        assert row["low"] < row["value"] < row["high"]
        assert row["rank_low"] <= row["rank_clean"] <= row["rank_high"]
    flips = sparkclean.read(spark, str(tmp_path / "flips")).collect()
    assert len(flips) == 14 * 13 // 2
    (flip,) = [row for row in flips if row["flips"]]
    (expected,) = reference["flips"]
    assert (flip["model_a"], flip["model_b"]) == (expected["a"], expected["b"])
    assert flip["level_prevalence"] == pytest.approx(expected["x"], abs=1e-9)
    assert [flip["original_a"], flip["original_b"]] == pytest.approx(expected["original"], abs=1e-9)
    assert [flip["clean_a"], flip["clean_b"]] == pytest.approx(expected["clean"], abs=1e-9)
    # what it is: not certain, at any prevalence
    assert flip["certain"] is False
    assert flip["level_set"] == [[0.0, 1.0]]
    assert (flip["only_a"], flip["only_b"]) == (250, 258)
    assert flip["holm_p"] == 1.0
    assert "1 of 91 pairs change their order on clean labels, 0 of them certainly" in result.summary


# -- by construction -----------------------------------------------------------------------------


def crossing(x: float, items: int = 4000) -> dict[str, dict[str, Any]]:
    """Two models that are level when a share x of the labels is bad: one copies bad labels.

    On clean labels `careful` is right on 90 % and `copier` on 80 %; on bad ones they agree with
    the label on b and b + .1 (1 - x) / x.
    """
    bad_items = int(items * 0.2)
    is_bad = np.arange(items) < bad_items
    gap = 0.1 * (1 - x) / x
    right = {"careful": (0.9, 0.1), "copier": (0.8, 0.1 + gap)}
    rows: dict[str, list[Any]] = {"q": [], "model": [], "answer": []}
    for name, (on_clean, on_bad) in right.items():
        for k in range(items):
            place, count = (k, bad_items) if is_bad[k] else (k - bad_items, items - bad_items)
            share = on_bad if is_bad[k] else on_clean
            rows["q"].append(k)
            rows["model"].append(name)
            # spread, so that the two models' errors are not the same items
            shifted = (place * 7 + (0 if name == "careful" else 3)) % count
            rows["answer"].append("yes" if shifted < round(share * count) else "no")
    labels = {"q": np.arange(items), "label": ["yes"] * items, "ok": ~is_bad}
    return {"answers": rows, "questions": labels}


@pytest.mark.parametrize("x", [0.12, pytest.param(0.3, marks=pytest.mark.full)])
def test_models_made_to_cross_are_level_at_that_prevalence(
    spark: SparkSession, tmp_path: Path, x: float
) -> None:
    study = Study(tmp_path, **crossing(x))
    study.rank["labels"] = {"table": study.places["questions"], "item": "q", "valid": "ok"}
    study.run()
    (row,) = study.rows(spark, "flips")
    assert row["level_prevalence"] == pytest.approx(x, abs=0.01)
    ((low, high),) = row["level_set"]
    assert low < x < high
    assert high - low < 0.3
    # of 20 % bad labels: the copier leads where the crossing lies below
    assert row["flips"] is (x < 0.2)
    assert row["certain"] is True
    assert row["model_a"] == ("copier" if x < 0.2 else "careful")


@pytest.mark.full
def test_study_by_loops(spark: SparkSession, tmp_path: Path) -> None:
    study = Study(tmp_path)
    result = study.run()
    known, given = questions(), answers()
    answer = dict(zip(zip(given["q"], given["model"], strict=True), given["answer"], strict=True))
    valid = [k for k in range(ITEMS) if known["state"][k] == "ok"]
    fixed = [k for k in range(ITEMS) if known["corrected"][k] is not None]
    rows = {
        row["model"]: row for row in study.rows(spark, "ranking") if row["metric"] == "accuracy"
    }
    for name in MODELS:
        hits = {k for k in range(ITEMS) if answer[k, name] == known["label"][k]}
        right = {k for k in fixed if answer[k, name] == known["corrected"][k]}
        assert rows[name]["value"] == pytest.approx(len(hits) / ITEMS, abs=1e-9)
        assert rows[name]["clean"] == pytest.approx(len(hits & {*valid}) / len(valid), abs=1e-9)
        corrected = len(hits & {*valid}) + len(right)
        expected = corrected / (len(valid) + len(fixed))
        assert rows[name]["corrected"] == pytest.approx(expected, abs=1e-9)
    assert result.metrics["corrected_items"] == len(fixed)
    assert {row["metric"] for row in study.rows(spark, "ranking")} == {
        "accuracy", "balanced_accuracy", "macro_f1",
    }  # fmt: skip
    metrics = json.loads(study.rows(spark, "runs")[0]["metrics"])
    assert {"kendall_tau_clean_accuracy", "kendall_tau_corrected_accuracy"} <= set(metrics)


# -- the same answer however the data lie ---------------------------------------------------------


def test_result_is_the_same_in_any_order_and_partitioning(
    spark: SparkSession, tmp_path: Path
) -> None:
    study = Study(tmp_path)
    study.run()
    study.rank["answers"]["table"] = write(tmp_path / "a2", answers(), files=4, seed=1)
    study.rank["labels"]["table"] = write(tmp_path / "q2", questions(), files=3, seed=2)
    before = spark.conf.get("spark.sql.shuffle.partitions")
    spark.conf.set("spark.sql.shuffle.partitions", "7")
    try:
        study.run("r2")
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", before)
    assert study.result_hash(spark) == study.result_hash(spark, "r2")

    def of(name: str, run_id: str) -> list[str]:
        frame = spark.read.parquet(f"{study.prefix}{name}/data/{run_id}")
        rows = [row.asDict() for row in frame.collect()]
        left_out = ("run_id", "config_fingerprint", "dataset_version")
        return [str({k: v for k, v in row.items() if k not in left_out}) for row in rows]

    for name in ("flips", "ranking"):
        assert of(name, "r1") == of(name, "r2")
    given = answers()
    given["answer"] = ["x", *given["answer"][1:]]
    study.rank["answers"]["table"] = write(tmp_path / "a3", given)
    study.run("r3")
    assert study.result_hash(spark) != study.result_hash(spark, "r3")


def test_a_column_a_model_gives_what_a_row_an_answer_gives(
    spark: SparkSession, tmp_path: Path
) -> None:
    given = answers()
    wide: dict[str, Any] = questions()
    for m, name in enumerate(MODELS):
        wide[name] = given["answer"][m :: len(MODELS)]
    study = Study(tmp_path, wide=wide)
    study.run()
    place = study.places["wide"]
    study.rank["answers"] = {"table": place, "item": "q", "predictions": list(MODELS)}
    study.rank["labels"]["table"] = place  # labels and answers in one table
    study.run("r2")
    assert study.result_hash(spark) == study.result_hash(spark, "r2")


def test_probabilities_count_by_their_highest_class_and_give_log_loss(
    spark: SparkSession, tmp_path: Path
) -> None:
    rng = np.random.default_rng(4)
    probs = rng.dirichlet([1.0, 1.0, 1.0], (ITEMS, 2))
    given = {
        "q": np.repeat(np.arange(ITEMS), 2),
        "model": ["one", "two"] * ITEMS,
        "probs": probs.reshape(-1, 3).tolist(),
    }
    study = Study(tmp_path, answers=given)
    study.rank["answers"] = {
        "table": study.places["answers"], "item": "q", "model": "model", "probabilities": "probs",
    }  # fmt: skip
    study.more = {"classes": ["x", "y", "z"]}
    study.run()
    label = np.array(["xyz".index(x) for x in questions()["label"]])
    rows = {(row["model"], row["metric"]): row for row in study.rows(spark, "ranking")}
    for m, name in enumerate(("one", "two")):
        loss = -np.log(probs[np.arange(ITEMS), m, label]).mean()
        assert rows[name, "log_loss"]["value"] == pytest.approx(loss, abs=1e-8)
        hits = (probs[:, m].argmax(axis=1) == label).mean()
        assert rows[name, "accuracy"]["value"] == pytest.approx(hits, abs=1e-9)
    best = min(("one", "two"), key=lambda name: rows[name, "log_loss"]["value"])
    assert rows[best, "log_loss"]["rank_original"] == 1
    flips = {row["metric"]: row for row in study.rows(spark, "flips")}
    assert flips["log_loss"]["model_a"] == best
    assert flips["log_loss"]["mcnemar_p"] is None


# -- what is known of the labels -----------------------------------------------------------------


def test_labels_of_an_audit_are_never_certain(spark: SparkSession, tmp_path: Path) -> None:
    data = crossing(0.12, items=1000)
    ok = np.array(data["questions"]["ok"])
    items = np.arange(len(ok))
    study = Study(
        tmp_path, **data,
        suspects={"q": items[~ok], "run_id": ["audit-1"] * int((~ok).sum())},
        cleaned={"q": items[ok], "label": ["yes"] * int(ok.sum())},
        relabelled={"q": items, "label": np.where(ok, "yes", "no")},
        several={"q": [0, 1], "run_id": ["audit-1", "audit-2"]},
    )  # fmt: skip
    labels = {"table": study.places["questions"], "item": "q"}
    study.run("checked", labels=labels | {"valid": "ok"})
    (checked,) = study.rows(spark, "flips", "checked")
    for name in ("suspects", "cleaned"):
        result = study.run(name, labels=labels | {name: study.places[name]})
        (row,) = study.rows(spark, "flips", name)
        assert row["level_prevalence"] == checked["level_prevalence"]
        assert (checked["certain"], row["certain"]) == (True, False)
        assert "labels from an audit favour models like the auditor" in result.summary
        assert row["corrected_a"] is None
    study.run("relabelled", labels=labels | {"cleaned": study.places["relabelled"]})
    (row,) = study.rows(spark, "flips", "relabelled")
    assert row["clean_a"] == checked["clean_a"]
    assert row["corrected_a"] is not None
    with pytest.raises(InputError, match="holds the suspects of several audits, such as audit-1"):
        study.run("several", labels=labels | {"suspects": study.places["several"]})
    chosen = labels | {"suspects": study.places["several"], "audit": "audit-2"}
    assert study.run("chosen", labels=chosen).metrics["bad_items"] == 1
    with pytest.raises(InputError, match="has no suspects of run 'audit-3'; it has those of"):
        study.run("unknown", labels=chosen | {"audit": "audit-3"})


@pytest.mark.full
def test_labels_of_which_nothing_is_known_give_no_clean_ranking(
    spark: SparkSession, tmp_path: Path
) -> None:
    study = Study(tmp_path)
    result = study.run(labels={"table": study.places["questions"], "item": "q"})
    for row in study.rows(spark, "flips"):
        assert row["clean_a"] is None
        assert row["level_prevalence"] is None
        assert row["flips"] is None
        assert row["certain"] is False
    assert "nothing is known of wrong labels" in result.summary
    assert "prevalence" not in result.metrics


@pytest.mark.full
def test_missing_rows_are_refused_or_count_as_wrong(spark: SparkSession, tmp_path: Path) -> None:
    given = {name: values[:-1] for name, values in answers().items()}
    study = Study(tmp_path, answers=given)
    with pytest.raises(InputError, match=r"1 item \(59\) have no row of some of the 3 models"):
        study.run()
    study.run("r2", missing="wrong")
    everything = Study(tmp_path / "null", answers=answers())
    given = answers()
    given["answer"][-1] = None
    everything.rank["answers"]["table"] = write(tmp_path / "nulls", given)
    everything.run("r2")
    assert study.result_hash(spark, "r2") == everything.result_hash(spark, "r2")


# -- bad input -----------------------------------------------------------------------------------


def changed(name: str, place: int, value: Any, *, of: str) -> dict[str, dict[str, Any]]:
    table = answers() if of == "answers" else questions()
    column = list(table[name])
    column[place] = value
    return {of: table | {name: column}}


def longer(of: str, *places: int) -> dict[str, dict[str, Any]]:
    """Rows that are there twice."""
    table = answers() if of == "answers" else questions()
    return {of: {name: [*column, *(column[k] for k in places)] for name, column in table.items()}}


def of_type(name: str, kind: pa.DataType, *, of: str) -> dict[str, dict[str, Any]]:
    table = answers() if of == "answers" else questions()
    return {of: table | {name: pa.array(table[name]).cast(kind)}}


BAD_TABLES: dict[str, tuple[dict[str, dict[str, Any]], str]] = {
    "item null": (
        changed("q", 4, None, of="answers"),
        "rank.answers.item, rank.labels.item: 1 row have no item (null)",
    ),
    "label null": (
        changed("label", 7, None, of="questions"),
        "column 'label' is null for 1 item (7); correct the labels",
    ),
    "no label": (
        changed("q", 4, 1000, of="answers"),
        "1 item (1000) of the answers have no row in",
    ),
    "two labels": (longer("questions", 3, 9), "2 items (3, 9) have several rows in"),
    "two answers": (
        longer("answers", 5),
        "rank.answers: 1 item (1) have several answers of the same model",
    ),
    "model null": (
        changed("model", 5, None, of="answers"),
        "1 rows have no model (null in column 'model')",
    ),
    "one model": (
        {"answers": {k: [x for x, m in zip(v, answers()["model"], strict=True) if m == "m-a"]
                     for k, v in answers().items()}},
        "column 'model' names one model ('m-a'); a ranking needs at least 2",
    ),
    "contradiction": (
        changed("corrected", 6, "y", of="questions"),
        "1 item (6) are valid and have another label in column 'corrected'",
    ),
    "nothing valid": (
        {"questions": questions() | {"state": ["wrong"] * ITEMS}},
        "none of 60 items has a valid label",
    ),
    "other words": (
        {"answers": answers() | {"answer": ["class x"] * ITEMS * 3}},
        "no answer of 3 models to 60 items equals its label",
    ),
    "labels are numbers": (
        {"answers": answers() | {"answer": [1] * ITEMS * 3}},
        "rank.labels.label: is string, but column 'answer' of the answers is bigint",
    ),
    "items are text": (
        of_type("q", pa.string(), of="answers"),
        "rank.labels.item: is bigint, but rank.answers.item ('q') is string; cast one of the two",
    ),
    "answers are fractions": (
        {"answers": answers() | {"answer": [1.5] * ITEMS * 3}},
        "rank.answers.prediction: column 'answer' is double; a label is an integer, a string",
    ),
    "items are fractions": (
        of_type("q", pa.float64(), of="answers"),
        "rank.answers.item: column 'q' is double; an item is identified by an integer or a string",
    ),
}  # fmt: skip


#: In CI those that are found before a job, and few others; the others are tested on batches, too.
IN_CI = ("two answers", "model null", "labels are numbers", "items are text", "items are fractions")


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        pytest.param(*case, id=name, marks=[] if name in IN_CI else [pytest.mark.full])
        for name, case in BAD_TABLES.items()
    ],
)
@pytest.mark.usefixtures("spark")
def test_bad_table_is_refused_with_items_and_remedy(
    tmp_path: Path, tables: dict[str, dict[str, Any]], words: str
) -> None:
    study = Study(tmp_path, **tables)
    with pytest.raises(InputError) as raised:
        study.run()
    assert words in str(raised.value)
    assert not (tmp_path / "out" / "flips").exists()


@pytest.mark.full
@pytest.mark.usefixtures("spark")
def test_several_problems_are_found_at_once(tmp_path: Path) -> None:
    study = Study(tmp_path, **longer("questions", 3), **longer("answers", 5))
    with pytest.raises(InputError) as raised:
        study.run()
    assert len(raised.value.findings) == 2


@pytest.mark.parametrize(
    ("override", "error", "words"),
    [
        ("rank.answers.item=question", InputError, "column 'question' is not in the table"),
        ("rank.labels.label=lable", InputError, "did you mean 'label'?"),
        ("rank.labels.valid=stat = 'ok'", ConfigError, "is not a predicate on the table"),
        ("rank.labels.valid=q < rand()", ConfigError, "depends on what Spark calls not determ"),
        ("rank.labels.table=/nowhere", InputError, "/nowhere"),
        ("input.where=q < 0", InputError, "rank.answers: the table is empty (0 rows)"),
    ],
)
@pytest.mark.usefixtures("spark")
def test_bad_setting_is_refused(
    tmp_path: Path, override: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error) as raised:
        Study(tmp_path).run("r1", override)
    assert words in str(raised.value)


@pytest.mark.full
@pytest.mark.usefixtures("spark")
def test_too_many_classes_are_refused_and_accuracy_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sparkclean.jobs.rank_models.counting.MOST_CELLS", 6)
    study = Study(tmp_path)
    with pytest.raises(InputError, match=r"more than 2 labels for 3 models; set rank.metrics: \["):
        study.run()
    assert study.run("r2", metrics=["accuracy"]).metrics["models"] == 3


# -- formats, repetitions ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [pytest.param("delta", marks=pytest.mark.full), "iceberg"])
def test_tables_and_outputs_of_other_formats(
    spark: SparkSession, tmp_path: Path, kind: str
) -> None:
    study = Study(tmp_path)
    study.run()
    expected = study.result_hash(spark)
    study.prefix = f"lake.r{uuid.uuid4().hex[:8]}." if kind == "iceberg" else f"{tmp_path}/{kind}/"
    if kind == "iceberg":
        spark.sql(f"CREATE NAMESPACE {study.prefix.rstrip('.')}")
    for name, section in (("answers", "answers"), ("questions", "labels")):
        frame = spark.read.parquet(study.places[name])
        place = study.prefix + name
        if kind == "iceberg":
            frame.writeTo(place).using("iceberg").create()
        else:
            frame.write.format("delta").save(place)
        study.rank[section]["table"] = place
    more = ["output.format=" + kind, f"output.work={tmp_path}/work"]
    study.run("r2", *more)
    study.run("r3", *more)
    assert study.result_hash(spark, "r2") == study.result_hash(spark, "r3") == expected
    (row, *_) = study.rows(spark, "flips", "r3")
    assert row["level_set"] is not None


@pytest.mark.parametrize(
    "point",
    [
        "publish.flips.end",
        *(
            pytest.param(point, marks=pytest.mark.full)
            for point in ("run.pinned", "stage.flips.end", "publish.ranking.end")
        ),
    ],
)
def test_killed_run_is_completed_by_a_repetition(
    spark: SparkSession, tmp_path: Path, point: str
) -> None:
    study = Study(tmp_path)
    study.run("whole")
    config = tmp_path / "rank.json"
    config.write_text(json.dumps(study.config()))
    words = ["rank-models", "--config", str(config), "--run-id", "r1"]
    done = subprocess.run(
        [sys.executable, "-m", "sparkclean", *words],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
        env=os.environ | {"SPARKCLEAN_FAULT": f"{point}:kill"},
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert study.run().status == "published"
    assert study.result_hash(spark) == study.result_hash(spark, "whole")
    assert len(study.rows(spark, "flips")) == 3
    assert "has finished before" in study.run().summary


@pytest.mark.usefixtures("spark")
def test_dry_run_writes_nothing(tmp_path: Path) -> None:
    study = Study(tmp_path)
    result = run_job("rank-models", study.config(), dry_run=True)
    assert "accuracy, balanced_accuracy, macro_f1" in result.summary
    assert "publishes flips" in result.summary
    assert not (tmp_path / "out").exists()
