"""What the columns of an input frame mean, checked against its schema before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    ByteType,
    DataType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    MapType,
    NumericType,
    ShortType,
    StringType,
    StructType,
)

from sparkclean.config.classes import class_findings
from sparkclean.errors import ConfigError, InputError
from sparkclean.examples.batches import LABEL, PROBS, PROBS_PREFIX, BatchReader
from sparkclean.rows.columns import as_stored, find_columns, quoted
from sparkclean.rows.emitted import ID_PREFIX
from sparkclean.schema import REJECTED, SUSPECTS

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

#: Types of integers.
INTEGERS = (ByteType, ShortType, IntegerType, LongType)
_INTEGER_BITS: dict[type[DataType], int] = {
    ByteType: 8,
    ShortType: 16,
    IntegerType: 32,
    LongType: 64,
}
_OUTPUT_NAMES = {name for name, _ in (*SUSPECTS, *REJECTED)}
_SAMPLE_ROWS = 1000

EMPTY = "the table is empty (0 rows to audit); check input.table, input.version and input.where"


@dataclass(frozen=True)
class Columns:
    """The meaning of an input frame's columns.

    Attributes
    ----------
    ids : tuple of str
        Record id columns.
    label : str
    probs : tuple of str
        One column, or one for each class.
    layout : {"array", "columns", "map", "top_k", "vector"}
    label_type : DataType
    id_types : tuple of str
        Spark's short names.
    classes : tuple
        The K labels in the order of the probabilities; integers, strings or booleans.
    warnings : tuple of str
        What the user should know.
    """

    ids: tuple[str, ...]
    label: str
    probs: tuple[str, ...]
    layout: Literal["array", "columns", "map", "top_k", "vector"]
    label_type: DataType
    id_types: tuple[str, ...]
    classes: tuple[Any, ...]
    warnings: tuple[str, ...] = ()

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.classes)

    def narrow(self, frame: DataFrame, *more: Column) -> DataFrame:
        """Select what a scan reads: record ids, label, probabilities.

        Parameters
        ----------
        frame : DataFrame
        *more : Column
            What else is read.

        Returns
        -------
        DataFrame
            Columns as `BatchReader` expects them. Lazy.
        """
        probs = _probabilities(frame.schema, self.probs, self.layout)
        return frame.select(*self._keys(), *probs, *more)

    def keys(self, frame: DataFrame) -> DataFrame:
        """Select record ids and label, by their internal names. Lazy."""
        return frame.select(*self._keys())

    def _keys(self) -> list[Column]:
        selected = [quoted(name).alias(f"{ID_PREFIX}{i}") for i, name in enumerate(self.ids)]
        return [*selected, quoted(self.label).alias(LABEL)]

    def reader(self, row_sum_tolerance: float) -> BatchReader:
        """Build the reader of a scan's batches."""
        layout = "array" if self.layout == "vector" else self.layout
        return BatchReader(len(self.ids), self.classes, layout, row_sum_tolerance)

    def label_of(self, index: Column) -> Column:
        """Turn a class index into the user's label, in the type of the label column."""
        labels = F.array(*[F.lit(label) for label in self.classes])
        return F.get(labels, index).cast(self.label_type)


def keys_of(ids: Sequence[str], label: str, probs: Sequence[str] = ()) -> dict[str, str]:
    """Give the key that names each column, for errors."""
    named = dict.fromkeys(probs, "columns.pred_probs") | {label: "columns.label"}
    return named | dict.fromkeys(ids, "columns.id")


