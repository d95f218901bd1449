"""What makes an audit's answer doubtful: reasons not to make a cleaned version of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparkclean.confident.thresholds import confident_thresholds
from sparkclean.examples.checks import permuted_columns
from sparkclean.examples.statistics import ClassStatistics
from sparkclean.jobs.audit.row_types import SURENESS
from sparkclean.jobs.audit.sureness import BUCKETS
from sparkclean.numbers.intervals import wilson_interval
from sparkclean.numbers.pair_counts import PairCounts
from sparkclean.rows.streams import State

#: Share of the rows of a predicted class that are its core: one in so many.
_CORE = 4
#: Fewer rows tell too little of a model.
_ENOUGH_ROWS = 100
#: Suspects from this share of the rows on are many.
_MANY = 0.1
#: They are doubtful where the labels of the core differ in less than this part of that share.
_DOUBTFUL = 0.8
#: Standard errors by which probabilities must be better than the classes' shares.
_ERRORS = 2.0
_BETTER_MODELS = (
    "sklearn.ensemble.RandomForestClassifier or sklearn.ensemble.HistGradientBoostingClassifier as "
    "predict.estimator, or your own"
)


@dataclass(frozen=True)
class Core:
    """The quarter of the rows of each predicted class of which the model is surest.

    There classes hardly overlap: a label that differs from the prediction is likely to be wrong.

    Attributes
    ----------
    rows, differing : int
        All of them; those whose given label is not the predicted one.
    """

    rows: int
    differing: int

    @property
    def share(self) -> float:
        """Share of the labels that differ."""
        return self.differing / self.rows if self.rows else 0.0


@dataclass(frozen=True)
class Doubt:
    """One reason for doubt.

    Attributes
    ----------
    allowed_by : str
        The setting of section ``gate`` that lets such an answer through.
    text : str
        What was found.
    remedy : str
    """

    allowed_by: str
    text: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.text}; {self.remedy}"


def find_core(states: Iterable[State]) -> Core:
    """Find the core in the counts of a pass.

    Parameters
    ----------
    states : iterable of State
        Those of kind `SURENESS` count.

    Returns
    -------
    Core
        Of each predicted class the surest buckets that hold a quarter of its rows, so at least
        that many.
    """
    counts: dict[int, NDArray[np.int64]] = {}
    for state in states:
        if state.kind == SURENESS:
            predicted, differs = divmod(state.first, 2)
            table = counts.setdefault(predicted, np.zeros((2, BUCKETS), np.int64))
            table[differs, state.second] = state.values[0]
    rows = differing = 0
    for table in counts.values():
        from_above = table[:, ::-1].cumsum(axis=1)
        both = from_above.sum(axis=0)
        last = int(np.searchsorted(_CORE * both, both[-1]))
        rows += int(both[last])
        differing += int(from_above[1, last])
    return Core(rows, differing)


def find_doubts(
    statistics: ClassStatistics,
    predictions: PairCounts,
    core: Core,
    num_suspects: int | None,
    classes: Sequence[object],
) -> tuple[Doubt, ...]:
    """Find what makes an answer doubtful.

    Parameters
    ----------
    statistics : ClassStatistics
    predictions : PairCounts
        Rows by given class and argmax.
    core : Core
    num_suspects : int or None
        None where they are not known, as of a sample.
    classes : sequence
        The K labels.

    Returns
    -------
    tuple of Doubt

    Notes
    -----
    *Permuted columns*: another assignment of columns to labels fits better.

    *A weak model*: no mixture of the probabilities with the classes' shares has a lower log loss
    than the shares alone, which is so where the mean of p(label) / share(label) is at most 1: the
    sum of the mean self-confidences of all classes. Log loss itself would also refuse forests that
    give probabilities of 0, and are right.

    *Many suspects*: at least a tenth of the rows, while in the core, where the model is surest, the
    labels differ in less than four fifths of that share, and not by chance. If wrong labels are
    spread evenly the two shares are alike; where suspects are more, the rest are rows that the
    model confuses.
    """
    doubts = []
    permuted = permuted_columns(predictions, classes)
    if permuted is not None:
        remedy = "check the order of classes against the model's"
        doubts.append(Doubt("allow_permuted", permuted, remedy))
    rows = statistics.audited
    if rows < _ENOUGH_ROWS:
        return tuple(doubts)
    gain, error = _gain(statistics)
    if gain <= _ERRORS * error:
        text = (
            "the probabilities predict the labels no better than the class shares do (the mean of "
            f"p(label) / share of the label is {1.0 + gain:.3f}, and must exceed "
            f"{1.0 + _ERRORS * error:.3f})"
        )
        remedy = (
            "check that each row has the probabilities of its own features, or use a better model "
            "({_BETTER_MODELS})"
        )
        doubts.append(Doubt("allow_weak_model", text, remedy))
    share = (num_suspects or 0) / rows
    _, highest = wilson_interval(core.differing, core.rows)
    if share >= _MANY and core.share < _DOUBTFUL * share and highest < share:
        text = (
            f"{num_suspects:,} suspects are {share:.1%} of the rows, but of the "
            f"{core.rows:,} rows that the model is surest of only {core.share:.1%} have another "
            "label: many suspects are likely to be mistakes of the model"
        )
        doubts.append(Doubt("allow_many_suspects", text, f"use a better model ({_BETTER_MODELS})"))
    return tuple(doubts)


def _gain(statistics: ClassStatistics) -> tuple[float, float]:
    """Give by how much the mean of p(label) / share exceeds 1, and a bound of its error."""
    present = np.flatnonzero(statistics.examples > 0)
    examples = statistics.examples[present].astype(np.float64)
    means = confident_thresholds(statistics.sums, statistics.examples.tolist())[present]
    # of numbers in [0, 1] with a given mean the variance is at most this
    variances = means * (1.0 - means) / examples
    return float(means.sum()) - 1.0, float(np.sqrt(variances.sum()))
