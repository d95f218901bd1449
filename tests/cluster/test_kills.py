"""A driver that dies at any step leaves the lake readable, and a repetition finishes the work."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from sparkclean.lake import open_target
from tests.cluster.commands import REPOSITORY, command, kill_at
from tests.data import noisy_data, write_table

# what a run of mode quarantine passes; the target's own points are passed once for each output
STEPS = [
    "run.pinned",
    "run.audited",
    "stage.suspects.begin",
    "stage.cleaned.end",
    "run.verified",
    "target.renamed#1",
    "target.manifest_written#1",
    "target.manifest_linked#1",
    "publish.classes.begin",
    "publish.cleaned.begin",
    "target.renamed#6",
    "target.manifest_linked#6",
    "publish.runs.begin",
    "publish.runs.end",
]
IN_CI = {"target.renamed#6"}
NAMES = ("suspects", "cleaned", "rejected", "classes", "pairs", "runs")


def write_config(folder: Path) -> Path:
    path = folder / "config.json"
    content = {
        "input": {"table": str(folder / "in")},
        "output": {name: str(folder / "out" / name) for name in NAMES},
        "clean": {"mode": "quarantine"},
        "spark": {"spark.master": "local[1,4]", "spark.sql.shuffle.partitions": "1"},
    }
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def config(tmp_path: Path) -> Path:
    write_table(tmp_path / "in", *noisy_data(300, 3, seed=4), files=2)
    return write_config(tmp_path)


@pytest.fixture(scope="module")
def audited_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audited")
    write_table(folder / "in", *noisy_data(300, 3, seed=4), files=2)
    first = command(write_config(folder), "--run-id", "first", "--set", "method.filter_by=both")
    subprocess.run(first, check=True, capture_output=True)
    return folder


def rows(config: Path, name: str) -> int:
    target = open_target(str(config.parent / "out" / name))
    return target.head(10**6).num_rows if target.current() else 0


@pytest.mark.parametrize(
    "step",
    [step if step in IN_CI else pytest.param(step, marks=pytest.mark.full) for step in STEPS],
)
def test_audit_killed_at_a_step_is_completed_by_a_repetition(
    audited_once: Path, tmp_path: Path, step: str
) -> None:
    shutil.copytree(audited_once, tmp_path, dirs_exist_ok=True)
    config = write_config(tmp_path)
    before = {name: rows(config, name) for name in NAMES}
    # table and outputs were moved together
    second = command(config, "--run-id", "second", "--set", "output.adopt=true")
    kill_at(step, second)
    # readers see a whole version, the old one or the new one
    cleaned, apart = rows(config, "cleaned"), rows(config, "cleaned-quarantine")
    assert cleaned > 0
    assert apart > 0
    if step != "publish.runs.end" and not step.startswith("publish.runs"):
        assert rows(config, "suspects") == before["suspects"]
    done = subprocess.run(second, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert rows(config, "cleaned") + rows(config, "cleaned-quarantine") == 300
    assert rows(config, "suspects") == rows(config, "cleaned-quarantine")
    assert not list((config.parent / "out" / "runs" / "_pins").iterdir())


# what `sparkclean run` passes: first the steps of the prediction, then those of its audit
PREDICTED = [
    "run.pinned",
    "predict.trained",
    "publish.predictions.begin",
    "target.manifest_linked",
    "publish.runs.begin",
    "publish.runs.end",
    "run.pinned#2",
    "publish.suspects.begin",
    "publish.runs.end#2",
]


@pytest.fixture(scope="module")
def predicted_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration with features, and what a run that nobody disturbs makes of it."""
    folder = tmp_path_factory.mktemp("predicted")
    given, features = noisy_data(300, 3, seed=4)
    write_table(folder / "in", given, features, files=2)
    config = write_config(folder)
    content = json.loads(config.read_text())
    content |= {"predict": {"features": ["pred_probs"]}, "columns": {"pred_probs": "unused"}}
    content["output"] |= {name: str(folder / "out" / name) for name in ("predictions", "models")}
    config.write_text(json.dumps(content))
    words = command(config, "--run-id", "calm", verb="run")
    subprocess.run(words, check=True, capture_output=True)
    return folder


