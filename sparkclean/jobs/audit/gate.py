"""The gate: limits that a result must keep before it is published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sparkclean.jobs.audit.findings import Findings
from sparkclean.runs.gates import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sparkclean.jobs.audit.sections import GateSection

#: Modes whose cleaned version has fewer examples of a class than the input.
_LOSING_MODES = ("drop", "quarantine")


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
