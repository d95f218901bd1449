"""What the columns of a table may mean: guessed from names, types and a few rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sparkclean.commands.guess_probs import (
    FEW_ROWS,
    guess_probs,
    is_plain_list,
    is_probs,
    name_classes,
    sums_to_one,
)
from sparkclean.commands.table_preview import TablePreview, preview_table
from sparkclean.errors import InputError, did_you_mean, first_of
from sparkclean.names import is_named_as_id
from sparkclean.rows.types import VECTOR
from sparkclean.schema import (
    FOLD,
    LABEL_WAS_CHANGED,
    PREDICTIONS,
    REJECTED,
    SAMPLE_WEIGHT,
    SUSPECTS,
)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_LABEL_NAMES = ("label", "labels", "given_label", "target", "class", "y", "category")
#: Labels that a remark shows; columns among which ids are looked for, whatever they are called.
_SHOWN, _LISTED = 5, 10
#: Rows whose labels are listed.
_SAMPLE_ROWS = 10_000
#: Values of a column that may be a label, at most; rows for each of them, at least.
_MOST_LABELS, _ROWS_PER_LABEL = 100, 4
#: Columns of ours, which mean nothing of the user's. Record id and label keep their names.
_OURS = {name for name, _ in (*SUSPECTS, *REJECTED, *PREDICTIONS)} - {"pred_probs", "given_label"}
_OURS |= {SAMPLE_WEIGHT, LABEL_WAS_CHANGED}  # of cleaned versions


@dataclass
class Guess:
    """What the columns of a table may mean.

    Attributes
    ----------
    id : str or None
        None: no column; rows of Parquet files can be numbered.
    label : str or None
    pred_probs : str or list of str, or None
    classes : list or None
    features : list of str
        All columns that a model may see.
    reasons : dict
        Why, by the name of what was guessed.
    open : dict
        Columns to choose from, by the name of what could not be guessed surely.
    comments : dict
        Remarks for the configuration file.
    """

    id: str | None = None
    label: str | None = None
    pred_probs: str | list[str] | None = None
    classes: list[Any] | None = None
    features: list[str] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    open: dict[str, list[str]] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)

    @property
    def job(self) -> str:
        """The command for such a table: without probabilities they are predicted first."""
        return "run" if self.pred_probs is None else "audit"

    def shown(self, name: str, none: str) -> str:
        """Write what was guessed for people; ``none`` where it is None."""
        value = getattr(self, name)
        return none if value is None else ", ".join(map(str, _names(value)))

    def options(self) -> dict[str, Any]:
        """Arguments of the configuration's template."""
        return {
            "id": self.id,
            "label": self.label or "label",
            "pred_probs": self.pred_probs or "pred_probs",
            "classes": self.classes,
            "features": self.features if self.pred_probs is None else [],
        }


@dataclass(frozen=True)
class Given:
    """What is known of the columns of a table, and need not be guessed; None: it is not.

    Attributes
    ----------
    id, label, pred_probs : str or sequence of str, or None
    numbered : bool
        Whether rows are to be numbered.
    classes : object
        None: to be guessed.
    features : sequence of str or None
    """

    id: str | Sequence[str] | None = None
    label: str | None = None
    pred_probs: str | Sequence[str] | None = None
    classes: Any = None
    features: Sequence[str] | None = None
    numbered: bool = False

    def columns(self) -> set[str]:
        """Names of the columns of record id, label and probabilities."""
        return {name for value in (self.id, self.label, self.pred_probs) for name in _names(value)}


