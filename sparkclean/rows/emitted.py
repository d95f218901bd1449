"""How rows leave a task: batches of one kind each, state among them.

A function over rows (`sparkclean.rows.streams.RowFunction`) says of each row that it emits what
kind it is, by a number in the column `KIND`. The function chooses these numbers, from 0 on. Rows of
some kinds are *state*: integers that are keyed by two numbers and add up element by element, so
that the answer does not depend on how the rows were divided into tasks. Runs on executors: numpy
and pyarrow only.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from sparkclean.rows.types import Fields, arrow_type

KIND = "kind"
#: Kinds of the state that tells of written files, and of an error. No function uses a negative
#: number.
WRITTEN, INPUT_ERROR = -1, -2
#: State, added up element by element: what it means depends on the kind.
STATE, STATE_TYPE = "state", "array<bigint>"
#: Keys of a state that nobody reads by name; of functions without state, too.
ANY_KEYS = ("first_key", "second_key")
#: Record id columns of intermediate rows are called so, and their position.
ID_PREFIX = "__id_"

Emitted = dict[str, Any]


def state_fields(keys: tuple[str, str]) -> Fields:
    """Name the columns of state: its kind, its two keys, its numbers."""
    first, second = keys
    return ((KIND, "tinyint"), (first, "int"), (second, "int"), (STATE, STATE_TYPE))


def id_fields(id_types: tuple[str, ...]) -> Fields:
    """Name the record id columns of intermediate rows."""
    return tuple((f"{ID_PREFIX}{i}", kind) for i, kind in enumerate(id_types))


def to_batch(columns: Emitted, fields: Fields) -> pa.RecordBatch:
    """Arrange columns as a batch of one kind; what is not given is null."""
    named = dict(columns)
    for i, ids in enumerate(named.pop("ids", [])):
        named[f"{ID_PREFIX}{i}"] = ids
    kind = named.pop(KIND)
    count = len(next(iter(named.values())))
    arrays = []
    for name, spark_type in fields:
        wanted, values = arrow_type(spark_type), named.get(name)
        if name == KIND:
            arrays.append(pa.repeat(pa.scalar(kind, wanted), count))
        elif values is None:
            arrays.append(pa.nulls(count, wanted))
        elif isinstance(values, pa.Array):
            arrays.append(values if values.type == wanted else values.cast(wanted))
        else:
            array = pa.array(values)
            arrays.append(array if array.type == wanted else array.cast(wanted))
    return pa.RecordBatch.from_arrays(arrays, names=[name for name, _ in fields])
