"""Completion by real shells, as far as they are there."""

from __future__ import annotations

import argparse
import shutil
import subprocess
from pathlib import Path

import pytest

from sparkclean.commands.completion import SHELLS, completion_script, words_of
from sparkclean.commands.main import _parser, main

BASH = """\
eval "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 ))
_sparkclean
printf '%s\\n' "${COMPREPLY[@]}"
"""


def by_bash(*words: str) -> list[str]:
    """Give what bash completes the last word to; nothing where it takes names of files."""
    script = completion_script("bash", _parser())
    done = subprocess.run(
        ["bash", "-c", BASH, "bash", script, "sparkclean", *words],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_completes_commands() -> None:
    assert by_bash("cl") == ["clean-up"]
    assert set(by_bash("")) == set(words_of(_parser()))


def test_bash_completes_flags_of_the_command() -> None:
    assert by_bash("audit", "--conf") == ["--config"]
    assert by_bash("show", "out/x", "--w") == ["--with"]
    assert "--keep" not in by_bash("show", "--")


def test_bash_completes_choices() -> None:
    assert by_bash("show", "--format", "") == ["csv", "json", "markdown"]
    assert by_bash("audit", "--log-format", "j") == ["json"]
    assert by_bash("completion", "") == ["bash", "zsh", "fish"]


def test_bash_leaves_values_to_names_of_files() -> None:
    assert by_bash("audit", "--config", "") == []
    assert by_bash("show", "") == []


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("sparkclean cl", ["clean-up"]),
        ("sparkclean show --format ", ["csv", "json", "markdown"]),
        ("sparkclean show x --wi", ["--with"]),
        ("sparkclean completion ", ["bash", "fish", "zsh"]),
    ],
)
def test_fish_completes(line: str, words: list[str], tmp_path: Path) -> None:
    script = tmp_path / "sparkclean.fish"
    script.write_text(completion_script("fish", _parser()))
    done = subprocess.run(
        ["fish", "--no-config", "-c", f"source {script}; complete -C '{line}'"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    shown = [line.split("\t")[0] for line in done.stdout.splitlines()]
    assert [word for word in shown if word != "sparkclean.fish"] == words


@pytest.mark.full
@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_completes_a_choice(tmp_path: Path) -> None:
    (tmp_path / "script").write_text(completion_script("zsh", _parser()))
    # a terminal within a terminal: zsh completes nowhere else
    code = f"""
zmodload zsh/zpty; zpty z zsh -f -i
zpty -w z "PS1=; cd {tmp_path}; autoload -U compinit; compinit -u -d {tmp_path}/dump; source script"
zpty -w z "echo READ""Y"; zpty -r z line '*READY*'
zpty -w -n z $'sparkclean show --format mark\\t; '
zpty -w z ''
for _ in 1 2 3 4 5 6 7 8 9 10; do
  sleep 0.3
  while zpty -r -t z line; do print -r -- $line; done
done
zpty -d z
"""
    done = subprocess.run(
        ["zsh", "-f", "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert "--format markdown" in done.stdout.replace("\r", "")


@pytest.mark.parametrize("shell", list(SHELLS))
def test_script_has_every_command_and_flag(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    for command, words in words_of(_parser()).items():
        assert command in script
        for name in (name for flag in words.flags for name in flag.names):
            assert name.lstrip("-") in script


@pytest.mark.parametrize("shell", [shell for shell in SHELLS if shutil.which(shell)])
def test_hostile_help_stays_within_its_quotes(shell: str, tmp_path: Path) -> None:
    parser = argparse.ArgumentParser(prog="sparkclean")
    commands = parser.add_subparsers()
    command = commands.add_parser("run", help='it\'s $(touch a) `touch b` [x]: "y" \\')
    command.add_argument("--flag", help='it\'s $(touch a) `touch b` [x]: "y" \\')
    (tmp_path / "script").write_text(completion_script(shell, parser))
    code = "compdef() { :; }; source ./script" if shell == "zsh" else "source ./script"
    done = subprocess.run(
        [shell, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stderr == ""
    assert [path.name for path in tmp_path.iterdir()] == ["script"]
