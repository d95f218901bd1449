"""Features as people have them: `predict.features: all` and `predict.columns`, by both scans."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from sklearn.datasets import load_breast_cancer

import sparkclean
from sparkclean.commands.main import main
from sparkclean.lake import NoPlainFiles, open_target
from sparkclean.learning.column_values import collect_values
from sparkclean.learning.encoding import read_codes, read_days
from sparkclean.learning.feature_columns import FeatureColumns
from sparkclean.learning.feature_types import Values
from tests.spark.test_predict import K, predicted, run_predict, write

ROWS = 240
Predict = Callable[..., int]


def people(rows: int = ROWS) -> pa.Table:
    """A table as people have them; every column but the noise tells a little of the label."""
    rng = np.random.default_rng(8)
    given = rng.integers(0, K, rows)
    of = np.where(rng.random(rows) < 0.8, given, rng.integers(0, K, rows))
    states = np.array(["Baden-Württemberg", "日本", "ok, \"x\" 'y'\n"])[of].tolist()
    return pa.table(
        {
            "id": range(rows),
            "label": given,
            "state": [None if i % 11 == 0 else state for i, state in enumerate(states)],
            "few": [f"v{i % 50:02}" for i in range(rows)],  # just as many as a category has
            "zip": pa.array(1000 + 7 * of, pa.int32()),
            "price": given + rng.standard_normal(rows),
            "is_new": rng.random(rows) < 0.5,
            "nothing": pa.nulls(rows, pa.string()),
            "photo": [b"x"] * rows,
        }
    )


@pytest.fixture
def predict(spark: SparkSession, tmp_path: Path) -> Predict:
    settings = {"features": "all", "columns": {"zip": "category"}, "missing": "impute"}
    return lambda *args, **more: run_predict(tmp_path, *args, **(settings | more))


@pytest.mark.parametrize("short", [-1, 1 << 14], ids=["by tasks", "by the driver"])
def test_collect_values_by_files_and_by_dataframes_are_the_same(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short: int
) -> None:
    monkeypatch.setattr("sparkclean.rows.streams.SHORT_ROWS", short)
    monkeypatch.setattr("sparkclean.rows.row_groups._LEAST_TASK_BYTES", 1 << 10)
    table = people()
    more = {
        "above": [f"é{i % 51}" for i in range(ROWS)],
        "long": ["日" * 101 if i == 200 else "a" for i in range(ROWS)],
        "longest": ["日" * 100 if i == 200 else "a" for i in range(ROWS)],
    }
    for name, column in more.items():
        table = table.append_column(name, pa.array(column))
    names = ("state", "few", "above", "long", "longest", "nothing", "zip", "is_new")
    wanted = dict.fromkeys(names, 50)
    found = []
    for i, (rows, files) in enumerate(
        ((table, 2), (table.take(np.random.default_rng(1).permutation(ROWS)), 5))
    ):
        place = write(rows, tmp_path / str(i), files=files)
        frame = spark.read.parquet(str(place))
        paths = [str(path) for path in sorted(place.iterdir())]
        found.append(collect_values(frame, wanted, paths=paths))
        found.append(collect_values(frame.repartition(3), wanted, paths=NoPlainFiles("")))
    assert found[1:] == found[:1] * 3
    counted = found[0]
    assert counted["above"].found is counted["long"].found is None
    assert counted["few"] == Values(tuple(f"v{i:02}" for i in range(50)), ROWS)
    assert counted["longest"].found == ("a", "日" * 100)
    assert counted["nothing"] == Values((), 0)
    states = sorted(set(table["state"].to_pylist()) - {None})
    assert counted["state"] == Values(tuple(states), ROWS - table["state"].null_count)
    assert counted["zip"].found == ("1000", "1007", "1014")
    assert counted["is_new"].found == ("false", "true")


def test_codes_and_days_by_spark_are_those_by_arrow(spark: SparkSession) -> None:
    moments = [
        dt.datetime(1969, 12, 31, 23, 59, 59, 999999), dt.datetime(1970, 1, 1), None,
        dt.datetime(2024, 3, 31, 0, 30), dt.datetime(1900, 1, 1, 12), dt.datetime(2999, 12, 31, 23),
    ]  # fmt: skip
    words = ["b", None, "é", "B", "", "b "]
    zone = spark.conf.get("spark.sql.session.timeZone")
    utc = [None if m is None else m.replace(tzinfo=dt.timezone.utc) for m in moments]
    rows = list(zip(words, utc, moments, [m and m.date() for m in moments], strict=True))
    frame = spark.createDataFrame(rows, "w string, t timestamp, n timestamp_ntz, d date")
    values = ("", "b", "é")
    features = FeatureColumns(
        categories={"w": values}, dates={"t": "timestamp", "n": "timestamp_ntz", "d": "date"}
    )
    columns = {
        "t": pa.array(utc, pa.timestamp("us", "UTC")), "n": pa.array(moments, pa.timestamp("us")),
        "d": pa.array([row[3] for row in rows], pa.date32()),
    }  # fmt: skip
    wanted = [read_codes(pa.array(words), values), *map(read_days, columns.values())]
    try:
        for other in ("America/New_York", "Asia/Tokyo"):
            spark.conf.set("spark.sql.session.timeZone", other)
            found = [row[0] for row in frame.select(*features.arrays()).collect()]
            np.testing.assert_array_equal(np.array(found).T, wanted)
    finally:
        spark.conf.set("spark.sql.session.timeZone", zone)


def test_predict_all_by_files_and_by_dataframes_has_the_same_bits(
    spark: SparkSession, predict: Predict, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert predict(people(), run_id="files", files=2) == 0
    said = capsys.readouterr()
    assert "reading features through" not in said.err
    lines = [line.split() for line in said.out.splitlines()]
    assert ["few", "category", "50", "values"] in lines
    assert ["nothing", "left", "out", "all", "rows", "are", "null"] in lines
    by_files = {
        i: (row["pred_probs"], row["fold"]) for i, row in predicted(spark, tmp_path).items()
    }
    (tmp_path / "in").rename(tmp_path / "first")
    mixed = people().take(np.random.default_rng(1).permutation(ROWS))
    assert predict(mixed, run_id="frames", files=7, scan="dataframe") == 0
    rows = predicted(spark, tmp_path)
    assert {i: (row["pred_probs"], row["fold"]) for i, row in rows.items()} == by_files
    hits = [int(np.argmax(row["pred_probs"])) == row["label"] for row in rows.values()]
    assert np.mean(hits) > 0.7


def test_predict_all_repeated_takes_columns_as_the_first_attempt_did(
    spark: SparkSession, predict: Predict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:  # fmt: skip
    table = people().append_column("body", pa.array([f"word{i} again" for i in range(ROWS)]))
    days = [dt.date(2024, 1, 1) + dt.timedelta(i) for i in range(ROWS)]
    table = table.append_column("opened", pa.array(days))
    monkeypatch.setenv("SPARKCLEAN_FAULT", "predict.trained:raise")
    assert predict(table) == 1
    monkeypatch.delenv("SPARKCLEAN_FAULT")

    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("the table was looked at again")

    monkeypatch.setattr("sparkclean.runs.learned_columns.collect_values", fail)
    assert predict() == 0
    (record,) = open_target(str(tmp_path / "out" / "runs")).head(2).to_pylist()
    assert json.loads(record["input"])["columns"] == [
        ["state", "category"], ["few", "category"], ["zip", "category"], ["price", "number"],
        ["is_new", "number"], ["body", "text"], ["opened", "date"],
    ]  # fmt: skip
    capsys.readouterr()
    assert predict() == 0
    assert "has finished before" in capsys.readouterr().out
    assert predict(columns={"zip": "number"}) == 5


@pytest.mark.parametrize(
    ("section", "code", "said"),
    [
        ({"columns": {"label": "category"}}, 3, "'label' is the label, which a model must not see"),
        ({"columns": {"sate": "category"}}, 3, "did you mean 'state'?"),
        ({"columns": {"state": "number"}}, 3, "'state' is string, and a number is of numbers"),
        ({"missing": "reject"}, 3, "column 'state': 22 rows are null, NaN or infinite"),
        ({"features": ["zip"], "columns": {"state": "text"}}, 2, "'state' is not among"),
        ({"features": ["zip"], "columns": {"zip": "ignore"}}, 2, "leave it out of predict.feat"),
    ],
    ids=str,
)
def test_predict_says_what_is_wrong_with_columns(
    predict: Predict,
    capsys: pytest.CaptureFixture,
    section: dict[str, Any],
    code: int,
    said: str,
) -> None:
    assert predict(people(), dry=True, **section) == code
    assert said in capsys.readouterr().err


@pytest.mark.full
def test_predict_a_column_called_all_keeps_its_meaning(spark: SparkSession, tmp_path: Path) -> None:
    table = people().append_column("all", people()["price"])
    assert run_predict(tmp_path, table, features="all", run_id="all") == 0
    one = {i: row["pred_probs"] for i, row in predicted(spark, tmp_path).items()}
    assert run_predict(tmp_path, features=["price"], run_id="price") == 0
    assert {i: row["pred_probs"] for i, row in predicted(spark, tmp_path).items()} == one


@pytest.mark.full
def test_predict_all_by_spark_ml(spark: SparkSession, predict: Predict, tmp_path: Path) -> None:
    days = [dt.date(2024, 1, 1) + dt.timedelta(i) for i in range(ROWS)]
    table = people().append_column("opened", pa.array(days))
    assert predict(table, engine="spark-ml", n_folds=2) == 0
    rows = predicted(spark, tmp_path).values()
    hits = [int(np.argmax(row["pred_probs"])) == row["label"] for row in rows]
    assert np.mean(hits) > 0.7


@pytest.mark.full
def test_predict_texts_by_an_estimator_of_dense_matrices(
    spark: SparkSession, predict: Predict, tmp_path: Path
) -> None:
    words = np.array(["cat meows", "dog barks", "cow moos"])[people()["label"].to_numpy()]
    body = [f"{word} {i} times" for i, word in enumerate(words)]
    table = people().append_column("body", pa.array(body))
    assert predict(table, estimator="sklearn.naive_bayes.GaussianNB") == 0
    rows = predicted(spark, tmp_path).values()
    hits = [int(np.argmax(row["pred_probs"])) == row["label"] for row in rows]
    assert np.mean(hits) > 0.5


def command(folder: Path, name: str, run_id: str, **sections: Any) -> int:
    places = (
        "predictions",
        "models",
        "runs",
        "suspects",
        "cleaned",
        "rejected",
        "classes",
        "pairs",
    )
    output = {place: str(folder / "out" / place) for place in places}
    (folder / "config.json").write_text(json.dumps({"output": output} | sections))
    return main([name, "--config", str(folder / "config.json"), "--run-id", run_id])


@pytest.mark.full
def test_run_and_train_on_a_table_of_people_finds_wrong_labels_and_loads(
    spark: SparkSession, tmp_path: Path
) -> None:
    table, wrong = cells()
    pq.write_table(table, tmp_path / "cells.parquet")
    sections = {
        "input": {"table": str(tmp_path / "cells.parquet")},
        "columns": {"id": "sample", "label": "diagnosis"},
        "predict": {"features": "all", "missing": "impute"},
    }
    assert command(tmp_path, "run", "r1", **sections) == 0
    suspects = sparkclean.read(spark, str(tmp_path / "out" / "suspects"))
    found = {row["sample"] for row in suspects.select("sample").collect()}
    flipped = {f"S-{i}" for i in np.flatnonzero(wrong).tolist()}
    assert len(found & flipped) >= 0.8 * len(flipped)
    assert len(found - flipped) <= 0.05 * len(table)
    # a test table with a value that nobody has seen, and other rows
    test = table.slice(0, 60).to_pandas()
    test["sample"] = "T" + test["sample"]
    test["texture"] += 0.001
    test.loc[5, "lab"] = "lab 99"
    arrow = pa.Table.from_pandas(test).cast(pa.schema([(f.name, f.type) for f in table.schema]))
    pq.write_table(arrow, tmp_path / "test.parquet")
    assert (
        command(tmp_path, "train", "t1", **sections, train={"test": str(tmp_path / "test.parquet")})
        == 0
    )
    model = sparkclean.load_model(tmp_path / "out" / "models" / "train" / "t1")
    labels = model.predict(test)
    (record,) = [
        row
        for row in open_target(str(tmp_path / "out" / "runs")).head(9).to_pylist()
        if row["job"] == "train"
    ]
    accuracy = json.loads(record["counts"])["quality"]["overall"]["accuracy"]
    assert np.mean(pd.Series(labels) == test["diagnosis"]) == pytest.approx(accuracy)
    assert (model.predict_proba(arrow) == model.predict_proba(test)).all()


def cells() -> tuple[pa.Table, np.ndarray]:
    """Scikit-learn's breast cancer cells as a clinic's table may have them; 5 % of labels wrong."""
    data, rng = load_breast_cancer(), np.random.default_rng(7)
    rows = len(data.target)
    column = {name: data.data[:, i] for i, name in enumerate(data.feature_names)}
    wrong = np.zeros(rows, np.bool_)
    wrong[rng.choice(rows, round(0.05 * rows), replace=False)] = True

    def grades(name: str, words: list[str]) -> list[str]:
        cuts = np.quantile(column[name], np.linspace(0, 1, len(words) + 1)[1:-1])
        return [words[i] for i in np.searchsorted(cuts, column[name])]

    days = [dt.date(2023, 1, 2) + dt.timedelta(int(i)) for i in rng.integers(0, 900, rows)]
    sizes = grades("worst area", ["tiny", "small", "medium", "large", "huge"])
    table = pa.table(
        {
            "sample": [f"S-{i}" for i in range(rows)],
            "diagnosis": np.array(["malignant", "benign"])[data.target ^ wrong].tolist(),
            "radius": pa.array(column["mean radius"].round(2)).cast(pa.decimal128(9, 2)),
            "texture": column["mean texture"],
            "size_grade": [None if i % 40 == 0 else size for i, size in enumerate(sizes)],
            "concavity": grades("worst concave points", ["none", "slight", "deep", "très profond"]),
            "is_symmetric": (column["mean symmetry"] < 0.18).tolist(),
            "lab": [f"lab {i}" for i in rng.integers(1, 8, rows)],
            "taken_on": days,
            "image": [b"x"] * rows,
        }
    )  # fmt: skip
    return table, wrong
