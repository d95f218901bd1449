"""Rows that the driver holds, at most K x K, as Arrow tables and as frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sparkclean.rows.types import arrow_type, schema_json, schema_text
from sparkclean.schema import Columns

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def typed_columns(
    columns: Columns, label_type: str, types: Sequence[tuple[str, str]] = ()
) -> Columns:
    """Give every column its type of Spark: that of labels is the user's.

    Parameters
    ----------
    columns : tuple of (name, type)
        From ``sparkclean.schema``.
    label_type : str
        What ``<label>`` stands for.
    types : sequence of (str, str)
        Other such words, and what they stand for.

    Returns
    -------
    tuple of (name, type)
    """
    found = []
    for name, kind in columns:
        for word, meant in (("<label>", label_type), *types):
            if word in kind:
                kind = kind.replace(word, meant)  # noqa: PLW2901
        found.append((name, kind))
    return tuple(found)


def arrow_table(
    rows: list[dict[str, Any]], columns: Columns, label_type: str
) -> tuple[pa.Table, str]:
    """Turn rows into an Arrow table and its Spark schema.

    Parameters
    ----------
    rows : list of dict
    columns : tuple of (name, type)
        From ``sparkclean.schema``.
    label_type : str
        Spark type of the label column.

    Returns
    -------
    table : pyarrow.Table
    schema : str
        Spark's JSON.
    """
    typed = typed_columns(columns, label_type)
    values = _values(rows, typed)
    arrays = [
        pa.array(column, arrow_type(kind)) for column, (_, kind) in zip(values, typed, strict=True)
    ]
    return pa.table(arrays, names=[name for name, _ in typed]), schema_json(typed)


def rows_frame(
    spark: SparkSession, rows: list[dict[str, Any]], columns: Columns, label_type: str
) -> DataFrame:
    """Turn rows into a frame.

    Parameters
    ----------
    spark : SparkSession
    rows : list of dict
    columns : tuple of (name, type)
        From ``sparkclean.schema``.
    label_type : str
        Spark type of the label column.

    Returns
    -------
    DataFrame
    """
    typed = typed_columns(columns, label_type)
    values = _values(rows, typed)
    return spark.createDataFrame(list(zip(*values, strict=True)), schema_text(typed))


def _values(rows: list[dict[str, Any]], typed: Columns) -> list[list[Any]]:
    """Give the values column by column; labels may be integers where their column is not."""
    return [
        [
            float(row[name]) if kind in ("float", "double") and row[name] is not None else row[name]
            for row in rows
        ]
        for name, kind in typed
    ]
