"""The page about one line does what it says: its commands run, in their order."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from sparkclean.commands.flags import add_flags
from tests.packaging.checkout import REPOSITORY, run

PAGE = (REPOSITORY / "docs" / "getting-started" / "parquet-file.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in block.splitlines()]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Run all commands in a folder; what each has said."""
    folder: Path = tmp_path_factory.mktemp("one-line")
    said = {}
    for line in COMMANDS:
        done = run(f"PYTHONPATH={REPOSITORY} {line}", folder, timeout=600)
        code = re.search(r"# exit code (\d)", line)
        assert done.returncode == (int(code[1]) if code else 0), f"{line}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        said[line.partition("    #")[0]] = done.stdout + done.stderr
    return said


@pytest.mark.full
def test_commands_say_what_the_page_says(ran: dict[str, str]) -> None:
    def of(start: str) -> str:
        (found,) = (text for line, text in ran.items() if line.startswith(start))
        return found

    assert len(of("sparkclean show out/examples").splitlines()) == 12  # what all share, the head
    assert "guessed columns.pred_probs: pred_probs" in of(
        "sparkclean audit out/examples/predictions --out out/third"
    )
    refused = ran["sparkclean run data/examples --label label"]
    assert "Possible columns: --features image" in refused
    prints = [
        re.findall("config fingerprint .*", of(f"sparkclean run --config {source} "))
        for source in ("digits.yaml", "-")
    ]
    assert prints[0] == prints[1] != []
    assert "wrote audit.yaml; check it, then: sparkclean run --config audit.yaml" in of(
        "sparkclean init"
    )
    assert "rows are numbered from 0 (row_number)" in of("sparkclean run noid.parquet")
    assert "row_number" in of("sparkclean show out/noid")
    command = of("sparkclean run wine.csv").partition(" then: ")[2].split(" -c ", 1)[1]
    (shown,) = (line for line in ran if line.endswith(" wine.csv wine.parquet"))
    assert command.rpartition("'")[0] == shown.split(" -c ", 1)[1].rpartition("'")[0]


def test_page_names_every_flag() -> None:
    parser = argparse.ArgumentParser()
    add_flags(parser, "run")
    _, settings = parser.format_help().split("settings:\n")
    flags = re.findall(r"^  (--[a-z-]+)", settings, re.MULTILINE)
    assert len(flags) == 11
    assert [flag for flag in flags if f"`{flag}" not in PAGE] == []
