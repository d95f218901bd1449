"""Progress of a run: what is being done, how many rows, how long."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

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


@dataclass
class Progress:
    """Times the phases of a run and says so in the log.

    Attributes
    ----------
    total : int or None
        Number of phases, if known.
    phases : list of Phase
        Those begun so far.
    """

    total: int | None = None
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
        phase = Phase(name)
        self.phases.append(phase)
        place = f"[{len(self.phases)}/{self.total}]" if self.total else f"[{len(self.phases)}]"
        _log.info("%s %s ...", place, name, extra={"phase": name, "event": "begin"})
        begun = time.monotonic()
        try:
            yield phase
        finally:
            phase.seconds = time.monotonic() - begun
        rate = ""
        if phase.rows is not None:
            per_second = phase.rows / max(phase.seconds, 1e-9)
            rate = f"{phase.rows:,} rows, {per_second:,.0f} rows/s, "
        _log.info(
            "%s %s: %s%.1f s",
            place,
            name,
            rate,
            phase.seconds,
            extra={
                "phase": name,
                "event": "end",
                "rows": phase.rows,
                "seconds": round(phase.seconds, 3),
            },
        )
