"""What a terminal is shown: tables by rich, and the phase that a job is in."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pytest
from rich.console import Console

from sparkclean.commands.log import configure_logging
from sparkclean.commands.terminal import (
    arrange_versions,
    print_report,
    print_table,
    show_report,
)
from sparkclean.rows.console import is_terminal, open_console
from sparkclean.rows.live import LivePhases, NotebookPhases, phase_listener, shown_phases
from sparkclean.rows.phase_status import PhaseStatus
from sparkclean.rows.progress import PhaseLog, Progress
from sparkclean.rows.report import Grid, Line, Report

REPOSITORY = Path(__file__).resolve().parents[2]
LOG = logging.getLogger("sparkclean")
REPORT = Report(
    [
        Line("top", "heading"),
        Grid([("1", "cat"), ("1,000", "dog")], ("rank", "given"), right=(0,), strong=[1]),
        Line("look", "warning"),
    ]
)


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")


AtTerminal = Callable[[], Screen]


@pytest.fixture
def at_terminal(monkeypatch: pytest.MonkeyPatch) -> AtTerminal:
    """Make one terminal of stdout and stderr."""

    def open_screen() -> Screen:
        screen = Screen()
        monkeypatch.setattr(sys, "stdout", screen)
        monkeypatch.setattr(sys, "stderr", screen)
        return screen

    return open_screen


def without_styles(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def shown(report: Report, width: int = 80) -> list[str]:
    """Lines on a terminal of this width, without styles and blanks at their ends."""
    file = io.StringIO()
    show_report(report, Console(file=file, force_terminal=True, width=width, soft_wrap=True))
    return [line.rstrip() for line in without_styles(file.getvalue()).splitlines()]


# -- tables --------------------------------------------------------------------------------------


def test_table_on_a_terminal_has_a_rule_and_aligned_numbers() -> None:
    assert shown(REPORT) == [
        "top",
        " rank  given",
        "─" * 12,
        "    1  cat",
        "1,000  dog",
        "look",
    ]


def test_sentences_are_a_table_on_a_terminal() -> None:
    grid = Grid([("cat", "5")], ("class", "suspects"), right=(1,), line="{0} has {1} suspects")
    head, _, row = shown(Report([grid]))
    assert head.split() == ["class", "suspects"]
    assert row.split() == ["cat", "5"]


def test_styles_set_off_headings_warnings_and_strong_rows(
    at_terminal: AtTerminal,
) -> None:
    screen = at_terminal()
    print_report(REPORT)
    text = screen.getvalue()
    assert "\x1b[1mtop\x1b[0m" in text
    assert "\x1b[33mlook\x1b[0m" in text
    assert "\n\x1b[1m1,000" in text
    assert "\n    1 " in text


def test_no_color_is_heeded(at_terminal: AtTerminal, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = at_terminal()
    monkeypatch.setenv("NO_COLOR", "1")
    print_report(REPORT)
    assert "\x1b[33m" not in screen.getvalue()


@pytest.mark.parametrize("term", ["dumb", "unknown"])
def test_dumb_terminal_gets_plain_text(
    at_terminal: AtTerminal, monkeypatch: pytest.MonkeyPatch, term: str
) -> None:
    screen = at_terminal()
    monkeypatch.setenv("TERM", term)
    print_report(REPORT)
    assert screen.getvalue() == f"{REPORT}\n"


def test_pipe_gets_plain_text_even_where_colours_are_forced(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    print_report(REPORT)
    print_table(pa.table({"a": [1]}))
    assert capsys.readouterr().out == f"{REPORT}\na\n1\n"


def test_driver_without_rich_prints_plain_text_on_a_terminal(
    at_terminal: AtTerminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = at_terminal()
    for name in [name for name in sys.modules if name.split(".")[0] == "rich"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rich", None)
    assert is_terminal(screen)
    assert open_console(screen) is None
    print_report(REPORT)
    assert screen.getvalue() == f"{REPORT}\n"
    assert isinstance(phase_listener("text"), PhaseLog)


@pytest.mark.parametrize(
    "text", ["[red]x[/red]", "[/]", ":smile:", "[link=http://x]y[/link]", "a\\[b"]
)
def test_markup_in_data_is_data(text: str) -> None:
    lines = shown(Report([Line(text), Grid([(text, "1")], ("[bold]", "n"))]))
    assert lines[0] == text
    assert lines[1].split()[0] == "[bold]"
    assert lines[3].split()[0] == text


@pytest.mark.parametrize("text", ["\x1b[2J", "a\nb", "\r", "\u202eabc", "\x9b1A"])
def test_control_characters_in_data_are_escaped(text: str) -> None:
    lines = shown(Report([Line(text), Grid([(text, "1")], ("t", "n"))]))
    assert len(lines) == 4
    assert all(line.isprintable() for line in lines)


def test_wide_text_is_aligned_by_what_it_takes_on_the_screen() -> None:
    _, _, first, second = shown(Report([Grid([("日本", "x"), ("abcd", "y")], ("a", "b"))]))
    assert (first, second) == ("日本  x", "abcd  y")


def test_text_is_folded_where_the_terminal_is_narrow_and_numbers_are_not() -> None:
    grid = Grid([("a " * 20, "1,000")], ("text", "rows"), right=(1,))
    lines = shown(Report([grid]), width=30)
    assert max(map(len, lines)) <= 30
    assert [line for line in lines if "1,000" in line]


def test_table_too_wide_for_the_terminal_is_shown_record_by_record() -> None:
    titles = [f"column_{i}" for i in range(10)]
    lines = shown(Report([Grid([["x" * 15] * 10, ["y"] * 10], titles)]), width=80)
    assert lines[0] == "column_0  " + "x" * 15
    assert lines[10] == ""
    assert lines[-1] == "column_9  y"


def test_titles_are_folded_before_a_table_becomes_records() -> None:
    titles = ["rank", "suggested_probability", "class_noise_rate"]
    grid = Grid([("1", "0.912449", "0.5"), ("2", "0.5", "0.25")], titles, right=(0, 1, 2))
    assert shown(Report([grid]), width=60)[0].split() == titles
    lines = shown(Report([grid]), width=36)
    assert [line.split() for line in lines[:2]] == [
        ["suggested_", "class_"],
        ["rank", "probability", "noise_rate"],
    ] or [line.split() for line in lines[:3]] == [
        ["class_"],
        ["suggested_", "noise_"],
        ["rank", "probability", "rate"],
    ]
    assert lines[-1].split() == ["2", "0.5", "0.25"]


def test_title_with_a_line_break_is_escaped_where_it_is_folded() -> None:
    grid = Grid([("1", "2")], ["a\nb_" + "c" * 20, "d_" * 10], right=(0, 1))
    assert "a\\nb_" in "".join(shown(Report([grid]), width=30))


def test_value_of_a_record_is_folded_beside_its_name() -> None:
    lines = shown(Report([Grid([("name", "x" * 50)])]), width=30)
    assert lines == ["name  " + "x" * 24, " " * 6 + "x" * 24, " " * 6 + "xx"]


def test_arrow_table_on_a_terminal_has_its_numbers_at_the_right(
    at_terminal: AtTerminal,
) -> None:
    screen = at_terminal()
    print_table(pa.table({"id": [1, 100], "given": ["cat", None]}))
    lines = [line.rstrip() for line in without_styles(screen.getvalue()).splitlines()]
    assert lines == [" id  given", "─" * 10, "  1  cat", "100"]


def test_long_values_of_an_arrow_table_are_whole_record_by_record(
    at_terminal: AtTerminal,
) -> None:
    screen = at_terminal()
    print_table(pa.table({f"column_{i}": ["x" * 70] for i in range(10)}))
    assert "x" * 70 in without_styles(screen.getvalue())


class Listed(NamedTuple):
    """What is listed of a version."""

    name: str
    rows: int = 5
    files: int = 1
    size_bytes: int = 10**6
    created_at: str = "2026-01-01"
    operation: str = "publish"
    run_id: str = "r"


def test_current_version_has_a_star_and_stands_out(at_terminal: AtTerminal) -> None:
    screen = at_terminal()
    versions: list[Any] = [Listed("v1"), Listed("v2")]
    print_report(arrange_versions(versions, versions[1], gone={"v1"}))
    text = screen.getvalue()
    assert re.search(r"\x1b\[1m\* v2", text)
    rows = without_styles(text).splitlines()[2:]
    assert rows[0].split() == ["v1", "5", "1", "1.0", "2026-01-01", "gone", "r"]
    assert rows[1].split() == ["*", "v2", "5", "1", "1.0", "2026-01-01", "publish", "r"]


# -- phases --------------------------------------------------------------------------------------


def test_phases_go_to_the_log_away_from_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert isinstance(phase_listener("text"), PhaseLog)


def test_phases_go_to_the_log_in_json(at_terminal: AtTerminal) -> None:
    at_terminal()
    assert isinstance(phase_listener("json"), PhaseLog)
    assert isinstance(phase_listener("text"), LivePhases)


def last_screen(text: str) -> list[str]:
    """Lines that are left on the screen: what a line is cleared of is gone."""
    left = []
    for line in without_styles(text).replace("\r\n", "\n").split("\n"):
        if re.search(r"\x1b\[1A", line) and left:
            left.pop()
        left.append(re.sub(r"\x1b\[\??[0-9;]*[A-Za-z]", "", line.split("\x1b[2K")[-1]).strip("\r"))
    return [line for line in left if line]


def test_finished_phases_and_the_log_stand_above_the_current_one(
    at_terminal: AtTerminal,
) -> None:
    screen = at_terminal()
    configure_logging("text")
    progress = Progress(phase_listener("text"))
    LOG.info("run a")
    with progress.phase("train") as phase:
        phase.rows = 7
        LOG.warning("few rows")
        sys.stderr.write("from a package\n")
    with progress.phase("publish"):
        LOG.info("published")
    LOG.info("end")
    lines = last_screen(screen.getvalue())
    assert [re.sub(r" *[\d.]+ s  ", "", line) for line in lines] == [
        "run a",
        "warning: few rows",
        "from a package",
        re.sub(r" *[\d.]+ s  ", "", lines[3]),
        "published",
        "[2] publish",
        "end",
    ]
    assert re.fullmatch(r" +\d\.\d s  \[1\] train  7 rows, [\d,]+ rows/s", lines[3])
    assert sys.stderr is screen


def test_current_phase_is_shown_with_its_seconds(at_terminal: AtTerminal) -> None:
    screen = at_terminal()
    progress = Progress(phase_listener("text"))
    with progress.phase("[red]pass 1"):
        LOG.info("x")
        sys.stderr.write("y\n")
    assert re.search(r"\d\.\d s  .*\[1\] \[red\]pass 1 \.\.\.", without_styles(screen.getvalue()))


@pytest.mark.parametrize(
    ("width", "words"),
    [("80", "2/5 folds, 41 s left"), ("160", "2 of 5 folds, about 41 s left")],
)
def test_current_phase_has_a_bar_where_its_steps_are_known(
    at_terminal: AtTerminal, monkeypatch: pytest.MonkeyPatch, width: str, words: str
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    screen = at_terminal()
    progress = Progress(phase_listener("text"))
    with progress.phase("train") as phase:
        phase.status = PhaseStatus(30.0, 2, 5, unit="folds", left=41.0)
        LOG.info("x")
        sys.stderr.write("y\n")
    text = without_styles(screen.getvalue())
    assert re.search(r"\[1\] train \.\.\. +━+[╸╺ ]*━* +" + words, text)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_error_takes_the_line_away_and_leaves_the_terminal_usable(
    at_terminal: AtTerminal, error: type[BaseException]
) -> None:
    screen = at_terminal()
    configure_logging("text")
    with pytest.raises(error), Progress(phase_listener("text")).phase("train"):
        raise error
    LOG.error("oh")
    assert sys.stderr is screen
    text = screen.getvalue()
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l")
    first, second = last_screen(text)
    assert first.endswith("[1] train: stopped")
    assert second == "error: oh"


def test_cursor_is_never_left_hidden_while_a_phase_lasts(at_terminal: AtTerminal) -> None:
    screen = at_terminal()
    with Progress(phase_listener("text")).phase("train"):
        text = screen.getvalue()
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l") >= 0


def test_phase_within_a_phase_is_shown_and_then_the_outer_one_again(
    at_terminal: AtTerminal,
) -> None:
    screen = at_terminal()
    progress = Progress(phase_listener("text"))
    with progress.phase("outer"):
        with progress.phase("inner"):
            sys.stderr.write("in\n")
        sys.stderr.write("out\n")
    text = without_styles(screen.getvalue())
    assert re.search(r"in\n.*\[2\] inner \.\.\..*out\n.*\[1\] outer \.\.\.", text, re.DOTALL)
    names = [line.split("] ")[-1] for line in last_screen(text)]
    assert names == ["in", "inner", "out", "outer"]


def test_long_log_line_is_not_broken(at_terminal: AtTerminal) -> None:
    screen = at_terminal()
    configure_logging("text")
    with Progress(phase_listener("text")).phase("train"):
        LOG.info("x" * 200)
    assert "x" * 200 in screen.getvalue()


def test_run_goes_on_without_its_terminal(
    at_terminal: AtTerminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = at_terminal()
    listener = phase_listener("text")

    def fail(_: str) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(screen, "write", fail)
    progress = Progress(listener)
    for name in ("a", "b"):
        with progress.phase(name):
            pass
    assert len(progress.phases) == 2


def test_wait_before_a_run_is_shown_with_its_seconds(at_terminal: AtTerminal) -> None:
    screen = at_terminal()
    with Progress(phase_listener("text")).before("starting Spark"):
        sys.stderr.write("y\n")
    text = without_styles(screen.getvalue())
    assert re.search(r"\d\.\d s  starting Spark \.\.\.", text)
    assert re.fullmatch(r" +\d\.\d s  starting Spark", last_screen(text)[-1])


# -- phases of a call in Python ------------------------------------------------------------------


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LOG, "level", logging.NOTSET)
    monkeypatch.setattr(logging.root, "level", logging.WARNING)
    LOG.manager._clear_cache()  # type: ignore[attr-defined]


def test_call_at_a_terminal_leaves_no_line(quiet: None, at_terminal: AtTerminal) -> None:
    screen = at_terminal()
    with shown_phases() as listener:
        progress = Progress(listener)
        for name in ("check", "train"):
            with progress.phase(name):
                sys.stderr.write("said\n")
    assert re.search(r"\[2\] train \.\.\.", without_styles(screen.getvalue()))
    assert last_screen(screen.getvalue()) == ["said", "said"]


@pytest.mark.parametrize("wanted", [True, False])
def test_call_elsewhere_or_unwanted_says_nothing(
    quiet: None, capsys: pytest.CaptureFixture[str], at_terminal: AtTerminal, wanted: bool
) -> None:
    screen = None if wanted else at_terminal()
    with shown_phases(wanted) as listener, Progress(listener).phase("train"):
        pass
    assert isinstance(listener, PhaseLog)
    assert (screen.getvalue() if screen else capsys.readouterr().err) == ""


def test_call_with_a_log_that_is_listened_to_goes_there(
    quiet: None, at_terminal: AtTerminal, caplog: pytest.LogCaptureFixture
) -> None:
    at_terminal()
    caplog.set_level(logging.INFO, "sparkclean")
    with shown_phases() as listener, Progress(listener).phase("train"):
        pass
    assert caplog.messages[0] == "[1] train ..."


class Cell:
    """The output of a cell: what is displayed, and displayed anew."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.displays = 0

    def display(self, content: dict[str, str], *, raw: bool, display_id: bool) -> Cell:
        assert raw
        assert display_id
        self.displays += 1
        self.update(content, raw=raw)
        return self

    def update(self, content: dict[str, str], *, raw: bool) -> None:
        assert raw
        self.lines.append(content["text/plain"])


