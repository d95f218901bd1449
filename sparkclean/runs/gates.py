"""Gates: limits that a result must keep before it is published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sparkclean.errors import AuditGateError


@dataclass(frozen=True)
class Verdict:
    """One limit and what was found.

    Attributes
    ----------
    gate : str
        Key of the configuration.
    limit, found : float
    passed : bool
    detail : str
        Which class, where it is about one.
    section : str
        Of the configuration, in which the key stands.
    at_least : bool
        Whether the limit is a smallest value.
    text : str
        What is wrong and what to do, where limit and found do not say it.
    """

    gate: str
    limit: float
    found: float
    passed: bool
    detail: str = ""
    section: str = "gate"
    at_least: bool = False
    text: str = ""

    def __str__(self) -> str:
        if self.text:
            return self.text
        relation = "at least" if self.at_least else "at most"
        where = f" ({self.detail})" if self.detail else ""
        key = f"{self.section}.{self.gate}"
        return f"{key} wants {relation} {self.limit:g}, found {self.found:g}{where}"


def gate_error(
    verdicts: Sequence[Verdict], output: str = "", command: str = ""
) -> AuditGateError | None:
    """Build the error of a closed gate.

    Parameters
    ----------
    verdicts : sequence of Verdict
    output, command : str
        What people can look at, and how.

    Returns
    -------
    AuditGateError or None
        None where all limits are kept.
    """
    failed = [str(verdict) for verdict in verdicts if not verdict.passed]
    if not failed:
        return None
    look = f"Look at the {output} ({command}), then" if command else "Look at the data, then"
    return AuditGateError(
        "; ".join(failed) + f". Nothing was published. {look} change the limit, the model or the "
        "data"
    )
