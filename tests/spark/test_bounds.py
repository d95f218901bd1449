"""One pass where the sample was right, more where it was not: one answer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import SparkSession

from sparkclean.commands.main import main
from sparkclean.confident.bounds import Bounds
from sparkclean.confident.issues import audit_arrays
from sparkclean.examples.scan import FrameScan
from sparkclean.jobs.audit import cutoffs, first_bounds
from sparkclean.jobs.audit.rankings import OfClasses
from sparkclean.lake import ParquetSource, open_target
from sparkclean.rows.frame_stream import FrameStream
from sparkclean.rows.stores import CacheStore
from sparkclean.schema import FILTERS, PAIR_FILTERS
from tests.data import noisy_data, write_table
from tests.spark.answers import hash_of_arrays

FULL = pytest.mark.full
IN_CI = {"prune_by_class", "low_normalized_margin"}
K = 4
GIVEN, PROBS = noisy_data(800, K, seed=11, ties=True)


@pytest.fixture(autouse=True, params=["by_tasks", "by_the_driver"])
def worker(request: pytest.FixtureRequest) -> None:
    """Leave the rows to tasks, or to the driver as they are few: one answer."""
    if request.param == "by_tasks":
        request.getfixturevalue("by_tasks")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_table(tmp_path_factory.mktemp("in") / "t", GIVEN, PROBS, files=5)


def exact() -> Bounds:
    found = audit_arrays(GIVEN, PROBS)
    return Bounds(found.thresholds, found.thresholds, np.where(np.eye(K) > 0, np.inf, -0.2))


def everything() -> Bounds:
    margins = np.where(np.eye(K) > 0, np.inf, -2.0)
    return Bounds(np.full(K, 2e-6), np.full(K, 2.0), margins)


def missed() -> Bounds:
    return Bounds(np.full(K, 0.2), np.full(K, 0.3), exact().lowest_margins)


def pairs_open() -> Bounds:
    margins = exact().lowest_margins
    assert margins is not None
    margins[0, 1] = 0.999
    return Bounds(exact().lowest, exact().highest, margins)


def pairs_unknown() -> Bounds:
    return Bounds(exact().lowest * 0.9, exact().highest * 1.1)


def audit(table: Path, place: Path, *settings: str) -> tuple[str, list[str]]:
    """Give the result hash, and the passes that were made."""
    words = {"input.table": table, "output.suspects": place / "s", "output.runs": place / "r"}
    words |= {f"output.{name}": "null" for name in ("cleaned", "rejected", "classes", "pairs")}
    place.mkdir(exist_ok=True)
    config = place / "config.json"
    config.write_text(json.dumps({"input": {"table": str(table)}}))
    sets = [word for pair in words.items() for word in ("--set", f"{pair[0]}={pair[1]}")]
    sets += [word for setting in settings for word in ("--set", setting)]
    assert main(["audit", "--config", str(config), *sets]) == 0
    row = open_target(str(place / "r")).head(1).to_pylist()[0]
    phases = [phase["name"] for phase in json.loads(row["phases"])]
    return row["result_hash"], [name[:6] for name in phases if name.startswith("pass")]


@pytest.mark.parametrize(
    ("filter_by", "bounds", "passes"),
    [
        ("prune_by_noise_rate", None, 1),
        pytest.param("prune_by_noise_rate", exact, 1, marks=FULL),
        ("prune_by_noise_rate", everything, 1),
        ("prune_by_noise_rate", missed, 3),
        ("prune_by_noise_rate", pairs_open, 3),
        pytest.param("prune_by_noise_rate", pairs_unknown, 2, marks=FULL),
        ("both", everything, 1),
        ("both", pairs_open, 3),
        pytest.param("confident_learning", everything, 1, marks=FULL),
        ("confident_learning", missed, 2),
    ],
)
def test_audit_has_one_answer_whatever_was_expected(
    spark: SparkSession,
    table: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    filter_by: str,
    bounds: Callable[[], Bounds] | None,
    passes: int,
) -> None:
    if bounds is not None:
        monkeypatch.setattr(first_bounds, "sample_bounds", lambda *_, **__: bounds())
    collision = "paper" if bounds is everything else "cleanlab-2.9"
    settings = f"method.filter_by={filter_by}", f"method.collision={collision}"
    found, made = audit(table, tmp_path / "out", *settings, "scan=files")
    assert found == hash_of_arrays(GIVEN, PROBS, filter_by, collision=collision)
    assert len(made) == passes, made


@pytest.mark.parametrize(
    ("filter_by", "changed", "passes"),
    [
        ("prune_by_noise_rate", False, 1),
        pytest.param("prune_by_noise_rate", True, 3, marks=FULL),
        pytest.param("low_normalized_margin", False, 1, marks=FULL),
    ],
)
def test_audit_of_a_dataframe_again_expects_what_was_found_before(
    spark: SparkSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    filter_by: str,
    changed: bool,
    passes: int,
) -> None:
    samples, take = [], FrameScan.collect_sample
    monkeypatch.setattr(
        FrameScan, "collect_sample", lambda *args: samples.append(args) or take(*args)
    )
    place, settings = tmp_path / "in" / "t", ("scan=dataframe", f"method.filter_by={filter_by}")
    write_table(place, GIVEN, PROBS, files=5)
    _, first = audit(place, tmp_path / "out", *settings)
    given, probs = GIVEN, PROBS
    if changed:
        given, probs = noisy_data(800, K, seed=12, noise=0.4)
    shutil.rmtree(place)
    write_table(place, given, probs, files=3)
    found, made = audit(place, tmp_path / "out", *settings)
    assert found == hash_of_arrays(given, probs, filter_by)
    assert first == ["pass 1"]
    assert len(samples) == 1  # of the first run
    assert len(made) == passes


def test_audit_of_many_entries_is_cut_by_counts_and_last_rows(
    spark: SparkSession, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cutoffs, "_ROWS_TO_SORT", 0)
    found, _ = audit(table, tmp_path / "out", "scan=files")
    assert found == hash_of_arrays(GIVEN, PROBS, "prune_by_noise_rate")


@pytest.mark.parametrize("rows", [None, 6, 1 << 20])
def test_collect_cuts_are_the_same_however_much_is_known_of_the_rows(
    spark: SparkSession, rows: int | None
) -> None:
    emitted = [("a", 0, 0.3), ("b", 0, 0.1), ("c", 0, 0.3), ("d", 1, 0.4), ("e", 0, 0.2)]
    frame = spark.createDataFrame(emitted, "__id_0 string, given int, own double")
    stream = FrameStream(frame, CacheStore(), rows)
    found = cutoffs.collect_cutoffs(stream, OfClasses(), np.array([3, 2, 1]), ("string",))
    last = dict(zip(found.groups.tolist(), found.scores.tolist(), strict=True))
    # a class that does not reach its quota is selected whole; of one without rows nothing is there
    assert last.pop(2, np.inf) == np.inf
    assert last == {0: 0.3, 1: np.inf}
    assert found.ids[0][0].as_py() == "a"


@pytest.mark.parametrize(
    "filter_by",
    [f if f in IN_CI else pytest.param(f, marks=FULL) for f in FILTERS if f not in PAIR_FILTERS],
)
def test_audit_of_files_by_every_filter_has_the_hash_of_arrays(
    spark: SparkSession, table: Path, tmp_path: Path, filter_by: str
) -> None:
    settings = f"method.filter_by={filter_by}", "method.ranked_by=confidence_weighted_entropy"
    found, made = audit(table, tmp_path / "files", *settings, "scan=files")
    assert found == hash_of_arrays(GIVEN, PROBS, filter_by)
    assert made == ["pass 1"]


def test_audit_of_files_that_are_not_the_whole_table_publishes_nothing(
    spark: SparkSession,
    table: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = ParquetSource.plain_files
    monkeypatch.setattr(ParquetSource, "plain_files", lambda *args: whole(*args)[:3])
    config = tmp_path / "config.json"
    outputs = dict.fromkeys(("cleaned", "rejected", "classes", "pairs"))
    outputs |= {name: str(tmp_path / name) for name in ("suspects", "runs")}
    config.write_text(json.dumps({"input": {"table": str(table)}, "output": outputs}))
    assert main(["audit", "--config", str(config)]) == 1
    assert "the scan of files has read 480 rows of 800" in capsys.readouterr().err
    assert open_target(str(tmp_path / "suspects")).current() is None


def test_audit_scan_files_that_is_impossible_says_why(
    spark: SparkSession, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"input": {"table": str(table), "where": "id > 5"}}))
    output = ["--set", f"output.suspects={tmp_path}/s", "--set", f"output.runs={tmp_path}/r"]
    output += [
        w
        for n in ("cleaned", "rejected", "classes", "pairs")
        for w in ("--set", f"output.{n}=null")
    ]
    assert main(["audit", "--config", str(config), *output, "--set", "scan=files"]) == 2
    assert not (tmp_path / "s").exists()
    assert main(["audit", "--config", str(config), *output]) == 0
    assert "scanning through DataFrames, not files: input.where is set" in capsys.readouterr().err
