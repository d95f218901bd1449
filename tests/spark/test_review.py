"""A review by its commands: plan, export, import, estimate, adjudicate, audit again."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

import sparkclean
from sparkclean.commands.main import main
from sparkclean.schema import DECISION_REJECTIONS
from tests.conftest import lake_settings

ROWS, CLASSES = 600, ("cat", "dog", "=wild", "-1")
PEOPLE = ("ann", "bob", "cid")
#: What a reviewer writes, by name, record id and row.
Answer = Callable[[str, str, dict[str, str]], dict[str, str]]


class Lake:
    """A table with known wrong labels, and the outputs of audit and review, in one format."""

    def __init__(
        self, spark: SparkSession, folder: Path, kind: str, *, reverse: bool = False, seed: int = 5
    ) -> None:
        self.spark, self.folder, self.kind = spark, folder, kind
        rng = np.random.default_rng(seed)
        true = rng.integers(0, len(CLASSES), ROWS)
        logits = rng.standard_normal((ROWS, len(CLASSES)))
        logits[np.arange(ROWS), true] += 2.5
        probs = np.exp(logits)
        probs /= probs.sum(axis=1, keepdims=True)
        wrong = rng.random(ROWS) < 0.1
        given = np.where(wrong, (true + 1) % len(CLASSES), true)
        ids = [f"{i:04}" if i % 2 else f"=id {i}" for i in range(ROWS)]
        self.true = {key: CLASSES[t] for key, t in zip(ids, true, strict=True)}
        self.given = {key: CLASSES[g] for key, g in zip(ids, given, strict=True)}
        table = pa.table(
            {
                "id": ids,
                "label": [CLASSES[g] for g in given],
                "pred_probs": list(probs),
                "text": [f"=HYPERLINK({i})" for i in range(ROWS)],
                "who": [PEOPLE[i % 3] for i in range(ROWS)],
            }
        )
        if reverse:
            table = table.take(pa.array(range(ROWS))[::-1])
        files = folder / "files"
        files.mkdir(parents=True)
        step = 200 if reverse else 350
        for part in range(0, ROWS, step):
            pq.write_table(table.slice(part, step), files / f"{part}.parquet")
        self.table, self.prefix = str(files), f"{folder}/out/"
        if kind == "delta":
            self.table = f"{folder}/in"
            spark.read.parquet(str(files)).write.format("delta").save(self.table)
        if kind == "iceberg":
            self.prefix = f"lake.r{abs(hash(str(folder))) % 10**8}."
            self.table = f"{self.prefix}examples"
            spark.sql(f"CREATE NAMESPACE {self.prefix.rstrip('.')}")
            spark.read.parquet(str(files)).writeTo(self.table).using("iceberg").create()

    def die(self, point: str, *words: str, run_id: str, **review: Any) -> None:
        """Run a command in a process that dies by kill -9."""
        found = {key: self.spark.conf.get(key) for key in lake_settings(self.folder)}
        found |= {"spark.master": "local[1,4]", "spark.sql.shuffle.partitions": "1"}
        found |= {"spark.driver.memory": "1g", "spark.sql.session.timeZone": "UTC"}
        properties = self.folder / "spark.conf"
        properties.write_text("".join(f"{key} {value}\n" for key, value in found.items()))
        done = subprocess.run(
            [
                sys.executable, "-m", "sparkclean", *words, "--config",
                str(self.config(**review)), "--run-id", run_id,
                "--properties-file", str(properties),
            ],
            capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2],
            env=os.environ | {"SPARKCLEAN_FAULT": f"{point}:kill"},
        )  # fmt: skip
        assert done.returncode == -signal.SIGKILL, done.stderr

    def config(self, **review: Any) -> Path:
        names = (
            "suspects", "classes", "pairs", "rejected", "cleaned", "runs", "queue", "strata",
            "ledger", "rejected_decisions", "estimates",
        )  # fmt: skip
        output = {name: self.prefix + name for name in names}
        output |= {"format": self.kind, "work": f"{self.folder}/work"}
        output |= {"review": f"{self.folder}/review"}
        content = {
            "input": {"table": self.table},
            "classes": list(CLASSES),
            "output": output,
            "review": {"reviewers": list(PEOPLE), "content": ["text"], "annotator": "who"} | review,
        }
        path = self.folder / "c.json"
        path.write_text(json.dumps(content))
        return path

    def run(self, *words: str, run_id: str, **review: Any) -> int:
        return main([*words, "--config", str(self.config(**review)), "--run-id", run_id])

    def rows(self, name: str) -> list[dict[str, Any]]:
        frame = sparkclean.read(self.spark, self.prefix + name)
        return sorted((row.asDict() for row in frame.collect()), key=str)

    def record(self, job: str, run_id: str) -> dict[str, Any]:
        (row,) = [r for r in self.rows("runs") if (r["job"], r["run_id"]) == (job, run_id)]
        return row

    def metrics(self, job: str, run_id: str) -> dict[str, Any]:
        return json.loads(self.record(job, run_id)["metrics"])

    def decide(
        self, plan: str, answer: Callable[[str, str, dict[str, str]], dict[str, str]]
    ) -> None:
        """Fill in the exported files of a plan."""
        for path in sorted((self.folder / "review" / plan).glob("*.csv")):
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows = list(csv.DictReader(file))
            for row in rows:
                row.update(answer(path.stem, row["id"].removeprefix("'"), row))
            with path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, rows[0])
                writer.writeheader()
                writer.writerows(rows)


KINDS = ["parquet", *(pytest.param(kind, marks=pytest.mark.full) for kind in ("delta", "iceberg"))]


@pytest.fixture(params=KINDS)
def lake(request: pytest.FixtureRequest, spark: SparkSession, tmp_path: Path) -> Lake:
    return Lake(spark, tmp_path, request.param)


def test_review_from_plan_to_second_audit(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    assert lake.run("audit", run_id="a1") == 0
    assert lake.run("review", "plan", run_id="p1", budget=200) == 0
    queue = lake.rows("queue")
    items = {row["queue_item"]: row for row in queue}
    parts = [row["part"] for row in items.values()]
    # there is no gold yet: its share is measured
    assert parts.count("measure") == 120
    assert 0 < parts.count("suspects") <= 80
    # two reviewers each, never the annotator
    asked = [(row["queue_item"], row["reviewer"]) for row in queue]
    assert len(asked) == len(set(asked)) == 2 * len(items)
    who = {key: PEOPLE[i % 3] for i, key in enumerate(lake.true)}
    assert all(row["reviewer"] != who[row["id"]] for row in queue)
    strata = lake.rows("strata")
    assert sum(row["examples"] for row in strata) == ROWS
    measured = [row for row in items.values() if row["part"] == "measure"]
    assert sum(row["drawn"] for row in strata) == len(measured)
    for row in measured:
        own = [s for s in strata if s["stratum"] == row["stratum"]]
        share = sum(s["drawn"] for s in own) / sum(s["examples"] for s in own)
        assert row["inclusion_probability"] == pytest.approx(share)

    assert lake.run("review", "export", "--to", "csv", run_id="e1") == 0
    text = (lake.folder / "review" / "p1" / "ann.csv").read_text("utf-8-sig")
    assert "given_label" not in text
    assert not [c for r in csv.reader(text.splitlines()) for c in r if c[:1] in tuple("=+-@")]

    # cid is wrong where the number ends in 7; all others know the truth
    def answer(name: str, key: str, _: dict[str, str]) -> dict[str, str]:
        is_slip = name == "cid" and key.endswith("7")
        return {"decided_label": "dog" if is_slip else lake.true[key]}

    lake.decide("p1", answer)
    assert lake.run("review", "import", run_id="i1") == 0
    ledger = lake.rows("ledger")
    assert len(ledger) == len(asked)
    assert {(row["id"], row["decided_label"]) for row in ledger if row["reviewer"] != "cid"} <= set(
        lake.true.items()
    )
    assert {row["given_label"] for row in ledger} == set(CLASSES)
    # the same files under another run id add nothing
    assert lake.run("review", "import", run_id="i2") == 0
    assert lake.metrics("review-import", "i2") == {
        "decisions": 0, "known": len(asked), "blank": 0, "rejected": 0,
    }  # fmt: skip
    assert lake.rows("ledger") == ledger

    assert lake.run("review", "estimate", run_id="s1") == 0
    truth = np.mean([lake.given[key] != lake.true[key] for key in lake.true])
    metrics = lake.metrics("review-estimate", "s1")
    assert metrics["error_rate_low"] <= truth <= metrics["error_rate_high"]
    assert metrics["wrong_labels_low"] <= truth * ROWS <= metrics["wrong_labels_high"]
    rows = lake.rows("estimates")
    assert {row["method"] for row in rows} >= {"reviewed", "bounds", "audit"}
    assert {row["class"] for row in rows if row["scope"] == "class"} == set(CLASSES)
    suspects = [row for row in lake.rows("suspects") if row["run_id"] == "a1"]
    right = np.mean([lake.given[row["id"]] != lake.true[row["id"]] for row in suspects])
    assert metrics["precision_low"] <= right <= metrics["precision_high"]

    # contradictions end an audit, until a third person has decided
    assert lake.run("review", "status", run_id="t1") == 0
    open_ = lake.metrics("review-status", "t1")
    assert open_["done"] == len(asked)
    assert open_["disagreements"] > 0
    own = {"ledger": lake.prefix + "ledger"}
    capsys.readouterr()
    assert lake.run("audit", run_id="a2", **own) == 3
    said = capsys.readouterr().err
    assert f"holds contradictory decisions on {open_['disagreements']:,} records: " in said

    more = {"budget": open_["disagreements"], "reviewers": [*PEOPLE, "dee"]}
    assert lake.run("review", "plan", run_id="p2", **more) == 0
    second = [row for row in lake.rows("queue") if row["run_id"] == "p2"]
    assert len(second) == open_["disagreements"]
    assert {row["part"] for row in second} == {"adjudicate"}
    assert {row["reviewer"] for row in second} == {"dee"}  # the others have seen them
    assert all(" | " in row["votes"] for row in second)
    assert lake.run("review", "export", "--to", "csv", run_id="e2", **more) == 0
    lake.decide("p2", lambda _name, key, _row: {"decided_label": lake.true[key]})
    files = str(lake.folder / "review" / "p2")
    assert lake.run("review", "import", run_id="i3", files=files) == 0
    assert len(lake.rows("ledger")) == len(asked) + len(second)
    assert lake.run("audit", run_id="a2", **own) == 0
    left = {row["id"] for row in lake.rows("suspects") if row["run_id"] == "a2"}
    reviewed = {row["id"] for row in queue if row["part"] == "suspects"}
    assert left & reviewed == {key for key in reviewed if lake.given[key] != lake.true[key]}
    # gold: decided before
    assert lake.run("review", "plan", run_id="p3", budget=40, reviewers=["eve", "fay"]) == 0
    gold = [r for r in lake.rows("queue") if (r["run_id"], r["part"]) == ("p3", "gold")]
    assert {row["gold_label"] == lake.true[row["id"]] for row in gold} == {True}


def test_review_plan_continues_the_draw_of_its_design(spark: SparkSession, tmp_path: Path) -> None:
    lake = Lake(spark, tmp_path, "parquet")
    assert lake.run("audit", run_id="a1") == 0
    whole = {"measure": 1.0, "gold": 0.0, "annotator": None}
    assert lake.run("review", "plan", run_id="p1", budget=60, **whole) == 0
    assert lake.run("review", "plan", run_id="p2", budget=60, **whole) == 0
    queue = lake.rows("queue")
    ids = [{row["id"] for row in queue if row["run_id"] == name} for name in ("p1", "p2")]
    assert [len(part) for part in ids] == [60, 60]
    assert not ids[0] & ids[1]
    strata = [row for row in lake.rows("strata") if row["run_id"] == "p2"]
    assert sum(row["drawn"] for row in strata) == 120

    # the same rows in another order and other files: the same draw
    other = Lake(spark, tmp_path / "other", "parquet", reverse=True)
    assert other.run("audit", run_id="a1") == 0
    assert other.run("review", "plan", run_id="p1", budget=60, **whole) == 0
    assert {row["id"] for row in other.rows("queue")} == ids[0]


def test_audit_takes_what_people_decided(spark: SparkSession, tmp_path: Path) -> None:
    lake = Lake(spark, tmp_path, "parquet")
    assert lake.run("audit", run_id="a1") == 0
    before = {row["id"]: row for row in lake.rows("suspects")}
    plan = {"measure": 0.0, "gold": 0.0, "annotator": None, "budget": 60}
    assert lake.run("review", "plan", run_id="p1", **plan) == 0
    assert lake.run("review", "export", "--to", "csv", run_id="e1") == 0
    # every second one is right as it is; the others are what the model did not think of
    keys = sorted({row["id"] for row in lake.rows("queue")})
    right = set(keys[::2])
    decided = {
        key: before[key]["given_label"]
        if key in right
        else next(
            label
            for label in CLASSES
            if label not in (before[key]["given_label"], before[key]["suggested_label"])
        )
        for key in keys
    }
    lake.decide("p1", lambda _name, key, _row: {"decided_label": decided[key]})
    assert lake.run("review", "import", run_id="i1") == 0
    own = {"ledger": lake.prefix + "ledger"}
    config = lake.config(**own)
    words = ["audit", "--config", str(config), "--run-id", "a2", "--set", "clean.mode=relabel"]
    assert main([*words, "--set", f"output.cleaned={lake.prefix}relabelled"]) == 0
    after = {row["id"]: row for row in lake.rows("suspects") if row["run_id"] == "a2"}
    assert set(after) == set(before) - right
    for key, row in after.items():
        assert row["reviewed"] == (key in decided)
        assert row["suggested_label"] == decided.get(key, before[key]["suggested_label"])
    assert sorted(row["rank"] for row in after.values()) == list(range(1, len(after) + 1))
    cleaned = {row["id"]: row["label"] for row in lake.rows("relabelled")}
    assert all(cleaned[key] == label for key, label in decided.items())
    hashes = [lake.record("audit", name)["result_hash"] for name in ("a1", "a2")]
    assert hashes[0] != hashes[1]

    # another content of one of the right ones: the decision counts no longer
    changed = sorted(right)[0]
    for path in Path(lake.table).glob("*.parquet"):
        table = pq.read_table(path)
        texts = [
            "new" if key == changed else text
            for key, text in zip(
                table.column("id").to_pylist(), table.column("text").to_pylist(), strict=True
            )
        ]
        place = table.column_names.index("text")
        pq.write_table(table.set_column(place, "text", pa.array(texts)), path)
    assert lake.run("audit", run_id="a3", **own) == 0
    again = {row["id"] for row in lake.rows("suspects") if row["run_id"] == "a3"}
    assert again == set(after) | {changed}


#: Every format dies at every point of an import; in CI at one.
KILLS = [
    pytest.param(
        kind,
        point,
        marks=[] if (kind, point) == ("parquet", "publish.ledger.end") else [pytest.mark.full],
    )
    for kind in ("parquet", "delta", "iceberg")
    for point in (
        "run.pinned",
        "stage.ledger.end",
        "publish.ledger.begin",
        "publish.ledger.end",
        "publish.rejected_decisions.end",
        "publish.runs.begin",
    )
]


@pytest.mark.parametrize(("lake", "point"), KILLS, indirect=["lake"])
def test_import_killed_is_completed_by_a_repetition(lake: Lake, point: str) -> None:
    assert lake.run("audit", run_id="a1") == 0
    assert lake.run("review", "plan", run_id="p1", budget=30) == 0
    assert lake.run("review", "export", run_id="e1") == 0
    lake.decide("p1", lambda _name, key, _row: {"decided_label": lake.true[key]})
    asked = len(lake.rows("queue"))
    files = str(lake.folder / "review" / "p1")
    half = str(lake.folder / "review" / "p1" / "ann.csv")
    assert lake.run("review", "import", run_id="i1", files=half) == 0
    before = lake.rows("ledger")
    assert 0 < len(before) < asked
    lake.die(point, "review", "import", run_id="i2", files=files)
    assert lake.rows("ledger") == before  # nothing of it counts yet
    assert lake.run("review", "import", run_id="i2", files=files) == 0
    ledger = lake.rows("ledger")
    assert len({(row["queue_item"], row["reviewer"]) for row in ledger}) == len(ledger) == asked
    assert [row for row in ledger if row["run_id"] == "i1"] == before
    # another run id after the kill, as a scheduler may choose: nothing is there twice
    assert lake.run("review", "import", run_id="i3", files=files) == 0
    assert lake.rows("ledger") == ledger


@pytest.mark.full
@pytest.mark.parametrize("seed", range(12))
def test_estimate_holds_the_truth_end_to_end(
    seed: int, spark: SparkSession, tmp_path: Path
) -> None:
    lake = Lake(spark, tmp_path, "parquet", seed=seed)
    assert lake.run("audit", run_id="a1") == 0
    assert lake.run("review", "plan", run_id="p1", budget=150, measure=1.0, gold=0.0) == 0
    assert lake.run("review", "export", run_id="e1") == 0
    lake.decide("p1", lambda _name, key, _row: {"decided_label": lake.true[key]})
    assert lake.run("review", "import", run_id="i1") == 0
    assert lake.run("review", "estimate", run_id="s1") == 0
    wrong = {key for key in lake.true if lake.given[key] != lake.true[key]}
    suspects = {row["id"] for row in lake.rows("suspects")}
    found = lake.metrics("review-estimate", "s1")
    truth = {
        "wrong_labels": len(wrong),
        "precision": len(wrong & suspects) / len(suspects),
        "recall": len(wrong & suspects) / len(wrong),
        "errors_left": len(wrong - suspects),
    }
    for name, value in truth.items():
        assert found[f"{name}_low"] <= value <= found[f"{name}_high"], name


# -- what is wrong -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "review", "code", "message"),
    [
        ("plan", {"reviewers": []}, 2, "review.reviewers: [] names nobody"),
        ("plan", {"budget": 0}, 2, "review.budget: 0 asks for no example"),
        ("plan", {"budget": 100_001}, 2, "review.budget: 100001 is more than one plan can draw"),
        ("plan", {"reviewers": ["a", "a"]}, 2, "review.reviewers: 'a' is named 2 times"),
        ("plan", {"reviewers": ["a", " "]}, 2, "review.reviewers: an entry is empty"),
        ("plan", {"reviewers": ["a"]}, 2, "review.reviews_per_item: 2, but review.reviewers names"),
        ("plan", {"measure": 0.8, "gold": 0.3}, 2, "are more than the whole budget"),
        ("plan", {"content": ["txt"]}, 3, "column 'txt' is not in the table; did you mean 'text'?"),
        ("plan", {"annotator": "whom"}, 3, "column 'whom' is not in the table"),
        ("plan", {"audit": "a9"}, 3, "review.audit: there is no run 'a9'"),
        ("export", {"plan": "p9"}, 3, "review.plan: "),
        ("estimate", {}, 3, "holds no plan of"),
        ("import", {"files": "none.csv"}, 3, "review.files: there is no none.csv"),
        ("import", {"files": []}, 3, "output.queue: nothing was published"),
    ],
)
def test_review_says_what_is_wrong(
    words: str,
    review: dict[str, Any],
    code: int,
    message: str,
    audited: Lake,
    capsys: pytest.CaptureFixture[str],
) -> None:
    capsys.readouterr()
    assert audited.run("review", words, run_id="x1", **review) == code
    assert message in capsys.readouterr().err


@pytest.fixture(scope="module")
def audited(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    made = Lake(spark, tmp_path_factory.mktemp("audited"), "parquet")
    assert made.run("audit", run_id="a1") == 0
    return made


def test_review_needs_record_ids(audited: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    words = ["review", "plan", "--config", str(audited.config()), "--run-id", "x2"]
    assert main([*words, "--set", "columns.id=null"]) == 2
    assert "decisions need a record id that stays" in capsys.readouterr().err


def test_audit_needs_a_ledger_that_is_there(
    audited: Lake, capsys: pytest.CaptureFixture[str]
) -> None:
    for place, message in (
        (f"{audited.folder}/none", "nothing was published at"),
        (audited.prefix + "classes", "so it is no ledger"),
    ):
        capsys.readouterr()
        assert audited.run("audit", run_id="x3", ledger=place) == 3
        assert message in capsys.readouterr().err


def test_reasons_of_the_documents_are_those_of_the_code() -> None:
    from sparkclean.jobs.review import decisions

    source = Path(decisions.__file__).read_text()
    assert set(re.findall(r'Refusal\([\w\[\]]+, "(\w+)"', source)) == set(DECISION_REJECTIONS)
