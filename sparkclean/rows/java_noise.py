"""What Java says while Spark starts: passed on, but for what is said at each start."""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import IO

_log = logging.getLogger("sparkclean")

#: Lines that are the same at each start and ask nothing of anybody. What Ivy does not find, and
#: any warning or error of Spark, is none of them.
_NOISE = re.compile(
    r"""WARNING:\ Using\ incubator\ modules:
    |.*Unable\ to\ load\ native-hadoop\ library
    |Using\ Spark's\ default\ log4j\ profile:
    |Setting\ default\ log\ level\ to\ "
    |To\ adjust\ logging\ level\ use\ sc\.setLogLevel
    |::\ (loading\ settings|resolving\ dependencies|resolution\ report|retrieving)\ ::
    |Ivy\ Default\ Cache\ set\ to:
    |The\ jars\ for\ the\ packages\ stored\ in:
    |\S+\ added\ as\ a\ remote\ repository\ with\ the\ name:
    |\S+\#\S+\ added\ as\ a\ dependency$
    |downloading\ \S+\ \.\.\.$
    |\t(confs:\ \[|found\ \S+\#|\[SUCCESSFUL\ |::\ modules\ in\ use:|::\ evicted\ modules:)
    |\t\S+\#\S+;\S+\ (from|by)\ .*\ in\ \[
    |\t-+$
    |\t\|.*\|$
    |\t\d+\ artifacts\ copied,
    """,
    re.VERBOSE,
)
_PACKAGE = re.compile(r"\S+#\S+ added as a dependency$")
#: What pyspark's daemon says of a worker whose Spark has gone, or has taken as many rows as it
#: wanted: nothing is lost. Its traceback follows, and ends with the error.
_UNFLUSHED = "PySpark daemon failed to flush the output to the worker process:"
_IN_TRACEBACK = re.compile(r"Traceback \(most recent call last\):|\s|$")
_LOST = ("BrokenPipeError:", "ConnectionResetError:")
_RESOLVING = ":: resolving dependencies ::"


class Sieve:
    """Tells noise from what somebody must see.

    Parameters
    ----------
    say : callable
        Takes a line that stands for what was left out.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._packages = 0
        self._is_unflushed = False

    def passes(self, line: str) -> bool:
        """Tell whether a line is shown.

        Parameters
        ----------
        line : str
            Without its end.

        Returns
        -------
        bool
        """
        if line.endswith(_UNFLUSHED):
            self._is_unflushed = True
            return False
        if self._is_unflushed:
            self._is_unflushed = bool(_IN_TRACEBACK.match(line))
            return not self._is_unflushed and not line.startswith(_LOST)
        if _PACKAGE.match(line):
            self._packages += 1
        if line.startswith(_RESOLVING):
            many = "" if self._packages == 1 else "s"
            self._say(f"fetching {self._packages} package{many}")
            self._packages = 0
        return _NOISE.match(line) is None


def forward(pipe: IO[bytes]) -> threading.Thread:
    """Pass on what Java and its workers say to stderr, from a thread that ends with them.

    Parameters
    ----------
    pipe : binary file
        Their stdout and stderr.

    Returns
    -------
    threading.Thread
    """
    sieve = Sieve(lambda text: _log.info("%s", text))
    # a daemon: workers may outlive the command, and nobody waits for them
    thread = threading.Thread(target=_pump, args=(pipe, sieve), name="java", daemon=True)
    thread.start()
    return thread


def _pump(pipe: IO[bytes], sieve: Sieve) -> None:
    with pipe, suppress(OSError, ValueError):
        for line in iter(pipe.readline, b""):
            with suppress(Exception):  # Java must never wait for us to read
                if sieve.passes(line.decode("utf-8", "replace").rstrip("\r\n")):
                    _write(line)


def _write(line: bytes) -> None:
    """Write where a live line puts itself below, else without the lock of a stream.

    A thread that holds that lock when Python ends would make it abort.
    """
    stream = sys.stderr
    if hasattr(stream, "rich_proxied_file"):
        stream.write(line.decode("utf-8", "replace"))
    else:
        os.write(2, line)
