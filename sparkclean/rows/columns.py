"""Columns of frames by their exact names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import functions as F

from sparkclean.errors import ConfigError
from sparkclean.lake.engine_errors import analysed
from sparkclean.names import quote_name

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame


def quoted(name: str) -> Column:
    """Give a column by its exact name, dots and backquotes included."""
    return F.col(quote_name((name,)))


def unused_name(name: str, taken: Sequence[str]) -> str:
    """Lengthen a name until no column is called so, as Spark compares names."""
    lower = {other.lower() for other in taken}
    while name in lower:
        name += "_"
    return name


def where(table: DataFrame, condition: str | None) -> DataFrame:
    """Keep the rows of ``input.where``.

    Parameters
    ----------
    table : DataFrame
    condition : str or None
        Predicate in SQL; None keeps all rows.

    Returns
    -------
    DataFrame
        Lazy.

    Raises
    ------
    ConfigError
        If it is no predicate on the table.
    """
    if condition is None:
        return table
    try:
        return analysed(table.where(F.expr(condition)))
    except (AnalysisException, ParseException) as exc:
        reason = str(exc).splitlines()[0]
        raise ConfigError(
            f"input.where: {condition!r} is not a predicate on the table: {reason}"
        ) from exc
