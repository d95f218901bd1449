"""The gate: limits that a result must keep before it is published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sparkclean.cluster.findings import Findings
from sparkclean.errors import AuditGateError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sparkclean.config import GateSection

#: Modes whose cleaned version has fewer examples of a class than the input.
_LOSING_MODES = ("drop", "quarantine")


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


def judge(
    findings: Findings, gate: GateSection, *, mode: str, classes: Sequence[Any]
) -> list[Verdict]:
    """Compare a result with the configured limits.

    Parameters
    ----------
    findings : Findings
    gate : GateSection
    mode : str
        ``clean.mode``: classes shrink in modes ``drop`` and ``quarantine`` only.
    classes : sequence
        The K labels.

    Returns
    -------
    list of Verdict
        One for each limit that applies.
    """
    examples = findings.statistics.examples
    suspects = findings.suspect_counts.sum(axis=1)
    present = np.flatnonzero(examples > 0)
    verdicts = []
    if gate.max_suspects is not None:
        found = findings.num_suspects
        verdicts.append(
            Verdict("max_suspects", gate.max_suspects, found, found <= gate.max_suspects)
        )
    if gate.max_suspect_fraction is not None:
        share = findings.num_suspects / max(findings.statistics.audited, 1)
        limit = gate.max_suspect_fraction
        verdicts.append(Verdict("max_suspect_fraction", limit, share, share <= limit))
    if gate.max_class_loss_fraction is not None:
        losses = suspects[present] / examples[present]
        worst = int(present[losses.argmax()])
        limit, loss = gate.max_class_loss_fraction, float(losses.max())
        verdicts.append(
            Verdict(
                "max_class_loss_fraction", limit, loss, loss <= limit, f"class {classes[worst]!r}"
            )
        )
    if mode in _LOSING_MODES:
        left = (examples - suspects)[present]
        worst = int(present[left.argmin()])
        wanted = gate.min_examples_left_per_class
        verdicts.append(
            Verdict(
                "min_examples_left_per_class",
                wanted,
                int(left.min()),
                int(left.min()) >= wanted,
                f"class {classes[worst]!r}",
            )
        )
    return verdicts


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
