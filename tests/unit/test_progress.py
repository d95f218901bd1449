"""Progress: which phase, how many rows, how fast."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from sparkclean.rows import progress as module
from sparkclean.rows.progress import Phase, Progress
from sparkclean.rows.task_status import TaskCount


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that shows what the test puts into the list."""
    times: list[float] = []
    monkeypatch.setattr(module.time, "monotonic", lambda: times.pop(0))
    return times


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "sparkclean")
    return caplog


def test_phase_says_rows_rate_and_seconds(
    clock: list[float], log: pytest.LogCaptureFixture
) -> None:
    clock += [10.0, 12.5]
    with Progress().phase("pass 1") as phase:
        phase.rows = 1_000_000
    assert log.messages == [
        "[1] pass 1 ...",
        "[1] pass 1: 1,000,000 rows, 400,000 rows/s, 2.5 s",
    ]


def test_phase_without_rows_says_seconds(clock: list[float], log: pytest.LogCaptureFixture) -> None:
    clock += [0.0, 3.0]
    with Progress().phase("publish"):
        pass
    assert log.messages[-1] == "[1] publish: 3.0 s"


def test_phase_of_no_rows_says_so(clock: list[float], log: pytest.LogCaptureFixture) -> None:
    clock += [0.0, 1.0]
    with Progress().phase("x") as phase:
        phase.rows = 0
    assert log.messages[-1] == "[1] x: 0 rows, 1.0 s"


def test_phase_of_no_time_divides_by_nothing(
    clock: list[float], log: pytest.LogCaptureFixture
) -> None:
    clock += [1.0, 1.0]
    with Progress().phase("x") as phase:
        phase.rows = 1
    assert log.messages[-1] == "[1] x: 1 rows, 1,000,000,000 rows/s, 0.0 s"


def test_phase_says_what_its_rows_are(clock: list[float], log: pytest.LogCaptureFixture) -> None:
    clock += [0.0, 2.0]
    with Progress().phase("train") as phase:
        phase.rows, phase.of_what = 200, "training rows of 5 models"
    assert log.messages[-1] == "[1] train: 200 training rows of 5 models, 100 rows/s, 2.0 s"


def test_what_comes_before_a_run_is_no_phase_of_it(
    clock: list[float], log: pytest.LogCaptureFixture
) -> None:
    clock += [0.0, 5.0, 5.0, 6.0]
    progress = Progress()
    with progress.before("starting Spark"):
        pass
    with progress.phase("a"):
        pass
    assert log.messages == ["starting Spark ...", "[1] a ...", "[1] a: 1.0 s"]
    assert [phase.name for phase in progress.phases] == ["a"]


def test_phases_are_counted_and_kept(clock: list[float], log: pytest.LogCaptureFixture) -> None:
    clock += [0.0, 1.0, 2.0, 4.0]
    progress = Progress()
    for name in ("a", "b"):
        with progress.phase(name) as phase:
            phase.rows = 5
    assert log.messages[-1].startswith("[2] b: ")
    kept = [(phase.name, phase.rows, phase.seconds) for phase in progress.phases]
    assert kept == [("a", 5, 1.0), ("b", 5, 2.0)]


def test_phase_records_have_fields_for_machines(
    clock: list[float], log: pytest.LogCaptureFixture
) -> None:
    clock += [0.0, 1.23456]
    with Progress().phase("x") as phase:
        phase.rows = 7
    begin, end = (vars(record) for record in log.records)
    assert (begin["phase"], begin["event"]) == ("x", "begin")
    assert [end[key] for key in ("phase", "event", "rows", "seconds")] == ["x", "end", 7, 1.235]


def test_phase_that_fails_is_timed_and_not_said_to_be_done(
    clock: list[float], log: pytest.LogCaptureFixture
) -> None:
    clock += [0.0, 2.0]
    progress = Progress()
    with pytest.raises(ValueError, match="x"), progress.phase("a"):
        raise ValueError("x")
    assert progress.phases[0].seconds == 2.0
    assert log.messages == ["[1] a ..."]


