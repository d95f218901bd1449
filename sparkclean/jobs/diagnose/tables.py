"""The columns of a diagnosis: found, checked, and laid out for tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    DateType,
    MapType,
    StructType,
    TimestampNTZType,
    TimestampType,
)

from sparkclean.errors import InputError
from sparkclean.examples.columns import Columns
from sparkclean.jobs.diagnose.rows import HALF, POSITION, SUBJECT
from sparkclean.jobs.diagnose.sections import DiagnoseSection
from sparkclean.rows.columns import find_columns, quoted
from sparkclean.runs.context import Context

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

_TIMES = (TimestampType, TimestampNTZType, DateType)
_NESTED = (ArrayType, MapType, StructType)
_HOUR = 3_600_000_000  # microseconds


def with_predictions(examples: DataFrame, predictions: DataFrame, context: Context) -> DataFrame:
    """Add the probabilities of another table to the rows, by record id. Lazy."""
    columns = context.config.columns
    keys = find_columns(predictions, columns.id_columns, "columns.id")
    probs = find_columns(predictions, columns.pred_probs_columns, "columns.pred_probs")
    named = predictions.select(
        *(quoted(key).alias(f"__key_{k}") for k, key in enumerate(keys)), *map(quoted, probs)
    )
    own = find_columns(examples, columns.id_columns, "columns.id")
    on = [quoted(name) == F.col(f"__key_{k}") for k, name in enumerate(own)]
    joined = examples.drop(*probs).join(named, on, "left")
    return joined.drop(*(f"__key_{k}" for k in range(len(keys))))


def find_subjects(
    examples: DataFrame, section: DiagnoseSection, columns: Columns
) -> tuple[tuple[tuple[str, str, str], ...], str | None]:
    """Find the columns of subjects and the position, and check their types."""
    schema, found, findings = examples.schema, [], []
    for key, kind, name in section.columns:
        (column,) = find_columns(examples, [name], key)
        of = schema[column].dataType
        if key == "diagnose.time" and not isinstance(of, _TIMES):
            findings.append(
                f"{key}: column {column!r} is {of.simpleString()}; a time is a timestamp or a "
                "date; cast it"
            )
        if isinstance(of, _NESTED):
            findings.append(
                f"{key}: column {column!r} is {of.simpleString()}; name a column of texts, "
                "numbers, dates or booleans"
            )
        if column in columns.ids and len(columns.ids) == 1:
            findings.append(
                f"{key}: {column!r} is the record id, different in every row; name a column that "
                "rows share"
            )
        found.append((key, kind, column))
    position = None
    if section.position is not None:
        (position,) = find_columns(examples, [section.position], "diagnose.position")
        of = schema[position].dataType
        if isinstance(of, _NESTED):
            findings.append(
                f"diagnose.position: column {position!r} is {of.simpleString()}, which has no "
                "order of rows; name a number, a time or a text"
            )
    if findings:
        raise InputError(findings)
    return tuple(found), position


def wide_rows(
    examples: DataFrame,
    columns: Columns,
    subjects: Sequence[tuple[str, str, str]],
    position: str | None,
    window_hours: float,
) -> DataFrame:
    """Select what tasks read: record ids, label, probabilities, subjects. Lazy.

    Parameters
    ----------
    examples : DataFrame
    columns : Columns
    subjects : sequence of (str, str, str)
        Key of the configuration, kind and column.
    position : str or None
    window_hours : float
        Of windows of time, which are named by their start in microseconds.

    Returns
    -------
    DataFrame
    """
    more = []
    for number, (key, _, name) in enumerate(subjects):
        value = quoted(name).cast("string")
        if key == "diagnose.time":
            is_date = isinstance(examples.schema[name].dataType, DateType)
            value = _window_start(quoted(name), is_date=is_date, length=round(window_hours * _HOUR))
        more.append(value.alias(f"{SUBJECT}{number}"))
    if position is not None:
        more.append(quoted(position).alias(POSITION))
    half = F.pmod(F.xxhash64(*map(quoted, columns.ids)), F.lit(2))
    return columns.narrow(examples, *more, half.cast("int").alias(HALF))


def _window_start(time: Column, *, is_date: bool, length: int) -> Column:
    if is_date:
        micros = F.unix_date(time).cast("bigint") * F.lit(24 * _HOUR)
    else:
        micros = F.unix_micros(time.cast("timestamp"))
    return (micros - F.pmod(micros, F.lit(length))).cast("string")
