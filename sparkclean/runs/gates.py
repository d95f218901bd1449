"""Gates: limits that a result must keep before it is published."""

from __future__ import annotations

from dataclasses import dataclass

from sparkclean.errors import AuditGateError


@dataclass(frozen=True)
class Verdict:
    """One limit and what was found.

    Attributes
    ----------
    gate : str
        Key of the configuration's section ``gate``.
    limit, found : float
    passed : bool
    detail : str
        Which class, where it is about one.
    """

    gate: str
    limit: float
    found: float
    passed: bool
    detail: str = ""

    def __str__(self) -> str:
        relation = "at least" if self.gate == "min_examples_left_per_class" else "at most"
        where = f" ({self.detail})" if self.detail else ""
        return f"gate.{self.gate} wants {relation} {self.limit:g}, found {self.found:g}{where}"


def gate_error(verdicts: list[Verdict], staged: str | None) -> AuditGateError | None:
    """Build the error of a closed gate.

    Parameters
    ----------
    verdicts : list of Verdict
    staged : str or None
        Where the suspects can be looked at.

    Returns
    -------
    AuditGateError or None
        None where all limits are kept.
    """
    failed = [str(verdict) for verdict in verdicts if not verdict.passed]
    if not failed:
        return None
    where = f"; the suspects are staged in {staged}" if staged else ""
    return AuditGateError(
        "; ".join(failed)
        + f". Nothing was published{where}. Look at them, then change the limit or the data"
    )
