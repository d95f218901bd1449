"""The section of a report on how good predicted probabilities are, by the record of their run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sparkclean.plots import blocks
from sparkclean.plots.parts import ORDER, Block, Cell, Column, Facts, ReportPart, Table, Text
from sparkclean.runs.past import parsed

#: Between the scores of an audit and what changed.
_ORDER = ORDER["scores"] + 5
#: Classes in the table.
_MOST = 5000
_NUMBERS = {
    "accuracy": "accuracy",
    "log_loss": "log loss",
    "brier_score": "Brier score",
    "calibration_error": "calibration error",
}


def quality_part(record: Mapping[str, Any], *, title: str, of: str) -> ReportPart | None:
    """Show the quality of probabilities: calibration curve, and numbers by fold and class.

    Parameters
    ----------
    record : mapping
        Of a run whose ``counts`` hold the quality.
    title : str
    of : str
        What was predicted and compared with what, as a sentence.

    Returns
    -------
    ReportPart or None
        None where nothing was compared.
    """
    counts, metrics = parsed(record, "counts") or {}, parsed(record, "metrics") or {}
    quality = counts.get("quality") or {}
    overall = quality.get("overall")
    if not overall:
        return None
    facts = [(text, f"{overall[name]:.4f}") for name, text in _NUMBERS.items()]
    found: list[Block] = [Text(of), Facts(facts, big=True)]
    chart = blocks.calibration(metrics) if metrics.get("calibration") else None
    found += [] if chart is None else [chart]
    folds = quality.get("folds") or []
    if len(folds) > 1:
        found.append(_table("fold", [(str(i), fold) for i, fold in enumerate(folds)], "By fold"))
    labels = counts.get("classes") or []
    classes = quality.get("classes") or []
    named = [(str(k), of) for k, of in zip(labels, classes, strict=False)]
    if named:
        found.append(_table("class", named, "By given class"))
    return ReportPart("calibration", title, found, _ORDER)


def _table(name: str, rows: Sequence[tuple[str, Mapping[str, Any] | None]], caption: str) -> Table:
    known = [(key, of) for key, of in rows if of]
    numbers = [n for n in _NUMBERS if known and n in known[0][1]]
    columns = [
        Column(name),
        Column("rows", numeric=True, bar=True),
        *(Column(_NUMBERS[n], numeric=True) for n in numbers),
    ]
    cells: list[tuple[Cell, ...]] = [
        (key, of["rows"], *(round(of[n], 4) for n in numbers)) for key, of in known[:_MOST]
    ]
    return Table(columns, cells, caption, total=len(known))
