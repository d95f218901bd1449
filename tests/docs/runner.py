"""Run a page as a reader does: its blocks in their order, in one folder."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sparkclean.errors import ConfigError
from tests.docs import client
from tests.docs.matching import difference, matches
from tests.docs.pages import REPOSITORY, Block, Command, Page, file_name, split_commands
from tests.docs.shell import Said, Shell

PYTHON = sys.executable
#: Seconds that Spark has to start, on a machine that does other things, too.
_PATIENCE = 180
#: Variables that would change what commands do.
_HIDDEN = ("SPARKCLEAN_", "SPARK_", "PYSPARK_", "MAKE", "MFLAGS", "COV_", "PYTEST_")
_MOST_SHOWN = 6000


class PageFailure(AssertionError):
    """A block of a page does not do what the page says."""

    def __init__(self, page: str, line: int, what: str, why: str) -> None:
        why = why if len(why) <= _MOST_SHOWN else f"...\n{why[-_MOST_SHOWN:]}"
        super().__init__(f"{page}:{line}: {what}\n{textwrap.indent(why, '  ')}")


# -- where commands run ----------------------------------------------------------------------------


def plain_environment() -> dict[str, str]:
    """Environment in which commands are those of this Python, of this checkout."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith(_HIDDEN)}
    environ["PATH"] = f"{Path(PYTHON).parent}{os.pathsep}{environ['PATH']}"
    environ["PYTHONPATH"] = str(REPOSITORY)
    environ["PYTHONWARNINGS"] = "ignore"  # as users see them, without those of newer Pythons
    return environ


class Server:
    """The process with a warm session, begun when it is first needed.

    Parameters
    ----------
    scratch : Path
        Of its own files.
    folder : Path
        In which pages are run.
    properties : Path, optional
        File of settings of the session.
    """

    def __init__(self, scratch: Path, folder: Path, properties: Path | None = None) -> None:
        self._scratch, self._folder, self._properties = scratch, folder, properties
        self._process: subprocess.Popen[bytes] | None = None
        self.address = str(scratch / "socket")

    def start(self) -> None:
        """Start the process, unless it runs."""
        if self._process is not None:
            return
        words = [PYTHON, "-m", "tests.docs.server", self.address]
        words += [] if self._properties is None else [str(self._properties)]
        log = (self._scratch / "server.log").open("wb")
        self._process = subprocess.Popen(
            words, cwd=self._folder, env=plain_environment(), stdin=subprocess.PIPE,
            stdout=log, stderr=log,
        )  # fmt: skip
        log.close()
        until = time.monotonic() + _PATIENCE
        while not Path(self.address).exists():
            assert self._process.poll() is None, (self._scratch / "server.log").read_text()
            assert time.monotonic() < until, "the server did not start"
            time.sleep(0.1)

    def environment(self) -> dict[str, str]:
        """Environment in which `sparkclean` and `python -m sparkclean...` ask the server."""
        self.start()
        shims = self._scratch / "bin"
        shims.mkdir(exist_ok=True)
        for name, kind in {
            "sparkclean": "sparkclean",
            "python": "python",
            "python3": "python",
        }.items():
            shim = shims / name
            shim.write_text(f'#!/bin/sh\nexec "{PYTHON}" -IS "{client.__file__}" {kind} "$@"\n')
            shim.chmod(0o755)
        environ = plain_environment()
        environ["PATH"] = f"{shims}{os.pathsep}{environ['PATH']}"
        return environ | {client.ADDRESS: self.address, client.PYTHON: PYTHON}

    def run_cell(self, page: str, block: Block, folder: str, scratch: Path) -> Said:
        """Run a block of Python; the names of a page stay for its next one."""
        self.start()
        request = {
            "page": page, "code": block.text, "line": block.line, "cwd": folder,
            "env": plain_environment(),
        }  # fmt: skip
        out, err = scratch / "cell.out", scratch / "cell.err"
        with (
            out.open("wb") as stdout,
            err.open("wb") as stderr,
            Path(os.devnull).open("rb") as nothing,
        ):
            os.environ[client.ADDRESS] = self.address
            code = client.ask(request, [nothing.fileno(), stdout.fileno(), stderr.fileno()])
        printed, logged = (path.read_text("utf-8", "replace") for path in (out, err))
        return Said(code, logged + printed, printed, logged)

    def stop(self) -> None:
        """Ask the process to end."""
        if self._process is None:
            return
        if self._process.poll() is None:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(self.address)
                body = json.dumps({"stop": True}).encode()
                nothing = os.open(os.devnull, os.O_RDWR)
                socket.send_fds(connection, [len(body).to_bytes(8, "big")], [nothing])
                connection.sendall(body)
                os.close(nothing)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdin
        self._process.stdin.close()


