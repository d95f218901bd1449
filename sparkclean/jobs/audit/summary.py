"""What an audit found, for people: at the end of a run on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sparkclean.confident.noise import class_quality
from sparkclean.examples.columns import Columns
from sparkclean.jobs.audit.findings import Findings
from sparkclean.rows.report import Grid, Line, Report, cell

_SHOWN = 5


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
    z = 1.959963984540054
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
) -> Report:
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
    Report
    """
    statistics = findings.statistics
    rejected = statistics.rows - statistics.audited
    joint = findings.noise.calibrated_joint
    wrong = int(joint.sum() - joint.trace())
    low, high = noise_interval(wrong, int(joint.sum()))
    facts = [
        ("rows", f"{statistics.rows:,}", ""),
        ("rejected", f"{rejected:,}", ""),
        (
            "suspects",
            f"{findings.num_suspects:,}",
            f"{findings.num_suspects / max(statistics.audited, 1):.2%} of the audited rows",
        ),
        (
            "noise",
            f"{findings.noise.noise_rate:.2%}",
            f"estimated, 95 % interval {low:.2%} to {high:.2%} by sampling alone; biased when the "
            "model is weak",
        ),
    ]
    sections: list[tuple[str, Sequence[Line | Grid]]] = [
        ("", [Grid(facts, right=(1,), line="{0:<9} {1:>14}   {2}")]),
        ("most confused (given -> probably)", _confused(findings, columns)),
        ("worst classes", [_worst(findings, columns)]),
        (f"top {len(top)} suspects", [_top(top, columns)] if top else []),
        ("warnings", [Line(f"  {text}", "warning") for text in findings.warnings]),
        ("", [Grid(list(outputs.items()))] if outputs else []),
    ]
    parts: list[Line | Grid] = []
    for title, section in sections:
        if section:
            parts += [Line(""), *([Line(title, "heading")] if title else []), *section]
    return Report(parts)


def _confused(findings: Findings, columns: Columns) -> list[Grid]:
    counts = findings.noise.calibrated_joint.copy()
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:_SHOWN]
    pairs = [divmod(int(place), len(counts)) for place in order]
    rows = [
        (
            cell(columns.classes[i]),
            cell(columns.classes[j]),
            f"{counts[i, j]:,}",
            f"{findings.suspect_counts[i, j]:,}",
        )
        for i, j in pairs
        if counts[i, j] > 0
    ]
    titles = ("given", "probably", "estimated", "suspects")
    line = "  {0:>12} -> {1:<12} {2:>10} estimated, {3} suspects"
    return [Grid(rows, titles, right=(2, 3), line=line)] if rows else []


def _worst(findings: Findings, columns: Columns) -> Grid:
    quality = class_quality(findings.noise.calibrated_joint)
    present = findings.statistics.examples > 0
    score = np.where(present, quality.label_quality_score, np.inf)
    rows = [
        (
            cell(columns.classes[k]),
            f"{quality.label_quality_score[k]:.3f}",
            f"{findings.suspect_counts[k].sum():,}",
            f"{findings.statistics.examples[k]:,}",
        )
        for k in np.argsort(score, kind="stable")[:_SHOWN]
        if present[k]
    ]
    titles = ("class", "label quality", "suspects", "examples")
    line = "  {0:>12}   label quality {1}   {2} suspects of {3}"
    return Grid(rows, titles, right=(1, 2, 3), line=line)


def _top(rows: Sequence[Mapping[str, Any]], columns: Columns) -> Grid:
    titles = ["rank", *columns.ids, "given", "suggested", "self_confidence", "label_quality"]
    cells = [
        [
            str(row["rank"]),
            *(cell(row[name]) for name in columns.ids),
            cell(row["given_label"]),
            cell(row["suggested_label"]),
            f"{row['self_confidence']:.4f}",
            f"{row['label_quality']:.4f}",
        ]
        for row in rows
    ]
    return Grid(cells, titles, right=range(len(titles)), indent=2)
