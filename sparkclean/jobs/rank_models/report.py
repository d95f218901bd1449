"""The sections of a report that are a ranking's: models, and pairs whose order labels change."""

from __future__ import annotations

from sparkclean.plots.crossing import crossing_lines
from sparkclean.plots.parts import ORDER, Block, Column, Facts, ReportPart, Table, Text
from sparkclean.runs.past import parsed
from sparkclean.runs.reported import ReportedRun

_ORDER = 50
#: Pairs that are drawn.
_DRAWN = 3


def report_parts(run: ReportedRun) -> list[ReportPart]:
    """Make the sections of a ranking.

    Parameters
    ----------
    run : ReportedRun

    Returns
    -------
    list of ReportPart
    """
    counts, metrics = parsed(run.record, "counts") or {}, parsed(run.record, "metrics") or {}
    facts = [(name, metrics.get(name)) for name in ("models", "items", "bad_items", "flips")]
    figures = [(name.replace("_", " "), f"{n:,}") for name, n in facts if n is not None]
    parts = [ReportPart("top", "Result", [Facts(figures, big=True)], ORDER["top"])]
    models = counts.get("models") or []
    if models:
        names = [name for name in ("accuracy", "clean", "corrected") if name in models[0]]
        columns = [Column("model"), *(Column(n, numeric=True, unit="%") for n in names)]
        columns += [Column(name, numeric=True) for name in ("best rank", "worst rank")]
        keys = ("model", *names, "rank_low", "rank_high")
        rows = [[row[key] for key in keys] for row in models]
        table = Table(columns, rows, total=metrics.get("models"))
        parts.append(ReportPart("models", "Models", [table], _ORDER))
    flips = counts.get("flips") or []
    if flips:
        blocks: list[Block] = [Text(_ABOUT)]
        for flip in flips[:_DRAWN]:
            clean = metrics["items"] - metrics["bad_items"]
            blocks.append(crossing_lines(flip, metrics["prevalence"], clean, metrics["bad_items"]))
        titles = ("model_a", "model_b", "level_prevalence", "holm_p", "certain")
        columns = [Column(name, numeric=name in titles[2:4]) for name in titles]
        rows = [[_cell(flip[name]) for name in titles] for flip in flips]
        blocks.append(Table(columns, rows, total=metrics.get("flips")))
        parts.append(ReportPart("flips", "Pairs whose order bad labels change", blocks, _ORDER + 1))
    return parts


_ABOUT = (
    "Accuracy is linear in the prevalence of bad labels. Where two lines cross, the models are "
    "level. An order is certain only if a test on the right labels says so, for all pairs together."
)


def _cell(value: object) -> str | float | None:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, float) else (None if value is None else str(value))
