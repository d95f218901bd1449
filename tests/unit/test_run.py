"""The runner, where it needs no session."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from sparkclean.errors import SparkCleanError
from sparkclean.lake import Pin
from sparkclean.rows.report import Line, Report
from sparkclean.runs.engine_errors import engine_errors
from sparkclean.runs.result import plan_report
from sparkclean.runs.runner import Runner


class Staging:
    """What was staged, in a session that has stopped or not."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.discarded = False

    def discard(self) -> None:
        if self.error is not None:
            raise self.error
        self.discarded = True


def test_engine_errors_without_a_jvm_say_to_repeat_the_run() -> None:
    with (
        pytest.raises(SparkCleanError, match=r"Spark has ended .* same run id"),
        engine_errors(Pin("parquet", "/x/in", None, "files-0"), "/x"),
    ):
        raise ConnectionRefusedError("[Errno 111] Connection refused")


def test_discard_that_fails_hides_nothing_and_goes_on() -> None:
    left = [Staging(AttributeError("the session has stopped")), Staging()]
    runner: Any = SimpleNamespace(_leftovers=left)
    Runner.discard(runner)
    assert left[1].discarded


def test_plan_stands_below_the_name_of_its_job() -> None:
    report = plan_report("predict", Report([Line("input     in")]), [Line("config fingerprint f")])
    assert str(report).splitlines() == [
        "plan of predict",
        "input     in",
        "config fingerprint f",
        "nothing was written",
    ]
