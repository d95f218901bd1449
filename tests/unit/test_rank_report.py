"""The sections of a ranking's report, of its run record alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytest.importorskip("altair")

from sparkclean.jobs.rank_models.report import report_parts
from sparkclean.plots.crossing import line_rows
from sparkclean.plots.parts import Chart, Table

FLIP = {
    "model_a": "copycat", "model_b": "large", "clean_a": 0.84, "clean_b": 0.86, "bad_a": 0.5,
    "bad_b": 0.1, "level_prevalence": 0.05, "level_set": [[0.03, 0.07]], "holm_p": 0.001,
    "certain": True,
}  # fmt: skip
METRICS = {"models": 2, "items": 1000, "bad_items": 80, "prevalence": 0.08, "flips": 1}


class Run:
    """A run of which only the record is read."""

    def __init__(self, metrics: dict[str, Any], **counts: Any) -> None:
        self.record = {"metrics": json.dumps(metrics), "counts": json.dumps(counts)}


def test_report_draws_the_crossing_and_says_whether_it_is_certain() -> None:
    models = [{"model": "copycat", "accuracy": 0.82, "clean": 0.84, "rank_low": 2, "rank_high": 2}]
    parts = {part.name: part for part in report_parts(Run(METRICS, models=models, flips=[FLIP]))}
    assert list(parts) == ["top", "models", "flips"]
    (table,) = parts["models"].blocks
    assert isinstance(table, Table)
    assert table.rows == [["copycat", 0.82, 0.84, 2, 2]]
    _, chart, listed = parts["flips"].blocks
    assert isinstance(chart, Chart)
    assert "They are level at 5.00 %" in chart.alternative
    assert "The order is certain." in chart.alternative
    assert chart.chart.to_dict()["layer"]
    assert listed.rows == [["copycat", "large", 0.05, 0.001, "yes"]]


def test_report_without_flips_has_no_chart() -> None:
    names = [part.name for part in report_parts(Run(METRICS | {"flips": 0}, models=[], flips=[]))]
    assert names == ["top"]


def test_lines_cross_where_the_models_are_level() -> None:
    rows = line_rows(FLIP, 0.08, 920, 80)
    lines = {
        name: {row["prevalence"]: row for row in rows if row["kind"] == name}
        for name in ("copycat", "large")
    }
    for x, row in lines["copycat"].items():
        other = lines["large"][x]
        gap = row["accuracy"] - other["accuracy"]
        assert gap == pytest.approx((1 - x) * -0.02 + x * 0.4)
        assert row["low"] < row["accuracy"] < row["high"]
    assert max(lines["large"]) == pytest.approx(0.24)
