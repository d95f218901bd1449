"""What one scan over the probabilities computes: small mergeable state, and few numbers a row.

A kernel sees admitted chunks. Its state is integers keyed by class or class pair, emitted once per
task as rows of the scan's output and added up by Spark: addition is exact, so the answer does not
depend on how the data was partitioned. Several kernels ride on one scan (`Together`); each has its
own kinds of output rows. Runs on executors: numpy and pyarrow only.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import pyarrow as pa

from sparkclean.examples.batches import Admitted, BatchReader, Rejected
from sparkclean.numbers.fixed_point import split_limbs, sum_by_class, sum_columns
from sparkclean.rows.emitted import KIND, STATE, Emitted, id_fields, state_fields, to_batch
from sparkclean.rows.types import Fields

#: Kinds of `ClassSums`: its state, and rejected rows. Other kernels on the same scan have others.
SUMS, REJECTED = 0, 1
#: Keys of the state of all kernels: given class, and another number.
KERNEL_KEYS = ("given", "true")
SUMS_STATE = ("examples", "sum_high", "sum_low", "column_high", "column_low")
TOTALS_STATE = ("rows", "clipped", "surely", "percentages")
REJECTED_TYPE = "given_label string, reason string, detail string, lowest double, highest double"
#: Self-confidence above which a row counts towards the warning of in-sample probabilities.
SURE = 0.999


class Kernel(Protocol):
    """One reduction over admitted chunks; a fresh copy works in every task."""

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """Output columns after record ids and state, ``given`` among that: name and Spark type."""

    @property
    def kinds(self) -> tuple[int, ...]:
        """Kinds of the rows that it emits, but for state."""

    @property
    def state_kinds(self) -> tuple[int, ...]:
        """Kinds of its state."""

    def update(self, admitted: Admitted, rejected: Rejected | None) -> Iterator[Emitted]:
        """Take in a chunk; yield columns of rows to emit, the kind and ``ids`` among them."""

    def state(self) -> Iterator[Emitted]:
        """Yield columns of state rows, keyed by `KERNEL_KEYS`, to emit at the end of a task."""


@dataclass
class Together:
    """Several kernels on one scan.

    Attributes
    ----------
    kernels : tuple of Kernel
    """

    kernels: tuple[Kernel, ...]

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """Columns of all of them."""
        return tuple(dict.fromkeys(column for kernel in self.kernels for column in kernel.columns))

    @property
    def kinds(self) -> tuple[int, ...]:
        """Kinds of all of them."""
        return tuple(kind for kernel in self.kernels for kind in kernel.kinds)

    @property
    def state_kinds(self) -> tuple[int, ...]:
        """Kinds of the state of all of them."""
        return tuple(dict.fromkeys(kind for kernel in self.kernels for kind in kernel.state_kinds))

    def update(self, admitted: Admitted, rejected: Rejected | None) -> Iterator[Emitted]:
        """Hand the chunk to each."""
        for kernel in self.kernels:
            yield from kernel.update(admitted, rejected)

    def state(self) -> Iterator[Emitted]:
        """Yield the state of each."""
        for kernel in self.kernels:
            yield from kernel.state()


@dataclass
class ClassSums:
    """Examples and summed self-confidence by class; the rejected rows.

    Attributes
    ----------
    num_classes : int
    with_columns : bool
        Whether to sum whole columns, too (for ``prior_shifted_self_confidence``).
    is_first : bool
        Whether rejected rows are emitted: a later pass only shows that it has read the same.
    """

    state_kinds: ClassVar[tuple[int, ...]] = (SUMS,)

    num_classes: int
    with_columns: bool = False
    is_first: bool = True
    _rows: int = 0
    _clipped: int = 0
    _surely: int = 0
    _percentages: int = 0

    def __post_init__(self) -> None:
        self._examples = np.zeros(self.num_classes, np.int64)
        self._sums = [0] * self.num_classes
        self._columns = [0] * self.num_classes

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """JSON by `REJECTED_TYPE`: few rows, so that others pay little."""
        return (("rejected", "string"),) if self.is_first else ()

    @property
    def kinds(self) -> tuple[int, ...]:
        """Rejected rows, in a first pass."""
        return (REJECTED,) if self.is_first else ()

    def update(self, admitted: Admitted, rejected: Rejected | None) -> Iterator[Emitted]:
        """Add a chunk."""
        self._rows += len(admitted.given)
        self._clipped += admitted.clipped
        given = admitted.given
        self._examples += np.bincount(given, minlength=self.num_classes)
        own = admitted.own
        self._surely += int((own > SURE).sum())
        sums = sum_by_class(given, own, self.num_classes)
        self._sums = [a + int(b) for a, b in zip(self._sums, sums, strict=True)]
        if self.with_columns:
            sums = sum_columns(admitted.pred_probs)
            self._columns = [a + int(b) for a, b in zip(self._columns, sums, strict=True)]
        if rejected is None:
            return
        self._rows += len(rejected.reason)
        self._percentages += rejected.percentages
        if self.is_first:
            yield {KIND: REJECTED, "ids": rejected.ids, "rejected": rejected.to_json()}

    def state(self) -> Iterator[Emitted]:
        """Emit a row for each class that was seen, by `SUMS_STATE`; totals as class -1."""
        seen = [k for k in range(self.num_classes) if self._examples[k] or self._columns[k]]
        state = [
            [int(self._examples[k]), *split_limbs(self._sums[k]), *split_limbs(self._columns[k])]
            for k in seen
        ]
        totals = [self._rows, self._clipped, self._surely, self._percentages, 0]
        yield {KIND: SUMS, "given": [*seen, -1], STATE: [*state, totals]}


@dataclass(frozen=True)
class RunKernel:
    """Runs a kernel over the batches of a task.

    Attributes
    ----------
    reader : BatchReader
    kernel : Kernel
        Unused so far; every task works on a copy.
    id_types : tuple of str
        Spark types of the record id columns.
    """

    reader: BatchReader
    kernel: Kernel
    id_types: tuple[str, ...]
    keys: ClassVar[tuple[str, str]] = KERNEL_KEYS

    @property
    def fields(self) -> Fields:
        """Columns of the output."""
        kind, *state = state_fields(self.keys)
        return (kind, *id_fields(self.id_types), *state, *self.kernel.columns)

    @property
    def kinds(self) -> tuple[int, ...]:
        """Kinds of the rows that it emits, but for state."""
        return self.kernel.kinds

    @property
    def state_kinds(self) -> tuple[int, ...]:
        """Kinds of its state."""
        return self.kernel.state_kinds

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield what the kernel emits, then its state."""
        own, fields = copy.deepcopy(self.kernel), self.fields
        for admitted, rejected in self.reader.chunks(batches):
            for emitted in own.update(admitted, rejected):
                yield to_batch(emitted, fields)
        for state in own.state():
            yield to_batch(state, fields)