def guess_columns(
    table: str, spark: SparkSession | None = None, given: Given | None = None
) -> Guess:
    """Guess record id, label, probabilities, classes and features.

    Parameters
    ----------
    table : str
    spark : SparkSession, optional
        Not needed for Parquet at a path.
    given : Given, optional
        What need not be guessed.

    Returns
    -------
    Guess
        What could not be guessed is None, with a remark and columns to choose from.

    Raises
    ------
    InputError
        If the table cannot be read, or lacks a column that is given.

    Notes
    -----
    Reads as `preview_table` does: 100 rows of lists; 10,000 rows of columns that may be the label;
    a million rows of columns that are named like an id, until one column has no value twice.
    """
    look = preview_table(table, spark)
    given = _as_spelled(look.schema, given or Given())
    guess = Guess(features=list(given.features or []))
    lengths = _find_probs(look, given, guess)
    _find_label(look, given, guess)
    _find_id(look, given, guess)
    _find_classes(look, given, guess, lengths)
    if not given.features:
        guess.features = _features(look, given, guess)
    missing = [name for name in ("id", "label", "pred_probs") if name in guess.open]
    if missing == ["pred_probs"] and guess.pred_probs is None and guess.features:
        guess.reasons["pred_probs"] = "`sparkclean run` predicts them of the features"
    elif missing and "columns" not in guess.comments:
        guess.comments["columns"] = (
            f"could not guess {', '.join(missing)}; the table has {', '.join(look.schema.names)}"
            + (
                "; `sparkclean run` predicts probabilities of features"
                if guess.job == "run"
                else ""
            )
        )
    return guess


def _as_spelled(schema: pa.Schema, given: Given) -> Given:
    """Spell label and probabilities as the table does; Spark does not tell case."""
    _check_there(schema, given)
    spelled = {name.lower(): name for name in schema.names}
    spelled |= {name: name for name in schema.names}

    def spell(name: str) -> str:
        return spelled.get(name, spelled[name.lower()])

    probs = given.pred_probs
    if probs is not None:
        probs = spell(probs) if isinstance(probs, str) else [spell(name) for name in probs]
    return replace(
        given, label=None if given.label is None else spell(given.label), pred_probs=probs
    )


def _check_there(schema: pa.Schema, given: Given) -> None:
    wanted = [*_names(given.id), *_names(given.label), *_names(given.pred_probs)]
    wanted += [name for name in given.features or () if name != "all"]
    there = {name.lower() for name in schema.names}
    missing = [name for name in wanted if name.lower() not in there]
    if missing:
        hint = did_you_mean(missing[0], schema.names)
        raise InputError(
            f"column {first_of([repr(name) for name in missing])} is not in the table; {hint}it "
            f"has: {first_of(schema.names, 20)}"
        )


def _names(value: str | Sequence[str] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


# -- probabilities -------------------------------------------------------------------------------


def _find_probs(look: TablePreview, given: Given, guess: Guess) -> list[int]:
    """Find the probabilities; give the lengths of their lists."""
    if given.features is not None and given.pred_probs is None:
        return []  # they are to be predicted
    probs, sure = (given.pred_probs, True) if given.pred_probs else guess_probs(look)
    lengths: list[int] = []
    features = None
    if isinstance(probs, str) and probs in look.schema.names:
        kind = look.schema.field(probs).type
        if is_plain_list(kind):
            rows = [row for row in look.first(probs, FEW_ROWS) if row]
            lengths = sorted({len(row) for row in rows})
            if not sure and not all(map(sums_to_one, rows)):
                features, probs = probs, None
    if probs is None:
        fitting = [column.name for column in look.schema if is_probs(column.type)]
        guess.open["pred_probs"] = [name for name in fitting if name != features]
        return lengths
    guess.pred_probs = probs if isinstance(probs, str) else list(probs)
    if given.pred_probs:
        return lengths
    if sure:
        guess.reasons["pred_probs"] = "by name and type"
    else:
        guess.open["pred_probs"] = [str(probs)]
        guess.comments["columns"] = f"CHECK: {probs} may hold probabilities; only its type says so"
    return lengths


# -- label and record id -------------------------------------------------------------------------


def _find_label(look: TablePreview, given: Given, guess: Guess) -> None:
    if given.label is not None:
        guess.label = given.label
        return
    taken = {*given.columns(), *_names(guess.pred_probs), *_names(guess.features), *_OURS}
    free = [c.name for c in look.schema if c.name not in taken and _is_label(c.type)]
    for name in _LABEL_NAMES:
        for column in free:
            if column.lower() == name:
                guess.label = column
                guess.reasons["label"] = "by its name"
                return
    named = [c for name in _LABEL_NAMES for c in free if name in c.lower().split("_")]
    few = [c for c in free if not is_named_as_id(c) and _has_few_values(look, c)]
    candidates = list(dict.fromkeys([*named, *few]))
    guess.label = candidates[0] if candidates else None
    if len(named) == 1 or (not named and len(few) == 1):
        guess.reasons["label"] = "by its name" if named else "the only column with few values"
    if not named:
        guess.open["label"] = candidates or free
        if candidates:
            shown = first_of(candidates)
            guess.comments["columns"] = f"CHECK: the label may be {shown}: columns of few values"
    elif len(named) > 1:
        guess.open["label"] = candidates


def _has_few_values(look: TablePreview, column: str) -> bool:
    values = [value for value in look.first(column, _SAMPLE_ROWS) if value is not None]
    different = len(set(values))
    return 2 <= different <= _MOST_LABELS and len(values) >= _ROWS_PER_LABEL * different


def _find_id(look: TablePreview, given: Given, guess: Guess) -> None:
    if given.id is not None or given.numbered:
        guess.id = given.id if isinstance(given.id, str) else None
        return
    taken = {*given.columns(), *_names(guess.pred_probs), *_names(guess.label), *_OURS}
    taken |= set(guess.features)
    free = [c.name for c in look.schema if c.name not in taken and _is_id(c.type)]
    named = [name for name in free if name in look.index or is_named_as_id(name)]
    named.sort(key=lambda name: (name.lower() != "id", not name.lower().endswith("id")))
    for name in named:
        rows = look.count_unique(name)
        if rows is not None:
            guess.id = name
            why = "the index of pandas" if name in look.index else "named like an id"
            guess.reasons["id"] = f"{why}, all values are different in {rows:,} rows"
            return
    why = "no column is named like an id"
    if named:
        why = f"{first_of(named)}: has values twice, or none"
    if look.keeps_order:
        guess.reasons["id"] = (
            f"{why}; row numbers are the record ids, valid for this table version only"
        )
    else:
        some = free[:_LISTED]  # a job for each
        guess.open["id"] = sorted(some, key=lambda name: look.count_unique(name) is None)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind))


