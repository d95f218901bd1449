"""The phase that a job is in, on the last line of the terminal."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from sparkclean.commands.terminal import open_console
from sparkclean.rows.phase_status import PhaseStatus
from sparkclean.rows.progress import Phase, PhaseListener, PhaseLog

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live
    from rich.text import Text

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


class LivePhases:
    """Shows the seconds of the current phase, and the finished phases above it.

    While a phase lasts, whatever is written to ``sys.stderr`` goes above its line.

    Parameters
    ----------
    console : rich.console.Console
        On stderr.

    Notes
    -----
    A run does not fail because its terminal has gone: errors of writing are passed over.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
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
            self._console.print(_line(number, phase, phase.seconds, "" if done else ": stopped"))

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
    text.append(f"[{number}] {phase.name}{more}")
    if phase.pace and not more:
        text.append(f"  {phase.pace}", "dim")
    return text
