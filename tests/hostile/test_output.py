"""Output that cannot be shown: escaped or given up, and the exit code stays."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from sparkclean.commands.main import main
from sparkclean.commands.output import unfailing_output
from sparkclean.lake import open_target
from tests.data import noisy_data, write_table

OUTPUTS = ("suspects", "cleaned", "classes", "pairs", "rejected", "runs")
SCHEMA = [sys.executable, "-m", "sparkclean", "schema"]  # more than fits a buffer


def _run(words: list[str], redirection: str) -> tuple[int, str]:
    """Run a command by a shell; give its code and what it said on stderr."""
    script = f'"$@" {redirection}; echo "code $?" >&3'
    done = subprocess.run(
        ["bash", "-c", f"exec 3>&1; {script}", "bash", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return int(done.stdout.rpartition("code ")[2]), done.stderr


@pytest.mark.parametrize(
    ("redirection", "said"),
    [
        (">&-", ""),
        (">/dev/full", "warning: stdout cannot be written, the rest is not shown: No space left"),
        (">/dev/full 2>/dev/full", ""),
        (">&- 2>&- <&-", ""),
    ],
)
def test_output_that_cannot_be_written_changes_no_outcome(redirection: str, said: str) -> None:
    code, stderr = _run(SCHEMA, redirection)
    assert code == 0
    assert stderr.startswith(said)
    assert len(stderr.splitlines()) == bool(said)


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", ">/dev/full 2>/dev/full"])
def test_error_that_cannot_be_written_keeps_its_code(redirection: str) -> None:
    words = [sys.executable, "-m", "sparkclean", "show", "/nowhere"]
    code, _ = _run(words, redirection)
    assert code == _run(words, "")[0] != 0


def test_output_whose_reader_leaves_is_given_up_without_a_word() -> None:
    script = '{ "$@"; echo "code $?" >&2; } | head -1'
    done = subprocess.run(
        ["bash", "-c", script, "bash", *SCHEMA], capture_output=True, text=True, check=False
    )
    assert done.stdout == "{\n"
    assert done.stderr == "code 0\n"


def test_help_whose_reader_has_left_exits_0() -> None:
    script = '{ sleep 0.2; "$@"; echo "code $?" >&2; } | true'
    words = [sys.executable, "-m", "sparkclean", "--help"]
    done = subprocess.run(
        ["bash", "-c", script, "bash", *words], capture_output=True, text=True, check=False
    )
    assert done.stderr == "code 0\n"


def test_output_that_cannot_be_encoded_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(shown, encoding="ascii"))
    with unfailing_output():
        sys.stdout.write("café \ud800 ☕\n")
    assert shown.getvalue() == b"caf\\xe9 \\ud800 \\u2615\n"


def test_clean_up_whose_reader_has_left_removes_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = tmp_path / "out" / "_staging" / "dead"
    dead.mkdir(parents=True)
    os.utime(dead, (0, 0))
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", buffering=1) as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        assert main(["clean-up", str(tmp_path / "out"), "--yes"]) == 0
    assert not dead.exists()


class _Full(io.TextIOWrapper):
    """A stream of ASCII on a disk that is full."""

    def write(self, text: str) -> int:
        text.encode("ascii")
        raise OSError(28, "No space left on device")


def test_audit_that_cannot_show_its_report_has_published(
    spark: SparkSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given, probs = noisy_data(200, 3, seed=4)
    table = write_table(tmp_path / "in", given, probs)
    config = {
        "input": {"table": str(table)},
        "output": {name: str(tmp_path / name) for name in OUTPUTS},
    }
    (tmp_path / "audit.json").write_text(json.dumps(config))
    monkeypatch.setattr(sys, "stdout", _Full(io.BytesIO(), encoding="ascii"))
    assert main(["audit", "--config", str(tmp_path / "audit.json")]) == 0
    (record,) = open_target(str(tmp_path / "runs")).head(5).to_pylist()
    assert record["status"] == "published"
    assert "warning: stdout cannot be written" in capsys.readouterr().err