def hash_of_run(folder: Path, run_id: str) -> str:
    (found,) = [
        row["result_hash"]
        for row in open_target(str(folder / "out" / "runs")).head(100).to_pylist()
        if (row["run_id"], row["job"]) == (run_id, "audit")
    ]
    return str(found)


@pytest.mark.parametrize(
    "step",
    [s if s == "predict.trained" else pytest.param(s, marks=pytest.mark.full) for s in PREDICTED],
)
def test_run_killed_at_a_step_is_completed_by_a_repetition(
    predicted_once: Path, tmp_path: Path, step: str
) -> None:
    config = tmp_path / "config.json"
    text = (predicted_once / "config.json").read_text()
    config.write_text(text.replace(f"{predicted_once}/out", f"{tmp_path}/out"))
    words = command(config, "--run-id", "one", verb="run")
    kill_at(step, words)
    models = tmp_path / "out" / "models" / "predict" / "one"
    trained = {path.name: path.stat().st_mtime_ns for path in models.glob("*")}
    assert bool(trained) == (step != "run.pinned")
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    now = {path.name: path.stat().st_mtime_ns for path in models.glob("*")}
    assert now == (trained or now)  # none was trained again
    assert hash_of_run(tmp_path, "one") == hash_of_run(predicted_once, "calm")


def test_audit_worker_killed_in_the_scan_is_tried_again(config: Path, tmp_path: Path) -> None:
    # more rows than the driver reads by itself
    shutil.rmtree(tmp_path / "in")
    write_table(tmp_path / "in", *noisy_data(20_000, 3, seed=4), files=2)
    # a worker that dies once: the first to find no marker
    marker = tmp_path / "died"
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        "import os, signal, sys\n"
        "if 'pyspark.daemon' in ' '.join(sys.orig_argv):\n"
        "    import sparkclean.examples.batches as b\n"
        "    read = b.BatchReader.read\n"
        "    def dying(self, batch):\n"
        f"        if not os.path.exists({str(marker)!r}):\n"
        f"            open({str(marker)!r}, 'w').close()\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "        return read(self, batch)\n"
        "    b.BatchReader.read = dying\n"
    )
    path = os.pathsep.join([str(site), str(REPOSITORY)])
    done = subprocess.run(
        command(config),
        env=os.environ | {"PYTHONPATH": path},
        check=False,
        capture_output=True,
        text=True,
    )
    assert marker.exists()
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.full)],
    ids=["ctrl-c", "sigterm"],
)
def test_audit_interrupted_publishes_nothing(config: Path, number: int, code: int) -> None:
    with subprocess.Popen(command(config), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "pass 1" in line:
                break
        begun = time.monotonic()
        process.send_signal(number)
        rest = process.stderr.read()
        assert process.wait(30) == code, rest
        assert time.monotonic() - begun < 15
    assert "Traceback" not in rest
    assert "repeated with --run-id" in rest
    assert all(rows(config, name) == 0 for name in NAMES if (config.parent / "out" / name).exists())
    staged = list((config.parent / "out").glob("*/_staging/*"))
    assert staged == []


@pytest.mark.full
def test_audit_two_at_once_one_cleaned_version_wins(config: Path) -> None:
    processes = [
        subprocess.Popen(command(config, "--run-id", run_id), stderr=subprocess.PIPE, text=True)
        for run_id in ("one", "two")
    ]
    errors = [process.communicate(timeout=120)[1] for process in processes]
    codes = [process.returncode for process in processes]
    out = config.parent / "out"
    suspects = {
        run
        for file in (out / "suspects" / "data").iterdir()
        for run in pq.read_table(file).column("run_id").to_pylist()
    }
    assert suspects == {"one", "two"}
    if codes != [0, 0]:  # they did overlap
        assert sorted(codes) == [0, 5], errors
        assert "was published by run" in errors[codes.index(5)] or "is current" in "".join(errors)
        assert len(open_target(str(out / "cleaned")).versions()) == 1
