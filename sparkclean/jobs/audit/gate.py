"""The gate: limits that a result must keep before it is published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sparkclean.examples.suspects import Suspects
from sparkclean.jobs.audit.doubts import Doubt
from sparkclean.runs.gates import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sparkclean.jobs.audit.sections import GateSection

#: Modes whose cleaned version has fewer examples of a class than the input.
_LOSING_MODES = ("drop", "quarantine")


def judge(
    suspects: Suspects,
    examples: NDArray[np.int64],
    gate: GateSection,
    *,
    mode: str,
    classes: Sequence[Any],
    doubts: Sequence[Doubt] = (),
) -> list[Verdict]:
    """Compare a result with the configured limits.

    Parameters
    ----------
    suspects : Suspects
    examples : ndarray of int64, shape (K,)
        Audited rows by given class.
    gate : GateSection
    mode : str
        ``clean.mode``: classes shrink in modes ``drop`` and ``quarantine`` only.
    classes : sequence
        The K labels.
    doubts : sequence of Doubt
        They close the gate where there is a cleaned version, unless the setting allows it.

    Returns
    -------
    list of Verdict
        One for each limit that applies.
    """
    found, by_class = suspects.num_suspects, suspects.counts.by_given()
    present = np.flatnonzero(examples > 0)
    verdicts = []
    if gate.max_suspects is not None:
        verdicts.append(
            Verdict("max_suspects", gate.max_suspects, found, found <= gate.max_suspects)
        )
    if gate.max_suspect_fraction is not None:
        share = found / max(int(examples.sum()), 1)
        limit = gate.max_suspect_fraction
        verdicts.append(Verdict("max_suspect_fraction", limit, share, share <= limit))
    if gate.max_class_loss_fraction is not None:
        losses = by_class[present] / examples[present]
        worst = int(present[losses.argmax()])
        limit, loss = gate.max_class_loss_fraction, float(losses.max())
        verdicts.append(
            Verdict(
                "max_class_loss_fraction", limit, loss, loss <= limit, f"class {classes[worst]!r}"
            )
        )
    if mode in _LOSING_MODES:
        left = (examples - by_class)[present]
        worst = int(present[left.argmin()])
        wanted = gate.min_examples_left_per_class
        verdicts.append(
            Verdict(
                "min_examples_left_per_class",
                wanted,
                int(left.min()),
                int(left.min()) >= wanted,
                f"class {classes[worst]!r}",
                at_least=True,
            )
        )
    if mode != "none":
        verdicts += [_of_doubt(doubt, getattr(gate, doubt.allowed_by)) for doubt in doubts]
    return verdicts


def _of_doubt(doubt: Doubt, is_allowed: bool) -> Verdict:
    text = f"{doubt}, or set gate.{doubt.allowed_by}: true"
    return Verdict(doubt.allowed_by, float(is_allowed), 1.0, is_allowed, text=text)
