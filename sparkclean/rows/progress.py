"""Progress of a run: what is being done, how far it has come, how many rows, how long."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from sparkclean.rows.phase_status import Pace, PhaseStatus, shown_rate
from sparkclean.rows.task_status import CountTasks

_log = logging.getLogger("sparkclean")

#: Seconds between two looks at a phase, and between two lines of the log about one.
_LOOKS, _LINES = 1.0, 30.0


@dataclass
class Phase:
    """One phase of a run.

    Attributes
    ----------
    name : str
    rows : int or None
        Rows that the phase read or wrote, once known.
    seconds : float
    steps : (int, int) or None
        Steps that are done, and all: set by a phase that counts them itself. Tasks of Spark else.
    status : PhaseStatus or None
        How far it has come, as last looked at, while it lasts.
    of_what : str
        What the rows are.
    """

    name: str
    rows: int | None = None
    seconds: float = 0.0
    steps: tuple[int, int] | None = None
    status: PhaseStatus | None = None
    of_what: str = "rows"

    def to_record(self) -> dict[str, Any]:
        """Give what the run record keeps."""
        return {"name": self.name, "rows": self.rows, "seconds": self.seconds}

    @property
    def pace(self) -> str:
        """Rows and rows per second, for people; empty where no rows are known."""
        if self.rows is None:
            return ""
        return f"{self.rows:,} {self.of_what}{shown_rate(self.rows, self.seconds)}"


def title_of(number: int, phase: Phase) -> str:
    """Write the number and the name of a phase; what comes before a run has no number."""
    return f"[{number}] {phase.name}" if number else phase.name


class PhaseListener(Protocol):
    """Is told when phases begin and end."""

    def begin(self, number: int, phase: Phase) -> None:
        """Hear that a phase begins.

        Parameters
        ----------
        number : int
            Of the phase within its run, from 1; 0 for what comes before the run.
        phase : Phase
        """

    def look(self, number: int, phase: Phase) -> None:
        """Hear each second how far a phase has come; called by another thread.

        Parameters
        ----------
        number : int
        phase : Phase
            With its ``status``.
        """

    def end(self, number: int, phase: Phase, *, done: bool) -> None:
        """Hear that a phase has ended.

        Parameters
        ----------
        number : int
        phase : Phase
            With its seconds, and its rows if they are known.
        done : bool
            False if an error or an interrupt has ended it.
        """


class PhaseLog:
    """Writes phases to the log, of a long one a line each 30 s; of one that fails, its error."""

    def __init__(self) -> None:
        #: Lines that were written of each phase, by its number.
        self._lines: dict[int, int] = {}

    def begin(self, number: int, phase: Phase) -> None:
        """Log that a phase begins."""
        fields = {"phase": phase.name, "event": "begin"}
        _log.info("%s ...", title_of(number, phase), extra=fields)

    def look(self, number: int, phase: Phase) -> None:
        """Log how far a phase has come, where it is time to."""
        status = phase.status
        if status is None or status.seconds // _LINES <= self._lines.get(number, 0):
            return
        self._lines[number] = int(status.seconds // _LINES)
        fields = {
            "phase": phase.name,
            "event": "progress",
            "seconds": round(status.seconds, 3),
            "done": status.done,
            "total": status.total,
            "unit": None if status.done is None else status.unit,
            "rows": status.rows_done,
            "left": None if status.left is None else round(status.left, 1),
        }
        text = ", ".join(filter(None, [str(status), f"{status.seconds:.0f} s so far"]))
        _log.info("%s ... %s", title_of(number, phase), text, extra=fields)

    def end(self, number: int, phase: Phase, *, done: bool) -> None:
        """Log rows and seconds of a phase that is done."""
        if not done or not number:
            return
        fields = {
            "phase": phase.name,
            "event": "end",
            "rows": phase.rows,
            "seconds": round(phase.seconds, 3),
        }
        pace = f"{phase.pace}, " if phase.pace else ""
        title = title_of(number, phase)
        _log.info("%s: %s%.1f s", title, pace, phase.seconds, extra=fields)


@dataclass
class Progress:
    """Times the phases of a run and tells a listener of them.

    Attributes
    ----------
    listener : PhaseListener
        The log by default.
    phases : list of Phase
        Those begun so far.
    count_tasks : callable
        By which the tasks of a phase are counted while it lasts: `watched_tasks`.
    """

    listener: PhaseListener = field(default_factory=PhaseLog)
    phases: list[Phase] = field(default_factory=list)
    count_tasks: CountTasks = lambda: None

    @contextmanager
    def phase(self, name: str, *, of: int | None = None, unit: str = "tasks") -> Iterator[Phase]:
        """Time one phase.

        Parameters
        ----------
        name : str
            What is done, for people.
        of : int, optional
            Rows that it reads, where they are known before.
        unit : str
            What its steps are.

        Yields
        ------
        Phase
            Set its ``rows`` when they are known.
        """
        phase = Phase(name)
        self.phases.append(phase)
        with self._timed(len(self.phases), phase, Pace(unit, of)):
            yield phase

    @contextmanager
    def before(self, name: str) -> Iterator[None]:
        """Tell of what is waited for before the run: it is no phase of the run.

        Parameters
        ----------
        name : str

        Yields
        ------
        None
        """
        with self._timed(0, Phase(name), Pace()):
            yield

    @contextmanager
    def _timed(self, number: int, phase: Phase, pace: Pace) -> Iterator[None]:
        done = False
        begun = time.monotonic()
        watch = _Watch(phase, pace, begun, self.count_tasks)
        try:
            self.listener.begin(number, phase)
            with watch.telling(lambda: self.listener.look(number, phase)):
                yield
            done = True
        finally:
            phase.seconds = time.monotonic() - begun
            self.listener.end(number, phase, done=done)


@dataclass
class _Watch:
    """Looks at a phase each second, from a thread that ends with it."""

    phase: Phase
    pace: Pace
    begun: float
    count_tasks: CountTasks

    @contextmanager
    def telling(self, tell: Callable[[], None]) -> Iterator[None]:
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(_LOOKS):
                with suppress(Exception):  # what is shown of a run must not end it
                    self._look()
                    tell()

        # a daemon: an answer of Spark that never comes must not keep the process alive
        thread = threading.Thread(target=watch, name="phase", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join(_LOOKS)  # else it could write below the end of its phase

    def _look(self) -> None:
        count = self.phase.steps
        if count is None:
            with suppress(Exception):  # Spark stops: seconds are known still
                tasks = self.count_tasks()
                count = None if tasks is None else (tasks.done, tasks.total)
        self.phase.status = self.pace.status(time.monotonic() - self.begun, count)
