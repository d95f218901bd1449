"""The job ``consensus`` from a table of annotations to its four outputs, on Parquet."""

from __future__ import annotations

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

import sparkclean
from sparkclean.commands.main import main
from sparkclean.crowds.crowdlab import fit_crowdlab
from sparkclean.crowds.dawid_skene import DawidSkene
from sparkclean.crowds.em import fit_dawid_skene
from sparkclean.crowds.majority import MajorityVote, count_untied
from sparkclean.crowds.votes import Decision
from tests.unit.crowds import Crowd, make_crowd

OUTPUTS = ("consensus", "annotators", "confusions", "agreement")
CROWD = make_crowd(240, 9, 3, 4)


def write(folder: Path, *, files: int = 2, **columns: Any) -> str:
    """Write a table of Parquet files."""
    table, folder = pa.table(columns), folder / "in"
    folder.mkdir(parents=True)
    step = -(-len(table) // files)
    for i in range(files):
        pq.write_table(table.slice(i * step, step), folder / f"part-{i}.parquet")
    return str(folder)


def columns_of(crowd: Crowd) -> dict[str, Any]:
    return {
        "item_id": [f"item {i:03}" for i in crowd.items],
        "worker": [f"w{a}" for a in crowd.annotators],
        "label": [("cat", "dog", "eel", "fox")[k] for k in crowd.labels],
    }


class Lab:
    """A folder with a table of annotations, and what the job finds in it."""

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self.spark, self.folder = spark, folder

    def place(self, name: str, run_id: str = "r1") -> str:
        return str(self.folder / "out" / run_id / name)

    def config(self, table: str, run_id: str = "r1", **consensus: Any) -> dict[str, Any]:
        named = {"table": table, "annotator": "worker"} | consensus.pop("annotations", {})
        more = consensus.pop("more", {})
        output = {name: self.place(name, run_id) for name in (*OUTPUTS, "runs")}
        return {"annotations": named, "consensus": consensus, "output": output} | more

    def run(self, table: str, run_id: str = "r1", **consensus: Any) -> Any:
        return sparkclean.run_job(
            "consensus", self.config(table, run_id, **consensus), run_id=run_id
        )

    def fails(self, table: str, **consensus: Any) -> str:
        with pytest.raises(sparkclean.SparkCleanError) as caught:
            self.run(table, **consensus)
        assert not Path(self.place("consensus")).exists()
        return str(caught.value)

    def read(self, name: str, run_id: str = "r1") -> pd.DataFrame:
        return sparkclean.read(self.spark, self.place(name, run_id)).toPandas()

    def hash(self, run_id: str) -> str:
        (found,) = self.read("runs", run_id)["result_hash"]
        return found


@pytest.fixture
def lab(spark: SparkSession, tmp_path: Path) -> Lab:
    return Lab(spark, tmp_path)


def check_items(table: pd.DataFrame, decision: Decision, crowd: Crowd = CROWD) -> None:
    table = table.sort_values("item_id")
    votes = crowd.votes
    names = np.array(["cat", "dog", "eel", "fox"])
    assert table["consensus_label"].tolist() == names[decision.labels].tolist()
    assert table["consensus_quality"].tolist() == decision.quality.tolist()  # bit by bit
    assert table["annotations"].tolist() == votes.sizes.tolist()
    tally = votes.tally(crowd.num_classes)
    assert table["distinct_labels"].tolist() == (tally > 0).sum(axis=1).tolist()
    for row, posterior in zip(table["probabilities"], decision.posterior, strict=True):
        found = {names.tolist().index(entry["label"]): entry["probability"] for entry in row}
        assert [found[k] for k in range(crowd.num_classes)] == posterior.tolist()
        values = [entry["probability"] for entry in row]
        assert values == sorted(values, reverse=True)


# -- answers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("tasks", [False, True], ids=["driver", "tasks"])
def test_consensus_is_that_of_arrays(lab: Lab, tasks: bool, request: pytest.FixtureRequest) -> None:
    if tasks:
        request.getfixturevalue("by_tasks")
    table = write(lab.folder, **columns_of(CROWD))
    result = lab.run(table)
    votes, untied = CROWD.votes, count_untied(CROWD.votes, 3, 9)
    confusions, fit = fit_dawid_skene(votes, 3, 9)
    check_items(lab.read("consensus"), DawidSkene(untied, confusions).decide(votes))
    assert result.metrics["items"] == 240
    assert result.metrics["annotations"] == 960
    assert f"{fit.iterations} iterations" in result.summary
    (record,) = lab.read("runs").to_dict("records")
    assert (record["job"], record["status"], record["rows"]) == ("consensus", "published", 960)
    assert json.loads(record["counts"])["iterations"] == fit.iterations


def test_consensus_does_not_depend_on_where_rows_are(
    lab: Lab, spark: SparkSession, request: pytest.FixtureRequest
) -> None:
    columns = columns_of(CROWD)
    lab.run(write(lab.folder / "a", **columns), "in-order")
    order = np.random.default_rng(1).permutation(len(CROWD.items))
    mixed = {name: [values[i] for i in order] for name, values in columns.items()}
    before = spark.conf.get("spark.sql.shuffle.partitions")
    spark.conf.set("spark.sql.shuffle.partitions", "7")
    request.getfixturevalue("by_tasks")
    try:
        lab.run(write(lab.folder / "b", files=5, **mixed), "mixed")
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", before)
    assert lab.hash("in-order") == lab.hash("mixed")
    for name in OUTPUTS:
        one, other = (
            lab.read(name, run)
            .drop(columns=["run_id", "dataset_version"])
            .map(str)
            .sort_values(by=list(lab.read(name, run).columns[:3]))
            .to_dict("records")
            for run in ("in-order", "mixed")
        )
        assert sorted(map(str, one)) == sorted(map(str, other))


def test_consensus_of_another_vote_has_another_hash(lab: Lab) -> None:
    columns = columns_of(CROWD)
    lab.run(write(lab.folder / "a", **columns), "one")
    columns["label"][0] = "dog" if columns["label"][0] != "dog" else "eel"
    lab.run(write(lab.folder / "b", **columns), "other")
    assert lab.hash("one") != lab.hash("other")


@pytest.mark.parametrize("method", ["majority_vote", "wawa"])
def test_consensus_by_votes(lab: Lab, method: str) -> None:
    lab.run(write(lab.folder, **columns_of(CROWD)), method=method)
    table = lab.read("consensus")
    votes, untied = CROWD.votes, count_untied(CROWD.votes, 3, 9)
    majority = MajorityVote(untied).decide(votes)
    if method == "majority_vote":
        check_items(table, majority)
    table = table.sort_values("item_id")
    agreement = (votes.labels == majority.labels[votes.items]).reshape(-1, 4).mean(axis=1)
    same = table["consensus_label"] == np.array(["cat", "dog", "eel"])[majority.labels]
    assert same.mean() > 0.9
    assert table["agreement"][same].tolist() == agreement[same].tolist()


@pytest.mark.parametrize("layout", ["array", "map", "two"])
def test_crowdlab_matches_classes_by_label(lab: Lab, layout: str) -> None:
    rng = np.random.default_rng(5)
    probs = rng.dirichlet(np.ones(3), (2, 240))
    probs[:, np.arange(240), CROWD.truth] += 1
    probs /= probs.sum(axis=2, keepdims=True)
    ids = [f"item {i:03}" for i in range(240)]
    names, tables = ["cat", "dog", "eel"], []
    for number in range(2 if layout == "two" else 1):
        if layout == "map":
            order = [2, 0, 1]
            values = pa.array(
                [[(names[k], row[k]) for k in order] for row in probs[number]],
                pa.map_(pa.string(), pa.float64()),
            )
        else:
            values = pa.array(list(probs[number]))
        folder = lab.folder / f"model-{number}"
        # the table also predicts an item that nobody has labelled
        extra = values.slice(0, 1)
        tables.append(
            write(
                folder,
                item_id=[*ids, "nobody's"],
                pred_probs=pa.concat_arrays([values, extra]),
            )
        )
    more = {} if layout == "map" else {"classes": names}
    table = write(lab.folder, **columns_of(CROWD))
    result = lab.run(table, predictions=tables, more=more)
    used = probs[: len(tables)]
    fitted = fit_crowdlab(CROWD.votes, used, 9)
    decision = fitted.decide(CROWD.votes, used)
    check_items(lab.read("consensus"), decision)
    assert "crowdlab" in result.summary
    counts = json.loads(lab.read("runs")["counts"].iloc[0])
    assert counts["predictions_of_no_item"] == len(tables)
    differs = [
        "model_differs" in reasons
        for reasons in lab.read("consensus").sort_values("item_id")["adjudication_reasons"]
    ]
    tally = CROWD.votes.tally(3)
    model = used.mean(axis=0).argmax(axis=1)
    assert differs == (tally[np.arange(240), model] < tally.max(axis=1)).tolist()


def test_consensus_takes_integers_and_booleans(lab: Lab) -> None:
    table = write(
        lab.folder,
        item_id=pa.array(CROWD.items, pa.int32()),
        worker=pa.array(CROWD.annotators, pa.int16()),
        label=pa.array(CROWD.labels == 0),
    )
    lab.run(table)
    found = sparkclean.read(lab.spark, lab.place("consensus"))
    types = dict(found.dtypes)
    assert (types["item_id"], types["consensus_label"]) == ("int", "boolean")
    annotators = dict(sparkclean.read(lab.spark, lab.place("annotators")).dtypes)
    assert annotators["annotator"] == "smallint"
    assert annotators["most_confused_pair"] == "struct<given:boolean,true:boolean>"
    assert set(lab.read("consensus")["item_id"]) == set(range(240))


def test_consensus_takes_an_item_of_two_columns_and_a_condition(lab: Lab) -> None:
    table = write(
        lab.folder,
        site=[f"s{i % 2}" for i in CROWD.items],
        number=CROWD.items // 2,
        worker=CROWD.annotators,
        label=CROWD.labels,
    )
    result = lab.run(
        table,
        annotations={"item": ["site", "number"]},
        more={"input": {"where": "worker <> 3"}},
    )
    assert result.metrics["annotators"] == 8
    found = lab.read("consensus")
    assert list(found.columns[:3]) == ["site", "number", "consensus_label"]
    assert len(set(zip(found["site"], found["number"], strict=True))) == len(found) == 240


def test_annotators_and_confusions_are_of_the_consensus(lab: Lab) -> None:
    lab.run(write(lab.folder, **columns_of(CROWD)), method="majority_vote")
    items = lab.read("consensus").set_index("item_id")["consensus_label"]
    table = pd.DataFrame(columns_of(CROWD)).assign(
        true=lambda t: items[t["item_id"]].to_numpy(), count=1
    )
    wanted = table.groupby(["worker", "label", "true"])["count"].sum().to_dict()
    found = lab.read("confusions")
    assert found.set_index(["annotator", "given", "true"])["count"].to_dict() == wanted
    total = found.groupby(["annotator", "true"])["rate"].sum()
    assert np.allclose(total, 1.0)
    annotators = lab.read("annotators").set_index("annotator")
    assert annotators["items"].to_dict() == table.groupby("worker")["count"].sum().to_dict()
    right = (table["label"] == table["true"]).groupby(table["worker"]).mean()
    assert np.allclose(annotators["quality"], right[annotators.index])


def test_agreement_has_all_classes_and_each_one(lab: Lab) -> None:
    lab.run(write(lab.folder, **columns_of(CROWD)))
    found = lab.read("agreement").set_index(["statistic", "class"])
    assert len(found) == 2 * 4
    alpha = found.loc["krippendorff_alpha"]
    assert (alpha["lower"] < alpha["value"]).all()
    assert (alpha["value"] < alpha["upper"]).all()
    assert set(found["items"]) == {240}
    assert set(found["annotations"]) == {960}


def test_consensus_says_what_a_person_should_look_at(lab: Lab) -> None:
    rows = [("a", "x", 0), ("a", "y", 1), ("b", "x", 1), ("c", "x", 0), ("c", "y", 0)]
    item, worker, label = (list(column) for column in zip(*rows, strict=True))
    lab.run(
        write(lab.folder, item_id=item, worker=worker, label=label),
        method="majority_vote",
        adjudicate_below=0.6,
    )
    table = lab.read("consensus").set_index("item_id")
    assert {item: list(why) for item, why in table["adjudication_reasons"].items()} == {
        "a": ["tie", "low_quality"], "b": ["single_label"], "c": [],
    }  # fmt: skip
    assert table["needs_adjudication"].to_dict() == {"a": True, "b": True, "c": False}


def test_probabilities_of_many_classes_are_the_top_five(lab: Lab) -> None:
    crowd = make_crowd(200, 6, 12, 3)
    table = write(lab.folder, item_id=crowd.items, worker=crowd.annotators, label=crowd.labels)
    lab.run(table)
    assert {len(row) for row in lab.read("consensus")["probabilities"]} == {5}


# -- duplicates and gaps -------------------------------------------------------------------------


def test_latest_of_two_labels_counts(lab: Lab) -> None:
    table = write(
        lab.folder,
        item_id=["a", "a", "a", "b", "b"],
        worker=["x", "x", "y", "x", "y"],
        label=[1, 0, 0, 1, 1],
        at=pa.array([20, 10, 5, 7, 8], pa.timestamp("us")),
    )
    result = lab.run(table, annotations={"time": "at"}, method="majority_vote")
    found = lab.read("consensus").set_index("item_id")
    assert found["annotations"].to_dict() == {"a": 2, "b": 2}
    assert found["distinct_labels"].to_dict() == {"a": 2, "b": 1}
    assert "1 were replaced by a later one" in result.summary


def test_same_label_twice_needs_no_time(lab: Lab) -> None:
    table = write(lab.folder, item_id=[1, 1, 1, 2], worker=["x", "x", "y", "y"], label=[1, 1, 1, 0])
    lab.run(table, method="majority_vote")
    assert lab.read("consensus").set_index("item_id")["annotations"].to_dict() == {1: 2, 2: 1}


def test_rows_without_a_label_are_left_out_and_counted(lab: Lab) -> None:
    table = write(
        lab.folder, item_id=[1, 1, 2, 3], worker=["x", "y", "x", "x"], label=[1, None, 0, None]
    )
    result = lab.run(table, method="majority_vote")
    assert set(lab.read("consensus")["item_id"]) == {1, 2}
    assert "2 rows without a label are left out" in result.summary
    assert lab.read("runs")["rejected"].tolist() == [2]


# -- the command ---------------------------------------------------------------------------------


def test_command_describes_and_runs_and_shows(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    config = lab.folder / "consensus.json"
    config.write_text(json.dumps(lab.config(write(lab.folder, **columns_of(CROWD)))))
    words = ["consensus", "--config", str(config), "--run-id", "r1"]
    assert main([*words, "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "dawid_skene" in out
    assert "nothing was written" in out
    assert not (lab.folder / "out").exists()
    assert main(words) == 0
    assert "Krippendorff's alpha" in capsys.readouterr().out
    assert main(words) == 0
    assert "has finished before; nothing was done" in capsys.readouterr().out
    assert main(["show", lab.place("consensus")]) == 0


# -- bad input -----------------------------------------------------------------------------------

ROWS = {"item_id": ["a", "a", "b", "b"], "worker": ["x", "y", "x", "y"], "label": [0, 1, 1, 1]}


def model(lab: Lab, name: str = "model", **columns: Any) -> str:
    return write(lab.folder / name, **columns)


BAD: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "column missing": (
        {}, {"annotations": {"label": "lable"}},
        "column 'lable' is not in the table; did you mean 'label'? it has: item_id, worker, label",
    ),
    "label of wrong type": (
        {"label": [0.5, 1.0, 1.0, 1.0]}, {},
        "annotations.label: column 'label' is double; a label is an integer, a string or a boolean",
    ),
    "annotator of wrong type": (
        {"worker": [1.0, 2.0, 1.0, 2.0]}, {},
        "annotations.annotator: column 'worker' is double; an annotator is an integer or a string",
    ),
    "item of wrong type": (
        {"item_id": [1.0, 1.0, 2.0, 2.0]}, {},
        "annotations.item: column 'item_id' is double; a record id is an integer or a string",
    ),
    "item of a reserved name": (
        {"Agreement": ["a", "a", "b", "b"]}, {"annotations": {"item": "Agreement"}},
        "annotations.item: 'Agreement' is also the name of an output column",
    ),
    "time of wrong type": (
        {"at": ["1", "2", "3", "4"]}, {"annotations": {"time": "at"}},
        "annotations.time: column 'at' is string; a time is a timestamp, a date or an integer",
    ),
    "item null": (
        {"item_id": ["a", None, "b", None]}, {},
        "annotations.item: 2 annotations have no record id in 'item_id'",
    ),
    "annotator null": (
        {"worker": ["x", "y", None, "y"]}, {},
        "1 annotations do not say in 'worker' who gave the label ('item_id': 'b')",
    ),
    "label unknown": (
        {"label": ["p", "q", "r", "q"]}, {"more": {"classes": ["p", "q"]}},
        "1 annotations have a label in 'label' that is not in classes ('item_id': 'b')",
    ),
    "classes of another type": (
        {}, {"more": {"classes": ["p", "q"]}},
        "classes: number 1 of 2 is str, but column 'label' is bigint",
    ),
    "one class": (
        {"label": [1, 1, 1, 1]}, {},
        "all labels in 'label' are 1; a consensus needs two classes or more",
    ),
    "no label at all": (
        {"label": pa.nulls(4, pa.string())}, {},
        "annotations.label: no row has a label in 'label'",
    ),
    "empty table": (
        {name: pa.array([], pa.string()) for name in ROWS}, {}, "is empty (0 rows",
    ),
    "condition that keeps no row": (
        {}, {"more": {"input": {"where": "worker = 'z'"}}},
        "the table is empty (0 annotations); check annotations.table, input.version and",
    ),
    "second label, and an error is wanted": (
        {"worker": ["x", "x", "x", "y"]}, {"annotations": {"duplicates": "error"}},
        "1 annotations are of an item that the annotator had labelled before ('item_id': 'a')",
    ),
    "second label without a time": (
        {"worker": ["x", "x", "x", "y"]}, {},
        "annotations.time: null, and 1 times an annotator gave an item another label than before",
    ),
    "second label at the same time": (
        {"worker": ["x", "x", "x", "y"], "at": [7, 7, 8, 9]}, {"annotations": {"time": "at"}},
        "gave an item two labels at the same time in 'at' ('item_id': 'a')",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_annotations_have_their_own_message(lab: Lab, case: str) -> None:
    columns, settings, words = BAD[case]
    assert words in lab.fails(write(lab.folder, **(ROWS | columns)), **settings)


BAD_MODELS: dict[str, tuple[Callable[[Lab], str], dict[str, Any], str]] = {
    "column missing": (
        lambda lab: model(lab, item_id=["a", "b"], probs=[[0.5, 0.5]] * 2), {},
        "column 'pred_probs' is not in the table",
    ),
    "probabilities of wrong type": (
        lambda lab: model(lab, item_id=["a", "b"], pred_probs=["x", "y"]), {},
        "is string; probabilities are an array of numbers",
    ),
    "record id of wrong type": (
        lambda lab: model(lab, item_id=[1, 2], pred_probs=[[0.5, 0.5]] * 2), {},
        "and the record id of the annotations is string; cast one of them",
    ),
    "item missing": (
        lambda lab: model(lab, item_id=["a"], pred_probs=[[0.5, 0.5]]), {},
        "1 items have no prediction ('item_id': 'b')",
    ),
    "item twice": (
        lambda lab: model(lab, item_id=["a", "b", "b"], pred_probs=[[0.5, 0.5]] * 3), {},
        "1 items have several predictions ('item_id': 'b')",
    ),
    "no probabilities": (
        lambda lab: model(lab, item_id=["a", "b"], pred_probs=[[0.5, 0.5], [2.0, -1.0]]), {},
        "1 rows are no probabilities ('item_id': 'b')",
    ),
    "wrong length": (
        lambda lab: model(lab, item_id=["a", "b"], pred_probs=[[0.5, 0.5], [1.0]]), {},
        "1 rows are no probabilities ('item_id': 'b')",
    ),
    "more labels than classes": (
        lambda lab: model(
            lab,
            item_id=["a", "b"],
            pred_probs=pa.array([[(0, 0.5), (7, 0.5)]] * 2, pa.map_(pa.int64(), pa.float64())),
        ),
        {"more": {"classes": [0, 1]}},
        "holds probabilities of 1 labels that are not in classes",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_MODELS)
def test_bad_predictions_have_their_own_message(lab: Lab, case: str) -> None:
    make, settings, words = BAD_MODELS[case]
    message = lab.fails(write(lab.folder, **ROWS), predictions=[make(lab)], **settings)
    assert words in message


def test_predictions_of_texts_need_their_order(lab: Lab) -> None:
    table = write(lab.folder, **(ROWS | {"label": ["p", "q", "q", "q"]}))
    probs = model(lab, item_id=["a", "b"], pred_probs=[[0.5, 0.5]] * 2)
    message = lab.fails(table, predictions=[probs])
    assert "does not say which class each number of 'pred_probs' is of; set classes" in message


def test_crowdlab_of_single_labels_says_so(lab: Lab) -> None:
    table = write(lab.folder, item_id=["a", "b"], worker=["x", "y"], label=[0, 1])
    probs = model(lab, item_id=["a", "b"], pred_probs=[[0.5, 0.5]] * 2)
    assert "none of the 2 items has two" in lab.fails(table, predictions=[probs])


def test_too_large_confusion_matrices_say_so(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparkclean.jobs.consensus.fit.MOST_CELLS", 7)
    message = lab.fails(write(lab.folder, **ROWS))
    assert "dawid_skene needs 8 numbers for the confusion matrices of 2 annotators" in message


def test_all_problems_are_shown_at_once(lab: Lab) -> None:
    columns = ROWS | {"worker": ["x", "x", None, "y"], "item_id": ["a", "a", "b", None]}
    message = lab.fails(write(lab.folder, **columns))
    assert "annotations.item: 1 " in message
    assert "annotations.annotator: 1 " in message
    assert "annotations.time: null" in message
