"""The phase that a job is in: on the last line of the terminal, or on one line of a notebook."""

from __future__ import annotations

import importlib
import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from sparkclean.rows.console import open_console
from sparkclean.rows.phase_status import PhaseStatus
from sparkclean.rows.progress import Phase, PhaseListener, PhaseLog, title_of
from sparkclean.texts import printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live
    from rich.text import Text

_log = logging.getLogger("sparkclean")

#: Characters of a bar, and those of a terminal that has room for more than a few words beside it.
_BAR, _WIDE = 20, 120


def phase_listener(log_format: str) -> PhaseListener:
    """Choose who is told of phases: a terminal on stderr, else the log.

    Parameters
    ----------
    log_format : {"text", "json"}

    Returns
    -------
    PhaseListener
    """
    console = open_console(sys.stderr) if log_format == "text" else None
    return PhaseLog() if console is None else LivePhases(console)


@contextmanager
def shown_phases(wanted: bool = True) -> Iterator[PhaseListener]:
    """Choose who is told of the phases of a call in Python.

    Parameters
    ----------
    wanted : bool
        False: the log alone.

    Yields
    ------
    PhaseListener
        One line of a notebook, or the last line of a terminal. The log elsewhere, and where
        somebody listens to it.
    """
    if not wanted or _log.isEnabledFor(logging.INFO):
        yield PhaseLog()
        return
    display = _notebook_display()
    if display is not None:
        line = NotebookPhases(display)
        try:
            yield line
        finally:
            line.close()
        return
    console = open_console(sys.stderr)
    yield PhaseLog() if console is None else LivePhases(console, keep=False)


def _notebook_display() -> Callable[..., Any] | None:
    """Find what shows something in the notebook that this code runs in; None elsewhere."""
    shell = sys.modules.get("IPython")
    with suppress(Exception):
        found = None if shell is None else shell.get_ipython()
        if getattr(found, "kernel", None) is not None:
            show: Callable[..., Any] = importlib.import_module("IPython.display").display
            return show
    return None


class NotebookPhases:
    """Shows the current phase on one line below the cell, which changes.

    Parameters
    ----------
    display : callable
        ``IPython.display.display``.

    Notes
    -----
    A call does not fail because its line cannot be shown: errors are passed over.
    """

    def __init__(self, display: Callable[..., Any]) -> None:
        self._display = display
        self._line: Any = None
        self._begun = time.monotonic()
        self._phases = 0

    def begin(self, number: int, phase: Phase) -> None:
        """Show a phase."""
        self._phases = max(self._phases, number)
        self._show(f"{title_of(number, phase)} ...")

    def look(self, number: int, phase: Phase) -> None:
        """Show how far a phase has come."""
        status = phase.status
        if status is not None:
            parts = [str(status), f"{status.seconds:.0f} s so far"]
            self._show(f"{title_of(number, phase)} ... {', '.join(filter(None, parts))}")

    def end(self, number: int, phase: Phase, *, done: bool) -> None:
        """Do nothing: the next phase takes the line."""

    def close(self) -> None:
        """Leave on the line how long the call took."""
        if self._line is not None:
            self._show(f"{self._phases} phases, {time.monotonic() - self._begun:.1f} s")

    def _show(self, text: str) -> None:
        content = {"text/plain": printable(text)}
        with suppress(Exception):
            if self._line is None:
                self._line = self._display(content, raw=True, display_id=True)
            else:
                self._line.update(content, raw=True)


class LivePhases:
    """Shows the seconds of the current phase, and the finished phases above it.

    While a phase lasts, whatever is written to ``sys.stderr`` goes above its line.

    Parameters
    ----------
    console : rich.console.Console
        On stderr.
    keep : bool
        Whether finished phases stay on the screen.

    Notes
    -----
    A run does not fail because its terminal has gone: errors of writing are passed over.
    """

    def __init__(self, console: Console, *, keep: bool = True) -> None:
        self._console, self._keep = console, keep
        self._live: Live | None = None
        #: Phases that have begun, with their number and time; the last one is shown.
        self._open: list[tuple[int, Phase, float]] = []

    def begin(self, number: int, phase: Phase) -> None:
        """Show a phase."""
        from rich.live import Live  # noqa: PLC0415 (only a terminal needs it)

        self._open.append((number, phase, time.monotonic()))
        if self._live is not None:
            return
        # stdout may go elsewhere
        self._live = Live(self, console=self._console, transient=True, redirect_stdout=False)
        with suppress(Exception):
            self._live.start()
            # a process that is killed must not leave a terminal without a cursor
            self._console.show_cursor(True)

    def look(self, number: int, phase: Phase) -> None:
        """Do nothing: the line is drawn anew a few times a second."""

    def end(self, number: int, phase: Phase, *, done: bool) -> None:
        """Write a phase above the current one; take the line away after the last."""
        self._open = [entry for entry in self._open if entry[1] is not phase]
        with suppress(Exception):
            if not self._open and self._live is not None:
                live, self._live = self._live, None
                live.stop()
            if self._keep:
                more = "" if done else ": stopped"
                self._console.print(_line(number, phase, phase.seconds, more))

    def __rich__(self) -> RenderableType:
        from rich.text import Text  # noqa: PLC0415

        shown = self._open  # another thread may put another list in its place
        if not shown:
            return Text("")
        number, phase, begun = shown[-1]
        line = _line(number, phase, time.monotonic() - begun, " ...")
        status = phase.status  # another thread may put another one in its place
        if status is None or status.done is None:
            return line
        return _with_bar(line, status, is_narrow=self._console.width < _WIDE)


def _with_bar(line: Text, status: PhaseStatus, *, is_narrow: bool) -> RenderableType:
    """Put a bar beside a line, and in words what it shows."""
    from rich.progress_bar import ProgressBar  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    grid = Table.grid(padding=(0, 1, 0, 0))
    for _ in range(3):
        grid.add_column(no_wrap=True, overflow="ellipsis")
    bar = ProgressBar(status.total, status.done or 0, width=_BAR // 2 if is_narrow else _BAR)
    grid.add_row(line, bar, Text(status.short if is_narrow else str(status), "dim"))
    return grid


def _line(number: int, phase: Phase, seconds: float, more: str = "") -> Text:
    """Write a phase on one line, which is cut where the terminal ends."""
    from rich.text import Text  # noqa: PLC0415

    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"{seconds:>8.1f} s  ", "bold" if more else "")
    text.append(f"{title_of(number, phase)}{more}")
    if phase.pace and not more:
        text.append(f"  {phase.pace}", "dim")
    return text
