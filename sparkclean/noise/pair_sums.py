"""Sums over items of which every pair of models can be compared: Gram matrices of integers.

Runs on executors: numpy only. Integers add up to the same sum in any order.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

#: Items that a product of 0/1 matrices takes at once: their counts are exact in float32.
HIT_ROWS = 2048
#: Losses enter products in units of 2**-12. A loss is below 2**18 units, so the products of 4,096
#: items stay below 2**48, and float64 adds them exactly.
LOSS_BITS = 12
LOSS_ROWS = 4096
#: Variance of what rounding to these units adds to the difference of two losses.
LOSS_ERROR = 2.0 ** (-2 * LOSS_BITS) / 6.0


@dataclass
class HitSums:
    """The Gram matrix of hits: how often two models are both right.

    Attributes
    ----------
    num_models : int
        M.
    items : int
        That were added.
    """

    num_models: int
    items: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        shape = (self.num_models, self.num_models)
        self._sums = np.zeros(shape, np.int64)
        self._waiting: list[NDArray[np.bool_]] = []
        self._rows = 0

    def add(self, hits: NDArray[np.bool_]) -> None:
        """Add items.

        Parameters
        ----------
        hits : ndarray of bool, shape (N, M)
            Whether each model is right.
        """
        self.items += len(hits)
        self._rows += len(hits)
        self._waiting.append(hits)
        if self._rows >= HIT_ROWS:
            self._flush()

    def sums(self) -> NDArray[np.int64]:
        """Give the counts, shape (M, M); the diagonal holds the hits of each model."""
        self._flush()
        return self._sums

    def _flush(self) -> None:
        rows = np.concatenate([np.zeros((0, self.num_models), bool), *self._waiting])
        for start in range(0, len(rows), HIT_ROWS):
            block = rows[start : start + HIT_ROWS].astype(np.float32)
            self._sums += (block.T @ block).astype(np.int64)
        self._waiting, self._rows = [], 0


@dataclass
class LossSums:
    """The Gram matrix of losses, in units of 2**-24.

    Attributes
    ----------
    num_models : int
        M.
    """

    num_models: int

    def __post_init__(self) -> None:
        self._sums = np.zeros((self.num_models, self.num_models), np.int64)

    def add(self, losses: NDArray[np.float64]) -> None:
        """Add items.

        Parameters
        ----------
        losses : ndarray of float64, shape (N, M)
            Log losses, from 0 to 52 ln 2.
        """
        units = np.rint(losses * float(1 << LOSS_BITS))
        for start in range(0, len(units), LOSS_ROWS):
            block = units[start : start + LOSS_ROWS]
            self._sums += (block.T @ block).astype(np.int64)

    def sums(self) -> NDArray[np.int64]:
        """Give the sums of products, shape (M, M); exact for up to 2**27 items."""
        return self._sums
