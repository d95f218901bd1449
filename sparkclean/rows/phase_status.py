"""How far a phase has come, and how long it may still take."""

from __future__ import annotations

from dataclasses import dataclass

#: Seconds by which an estimate means something.
_SOON = 2.0


@dataclass(frozen=True)
class PhaseStatus:
    """How far a phase has come.

    Attributes
    ----------
    seconds : float
        Since it has begun.
    done, total : int or None
        Steps; None where nothing is known of them.
    unit : str
        What a step is: ``tasks``, ``folds``.
    rows : int or None
        That the phase reads in all, where that is known before.
    left : float or None
        Seconds that the job of Spark at hand may still take; a phase may have several.
    """

    seconds: float
    done: int | None = None
    total: int | None = None
    unit: str = "tasks"
    rows: int | None = None
    left: float | None = None

    @property
    def rows_done(self) -> int | None:
        """Rows, estimated by the share of the steps: these read about as many each."""
        if self.rows is None or not self.total or self.done is None:
            return None
        return self.rows * self.done // self.total

    def __str__(self) -> str:
        parts = []
        if self.done is not None:
            parts.append(f"{self.done:,} of {self.total:,} {self.unit}")
        if self.rows_done:
            pace = self.rows_done / max(self.seconds, 1e-9)
            parts.append(f"about {self.rows_done:,} of {self.rows:,} rows, {pace:,.0f} rows/s")
        if self.left is not None:
            parts.append(f"about {shown_seconds(self.left)} left")
        return ", ".join(parts)

    @property
    def short(self) -> str:
        """The steps and the time left, for a narrow terminal."""
        left = "" if self.left is None else f", {shown_seconds(self.left)} left"
        return "" if self.done is None else f"{self.done:,}/{self.total:,} {self.unit}{left}"


def shown_seconds(seconds: float) -> str:
    """Write a time for people, as exact as an estimate deserves.

    Parameters
    ----------
    seconds : float

    Returns
    -------
    str
    """
    if seconds < 120:
        return f"{max(round(seconds), 1)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"


class Pace:
    """Estimates the time left from counts that come one by one.

    Parameters
    ----------
    unit : str
    rows : int or None
    """

    def __init__(self, unit: str = "tasks", rows: int | None = None) -> None:
        self._unit, self._rows = unit, rows
        self._since = self._last = 0.0
        self._done = self._total = 0

    def status(self, seconds: float, count: tuple[int, int] | None) -> PhaseStatus:
        """Take a count.

        Parameters
        ----------
        seconds : float
            Since the phase has begun.
        count : (int, int) or None
            Steps that are done, and all.

        Returns
        -------
        Standing
        """
        left = None
        if count is not None:
            done, total = count
            if done < self._done or total < self._total:  # another job, begun since the last look
                self._since = self._last
            self._done, self._total = done, total
            if done and seconds - self._since >= _SOON:
                left = (seconds - self._since) * (total - done) / done
        self._last = seconds
        if count is None or count[1] < 2:  # none of one step says nothing
            return PhaseStatus(seconds, unit=self._unit, rows=self._rows)
        return PhaseStatus(seconds, *count, unit=self._unit, rows=self._rows, left=left)
