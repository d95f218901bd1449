"""The log: text for people, JSON for machines, colours on a terminal alone."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from sparkclean.commands.log import configure_logging, name_run

REPOSITORY = Path(__file__).resolve().parents[2]
LOG = logging.getLogger("sparkclean")


class Screen(io.StringIO):
    """A stderr that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def at_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Screen]:
    """Configure the log of a process whose stderr is a terminal."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")

    def configure(log_format: str) -> Screen:
        screen = Screen()
        monkeypatch.setattr(sys, "stderr", screen)
        configure_logging(log_format)
        return screen

    return configure


def test_text_log_names_what_is_worse_than_information(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("text")
    LOG.info("said %s", "so")
    LOG.warning("look")
    LOG.error("oh")
    LOG.critical("no")
    shown = capsys.readouterr()
    assert shown.err == "said so\nwarning: look\nerror: oh\nerror: no\n"
    assert shown.out == ""


def test_text_log_leaves_debugging_out(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("text")
    LOG.debug("x")
    assert capsys.readouterr().err == ""


def test_text_log_away_from_a_terminal_has_no_colours(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("text")
    LOG.error("oh")
    assert "\033" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("say", "colour"), [(LOG.warning, "\033[33m"), (LOG.error, "\033[31m")], ids=["warn", "error"]
)
def test_text_log_on_a_terminal_is_coloured(
    at_terminal: Callable[[str], Screen], say: Callable[[str], None], colour: str
) -> None:
    screen = at_terminal("text")
    say("x")
    assert screen.getvalue().startswith(colour)
    assert screen.getvalue().endswith("\033[0m\n")


def test_text_log_on_a_terminal_leaves_information_plain(
    at_terminal: Callable[[str], Screen],
) -> None:
    screen = at_terminal("text")
    LOG.info("x")
    assert screen.getvalue() == "x\n"


def test_text_log_on_a_terminal_heeds_no_color(
    at_terminal: Callable[[str], Screen], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    screen = at_terminal("text")
    LOG.error("x")
    assert screen.getvalue() == "error: x\n"


def test_text_log_on_a_dumb_terminal_has_no_colours(
    at_terminal: Callable[[str], Screen], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    screen = at_terminal("text")
    LOG.error("x")
    assert screen.getvalue() == "error: x\n"


def test_log_follows_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    configure_logging("text")
    elsewhere = io.StringIO()
    monkeypatch.setattr(sys, "stderr", elsewhere)
    LOG.info("x")
    assert elsewhere.getvalue() == "x\n"


def test_json_log_on_a_terminal_has_no_colours(at_terminal: Callable[[str], Screen]) -> None:
    screen = at_terminal("json")
    LOG.error("x")
    assert json.loads(screen.getvalue())["msg"] == "x"


def test_json_log_has_time_level_logger_and_message(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json")
    logging.getLogger("sparkclean.lake").warning("größer\n%s", "als")
    (line,) = capsys.readouterr().err.splitlines()
    entry = json.loads(line)
    assert set(entry) == {"ts", "level", "logger", "msg"}
    assert entry["level"] == "WARNING"
    assert entry["logger"] == "sparkclean.lake"
    assert entry["msg"] == "größer\nals"
    written = datetime.fromisoformat(entry["ts"])
    assert abs(datetime.now(timezone.utc) - written) < timedelta(minutes=1)


def test_json_log_has_the_fields_of_a_phase(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json")
    fields = {"phase": "pass 1", "event": "end", "rows": 0, "seconds": 1.5, "other": "x"}
    LOG.info("done", extra=fields)
    entry = json.loads(capsys.readouterr().err)
    assert {key: entry.get(key) for key in fields} == fields | {"other": None}


def test_json_log_keeps_a_traceback_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json")
    try:
        raise ValueError("x")
    except ValueError:
        LOG.exception("failed")
    (line,) = capsys.readouterr().err.splitlines()
    assert "ValueError: x" in json.loads(line)["exception"]


def test_text_log_shows_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("text")
    try:
        raise ValueError("x")
    except ValueError:
        LOG.exception("failed")
    first, *rest = capsys.readouterr().err.splitlines()
    assert first == "error: failed"
    assert rest[0].startswith("  Traceback")


def test_named_run_stands_in_every_further_record(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json")
    LOG.info("before")
    name_run("nightly-1")
    LOG.info("after")
    logging.getLogger("sparkclean.lake").info("below")
    entries = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [entry.get("run_id") for entry in entries] == [None, "nightly-1", "nightly-1"]


def test_named_run_is_forgotten_by_the_next_command(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json")
    name_run("one")
    configure_logging("json")
    LOG.info("x")
    assert "run_id" not in json.loads(capsys.readouterr().err)


def test_configured_twice_each_record_is_written_once(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("text")
    configure_logging("text")
    LOG.info("x")
    assert capsys.readouterr().err == "x\n"


def test_configured_log_keeps_to_itself(caplog: pytest.LogCaptureFixture) -> None:
    configure_logging("text")
    LOG.warning("x")
    assert caplog.records == []


def test_package_without_the_command_says_nothing() -> None:
    # a library leaves the log to whoever imports it
    code = "import logging, sparkclean; logging.getLogger('sparkclean').error('x')"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_log_goes_on_where_an_earlier_stderr_was_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone, now = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", gone)
    configure_logging("text")
    gone.close()
    monkeypatch.setattr(sys, "stderr", now)
    LOG.warning("still here")
    assert now.getvalue() == "warning: still here\n"
