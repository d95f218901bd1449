"""The table of annotations: its columns, its annotators and its classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F
from pyspark.sql.types import (
    BooleanType,
    ByteType,
    DataType,
    DateType,
    IntegerType,
    LongType,
    ShortType,
    StringType,
    StructType,
    TimestampNTZType,
    TimestampType,
)

from sparkclean.errors import InputError
from sparkclean.jobs.consensus.row_types import HASHED, LABEL, PROBS, SOURCE, TIME, WHO
from sparkclean.jobs.consensus.sections import AnnotationsSection
from sparkclean.rows.columns import find_columns, quoted
from sparkclean.rows.emitted import ID_PREFIX
from sparkclean.schema import CONSENSUS

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

_INTEGERS = (ByteType, ShortType, IntegerType, LongType)
_KEYS = "annotations.item, annotations.annotator, annotations.label and annotations.time"
_OUTPUT_NAMES = {name for name, _ in CONSENSUS}
#: What the driver holds: annotators, and classes.
MOST_ANNOTATORS, MOST_CLASSES = 1_000_000, 10_000


@dataclass(frozen=True)
class AnnotationColumns:
    """The columns of the table of annotations.

    Attributes
    ----------
    ids : tuple of str
        Record id columns of the item.
    annotator, label : str
    time : str or None
    id_types : tuple of DataType
    annotator_type, label_type : DataType
    time_type : DataType or None
    """

    ids: tuple[str, ...]
    annotator: str
    label: str
    time: str | None
    id_types: tuple[DataType, ...]
    annotator_type: DataType
    label_type: DataType
    time_type: DataType | None

    @property
    def id_names(self) -> tuple[str, ...]:
        """Internal names of the record id columns."""
        return tuple(f"{ID_PREFIX}{i}" for i in range(len(self.ids)))

    @property
    def short_id_types(self) -> tuple[str, ...]:
        """Spark's names of the types of record ids."""
        return tuple(kind.simpleString() for kind in self.id_types)

    def narrow(self, frame: DataFrame) -> DataFrame:
        """Select what is grouped, by internal names: integers as bigint. Lazy."""
        ids = [
            _widened(quoted(name), kind) for name, kind in zip(self.ids, self.id_types, strict=True)
        ]
        return frame.select(
            *(column.alias(name) for column, name in zip(ids, self.id_names, strict=True)),
            F.lit(0).cast("tinyint").alias(SOURCE),
            _widened(quoted(self.annotator), self.annotator_type).alias(WHO),
            _widened(quoted(self.label), self.label_type).alias(LABEL),
            self._time().alias(TIME),
            F.lit(None).cast("array<double>").alias(PROBS),
            F.xxhash64(*ids).alias(HASHED),
        )

    def _time(self) -> Column:
        if self.time is None:
            return F.lit(None).cast("bigint")
        column = quoted(self.time)
        if isinstance(self.time_type, DateType):
            return F.unix_date(column).cast("bigint")
        if isinstance(self.time_type, TimestampType | TimestampNTZType):
            return F.unix_micros(column.cast("timestamp"))
        return column.cast("bigint")

    def label_values(self, classes: Sequence[Any]) -> list[Any]:
        """Write classes as the narrow frame holds them: booleans as 0 and 1."""
        return [int(value) if isinstance(value, bool) else value for value in classes]

    def class_values(self, labels: Sequence[Any]) -> tuple[Any, ...]:
        """Write labels of the narrow frame as the table holds them."""
        is_boolean = isinstance(self.label_type, BooleanType)
        return tuple(bool(value) if is_boolean else value for value in labels)


def _widened(column: Column, kind: DataType) -> Column:
    if isinstance(kind, (*_INTEGERS, BooleanType)):
        return column.cast("bigint")
    return column.cast("string")  # also of type CHAR(n)


