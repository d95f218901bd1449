"""Progress: which phase, how many rows, how fast."""

from __future__ import annotations

import logging

import pytest

from sparkclean.rows import progress as module
from sparkclean.rows.progress import Phase, Progress


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
    assert log.messages[-1] == "[1] x: 0 rows, 0 rows/s, 1.0 s"


def test_phase_of_no_time_divides_by_nothing(
    clock: list[float], log: pytest.LogCaptureFixture
) -> None:
    clock += [1.0, 1.0]
    with Progress().phase("x") as phase:
        phase.rows = 1
    assert log.messages[-1] == "[1] x: 1 rows, 1,000,000,000 rows/s, 0.0 s"


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
