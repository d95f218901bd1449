"""Functions of columns: scores of rows, and label issues by the thresholds of an old audit.

Pandas UDFs, so that the same ones serve ``select``, SQL and Structured Streaming, on classic Spark
and on Connect. What they compute stands in `sparkclean.examples.row_functions`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

import pandas as pd
import pyarrow as pa
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf
from pyspark.sql.types import (
    BooleanType,
    DataType,
    DoubleType,
    LongType,
    StringType,
    StructType,
)

from sparkclean.config.classes import class_findings
from sparkclean.errors import ConfigError
from sparkclean.examples.row_functions import FindIssues, PredictRows, RowReader, ScoreRows
from sparkclean.jobs.audit.published import collect_published_classes
from sparkclean.schema import SELF_CONFIDENCE, SUGGESTED_LABEL

if TYPE_CHECKING:
    from pyspark.sql import Column, SparkSession

#: Largest distance of a row's sum from 1, as in the section ``admission``.
_TOLERANCE = 1e-3
#: Names of the scores that need no more than a row.
_ENTROPY, _MARGIN = "confidence_weighted_entropy", "normalized_margin"
_PREDICTED, _ISSUE = "predicted_label", "label_issue"
#: Spark hands over integers beside nulls as float64, which holds no larger ones.
_LARGEST_INTEGER = (1 << 53) - 1
_TYPES: dict[type, DataType] = {int: LongType(), str: StringType(), bool: BooleanType()}

#: A column, or its name.
ColumnOrName = Any
#: Spark's function on columns, of `pandas_udf`.
Udf = Callable[..., Any]


def self_confidence(
    label: ColumnOrName,
    probs: ColumnOrName | Sequence[ColumnOrName],
    *,
    classes: Sequence[Any] | None = None,
    row_sum_tolerance: float = _TOLERANCE,
) -> Column:
    """Give each row's probability of its given label.

    Parameters
    ----------
    label : Column or str
        Given label: integer, string or boolean.
    probs : Column or str, or a sequence of them
        Predicted probabilities: an array of numbers, a vector of Spark ML, or K columns.
    classes : sequence, optional
        The K labels in the order of the probabilities; labels that are strings need it. By default
        the integers 0..K-1, or false and true, where K is the length of the row's probabilities.
    row_sum_tolerance : float
        As in the configuration's section ``admission``.

    Returns
    -------
    Column
        double, with the bits of the score of an audit. Null where an audit would reject the row:
        label or probabilities null, a label that is no class, another number of probabilities than
        K, values that are not finite or outside [0, 1], or that do not sum to 1.

    Raises
    ------
    ConfigError
        If the classes are fewer than two, not different, or not of one type.

    Notes
    -----
    Lazy. A task holds an Arrow batch of probabilities and about two copies of it. A task raises
    `InputError` where the label column is of another type than the classes.
    """
    return _call(_score(SELF_CONFIDENCE, _reader(classes, row_sum_tolerance)), label, probs)


def normalized_margin(
    label: ColumnOrName,
    probs: ColumnOrName | Sequence[ColumnOrName],
    *,
    classes: Sequence[Any] | None = None,
    row_sum_tolerance: float = _TOLERANCE,
) -> Column:
    """Give (p_given - max of the others + 1) / 2 of each row.

    Parameters
    ----------
    label, probs, classes, row_sum_tolerance
        As in `self_confidence`.

    Returns
    -------
    Column
        double in [0, 1]; null as in `self_confidence`.

    Raises
    ------
    ConfigError
        As `self_confidence` does.

    Notes
    -----
    Lazy.
    """
    return _call(_score(_MARGIN, _reader(classes, row_sum_tolerance)), label, probs)


def confidence_weighted_entropy(
    label: ColumnOrName,
    probs: ColumnOrName | Sequence[ColumnOrName],
    *,
    classes: Sequence[Any] | None = None,
    row_sum_tolerance: float = _TOLERANCE,
) -> Column:
    """Give each row's score by its entropy over its self-confidence.

    Parameters
    ----------
    label, probs, classes, row_sum_tolerance
        As in `self_confidence`.

    Returns
    -------
    Column
        double in [0, 1]; null as in `self_confidence`.

    Raises
    ------
    ConfigError
        As `self_confidence` does.

    Notes
    -----
    Lazy.
    """
    return _call(_score(_ENTROPY, _reader(classes, row_sum_tolerance)), label, probs)


def predicted_label(
    probs: ColumnOrName | Sequence[ColumnOrName],
    *,
    classes: Sequence[Any] | None = None,
    row_sum_tolerance: float = _TOLERANCE,
) -> Column:
    """Give the most probable class of each row, the first on a tie.

    Parameters
    ----------
    probs, classes, row_sum_tolerance
        As in `self_confidence`.

    Returns
    -------
    Column
        bigint, string or boolean, as the classes are; null where the probabilities are unusable.

    Raises
    ------
    ConfigError
        As `self_confidence` does.

    Notes
    -----
    Lazy.
    """
    return _call(_prediction(_reader(classes, row_sum_tolerance)), probs)


def suggested_label(
    label: ColumnOrName,
    probs: ColumnOrName | Sequence[ColumnOrName],
    *,
    classes: Sequence[Any] | None = None,
    row_sum_tolerance: float = _TOLERANCE,
) -> Column:
    """Give the label that an audit would suggest, were the row a suspect.

    Parameters
    ----------
    label, probs, classes, row_sum_tolerance
        As in `self_confidence`.

    Returns
    -------
    Column
        The most probable class, as in `predicted_label`: the given label itself where that is the
        one. Null as in `self_confidence`.

    Raises
    ------
    ConfigError
        As `self_confidence` does.

    Notes
    -----
    Lazy.
    """
    return _call(_suggestion(_reader(classes, row_sum_tolerance)), label, probs)


def label_issue(
    label: ColumnOrName,
    probs: ColumnOrName | Sequence[ColumnOrName],
    audit: str,
    run_id: str | None = None,
    *,
    table: str | None = None,
) -> Column:
    """Tell whether each row is confidently of another class, by an audit of other rows.

    The filter ``confident_learning`` with the thresholds of that audit.

    Parameters
    ----------
    label, probs
        As in `self_confidence`; probabilities in the order of the classes of that audit.
    audit : str
        Location of the output ``classes`` of an audit.
    run_id : str, optional
        Of the audit; by default the newest run that counts.
    table : str, optional
        The audited table, where the output holds classes of several.

    Returns
    -------
    Column
        A struct of three fields, all null where an audit would reject the row: ``is_label_issue``
        (boolean); ``confident_label``, the class that the row confidently belongs to, null where
        there is none; ``suggested_label``, the most probable class, as in the table of suspects.

    Raises
    ------
    InputError
        If there is no such output or run.
    ConfigError
        If the output holds classes of several tables, and none is named.

    Notes
    -----
    Reads the classes once, on the driver, in a few small jobs of the active session; later audits
    change nothing. The column itself is lazy.
    """
    return _call(_issue(_active_session(), audit, run_id, table), label, probs)


def register(
    spark: SparkSession,
    *,
    classes: Sequence[Any] | None = None,
    row_sum_tolerance: float = _TOLERANCE,
    audit: str | None = None,
    run_id: str | None = None,
    table: str | None = None,
    prefix: str = "",
) -> tuple[str, ...]:
    """Register the functions for SQL, as temporary functions of a session.

    Parameters
    ----------
    spark : SparkSession
    classes, row_sum_tolerance
        As in `self_confidence`, for all of them.
    audit, run_id, table
        As in `label_issue`, which is registered where ``audit`` is given.
    prefix : str
        Before each name.

    Returns
    -------
    tuple of str
        The names. Probabilities are one column there: an array of numbers, or a vector.

    Raises
    ------
    ConfigError, InputError
        As `self_confidence` and `label_issue` do.

    Notes
    -----
    No job but those of `label_issue`.
    """
    reader = _reader(classes, row_sum_tolerance)
    functions = {
        **{name: _score(name, reader) for name in (SELF_CONFIDENCE, _MARGIN, _ENTROPY)},
        _PREDICTED: _prediction(reader),
        SUGGESTED_LABEL: _suggestion(reader),
    }
    if audit is not None:
        functions[_ISSUE] = _issue(spark, audit, run_id, table)
    elif run_id is not None or table is not None:
        raise ConfigError("run_id and table say which audit is read; give audit, too")
    for name, function in functions.items():
        spark.udf.register(prefix + name, function)
    return tuple(prefix + name for name in functions)


def _reader(classes: Sequence[Any] | None, row_sum_tolerance: float) -> RowReader:
    """Check the arguments that all functions have."""
    if isinstance(classes, str):
        raise ConfigError(f"classes: {classes!r} is one text; give a list of labels")
    findings = [] if classes is None else class_findings(classes)
    findings += _too_large(classes or ())
    if not 0.0 <= row_sum_tolerance < 1.0:
        findings.append(f"row_sum_tolerance: {row_sum_tolerance!r} is outside [0, 1)")
    if findings:
        raise ConfigError(findings)
    return RowReader(None if classes is None else tuple(classes), row_sum_tolerance)


def _too_large(classes: Sequence[Any]) -> list[str]:
    large = [label for label in classes if type(label) is int and abs(label) > _LARGEST_INTEGER]
    if not large:
        return []
    return [
        f"classes: {large[0]} is larger than 2**53 - 1, and beside a null Spark hands such labels "
        "over rounded; cast labels and classes to strings"
    ]


def _active_session() -> SparkSession:
    from pyspark.sql import SparkSession  # noqa: PLC0415

    return SparkSession.active()


def _score(method: str, reader: RowReader) -> Udf:
    score = ScoreRows(reader, method)

    def scored(label: pd.Series, probs: pd.Series) -> pd.Series:
        return pd.Series(score(pa.Array.from_pandas(label), probs))

    return _udf(scored, method, DoubleType())


def _prediction(reader: RowReader) -> Udf:
    predict = PredictRows(reader)

    def predicted(probs: pd.Series) -> pd.Series:
        return pd.Series(predict(None, probs), dtype=object)

    return _udf(predicted, _PREDICTED, _label_type(reader))


def _suggestion(reader: RowReader) -> Udf:
    predict = PredictRows(reader)

    def suggested(label: pd.Series, probs: pd.Series) -> pd.Series:
        return pd.Series(predict(pa.Array.from_pandas(label), probs), dtype=object)

    return _udf(suggested, SUGGESTED_LABEL, _label_type(reader))


def _issue(spark: SparkSession, audit: str, run_id: str | None, table: str | None) -> Udf:
    found = collect_published_classes(spark, audit, run_id, table)
    if findings := _too_large(found.classes):
        raise ConfigError(findings)
    find = FindIssues(
        RowReader(found.classes, found.row_sum_tolerance), found.thresholds, found.collision
    )

    def issue(label: pd.Series, probs: pd.Series) -> pd.DataFrame:
        return pd.DataFrame(find(pa.Array.from_pandas(label), probs), dtype=object)

    kind = found.label_type
    fields = StructType().add("is_label_issue", BooleanType())
    return _udf(issue, _ISSUE, fields.add("confident_label", kind).add(SUGGESTED_LABEL, kind))


def _udf(function: Any, name: str, returns: DataType) -> Udf:
    """Make a function on columns; Spark names the column of its results after it."""
    function.__name__ = name
    # its types want a kind of function, which it takes from the annotations
    made: Udf = cast("Any", pandas_udf)(function, returns)
    return made


def _label_type(reader: RowReader) -> DataType:
    return _TYPES[int] if reader.classes is None else _TYPES[type(reader.classes[0])]


def _call(function: Udf, *columns: ColumnOrName | Sequence[ColumnOrName]) -> Column:
    """Call a function of columns; K columns of probabilities become an array."""
    *label, probs = columns
    if isinstance(probs, Sequence) and not isinstance(probs, str):
        probs = F.array(*[(F.col(p) if isinstance(p, str) else p).cast("double") for p in probs])
    column: Column = function(*label, probs)
    return column
