"""`sparkclean train`: a final model after an audit, in each mode; the same bits, repeatable."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sparkclean.commands.demo import flip_labels
from sparkclean.commands.main import main
from sparkclean.lake import open_target
from sparkclean.learning.final_model import FinalModel, load_model

NAMES = ("predictions", "models", "runs", "suspects", "pairs", "cleaned")
#: Every second digit is trained on, with flipped labels; another quarter has its true ones.
ROWS, K = 899, 10


def digits(rows: slice, *, flipped: bool) -> pa.Table:
    """Digits as in the demo."""
    data = load_digits()
    given = flip_labels(data.target.astype(np.int64), K) if flipped else data.target
    columns = {
        "id": pa.array(np.arange(len(given))[rows]),
        "label": pa.array(given[rows].astype(np.int32)),
        "other": pa.array(given[rows].astype(np.int32)),
        "image": pa.array(data.data[rows].astype(np.float32).tolist(), pa.list_(pa.float32())),
    }
    return pa.table(columns)


TRAIN = digits(slice(0, None, 2), flipped=True)
TEST = digits(slice(1, None, 4), flipped=False)


def images(table: pa.Table) -> np.ndarray:
    return np.array(table["image"].to_pylist())


def write(table: pa.Table, folder: Path, *, files: int = 1) -> Path:
    folder.mkdir(parents=True)
    step = -(-len(table) // files)
    for i in range(files):
        pq.write_table(table.slice(i * step, step), folder / f"part-{i}.parquet")
    return folder


@dataclass(frozen=True)
class Place:
    """A folder with ``in``, ``test`` and the outputs."""

    folder: Path

    def command(self, name: str, *settings: str, run_id: str) -> int:
        path = self.folder / "config.json"
        config = {
            "input": {"table": str(self.folder / "in")},
            "predict": {"features": "image", "n_folds": 2},
            "output": {name: str(self.folder / "out" / name) for name in NAMES}
            | dict.fromkeys(("rejected", "classes")),
        }
        path.write_text(json.dumps(config))
        words = [word for setting in settings for word in ("--set", setting)]
        return main([name, "--config", str(path), "--run-id", run_id, *words])

    def audit(self, *settings: str, run_id: str) -> int:
        """Audit by what `pred` has predicted."""
        predictions = f"input.predictions={self.folder}/out/predictions"
        return self.command("audit", predictions, "predict=null", *settings, run_id=run_id)

    def train(self, *settings: str, run_id: str, test: Path | None = None) -> int:
        test = test or self.folder / "test"
        return self.command("train", f"train.test={test}", *settings, run_id=run_id)

    def record(self, run_id: str) -> dict[str, Any]:
        rows = self.records()
        return next(row for row in rows if row["run_id"] == run_id)

    def records(self) -> list[dict[str, Any]]:
        current = open_target(str(self.folder / "out" / "runs"))
        files = current.data_files(current.current().name)
        return [row for file in files for row in pq.read_table(file).to_pylist()]

    def quality(self, run_id: str) -> dict[str, Any]:
        return json.loads(self.record(run_id)["counts"])["quality"]

    def model(self, run_id: str) -> FinalModel:
        return load_model(self.folder / "out" / "models" / "train" / run_id)


#: An audit of which there are no pairs and no cleaned version.
WITHOUT_OUTPUTS = ("output.pairs=null", "output.cleaned=null")


def cleaned_at(place: Place, name: str) -> str:
    return f"output.cleaned={place.folder}/out/{name}"


@pytest.fixture(scope="module")
def audited(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Audits by the run ids ``drop`` and ``weight``, a closed gate, and one without outputs."""
    place = Place(tmp_path_factory.mktemp("train"))
    write(TRAIN, place.folder / "in")
    write(TEST, place.folder / "test")
    assert place.command("predict", run_id="pred") == 0
    assert place.audit(run_id="drop") == 0
    weighted = cleaned_at(place, "weighted")
    assert place.audit("clean.mode=weight", weighted, run_id="weight") == 0
    assert place.audit("gate.max_suspects=1", cleaned_at(place, "gated"), run_id="gated") == 4
    assert place.audit(*WITHOUT_OUTPUTS, run_id="bare") == 0
    return place


MODES = {
    "cleaned": ("train.audit=drop",),
    "weights": ("train.mode=weights", "train.audit=weight"),
    "robust": ("train.mode=robust", "train.audit=drop"),
}


