"""How far a phase has come, and how long it may still take."""

from __future__ import annotations

from dataclasses import dataclass

#: Seconds, and share of the steps, by which an estimate means something.
_SOON, _ENOUGH = 2.0, 0.05


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
            rate = shown_rate(self.rows_done, self.seconds)
            parts.append(f"about {self.rows_done:,} of {self.rows:,} rows{rate}")
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


def shown_rate(rows: int, seconds: float) -> str:
    """Write rows per second behind a number of rows.

    Parameters
    ----------
    rows : int
    seconds : float

    Returns
    -------
    str
        Empty where a rate says nothing.

    Examples
    --------
    >>> [shown_rate(rows, 4.0) for rows in (0, 2, 6000)]
    ['', ', 0.5 rows/s', ', 1,500 rows/s']
    """
    rate = rows / max(seconds, 1e-9)
    if rate < 0.01:
        return ""
    return f", {rate:,.0f} rows/s" if rate >= 10 else f", {rate:.2g} rows/s"


class Pace:
    """Estimates the time left from counts that come one by one.

    The estimate is made anew when a step ends, and counts down until the next one does. It grows
    by half of what it was wrong by, so that one slow step does not double it.

    Parameters
    ----------
    unit : str
    rows : int or None
    """

    def __init__(self, unit: str = "tasks", rows: int | None = None) -> None:
        self._unit, self._rows = unit, rows
        self._since = self._last = 0.0
        self._done = self._total = 0
        #: Seconds left as they were estimated, and when.
        self._left: float | None = None
        self._at = 0.0

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
        PhaseStatus
        """
        left = None
        if count is not None:
            done, total = count
            if done < self._done or total < self._total:  # another job, begun since the last look
                self._since, self._left = self._last, None
            if count != (self._done, self._total):
                self._estimate(seconds, done, total)
            self._done, self._total = done, total
            left = self._remaining(seconds)
        self._last = seconds
        if count is None or count[1] < 2:  # none of one step says nothing
            return PhaseStatus(seconds, unit=self._unit, rows=self._rows)
        return PhaseStatus(seconds, *count, unit=self._unit, rows=self._rows, left=left)

    def _estimate(self, seconds: float, done: int, total: int) -> None:
        passed = seconds - self._since
        if not done or done < _ENOUGH * total or passed < _SOON:
            return
        found, before = passed * (total - done) / done, self._remaining(seconds)
        self._left = found if before is None else min(found, (before + found) / 2)
        self._at = seconds

    def _remaining(self, seconds: float) -> float | None:
        """Count the estimate down, but for the steps that have not begun."""
        if self._left is None:
            return None
        steps = max(self._total - self._done, 1)
        return max(self._left - (seconds - self._at), self._left * (steps - 1) / steps)