def resolve_columns(
    frame: DataFrame,
    *,
    ids: Sequence[str],
    label: str,
    probs: Sequence[str],
    classes: Sequence[Any] | None,
) -> Columns:
    """Check columns and types of a frame, and find out the classes.

    Parameters
    ----------
    frame : DataFrame
    ids : sequence of str
        Record id columns.
    label : str
    probs : sequence of str
        One column, or one for each class.
    classes : sequence or None
        None: the integers 0..K-1 (false and true for booleans).

    Returns
    -------
    Columns

    Raises
    ------
    InputError
        All findings at once: missing columns (with a suggestion), types that cannot be used.
    ConfigError
        If the classes contradict the columns.

    Notes
    -----
    No Spark job where K is known from the classes or the columns; otherwise reads 1,000 rows.
    """
    keys = keys_of(ids, label, probs)
    *ids, label = find_columns(frame, [*ids, label, *probs], keys)[: len(ids) + 1]
    probs = find_columns(frame, probs, keys)
    schema = frame.schema
    findings = check_id_types(schema, ids)
    warnings: list[str] = []
    label_type = schema[label].dataType
    if isinstance(label_type, FloatType | DoubleType):
        warnings.append(
            f"column {label!r} holds {label_type.simpleString()} labels; only whole "
            "numbers match a class"
        )
    else:
        findings += check_label_type(schema, label)
    layout = _layout(schema, probs, findings)
    if findings:
        raise InputError(findings)
    if classes is None:
        classes = _default_classes(frame, label, label_type, probs, layout)
    if layout == "columns" and len(classes) != len(probs):
        raise ConfigError(
            f"classes: {len(classes)} labels, but columns.pred_probs lists {len(probs)} columns; "
            "give one column for each class, in the same order"
        )
    check_classes(classes, label, label_type)
    classes = as_stored(classes, schema[label])
    return Columns(
        ids=tuple(ids),
        label=label,
        probs=tuple(probs),
        layout=layout,
        label_type=label_type,
        id_types=tuple(schema[name].dataType.simpleString() for name in ids),
        classes=tuple(classes),
        warnings=tuple(warnings),
    )


def check_id_types(schema: StructType, ids: Sequence[str]) -> list[str]:
    """Find record id columns that cannot be used, by type or by name.

    Parameters
    ----------
    schema : StructType
    ids : sequence of str
        Columns that are there.

    Returns
    -------
    list of str
        Findings.
    """
    findings = []
    for name in ids:
        kind = schema[name].dataType
        # text with a collation compares otherwise than by bytes: ties would go another way
        if not isinstance(kind, INTEGERS) and kind.simpleString() != "string":
            findings.append(
                f"columns.id: column {name!r} is {kind.simpleString()}; a record id is an integer "
                "or a string (cast it to one of them, or give a list of columns)"
            )
        if name.lower() in _OUTPUT_NAMES:
            findings.append(
                f"columns.id: {name!r} is also the name of an output column; rename the column of "
                "the table"
            )
    return findings


def check_label_type(schema: StructType, label: str) -> list[str]:
    """Find a label column that is neither integer, string nor boolean.

    Parameters
    ----------
    schema : StructType
    label : str
        Column that is there.

    Returns
    -------
    list of str
        Findings.
    """
    kind = schema[label].dataType
    if isinstance(kind, (*INTEGERS, StringType, BooleanType)):
        return []
    return [
        f"columns.label: column {label!r} is {kind.simpleString()}; a label is an integer, a "
        "string or a boolean"
    ]


def _layout(
    schema: StructType, probs: Sequence[str], findings: list[str]
) -> Literal["array", "columns", "map", "top_k", "vector"]:
    if len(probs) > 1:
        findings += [
            f"columns.pred_probs: column {name!r} is {schema[name].dataType.simpleString()}, "
            "not a number"
            for name in probs
            if not isinstance(schema[name].dataType, NumericType)
        ]
        return "columns"
    kind = schema[probs[0]].dataType
    if isinstance(kind, ArrayType):
        entry = kind.elementType
        if isinstance(entry, NumericType):
            return "array"
        if (
            isinstance(entry, StructType)
            and len(entry) == 2
            and isinstance(entry[1].dataType, NumericType)
        ):
            return "top_k"
    if isinstance(kind, MapType) and isinstance(kind.valueType, NumericType):
        return "map"
    if kind.typeName() == "vectorudt" or kind.simpleString() == "vector":
        return "vector"
    findings.append(
        f"columns.pred_probs: column {probs[0]!r} is {kind.simpleString()}; probabilities are "
        "array<float|double>, a Spark ML vector, map<label, double>, "
        "array<struct<label, probability>>, or a list of K number columns"
    )
    return "array"


