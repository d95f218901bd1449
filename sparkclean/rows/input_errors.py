"""Errors of input that a task tells of, as it would of state: Spark repeats a task that raises.

Runs on executors: pyarrow only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from sparkclean.errors import InputError
from sparkclean.rows.emitted import INPUT_ERROR, KIND, to_batch
from sparkclean.rows.types import Fields

#: Column of the error.
PROBLEM = "problem"


@dataclass(frozen=True)
class InputErrorsReturned:
    """A function over rows that raises no `InputError`, but emits it and ends.

    Attributes
    ----------
    function : RowFunction
    """

    function: Any

    @property
    def fields(self) -> Fields:
        """Columns of the output: those of the function, and `PROBLEM`."""
        return (*self.function.fields, (PROBLEM, "string"))

    @property
    def keys(self) -> tuple[str, str]:
        """Names of the two columns that key its state."""
        return self.function.keys

    @property
    def kinds(self) -> tuple[int, ...]:
        """Kinds of its rows."""
        return self.function.kinds

    @property
    def state_kinds(self) -> tuple[int, ...]:
        """Kinds of its state, `INPUT_ERROR` among them."""
        return (*self.function.state_kinds, INPUT_ERROR)

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the output of the function, or as much as came before the error."""
        try:
            for batch in self.function(batches):
                nothing = pa.nulls(len(batch), pa.string())
                names = [*batch.schema.names, PROBLEM]
                yield pa.RecordBatch.from_arrays([*batch.columns, nothing], names)
        except InputError as exc:
            yield to_batch({KIND: INPUT_ERROR, PROBLEM: [str(exc)]}, self.fields)
