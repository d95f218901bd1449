"""Progress of a run: what is being done, how many rows, how long."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

_log = logging.getLogger("sparkclean")


@dataclass
class Phase:
    """One phase of a run.

    Attributes
    ----------
    name : str
    rows : int or None
        Rows that the phase read or wrote, once known.
    seconds : float
    """

    name: str
    rows: int | None = None
    seconds: float = 0.0

    @property
    def pace(self) -> str:
        """Rows and rows per second, for people; empty where no rows are known."""
        if self.rows is None:
            return ""
        return f"{self.rows:,} rows, {self.rows / max(self.seconds, 1e-9):,.0f} rows/s"


class PhaseListener(Protocol):
    """Is told when phases begin and end."""

    def begin(self, number: int, phase: Phase) -> None:
        """Hear that a phase begins.

        Parameters
        ----------
        number : int
            Of the phase within its run, from 1.
        phase : Phase
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
    """Writes phases to the log; of one that fails, its error says enough."""

    def begin(self, number: int, phase: Phase) -> None:
        """Log that a phase begins."""
        fields = {"phase": phase.name, "event": "begin"}
        _log.info("[%d] %s ...", number, phase.name, extra=fields)

    def end(self, number: int, phase: Phase, *, done: bool) -> None:
        """Log rows and seconds of a phase that is done."""
        if not done:
            return
        fields = {
            "phase": phase.name,
            "event": "end",
            "rows": phase.rows,
            "seconds": round(phase.seconds, 3),
        }
        pace = f"{phase.pace}, " if phase.pace else ""
        _log.info("[%d] %s: %s%.1f s", number, phase.name, pace, phase.seconds, extra=fields)


@dataclass
class Progress:
    """Times the phases of a run and tells a listener of them.

    Attributes
    ----------
    listener : PhaseListener
        The log by default.
    phases : list of Phase
        Those begun so far.
    """

    listener: PhaseListener = field(default_factory=PhaseLog)
    phases: list[Phase] = field(default_factory=list)

    @contextmanager
    def phase(self, name: str) -> Iterator[Phase]:
        """Time one phase.

        Parameters
        ----------
        name : str
            What is done, for people.

        Yields
        ------
        Phase
            Set its ``rows`` when they are known.
        """
        phase, done = Phase(name), False
        self.phases.append(phase)
        number = len(self.phases)
        begun = time.monotonic()
        try:
            self.listener.begin(number, phase)
            yield phase
            done = True
        finally:
            phase.seconds = time.monotonic() - begun
            self.listener.end(number, phase, done=done)
