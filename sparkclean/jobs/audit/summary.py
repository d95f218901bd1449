"""What an audit found, for people: at the end of a run on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sparkclean.confident.noise import class_quality
from sparkclean.examples.columns import Columns
from sparkclean.jobs.audit.findings import Findings
from sparkclean.numbers.pair_counts import PairCounts

_SHOWN = 5
_LONGEST = 40
#: Two-sided 95 % of the standard normal distribution.
_Z_95 = 1.959963984540054


def noise_interval(wrong: int, total: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share.

    Parameters
    ----------
    wrong, total : int

    Returns
    -------
    low, high : float

    Notes
    -----
    Covers the sampling error alone, not the bias of a weak model.
    """
    if total == 0:
        return 0.0, 1.0
    z = _Z_95
    share = wrong / total
    center = share + z * z / (2 * total)
    spread = z * float(np.sqrt(share * (1 - share) / total + z * z / (4 * total * total)))
    scale = 1 + z * z / total
    return max(0.0, (center - spread) / scale), min(1.0, (center + spread) / scale)


def summarise(
    findings: Findings,
    columns: Columns,
    top: Sequence[Mapping[str, Any]],
    outputs: Mapping[str, str],
) -> str:
    """Describe the result of an audit.

    Parameters
    ----------
    findings : Findings
    columns : Columns
    top : sequence of mapping
        The most suspicious rows of the suspect table.
    outputs : mapping from str to str
        What was published, and where.

    Returns
    -------
    str
        Several lines.
    """
    statistics, num_suspects = findings.statistics, findings.suspects.num_suspects
    joint = PairCounts(findings.noise.calibrated_joint)
    low, high = noise_interval(joint.off_diagonal, joint.total)
    lines = [
        "",
        f"rows      {statistics.rows:>14,}",
        f"rejected  {statistics.num_rejected:>14,}",
        f"suspects  {num_suspects:>14,}   "
        f"{num_suspects / max(statistics.audited, 1):.2%} of the audited rows",
        f"noise     {findings.noise.noise_rate:>14.2%}   estimated, 95 % interval {low:.2%} to "
        f"{high:.2%} by sampling alone; biased when the model is weak",
    ]
    lines += _confused(joint, findings.suspects.counts, columns)
    lines += _worst(findings, columns)
    if top:
        lines += ["", f"top {len(top)} suspects", *_table(top, columns)]
    if findings.warnings:
        lines += ["", "warnings", *(f"  {_sentence(text)}" for text in findings.warnings)]
    if outputs:
        width = max(len(name) for name in outputs)
        lines += ["", *(f"{name:<{width}}  {where}" for name, where in outputs.items())]
    return "\n".join(lines)


def _confused(joint: PairCounts, suspects: PairCounts, columns: Columns) -> list[str]:
    shown = joint.largest_off_diagonal(_SHOWN)
    if not shown:
        return []
    lines = ["", "most confused (given -> probably)"]
    for i, j in shown:
        lines.append(
            f"  {_word(columns.classes[i]):>12} -> {_word(columns.classes[j]):<12} "
            f"{joint[i, j]:>10,} estimated, {suspects[i, j]:,} suspects"
        )
    return lines


def _worst(findings: Findings, columns: Columns) -> list[str]:
    quality = class_quality(PairCounts(findings.noise.calibrated_joint))
    suspects = findings.suspects.counts.by_given()
    present = findings.statistics.examples > 0
    score = np.where(present, quality.label_quality_score, np.inf)
    lines = ["", "worst classes"]
    for k in np.argsort(score, kind="stable")[:_SHOWN]:
        if present[k]:
            lines.append(
                f"  {_word(columns.classes[k]):>12}   "
                f"label quality {quality.label_quality_score[k]:.3f}   "
                f"{suspects[k]:,} suspects of "
                f"{findings.statistics.examples[k]:,}"
            )
    return lines


def _sentence(text: str) -> str:
    """Write a text so that nothing in it moves the cursor."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _word(value: object) -> str:
    """Write an id or a label on one line, and not all of a long one."""
    text = _sentence(str(value))
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _table(rows: Sequence[Any], columns: Columns) -> list[str]:
    head = ["rank", *columns.ids, "given", "suggested", "self_confidence", "label_quality"]
    cells = [
        [
            str(row["rank"]),
            *(_word(row[name]) for name in columns.ids),
            _word(row["given_label"]),
            _word(row["suggested_label"]),
            f"{row['self_confidence']:.4f}",
            f"{row['label_quality']:.4f}",
        ]
        for row in rows
    ]
    widths = [max(len(line[i]) for line in [head, *cells]) for i in range(len(head))]
    return [
        "  " + "  ".join(f"{cell:>{width}}" for cell, width in zip(line, widths, strict=True))
        for line in [head, *cells]
    ]
