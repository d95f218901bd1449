"""Calls in a notebook: predict, audit and what a result gives, of Spark, pandas and Arrow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import sparkclean
from sparkclean import AuditResult
from sparkclean.errors import ConfigError, InputError
from sparkclean.jobs.predict import api
from tests.conftest import GOLDEN
from tests.unit.test_report_html import Page

NAMES = np.array(["<b>ant</b>", "bee", "cat"])
ROWS = 240
PREDICT: dict[str, Any] = {"label": "kind", "features": ["x", "y"], "n_folds": 3}


def examples() -> tuple[pd.DataFrame, np.ndarray]:
    """Three kinds around three points, and which rows have a wrong label."""
    rng = np.random.default_rng(5)
    true = rng.integers(0, 3, ROWS)
    points = np.array([[0.0, 3.0], [3.0, 0.0], [-3.0, -3.0]])[true] + rng.standard_normal((ROWS, 2))
    is_wrong = rng.random(ROWS) < 0.08
    given = np.where(is_wrong, (true + 1) % 3, true)
    columns = {
        "id": np.arange(ROWS) * 3,
        "kind": NAMES[given],
        "note": [f"n{i}" for i in range(ROWS)],
    }
    x, y = points.T
    return pd.DataFrame(columns | {"x": x, "y": y}, index=[f"r{i}" for i in range(ROWS)]), is_wrong


LOCAL, IS_WRONG = examples()


@dataclass
class Calls:
    """What the calls of a notebook gave, on a frame of Spark and on one of pandas."""

    work: Path
    probs: DataFrame
    result: AuditResult[DataFrame]
    local_probs: pd.DataFrame
    local: AuditResult[pd.DataFrame]
    at_the_end: list[Callable[[], object]]


@pytest.fixture(scope="module")
def calls(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Calls]:
    place = tmp_path_factory.mktemp("notebook")
    work, empty = place / "work", place / "empty"
    empty.mkdir()
    at_the_end: list[Callable[[], object]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(empty)
        patch.setattr(
            api.atexit,
            "register",
            lambda remove, *args, **options: at_the_end.append(lambda: remove(*args, **options)),
        )
        frame = spark.createDataFrame(LOCAL.reset_index(drop=True))
        probs = sparkclean.predict(frame, work=work, **PREDICT)
        local_probs = sparkclean.predict(LOCAL, id="id", work=place / "local", **PREDICT)
        assert list((place / "local").iterdir()) == []
        result = sparkclean.audit(probs, label="kind")
        local = sparkclean.audit(local_probs, id="id", label="kind")
        repr(result)
        assert list(empty.iterdir()) == []
    yield Calls(work, probs, result, local_probs, local, at_the_end)
    result.close()
    local.close()
    for remove in at_the_end:
        remove()
    assert list(work.iterdir()) == []


# -- predict -------------------------------------------------------------------------------------


def test_predict_gives_the_columns_and_the_bits_of_the_job(
    spark: SparkSession, calls: Calls, tmp_path: Path
) -> None:
    LOCAL.to_parquet(tmp_path / "in.parquet", index=False)
    columns = {"label": "kind"}
    predict = {key: value for key, value in PREDICT.items() if key != "label"}
    outputs = {name: str(tmp_path / name) for name in ("predictions", "models", "runs")}
    config = {"input": {"table": str(tmp_path / "in.parquet")}, "columns": columns}
    sparkclean.run_job("predict", config | {"predict": predict, "output": outputs})
    made = sparkclean.read(spark, outputs["predictions"]).orderBy("id").collect()
    wanted = np.array([row["pred_probs"] for row in made], np.float32)
    assert (np.stack(calls.local_probs["pred_probs"]) == wanted).all()
    assert calls.probs.columns == ["id", "kind", "note", "x", "y", "pred_probs", "fold"]
    found = calls.probs.orderBy("id").collect()
    assert [row["note"] for row in found] == LOCAL["note"].tolist()
    assert (np.array([row["pred_probs"] for row in found], np.float32) == wanted).all()
    assert [row["fold"] for row in found] == [row["fold"] for row in made]
    assert calls.local_probs["fold"].tolist() == [row["fold"] for row in made]


def test_predict_leaves_its_predictions_alone(calls: Calls) -> None:
    (folder,) = calls.work.iterdir()
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    assert {path.relative_to(folder).parts[:2] for path in files} == {("work", "predicted")}
    assert len(calls.at_the_end) == 1


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"features": ["z"]}, InputError, "'z' is not in the table.*Set id=, label= and features="),
        ({"n_folds": 1}, ConfigError, "n_folds=: 1 is wrong"),
        ({"n_fold": 3}, ConfigError, "n_fold=: unknown argument .*'n_folds'"),
        pytest.param(
            {"n_folds": 200},
            InputError,
            "fewer n_folds= .*set rare_classes='exclude'",
            marks=pytest.mark.full,
        ),
        ({"estimator": "no.where"}, ConfigError, "^estimator="),
    ],
)
def test_predict_that_cannot_be_names_arguments_and_leaves_nothing(
    spark: SparkSession, tmp_path: Path, options: dict[str, Any], error: type, said: str
) -> None:
    with pytest.raises(error, match=said):
        sparkclean.predict(LOCAL, work=tmp_path, **(PREDICT | options))
    assert list(tmp_path.iterdir()) == []


def test_predict_of_what_is_predicted_is_refused(calls: Calls) -> None:
    for data in (calls.probs, calls.local_probs):
        with pytest.raises(InputError, match="'pred_probs' is there already"):
            sparkclean.predict(data, **PREDICT)


def test_predict_numbers_rows_of_arrow_and_gives_pandas(
    spark: SparkSession, tmp_path: Path
) -> None:
    table = pa.Table.from_pandas(LOCAL.drop(columns="id"), preserve_index=False)
    probs = sparkclean.predict(table, work=tmp_path, **PREDICT)
    assert probs["note"].tolist() == LOCAL["note"].tolist()
    assert np.stack(probs["pred_probs"]).shape == (ROWS, 3)
    assert list(tmp_path.iterdir()) == []


# -- audit ---------------------------------------------------------------------------------------


def test_audit_knows_the_classes_of_predict(calls: Calls) -> None:
    with sparkclean.audit(calls.probs, label="kind", classes=sorted(NAMES)) as told:
        assert told.compute_result_hash() == calls.result.compute_result_hash()
    assert calls.local.compute_result_hash() == calls.result.compute_result_hash()
    found = set(calls.local.suspects.index)
    assert len(found & set(LOCAL.index[IS_WRONG])) > 0.8 * IS_WRONG.sum()


def test_audit_without_the_order_of_classes_says_what_to_pass(calls: Calls) -> None:
    lost = calls.probs.withColumn("pred_probs", F.expr("transform(pred_probs, x -> x)"))
    with pytest.raises(
        ConfigError, match=r"^classes=None, but column 'kind'.*pass classes=\[...\]"
    ):
        sparkclean.audit(lost, label="kind")


def test_audit_of_a_path_finds_the_order_of_classes_in_the_files(
    spark: SparkSession, calls: Calls, tmp_path: Path
) -> None:
    calls.probs.write.parquet(str(tmp_path / "probs"))
    with sparkclean.audit(str(tmp_path / "probs"), label="kind") as result:
        assert result.compute_result_hash() == calls.result.compute_result_hash()
        row = result.suspects.first()
        assert row is not None
        assert row["dataset_version"].startswith("files-")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["probs"]


def test_audit_of_rows_without_id_flags_the_same_rows(spark: SparkSession, calls: Calls) -> None:
    with sparkclean.audit(calls.local_probs, label="kind") as result:
        assert result.suspects.index.tolist() == calls.local.suspects.index.tolist()
        assert LOCAL.index[result.suspects["row"]].tolist() == result.suspects.index.tolist()


def test_audit_of_probabilities_in_columns_of_arrow(spark: SparkSession, calls: Calls) -> None:
    probs = np.stack(calls.local_probs["pred_probs"])
    columns = {f"p{k}": probs[:, k] for k in range(3)}
    table = pa.table({"id": LOCAL["id"], "kind": LOCAL["kind"], **columns})
    names = {"id": "id", "label": "kind", "pred_probs": list(columns), "classes": sorted(NAMES)}
    with sparkclean.audit(table, **names) as result:
        assert result.compute_result_hash() == calls.local.compute_result_hash()
        assert isinstance(result.suspects, pd.DataFrame)


def test_audit_of_local_rows_refuses_ids_that_stand_twice(
    spark: SparkSession, calls: Calls
) -> None:
    twice = calls.local_probs.assign(id=[3, 3, *range(2, ROWS)])
    with pytest.raises(InputError, match=r"^id=: 2 record ids in 'id' stand in 4 rows|^id=: 1 rec"):
        sparkclean.audit(twice, id="id", label="kind")


@pytest.mark.parametrize("name", ["20news", pytest.param("mnist", marks=pytest.mark.full)])
def test_audit_of_golden_rows_of_pandas_and_arrow_is_that_of_the_frame(
    spark: SparkSession, name: str
) -> None:
    path = str(GOLDEN / name / "examples.parquet")
    table = pq.read_table(path)
    with sparkclean.audit(spark.read.parquet(path)) as result:
        wanted = result.compute_result_hash()
        ids = [row["id"] for row in result.suspects.orderBy("rank").select("id").collect()]
    for rows in (table, table.to_pandas()):
        with sparkclean.audit(rows, id="id") as result:
            assert result.compute_result_hash() == wanted
            assert result.suspects["id"].tolist() == ids


# -- what a result gives ---------------------------------------------------------------------------


def test_tables_of_a_result_are_alike(calls: Calls) -> None:
    for name in ("suspects", "classes", "pairs", "rejected"):
        frame, local = getattr(calls.result, name), getattr(calls.local, name)
        assert list(local.columns) == frame.columns
        assert len(local) == frame.count()
    assert calls.local.suspects["rank"].tolist() == list(range(1, calls.local.num_suspects + 1))


def test_report_shows_the_examples_of_frames_of_spark_and_pandas(
    calls: Calls, tmp_path: Path
) -> None:
    pytest.importorskip("altair")
    for result in (calls.result, calls.local):
        page = result.report(columns=["note"])
        assert page._repr_html_().startswith("<iframe ")
        first = result.top(1, "note")
        note = first.collect()[0]["note"] if hasattr(first, "collect") else first["note"].iloc[0]
        html = page.save(tmp_path / "page.html").read_text(encoding="utf-8")
        assert f">{note}<" in html
        assert "&lt;b&gt;ant&lt;/b&gt;" in html
        assert "holds data of the table" in html
    assert "holds data of the table" not in calls.local.report(columns=[]).html
    assert calls.local.metrics == calls.result.metrics


def test_top_gives_suspects_with_columns_of_their_own(calls: Calls) -> None:
    top = calls.result.top(7, columns=["note", "x"]).collect()
    assert [row["rank"] for row in top] == [1, 2, 3, 4, 5, 6, 7]
    assert [row["note"] for row in top] == [f"n{row['id'] // 3}" for row in top]
    local = calls.local.top(7, columns=["note", "x"])
    assert list(local.columns) == list(top[0].asDict())
    assert local["id"].tolist() == [row["id"] for row in top]
    assert local["x"].tolist() == [row["x"] for row in top]
    assert local.index.tolist() == [f"r{i // 3}" for i in local["id"]]
    every = calls.local.top(1, columns="*")
    assert {"note", "kind", "x", "y", "fold", "pred_probs"} <= set(every.columns)
    assert calls.result.top(1, columns="*").columns == list(every.columns)
    with pytest.raises(InputError, match="'nota' is not in the table; did you mean 'note'"):
        calls.result.top(1, columns="nota")


@pytest.mark.parametrize(
    ("mode", "more"),
    [
        ("drop", []),
        ("quarantine", []),
        ("relabel", ["kind_original", "label_was_changed"]),
        ("weight", ["sample_weight"]),
    ],
)
def test_cleaned_is_the_same_of_spark_and_pandas(calls: Calls, mode: str, more: list[str]) -> None:
    frame, local = calls.result.cleaned(mode), calls.local.cleaned(mode)
    assert frame.columns == list(local.columns) == [*calls.probs.columns, *more]
    shown = ["id", "kind", "note", *more]
    rows = [tuple(row) for row in frame.orderBy("id").select(*shown).collect()]
    assert rows == list(local[shown].itertuples(index=False, name=None))
    assert local.index.tolist() == [f"r{i // 3}" for i in local["id"]]
    kept = mode in ("relabel", "weight")
    assert len(rows) == ROWS - (0 if kept else calls.result.num_suspects)


def test_quarantined_are_the_rows_that_are_left_out(calls: Calls) -> None:
    frame, local = calls.result.quarantined(), calls.local.quarantined()
    assert sorted(row["id"] for row in frame.collect()) == local["id"].tolist()
    assert sorted(local["id"]) == sorted(calls.local.suspects["id"])
    assert not set(local["id"]) & set(calls.local.cleaned("drop")["id"])


def test_cleaned_with_a_column_in_the_way_says_so(spark: SparkSession, calls: Calls) -> None:
    probs = calls.local_probs.assign(sample_weight=1.0)
    said = "mode='weight' adds column 'sample_weight'"
    with sparkclean.audit(probs, label="kind") as result, pytest.raises(InputError, match=said):
        result.cleaned("weight")


def test_result_shows_itself_alike_and_escaped(calls: Calls) -> None:
    assert repr(calls.result) == repr(calls.local)
    assert "top 5 suspects" in repr(calls.result)
    page = Page(calls.result._repr_html_())
    assert page.open == []
    assert "b" not in page.tags
    assert "<b>ant</b>" in page.text
