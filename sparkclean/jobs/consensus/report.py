"""The sections of a report that are a consensus': agreement, and annotators with their flags."""

from __future__ import annotations

from typing import Any

from sparkclean.plots.intervals import interval_chart
from sparkclean.plots.parts import ORDER, Block, Column, Facts, ReportPart, Table, Text
from sparkclean.runs.past import parsed
from sparkclean.runs.reported import ReportedRun

_ORDER = 50
#: Rows of each table.
_ANNOTATORS, _CLASSES = 500, 200
_ABOUT = (
    "Agreement is beyond chance: 1 is full agreement, 0 that of chance. Annotators who err "
    "together, as language models do, agree more than their labels are right."
)


def report_parts(run: ReportedRun) -> list[ReportPart]:
    """Make the sections of a consensus.

    Parameters
    ----------
    run : ReportedRun

    Returns
    -------
    list of ReportPart
    """
    metrics = parsed(run.record, "metrics") or {}
    names = ("items", "annotations", "annotators", "needs_adjudication", "flagged_annotators")
    facts = [(name.replace("_", " "), f"{metrics[name]:,}") for name in names if name in metrics]
    alpha = metrics.get("krippendorff_alpha")
    if alpha is not None:
        facts.append(("Krippendorff's alpha", f"{alpha:.3f}"))
    parts = [ReportPart("top", "Result", [Facts(facts, big=True)], ORDER["top"])]
    agreement, annotators = _rows(run, "agreement", _CLASSES), _rows(run, "annotators", _ANNOTATORS)
    if agreement:
        blocks: list[Block] = [Text(_ABOUT)]
        for statistic, title in _STATISTICS.items():
            found = [
                (
                    "all classes" if r["class"] is None else str(r["class"]),
                    r["value"],
                    r["lower"],
                    r["upper"],
                )
                for r in agreement
                if r["statistic"] == statistic
            ]
            chart = interval_chart(found, title)
            if chart is not None:
                blocks.append(chart)
        parts.append(ReportPart("agreement", "Agreement", blocks, _ORDER))
    if annotators:
        columns = (
            Column("annotator"),
            Column("items", numeric=True, bar=True),
            Column("agreement with the others", numeric=True, bar=True, unit="%"),
            Column("quality", numeric=True, bar=True, unit="%"),
            Column("worst class"),
            Column("flags"),
        )
        rows = [
            [
                str(r["annotator"]),
                r["items"],
                r["agreement"],
                r["quality"],
                None if r["worst_class"] is None else str(r["worst_class"]),
                ", ".join(r["flags"] or ()),
            ]
            for r in sorted(annotators, key=lambda r: (not r["flags"], r["quality"] or 0.0))
        ]
        table = Table(
            columns, rows, "Annotators, the flagged ones first", metrics.get("annotators")
        )
        parts.append(ReportPart("annotators", "Annotators", [table], _ORDER + 1))
    return parts


_STATISTICS = {"krippendorff_alpha": "Krippendorff's alpha", "fleiss_kappa": "Fleiss' kappa"}


def _rows(run: ReportedRun, output: str, most: int) -> list[dict[str, Any]]:
    table = run.head(output, most)
    return [] if table is None else table.to_pylist()
