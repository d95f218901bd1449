"""The sums of the pass as matrices of all models, on the driver."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparkclean.jobs.rank_models.totals import (
    CLASS_ITEMS,
    HITS,
    ITEMS,
    LOSS_PAIRS,
    LOSSES,
    PREDICTED,
    RIGHT,
    Totals,
)
from sparkclean.noise.metrics import ClassCounts

Integers = NDArray[np.int64]
Strata = tuple[int, ...]


@dataclass(frozen=True)
class Sums:
    """What was added up, by stratum.

    Attributes
    ----------
    totals : Totals
    models : tuple of str
        M names, sorted.
    num_classes : int
        K; 0 where nothing is counted by class.
    """

    totals: Totals
    models: tuple[str, ...]
    num_classes: int

    def items(self, strata: Strata) -> int:
        """Count items."""
        return sum(int(self._row(ITEMS, stratum, 0, 1)[0]) for stratum in strata)

    def hits(self, strata: Strata) -> Integers:
        """Give the Gram matrix of hits, shape (M, M)."""
        return self._square(HITS, strata)

    def losses(self, strata: Strata) -> tuple[Integers, Integers]:
        """Give sums of losses, shape (M,), and of their products, shape (M, M)."""
        count = len(self.models)
        sums = sum(self._row(LOSSES, stratum, 0, count) for stratum in strata)
        return np.asarray(sums), self._square(LOSS_PAIRS, strata)

    def classes(self, strata: Strata) -> ClassCounts:
        """Give counts by model and class."""
        found = [self._classes(stratum) for stratum in strata]
        return found[0] if len(found) == 1 else found[0] + found[1]

    def _classes(self, stratum: int) -> ClassCounts:
        k, models = self.num_classes, range(len(self.models))
        return ClassCounts(
            np.stack([self._row(RIGHT, stratum, m, k) for m in models]),
            np.stack([self._row(PREDICTED, stratum, m, k) for m in models]),
            self._row(CLASS_ITEMS, stratum, 0, k),
        )

    def _row(self, part: str, stratum: int, place: int, count: int) -> Integers:
        found = self.totals.counts.get((part, stratum, place))
        return np.zeros(count, np.int64) if found is None else found

    def _square(self, part: str, strata: Strata) -> Integers:
        count = len(self.models)
        square = np.zeros((count, count), np.int64)
        for stratum in strata:
            for model in range(count):
                square[model, model:] += self._row(part, stratum, model, count - model)
        lower = np.tril_indices(count, -1)
        square[lower] = square.T[lower]
        return square


def hash_sums(sums: Sums) -> str:
    """Hash the integers from which everything follows.

    Parameters
    ----------
    sums : Sums

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    digest = hashlib.sha256(json.dumps(sums.models, ensure_ascii=False).encode())
    for key in sorted(sums.totals.counts):
        digest.update(json.dumps(key).encode())
        digest.update(sums.totals.counts[key].astype("<i8").tobytes())
    return digest.hexdigest()
