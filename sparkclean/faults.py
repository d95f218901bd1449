"""Named points at which tests make a run die.

Nothing happens unless the environment variable ``SPARKCLEAN_FAULT`` is set: ``<name>:kill`` ends
the process as kill -9 does, ``<name>:raise`` raises. ``<name>#2:kill`` means the second passage.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

from sparkclean import registry

#: Points of the runner and of tables; outputs and jobs bring their own.
_POINTS = (
    "run.pinned",
    "run.audited",
    "run.verified",
    "target.staged",
    "target.owned",
    "target.receipt_written",
    "target.renamed",
    "target.manifest_written",
    "target.manifest_linked",
    "target.finished",
    "edit.made",
    "edit.written",
    "commit.done",
    "clean_up.retired",
    "clean_up.withdrawn",
    "clean_up.removed",
)


def fault_points() -> tuple[str, ...]:
    """Name all points: of the runner, of tables, of every job and its outputs.

    Returns
    -------
    tuple of str
        Every output is staged and published, each with a beginning and an end.
    """
    return _all_points(tuple(registry.JOBS))


@cache
def _all_points(_: tuple[str, ...]) -> tuple[str, ...]:
    own = [point for job in registry.load_jobs().values() for point in job.fault_points]
    steps = [
        f"{what}.{name}.{step}"
        for what in ("stage", "publish")
        for name in registry.output_names()
        for step in ("begin", "end")
    ]
    return (*_POINTS, *own, *steps)


_passed: dict[str, int] = {}
_watchers: list[Callable[[str], None]] = []


class InjectedFault(Exception):  # noqa: N818 (it is no error)
    """Raised on purpose by a test."""


@contextmanager
def watched(act: Callable[[str], None]) -> Iterator[None]:
    """Call a function at every fault point that this process passes. For tests.

    Parameters
    ----------
    act : callable
        Takes the name of the point; what it raises ends the run there.

    Examples
    --------
    >>> passed = []
    >>> with watched(passed.append):
    ...     fault_point("run.pinned")
    >>> passed
    ['run.pinned']
    """
    _watchers.append(act)
    try:
        yield
    finally:
        _watchers.remove(act)


def fault_point(name: str) -> None:
    """Die here if a test wants it.

    Parameters
    ----------
    name : str
        One of `fault_points`.

    Raises
    ------
    ValueError
        If the name, or that of the variable, is no fault point.
    InjectedFault
        If a test wants it.
    """
    if not _is_known(name):
        raise ValueError(f"{name!r} is no fault point")
    for act in tuple(_watchers):
        act(name)
    wanted = os.environ.get("SPARKCLEAN_FAULT")
    if not wanted:
        _passed.clear()
        return
    place, _, action = wanted.partition(":")
    place, _, passage = place.partition("#")
    if not _is_known(place) or action not in ("kill", "raise"):
        raise ValueError(f"SPARKCLEAN_FAULT={wanted!r}: write <fault point>[#n]:kill or :raise")
    if place != name:
        return
    _passed[wanted] = _passed.get(wanted, 0) + 1
    if _passed[wanted] != int(passage or 1):
        return
    _passed.clear()
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    raise InjectedFault(name)


def _is_known(name: str) -> bool:
    # tables are written without any job, which are loaded for their own points only
    return name in _POINTS or name in fault_points()