def test_call_in_a_notebook_shows_one_line_that_changes(
    quiet: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = Cell()
    monkeypatch.setattr("sparkclean.rows.live._notebook_display", lambda: cell.display)
    with shown_phases() as listener:
        progress = Progress(listener)
        with progress.before("starting Spark"):
            pass
        with progress.phase("train") as phase:
            phase.status = PhaseStatus(30.0, 2, 5, unit="folds", left=41.0)
            listener.look(1, phase)
    assert cell.displays == 1
    assert cell.lines[:3] == [
        "starting Spark ...",
        "[1] train ...",
        "[1] train ... 2 of 5 folds, about 41 s left, 30 s so far",
    ]
    assert re.fullmatch(r"1 phases, \d\.\d s", cell.lines[3])


def test_call_goes_on_without_its_cell() -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError

    line = NotebookPhases(fail)
    with Progress(line).phase("a"):
        pass
    line.close()


def test_interrupt_at_a_real_terminal_ends_cleanly() -> None:
    code = """
import time
from sparkclean.rows.live import phase_listener
from sparkclean.rows.progress import Progress
try:
    with Progress(phase_listener("text")).phase("train"):
        time.sleep(60)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", code]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        seen = b""
        while b"[1] train ..." not in seen:
            seen += os.read(ours, 1024)
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(OSError):  # the end of a terminal is an error
            while more := os.read(ours, 1024):
                seen += more
        assert process.wait(60) == 0
    os.close(ours)
    text = seen.decode()
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l")
    assert re.search(r"\[1\] train: stopped\S*\r\ninterrupted\r\n$", text)