@pytest.fixture(scope="module")
def plain() -> float:
    """Accuracy on true labels of what is trained on all rows as they are."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    model.fit(images(TRAIN), TRAIN["label"].to_numpy())
    return float(model.score(images(TEST), TEST["label"].to_numpy()))


@pytest.mark.parametrize("mode", MODES)
def test_train_after_an_audit_is_better_on_true_labels_than_before_it(
    audited: Place, plain: float, capsys: pytest.CaptureFixture, mode: str
) -> None:
    assert audited.train(*MODES[mode], run_id=f"t-{mode}") == 0
    record, quality = audited.record(f"t-{mode}"), audited.quality(f"t-{mode}")
    assert quality["overall"]["rows"] == len(TEST)
    assert quality["overall"]["accuracy"] > plain
    assert [part["rows"] for part in quality["classes"]] == np.bincount(TEST["label"]).tolist()
    model = audited.model(f"t-{mode}")
    probs = model.predict_proba(TEST)
    assert (probs.argmax(axis=1) == TEST["label"].to_numpy()).mean() == pytest.approx(
        quality["overall"]["accuracy"]
    )
    assert (record["status"], record["classes"]) == ("published", K)
    source = json.loads(record["input"])
    assert source["audit"] == MODES[mode][-1 if mode != "robust" else 1].removeprefix(
        "train.audit="
    )
    assert source["test"]["table"] == str(audited.folder / "test")
    said = capsys.readouterr().out
    assert f"accuracy {quality['overall']['accuracy']:.4f}" in said
    if mode == "robust":
        assert said.startswith("trained RobustClassifier (forward_correction) on")
        assert model.about["params"] == {"loss": "forward_correction", "alpha": 0.01}
    else:
        assert said.startswith("trained logistic regression on")
    suspects = audited.record("drop")["suspects"]
    rows = len(TRAIN) if mode == "robust" else len(TRAIN) - suspects
    assert record["rows"] == rows == model.about["models"][0]["training_rows"]


def test_train_by_weights_gives_them_to_the_classifier(audited: Place) -> None:
    assert audited.train(*MODES["weights"], run_id="weighed") == 0
    target = open_target(str(audited.folder / "out" / "weighted"))
    rows = target.head(2 * ROWS)
    kept = rows.filter(pa.compute.greater(rows["sample_weight"], 0.0))
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    weights = kept["sample_weight"].to_numpy()
    assert len(set(weights.tolist())) > 2
    model.fit(images(kept), kept["label"], logisticregression__sample_weight=weights)
    found = audited.model("weighed").predict_proba(TEST)
    np.testing.assert_allclose(found, model.predict_proba(images(TEST)), atol=1e-3)
    model.fit(images(kept), kept["label"])
    assert np.abs(found - model.predict_proba(images(TEST))).max() > 5e-3


def test_train_same_rows_in_another_order_and_other_files_give_the_same_bits(
    audited: Place, tmp_path: Path
) -> None:
    other = Place(tmp_path)
    mixed = TRAIN.take(np.random.default_rng(1).permutation(len(TRAIN)))
    write(mixed, other.folder / "in", files=5)
    write(TEST.take(np.arange(len(TEST))[::-1]), other.folder / "test", files=3)
    assert other.command("run", run_id="drop") == 0
    for mode in ("cleaned", "robust"):
        settings = (*MODES[mode], "predict.max_train_rows=500")
        for one in (audited, other):
            assert one.train(*settings, run_id=f"bits-{mode}") == 0
        once, again = (one.model(f"bits-{mode}") for one in (audited, other))
        assert (once.predict_proba(TEST) == again.predict_proba(TEST)).all()
        assert once.about["models"][0]["training_rows"] < 501
        assert audited.quality(f"bits-{mode}") == other.quality(f"bits-{mode}")


def test_train_repeated_run_does_nothing(audited: Place, capsys: pytest.CaptureFixture) -> None:
    for _ in range(2):
        assert audited.train("train.audit=drop", run_id="twice") == 0
    assert "has finished before" in capsys.readouterr().out
    assert [row["run_id"] for row in audited.records()].count("twice") == 1
    assert audited.train("train.audit=drop", "predict.seed=1", run_id="twice") == 5
    assert "use a new run id" in capsys.readouterr().err


def test_train_that_fails_after_training_is_completed_by_the_audit_it_was_begun_with(
    audited: Place,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.setenv("SPARKCLEAN_FAULT", "predict.trained:raise")
    weights = "train.mode=weights"
    mine = write(TEST, tmp_path / "test")
    assert audited.audit("clean.mode=weight", cleaned_at(audited, "w2"), run_id="before") == 0
    assert audited.train(weights, run_id="resumed", test=mine) == 1
    monkeypatch.delenv("SPARKCLEAN_FAULT")
    folder = audited.folder / "out" / "models" / "train" / "resumed"
    before = (folder / "manifest.json").stat().st_mtime_ns
    assert "resumed" not in {row["run_id"] for row in audited.records()}
    assert audited.audit("clean.mode=weight", cleaned_at(audited, "w3"), run_id="after") == 0
    assert audited.train(weights, run_id="resumed", test=mine) == 0
    assert (folder / "manifest.json").stat().st_mtime_ns == before
    assert json.loads(audited.record("resumed")["input"])["audit"] == "before"
    assert audited.train(weights, run_id="resumed", test=mine) == 0
    assert "has finished before" in capsys.readouterr().out
    assert audited.audit(cleaned_at(audited, "w4"), run_id="other-mode") == 0
    assert audited.train(weights, run_id="resumed", test=mine) == 0
    assert "has finished before" in capsys.readouterr().out
    assert audited.audit("clean.mode=weight", cleaned_at(audited, "w5"), run_id="last") == 0
    assert audited.train(weights, run_id="later", test=mine) == 0
    assert json.loads(audited.record("later")["input"])["audit"] == "last"


@pytest.mark.full
def test_train_that_fails_goes_on_with_the_test_table_as_it_was(
    audited: Place,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    mine = write(TEST, tmp_path / "test")
    monkeypatch.setenv("SPARKCLEAN_FAULT", "predict.trained:raise")
    assert audited.train("train.audit=drop", run_id="changed", test=mine) == 1
    monkeypatch.delenv("SPARKCLEAN_FAULT")
    pq.write_table(TEST.slice(0, 50), mine / "part-0.parquet")
    assert audited.train("train.audit=drop", run_id="changed", test=mine) == 3
    assert "train.test: 1 of 1 files changed since the run started" in capsys.readouterr().err


def test_train_dry_run_writes_nothing(audited: Place, capsys: pytest.CaptureFixture) -> None:
    before = len(audited.records())
    path = str(audited.folder / "config.json")
    assert main(["train", "--config", path, "--dry-run", "--set", "train.audit=drop"]) == 0
    shown = capsys.readouterr().out
    assert "audit     drop, by the cleaned version, clean.mode drop" in shown
    assert len(audited.records()) == before


# -- the test table ------------------------------------------------------------------------------


def _changed(name: str, values: dict[int, Any]) -> pa.Table:
    column = TEST[name].to_pylist()
    for i, value in values.items():
        column[i] = value
    place = TEST.column_names.index(name)
    return TEST.set_column(place, name, pa.array(column, TEST[name].type))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (TEST.drop_columns("image"), "train.test: column 'image' is not in the table"),
        (_changed("label", {3: 77, 4: None}), "2 rows have a label that is not among the classes"),
        (_changed("image", {5: None}), "column 'image': 1 rows are null"),
        (_changed("image", {i: [1.0] for i in range(len(TEST))}), "has 1 numbers a row"),
        (pa.concat_tables([TEST, TRAIN.slice(7, 2)]), "2 rows are among those that are trained on"),
        (TEST.set_column(1, "label", TEST["label"].cast(pa.string())), "is string, and int"),
    ],
    ids=["column", "label", "null", "numbers", "trained-on", "type"],
)
def test_train_what_is_wrong_with_the_test_table_is_said_before_training(
    audited: Place, tmp_path: Path, capsys: pytest.CaptureFixture, table: pa.Table, said: str
) -> None:
    run_id = f"test-{abs(hash(said))}"
    mine = write(table, tmp_path / "test")
    assert audited.train("train.audit=drop", run_id=run_id, test=mine) == 3
    text = capsys.readouterr().err
    assert said in text
    assert "train.test: " in text
    assert not (audited.folder / "out" / "models" / "train" / run_id).exists()


def test_train_warns_of_test_rows_that_look_like_training_rows(
    audited: Place, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    # suspects are not in the cleaned version: of the first rows some are
    twins = TRAIN.slice(0, 20).set_column(0, "id", pa.array(np.arange(9000, 9020)))
    mine = write(pa.concat_tables([TEST, twins]), tmp_path / "test")
    assert audited.train("train.audit=drop", run_id="twins", test=mine) == 0
    alike = json.loads(audited.record("twins")["counts"])["test_rows_like_training_rows"]
    assert 15 <= alike <= 20
    assert f"{alike} rows have the same features" in capsys.readouterr().err


# -- what is wrong -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "code", "said"),
    [
        (["train.audit=nope"], 3, "there is no run 'nope'"),
        (["train.audit=gated"], 3, "its record says gate_failed"),
        (["train.audit=pred"], 3, "was no audit"),
        (["train.audit=bare"], 3, "has published no cleaned version (output.cleaned: null)"),
        (["train.audit=bare", "train.mode=robust"], 3, "has no rows in output.pairs"),
        (["train.audit=weight"], 2, "set train.mode: weights, or audit with clean.mode: drop"),
        (["train.audit=drop", "train.mode=weights"], 2, "audit with clean.mode: weight"),
        (["train.mode=weights", "train.estimator=sklearn.neighbors.KNeighborsClassifier"], 2,
         "KNeighborsClassifier takes no sample_weight"),
        (["train.mode=robust", "train.params={alpha: -1}"], 2, "train.params: alpha is -1"),
        (["train.mode=robust", "train.params={depth: 1}"], 2, "RobustClassifier takes: "),
        (["train.mode=robust", "train.params={loss: nope}"], 2, "there is no loss 'nope'"),
        (["train.mode=robust", "train.params={loss_params: {noise_matrix: [[1]]}}"], 2,
         "comes from the audit; leave it out"),
        (["train.mode=robust", "train.estimator=sklearn.svm.SVC"], 2, "has no effect with"),
        (["train.estimator=sklearn.nope.Nope"], 2, "train.estimator: 'sklearn.nope.Nope' cannot"),
        (["train.params={depth: 1}"], 2, "LogisticRegression takes: "),
        (["train.audit=drop", "train.test=./nowhere"], 3, "nowhere does not exist; "),
        (["predict=null"], 2, "predict: is missing"),
        (["output.runs=null"], 2, "output.runs: null"),
        (["output.runs=nowhere"], 3, "holds no record of a published audit"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, list) else None,
)  # fmt: skip
def test_train_what_is_wrong_with_the_settings_is_said(
    audited: Place,
    capsys: pytest.CaptureFixture,
    settings: list[str],
    code: int,
    said: str,
) -> None:
    assert audited.train(*settings, run_id="wrong") == code
    assert said in capsys.readouterr().err
    assert not (audited.folder / "out" / "models" / "train" / "wrong").exists()


def test_train_robust_loss_without_noise_matrix_needs_no_pairs(audited: Place) -> None:
    settings = ("train.audit=bare", "train.mode=robust", "train.params={loss: mean_absolute_error}")
    assert audited.train(*settings, run_id="mae") == 0
    assert audited.quality("mae")["overall"]["accuracy"] > 0.8


def test_train_after_an_audit_of_another_table_is_refused(
    audited: Place, capsys: pytest.CaptureFixture
) -> None:
    elsewhere = f"input.table={audited.folder}/other"
    assert audited.train(elsewhere, "train.audit=drop", run_id="wrong") == 3
    assert "set input.table, or name an audit of it" in capsys.readouterr().err
    assert audited.train(elsewhere, run_id="wrong") == 3
    assert "holds no record of a published audit of" in capsys.readouterr().err


def test_train_on_what_is_there_no_longer_is_refused(
    audited: Place, capsys: pytest.CaptureFixture
) -> None:
    part = audited.folder / "in" / "part-0.parquet"
    before = part.stat().st_mtime_ns
    more = audited.folder / "in" / "part-9.parquet"
    shutil.copy(part, more)
    assert audited.train("train.mode=robust", "train.audit=drop", run_id="wrong") == 3
    assert "is not what run 'drop' has audited" in capsys.readouterr().err
    more.unlink()
    assert part.stat().st_mtime_ns == before
    cleaned = audited.folder / "out" / "cleaned"
    cleaned.rename(audited.folder / "out" / "away")
    try:
        assert audited.train("train.audit=drop", run_id="wrong") == 3
        assert "is not in" in capsys.readouterr().err
    finally:
        (audited.folder / "out" / "away").rename(cleaned)


# -- other formats -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "layout"),
    [
        ("iceberg", "copy"),
        pytest.param("delta", "copy", marks=pytest.mark.full),
        pytest.param("delta", "clone", marks=pytest.mark.full),
        pytest.param("iceberg", "branch", marks=pytest.mark.full),
    ],
)
def test_train_reads_the_cleaned_version_in_every_layout(
    spark: SparkSession, tmp_path: Path, kind: str, layout: str
) -> None:
    if layout == "branch" and spark.version < "4":
        pytest.skip("branches need Spark 4")
    frame = spark.read.parquet(str(write(TRAIN, tmp_path / "files")))
    prefix = f"{tmp_path}/" if kind == "delta" else f"lake.t{abs(hash(str(tmp_path)))}."
    if kind == "delta":
        frame.write.format("delta").save(f"{prefix}in")
    else:
        spark.sql(f"CREATE NAMESPACE {prefix.rstrip('.')}")
        frame.writeTo(f"{prefix}in").using("iceberg").create()
    output = {name: prefix + name for name in NAMES}
    output |= {"models": str(tmp_path / "models"), "work": str(tmp_path / "work"), "format": kind}
    output["cleaned"] = prefix + ("in" if layout == "branch" else "cleaned")
    config = {
        "input": {"table": f"{prefix}in"},
        "predict": {"features": ["image"], "n_folds": 2},
        "clean": {"layout": layout},
        "train": {"test": str(write(TEST, tmp_path / "trusted"))},
        "output": output | dict.fromkeys(("rejected", "classes")),
    }
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    assert main(["run", "--config", str(path), "--run-id", "a"]) == 0
    # somebody appends to the table meanwhile
    spark.createDataFrame(frame.limit(5).collect(), frame.schema).createOrReplaceTempView("more")
    where = f"delta.`{prefix}in`" if kind == "delta" else f"{prefix}in"
    spark.sql(f"INSERT INTO {where} SELECT * FROM more")
    for mode in ("cleaned", "robust"):
        words = ["--run-id", f"t-{mode}", "--set", f"train.mode={mode}"]
        assert main(["train", "--config", str(path), *words]) == 0
    rows = open_target(prefix + "runs", kind, spark=spark).frame(spark).collect()
    records = {(row["job"], row["run_id"]): row for row in rows}
    suspects = records["audit", "a"]["suspects"]
    assert records["train", "t-cleaned"]["rows"] == len(TRAIN) - suspects
    assert records["train", "t-robust"]["rows"] == len(TRAIN)
    assert load_model(tmp_path / "models" / "train" / "t-cleaned").predict(TEST)


def test_train_by_an_audit_of_another_label_is_refused_and_not_the_last_one(
    audited: Place, capsys: pytest.CaptureFixture
) -> None:
    places = cleaned_at(audited, "other"), f"output.predictions={audited.folder}/out/others"
    assert audited.command("run", "columns.label=other", *places, run_id="other") == 0
    assert audited.train("train.audit=other", run_id="wrong") == 3
    assert (
        "was of the columns 'id', 'other', and these are 'id', 'label'" in capsys.readouterr().err
    )
    # the last audit of the label itself has no pairs
    assert audited.audit(*WITHOUT_OUTPUTS, run_id="bare-again") == 0
    assert audited.train("train.mode=robust", "train.audit=null", run_id="of-the-last") == 3
    assert "'bare-again' has no rows in output.pairs" in capsys.readouterr().err


@pytest.mark.full
def test_train_that_was_refused_goes_by_the_next_audit(audited: Place) -> None:
    assert audited.audit(*WITHOUT_OUTPUTS, run_id="poor") == 0
    assert audited.train("train.mode=robust", run_id="patient") == 3
    places = cleaned_at(audited, "rich"), f"output.predictions={audited.folder}/out/newer"
    assert audited.command("run", *places, run_id="rich") == 0
    assert audited.train("train.mode=robust", run_id="patient") == 0
    assert json.loads(audited.record("patient")["input"])["audit"] == "rich"
    # what has finished does not look at its input again
    write(TRAIN.slice(0, 1), audited.folder / "in" / "more")
    (audited.folder / "in" / "more" / "part-0.parquet").rename(audited.folder / "in" / "z.parquet")
    (audited.folder / "in" / "more").rmdir()
    assert audited.train("train.mode=robust", run_id="patient") == 0
    (audited.folder / "in" / "z.parquet").unlink()
