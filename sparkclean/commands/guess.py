"""Guess from a table's schema what its columns mean, for ``sparkclean init``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from sparkclean.lake import open_source
from sparkclean.rows.types import plain_array, plain_type

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_ID_NAMES = ("id", "record_id", "example_id", "uuid", "key", "guid")
_LABEL_NAMES = ("label", "given_label", "target", "class", "y", "category")
_PROBS_NAMES = ("pred_probs", "probabilities", "probability", "probs", "prediction", "scores")
_PROBS_PREFIXES = ("prob_", "p_", "proba_", "pred_prob_")
_ROW_SUM_ERROR = 0.02
_SHOWN = 5
#: How Spark stores an ML vector in Parquet.
_VECTOR = ["type", "size", "indices", "values"]
#: Rows whose labels are listed; whose probabilities are looked at.
_SAMPLE_ROWS, _FEW_ROWS = 10_000, 100


@dataclass
class Guess:
    """What the columns of a table may mean.

    Attributes
    ----------
    id, label : str
    pred_probs : str or list of str
    classes : list or None
    comments : dict
        Remarks for the configuration file.
    """

    id: str
    label: str
    pred_probs: str | list[str]
    classes: list[Any] | None = None
    comments: dict[str, str] = field(default_factory=dict)

    def options(self) -> dict[str, Any]:
        """Arguments of the configuration's template."""
        return {
            "id": self.id,
            "label": self.label,
            "pred_probs": self.pred_probs,
            "classes": self.classes,
        }


def guess_columns(table: str, spark: SparkSession | None = None) -> Guess:
    """Guess record id, label, probabilities and classes.

    Parameters
    ----------
    table : str
    spark : SparkSession, optional
        Not needed for Parquet at a path.

    Returns
    -------
    Guess
        What could not be guessed has the default name and a remark.

    Raises
    ------
    InputError
        If the table cannot be read.

    Notes
    -----
    Reads footers, or the metadata of the table; 100 rows of a list; the label column of 10,000 rows
    where labels are text.
    """
    schema, first = _look_at(table, spark)
    probs, sure = _guess_probs(schema)
    lengths = []
    if isinstance(probs, str) and probs and _is_plain_list(schema.field(probs).type):
        rows = [row for row in first(probs, _FEW_ROWS) if row]
        lengths = sorted({len(row) for row in rows})
        if not sure and not all(map(_sums_to_one, rows)):
            probs = ""  # features, say
    taken = {probs} if isinstance(probs, str) else set(probs)
    label = _pick(schema, _LABEL_NAMES, _is_label, taken)
    identity = _pick(schema, _ID_NAMES, _is_id, taken | {label or ""})
    guess = Guess(identity or "id", label or "label", probs or "pred_probs")
    missing = [
        name
        for name, found in (("id", identity), ("label", label), ("pred_probs", probs))
        if not found
    ]
    if missing:
        guess.comments["columns"] = (
            f"could not guess {', '.join(missing)}; the table has {', '.join(schema.names)}"
            + ("; `sparkclean run` predicts probabilities of features" if not probs else "")
        )
    elif not sure:
        guess.comments["columns"] = f"CHECK: {probs} may hold probabilities, by its type alone"
    if label is not None and _is_text(schema.field(label).type):
        labels = first(label, _SAMPLE_ROWS)
        guess.classes, guess.comments["classes"] = _guess_classes(labels, probs, lengths)
    return guess


def _look_at(
    table: str, spark: SparkSession | None
) -> tuple[pa.Schema, Callable[[str, int], list[Any]]]:
    """Return the schema of a table, and how to read the first values of a column."""
    source = open_source(table, spark=spark)
    pin = source.pin()
    if spark is None or pin.files:
        # a file without rows often has types that nobody chose
        path = next(file.path for file in pin.files if file.rows)

        def of_file(column: str, rows: int) -> list[Any]:
            with pq.ParquetFile(path) as file:
                batch = next(file.iter_batches(batch_size=rows, columns=[column]))
            return plain_array(batch.column(0)).to_pylist()

        return _plain(pq.read_schema(Path(path))), of_file

    from pyspark.sql.pandas.types import to_arrow_schema  # noqa: PLC0415 (only with Spark)

    from sparkclean.rows.columns import quoted  # noqa: PLC0415

    frame = source.read(spark, pin)

    def of_frame(column: str, rows: int) -> list[Any]:
        return [row[0] for row in frame.select(quoted(column)).limit(rows).collect()]

    return to_arrow_schema(frame.schema), of_frame


