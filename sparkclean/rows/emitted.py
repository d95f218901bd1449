"""How rows leave a task: batches of one kind each, state among them.

A function over rows says of each row that it emits what kind it is, by a number in the column
`KIND`. Rows of some kinds are *state*: integers that are keyed by up to two numbers and add up
element by element, so that the answer does not depend on how the rows were cut into tasks. Runs on
executors: numpy and pyarrow only.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from sparkclean.rows.types import Fields, arrow_type

#: Kinds of rows: state, and what was emitted.
SUMS, COUNTS, BUCKETS, HASHES, QUALITY, WRITTEN, PREDICTIVE = range(7)
REJECTED, LOW, OPEN, MARGIN, ISSUE, PREDICTED, SAMPLED = range(7, 14)
STATES = frozenset({SUMS, COUNTS, BUCKETS, HASHES, QUALITY, WRITTEN, PREDICTIVE})

KIND = "kind"
#: State, added up element by element: what it means depends on the kind.
STATE, STATE_TYPE = "state", "array<bigint>"
STATE_FIELDS: Fields = ((KIND, "tinyint"), ("given", "int"), ("true", "int"), (STATE, STATE_TYPE))
#: Record id columns of intermediate rows are called so, and their position.
ID_PREFIX = "__id_"

Emitted = dict[str, Any]


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
