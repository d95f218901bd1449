"""Every error a user can meet, one tree, each with the exit code of the command line.

Imports nothing of the project but `texts`. A message names the subject (column, file, key), the
numbers, at most five record ids, and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from sparkclean.texts import printable_lines


class SparkCleanError(Exception):
    """Base of all errors raised on purpose; exit code 1."""

    exit_code = 1

    def __str__(self) -> str:
        """Write the message so that nothing that it quotes acts on a terminal."""
        return printable_lines(super().__str__())


class ConfigError(SparkCleanError):
    """The configuration is wrong; exit code 2. All findings are raised at once.

    Parameters
    ----------
    findings : sequence of str
        One finding each: path of the key, its value, what is wrong, what to write instead.
    """

    exit_code = 2

    def __init__(self, findings: Sequence[str] | str) -> None:
        self.findings = (findings,) if isinstance(findings, str) else tuple(findings)
        super().__init__("\n".join(self.findings))


class UnsupportedFeatureError(SparkCleanError):
    """The request is understood and not supported here; exit code 2."""

    exit_code = 2


class InputError(SparkCleanError):
    """The input data is unusable; exit code 3. All findings are raised at once.

    Parameters
    ----------
    findings : sequence of str
        One finding each: column, counts, at most five record ids, the remedy.
    """

    exit_code = 3

    def __init__(self, findings: Sequence[str] | str) -> None:
        self.findings = (findings,) if isinstance(findings, str) else tuple(findings)
        super().__init__("\n".join(self.findings))


class InputChangedError(InputError):
    """The pinned input changed or vanished in the middle of a run; exit code 3."""


class AuditGateError(SparkCleanError):
    """The result lies outside the configured limits and nothing was published; exit code 4."""

    exit_code = 4


class PublishConflictError(SparkCleanError):
    """Another run published first, and nothing of this step was; exit code 5, retry is safe."""

    exit_code = 5


class VersionExistsError(PublishConflictError):
    """The run id stands for another configuration or input; exit code 5, a retry fails again."""


class CommitStateUnknownError(SparkCleanError):
    """Whether a commit happened cannot be told; exit code 6. A person must look; never retried."""

    exit_code = 6


def did_you_mean(given: str, known: Sequence[str]) -> str:
    """Ask for the known name that one which is not known is like; empty where it is like none."""
    near = difflib.get_close_matches(given, known, 1)
    return f"did you mean {near[0]!r}? " if near else ""


def first_of(texts: Sequence[str], most: int = 5) -> str:
    """Show the first texts of a message's list, and that there are more."""
    return ", ".join(texts[:most]) + (", ..." if len(texts) > most else "")