def _plain(schema: pa.Schema) -> pa.Schema:
    """Replace types of pandas and Arrow by those in which Spark reads them."""
    for i, column in enumerate(schema):
        with suppress(TypeError):  # of no use to an audit
            schema = schema.set(i, column.with_type(plain_type(column.type)))
    return schema


def _guess_probs(schema: pa.Schema) -> tuple[str | list[str], bool]:
    """Find the probabilities; tell whether their name says so, too."""
    fitting = [column.name for column in schema if _is_probs(column.type)]
    for name in _PROBS_NAMES:
        if name in fitting:
            return name, True
    many = [
        column.name
        for column in schema
        if pa.types.is_floating(column.type) and column.name.startswith(_PROBS_PREFIXES)
    ]
    if len(many) > 1:
        suffixes = {name: _suffix(name) for name in many}
        if all(text.isascii() and text.isdigit() for text in suffixes.values()):
            many.sort(key=lambda name: int(suffixes[name]))  # p_10 comes after p_9
        return many, True
    return (fitting[0], False) if fitting else ("", False)


def _suffix(name: str) -> str:
    """Cut a column's name to what stands for the class."""
    prefixes = [prefix for prefix in _PROBS_PREFIXES if name.startswith(prefix)]
    return name.removeprefix(max(prefixes, key=len, default=""))


def _is_plain_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) and bool(pa.types.is_floating(kind.value_type))


def _sums_to_one(row: list[float | None]) -> bool:
    values = [value for value in row if value is not None]
    return all(0.0 <= value <= 1.0 for value in values) and abs(sum(values) - 1.0) < _ROW_SUM_ERROR


def _is_probs(kind: pa.DataType) -> bool:
    if pa.types.is_list(kind):
        entry = kind.value_type
        return bool(pa.types.is_floating(entry) or pa.types.is_struct(entry))
    if pa.types.is_struct(kind):
        return [field.name for field in kind] == _VECTOR
    return bool(pa.types.is_map(kind))


def _pick(schema: pa.Schema, names: tuple[str, ...], fits: Any, taken: set[str]) -> str | None:
    free = [column for column in schema if column.name not in taken and fits(column.type)]
    for name in names:
        for column in free:
            if column.name.lower() == name:
                return str(column.name)
    for name in names:
        for column in free:
            if name in column.name.lower().split("_"):
                return str(column.name)
    return None


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind))


def _is_id(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind)) or _is_text(kind)


def _is_label(kind: pa.DataType) -> bool:
    return _is_id(kind) or bool(pa.types.is_boolean(kind))


def _guess_classes(
    labels: list[Any], probs: str | list[str], lengths: list[int]
) -> tuple[list[str] | None, str]:
    """Look at the first labels, and the names or lengths of probabilities: classes and a remark."""
    seen = sorted(set(labels) - {None})
    named = [] if isinstance(probs, str) else [_suffix(name) for name in probs]
    if seen and set(seen) <= set(named):
        return named, "CHECK: taken from the names of the columns of probabilities, in their order"
    if len(seen) < 2:
        shown = "no label" if not seen else f"only {seen[0]!r}"
        return None, (
            f"SET THIS: {shown} was seen in {len(labels):,} rows; list all labels, in the order of "
            "the probabilities"
        )
    if lengths and lengths != [len(seen)]:
        shown = ", ".join(map(repr, seen[:_SHOWN])) + (", ..." if len(seen) > _SHOWN else "")
        return None, (
            f"SET THIS: {len(seen)} labels were seen in {len(labels):,} rows ({shown}), and "
            f"{' or '.join(map(str, lengths[:_SHOWN]))} probabilities a row; list all labels, in "
            "the order of the probabilities"
        )
    return seen, (
        f"CHECK: seen in {len(labels):,} rows, sorted; list all labels, in the order of the "
        "probabilities"
    )
