"""Columns of frames by their exact names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import functions as F

from sparkclean.errors import ConfigError
from sparkclean.lake.engine_errors import analysed
from sparkclean.names import quote_name
from sparkclean.rows.conditions import fill_run_time, find_unstable

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


def where(table: DataFrame, condition: str | None, run_time: str | None = None) -> DataFrame:
    """Keep the rows of ``input.where``.

    Parameters
    ----------
    table : DataFrame
    condition : str or None
        Predicate in SQL; None keeps all rows.
    run_time : str or None
        What ``:run_time`` in it stands for.

    Returns
    -------
    DataFrame
        Lazy.

    Raises
    ------
    ConfigError
        If it is no predicate on the table, or may choose other rows when it is read again.
    """
    if condition is None:
        return table
    text = condition if run_time is None else fill_run_time(condition, run_time)
    try:
        kept = analysed(table.where(F.expr(text)))
    except (AnalysisException, ParseException) as exc:
        reason = str(exc).splitlines()[0]
        raise ConfigError(
            f"input.where: {condition!r} is not a predicate on the table: {reason}"
        ) from exc
    unstable = find_unstable(kept, text)
    if unstable is not None:
        raise ConfigError(
            f"input.where: {condition!r} depends on {unstable}; it would choose other rows each "
            "time that the table is read. Use what stands in the rows, constants, or :run_time: "
            "the time at which the run began, which a repetition keeps"
        )
    return kept
