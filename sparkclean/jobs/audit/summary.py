"""What an audit found, for people: at the end of a run on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sparkclean.confident.noise import class_quality
from sparkclean.examples.columns import Columns
from sparkclean.jobs.audit.findings import Findings
from sparkclean.numbers.intervals import wilson_interval
from sparkclean.numbers.pair_counts import PairCounts
from sparkclean.rows.report import Grid, Line, Report, cell

_SHOWN = 5


def summarise(
    findings: Findings,
    columns: Columns,
    top: Sequence[Mapping[str, Any]],
) -> Report:
    """Describe the result of an audit.

    Parameters
    ----------
    findings : Findings
    columns : Columns
    top : sequence of mapping
        The most suspicious rows of the suspect table.

    Returns
    -------
    Report
    """
    statistics, num_suspects = findings.statistics, findings.suspects.num_suspects
    joint = PairCounts(findings.noise.calibrated_joint)
    low, high = wilson_interval(joint.off_diagonal, joint.total)
    facts = [
        ("rows", f"{statistics.rows:,}", ""),
        ("rejected", f"{statistics.num_rejected:,}", ""),
        (
            "suspects",
            f"{num_suspects:,}",
            f"{num_suspects / max(statistics.audited, 1):.2%} of the audited rows",
        ),
        (
            "noise",
            f"{findings.noise.noise_rate:.2%}",
            f"estimated, 95 % interval at least {low:.2%} to {high:.2%}; biased when the model is "
            "weak or classes overlap",
        ),
    ]
    sections: list[tuple[str, Sequence[Line | Grid]]] = [
        ("", [Grid(facts, right=(1,), line="{0:<9} {1:>14}   {2}")]),
        ("most confused (given -> probably)", _confused(joint, findings.suspects.counts, columns)),
        ("worst classes", [_worst(findings, columns)]),
        (f"top {len(top)} suspects", [_top(top, columns)] if top else []),
        ("warnings", [Line(f"  {text}", "warning") for text in findings.warnings]),
    ]
    parts: list[Line | Grid] = []
    for title, section in sections:
        if section:
            parts += [Line(""), *([Line(title, "heading")] if title else []), *section]
    return Report(parts)


def _confused(joint: PairCounts, suspects: PairCounts, columns: Columns) -> list[Grid]:
    rows = [
        (
            cell(columns.classes[i]),
            cell(columns.classes[j]),
            f"{joint[i, j]:,}",
            f"{suspects[i, j]:,}",
        )
        for i, j in joint.largest_off_diagonal(_SHOWN)
    ]
    titles = ("given", "probably", "estimated", "suspects")
    line = "  {0:>12} -> {1:<12} {2:>10} estimated, {3} suspects"
    return [Grid(rows, titles, right=(2, 3), line=line)] if rows else []


def _worst(findings: Findings, columns: Columns) -> Grid:
    quality = class_quality(PairCounts(findings.noise.calibrated_joint))
    suspects = findings.suspects.counts.by_given()
    present = findings.statistics.examples > 0
    score = np.where(present, quality.label_quality_score, np.inf)
    rows = [
        (
            cell(columns.classes[k]),
            f"{quality.label_quality_score[k]:.3f}",
            f"{suspects[k]:,}",
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
