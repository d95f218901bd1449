"""Guess from a table's schema what its columns mean, for ``sparkclean init``. Without Spark."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sparkclean.errors import InputError
from sparkclean.lake import open_source

_ID_NAMES = ("id", "record_id", "example_id", "uuid", "key", "guid")
_LABEL_NAMES = ("label", "given_label", "target", "class", "y", "category")
_PROBS_NAMES = ("pred_probs", "probabilities", "probability", "probs", "prediction", "scores")
_SAMPLE_ROWS = 10_000


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


def guess_columns(table: str) -> Guess:
    """Guess record id, label, probabilities and classes.

    Parameters
    ----------
    table : str

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
    Reads footers, and the label column of 10,000 rows where labels are text.
    """
    pin = open_source(table).pin()
    schema = pq.read_schema(Path(pin.files[0].path))
    probs = _guess_probs(schema)
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
        )
    if label is not None and _is_text(schema.field(label).type):
        guess.classes = _sample_labels(pin.files[0].path, label)
        guess.comments["classes"] = (
            "CHECK: labels seen in a sample, sorted; they must be in the order of the probabilities"
        )
    return guess


def _guess_probs(schema: pa.Schema) -> str | list[str]:
    for wanted in (*_PROBS_NAMES, None):
        for column in schema:
            kind = column.type
            is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
            fits = pa.types.is_map(kind) or (
                is_list
                and (pa.types.is_floating(kind.value_type) or pa.types.is_struct(kind.value_type))
            )
            if fits and wanted in (column.name, None):
                return str(column.name)
    prefixes = ("prob_", "p_", "proba_", "pred_prob_")
    many = [
        column.name
        for column in schema
        if pa.types.is_floating(column.type) and column.name.startswith(prefixes)
    ]
    return many if len(many) > 1 else ""


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
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_id(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind)) or _is_text(kind)


def _is_label(kind: pa.DataType) -> bool:
    return _is_id(kind) or bool(pa.types.is_boolean(kind))


def _sample_labels(path: str, label: str) -> list[Any]:
    with pq.ParquetFile(path) as file:
        batch = next(file.iter_batches(batch_size=_SAMPLE_ROWS, columns=[label]), None)
    if batch is None:
        raise InputError(f"{path} has no rows; the labels cannot be looked at")
    return sorted(set(batch.column(0).to_pylist()) - {None})
