"""Names, ids and bytes of others act on no terminal and forge no line of a log."""

from __future__ import annotations

import json
import logging
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sparkclean.commands import jobs
from sparkclean.commands.log import configure_logging, name_run
from sparkclean.commands.main import main
from sparkclean.commands.terminal import print_table, say
from sparkclean.errors import ConfigError, InputError, SparkCleanError
from sparkclean.lake import ParquetTarget
from sparkclean.rows.report import Grid, Line, Report
from sparkclean.texts import printable, printable_lines
from tests.lake.helpers import publish

#: Clears a screen, turns the direction of writing, goes back, forges a line, rings.
HOSTILE = "x\x1b[2J\x1b]0;t\x07\u202egnp\u2066\r\nerror: FORGED\x9b1A\u2028y\x00\x7f\udc80"


def is_safe(text: str) -> bool:
    return all(line.isprintable() for line in text.split("\n")) and "\nerror: FORGED" not in text


def test_printable_is_one_line_that_says_what_was_there() -> None:
    assert printable(HOSTILE).isprintable()
    assert printable("a\x1b[0m\u202e\n\udc80") == r"a\x1b[0m\u202e\n\udc80"
    assert printable("日本語 ü é [red]") == "日本語 ü é [red]"
    assert printable(None) == ""
    assert printable_lines("a\nb\x1b\rc") == "a\nb\\x1b\\rc"


@pytest.mark.parametrize("error", [SparkCleanError, ConfigError, InputError])
def test_errors_that_callers_of_python_print_are_safe(error: Any) -> None:
    lines = str(error(HOSTILE.replace("\n", ""))).split("\n")
    assert [line.isprintable() for line in lines] == [True]
    assert str(ConfigError(["one", "two"])) == "one\ntwo"


@pytest.mark.parametrize("kind", ["text", "json"])
def test_log_of_hostile_names_is_one_line_each(kind: str, capsys: pytest.CaptureFixture) -> None:
    configure_logging(kind)
    log = logging.getLogger("sparkclean.lake")
    name_run(HOSTILE)
    log.warning("%s and %s", HOSTILE, Path(HOSTILE))
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        log.exception("failed")
    shown = capsys.readouterr().err
    if kind == "json":
        entries = [json.loads(line) for line in shown.rstrip("\n").split("\n")]
        assert len(entries) == 2
        lines = [line for one in entries for text in one.values() for line in text.split("\n")]
        assert all(line.isprintable() for line in lines)
    else:
        assert is_safe(shown.replace("\nerror: failed", ""))
        assert shown.startswith("warning: ")


@pytest.mark.parametrize("error", [ConfigError, InputError, ValueError])
def test_command_that_fails_at_a_hostile_name_logs_a_line_for_each_finding(
    error: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    found = error(HOSTILE) if error is ValueError else error([HOSTILE, "second"])

    def fail(*_: object, **__: object) -> None:
        raise found

    monkeypatch.setattr("sparkclean.lake.open_target", fail)
    assert main(["versions", "/x"]) != 0
    lines = capsys.readouterr().err.rstrip("\n").split("\n")
    assert len(lines) == (1 if error is ValueError else 2)
    assert all(line.startswith("error: ") and line.isprintable() for line in lines)


@pytest.mark.parametrize(
    "words",
    [
        ["versions", HOSTILE[:20]],
        ["check-version", "TARGET", "--version", HOSTILE[:40]],
        ["revert", "TARGET", "--to", HOSTILE[:40]],
        ["show", HOSTILE[:20]],
        ["audit", "--config", HOSTILE[:20]],
        ["audit", "--config", "CONFIG"],
        ["audit", "--config", "CONFIG", "--set", f"input.{HOSTILE[:40]}=1"],
        ["audit", HOSTILE],
        [HOSTILE],
        ["init", HOSTILE[:20]],
    ],
)
def test_command_with_hostile_words_writes_nothing_that_acts(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    target = ParquetTarget(str(tmp_path / "target"))
    publish(target, "a", accumulate=False)
    config = tmp_path / "config.json"
    config.write_text(json.dumps({HOSTILE: HOSTILE, "input": {"table": HOSTILE[:20], HOSTILE: 1}}))
    known = {"TARGET": target.location, "CONFIG": str(config)}
    with suppress(SystemExit):  # of the parser of arguments
        assert main([known.get(word, word) for word in words]) != 0
    shown = capsys.readouterr()
    assert is_safe(shown.out)
    assert is_safe(shown.err)
    assert shown.err


def test_reports_and_tables_of_hostile_texts_are_safe(capsys: pytest.CaptureFixture) -> None:
    report = Report([Line(HOSTILE), Grid([[HOSTILE, "1"]], (HOSTILE, "n"))])
    assert is_safe(str(report))
    say(f"remove {HOSTILE}")
    print_table(pa.table({HOSTILE[:-1]: [HOSTILE[:-1]], "b": [b"\x1b[2J"]}))
    print_table(pa.table({f"{HOSTILE[:-1]}{i}": [HOSTILE[:-1] * 9] for i in range(9)}))
    assert is_safe(capsys.readouterr().out)


def test_versions_with_hostile_properties_are_safe(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    target = ParquetTarget(str(tmp_path / "target"))
    publish(target, "a", accumulate=False)
    manifest = next((target.root / "_manifests").glob("v*.json"))
    content = json.loads(manifest.read_text())
    content |= {"run_id": HOSTILE, "operation": HOSTILE, "created_at": HOSTILE}
    content["properties"] = {HOSTILE: HOSTILE}
    manifest.write_text(json.dumps(content))
    assert main(["versions", target.location]) == 0
    assert is_safe(capsys.readouterr().out)


@pytest.mark.parametrize("run_id", ["x\nerror: FORGED", "a\x1b[2J", "\u202eabc", "a\tb", "a\udc80"])
def test_run_id_that_is_not_printable_is_refused(
    run_id: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("input: {table: in}\n")
    assert main(["audit", "--config", str(path), "--run-id", run_id]) == 2
    (line,) = capsys.readouterr().err.rstrip("\n").split("\n")
    assert "holds characters that are not printable" in line or "is not UTF-8" in line
    with pytest.raises(ConfigError, match="not printable"):
        jobs.run_job("audit", path, run_id=run_id)


def test_colours_of_the_log_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    configure_logging("text")
    logging.getLogger("sparkclean").error("x\x1b[2J")
    assert screen.getvalue() == "\x1b[31merror: x\\x1b[2J\x1b[0m\n"
