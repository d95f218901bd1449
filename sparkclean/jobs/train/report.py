"""The section of a report that is a training's: the model, measured on trusted labels."""

from __future__ import annotations

from typing import Any

from sparkclean.plots.parts import ORDER, Block, Facts, Notice, ReportPart
from sparkclean.runs.past import parsed
from sparkclean.runs.quality_parts import quality_part
from sparkclean.runs.reported import ReportedRun


def report_parts(run: ReportedRun) -> list[ReportPart]:
    """Make the sections of a training.

    Parameters
    ----------
    run : ReportedRun

    Returns
    -------
    list of ReportPart
    """
    counts, metrics = parsed(run.record, "counts") or {}, parsed(run.record, "metrics") or {}
    facts = [("rows", metrics.get("rows")), ("training rows", metrics.get("training_rows"))]
    figures = [(name, f"{value:,}") for name, value in facts if value is not None]
    top: list[Block] = [Facts(figures, big=True)] if figures else []
    top += [Notice(text, "warning") for text in _overlap(counts)]
    of = "The model was measured on the test table, whose labels are trusted."
    part = quality_part(run.record, title="On trusted labels", of=of)
    parts = [ReportPart("top", "Result", top, ORDER["top"])] if top else []
    return parts if part is None else [*parts, part]


def _overlap(counts: dict[str, Any]) -> list[str]:
    """Say where the test table holds what the model was trained on."""
    named = {
        "test_rows_like_training_rows": "have the features of a training row",
        "test_rows_with_ids_of_training_rows": "have the record id of a training row",
        "test_rows_of_training_groups": "are of a group that was trained on",
    }
    found = [(counts.get(name), text) for name, text in named.items()]
    return [f"{rows:,} test rows {text}" for rows, text in found if rows]
