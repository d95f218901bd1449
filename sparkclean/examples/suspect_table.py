"""The suspect table, by its contract in ``schema``: as a frame, or as files that tasks write."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyspark.sql import functions as F

from sparkclean import schema
from sparkclean.examples.columns import Columns
from sparkclean.examples.ranks import divide
from sparkclean.examples.suspect_writer import Piece, WriteSuspects
from sparkclean.examples.suspects import Suspects, ranked
from sparkclean.rows import streams
from sparkclean.rows.emitted import ID_PREFIX
from sparkclean.rows.row_groups import RowGroups
from sparkclean.rows.streams import WriteFiles
from sparkclean.rows.types import arrow_type, has_arrow_type

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

#: Suspects that a task sorts, at most about twice; that tasks rank by themselves.
_PIECE_ROWS, _MOST_SUSPECTS = 300_000, 16_000_000


def internal_ids(columns: Columns) -> list[str]:
    """Names of the record id columns in all intermediate frames."""
    return [f"{ID_PREFIX}{i}" for i in range(len(columns.ids))]


def original_ids(columns: Columns) -> list[Column]:
    """Record id columns of an intermediate frame under the user's names."""
    names = zip(internal_ids(columns), columns.ids, strict=True)
    return [F.col(internal).alias(name) for internal, name in names]


def suspects_frame(suspects: Suspects, columns: Columns, constants: Mapping[str, str]) -> DataFrame:
    """Build the suspect table.

    Parameters
    ----------
    suspects : Suspects
    columns : Columns
    constants : mapping
        Columns that have one value: where the rows come from.

    Returns
    -------
    DataFrame
        By ``schema.SUSPECTS``, after the record id columns. Lazy: ranks are computed for whoever
        reads them.
    """
    frame = ranked(suspects, internal_ids(columns))
    return _in_the_users_words(frame, suspects, columns, constants)


def collect_top(
    suspects: Suspects, columns: Columns, constants: Mapping[str, str], count: int
) -> list[dict[str, Any]]:
    """Find the first rows of the suspect table without ranking all.

    Parameters
    ----------
    suspects, columns, constants
        As in `suspects_frame`.
    count : int
        Rows, at most.

    Returns
    -------
    list of dict

    Notes
    -----
    One job: a heap on each task, not a sort.
    """
    order = [schema.LABEL_QUALITY, *internal_ids(columns)]
    top = suspects.frame.orderBy(*order).limit(count).withColumn(schema.RANK, F.lit(0))
    rows = _in_the_users_words(top, suspects, columns, constants).collect()
    return [row.asDict() | {schema.RANK: place} for place, row in enumerate(rows, 1)]


def _in_the_users_words(
    frame: DataFrame, suspects: Suspects, columns: Columns, constants: Mapping[str, str]
) -> DataFrame:
    """Select the columns of the table from suspects that are ranked."""
    return frame.select(
        *original_ids(columns),
        columns.label_of(F.col("given")).alias(schema.GIVEN_LABEL),
        columns.label_of(F.col("suggested")).alias(schema.SUGGESTED_LABEL),
        *suspects.numbers,
        schema.LABEL_QUALITY,
        schema.RANK,
        F.lit(suspects.reason).alias(schema.REASON),
        *(F.lit(value).alias(name) for name, value in constants.items()),
        (F.col(schema.REVIEWED) if suspects.is_reviewed else F.lit(None).cast("boolean")).alias(
            schema.REVIEWED
        ),
    )


def plan_suspect_files(
    suspects: Suspects, columns: Columns, constants: Mapping[str, str]
) -> WriteFiles | None:
    """Plan to write the suspect table by tasks that rank it themselves.

    Parameters
    ----------
    suspects, columns, constants
        As in `suspects_frame`.

    Returns
    -------
    callable or None
        Writes the rows of `suspects_frame` into a folder, as Parquet; the names of the files, most
        suspicious rows first. None where Spark does better: suspects that are not in files, far
        too many of them, or of one quality.

    Notes
    -----
    One job, or none for few rows. Each task reads all suspects, of which it keeps some 300,000:
    several times faster than through Spark's rows, up to some tens of them.
    """
    stream, total = suspects.stream, suspects.num_suspects
    label_type = columns.label_type.simpleString()
    if not has_arrow_type(label_type) or not 0 < total <= _MOST_SUSPECTS:
        return None
    kind = arrow_type(label_type)
    edges, before = divide(suspects.qualities, _piece_rows(total))
    if max(end - start for start, end in itertools.pairwise([*before, total])) > 2 * _PIECE_ROWS:
        return None
    ends = itertools.pairwise([0.0, *edges, np.inf])
    pieces = [Piece(*ends, rows) for ends, rows in zip(ends, before, strict=True) if rows < total]
    # Arrow refuses integers that a float does not hold, where Spark rounds
    classes = [float(c) for c in columns.classes] if pa.types.is_floating(kind) else columns.classes
    labels = pa.array(classes, kind)

    def write(groups: tuple[RowGroups, ...], folder: str) -> WriteSuspects:
        return WriteSuspects(
            groups=groups,
            pieces=tuple(pieces),
            ids=tuple(zip(internal_ids(columns), columns.ids, strict=True)),
            labels=labels,
            numbers=suspects.numbers,
            constants=((schema.REASON, suspects.reason), *constants.items()),
            is_reviewed=suspects.is_reviewed,
            folder=folder,
        )

    return stream.plan_files(len(pieces), write)


def _piece_rows(total: int) -> int:
    """Decide how many suspects a task writes: an eighth of them, within bounds."""
    return min(max(total // 8, streams.SHORT_ROWS), _PIECE_ROWS)
