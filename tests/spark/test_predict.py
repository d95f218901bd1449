"""`sparkclean predict` in process: out of sample, the same bits in any order, repeatable, clear."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sparkclean
from sparkclean.commands.main import main
from sparkclean.errors import InputError
from sparkclean.lake import open_target
from sparkclean.learning.columns import narrow
from sparkclean.learning.feature_columns import resolve_features
from sparkclean.learning.model_files import read_models
from sparkclean.learning.profile import check_features
from sparkclean.runs.outputs import Outputs

ROWS, K = 240, 3
FOREST = {
    "estimator": "sklearn.ensemble.RandomForestClassifier",
    "params": {"n_estimators": 5, "max_depth": 4},
}
Predict = Callable[..., int]


def examples(rows: int = ROWS, **columns: object) -> pa.Table:
    """Examples of three classes; every feature tells a little, and twins have the same ones."""
    rng = np.random.default_rng(5)
    given = rng.integers(0, K, rows)
    vector = rng.standard_normal((rows, 4))
    vector[np.arange(rows), given] += 2.0
    number = given + rng.standard_normal(rows)
    words = [["cat meows", "dog barks", "cow moos"][k] for k in given]
    for i in range(0, rows, 10):  # twins, one of them with another label
        vector[i + 1], number[i + 1], words[i + 1] = vector[i], number[i], words[i]
    data = {
        "id": pa.array(np.arange(rows)),
        "label": pa.array(given),
        "vector": pa.array(vector.tolist(), pa.list_(pa.float32())),
        "number": pa.array(number),
        "text": pa.array(words),
        "patient": pa.array([f"p{i % 40}" for i in range(rows)]),
    }
    return pa.table(data | columns)


def write(table: pa.Table, folder: Path, *, files: int = 2) -> Path:
    folder.mkdir(parents=True)
    step = -(-len(table) // files)
    for i in range(files):
        pq.write_table(table.slice(i * step, step), folder / f"part-{i}.parquet")
    return folder


def run_predict(
    tmp_path: Path,
    table: pa.Table | None = None,
    *,
    run_id: str = "r1",
    files: int = 2,
    classes: Any = None,
    scan: str = "auto",
    where: str | None = None,
    dry: bool = False,
    command: str = "predict",
    ids: str | list[str] = "id",
    **section: Any,
) -> int:
    place = tmp_path / "in"
    if not place.exists():
        write(examples() if table is None else table, place, files=files)
    names = ("predictions", "models", "runs", "suspects", "cleaned")
    config = {
        "input": {"table": str(place), "where": where},
        "columns": {"id": ids},
        "classes": classes,
        "scan": scan,
        "predict": {"features": ["vector", "number"]} | section,
        "output": {name: str(tmp_path / "out" / name) for name in names}
        | dict.fromkeys(("rejected", "classes", "pairs")),
    }
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    words = ["--dry-run"] if dry else []
    return main([command, "--config", str(path), "--run-id", run_id, *words])


@pytest.fixture
def predict(spark: SparkSession, tmp_path: Path) -> Predict:
    return partial(run_predict, tmp_path)


def predicted(spark: SparkSession, tmp_path: Path) -> dict[int, dict[str, Any]]:
    frame = sparkclean.read(spark, str(tmp_path / "out" / "predictions"))
    return {row["id"]: row.asDict() for row in frame.collect()}


def manifest(tmp_path: Path, run_id: str = "r1") -> dict[str, Any]:
    return json.loads(
        (tmp_path / "out" / "models" / "predict" / run_id / "manifest.json").read_text()
    )


def test_predict_each_row_has_the_probabilities_of_a_model_that_has_not_seen_it(
    spark: SparkSession, predict: Predict, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert predict() == 0
    found = predicted(spark, tmp_path)
    assert len(found) == ROWS
    data = examples()
    features = np.column_stack([data["number"].to_numpy(), np.array(data["vector"].to_pylist())])
    given = data["label"].to_numpy()
    fold = np.array([found[i]["fold"] for i in range(ROWS)])
    probs = np.array([found[i]["pred_probs"] for i in range(ROWS)])
    assert set(fold.tolist()) == set(range(5))
    for k in range(5):
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        model.fit(features[fold != k], given[fold != k])
        wanted = model.predict_proba(features[fold == k])
        np.testing.assert_allclose(probs[fold == k], wanted, atol=1e-3)
    assert [found[i]["label"] for i in range(ROWS)] == given.tolist()
    (record,) = open_target(str(tmp_path / "out" / "runs")).head(2).to_pylist()
    assert (record["status"], record["rows"], record["classes"]) == ("published", ROWS, K)
    quality = json.loads(record["counts"])["quality"]
    accuracy = float((probs.argmax(axis=1) == given).mean())
    assert quality["overall"]["accuracy"] == pytest.approx(accuracy)
    assert 0.8 < accuracy < 1.0
    assert [part["rows"] for part in quality["folds"]] == np.bincount(fold).tolist()
    assert f"accuracy {accuracy:.4f}" in capsys.readouterr().out
    assert found[0]["run_id"] == "r1"
    assert found[0]["config_fingerprint"] == record["config_fingerprint"]


@pytest.mark.parametrize(
    "section", [{}, pytest.param(FOREST, marks=pytest.mark.full)], ids=["linear", "forest"]
)
def test_predict_same_rows_in_another_order_and_other_files_have_the_same_bits(
    spark: SparkSession, predict: Predict, tmp_path: Path, section: dict[str, Any]
) -> None:
    assert predict(**section) == 0
    once = {i: (row["pred_probs"], row["fold"]) for i, row in predicted(spark, tmp_path).items()}
    (tmp_path / "in").rename(tmp_path / "first")
    mixed = examples().take(np.random.default_rng(1).permutation(ROWS))
    assert predict(mixed, files=7, run_id="r2", **section) == 0
    again = {i: (row["pred_probs"], row["fold"]) for i, row in predicted(spark, tmp_path).items()}
    assert again == once


@pytest.mark.parametrize(
    ("missing", "kind", "ids"),
    [
        ("reject", pa.string(), "id"),
        ("impute", pa.int16(), "id"),
        ("reject", pa.int64(), ["id", "bit"]),
    ],
)
def test_predict_by_files_and_by_dataframes_has_the_same_bits(
    spark: SparkSession,
    predict: Predict,
    tmp_path: Path,
    missing: str,
    kind: pa.DataType,
    ids: str | list[str],
    capsys: pytest.CaptureFixture,
) -> None:
    rng = np.random.default_rng(2)
    gaps: list[float | None] = [float("nan"), None, -0.0] if missing == "impute" else [-0.0]
    single = rng.standard_normal(ROWS).tolist()
    lists: list[Any] = rng.standard_normal((ROWS, 2)).tolist()
    for i in range(0, ROWS, 20):
        single[i] = gaps[i // 20 % len(gaps)]
        lists[i + 1][i // 20 % 2] = gaps[i // 20 % len(gaps)]
        if missing == "impute":
            lists[i + 2] = None
    table = examples(
        id=pa.array([str(i - 7) for i in range(ROWS)]).cast(kind),
        bit=pa.array((np.arange(ROWS) % 2).astype(np.int8)),
        double=pa.array(single),
        flag=pa.array((rng.random(ROWS) < 0.5).tolist()),
        whole=pa.array(rng.integers(-(1 << 60), 1 << 60, ROWS)),
        lists=pa.array(lists, pa.large_list(pa.float64())),
        bytes=pa.array(rng.integers(0, 200, (ROWS, 3)).tolist(), pa.list_(pa.uint8(), 3)),
    ).sort_by("patient")
    features = ["bytes", "flag", "vector", "double", "whole", "lists", "number"]
    found = {}
    for scan in ("files", "dataframe"):
        # a sample, of which each class has its share
        section = {"features": features, "missing": missing, "max_train_rows": 100}
        assert predict(table, run_id=scan, scan=scan, files=3, ids=ids, **section) == 0
        rows = predicted(spark, tmp_path)
        names = ("label", "pred_probs", "fold")
        found[scan] = {i: [row[name] for name in names] for i, row in rows.items()}
    assert found["files"] == found["dataframe"]
    assert len(found["files"]) == ROWS
    trained = [[m["training_rows"] for m in manifest(tmp_path, scan)["models"]] for scan in found]
    assert trained[0] == trained[1]
    assert max(trained[0]) <= 100
    (said,) = re.findall(r"^reading features through .*", capsys.readouterr().err, re.MULTILINE)
    assert said == "reading features through DataFrames, not files: scan is dataframe"


@pytest.mark.parametrize("short", [-1, 1 << 14], ids=["by tasks", "by the driver"])
@pytest.mark.parametrize("kind", [pa.int8(), pa.string(), pa.bool_()])
def test_predictions_by_tasks_are_those_that_spark_writes(
    spark: SparkSession,
    predict: Predict,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: pa.DataType,
    short: int,
) -> None:
    monkeypatch.setattr("sparkclean.rows.streams.SHORT_ROWS", short)
    monkeypatch.setattr("sparkclean.rows.row_groups._LEAST_TASK_BYTES", 1 << 10)
    monkeypatch.setattr("sparkclean.rows.row_writer._COPIED_ROWS", 50)
    monkeypatch.setattr("sparkclean.rows.row_writer._PUBLISHED_GROUP_BYTES", 1 << 12)
    given = pa.array(np.minimum(examples()["label"].to_numpy(), 1)).cast(kind)
    table = examples(
        id=pa.array([f"é{i}" for i in range(ROWS)]),
        label=pa.array([None if i == 7 else x for i, x in enumerate(given.to_pylist())], kind),
    )
    found = []
    for run_id in ("tasks", "spark"):
        if run_id == "spark":
            monkeypatch.setattr(Outputs, "takes_files", lambda *_: False)
        assert predict(table, run_id=run_id, files=4) == 0
        target = open_target(str(tmp_path / "out" / "predictions"))
        files = target.data_files(target.versions()[-1].name)
        frame = spark.read.parquet(*files)
        rows = sparkclean.read(spark, str(tmp_path / "out" / "predictions")).collect()
        columns = [row.asDict() | {"run_id": ""} for row in sorted(rows)]
        found.append((frame.schema, columns))
    assert found[0] == found[1]
    assert len(found[0][1]) == ROWS


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"group": "patient"}, "folds are by predict.group"),
        ({"features": ["number", "text"]}, "features are texts or Spark ML vectors"),
        ({"where": "number < 100"}, "input.where is set"),
    ],
)
def test_predict_says_why_it_does_not_read_files(
    predict: Predict, capsys: pytest.CaptureFixture, changed: dict[str, Any], reason: str
) -> None:
    assert predict(**changed) == 0
    assert f"reading features through DataFrames, not files: {reason}\n" in capsys.readouterr().err


def test_predict_rows_with_the_same_features_have_one_fold(
    spark: SparkSession, predict: Predict, tmp_path: Path
) -> None:
    assert predict(n_folds=4) == 0
    found = predicted(spark, tmp_path)
    assert all(found[i]["fold"] == found[i + 1]["fold"] for i in range(0, ROWS, 10))
    assert all(found[i]["pred_probs"] == found[i + 1]["pred_probs"] for i in range(0, ROWS, 10))


def test_predict_by_group_no_group_crosses_folds(
    spark: SparkSession, predict: Predict, tmp_path: Path
) -> None:
    assert predict(group="patient") == 0
    found = predicted(spark, tmp_path)
    folds: dict[str, set[int]] = {}
    for i, patient in enumerate(examples()["patient"].to_pylist()):
        folds.setdefault(patient, set()).add(found[i]["fold"])
    assert {len(held) for held in folds.values()} == {1}
    assert len({fold for held in folds.values() for fold in held}) == 5


@pytest.mark.full
def test_predict_texts_alone_are_enough(
    spark: SparkSession, predict: Predict, tmp_path: Path
) -> None:
    # three texts only: rows of one text would all be in one fold, by content
    assert predict(features=["text"], group="patient") == 0
    found = predicted(spark, tmp_path)
    hits = [int(np.argmax(row["pred_probs"])) == row["label"] for row in found.values()]
    assert np.mean(hits) > 0.9


@pytest.mark.full
def test_predict_calibrated_probabilities_keep_their_order_and_are_others(
    spark: SparkSession, predict: Predict, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert predict(**FOREST) == 0
    plain = predicted(spark, tmp_path)
    assert predict(run_id="r2", calibrate="temperature", **FOREST) == 0
    calibrated = predicted(spark, tmp_path)
    (record,) = [
        row
        for row in open_target(str(tmp_path / "out" / "runs")).head(5).to_pylist()
        if row["run_id"] == "r2"
    ]
    about = json.loads(record["counts"])["calibration"]
    assert [model["published"] for model in about] == ["temperature"] * 5
    assert all(model["calibrated_log_loss"] < model["log_loss"] for model in about)
    assert "calibrated: 5 of 5 models, by temperature of " in capsys.readouterr().out
    one = np.array([plain[i]["pred_probs"] for i in range(ROWS)])
    other = np.array([calibrated[i]["pred_probs"] for i in range(ROWS)])
    assert (one.argmax(axis=1) == other.argmax(axis=1)).all()
    assert not np.allclose(one, other, atol=1e-3)


@pytest.mark.full
def test_predict_sample_is_bounded_and_keeps_every_class(
    spark: SparkSession, predict: Predict, tmp_path: Path
) -> None:
    given = np.where(np.arange(ROWS) < 225, 0, 1 + np.arange(ROWS) % 3)  # three classes of five
    assert predict(examples(label=pa.array(given)), max_train_rows=60, n_folds=3) == 0
    entries = manifest(tmp_path)["models"]
    assert len(entries) == 3
    assert all(20 <= entry["training_rows"] <= 60 for entry in entries)
    models = read_models(tmp_path / "out" / "models" / "predict" / "r1").values()
    assert all(model.estimator.classes_.tolist() == [0, 1, 2, 3] for model in models)
    # the large class was sampled thinly, which the probabilities do not show
    mean = np.mean([row["pred_probs"] for row in predicted(spark, tmp_path).values()], axis=0)
    assert mean[0] > 0.85


@pytest.mark.full
def test_predict_string_labels_are_predicted_in_the_order_of_classes(
    spark: SparkSession, predict: Predict, tmp_path: Path
) -> None:
    names = np.array(["b", "c", "a"])
    table = examples(label=pa.array(names[examples()["label"].to_numpy()].tolist()))
    assert predict(table, classes=["c", "b", "a"]) == 0
    found = predicted(spark, tmp_path)
    hits = [["c", "b", "a"][int(np.argmax(r["pred_probs"]))] == r["label"] for r in found.values()]
    assert np.mean(hits) > 0.8


@pytest.mark.full
def test_predict_rows_without_a_known_label_are_predicted_and_not_trained_on(
    spark: SparkSession, predict: Predict, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    given = examples()["label"].to_pylist()
    given[3], given[4] = None, 9
    assert predict(examples(label=pa.array(given)), classes=[0, 1, 2]) == 0
    found = predicted(spark, tmp_path)
    assert len(found) == ROWS
    assert len(found[3]["pred_probs"]) == K
    total = sum(entry["training_rows"] for entry in manifest(tmp_path)["models"])
    assert total == 4 * (ROWS - 2)


# -- repetitions -------------------------------------------------------------------------------


def test_predict_repeated_run_does_nothing(
    predict: Predict, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert predict() == 0
    assert predict() == 0
    assert "has finished before" in capsys.readouterr().out
    assert len(open_target(str(tmp_path / "out" / "predictions")).versions()) == 1


def test_predict_that_fails_after_training_is_completed_without_training_again(
    predict: Predict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARKCLEAN_FAULT", "run.audited:raise")
    assert predict() == 1
    before = (tmp_path / "out" / "models" / "predict" / "r1" / "manifest.json").stat().st_mtime_ns
    monkeypatch.delenv("SPARKCLEAN_FAULT")
    assert open_target(str(tmp_path / "out" / "predictions")).current() is None
    assert predict() == 0
    assert (
        tmp_path / "out" / "models" / "predict" / "r1" / "manifest.json"
    ).stat().st_mtime_ns == before


@pytest.mark.full
def test_predict_run_id_of_other_features_is_refused(
    predict: Predict, capsys: pytest.CaptureFixture
) -> None:
    assert predict() == 0
    assert predict(features=["vector"]) == 5
    assert "use a new run id" in capsys.readouterr().err


def test_predict_dry_run_writes_nothing(
    predict: Predict, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert predict(dry=True) == 0
    assert "folds     5, by a hash of the features" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


@pytest.mark.full
def test_audit_of_predictions_finds_the_flipped_label(
    spark: SparkSession, predict: Predict, tmp_path: Path
) -> None:
    assert predict() == 0
    place = str(tmp_path / "out" / "predictions")
    with sparkclean.audit(sparkclean.read(spark, place)) as result:
        assert 0 < result.num_suspects < ROWS / 4


# -- what is wrong -----------------------------------------------------------------------------


def _with(name: str, values: dict[int, Any], kind: pa.DataType | None = None) -> pa.Table:
    column = examples()[name].to_pylist()
    for i, value in values.items():
        column[i] = value
    return examples(**{name: pa.array(column, kind)})


@pytest.mark.parametrize("kind", ["array<float>", "array<double>"])
def test_check_features_of_arrays_finds_what_is_missing_and_infinite(
    spark: SparkSession, kind: str
) -> None:
    inf, nan = float("inf"), float("nan")
    infinite = [[inf, 0.0], [-inf, 0.0], [None, inf], [None, -inf], [nan, inf], [nan, -inf]]
    missing = [[nan, 0.0], [0.0, nan], [None, 0.0], [0.0, None], [nan, None]]
    arrays = [[1.0, 2.0], [-0.0, -1e30], *missing, *infinite, None]  # each in a column of its own
    names = [f"v{i}" for i in range(len(arrays))]
    frame = spark.createDataFrame(
        [(1, *arrays)], ", ".join(["id int", *[f"{name} {kind}" for name in names]])
    )
    features = resolve_features(frame.schema, names)
    for impute, first in ((False, 2), (True, 2 + len(missing))):
        with pytest.raises(InputError) as caught:
            check_features(frame, features, impute=impute, ids=["id"], group=None)
        assert [finding.split("'")[1] for finding in caught.value.findings] == names[first:]


def test_check_features_of_whole_numbers_finds_null(spark: SparkSession) -> None:
    frame = spark.createDataFrame([(1, [1, 2]), (2, [1, None])], "id int, v array<int>")
    features = resolve_features(frame.schema, ["v"])
    assert check_features(frame, features, impute=True, ids=["id"], group=None) == 2
    with pytest.raises(InputError, match="1 rows are null, NaN or infinite, record ids 2;"):
        check_features(frame, features, impute=False, ids=["id"], group=None)


@pytest.mark.parametrize("kind", ["array<float>", "array<double>", "array<int>"])
def test_narrow_complete_rows_have_the_same_folds(spark: SparkSession, kind: str) -> None:
    frame = spark.range(50).selectExpr("id", "1 label", f"cast(array(id % 7, -id) as {kind}) v")
    features = resolve_features(frame.schema, ["v"])
    whole, looked_at = (
        narrow(
            frame, features, ids=["id"], label="label", group=None, n_folds=5, seed=3,
            complete=complete,
        )
        for complete in (True, False)
    )  # fmt: skip
    assert whole.collect() == looked_at.collect()


@pytest.mark.parametrize(
    ("table", "section", "said"),
    [
        (_with("number", {7: None, 9: float("nan")}), {}, "'number': 2 rows are null, NaN"),
        (_with("vector", {7: None}), {}, "'vector': 1 rows are null"),
        (
            _with("vector", dict.fromkeys(range(ROWS)), pa.list_(pa.float32())),
            {"missing": "impute"},
            "'vector': all rows are null; leave the column out",
        ),
        (_with("vector", {7: [1.0]}), {}, "has 1 numbers in one row and 4 in another"),
        (_with("number", {7: float("inf")}), {"missing": "impute"}, "'number': 1 rows"),
        (
            _with("label", {0: 7, 1: 7}),
            {},
            "too few examples for 5 folds, or all in one of them: 7 (2)",
        ),
        (examples(label=pa.array([1] * ROWS)), {}, "at least two classes"),
        (_with("id", {0: 1}), {}, "columns.id: 1 record ids"),
        (_with("patient", {3: None}), {"group": "patient"}, "'patient': 1 rows are null"),
        (examples(label=pa.array([0.5] * ROWS)), {}, "columns.label: column 'label' is double"),
        (examples().slice(0, 0), {}, "is empty (0 rows in 2 files)"),
        (None, {"features": ["vektor"]}, "did you mean 'vector'?"),
        (None, {"features": ["label"]}, "which a model must not see"),
        (None, {"group": "patience"}, "did you mean 'patient'?"),
    ],
)
def test_predict_what_is_wrong_with_the_table_is_said(
    predict: Predict,
    capsys: pytest.CaptureFixture,
    tmp_path: Path,
    table: pa.Table | None,
    section: dict[str, Any],
    said: str,
) -> None:
    assert predict(table, **section) == 3
    assert said in capsys.readouterr().err
    assert open_target(str(tmp_path / "out" / "predictions")).current() is None


def test_predict_damaged_page_exits_3(
    predict: Predict, capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    file = write(examples(), tmp_path / "in") / "part-1.parquet"
    content = bytearray(file.read_bytes())
    for place in range(100, len(content) - 4000, 50):  # the footer stays whole
        content[place] ^= 255
    file.write_bytes(content)
    assert predict() == 3
    assert "part-1.parquet cannot be read: it is damaged" in capsys.readouterr().err


def test_predict_one_feature_needs_no_list(predict: Predict, capsys: pytest.CaptureFixture) -> None:
    assert predict(features="vector") == 0
    assert predict(features=["vector"]) == 0
    assert "run r1 has finished before" in capsys.readouterr().out  # it is the same


def test_predict_gaps_in_some_batches_only(spark: SparkSession, predict: Predict) -> None:
    values = np.array(examples()["vector"].to_pylist(), np.float32).tolist()
    values[-1][0] = None
    table = examples(vector=pa.array(values, pa.list_(pa.float32())))
    assert predict(table, features="vector", missing="impute") == 0


def test_predict_sample_of_one_class_is_an_error(
    predict: Predict, capsys: pytest.CaptureFixture
) -> None:
    assert predict(max_train_rows=1) == 3
    said = "predict.max_train_rows: a sample of up to 1 rows holds fewer than two classes; raise it"
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"estimator": "sklearn.nope.Nope"}, "cannot be imported"),
        ({"estimator": "sklearn.svm.LinearSVC"}, "has no fit and predict_proba"),
        ({"estimator": "sklearn.svm.SVC"}, "has no fit and predict_proba"),
        ({"classes": ["a", "b"]}, "write the classes as int"),
        ({"features": ["number", "number"]}, "'number' is named 2 times"),
        ({"params": {"depth": 3}}, "LogisticRegression takes: "),
        ({"n_folds": 1}, "predict.n_folds: 1 is wrong; wanted: an integer of at least 2"),
        ({"features": []}, "predict.features: [] names no column"),
    ],
)
def test_predict_what_is_wrong_with_the_configuration_is_said(
    predict: Predict, capsys: pytest.CaptureFixture, section: dict[str, Any], said: str
) -> None:
    assert predict(**section) == 2
    assert said in capsys.readouterr().err


def test_predict_imputes_numbers_and_excludes_rare_classes(
    spark: SparkSession, predict: Predict, tmp_path: Path
) -> None:
    table = _with("number", {7: None, 9: float("nan")})
    column = table["label"].to_pylist()
    column[0] = 7
    table = table.set_column(1, "label", pa.array(column))
    assert predict(table, missing="impute", rare_classes="exclude") == 0
    found = predicted(spark, tmp_path)
    assert len(found) == ROWS
    assert {len(row["pred_probs"]) for row in found.values()} == {K + 1}
    assert {row["pred_probs"][K] for row in found.values()} == {0.0}
