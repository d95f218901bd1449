"""What a diagnosis says: hypotheses with effects, intervals, adjusted p and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from sparkclean.noise.diagnosis.chances import cramers_v, log_ratio
from sparkclean.noise.diagnosis.counts import LAGS, NEAR, Counts
from sparkclean.noise.diagnosis.decide import (
    ADVERSARIAL,
    CLASS,
    EXCHANGE,
    NONE,
    PAIRS,
    SHIFT,
    SWAP,
    UNIFORM,
    Signs,
)
from sparkclean.noise.diagnosis.limits import Limits
from sparkclean.noise.diagnosis.neighbours import NeighbourSigns
from sparkclean.noise.diagnosis.shape import Shape
from sparkclean.noise.diagnosis.subjects import SubjectSigns
from sparkclean.numbers.false_discovery import adjust_p_values
from sparkclean.numbers.intervals import wilson_interval

BOUNDARY = "boundary"
#: Findings of one kind that are listed, those of most errors first.
MOST_OF_KIND = 50

ACTIONS: Final[Mapping[str, str]] = {
    NONE: "nothing: the surest predictions agree with the labels",
    UNIFORM: "review the suspects; no class or pair stands out",
    CLASS: "review the classes of the highest rates, and how they are defined",
    PAIRS: "write down how the two classes are told apart, and review their suspects",
    SHIFT: "join labels and rows of this file again: labels stand some rows away",
    EXCHANGE: "check the step that joins labels to rows: neighbours have each other's label",
    SWAP: "check the label map of this subject: two classes stand for each other",
    "source": "review this source; leave it out, or weight it down, until it is corrected",
    "annotator": "talk to this annotator, and have the rows labelled again",
    "file": "check how this file came about, and review it",
    "time": "find out what changed in this window, and review its rows",
    "value": "check the rows that have this value",
    ADVERSARIAL: "keep these rows out of training, and find out who wrote them; a sign, no proof",
    BOUNDARY: "nothing by itself: a weak model disagrees near the boundary, too",
}


@dataclass(frozen=True)
class Finding:
    """A hypothesis and what speaks for it.

    Attributes
    ----------
    hypothesis : str
    kind : str or None
        Kind of the subject; None for the whole table.
    subject : str or None
    given, predicted : int or None
        Classes, where it is about one cell.
    measure : str
        What the effect measures.
    statistic, effect, low, high : float or None
    p : float or None
    adjusted_p : float or None
    errors : float or None
        Disagreements that are attributed to it.
    is_marked : bool
        Whether the effect is large and survives the control.
    """

    hypothesis: str
    kind: str | None = None
    subject: str | None = None
    given: int | None = None
    predicted: int | None = None
    measure: str = ""
    statistic: float | None = None
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    adjusted_p: float | None = None
    errors: float | None = None
    is_marked: bool = False

    @property
    def action(self) -> str:
        """What to do about it."""
        return ACTIONS.get(self.hypothesis, ACTIONS["value"])


def list_findings(counts: Counts, signs: Signs, limits: Limits) -> list[Finding]:
    """List all hypotheses, those of the whole table first.

    Parameters
    ----------
    counts : Counts
    signs : Signs
    limits : Limits

    Returns
    -------
    list of Finding
    """
    whole = [*_of_shape(counts, signs.shape, limits)]
    for subjects in signs.subjects:
        whole.append(_of_kind(subjects))
    if signs.neighbours is not None:
        whole += _exchanges(signs.neighbours, limits)
    q = iter(
        adjust_p_values(np.array([found.p for found in whole if found.p is not None])).tolist()
    )
    listed = [found if found.p is None else _with_q(found, next(q)) for found in whole]
    for subjects in signs.subjects:
        listed += _of_subjects(subjects, limits)
    if signs.neighbours is not None:
        listed += _shifts(signs.neighbours)
    return listed


def _with_q(found: Finding, q: float) -> Finding:
    return Finding(**{**vars(found), "adjusted_p": q})


def _of_shape(counts: Counts, shape: Shape, limits: Limits) -> Iterator[Finding]:
    size = counts.shape.num_classes
    noise = shape.rate * counts.shape.rows
    has_noise = shape.low >= limits.core_rate
    yield Finding(
        NONE, measure="rate of the core", statistic=float(shape.errors), effect=shape.rate,
        low=shape.low, high=shape.high, is_marked=not has_noise,
    )  # fmt: skip
    classes = shape.classes
    is_class = has_noise and shape.class_z > limits.class_z
    is_class &= shape.class_effect > limits.class_effect
    is_pairs = has_noise and size > 2 and shape.same_label > limits.same_label
    yield Finding(
        UNIFORM, measure="rate of the core", statistic=float(shape.errors), effect=shape.rate,
        low=shape.low, high=shape.high, errors=noise,
        is_marked=has_noise and not is_class and not is_pairs,
    )  # fmt: skip
    yield Finding(
        CLASS, measure="Cramer's V of class and disagreement", statistic=classes.chi2,
        effect=classes.v, low=classes.low, high=classes.high, p=classes.p, errors=noise,
        is_marked=is_class,
    )  # fmt: skip
    if size > 2:
        low, high, p = _same_label(shape, size)
        yield Finding(
            PAIRS, measure="two errors of a class have the same label, beyond chance",
            statistic=float(shape.same), effect=shape.same_label, low=low, high=high, p=p,
            errors=noise, is_marked=is_pairs,
        )  # fmt: skip
    beyond = counts.shape.tier > 1
    wrong = counts.shape.given != counts.shape.predicted
    outside, of = (int(counts.shape.count[k].sum()) for k in (beyond & wrong, beyond))
    ratio, low, high = log_ratio(outside, of, shape.errors, shape.rows)
    yield Finding(
        BOUNDARY, measure="risk ratio of disagreement, outside of the core to within",
        statistic=float(outside), effect=ratio, low=low, high=high,
    )  # fmt: skip


def _same_label(shape: Shape, size: int) -> tuple[float, float, float]:
    """Give interval and p of pairs, as if as many errors as there are had been drawn in pairs."""
    from scipy.stats import binom  # noqa: PLC0415 (slow, and on the driver only)

    if not shape.pairs:
        return 0.0, 1.0, 1.0
    # pairs share errors, so they are fewer than they seem: no more than half the errors
    trials = max(min(shape.pairs, shape.level_errors // 2), 1)
    hits = round(trials * shape.same / shape.pairs)
    chance = 1.0 / (size - 1)
    low, high = ((x - chance) / (1.0 - chance) for x in wilson_interval(hits, trials))
    return low, high, float(binom.sf(hits - 1, trials, chance))


def _of_kind(signs: SubjectSigns) -> Finding:
    """Give the association of all subjects of a kind with disagreement."""
    counts = signs.counts
    found = cramers_v(np.stack([counts.observed, counts.rows - counts.observed]))
    return Finding(
        counts.kind, kind=counts.kind, measure=f"Cramer's V of {counts.kind} and disagreement",
        statistic=found.chi2, effect=found.v, low=found.low, high=found.high, p=found.p,
        errors=signs.attributed, is_marked=signs.attributed > 0,
    )  # fmt: skip


def _of_subjects(signs: SubjectSigns, limits: Limits) -> list[Finding]:
    counts, found = signs.counts, []
    adversarial = signs.is_adversarial(limits)
    marked = np.flatnonzero(signs.errors > 0)
    for k in marked[np.lexsort((marked, -signs.errors[marked]))][:MOST_OF_KIND]:
        whole = signs.whole
        name, cell = counts.names[k], int(signs.top_cell[k])
        found.append(
            Finding(
                counts.kind, counts.kind, name, measure="risk ratio, observed to expected",
                statistic=float(counts.observed[k]), effect=float(whole.ratio[k]),
                low=float(whole.low[k]), high=float(whole.high[k]), p=float(whole.p[k]),
                adjusted_p=float(signs.whole_q[k]), errors=float(signs.errors[k]), is_marked=True,
            )
        )  # fmt: skip
        if not adversarial[k] and not signs.is_swapped[k]:
            continue
        found.append(_of_cell(signs, cell, SWAP if signs.is_swapped[k] else ADVERSARIAL))
    cells = np.flatnonzero(signs.cell_is_marked)
    order = np.lexsort((cells, -signs.cells.errors[cells]))
    found += [_of_cell(signs, int(cell), counts.kind) for cell in cells[order][:MOST_OF_KIND]]
    return found


def _of_cell(signs: SubjectSigns, cell: int, hypothesis: str) -> Finding:
    counts, cells = signs.counts, signs.cells
    return Finding(
        hypothesis, counts.kind, counts.names[counts.subject[cell]],
        int(counts.given[cell]), int(counts.predicted[cell]),
        "risk ratio of the cell, observed to expected", float(counts.cell_observed[cell]),
        float(cells.ratio[cell]), float(cells.low[cell]), float(cells.high[cell]),
        float(cells.p[cell]), float(signs.cell_q[cell]), float(cells.errors[cell]), is_marked=True,
    )  # fmt: skip


def _exchanges(near: NeighbourSigns, limits: Limits) -> Iterator[Finding]:
    for k, distance in enumerate(NEAR):
        found = near.exchange
        yield Finding(
            EXCHANGE, subject=f"rows {distance} apart",
            measure="exchanged pairs to those far apart", effect=float(found.ratio[k]),
            statistic=float(np.rint(found.errors[k])), low=float(found.low[k]),
            high=float(found.high[k]), p=float(found.p[k]), errors=2.0 * float(found.errors[k]),
            is_marked=bool(near.exchange_q[k] < limits.q and near.exchanged > 0),
        )  # fmt: skip


def _shifts(near: NeighbourSigns) -> list[Finding]:
    counts, shifted = near.counts, np.flatnonzero(near.lag)
    order = shifted[np.lexsort((shifted, -counts.disagreements[shifted]))][:MOST_OF_KIND]
    zero = LAGS.index(0)
    return [
        Finding(
            SHIFT, counts.kind, counts.names[k],
            measure=f"more labels agree {near.lag[k]:+d} rows away",
            statistic=float(counts.agreeing[k, LAGS.index(int(near.lag[k]))]),
            effect=float(near.gain[k]), low=float(near.low[k]), high=float(near.high[k]),
            errors=float(counts.rows[k] - counts.agreeing[k, zero]), is_marked=True,
        )
        for k in order
    ]  # fmt: skip
