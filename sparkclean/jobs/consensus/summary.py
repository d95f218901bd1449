"""What a consensus found, for people and for the run record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparkclean.crowds.agreement import Agreement
from sparkclean.crowds.annotators import AnnotatorStats
from sparkclean.jobs.consensus.decide import REASONS
from sparkclean.jobs.consensus.fit import Fitted
from sparkclean.jobs.consensus.sections import ConsensusSection
from sparkclean.jobs.consensus.tables import COPIER, DISAGREEMENT, ONE_CLASS, Flags, Names
from sparkclean.lake import Pin
from sparkclean.rows.report import Grid, Line, Report, cell

_SHOWN = 5
_WORDS = {
    "tie": "the votes are tied",
    "low_quality": "the quality is low",
    "model_differs": "the model differs from the majority",
    "single_label": "there is a single label",
}


@dataclass(frozen=True)
class Found:
    """What a run has found.

    Attributes
    ----------
    names : Names
    grouped : sequence of int
        Rows, annotations that count, items, rows without a label, rows that a later one replaces,
        predictions of no item.
    decided : sequence of int
        Items, those for a person to look at, and those of each reason.
    stats : AnnotatorStats
    flags : Flags
    agreements : sequence of Agreement
    fitted : Fitted
    """

    names: Names
    grouped: Sequence[int]
    decided: Sequence[int]
    stats: AnnotatorStats
    flags: Flags
    agreements: Sequence[Agreement]
    fitted: Fitted

    @property
    def annotations(self) -> int:
        """Annotations that count."""
        return self.grouped[1]

    @property
    def items(self) -> int:
        """Items with an annotation."""
        return self.grouped[2]

    @property
    def alpha(self) -> Agreement | None:
        """Krippendorff's alpha of all classes."""
        return next((found for found in self.agreements if found.label is None), None)

    def metrics(self) -> dict[str, Any]:
        """Give numbers to monitor."""
        alpha = self.alpha
        return {
            "annotations": self.annotations,
            "items": self.items,
            "annotators": int((self.stats.items > 0).sum()),
            "classes": len(self.names.classes),
            "needs_adjudication": self.decided[1],
            "flagged_annotators": int(self.flags.any.sum()),
            "krippendorff_alpha": None if alpha is None else alpha.value,
        }

    def counts(self) -> dict[str, Any]:
        """Give further counts for the run record."""
        return {
            "without_label": self.grouped[3],
            "replaced": self.grouped[4],
            "predictions_of_no_item": self.grouped[5],
            "adjudication": dict(zip(REASONS, self.decided[2:], strict=True)),
            "iterations": self.fitted.iterations,
            "warnings": list(self.fitted.warnings),
        }


def describe(
    pin: Pin,
    section: ConsensusSection,
    publishes: Grid,
    *,
    rows: int,
    annotators: int,
    labels: int,
) -> Report:
    """Describe what a consensus would do; counts are of the first rows."""
    known = "counted when the run starts" if pin.rows is None else f"{pin.rows:,}"
    models = ", ".join(section.predictions) or "none"
    facts = [
        ("annotations", pin.shown),
        ("rows", known),
        ("first rows", f"{rows:,}: {annotators:,} annotators, {labels:,} different labels"),
        ("method", section.chosen_method),
        ("models", models),
    ]
    return Report([Grid(facts, line="{0:<11} {1}"), publishes])


def summarise(found: Found, method: str) -> Report:
    """Sum a consensus up for people.

    Parameters
    ----------
    found : Found
    method : str

    Returns
    -------
    Report
    """
    items = max(found.items, 1)
    passes = "" if found.fitted.iterations is None else f", {found.fitted.iterations} iterations"
    metrics = found.metrics()
    facts = [
        ("annotations", f"{found.annotations:,}", _left_out(found)),
        ("items", f"{found.items:,}", f"{found.annotations / items:.1f} labels each, on average"),
        ("annotators", f"{metrics['annotators']:,}", f"{metrics['flagged_annotators']:,} flagged"),
        ("method", method, passes.removeprefix(", ")),
        ("adjudicate", f"{found.decided[1]:,}", f"{found.decided[1] / items:.2%} of the items"),
        *_agreement(found),
    ]
    reasons = [
        (f"{count:,}", _WORDS[name])
        for name, count in zip(REASONS, found.decided[2:], strict=True)
        if count
    ]
    parts: list[Line | Grid] = [Line(""), Grid(facts, right=(1,), line="{0:<12} {1:>14}   {2}")]
    for title, grid in (
        ("items for a person to look at", Grid(reasons, line="  {0:>10} {1}") if reasons else None),
        ("worst annotators", _worst(found)),
        ("flagged annotators", _flagged(found)),
    ):
        if grid is not None:
            parts += [Line(""), Line(title, "heading"), grid]
    if found.fitted.warnings:
        parts += [Line(""), Line("warnings", "heading")]
        parts += [Line(f"  {text}", "warning") for text in found.fitted.warnings]
    return Report(parts)


def _left_out(found: Found) -> str:
    texts = [
        f"{count:,} {what}"
        for count, what in (
            (found.grouped[3], "rows without a label are left out"),
            (found.grouped[4], "were replaced by a later one"),
        )
        if count
    ]
    return "; ".join(texts)


def _agreement(found: Found) -> list[tuple[str, str, str]]:
    alpha = found.alpha
    if alpha is None or alpha.value is None:
        return [("agreement", "unknown", "no item has two labels, or all labels are the same")]
    about = f"Krippendorff's alpha, 95 % interval {alpha.lower:.3f} to {alpha.upper:.3f}"
    return [("agreement", f"{alpha.value:.3f}", about)]


def _worst(found: Found) -> Grid | None:
    stats, names = found.stats, found.names
    known = np.flatnonzero((stats.items > 0) & ~np.isnan(stats.quality))
    order = known[np.argsort(stats.quality[known], kind="stable")][:_SHOWN]
    rows = [
        (
            cell(names.annotators[place]),
            f"{stats.quality[place]:.3f}",
            "" if np.isnan(stats.agreement[place]) else f"{stats.agreement[place]:.3f}",
            f"{stats.items[place]:,}",
            _pair(found, place),
        )
        for place in order.tolist()
    ]
    titles = ("annotator", "quality", "agreement", "items", "most confused")
    return Grid(rows, titles, right=(1, 2, 3), indent=2) if rows else None


def _pair(found: Found, place: int) -> str:
    given, true = found.stats.confused[place].tolist()
    if given < 0:
        return ""
    classes = found.names.classes
    return f"{cell(classes[given])} for {cell(classes[true])}"


def _flagged(found: Found) -> Grid | None:
    flags, names, rows = found.flags, found.names, []
    for place in np.flatnonzero(flags.any).tolist()[:_SHOWN]:
        texts = []
        if flags.one_class[place]:
            texts.append(ONE_CLASS)
        if flags.disagreement[place]:
            texts.append(DISAGREEMENT)
        if flags.copier[place]:
            partner = cell(names.annotators[int(flags.partners[place])])
            texts.append(f"{COPIER} (shares errors with {partner})")
        rows.append((cell(names.annotators[place]), ", ".join(texts)))
    return Grid(rows, ("annotator", "flags"), indent=2) if rows else None
