"""What a run gives back: its result, and what it says to people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparkclean.rows.report import Grid, Line, Report
from sparkclean.runs.status import PUBLISHED

if TYPE_CHECKING:
    from sparkclean.runs.job import Result
    from sparkclean.runs.outputs import Outputs


@dataclass(frozen=True)
class JobResult:
    """The end of a run.

    Attributes
    ----------
    job, run_id : str
    status : str
        ``published``, or ``planned`` after a dry run.
    outputs : mapping
        Location and version of what was published, by name.
    metrics : mapping
        Numbers by name.
    report : Report
        For people; ``summary`` is its plain text.
    """

    job: str
    run_id: str
    status: str
    outputs: Mapping[str, Mapping[str, str]]
    metrics: Mapping[str, Any]
    report: Report

    @property
    def summary(self) -> str:
        """What was found, as plain text."""
        return str(self.report)

    def __str__(self) -> str:
        return self.summary


def plan_report(job: str, plan: Report, about: Sequence[Line]) -> Report:
    """Show what a run would do, below the name of its job: a sequence shows several plans."""
    heading = Line(f"plan of {job}", "heading")
    return Report((heading, *plan.parts, *about, Line("nothing was written")))


def run_report(result: Result, outputs: Outputs, about: Sequence[Line]) -> Report:
    """Say what was found, then where it is."""
    places = {name: str(place) for name, place in result.places.items()} | outputs.places()
    parts: list[Line | Grid] = [*result.report.parts, *([Line("")] if about else []), *about]
    if places:
        parts += [Line(""), Grid(list(places.items()))]
    return Report(parts)


def finished_result(
    job: str, run_id: str, outputs: Mapping[str, Mapping[str, str]], metrics: Mapping[str, Any]
) -> JobResult:
    """Give the result of a run that has published everything before."""
    report = Report([Line(f"run {run_id} has finished before; nothing was done")])
    return JobResult(job, run_id, PUBLISHED, outputs, dict(metrics), report)
