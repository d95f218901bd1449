"""Plant noise in rows whose ranks are counted. Runs on executors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sparkclean.noise.simulate import (
    UNCHANGED,
    Noise,
    Rows,
    exchange_targets,
    flip_targets,
    mix,
    noise_seed,
)

#: Columns of the rows: class of the label; for each noise, with its number behind: whether it may
#: change the row, its group, the rank of the row, the class that the row would get.
CODE, MAY, BY, RANK, RUNNER_UP, SHIFTED = "code", "may_", "by_", "rank_", "runner_up_", "shifted_"
#: What is added: class with noise, number of the noise, its group.
NOISY, NOISE, SOURCE = "noisy", "noise", "source"

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Plan:
    """One noise and what was counted for it.

    Attributes
    ----------
    noise : Noise
    groups : tuple of str
        Names, sorted; one empty name where there are no groups.
    sizes : ndarray of int64, shape (G, K)
        Rows that may change, by group and class.
    """

    noise: Noise
    groups: tuple[str, ...]
    sizes: Integers


@dataclass(frozen=True)
class PlantRows:
    """A function over rows.

    Attributes
    ----------
    plans : tuple of Plan
    ids : tuple of str
        Record id columns, which stay.
    seed : int
    """

    plans: tuple[Plan, ...]
    ids: tuple[str, ...]
    seed: int

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield record ids, `CODE`, `NOISY`, `NOISE` and `SOURCE`."""
        for batch in batches:
            if len(batch):
                yield self._plant(batch)

    def _plant(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        true = _integers(batch.column(CODE))
        targets = [self._targets(number, batch, true) for number in range(len(self.plans))]
        planted = mix(true, targets)
        source = pa.nulls(len(batch), pa.string())
        for number in range(len(self.plans)):
            name = f"{BY}{number}"
            if name in batch.schema.names:
                mine = pa.array(planted.noise == number)
                source = pc.if_else(mine, batch.column(name), source)
        return pa.RecordBatch.from_arrays(
            [
                *(batch.column(name) for name in (*self.ids, CODE)),
                pa.array(planted.noisy.astype(np.int32)),
                pa.array(planted.noise.astype(np.int32)),
                source,
            ],
            names=[*self.ids, CODE, NOISY, NOISE, SOURCE],
        )

    def _targets(self, number: int, batch: pa.RecordBatch, true: Integers) -> Integers:
        """Say what one noise would make of each row."""
        plan, count = self.plans[number], len(batch)
        targets = np.full(count, UNCHANGED, np.int64)
        if plan.noise.kind == "shift":
            shifted = batch.column(f"{SHIFTED}{number}")
            return _integers(shifted.fill_null(UNCHANGED))
        may = np.asarray(batch.column(f"{MAY}{number}").fill_null(False))
        chosen = np.flatnonzero(may)
        group = np.zeros(count, np.int64)
        if f"{BY}{number}" in batch.schema.names:
            names = pa.array(plan.groups, pa.string())
            found = pc.index_in(batch.column(f"{BY}{number}"), names)
            group = _integers(found.fill_null(0))
        ranks = _integers(batch.column(f"{RANK}{number}").fill_null(0))
        rows = Rows(true[chosen], ranks[chosen], group[chosen])
        if plan.noise.kind == "exchange":
            targets[chosen] = exchange_targets(plan.noise, rows, plan.sizes)
            return targets
        seed = noise_seed(self.seed, number)
        targets[chosen] = flip_targets(plan.noise, rows, plan.sizes, plan.groups, seed)
        if f"{RUNNER_UP}{number}" in batch.schema.names:
            runner_up = _integers(batch.column(f"{RUNNER_UP}{number}").fill_null(UNCHANGED))
            targets = np.where(targets == UNCHANGED, UNCHANGED, runner_up)
        return targets


def _integers(column: pa.Array) -> Integers:
    found: Integers = column.to_numpy(zero_copy_only=False).astype(np.int64)
    return found
