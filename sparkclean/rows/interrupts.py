"""Ctrl-C and SIGTERM as exceptions of the main thread."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Terminated(KeyboardInterrupt):
    """SIGTERM arrived. py4j gives up its connection for a KeyboardInterrupt, for nothing else."""


def interrupt_behind(exc: BaseException) -> BaseException | None:
    """Find the interrupt that an error comes of: what tidies up may fail with another one."""
    seen: BaseException | None = exc
    while seen is not None and not isinstance(seen, KeyboardInterrupt):
        seen = seen.__cause__ or seen.__context__
    return seen


def outcome_of(interrupt: BaseException) -> tuple[str, int]:
    """Give the word and the exit code for an interrupt."""
    return ("terminated", 143) if isinstance(interrupt, Terminated) else ("interrupted", 130)


@contextmanager
def raising_interrupts(first: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Raise ``KeyboardInterrupt`` at SIGINT and ``Terminated`` at SIGTERM.

    Parameters
    ----------
    first : callable
        Called in the handler, before it raises.

    Notes
    -----
    Does nothing outside the main thread, which alone sets handlers. SIGINT is heard also where a
    shell has started the process in the background, and so told it to ignore that.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, _: FrameType | None) -> None:
        first()
        raise Terminated if number == signal.SIGTERM else KeyboardInterrupt

    before = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        handler = signal.getsignal(number)
        if handler is not None:  # None: of somebody who is not Python
            before[number] = handler
            signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
