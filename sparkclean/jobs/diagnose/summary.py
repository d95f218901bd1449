"""What a diagnosis says on the terminal and in the run record."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from sparkclean.noise.diagnosis.counts import Counts
from sparkclean.noise.diagnosis.decide import ADVERSARIAL, UNDETERMINED, Signs, Stability
from sparkclean.noise.diagnosis.findings import BOUNDARY, Finding
from sparkclean.rows.report import Grid, Line, Report

_SHOWN = 10


def shown_subject(found: Finding) -> str | None:
    """Give the subject as people write it: a window of time by the moment at which it begins."""
    if found.kind != "time" or found.subject is None:
        return found.subject
    start = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=int(found.subject))
    return start.isoformat().replace("+00:00", "Z")


def metrics_of(counts: Counts, signs: Signs, stability: Stability) -> dict[str, Any]:
    """Give the metrics of the run record.

    Parameters
    ----------
    counts : Counts
    signs : Signs
    stability : Stability

    Returns
    -------
    dict
    """
    shape = signs.shape
    numbers: dict[str, Any] = {
        "rows": counts.shape.rows,
        "dominant_kind": stability.kind,
        "stability": stability.stability,
        "reason": stability.reason,
        "replicates": stability.shares,
        "core_rows": shape.rows,
        "core_disagreements": shape.errors,
        "core_rate": round(shape.rate, 9),
        "core_rate_low": round(shape.low, 9),
        "core_rate_high": round(shape.high, 9),
    }
    for of in signs.subjects:
        numbers[f"errors_by_{of.counts.kind}".replace(" ", "_")] = round(of.attributed, 3)
    if signs.neighbours is not None:
        numbers["errors_shifted"] = round(signs.neighbours.shifted, 3)
        numbers["errors_exchanged"] = round(signs.neighbours.exchanged, 3)
    return numbers


def summarise(
    counts: Counts,
    signs: Signs,
    stability: Stability,
    findings: Sequence[Finding],
    classes: Sequence[Any],
) -> Report:
    """Say which kind dominates, and what speaks for it.

    Parameters
    ----------
    counts : Counts
    signs : Signs
    stability : Stability
    findings : sequence of Finding
    classes : sequence

    Returns
    -------
    Report
    """
    shape, stable = signs.shape, 100 * stability.stability
    head = f"dominant kind of noise: {stability.kind}"
    if stability.kind != UNDETERMINED:
        head += f" (stable in {stable:.0f} % of 200 replicates)"
    core = (
        f"{shape.errors:,} of the {shape.rows:,} surest predictions disagree with the label "
        f"({100 * shape.rate:.2f} %, interval {100 * shape.low:.2f} to {100 * shape.high:.2f} %); "
        f"{counts.shape.rows:,} rows"
    )
    lines: list[Line | Grid] = [
        Line(head, "heading"),
        Line(f"because {stability.reason}"),
        Line(core),
    ]
    marked = [found for found in findings if found.is_marked or found.hypothesis == BOUNDARY]
    cells = [_cells(found, classes) for found in marked[:_SHOWN]]
    titles = ("hypothesis", "subject", "given -> predicted", "effect", "interval", "errors")
    lines.append(Grid(cells, titles=titles, right=[3, 5]))
    if len(marked) > _SHOWN:
        lines.append(Line(f"{len(marked) - _SHOWN:,} more are in the output diagnosis"))
    if any(found.hypothesis == ADVERSARIAL for found in marked):
        lines.append(
            Line("adversarial is a sign, not a proof: look at the example rows", "warning")
        )
    return Report(lines)


def _cells(found: Finding, classes: Sequence[Any]) -> list[str]:
    subject = " ".join(text for text in (found.kind, shown_subject(found)) if text)
    pair = ""
    if found.given is not None and found.predicted is not None:
        pair = f"{classes[found.given]} -> {classes[found.predicted]}"
    low, high = ("" if x is None else f"{x:.3g}" for x in (found.low, found.high))
    effect = "" if found.effect is None else f"{found.effect:.3g}"
    errors = "" if found.errors is None else f"{found.errors:,.0f}"
    return [found.hypothesis, subject, pair, effect, f"{low} to {high}", errors]
