"""Tables of predicted probabilities, whose classes are matched with the labels of annotators."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DataType,
    IntegralType,
    MapType,
    NumericType,
    StringType,
    StructType,
)

from sparkclean.errors import ConfigError, InputError, first_of
from sparkclean.examples.class_order import noted_classes, notes_of_data
from sparkclean.examples.predictions import CLASSES, find_prediction
from sparkclean.jobs.consensus.annotations import MOST_CLASSES, AnnotationColumns
from sparkclean.jobs.consensus.row_types import HASHED, LABEL, PROBS, SOURCE, TIME, WHO
from sparkclean.jobs.consensus.sections import ConsensusSection
from sparkclean.lake import open_source
from sparkclean.rows.columns import find_columns, quoted
from sparkclean.runs.context import Context, Parent, PinnedTable

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

_FIRST_ROWS = 1000
#: Labels of different kinds are never the same.
_LABEL_KINDS = (StringType, IntegralType, BooleanType)


@dataclass(frozen=True)
class Model:
    """One table of predictions.

    Attributes
    ----------
    name : str
        As the configuration names it.
    table : PinnedTable
    ids : tuple of str
        Its record id columns.
    probs : str
        Its column of probabilities.
    layout : {"array", "vector", "map", "top_k"}
    labels : tuple or None
        In the order of the numbers; None where they follow from the rows.
    parent : Parent or None
        The prediction that has written it.
    """

    name: str
    table: PinnedTable
    ids: tuple[str, ...]
    probs: str
    layout: str
    labels: tuple[Any, ...] | None
    parent: Parent | None

    def collect_labels(self, columns: AnnotationColumns) -> tuple[Any, ...]:
        """List the labels of the numbers, as the table of annotations holds labels.

        Parameters
        ----------
        columns : AnnotationColumns

        Returns
        -------
        tuple

        Raises
        ------
        InputError, ConfigError
            If nothing says which class each number is of.

        Notes
        -----
        A small job where the table does not say it.
        """
        if self.labels is not None:
            return self.labels
        frame, column = self.table.frame, quoted(self.probs)
        if self.layout in ("map", "top_k"):
            keys = F.map_keys(column) if self.layout == "map" else column[self._entry(0)]
            found = frame.select(F.explode(keys)).distinct().limit(MOST_CLASSES + 1).collect()
            return tuple(sorted(row[0] for row in found if row[0] is not None))
        if isinstance(columns.label_type, BooleanType):
            return (False, True)
        if isinstance(columns.label_type, StringType):
            raise ConfigError(
                f"consensus.predictions: {self.name} does not say which class each number of "
                f"{self.probs!r} is of; set classes to the list of labels, in the order of the "
                "probabilities"
            )
        sizes = [
            row[0]
            for row in frame.select(F.size(self._array())).limit(_FIRST_ROWS).collect()
            if row[0] is not None and row[0] > 0
        ]
        if not sizes:
            raise InputError(
                f"consensus.predictions: {self.name} holds no probabilities in {self.probs!r} in "
                f"its first {_FIRST_ROWS:,} rows; check how the column was written"
            )
        return tuple(range(max(sorted(set(sizes), reverse=True), key=sizes.count)))

    def narrow(self, number: int, columns: AnnotationColumns, labels: Sequence[Any]) -> DataFrame:
        """Select what is grouped beside annotations, as `AnnotationColumns.narrow` does. Lazy.

        Parameters
        ----------
        number : int
            Of the model, from 1.
        columns : AnnotationColumns
        labels : sequence
            In the order of the numbers.
        """
        types = ["bigint" if kind != "string" else kind for kind in columns.short_id_types]
        ids = [quoted(name).cast(kind) for name, kind in zip(self.ids, types, strict=True)]
        return self.table.frame.select(
            *(column.alias(name) for column, name in zip(ids, columns.id_names, strict=True)),
            F.lit(number).cast("tinyint").alias(SOURCE),
            F.lit(None).cast(_kind_of(columns.annotator_type)).alias(WHO),
            F.lit(None).cast(_kind_of(columns.label_type)).alias(LABEL),
            F.lit(None).cast("bigint").alias(TIME),
            self._numbers(labels).alias(PROBS),
            F.xxhash64(*ids).alias(HASHED),
        )

    def _entry(self, place: int) -> str:
        kind = self.table.frame.schema[self.probs].dataType
        return str(kind.elementType[place].name)  # type: ignore[attr-defined]

    def _array(self) -> Column:
        column = quoted(self.probs)
        if self.layout == "vector":
            from pyspark.ml.functions import vector_to_array  # noqa: PLC0415 (imports pyspark.ml)

            column = vector_to_array(column)
        return column

    def _numbers(self, labels: Sequence[Any]) -> Column:
        if self.layout in ("array", "vector"):
            return self._array().cast("array<double>")
        column = quoted(self.probs)
        by_label = F.map_from_entries(column) if self.layout == "top_k" else column
        entries = [F.coalesce(F.try_element_at(by_label, F.lit(x)), F.lit(0.0)) for x in labels]
        return F.when(column.isNotNull(), F.array(*[e.cast("double") for e in entries]))


def _kind_of(kind: Any) -> str:
    return "string" if isinstance(kind, StringType) else "bigint"


def open_models(
    context: Context, columns: AnnotationColumns, classes: Sequence[Any] | None
) -> list[Model]:
    """Pin the tables of predictions and check their columns.

    Parameters
    ----------
    context : Context
    columns : AnnotationColumns
    classes : sequence or None
        As the configuration lists them.

    Returns
    -------
    list of Model

    Raises
    ------
    InputError
        All findings of a table at once.
    """
    names = context.config.section(ConsensusSection).predictions
    return [
        _open_model(context, number, name, columns, classes) for number, name in enumerate(names, 1)
    ]


def _open_model(
    context: Context,
    number: int,
    name: str,
    columns: AnnotationColumns,
    classes: Sequence[Any] | None,
) -> Model:
    config = context.config
    source = open_source(name, "auto", spark=context.spark)
    table = context.pin(f"predictions_{number}", source)
    probs_key = config.columns.pred_probs
    if not isinstance(probs_key, str):
        raise ConfigError(
            "columns.pred_probs: a list of columns, but predictions of a consensus are one column; "
            "name it"
        )
    there = {column.lower() for column in table.frame.columns}
    own = columns.ids
    if not {column.lower() for column in own} <= there:
        # a prediction names record ids as its own input does
        configured = config.columns.id_columns
        own = configured if {c.lower() for c in configured} <= there else columns.ids
    about = (
        f"consensus.predictions ({name}): annotations.item or columns.id, and columns.pred_probs"
    )
    *ids, probs = find_columns(table.frame, [*own, probs_key], about)
    findings = _id_findings(name, table, ids, columns)
    layout = _layout(table.frame.schema[probs].dataType)
    if layout is None:
        findings.append(
            f"consensus.predictions: column {probs!r} of {name} is "
            f"{table.frame.schema[probs].dataType.simpleString()}; probabilities are an array of "
            "numbers, a Spark ML vector, map<label, double> or array<struct<label, probability>>"
        )
    else:
        findings += _key_findings(name, probs, table.frame.schema[probs].dataType, columns)
    if findings:
        raise InputError(findings)
    maker = find_prediction(name, table.pin, context.spark)
    noted = noted_classes(notes_of_data(table.frame, probs))
    if maker is not None:
        noted = json.loads(maker.properties[CLASSES])
    is_by_label = layout in ("map", "top_k")
    labels = None if is_by_label else _labels(name, noted, classes, columns)
    parent = None if maker is None else Parent("predict", maker.properties["original_run_id"])
    return Model(name, table, tuple(ids), probs, str(layout), labels, parent)


def _key_findings(name: str, probs: str, kind: DataType, columns: AnnotationColumns) -> list[str]:
    """Check the type of labels that stand beside the probabilities."""
    if isinstance(kind, MapType):
        key: DataType = kind.keyType
    elif isinstance(kind, ArrayType) and isinstance(kind.elementType, StructType):
        key = kind.elementType[0].dataType
    else:
        return []
    if any(isinstance(key, one) and isinstance(columns.label_type, one) for one in _LABEL_KINDS):
        return []
    return [
        f"consensus.predictions: the labels in {probs!r} of {name} are {key.simpleString()}, and "
        f"those in {columns.label!r} are {columns.label_type.simpleString()}; give both one type"
    ]


def check_positions(
    models: Sequence[Model], of_models: Sequence[Sequence[Any]], labels: Sequence[Any]
) -> None:
    """Refuse labels that are none of 0 to n - 1, where nothing else says what n numbers are of.

    Parameters
    ----------
    models : sequence of Model
    of_models : sequence
        Of each model the labels of its numbers, by `Model.collect_labels`.
    labels : sequence
        That annotators gave.

    Raises
    ------
    InputError
        All findings at once.
    """
    findings = []
    for model, own in zip(models, of_models, strict=True):
        more = sorted(set(labels) - set(own))
        if model.labels is None and model.layout in ("array", "vector") and more:
            findings.append(
                f"consensus.predictions: the {len(own):,} numbers in {model.probs!r} of "
                f"{model.name} would be of the labels 0 to {len(own) - 1:,}, but annotators gave "
                f"{first_of(list(map(str, more)))}; set classes to the list of labels, in the "
                "order of the probabilities"
            )
    if findings:
        raise InputError(findings)


def _labels(
    name: str,
    noted: Sequence[Any] | None,
    classes: Sequence[Any] | None,
    columns: AnnotationColumns,
) -> tuple[Any, ...] | None:
    """Give the labels of the numbers: as the table notes them, or as they are configured."""
    labels = noted if noted is not None else classes
    if labels is None:
        return None
    wanted: type = str if isinstance(columns.label_type, StringType) else int
    if isinstance(columns.label_type, BooleanType):
        wanted = bool
    strangers = [label for label in labels if type(label) is not wanted]
    if strangers:
        raise InputError(
            f"consensus.predictions: the classes of {name} are of type "
            f"{type(strangers[0]).__name__}, and the labels in {columns.label!r} are "
            f"{columns.label_type.simpleString()}; give both one type"
        )
    return tuple(labels)


def _id_findings(
    name: str, table: PinnedTable, ids: Sequence[str], columns: AnnotationColumns
) -> list[str]:
    findings = []
    if len(ids) != len(columns.ids):
        return [
            f"consensus.predictions: {name} has {len(ids)} record id columns, and the annotations "
            f"have {len(columns.ids)}; name the same ones"
        ]
    for own, kind in zip(ids, columns.id_types, strict=True):
        found = table.frame.schema[own].dataType
        if isinstance(found, StringType) != isinstance(kind, StringType):
            findings.append(
                f"consensus.predictions: column {own!r} of {name} is {found.simpleString()}, and "
                f"the record id of the annotations is {kind.simpleString()}; cast one of them"
            )
    return findings


def _layout(kind: Any) -> str | None:
    if isinstance(kind, ArrayType) and isinstance(kind.elementType, NumericType):
        return "array"
    if isinstance(kind, ArrayType) and isinstance(kind.elementType, StructType):
        entry = kind.elementType
        is_pair = len(entry) == 2 and isinstance(entry[1].dataType, NumericType)
        return "top_k" if is_pair else None
    if isinstance(kind, MapType) and isinstance(kind.valueType, NumericType):
        return "map"
    if kind.typeName() == "vectorudt" or kind.simpleString() == "vector":
        return "vector"
    return None