class Recorder:
    """A listener that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def begin(self, number: int, phase: Phase) -> None:
        self.told.append(("begin", number, phase.name))

    def look(self, number: int, phase: Phase) -> None:
        self.told.append(("look", number))

    def end(self, number: int, phase: Phase, *, done: bool) -> None:
        self.told.append(("end", number, phase.name, phase.rows, phase.seconds, done))


def test_listener_is_told_in_the_place_of_the_log(
    clock: list[float], log: pytest.LogCaptureFixture
) -> None:
    clock += [0.0, 1.0]
    listener = Recorder()
    with Progress(listener).phase("a") as phase:
        phase.rows = 5
    assert listener.told == [("begin", 1, "a"), ("end", 1, "a", 5, 1.0, True)]
    assert log.messages == []


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_listener_is_told_of_a_phase_that_was_not_done(
    clock: list[float], error: type[BaseException]
) -> None:
    clock += [0.0, 2.0]
    listener = Recorder()
    with pytest.raises(error), Progress(listener).phase("a"):
        raise error
    assert listener.told[1:] == [("end", 1, "a", None, 2.0, False)]


# -- while a phase lasts -------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at phases a hundred times a second, and write a line of the log at each look."""
    monkeypatch.setattr(module, "_LOOKS", 0.01)
    monkeypatch.setattr(module, "_LINES", 0.001)


def wait_for(true: Callable[[], object]) -> None:
    until = time.monotonic() + 20
    while not true() and time.monotonic() < until:
        time.sleep(0.01)
    assert true()


def test_long_phase_says_how_far_it_has_come(quick: None, log: pytest.LogCaptureFixture) -> None:
    progress = Progress(count_tasks=lambda: TaskCount(2, 5))
    with progress.phase("train", unit="folds") as phase:
        wait_for(lambda: len(log.records) > 2)
        phase.rows = 7
    said = log.messages[1]
    assert said.startswith("[1] train ... 2 of 5 folds, ")
    assert said.endswith(" s so far")
    fields = vars(log.records[1])
    assert [fields[key] for key in ("event", "done", "total", "unit")] == [
        "progress", 2, 5, "folds",
    ]  # fmt: skip


def test_phase_that_counts_itself_is_believed(quick: None, log: pytest.LogCaptureFixture) -> None:
    with Progress(count_tasks=lambda: TaskCount(1, 200)).phase("x") as phase:
        phase.steps = 3, 5
        wait_for(lambda: any("3 of 5 tasks" in text for text in log.messages))


def test_phase_of_which_nothing_is_known_says_its_seconds(
    quick: None, log: pytest.LogCaptureFixture
) -> None:
    with Progress().phase("x"):
        wait_for(lambda: len(log.records) > 1)
    assert log.messages[1] == "[1] x ... 0 s so far"


def test_count_that_fails_changes_nothing(quick: None, log: pytest.LogCaptureFixture) -> None:
    def fail() -> TaskCount:
        raise ConnectionRefusedError("Spark has stopped")

    with Progress(count_tasks=fail).phase("x"):
        wait_for(lambda: len(log.records) > 1)
    assert log.messages[1] == "[1] x ... 0 s so far"


def test_listener_that_fails_changes_nothing(quick: None) -> None:
    looked: list[int] = []

    class Failing(Recorder):
        def look(self, number: int, phase: Phase) -> None:
            looked.append(number)
            raise OSError("the terminal has gone")

    listener = Failing()
    with Progress(listener).phase("x"):
        wait_for(lambda: len(looked) > 2)
    assert listener.told[-1][-1] is True


def test_watch_ends_with_its_phase(quick: None, log: pytest.LogCaptureFixture) -> None:
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error), Progress().phase("x"):
            raise error
    assert [thread for thread in threading.enumerate() if thread.name == "phase"] == []


def test_answer_that_never_comes_keeps_no_process_alive() -> None:
    code = (
        "import time; from sparkclean.rows import progress as p; p._LOOKS = 0.01\n"
        "with p.Progress(count_tasks=lambda: time.sleep(1000)).phase('x'): time.sleep(0.3)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=30, check=False).returncode == 0


def test_short_phase_says_no_more_than_before(log: pytest.LogCaptureFixture) -> None:
    with Progress(count_tasks=lambda: TaskCount(1, 2)).phase("x"):
        pass
    assert [vars(record)["event"] for record in log.records] == ["begin", "end"]


def test_run_record_keeps_name_rows_and_seconds() -> None:
    assert Phase("x", 7, 1.5, (1, 2)).to_record() == {"name": "x", "rows": 7, "seconds": 1.5}
