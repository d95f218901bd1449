"""README.md does what it says, by the commands that a user types, in processes of their own."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.docs.pages import REPOSITORY, Block, Page, read_page
from tests.docs.runner import Server, run_blocks
from tests.packaging.checkout import VENV, copy_checkout, environment_of, make_command

README = REPOSITORY / "README.md"
#: The tests themselves, which would run for ever.
_LEFT_OUT = re.compile(r"^make (?:test|matrix)\b.*$", re.MULTILINE)
MOST_LINES = 150


def page() -> Page:
    """Read README.md; a command that is left out is a comment."""
    whole = read_page(README)
    return replace(
        whole,
        blocks=tuple(
            replace(block, text=_LEFT_OUT.sub("# left out", block.text)) for block in whole.blocks
        ),
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the checkout with the environment of these tests, as if `make install` had run."""
    (tmp_path / "sparkclean").mkdir()
    checkout = copy_checkout(tmp_path / "sparkclean")
    (checkout / ".venv").symlink_to(VENV)
    return checkout


@pytest.fixture
def server(tmp_path: Path, checkout: Path) -> Iterator[Server]:
    """Who runs the blocks of Python, in a session of its own."""
    (tmp_path / "server").mkdir()
    server = Server(tmp_path / "server", checkout)
    yield server
    server.stop()


def environment(checkout: Path, folder: Path) -> dict[str, str]:
    """Environment in which `make` installs nothing."""
    make = shutil.which("make")
    assert make
    words = " ".join(f'"{word}"' for word in make_command()[1:])
    (folder / "make").write_text(f'#!/bin/sh\nexec {make} {words} "$@"\n')
    (folder / "make").chmod(0o755)
    environ = environment_of(checkout)
    return environ | {"PATH": f"{folder}:{environ['PATH']}", "PYTHONWARNINGS": "ignore"}


def test_readme_does_what_it_says(checkout: Path, server: Server, tmp_path: Path) -> None:
    shims, scratch = tmp_path / "shims", tmp_path / "scratch"
    shims.mkdir()
    scratch.mkdir()

    def run_cell(block: Block) -> object:
        return server.run_cell("README.md", block, str(checkout), scratch)

    run_blocks(page(), checkout, environment(checkout, shims), scratch, run_cell)  # type: ignore[arg-type]


def test_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def test_readme_has_commands_and_a_cell() -> None:
    languages = [block.language for block in page().blocks]
    assert "sh" in languages
    assert "python" in languages


def test_readme_shows_ten_rows_of_a_suspect_table() -> None:
    text = README.read_text(encoding="utf-8")
    assert "given_label" in text
    assert "suggested_label" in text


def test_readme_names_the_versions_that_are_needed() -> None:
    project = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    readme = README.read_text(encoding="utf-8")
    assert 'requires-python = ">=3.10"' in project
    assert "Python 3.10" in readme
    assert "Java 17" in readme
    assert "WANTED=17\n" in (REPOSITORY / ".ci" / "check-java").read_text(encoding="utf-8")
