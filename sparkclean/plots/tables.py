"""Rows of what charts are drawn of: tables of pandas, pyarrow or Spark, or of a result."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from sparkclean.errors import ConfigError

#: Rows that are read of a table of classes, pairs or runs, which are small by nature.
MOST_ROWS = 1_000_000


def rows_of(source: Any, name: str, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Read columns of a table.

    Parameters
    ----------
    source : DataFrame, pyarrow.Table, iterable of mapping, or AuditResult
        A result gives its table of that name.
    name : str
        ``classes``, ``pairs``, ``suspects`` or ``runs``.
    columns : sequence of str

    Returns
    -------
    list of dict

    Raises
    ------
    ConfigError
        If the table has no such column.

    Notes
    -----
    A job over the table where it is a frame of Spark.
    """
    table = getattr(source, name, source) if hasattr(source, "num_suspects") else source
    if hasattr(table, "to_pylist"):  # pyarrow
        _check(table.column_names, name, columns)
        return list(table.select(list(columns)).to_pylist())
    if hasattr(table, "to_dict"):  # pandas
        _check(list(table.columns), name, columns)
        return list(table[list(columns)].to_dict("records"))
    if hasattr(table, "collect"):  # Spark
        _check(table.columns, name, columns)
        return [row.asDict() for row in table.select(*columns).limit(MOST_ROWS).collect()]
    rows = [dict(row) for row in islice(table, MOST_ROWS)]
    if rows:
        _check(list(rows[0]), name, columns)
    return [{column: row.get(column) for column in columns} for row in rows]


def _check(found: Iterable[str], name: str, columns: Sequence[str]) -> None:
    found = list(found)
    missing = [column for column in columns if column not in found]
    if missing:
        raise ConfigError(
            f"the table of {name} has no column {', '.join(missing)}; it has "
            f"{', '.join(map(str, found)) or 'none'}"
        )


def parsed(value: Any) -> Any:
    """Give what JSON text of a run record holds; anything else as it is."""
    if value is None or isinstance(value, Mapping | list | tuple):
        return value
    return json.loads(value)


def metrics_of(source: Any) -> Mapping[str, Any]:
    """Give the metrics of a run.

    Parameters
    ----------
    source : AuditResult, or mapping
        A run record, whose ``metrics`` are JSON text, or the metrics themselves.

    Returns
    -------
    mapping
    """
    if isinstance(source, Mapping):
        return parsed(source["metrics"]) or {} if "metrics" in source else source
    found = getattr(source, "metrics", None)
    return found if isinstance(found, Mapping) else {}
