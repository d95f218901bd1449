"""What became of a commit: an error does not say that there is none."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from sparkclean.errors import CommitStateUnknownError
from sparkclean.lake.base import Version
from sparkclean.lake.engine_errors import is_schema_mismatch, is_state_unknown
from sparkclean.texts import cause_of

_log = logging.getLogger("sparkclean")


class Findable(Protocol):
    """A target whose commits can be found again."""

    @property
    def location(self) -> str:
        """Where it is."""

    def find_run(self, run_id: str) -> Version | None:
        """Find the newest version by which a run published."""


def write_commit(
    target: Findable, run_id: str, before: Version | None, write: Callable[[], None]
) -> Version | None:
    """Write, and return the version that this made for a run.

    Parameters
    ----------
    target : Findable
    run_id : str
        The scheduler's.
    before : Version or None
        The newest of this run when it began to publish.
    write : callable
        Makes the commit.

    Returns
    -------
    Version or None
        The newest of this run; None where no commit was made, as Delta does without rows.

    Raises
    ------
    CommitStateUnknownError
        If the outcome cannot be told.
    Exception
        What the engine raised, where nothing was committed.

    Notes
    -----
    Reads the history of the table.
    """
    try:
        write()
    except Exception as exc:
        if is_schema_mismatch(exc):  # refused before anything was written
            raise
        # the answer alone may have been lost, or the same run id was faster elsewhere
        found = _look_again(target, run_id, exc)
        if found is None or (before is not None and found.number == before.number):
            if is_state_unknown(exc):
                raise _unknown(target, run_id, exc) from exc
            raise
        _log.warning("%s: found version %s of this run", target.location, found.name)
        return found
    return target.find_run(run_id)


def _look_again(target: Findable, run_id: str, error: Exception) -> Version | None:
    try:
        return target.find_run(run_id)
    except Exception as exc:
        raise _unknown(target, run_id, error) from exc


def _unknown(target: Findable, run_id: str, exc: Exception) -> CommitStateUnknownError:
    return CommitStateUnknownError(
        f"{target.location}: whether run {run_id!r} was committed is unknown ({cause_of(exc)}). "
        "Wait until nothing "
        "writes to it any more and look whether its history names the run; the same run id again "
        "then goes on from what is there"
    )
