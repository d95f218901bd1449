"""Columns of frames by their exact names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import functions as F

from sparkclean.errors import ConfigError, InputError, did_you_mean, first_of
from sparkclean.lake.engine_errors import analysed
from sparkclean.names import is_named_as_id, quote_name
from sparkclean.rows.conditions import fill_run_time, find_unstable
from sparkclean.schema import ROW_NUMBER
from sparkclean.texts import cause_of

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame
    from pyspark.sql.types import StructField


_WHERE = "input.where"
#: What such a condition may use.
_STABLE = (
    "Use columns, constants, or :run_time, the time at which the run started; a repetition keeps "
    "that time"
)
#: Where Spark keeps the type of a column of type CHAR(n) or VARCHAR(n).
_CHAR_TYPE = "__CHAR_VARCHAR_TYPE_STRING"


def quoted(name: str) -> Column:
    """Give a column by its exact name, dots and backquotes included."""
    return F.col(quote_name((name,)))


def unused_name(name: str, taken: Sequence[str]) -> str:
    """Lengthen a name until no column has it, as Spark compares names."""
    lower = {other.lower() for other in taken}
    while name in lower:
        name += "_"
    return name


#: Types of which a column must be to be named by a key, by the beginnings of their names.
_FITTING = {
    "columns.id": ("tinyint", "smallint", "int", "bigint", "string"),
    "columns.label": ("tinyint", "smallint", "int", "bigint", "string", "boolean"),
    "columns.pred_probs": ("array<", "map<", "vector", "float", "double", "decimal"),
}


def find_columns(
    frame: DataFrame, wanted: Sequence[str], keys: str | Mapping[str, str]
) -> list[str]:
    """Find columns as the session of a table finds them.

    Parameters
    ----------
    frame : DataFrame
    wanted : sequence of str
    keys : str or mapping
        Settings that name them: of all, or of each.

    Returns
    -------
    list of str
        The same, in the spelling of the table.

    Raises
    ------
    InputError
        Names all that are missing, with a suggestion, and those that may be several.
    """
    types = {field.name: field.dataType.simpleString() for field in frame.schema}
    exact = _is_case_sensitive(frame)
    return find_names(frame.columns, wanted, keys, exact=exact, types=types)


def find_names(
    there: Sequence[str],
    wanted: Sequence[str],
    keys: str | Mapping[str, str],
    *,
    exact: bool,
    types: Mapping[str, str] | None = None,
) -> list[str]:
    """Find columns among those that are there, as `find_columns` does.

    Parameters
    ----------
    there, wanted : sequence of str
    keys : str or mapping
    exact : bool
        Whether upper and lower case differ.
    types : mapping, optional
        Of the columns that are there, as Spark writes them.

    Returns
    -------
    list of str

    Raises
    ------
    InputError
    """
    findings, found = [], []
    for name in wanted:
        same = [c for c in there if c == name or (not exact and c.lower() == name.lower())]
        found += same[:1]
        if len(same) > 1:
            findings.append(
                f"column {name!r} may be any of {len(same)} columns of the table: "
                f"{', '.join(map(repr, same))}. Rename them, or tell those apart that differ in "
                "case: spark.sql.caseSensitive: true"
            )
        if same:
            continue
        key = keys if isinstance(keys, str) else keys[name]
        hint = did_you_mean(name, there)
        findings.append(
            f"column {name!r} is not in the table; {hint}{_choice(there, key, types or {})}. "
            f"Set {key}"
        )
    if findings:
        raise InputError(list(dict.fromkeys(findings)))
    return found


def _choice(there: Sequence[str], key: str, types: Mapping[str, str]) -> str:
    """List the columns that a key may name; all of them where their types do not tell."""
    there = [name for name in there if name != ROW_NUMBER]  # which no table has
    fitting = [name for name in there if types.get(name, "").startswith(_FITTING.get(key, ()))]
    if key not in _FITTING or not fitting or len(fitting) == len(there):
        return f"it has: {first_of(there, 20)}"
    # what is named like an id is one rather than a label
    fitting.sort(key=lambda name: is_named_as_id(name) != (key == "columns.id"))
    return f"columns of a fitting type: {first_of(fitting, 20)}"


def _is_case_sensitive(frame: DataFrame) -> bool:
    """Tell whether the session of a frame tells columns apart by upper and lower case."""
    return str(frame.sparkSession.conf.get("spark.sql.caseSensitive", "false")).lower() == "true"


def where(
    table: DataFrame,
    condition: str | None,
    run_time: str | None = None,
    *,
    key: str = _WHERE,
) -> DataFrame:
    """Keep the rows of a condition.

    Parameters
    ----------
    table : DataFrame
    condition : str or None
        Predicate in SQL; None keeps all rows.
    run_time : str or None
        What ``:run_time`` in it stands for.
    key : str
        Of the configuration, that holds the condition.

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
        raise ConfigError(
            f"{key}: {condition!r} is not a predicate on the table: {cause_of(exc)}"
        ) from exc
    unstable = find_unstable(kept, text)
    if unstable is not None:
        raise ConfigError(
            f"{key}: {condition!r} depends on {unstable}; it could choose other rows at "
            f"each read. {_STABLE if key == _WHERE else 'Use columns and constants'}"
        )
    return kept


def as_stored(classes: Sequence[Any], label: StructField) -> tuple[Any, ...]:
    """Write classes as a column holds them: of type CHAR(n), with blanks up to n characters.

    Parameters
    ----------
    classes : sequence
    label : StructField
        The column. Spark hands such a column over as a string, with its type beside it.

    Returns
    -------
    tuple
    """
    kind = re.fullmatch(r"char\((\d+)\)", str(label.metadata.get(_CHAR_TYPE, "")))
    if kind is None:
        return tuple(classes)
    return tuple(text.ljust(int(kind[1])) for text in classes)
