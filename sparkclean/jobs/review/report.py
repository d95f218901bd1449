"""The sections of a report that are an estimate's: how many labels people found wrong."""

from __future__ import annotations

from typing import Any

from sparkclean.plots.intervals import Estimate, interval_chart
from sparkclean.plots.parts import ORDER, Block, Column, Facts, ReportPart, Table, Text
from sparkclean.runs.past import parsed
from sparkclean.runs.reported import ReportedRun

_ORDER, _MOST = 50, 2000
_RATES = {
    "error_rate": "wrong labels",
    "precision": "precision of the audit",
    "recall": "recall of the audit",
}
_ABOUT = (
    "People looked at a random part of the table. The intervals hold for what they decided; the "
    "audit's own estimate is biased where the model is weak or classes overlap."
)


def report_parts(run: ReportedRun) -> list[ReportPart]:
    """Make the sections of an estimate.

    Parameters
    ----------
    run : ReportedRun

    Returns
    -------
    list of ReportPart
    """
    metrics = parsed(run.record, "metrics") or {}
    facts = [
        (
            title,
            f"{metrics[name]:.2%} ({metrics[f'{name}_low']:.2%} to {metrics[f'{name}_high']:.2%})",
        )
        for name, title in _RATES.items()
        if metrics.get(name) is not None
    ]
    parts = [ReportPart("top", "Result", [Facts(facts, big=True)], ORDER["top"])]
    table = run.head("estimates", _MOST)
    rows = [] if table is None else table.to_pylist()
    if not rows:
        return parts
    blocks: list[Block] = [Text(_ABOUT)]
    for measure, title in _RATES.items():
        chart = interval_chart(
            [_estimate(r) for r in rows if r["measure"] == measure], title, unit="%"
        )
        if chart is not None:
            blocks.append(chart)
    names = ("measure", "method", "scope", "class", "value", "low", "high", "reviewed", "errors")
    columns = [Column(name, numeric=name in names[4:]) for name in names]
    cells = [[r[n] if n in names[4:] or r[n] is None else str(r[n]) for n in names] for r in rows]
    blocks.append(Table(columns, cells, "All estimates"))
    parts.append(ReportPart("estimates", "What people found", blocks, _ORDER))
    return parts


def _estimate(row: dict[str, Any]) -> Estimate:
    subject = [row["scope"], row["class"], row["rank_decile"]]
    name = " ".join(str(part) for part in subject if part is not None)
    return f"{name}, {row['method']}", row["value"], row["low"], row["high"]