class Place:
    """The folder in which pages are run, one after another, under one path.

    Published tables remember the path of the table that they are of: the outputs of the demo,
    made once, are copied to the path at which they were made.

    Parameters
    ----------
    scratch : Path
    """

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.folder = scratch / "page"
        self.folder.mkdir()
        self._demo = scratch / "demo"
        quick, full = scratch / "quick", scratch / "full"
        quick.mkdir()
        full.mkdir()
        both = REPOSITORY / "conf" / "spark-defaults-both.conf"
        self.server = Server(quick, self.folder)
        self.lake_server = Server(full, self.folder, both)

    def prepare(self, setup: str) -> None:
        """Empty the folder, and fill it as a page wants it."""
        self._empty()
        if setup == "demo":
            if not self._demo.exists():
                self._make_demo()
                shutil.copytree(self.folder, self._demo, symlinks=True)
            else:
                shutil.copytree(self._demo, self.folder, symlinks=True, dirs_exist_ok=True)

    def _empty(self) -> None:
        for entry in self.folder.iterdir():  # not the folder: processes stand in it
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def _make_demo(self) -> None:
        """Do what `make demo` does."""
        shutil.copytree(REPOSITORY / "conf", self.folder / "conf")
        recipe = (
            "python -m sparkclean.commands.demo prepare out/demo",
            "sparkclean run --config conf/demo.yaml",
        )
        for line in recipe:
            done = subprocess.run(
                line, shell=True, cwd=self.folder, env=self.server.environment(),
                capture_output=True, text=True, check=False, timeout=600,
            )  # fmt: skip
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"

    def close(self) -> None:
        """End the servers."""
        self.server.stop()
        self.lake_server.stop()


@contextmanager
def open_place(scratch: Path) -> Iterator[Place]:
    """Give a place for pages; end its processes at the end."""
    place = Place(scratch)
    try:
        yield place
    finally:
        place.close()


# -- a page --------------------------------------------------------------------------------------


def run_page(page: Page, place: Place) -> None:
    """Run the blocks of a page.

    Parameters
    ----------
    page : Page
        One that only `make test-full` runs has processes of its own for its commands, and a
        session with Delta and Iceberg for its cells.
    place : Place

    Raises
    ------
    PageFailure
        At the first block that does not do what the page says.
    """
    place.prepare(page.setup)
    server = place.lake_server if page.is_full else place.server
    environ = plain_environment() if page.is_full else server.environment()
    run_blocks(
        page,
        place.folder,
        environ,
        place.scratch,
        lambda block: server.run_cell(page.name, block, str(place.folder), place.scratch),
    )


def run_blocks(
    page: Page,
    folder: Path,
    environ: Mapping[str, str],
    scratch: Path,
    run_cell: Callable[[Block], Said],
) -> None:
    """Run the blocks of a page in a folder, by means of the caller.

    Parameters
    ----------
    page : Page
    folder : Path
    environ : mapping
        Of the shell.
    scratch : Path
        For files of the runner.
    run_cell : callable
        Runs a block of Python.

    Raises
    ------
    PageFailure
    """
    shell = Shell(folder, environ, scratch)
    try:
        for block in page.blocks:
            if block.language == "yaml":
                use_yaml(page, block, folder)
            elif block.language == "sh":
                _check_output(page, block, _run_shell(page, block, shell))
            elif block.language == "python":
                said = run_cell(block)
                if said.code != 0:
                    raise PageFailure(page.name, block.line, "this block raises", said.both)
                _check_output(page, block, [said])
    finally:
        shell.close()


def _run_shell(page: Page, block: Block, shell: Shell) -> list[Said]:
    all_said = []
    for command in split_commands(block):
        try:
            said = shell.run(command.text)
        except TimeoutError as exc:
            raise PageFailure(page.name, command.line, command.text, str(exc)) from None
        _check_command(page, command, said)
        all_said.append(said)
    return all_said


def _check_command(page: Page, command: Command, said: Said) -> None:
    what = ""
    if said.code != command.exit_code:
        what = f"exit code {said.code}, and the page says {command.exit_code}"
    elif "Traceback (most recent call last)" in said.stderr:
        what = "shows a stack trace"
    if what:
        raise PageFailure(page.name, command.line, f"{command.text}\n{what}", said.both)


def _check_output(page: Page, block: Block, said: list[Said]) -> None:
    """Compare an output: that of stdout alone, or with stderr as on a terminal."""
    if block.output is None:
        return
    both, stdout = "".join(one.both for one in said), "".join(one.stdout for one in said)
    if matches(block.output, both) or matches(block.output, stdout):
        return
    # show the one that is more like it
    candidates = [difference(block.output, text) for text in (both, stdout)]
    shown = min(candidates, key=lambda text: len(text.splitlines()))
    raise PageFailure(page.name, block.line, f"{block.text}prints something else", shown)


# -- configurations --------------------------------------------------------------------------------


def use_yaml(page: Page, block: Block, folder: Path) -> None:
    """Write a block of YAML to its file, or check that it is part of a valid configuration.

    Parameters
    ----------
    page : Page
    block : Block
    folder : Path

    Raises
    ------
    PageFailure
    """
    name = file_name(block)
    if name is not None:
        path = (folder / name).resolve()
        assert path.is_relative_to(folder.resolve()), f"{page.name}:{block.line}: {name}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")
        return
    try:
        check_part(block.text)
    except ConfigError as exc:
        raise PageFailure(page.name, block.line, "no part of a configuration", str(exc)) from None


def check_part(text: str) -> None:
    """Check a part of a configuration; what is left out is filled in.

    Parameters
    ----------
    text : str
        YAML.

    Raises
    ------
    ConfigError
    """
    from sparkclean.config.model import parse_config
    from sparkclean.config.text import read_yaml

    given = read_yaml(text)
    if not isinstance(given, dict):
        raise ConfigError("is not a mapping of sections")
    needed: dict[str, dict[str, Any]] = {"input": {"table": "data/examples"}}
    if "output" in given:
        needed["output"] = {"work": "work"}
    if "predict" in given:
        needed["predict"] = {"features": ["image"]}
    whole = dict(given)
    for section, keys in needed.items():
        if isinstance(whole.get(section, {}), dict):
            whole[section] = keys | whole.get(section, {})
    parse_config(whole)
