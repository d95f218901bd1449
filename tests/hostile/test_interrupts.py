"""Signals at any time, also while Spark starts: the promised code, and no process is left."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark import SparkContext

from sparkclean.errors import SparkCleanError
from sparkclean.rows.interrupts import Terminated, raising_interrupts
from sparkclean.rows.java import Java
from tests.data import noisy_data, write_table

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("table")
    write_table(folder, *noisy_data(300, 3, seed=4), files=2)
    return folder


def _processes_with(mark: str) -> list[int]:
    """Find what was started with a variable in its environment, by whomever."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:  # it has ended
            continue
    return found


def _signal_a_run(table: Path, folder: Path, number: signal.Signals, seconds: float) -> None:
    """Send a signal to a run some seconds after its start, and look at how it ends."""
    outputs = ("suspects", "cleaned", "classes", "pairs", "rejected", "runs")
    config = {
        "input": {"table": str(table)},
        "output": {name: str(folder / name) for name in outputs},
        "spark": {"spark.master": "local[1,4]", "spark.sql.shuffle.partitions": "1"},
    }
    (folder / "audit.json").write_text(json.dumps(config))
    mark = f"SPARKCLEAN_TEST_MARK={folder}:{seconds}"
    name, _, value = mark.partition("=")
    (folder / "tmp").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "sparkclean", "audit", "--config", str(folder / "audit.json")],
        env=os.environ | {name: value, "TMPDIR": str(folder / "tmp")},
        stderr=(folder / "stderr").open("w"),
    )
    time.sleep(seconds)
    process.send_signal(number)
    try:
        code = process.wait(30)
    finally:
        process.kill()
    said = (folder / "stderr").read_text()
    what = f"{number.name} after {seconds:.2f} s: {code}, {said}"
    until = time.monotonic() + 10
    while (left := _processes_with(mark)) and time.monotonic() < until:
        time.sleep(0.05)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == [], what
    if code == 0:  # it had ended before
        assert list((folder / "runs").glob("data/*.parquet")), what
        return
    # a shell shows both alike; until Python has read our first line it ends by the signal itself
    assert (128 - code if code < 0 else code) == CODES[number], what
    if code > 0:
        assert any(line.startswith("error: ") for line in said.splitlines()), what
        assert "Traceback" not in said, what
    assert list((folder / "tmp").glob("sparkclean-*")) == [], what


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize(
    ("number", "seconds"),
    [
        (signal.SIGINT, 0.3),  # Python imports
        (signal.SIGTERM, 1.0),  # Java has been started
        (signal.SIGINT, 2.0),
        (signal.SIGINT, 3.0),  # Spark starts
        (signal.SIGTERM, 4.5),
    ],
)
def test_run_given_a_signal_while_spark_starts_ends_with_its_code(
    table: Path, tmp_path: Path, number: signal.Signals, seconds: float
) -> None:
    _signal_a_run(table, tmp_path, number, seconds)


@pytest.mark.full
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("trial", range(50))
def test_run_given_a_signal_at_any_time_ends_with_its_code(
    table: Path, tmp_path: Path, trial: int
) -> None:
    number = (signal.SIGINT, signal.SIGTERM)[trial % 2]
    _signal_a_run(table, tmp_path, number, random.Random(trial).uniform(0, 10))


# -- without Spark -------------------------------------------------------------------------------


@pytest.fixture
def pretended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A Spark whose Java is a script: what it does is written there."""
    monkeypatch.setenv("SPARK_HOME", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr(SparkContext, "_gateway", None)
    monkeypatch.setattr(SparkContext, "_jvm", None)
    monkeypatch.setattr(SparkContext, "_active_spark_context", None)
    (tmp_path / "tmp").mkdir()
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "spark-submit"
    script.touch(0o755)
    yield script
    assert list((tmp_path / "tmp").iterdir()) == []


def test_java_that_ends_at_once_is_an_error(pretended: Path) -> None:
    pretended.write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(SparkCleanError, match="Java ended before it listened"):
        Java().start_context({})


@pytest.mark.parametrize(
    ("number", "kind"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)]
)
def test_java_that_never_listens_is_killed_by_an_interrupt(
    pretended: Path, number: signal.Signals, kind: type[BaseException]
) -> None:
    pretended.write_text(f"#!/bin/sh\nkill -{number.value} $PPID\nexec sleep 100\n")
    java = Java()
    with pytest.raises(kind), raising_interrupts(java.interrupted):
        java.start_context({})
    assert java.process is not None
    assert java.process.poll() == -signal.SIGKILL


def test_java_of_a_session_that_does_not_stop_is_killed_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sparkclean.rows.java._PATIENCE", 0.1)
    java = Java()
    java.process = subprocess.Popen(["sleep", "100"], start_new_session=True)
    java.is_starting = False
    java.interrupted()
    assert java.process.wait(10) == -signal.SIGKILL


def test_java_of_a_session_that_stops_lives_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparkclean.rows.java._PATIENCE", 0.1)
    java = Java()
    java.process = subprocess.Popen(["sleep", "100"], start_new_session=True)
    java.is_starting = False
    java.interrupted()
    java.stopped()
    time.sleep(0.3)
    assert java.process.poll() is None
    java.process.kill()
    java.process.wait()


def test_signal_that_was_ignored_is_heard_meanwhile() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as in the background of a script
    try:
        with pytest.raises(KeyboardInterrupt), raising_interrupts():
            os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_handlers_of_before_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Terminated), raising_interrupts():
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before
