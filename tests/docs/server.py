"""A process with a warm Spark session that runs commands and cells of pages, one at a time.

A command starts Java and Spark, which takes most of its time on small tables. Here it finds them
started, and otherwise does what it does in a process of its own: it looks for a session, finds
none, says that Spark starts, and stops its session at the end.

``python -m tests.docs.server ADDRESS [PROPERTIES_FILE]``
"""

from __future__ import annotations

import ast
import io
import json
import logging
import os
import runpy
import socket
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from pyspark.sql import SparkSession

from sparkclean.errors import SparkCleanError
from sparkclean.rows import session
from sparkclean.rows.java import Java

#: Small, as other sessions of tests run beside this one.
SETTINGS = {"spark.driver.memory": "2g"}


class Warm:
    """The session that all commands find to be theirs."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self.spark = session._create_session(
            {**SETTINGS, **settings}, Java(quiet=True), debug=False
        )
        self.is_shown = False
        self._active = SparkSession.active
        vars(self.spark)["stop"] = self._stop
        SparkSession.active = self._find  # type: ignore[method-assign]
        session._create_session = self._create

    def _find(self) -> SparkSession:
        if not self.is_shown:
            raise RuntimeError("no session is active")
        return self._active()

    def _create(self, conf: dict[str, str], java: Java, *, debug: bool) -> SparkSession:
        del debug
        if conf:
            raise SparkCleanError(
                f"settings of Spark ({', '.join(conf)}) need a session of their own: mark the page "
                "with <!-- tests: full -->"
            )
        logging.getLogger("sparkclean").info("starting Spark ...")
        java.is_starting = False
        self.is_shown = True
        return self.spark

    def _stop(self) -> None:
        self.is_shown = False
        self.spark.catalog.clearCache()


@contextmanager
def in_place_of(request: Mapping[str, Any], streams: list[int]) -> Iterator[None]:
    """Take over folder, environment and streams of the process that asks."""
    before, folder = dict(os.environ), os.getcwd()  # noqa: PTH109
    own = [os.dup(number) for number in range(3)]
    objects = sys.stdin, sys.stdout, sys.stderr, sys.argv
    try:
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        os.chdir(request["cwd"])
        os.environ.clear()
        os.environ.update({**before, **request["env"]})
        sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False), encoding="utf-8")  # type: ignore[arg-type]
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115
        sys.argv = ["sparkclean", *request.get("argv", ())]
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        sys.stdin, sys.stdout, sys.stderr, sys.argv = objects
        for number, stream in enumerate(own):
            os.dup2(stream, number)
            os.close(stream)
        os.environ.clear()
        os.environ.update(before)
        os.chdir(folder)


def run_command(module: str) -> int:
    """Run a module as ``python -m`` does; give the exit code."""
    try:
        if module == "sparkclean":
            from sparkclean.commands.main import main

            return main()
        sys.modules.pop(module, None)
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as exc:
        if isinstance(exc.code, str):
            sys.stderr.write(f"{exc.code}\n")
        return exc.code if isinstance(exc.code, int) else int(exc.code is not None)
    except BaseException:  # noqa: BLE001 (also what ends a process)
        traceback.print_exc()
        return 1
    return 0


def forget_log() -> None:
    """Undo what a command has done to the log: in a notebook, the package says nothing."""
    log = logging.getLogger("sparkclean")
    log.handlers = [logging.NullHandler()]
    log.setLevel(logging.NOTSET)
    log.propagate = True


def run_cell(code: str, page: str, line: int, names: dict[str, Any]) -> int:
    """Run a block as a notebook does, which shows what its last line gives.

    Parameters
    ----------
    code, page : str
    line : int
        Of the page, on which it begins.
    names : dict
        The page's.

    Returns
    -------
    int
        1 where it raises.
    """
    try:
        tree = ast.parse("\n" * (line - 1) + code, page)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, page, "exec"), names)
        if isinstance(last, ast.Expr):
            shown = eval(compile(ast.Expression(last.value), page, "eval"), names)
            if shown is not None:
                print(repr(shown))  # noqa: T201
    except BaseException:  # noqa: BLE001 (also what ends a process)
        traceback.print_exc()
        return 1
    return 0


def receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Read a request and its streams."""
    head, streams, _, _ = socket.recv_fds(connection, 8, 3)
    size, parts = int.from_bytes(head, "big"), b""
    while len(parts) < size:
        part = connection.recv(size - len(parts))
        if not part:
            raise EOFError("a request was cut off")
        parts += part
    return json.loads(parts), streams


def serve(address: str, warm: Warm) -> None:
    """Answer requests until one asks to stop."""
    cells: dict[str, dict[str, Any]] = {}
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen(16)
        while True:
            connection, _ = listening.accept()
            with connection:
                request, streams = receive(connection)
                if request.get("stop"):
                    return
                code = 1
                with in_place_of(request, streams):
                    warm.is_shown = "code" in request
                    if "code" in request:
                        forget_log()
                        page = request["page"]
                        names = cells.setdefault(
                            page, {"__name__": "__main__", "spark": warm.spark}
                        )
                        code = run_cell(request["code"], page, request["line"], names)
                    else:
                        code = run_command(request["module"])
                for stream in streams:
                    os.close(stream)
                with suppress(OSError):  # who asked may have been ended
                    connection.sendall(str(code).encode())


def end_with_parent() -> None:
    """End when the other end of stdin is closed: the tests have ended, whatever ended them."""
    lifeline = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)

    def wait() -> None:
        os.read(lifeline, 1)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def main(address: str, properties: str | None = None) -> None:
    """Start Spark, then listen."""
    end_with_parent()
    warm = Warm(session.read_properties(properties))
    serve(address, warm)


if __name__ == "__main__":
    main(*sys.argv[1:])
