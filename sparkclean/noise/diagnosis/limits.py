"""The limits by which kinds of noise are told apart."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Limits of a diagnosis; `benchmarks/diagnose.py` has measured them.

    Attributes
    ----------
    core_rate : float
        Lower limit of the core's rate below which there is no noise to name.
    q : float
        Adjusted p below which an excess counts.
    subject_ratio, cell_ratio : float
        Risk ratios above which the excess of a subject, and of a cell, counts.
    fewest : int
        Disagreements below which nothing is said of a subject or cell.
    attributed : float
        Share of the noise above which a kind of subject, or of neighbours, is the dominant one.
    mixed : float
        Share above which it is too much for the rest to be called by another name.
    one_cell : float
        Share of a subject's errors in one cell above which this is a sign of poisoning.
    lag_gain : float
        By how much more labels of a file agree at another lag.
    same_label : float
        `Shape.same_label` above which noise goes by pairs.
    class_z, class_effect : float
        `Shape.class_z` and `Shape.class_effect` above which noise goes by class.
    level_ratio : float
        A tier has the noise of the core as long as its rate is below so many times the upper limit
        of the core's.
    tier_ratio, tier_z : float
        `Shape.tier_ratio` (and `Shape.next_ratio`) and `Shape.tier_z` above which the errors may be
        those of the model.
    outside_ratio : float
        Rate outside the core over that within, above which the model is too weak.
    exchange_ratio : float
        Exchanges of neighbours to those of distant rows, above which they count.
    fewest_core : int
        Disagreements of the core below which its shape says nothing.
    stable : float
        Share of the replicates that a winner needs.
    """

    core_rate: float = 0.005
    q: float = 0.01
    subject_ratio: float = 1.3
    cell_ratio: float = 2.0
    fewest: int = 10
    attributed: float = 0.5
    mixed: float = 0.2
    one_cell: float = 0.7
    lag_gain: float = 0.2
    same_label: float = 0.35
    class_z: float = 2.33
    level_ratio: float = 1.2
    class_effect: float = 0.1
    tier_ratio: float = 1.35
    tier_z: float = 2.0
    exchange_ratio: float = 1.5
    outside_ratio: float = 10.0
    fewest_core: int = 20
    stable: float = 0.8
