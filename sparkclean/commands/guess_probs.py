"""Which columns hold probabilities: an array, a map, a vector, or one column for each class."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import takewhile

import pyarrow as pa

from sparkclean.commands.table_preview import TablePreview
from sparkclean.rows.types import VECTOR

_PROBS_NAMES = ("pred_probs", "probabilities", "probability", "probs", "prediction", "scores")
_PROBS_PREFIXES = ("prob_", "p_", "proba_", "pred_prob_")
_ROW_SUM_ERROR = 0.02
#: Rows whose probabilities are looked at.
FEW_ROWS = 100


def guess_probs(look: TablePreview) -> tuple[str | list[str] | None, bool]:
    """Find the probabilities of a table.

    Parameters
    ----------
    look : Look

    Returns
    -------
    probs : str or list of str, or None
    sure : bool
        Whether names, or rows that sum to 1, say so, too.
    """
    fitting = [column.name for column in look.schema if is_probs(column.type)]
    for name in _PROBS_NAMES:
        if name in fitting:
            return name, True
    floats = [column.name for column in look.schema if pa.types.is_floating(column.type)]
    many = [name for name in floats if name.startswith(_PROBS_PREFIXES)]
    if len(many) > 1:
        return _in_order(many, _suffix), True
    for prefix in dict.fromkeys(_stem(name) for name in floats):
        many = [name for name in floats if prefix and _stem(name) == prefix]
        if len(many) > 1:
            rows = zip(*(look.first(name, FEW_ROWS) for name in many), strict=True)
            if all(sums_to_one(list(row)) for row in rows):
                return _in_order(many, lambda name: name.removeprefix(_stem(name))), True
    return (fitting[0], False) if fitting else (None, False)


def _in_order(names: list[str], suffix: Callable[[str], str]) -> list[str]:
    suffixes = {name: suffix(name) for name in names}
    if all(text.isascii() and text.isdigit() for text in suffixes.values()):
        names.sort(key=lambda name: int(suffixes[name]))  # p_10 comes after p_9
    return names


def _stem(name: str) -> str:
    """Cut a column's name to the prefix that it may share with others: score_cat, p1."""
    found = re.match(r"(.*[_.\- ])[^_.\- ]+$|(.*?\D)\d+$", name)
    return "" if found is None else found[1] or found[2]


def _suffix(name: str) -> str:
    """Cut a column's name to what stands for the class."""
    prefixes = [prefix for prefix in _PROBS_PREFIXES if name.startswith(prefix)]
    return name.removeprefix(max(prefixes, key=len, default=""))


def name_classes(probs: str | Sequence[str] | None) -> list[str]:
    """Name the classes as the columns of probabilities do; none for a single column."""
    if probs is None or isinstance(probs, str):
        return []
    if all(name.startswith(_PROBS_PREFIXES) for name in probs):
        return [_suffix(name) for name in probs]
    # what all begin with, but for what stands for the class
    stems = zip(*map(_stem, probs), strict=False)
    shared = sum(1 for _ in takewhile(lambda letters: len(set(letters)) == 1, stems))
    return [name[shared:] for name in probs]


def is_plain_list(kind: pa.DataType) -> bool:
    """Tell whether a type is a list of floats."""
    return pa.types.is_list(kind) and bool(pa.types.is_floating(kind.value_type))


def sums_to_one(row: list[float | None]) -> bool:
    """Tell whether numbers may be the probabilities of a row."""
    values = [value for value in row if value is not None]
    return all(0.0 <= value <= 1.0 for value in values) and abs(sum(values) - 1.0) < _ROW_SUM_ERROR


def is_probs(kind: pa.DataType) -> bool:
    """Tell whether a column of a type may hold the probabilities of all classes."""
    if pa.types.is_list(kind):
        entry = kind.value_type
        return bool(pa.types.is_floating(entry) or pa.types.is_struct(entry))
    if pa.types.is_struct(kind):
        return tuple(field.name for field in kind) == VECTOR
    return bool(pa.types.is_map(kind))
