"""What a consensus and an estimate hand to a report: from their records and published rows."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from sparkclean.jobs.consensus.report import report_parts as consensus_parts
from sparkclean.jobs.review.report import report_parts as estimate_parts
from sparkclean.plots.page import render_page
from sparkclean.plots.parts import Chart, Facts, ReportPart, Table
from sparkclean.runs.reported import Examples


@dataclass
class Run:
    """A run with a record, and rows of its outputs."""

    record: dict[str, Any]
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def location(self, output: str) -> str | None:
        return output

    def head(self, output: str, rows: int, *, largest: str | None = None) -> pa.Table | None:
        del largest
        found = self.tables.get(output)
        return None if found is None else pa.Table.from_pylist(found[:rows])

    def examples(self, rows: pa.Table) -> Examples:
        del rows
        return Examples()


def blocks_of(parts: list[ReportPart], name: str) -> list[Any]:
    (part,) = (part for part in parts if part.name == name)
    return list(part.blocks)


def test_report_of_a_consensus_shows_agreement_and_flagged_annotators_first() -> None:
    agreement = [
        {"statistic": s, "class": c, "value": 0.5, "lower": 0.4, "upper": 0.6}
        for s in ("krippendorff_alpha", "fleiss_kappa")
        for c in (None, "cat", "<script>")
    ]
    agreement[3]["value"] = None  # as where items differ in their number of labels
    annotators = [
        {"annotator": name, "items": 9, "agreement": None, "quality": quality, "worst_class": None,
         "flags": flags}
        for name, quality, flags in (("ann", 0.9, []), ("bob", 0.2, []), ("eve", 0.95, ["copier"]))
    ]  # fmt: skip
    metrics = {"items": 9, "annotations": 27, "annotators": 3, "krippendorff_alpha": 0.5}
    run = Run({"metrics": json.dumps(metrics)}, {"agreement": agreement, "annotators": annotators})
    parts = consensus_parts(run)
    charts = [block for block in blocks_of(parts, "agreement") if isinstance(block, Chart)]
    assert [len(chart.table.rows) for chart in charts] == [3, 3]
    assert "all classes, 0.5 (0.4 to 0.6)" in charts[0].alternative
    assert "2 estimates" in charts[1].alternative
    (table,) = blocks_of(parts, "annotators")
    assert [row[0] for row in table.rows] == ["eve", "bob", "ann"]
    page = render_page("consensus", parts)
    assert "&lt;script&gt;" in page
    assert page.count("<script>") == 1  # the page's own


def test_report_of_an_estimate_shows_rates_with_intervals() -> None:
    rows = [
        {"measure": measure, "method": "reviewed", "scope": scope, "class": None,
         "rank_decile": None, "value": value, "low": 0.0, "high": 0.2, "reviewed": 50, "errors": 5}
        for measure, scope, value in (
            ("error_rate", "all", 0.1), ("error_rate", "others", None), ("recall", "all", 0.15),
            ("wrong_labels", "all", 100.0),
        )
    ]  # fmt: skip
    metrics = {"error_rate": 0.1, "error_rate_low": 0.0, "error_rate_high": 0.2, "recall": None}
    parts = estimate_parts(Run({"metrics": json.dumps(metrics)}, {"estimates": rows}))
    (facts,) = blocks_of(parts, "top")
    assert isinstance(facts, Facts)
    assert facts.rows == [("wrong labels", "10.00% (0.00% to 20.00%)")]
    blocks = blocks_of(parts, "estimates")
    assert len([block for block in blocks if isinstance(block, Chart)]) == 2
    assert isinstance(blocks[-1], Table)
    assert len(blocks[-1].rows) == 4


def test_report_of_a_run_that_published_nothing_has_its_figures_alone() -> None:
    for parts in (consensus_parts(Run({"metrics": "{}"})), estimate_parts(Run({"metrics": None}))):
        assert [part.name for part in parts] == ["top"]
