"""The dominant kind of noise, and how stable that answer is."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np

from sparkclean.noise.diagnosis.counts import Counts
from sparkclean.noise.diagnosis.draws import PoissonDraws
from sparkclean.noise.diagnosis.limits import Limits
from sparkclean.noise.diagnosis.neighbours import NeighbourSigns, find_neighbours
from sparkclean.noise.diagnosis.shape import Shape, measure_shape
from sparkclean.noise.diagnosis.subjects import SubjectSigns, find_subjects

NONE, UNDETERMINED = "none", "undetermined"
UNIFORM, CLASS, PAIRS = "uniform", "class", "pairs"
SHIFT, EXCHANGE, SWAP, ADVERSARIAL = "shift", "exchange", "swap", "adversarial"
SUBJECTS: Final = ("source", "annotator", "file", "time")
#: What the dominant kind may be.
KINDS: Final = (
    NONE, UNIFORM, CLASS, PAIRS, EXCHANGE, SHIFT, SWAP, *SUBJECTS, ADVERSARIAL, UNDETERMINED,
)  # fmt: skip

REPLICATES = 200


class Signs(NamedTuple):
    """All that speaks for or against kinds of noise, and the kind that it makes."""

    shape: Shape
    subjects: tuple[SubjectSigns, ...]
    neighbours: NeighbourSigns | None
    kind: str
    reason: str


def find_signs(counts: Counts, limits: Limits, *, data: Signs | None = None) -> Signs:
    """Look for every kind of noise, and decide.

    Parameters
    ----------
    counts : Counts
    limits : Limits
    data : Signs, optional
        Of the data, where the counts are a replicate of them: it has no intervals.

    Returns
    -------
    Signs
    """
    size = counts.shape.num_classes
    shape = measure_shape(counts.shape, limits)
    subjects = tuple(
        find_subjects(of, size, limits, data=None if data is None else data.subjects[k])
        for k, of in enumerate(counts.subjects)
    )
    near = None
    if counts.neighbours is not None:
        before = None if data is None else data.neighbours
        near = find_neighbours(counts.neighbours, limits, data=before)
    kind, reason = _decide(shape, subjects, near, counts, limits)
    return Signs(shape, subjects, near, kind, reason)


def _decide(
    shape: Shape,
    subjects: tuple[SubjectSigns, ...],
    near: NeighbourSigns | None,
    counts: Counts,
    limits: Limits,
) -> tuple[str, str]:
    noise = shape.rate * counts.shape.rows if shape.low >= limits.core_rate else 0.0
    explained = 0.0
    if near is not None:
        for kind, errors in ((SHIFT, near.shifted), (EXCHANGE, near.exchanged)):
            if 0 < errors >= limits.attributed * noise:
                return kind, f"{errors:,.0f} errors are attributed to it"
            explained = max(explained, errors)
    best = _best(subjects)
    if best is not None:
        explained = max(explained, best.attributed)
        if best.attributed >= limits.attributed * noise:
            reason = f"{best.attributed:,.0f} errors are attributed to it"
            for kind, of in ((SWAP, best.is_swapped), (ADVERSARIAL, best.is_adversarial(limits))):
                if best.share_of(of) > limits.attributed:
                    return kind, reason
            return best.counts.kind, reason
    if explained > limits.mixed * noise > 0:
        text = f"some subjects or neighbours explain {explained:,.0f} errors, not the greater part"
        return UNDETERMINED, text
    return _of_shape(shape, counts.shape.num_classes, limits)


def _of_shape(shape: Shape, num_classes: int, limits: Limits) -> tuple[str, str]:
    """Name the kind that the core shows."""
    if shape.low < limits.core_rate:
        return NONE, "the model agrees with the labels of which it is surest"
    doubt = _doubt(shape, limits)
    if doubt is not None:
        return UNDETERMINED, doubt
    if num_classes > 2 and shape.same_label > limits.same_label:
        return PAIRS, "most errors of a class have the same label"
    if shape.class_z > limits.class_z and shape.class_effect > limits.class_effect:
        return CLASS, "some classes have far more errors than others"
    return UNIFORM, "errors are spread over classes and labels"


def _doubt(shape: Shape, limits: Limits) -> str | None:
    """Say why the core does not tell noise from errors of the model."""
    if shape.errors < limits.fewest_core:
        return f"the core has only {shape.errors:,} disagreements"
    rises = min(shape.tier_ratio, shape.next_ratio) > limits.tier_ratio
    if rises and shape.tier_z > limits.tier_z:
        return "the surer the model is, the less it disagrees: it may be the model that is wrong"
    if shape.outside > limits.outside_ratio * shape.rate:
        return "the model is too weak: outside the core it disagrees far more often"
    return None


def _best(subjects: tuple[SubjectSigns, ...]) -> SubjectSigns | None:
    """Choose the kind of subjects that explains most; of nearly equal ones, the fewest subjects."""
    found = [of for of in subjects if of.attributed > 0]
    if not found:
        return None
    most = max(of.attributed for of in found)
    close = [of for of in found if of.attributed >= 0.8 * most]
    return min(close, key=lambda of: int(np.count_nonzero(of.errors)))


class Stability(NamedTuple):
    """The dominant kind, and the share of replicates by kind."""

    kind: str
    stability: float
    reason: str
    shares: dict[str, float]


def judge_stability(
    counts: Counts, found: Signs, limits: Limits, *, replicates: int = REPLICATES, seed: int = 0
) -> Stability:
    """Decide again on Poisson replicates of the counts.

    A row that is drawn Poisson(1) times makes a count n of rows Poisson(n): so counts are drawn,
    not rows.

    Parameters
    ----------
    counts : Counts
    found : Signs
        Of the counts themselves.
    limits : Limits
    replicates, seed : int

    Returns
    -------
    Stability
        `UNDETERMINED` where the winner has less than ``limits.stable`` of the replicates.
    """
    kinds = Counter(
        find_signs(_replicate(counts, seed * replicates + number), limits, data=found).kind
        for number in range(replicates)
    )
    shares = {kind: count / replicates for kind, count in sorted(kinds.items())}
    stability = shares.get(found.kind, 0.0)
    if found.kind != UNDETERMINED and stability < limits.stable:
        text = f"{found.kind} is the answer of only {100 * stability:.0f} % of the replicates"
        return Stability(UNDETERMINED, stability, text, shares)
    return Stability(found.kind, stability, found.reason, shares)


def _replicate(counts: Counts, number: int) -> Counts:
    shape = counts.shape
    draws = PoissonDraws(number)
    subjects = []
    for of in counts.subjects:
        cells = draws.poisson(of.cell_observed)
        listed = np.bincount(of.subject, of.cell_observed, len(of.names)).astype(np.int64)
        drawn = np.bincount(of.subject, cells, len(of.names)).astype(np.int64)
        subjects.append(
            replace(
                of,
                observed=draws.poisson(of.observed - listed) + drawn,
                cell_observed=cells,
                rest_observed=draws.poisson(of.rest_observed),
            )
        )
    near = counts.neighbours
    if near is not None:
        agreeing = np.minimum(draws.poisson(near.agreeing), near.compared)
        near = replace(near, agreeing=agreeing, exchanged=draws.poisson(near.exchanged))
    return replace(
        counts,
        shape=replace(shape, count=draws.poisson(shape.count)),
        subjects=tuple(subjects),
        neighbours=near,
    )
