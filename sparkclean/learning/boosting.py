"""Tell where the linear default is weak: gradient boosting beside it, by the same folds.

What is published does not change. The summary names what to configure.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sparkclean.config.sections import PredictSection
from sparkclean.examples.batches import LABEL, class_index
from sparkclean.learning.features import read_block
from sparkclean.learning.model_files import ModelEntry, load_models
from sparkclean.learning.profile import Profile
from sparkclean.learning.scored import FOLD, PLACE
from sparkclean.rows.emitted import ID_PREFIX

#: Rows, classes and columns up to which the comparison takes seconds: 3 s a fold of 1,437 rows of
#: 64 numbers and 10 classes, on one core.
MOST_ROWS, MOST_CLASSES, MOST_COLUMNS = 2000, 20, 256
ESTIMATOR = "sklearn.ensemble.HistGradientBoostingClassifier"
#: Small trees and few: as good on so few rows, and they learn fewer wrong labels by heart.
PARAMS: Mapping[str, Any] = {"max_iter": 50, "max_leaf_nodes": 15}
#: Gain of accuracy from which it is worth saying.
_WORTH = 0.05
_Z = 1.959963984540054


@dataclass(frozen=True)
class Comparison:
    """Rows that two models have predicted out of sample.

    Attributes
    ----------
    rows : int
    linear, boosted : int
        That one of the models alone has right, against the given labels.
    both : int
        That both have right.
    """

    rows: int
    linear: int
    boosted: int
    both: int

    @property
    def gain(self) -> float:
        """Accuracy of gradient boosting less that of the linear model."""
        return (self.boosted - self.linear) / self.rows

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the gain, of two shares of the same rows (Wald)."""
        differ = (self.boosted + self.linear) / self.rows
        half = _Z * math.sqrt(max(differ - self.gain**2, 0.0) / self.rows)
        return self.gain - half, self.gain + half

    @property
    def is_worth_it(self) -> bool:
        """Whether the gain is five points or more, and chance does not explain it."""
        return self.gain >= _WORTH and self.interval[0] > 0.0

    def advice(self) -> list[str]:
        """Say what was found and what to configure, in lines; nothing where it is not worth it."""
        if not self.is_worth_it:
            return []
        accuracies = [(self.both + own) / self.rows for own in (self.linear, self.boosted)]
        low, high = (100 * end for end in self.interval)
        params = ", ".join(f"{name}: {value}" for name, value in PARAMS.items())
        return [
            "the linear model is weak here: by the same folds gradient boosting has an accuracy of "
            f"{accuracies[1]:.4f}, and it {accuracies[0]:.4f} ({100 * self.gain:+.1f} points, 95 % "
            f"interval {low:.1f} to {high:.1f}). To use it, set",
            f"  predict: {{estimator: {ESTIMATOR}, params: {{{params}}}}}",
        ]

    def to_json(self) -> dict[str, int]:
        """Write the counts down for the manifest."""
        return asdict(self)


def outcome(found: Comparison | None) -> str:
    """Say what came of the comparison, also where nothing is to be configured.

    Parameters
    ----------
    found : Comparison or None
        Of `compare_boosting`.

    Returns
    -------
    str
        One line.
    """
    if found is None:
        return "gradient boosting brings no gain worth a change; the linear model stays"
    gain = f"{100 * found.gain:+.1f} points of accuracy"
    if found.is_worth_it:
        return f"gradient boosting brings {gain}; the summary says how to use it"
    low, high = (100 * end for end in found.interval)
    return (
        f"gradient boosting brings {gain} (95 % interval {low:.1f} to {high:.1f}), no gain worth a "
        "change; the linear model stays"
    )


def may_compare(predict: PredictSection, profile: Profile, most: int, num_texts: int) -> bool:
    """Tell whether the comparison is of the default estimator, cheap, and of all rows.

    Parameters
    ----------
    predict : PredictSection
    profile : Profile
    most : int
        Rows of a training.
    num_texts : int

    Returns
    -------
    bool
    """
    return (
        predict.estimator is None
        and not num_texts
        and profile.rows <= min(MOST_ROWS, most)
        and len(profile.classes) <= MOST_CLASSES
        and profile.width <= MOST_COLUMNS
    )


def compare_boosting(
    sample: Path, models: Path, entries: Sequence[ModelEntry], profile: Profile, seed: int
) -> Comparison | None:
    """Compare the linear models of all folds with gradient boosting.

    Parameters
    ----------
    sample : Path
        Folder of the training rows: all labelled rows but those of rare classes.
    models : Path
        Folder of the linear models.
    entries : sequence of ModelEntry
    profile : Profile
    seed : int

    Returns
    -------
    Comparison or None
        None where gradient boosting is not better on the first fold, which saves the others, or
        the linear model so good that nothing is worth it.

    Notes
    -----
    On the driver, one core: up to some seconds a fold. It holds the rows.
    """
    rows = pq.read_table(sample)
    ids = [(name, "ascending") for name in rows.column_names if name.startswith(ID_PREFIX)]
    rows = rows.sort_by([(PLACE, "ascending"), *ids]).combine_chunks()
    if not len(rows):
        return None
    (batch,) = rows.to_batches()
    block = read_block(batch, profile.num_numbers, 0)
    given = class_index(batch.column(LABEL), profile.classes)
    folds = batch.column(FOLD).to_numpy()
    linear = np.zeros(len(given), np.bool_)
    by_fold = load_models(models, entries, None)
    for fold, model in by_fold.items():
        held = np.flatnonzero(folds == fold)
        if len(held):
            linear[held] = model.predict(block.take(held)).argmax(axis=1) == given[held]
    if 1.0 - linear.mean() < _WORTH:
        return None
    boosted = np.zeros_like(linear)
    for number, (fold, model) in enumerate(sorted(by_fold.items())):
        held, rest = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        if len(held):
            matrix = model.matrix.transform
            found = _boosted(matrix(block.take(rest)), given[rest], matrix(block.take(held)), seed)
            boosted[held] = found == given[held]
        if number == 0 and boosted[held].sum() <= linear[held].sum():
            return None
    both = int((linear & boosted).sum())
    return Comparison(len(given), int(linear.sum()) - both, int(boosted.sum()) - both, both)


def _boosted(
    train: NDArray[np.float64], given: NDArray[np.int64], test: NDArray[np.float64], seed: int
) -> NDArray[np.int64]:
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415 (slow)
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = HistGradientBoostingClassifier(random_state=seed, **PARAMS).fit(train, given)
        return np.asarray(made.predict(test), np.int64)
