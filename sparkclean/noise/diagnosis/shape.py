"""What the disagreements of the confident core look like: none, uniform, by class, by pairs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sparkclean.noise.diagnosis.buckets import CORE, OUTSIDE, TOP
from sparkclean.noise.diagnosis.chances import Association, cramers_v
from sparkclean.noise.diagnosis.counts import Bools, ShapeCounts
from sparkclean.noise.diagnosis.limits import Limits
from sparkclean.numbers.intervals import wilson_interval


class Shape(NamedTuple):
    """The core's disagreements.

    Attributes
    ----------
    rows, errors : int
        Of the core.
    rate, low, high : float
        Share of disagreements of the core, with Wilson's interval.
    tier_ratio : float
        Rate of the core's less sure half over that of its surer half; 1 where noise does not depend
        on the confidence of the model.
    tier_z : float
        Its logarithm in standard errors.
    next_ratio : float
        Rate of the tier after the core over that of the core.
    outside : float
        Share of disagreements of the least sure tier.
    level_errors : int
        Disagreements of the core and of the tiers after it, as long as their rate is level.
    same_label : float
        How often two errors of a class have the same label: 0 as by chance, 1 always.
    same, pairs : int
        Pairs of errors of a class, one of each half of the rows: with the same label, and all.
    classes : Association
        Of predicted class and disagreement.
    class_effect, class_z : float
        Mean squared relative distance of rates of classes from the mean; the same in standard
        deviations of what chance makes.
    """

    rows: int
    errors: int
    rate: float
    low: float
    high: float
    tier_ratio: float
    tier_z: float
    next_ratio: float
    outside: float
    level_errors: int
    same_label: float
    same: int
    pairs: int
    classes: Association
    class_effect: float
    class_z: float


def measure_shape(counts: ShapeCounts, limits: Limits) -> Shape:
    """Measure the core.

    Parameters
    ----------
    counts : ShapeCounts
    limits : Limits

    Returns
    -------
    Shape
    """
    size, wrong = counts.num_classes, counts.given != counts.predicted
    tiers = range(OUTSIDE + 1)
    errors = [_sum(counts, wrong & (counts.tier == tier)) for tier in tiers]
    rows = [_sum(counts, counts.tier == tier) for tier in tiers]
    rates = [(e + 0.5) / (r + 1.0) for e, r in zip(errors, rows, strict=True)]
    core_rows, core_errors = sum(rows[: CORE + 1]), sum(errors[: CORE + 1])
    low, high = wilson_interval(core_errors, core_rows)
    last = CORE
    while last + 1 < OUTSIDE and rates[last + 1] < limits.level_ratio * high:
        last += 1
    level = counts.tier <= last
    ratio = rates[CORE] / rates[TOP]
    spread = np.sqrt(sum(1.0 / (errors[tier] + 0.5) for tier in (TOP, CORE)))
    same, pairs = _same_label(counts, level & wrong)
    chance = 1.0 / max(size - 1, 1)
    share = (same / pairs - chance) / (1.0 - chance) if pairs and size > 2 else 0.0
    effect, z = _class_effect(counts, level, wrong)
    by_class = [
        np.bincount(counts.predicted[of], counts.count[of], size)
        for of in (level & wrong, level & ~wrong)
    ]
    return Shape(
        rows=core_rows,
        errors=core_errors,
        rate=core_errors / core_rows if core_rows else 0.0,
        low=low,
        high=high,
        tier_ratio=ratio,
        tier_z=float(np.log(ratio) / spread),
        next_ratio=rates[CORE + 1] * (core_rows + 1.0) / (core_errors + 0.5),
        outside=errors[OUTSIDE] / rows[OUTSIDE] if rows[OUTSIDE] else 0.0,
        level_errors=sum(errors[: last + 1]),
        same_label=share,
        same=same,
        pairs=pairs,
        classes=cramers_v(np.stack(by_class).astype(np.int64)),
        class_effect=effect,
        class_z=z,
    )


def _class_effect(counts: ShapeCounts, of: Bools, wrong: Bools) -> tuple[float, float]:
    """Measure how far rates of classes differ: the mean squared relative distance from the mean.

    Distances of the two halves of the rows are multiplied, so that chance adds nothing, in
    replicates neither. Also gives it in standard deviations of what chance makes.
    """
    size, distances, usual, total = counts.num_classes, [], [], 0.0
    for half in (0, 1):
        mine = of & (counts.half == half)
        rows = np.bincount(counts.predicted[mine], counts.count[mine], size)
        errors = np.bincount(counts.predicted[mine & wrong], counts.count[mine & wrong], size)
        if not errors.sum():
            return 0.0, 0.0
        expected = errors.sum() / rows.sum() * rows
        distances.append(errors - expected)
        usual.append(expected)
        total += 0.5 * float(errors.sum())
    there = (usual[0] > 0) & (usual[1] > 0)
    mean = np.where(there, 0.5 * (usual[0] + usual[1]), 1.0)
    value = float((distances[0] * distances[1] / mean)[there].sum())
    return value / total, value / float(np.sqrt(max(size - 1, 1)))


def _sum(counts: ShapeCounts, of: Bools) -> int:
    return int(counts.count[of].sum())


def _same_label(counts: ShapeCounts, of: Bools) -> tuple[int, int]:
    """Count pairs of errors of a class, one of each half, with the same label; and all pairs.

    Their share is the chance that two errors of a class have the same label, without bias: also in
    replicates, where a count stands beside itself within a half.
    """
    size = counts.num_classes
    code = counts.predicted[of] * size + counts.given[of]
    codes, place = np.unique(code, return_inverse=True)
    by_half = np.zeros((2, len(codes)), np.int64)
    np.add.at(by_half, (counts.half[of], place), counts.count[of])
    of_class = [np.bincount(codes // size, half, size).astype(np.int64) for half in by_half]
    return int((by_half[0] * by_half[1]).sum()), int((of_class[0] * of_class[1]).sum())