def _probabilities(schema: StructType, probs: Sequence[str], layout: str) -> list[Column]:
    if layout == "columns":
        return [
            _as_float(quoted(name), schema[name].dataType).alias(f"{PROBS_PREFIX}{k}")
            for k, name in enumerate(probs)
        ]
    column = quoted(probs[0])
    kind = schema[probs[0]].dataType
    if layout == "vector":
        from pyspark.ml.functions import vector_to_array  # noqa: PLC0415 (imports all of pyspark.ml)

        column = vector_to_array(column)
    elif (
        layout == "array"
        and isinstance(kind, ArrayType)
        and not isinstance(kind.elementType, FloatType | DoubleType)
    ):
        column = column.cast("array<double>")
    return [column.alias(PROBS)]


def _as_float(column: Column, kind: DataType) -> Column:
    return column if isinstance(kind, FloatType | DoubleType) else column.cast("double")


def _default_classes(
    frame: DataFrame, label: str, label_type: DataType, probs: Sequence[str], layout: str
) -> Sequence[Any]:
    if isinstance(label_type, StringType) or layout in ("map", "top_k"):
        what = (
            f"column {label!r} holds strings"
            if isinstance(label_type, StringType)
            else f"column {probs[0]!r} holds probabilities by label"
        )
        raise ConfigError(
            f"classes: null, but {what}: set classes to the list of labels, in the order of the "
            "probabilities, or to a file with that list"
        )
    if isinstance(label_type, BooleanType):
        return (False, True)
    num_classes = len(probs) if layout == "columns" else _infer_num_classes(frame, probs, layout)
    return tuple(range(num_classes))


def _infer_num_classes(frame: DataFrame, probs: Sequence[str], layout: str) -> int:
    """Most frequent length among the first rows; other lengths are rejected later, by name."""
    column = _probabilities(frame.schema, probs, layout)[0]
    rows = frame.select(F.size(column)).limit(_SAMPLE_ROWS).collect()
    if not rows:
        raise InputError(EMPTY)
    sizes = [row[0] for row in rows if row[0] is not None and row[0] > 0]
    if not sizes:
        raise InputError(
            f"column {probs[0]!r} holds no probabilities in the first {_SAMPLE_ROWS:,} rows; "
            "set classes, or check how the column was written"
        )
    return max(sorted(set(sizes), reverse=True), key=sizes.count)


def check_classes(classes: Sequence[Any], label: str, label_type: DataType) -> None:
    """Check that classes can be labels of a column.

    Parameters
    ----------
    classes : sequence
        The K labels.
    label : str
        Name of the column.
    label_type : DataType

    Raises
    ------
    ConfigError
    """
    wanted: type = str if isinstance(label_type, StringType) else int
    if isinstance(label_type, BooleanType):
        wanted = bool
    # places, not labels: the list may come from a file, whose content is shown to nobody
    strangers = [i for i, c in enumerate(classes, 1) if type(c) is not wanted]
    if strangers:
        kind = type(classes[strangers[0] - 1]).__name__
        raise ConfigError(
            f"classes: number {strangers[0]} of {len(classes)} is {kind}, but column {label!r} is "
            f"{label_type.simpleString()}; write the classes as {wanted.__name__}"
        )
    # such a class could be suggested, and not written
    limit = 1 << (_INTEGER_BITS.get(type(label_type), 64) - 1)
    too_wide = [i for i, c in enumerate(classes, 1) if wanted is int and not -limit <= c < limit]
    if too_wide:
        raise ConfigError(
            f"classes: number {too_wide[0]} of {len(classes)} does not fit column {label!r}, which "
            f"is {label_type.simpleString()}; cast the column to a wider integer type"
        )
    if findings := class_findings(classes):
        raise ConfigError(findings)
