"""The Makefile: what a user types."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.packaging.checkout import REPOSITORY, copy_checkout, make_command, run

TARGETS = (
    "install",
    "shell",
    "demo",
    "demo-delta",
    "demo-iceberg",
    "test",
    "test-fast",
    "test-full",
    "test-browser",
    "report-shots",
    "matrix",
    "template",
    "lint",
    "docs",
    "docs-serve",
    "bench",
    "bench-full",
    "bench-mitigation",
    "bench-noise",
    "build",
    "clean",
)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return copy_checkout(tmp_path)


@pytest.mark.parametrize("target", TARGETS)
def test_make_help_lists_the_target_and_what_it_does(checkout: Path, target: str) -> None:
    done = run(["make", "help"], checkout)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(rf"^{target} +\S+", done.stdout, re.MULTILINE)


def test_make_without_a_target_is_help(checkout: Path) -> None:
    assert run(["make"], checkout).stdout == run(["make", "help"], checkout).stdout


def test_make_targets_are_no_files(checkout: Path) -> None:
    (phony,) = re.findall(r"^\.PHONY: (.*)$", (checkout / "Makefile").read_text(), re.MULTILINE)
    assert set(phony.split()) == {"help", *TARGETS}


@pytest.mark.parametrize("target", TARGETS)
def test_make_target_has_a_recipe_that_make_understands(checkout: Path, target: str) -> None:
    done = run([*make_command(), "-n", target], checkout)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("test", '-m "not full"'),
        ("test-full", "--cov"),
        ("test-fast", "tests/unit tests/property"),
        ("lint", "ruff format --check"),
        ("lint", "mypy"),
        ("lint", "codespell"),
        ("lint", "tests.docs.plain_english"),
        ("docs", "mkdocs build --strict"),
        ("docs-serve", "mkdocs serve"),
        ("bench", "benchmarks/run.py"),
        ("demo", "sparkclean run --config conf/demo.yaml"),
    ],
)
def test_make_target_runs_what_it_says(checkout: Path, target: str, words: str) -> None:
    assert words in run([*make_command(), "-n", target], checkout).stdout


def test_make_test_full_leaves_nothing_out(checkout: Path) -> None:
    commands = run([*make_command(), "-n", "test-full"], checkout).stdout
    assert "pytest" in commands
    assert "not full" not in commands


def test_make_install_with_an_old_python_says_so(checkout: Path, tmp_path: Path) -> None:
    (checkout / ".ci" / "check-java").write_text("exit 0\n")
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    done = run(["make", "install", f"PYTHON={python}"], checkout)
    assert done.returncode == 2
    assert "Python 3.10 or newer is needed; set PYTHON=/path/to/python3" in done.stdout
    assert not (checkout / ".venv").exists()


def test_make_install_without_java_installs_nothing(checkout: Path) -> None:
    (checkout / ".ci" / "check-java").write_text("echo no java >&2; exit 1\n")
    done = run(["make", "install"], checkout)
    assert done.returncode == 2
    assert "no java" in done.stderr
    assert not (checkout / ".venv").exists()


def test_ci_runs_lint_and_the_tests() -> None:
    commands = (REPOSITORY / ".ci" / "run").read_text().splitlines()
    assert [line for line in commands if line.startswith("make")] == [
        "make lint",
        "make docs",
        "make test",
    ]