def resolve_annotations(frame: DataFrame, section: AnnotationsSection) -> AnnotationColumns:
    """Check the columns of the table of annotations.

    Parameters
    ----------
    frame : DataFrame
    section : AnnotationsSection

    Returns
    -------
    AnnotationColumns

    Raises
    ------
    InputError
        All findings at once.
    """
    wanted = [*section.item_columns, section.annotator, section.label]
    wanted += [] if section.time is None else [section.time]
    found = find_columns(frame, wanted, _KEYS)
    ids, rest = found[: len(section.item_columns)], found[len(section.item_columns) :]
    schema = frame.schema
    findings = [
        *_id_findings(schema, ids),
        *_type_findings(schema, "annotator", rest[0], "an integer or a string", ()),
        *_type_findings(
            schema, "label", rest[1], "an integer, a string or a boolean", (BooleanType,)
        ),
    ]
    time = rest[2] if section.time is not None else None
    if time is not None and not isinstance(
        schema[time].dataType, (*_INTEGERS, DateType, TimestampType, TimestampNTZType)
    ):
        findings.append(
            f"annotations.time: column {time!r} is {schema[time].dataType.simpleString()}; a time "
            "is a timestamp, a date or an integer (cast it to one of them)"
        )
    if findings:
        raise InputError(findings)
    return AnnotationColumns(
        ids=tuple(ids),
        annotator=rest[0],
        label=rest[1],
        time=time,
        id_types=tuple(schema[name].dataType for name in ids),
        annotator_type=schema[rest[0]].dataType,
        label_type=schema[rest[1]].dataType,
        time_type=None if time is None else schema[time].dataType,
    )


def _id_findings(schema: StructType, ids: Sequence[str]) -> list[str]:
    findings = []
    for name in ids:
        findings += _type_findings(schema, "item", name, "an integer or a string", ())
        if name.lower() in _OUTPUT_NAMES:
            findings.append(
                f"annotations.item: {name!r} is also the name of an output column; rename the "
                "column of the table"
            )
    return findings


def _type_findings(
    schema: StructType, key: str, name: str, wanted: str, more: tuple[type[DataType], ...]
) -> list[str]:
    kind = schema[name].dataType
    is_text = isinstance(kind, StringType) and kind.simpleString() == "string"
    if is_text or isinstance(kind, (*_INTEGERS, *more)):
        return []
    what = {"item": "a record id", "annotator": "an annotator", "label": "a label"}[key]
    return [
        f"annotations.{key}: column {name!r} is {kind.simpleString()}; {what} is {wanted} (cast "
        "the column to one of them)"
    ]


def collect_annotators(frame: DataFrame, section: AnnotationsSection) -> tuple[list[Any], int]:
    """List all annotators in their order, and count the rows.

    Parameters
    ----------
    frame : DataFrame
        Of `AnnotationColumns.narrow`.
    section : AnnotationsSection

    Returns
    -------
    annotators : list
    rows : int
        Those without an annotator, too.

    Raises
    ------
    InputError
        If the table is empty, or has too many annotators.

    Notes
    -----
    One job over the column of annotators.
    """
    groups = frame.groupBy(WHO).count().limit(MOST_ANNOTATORS + 2).collect()
    rows = sum(count for _, count in groups)
    if not rows:
        raise InputError(
            "the table is empty (0 annotations); check annotations.table, input.version and "
            "input.where"
        )
    annotators = sorted(who for who, _ in groups if who is not None)
    if len(annotators) > MOST_ANNOTATORS:
        raise InputError(
            f"annotations.annotator: {section.annotator!r} holds more than {MOST_ANNOTATORS:,} "
            "different values; name the column that says who gave the label"
        )
    return annotators, rows


def collect_labels(frame: DataFrame, section: AnnotationsSection) -> list[Any]:
    """List all labels in their order.

    Parameters
    ----------
    frame : DataFrame
        Of `AnnotationColumns.narrow`.
    section : AnnotationsSection

    Returns
    -------
    list

    Raises
    ------
    InputError
        If there are too many.

    Notes
    -----
    One job over the column of labels.
    """
    found = frame.where(F.col(LABEL).isNotNull()).select(LABEL).distinct()
    labels = sorted(row[0] for row in found.limit(MOST_CLASSES + 1).collect())
    if len(labels) > MOST_CLASSES:
        raise InputError(
            f"annotations.label: {section.label!r} holds more than {MOST_CLASSES:,} different "
            "labels; name the column of the label"
        )
    return labels
