"""Named points at which tests make a run die. Imports nothing of the project.

Nothing happens unless the environment variable ``SPARKCLEAN_FAULT`` is set: ``<name>:kill`` ends
the process as kill -9 does, ``<name>:raise`` raises. ``<name>#2:kill`` means the second passage.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

_OUTPUTS = ("suspects", "classes", "pairs", "rejected", "quarantine", "cleaned", "runs")

FAULT_POINTS = (
    "run.pinned",
    "run.audited",
    "run.verified",
    *(f"stage.{name}.{step}" for name in _OUTPUTS for step in ("begin", "end")),
    *(f"publish.{name}.{step}" for name in _OUTPUTS for step in ("begin", "end")),
    "target.receipt_written",
    "target.renamed",
    "target.manifest_written",
    "target.manifest_linked",
)

_passed: Counter[str] = Counter()


class InjectedFault(Exception):  # noqa: N818 (it is no error)
    """Raised on purpose by a test."""


def fault_point(name: str) -> None:
    """Die here if a test wants it.

    Parameters
    ----------
    name : str
        One of ``FAULT_POINTS``.
    """
    wanted = os.environ.get("SPARKCLEAN_FAULT")
    if not wanted:
        return
    if name not in FAULT_POINTS:
        raise InjectedFault(f"{name!r} is not in FAULT_POINTS")
    _passed[name] += 1
    place, _, action = wanted.partition(":")
    place, _, passage = place.partition("#")
    if place != name or _passed[name] != int(passage or 1):
        return
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    raise InjectedFault(name)