def _is_id(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind)) or _is_text(kind)


def _is_label(kind: pa.DataType) -> bool:
    return _is_id(kind) or bool(pa.types.is_boolean(kind))


# -- classes and features ------------------------------------------------------------------------


def _find_classes(look: TablePreview, given: Given, guess: Guess, lengths: list[int]) -> None:
    """List the labels, where an audit must know their order."""
    if given.classes is not None or guess.pred_probs is None or guess.label is None:
        return
    kind = look.schema.field(guess.label).type
    if not (_is_text(kind) or pa.types.is_integer(kind)):
        return
    labels = look.first(guess.label, _SAMPLE_ROWS)
    named = name_classes(guess.pred_probs)
    if _is_text(kind):
        guess.classes, guess.comments["classes"] = _guess_classes(labels, named, lengths)
        if guess.classes is None or guess.classes != named:
            guess.open["classes"] = guess.classes or sorted(set(labels) - {None})
        else:
            guess.reasons["classes"] = "by the names of the columns of probabilities"
        return
    numbers = [int(text) for text in named if text.isascii() and text.isdigit()]
    is_default = numbers == list(range(len(named)))
    if len(numbers) == len(named) and not is_default and set(labels) - {None} <= set(numbers):
        guess.classes = numbers
        guess.reasons["classes"] = "by the names of the columns of probabilities"


def _guess_classes(
    labels: list[Any], named: list[str], lengths: list[int]
) -> tuple[list[str] | None, str]:
    """Look at the first labels, and the names or lengths of probabilities: classes and a remark."""
    seen = sorted(set(labels) - {None})
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


def _features(look: TablePreview, given: Given, guess: Guess) -> list[str]:
    """List the columns that a model may see: numbers and texts, but no ids."""
    taken = {*given.columns(), *_names(guess.id), *_names(guess.label), *_OURS, FOLD, *look.index}
    taken |= set(_names(guess.pred_probs))
    return [
        column.name
        for column in look.schema
        if column.name not in taken and not is_named_as_id(column.name) and _is_feature(column.type)
    ]


def _is_feature(kind: pa.DataType) -> bool:
    if pa.types.is_list(kind):
        return _is_number(kind.value_type)
    is_vector = pa.types.is_struct(kind) and tuple(part.name for part in kind) == VECTOR
    return is_vector or _is_text(kind) or pa.types.is_boolean(kind) or _is_number(kind)


def _is_number(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))
