"""Named points at which tests make a run die. Imports nothing of the project.

Nothing happens unless the environment variable ``SPARKCLEAN_FAULT`` is set: ``<name>:kill`` ends
the process as kill -9 does, ``<name>:raise`` raises. ``<name>#2:kill`` means the second passage.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Outputs in the order of publication: what readers join on comes first, the run record last.
OUTPUTS = (
    "suspects",
    "classes",
    "pairs",
    "rejected",
    "quarantine",
    "cleaned",
    "predictions",
    "runs",
)

FAULT_POINTS: tuple[str, ...] = (
    "run.pinned",
    "predict.trained",
    "run.audited",
    "run.verified",
    *(f"stage.{name}.{step}" for name in OUTPUTS for step in ("begin", "end")),
    *(f"publish.{name}.{step}" for name in OUTPUTS for step in ("begin", "end")),
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
        One of ``FAULT_POINTS``.

    Raises
    ------
    ValueError
        If the name, or that of the variable, is not in the list.
    InjectedFault
        If a test wants it.
    """
    if name not in FAULT_POINTS:
        raise ValueError(f"{name!r} is not in FAULT_POINTS")
    for act in tuple(_watchers):
        act(name)
    wanted = os.environ.get("SPARKCLEAN_FAULT")
    if not wanted:
        _passed.clear()
        return
    place, _, action = wanted.partition(":")
    place, _, passage = place.partition("#")
    if place not in FAULT_POINTS or action not in ("kill", "raise"):
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
