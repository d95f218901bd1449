"""What predictions note beside probabilities, and an audit goes by.

It is the order of the classes, the label and the record id. In a frame of Spark it is metadata of
the column, in an Arrow table metadata of the field, and in a DataFrame of pandas an entry of
``attrs``. All three outlive filters, joins and Parquet files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

#: Where the order stands: a list in JSON.
CLASS_ORDER = "sparkclean.classes"
#: Where the names of the label and of the record id stand: a text, and a list or null, in JSON.
LABEL, IDS = "sparkclean.label", "sparkclean.id"


def note_of(
    classes: Sequence[Any], label: str | None = None, ids: Sequence[str] | None = None
) -> dict[str, str]:
    """Note the labels in the order of the probabilities, and the columns that were predicted.

    Parameters
    ----------
    classes : sequence
        Integers, strings or booleans.
    label : str, optional
        Column of the given label.
    ids : sequence of str, optional
        Record id columns; none where rows have numbers.

    Returns
    -------
    dict
        For metadata or attributes.
    """
    named: dict[str, Any] = {} if label is None else {LABEL: label}
    named |= {} if ids is None else {IDS: list(ids)}
    notes = {CLASS_ORDER: list(classes), **named}
    return {key: json.dumps(value, ensure_ascii=False) for key, value in notes.items()}


def noted_classes(notes: Mapping[Any, Any]) -> list[Any] | None:
    """Read the order of the classes.

    Parameters
    ----------
    notes : mapping
        Metadata or attributes, of anybody.

    Returns
    -------
    list or None
        None where it is not noted.
    """
    found = _read(notes, CLASS_ORDER)
    return found if isinstance(found, list) else None


def noted_columns(notes: Mapping[Any, Any]) -> tuple[str | None, tuple[str, ...] | None]:
    """Read which columns are label and record id.

    Parameters
    ----------
    notes : mapping
        Metadata or attributes, of anybody.

    Returns
    -------
    label : str or None
    ids : tuple of str or None
        None where it is not noted.
    """
    label, ids = _read(notes, LABEL), _read(notes, IDS)
    are_ids = isinstance(ids, list) and ids and all(isinstance(name, str) for name in ids)
    return label if isinstance(label, str) else None, tuple(ids) if are_ids else None


def _read(notes: Mapping[Any, Any], key: str) -> Any:
    text = notes.get(key, notes.get(key.encode()))
    try:
        return json.loads(text) if text is not None else None
    except (TypeError, ValueError):
        return None


def notes_of_data(data: Any, name: str) -> Mapping[Any, Any]:
    """Give what is noted beside a column of what a call was given. Starts nothing.

    Parameters
    ----------
    data : DataFrame, pandas.DataFrame, pyarrow.Table or object
    name : str
        Of the column of probabilities, in any case, as Spark finds columns.

    Returns
    -------
    mapping
        Empty where there are no notes.
    """
    if isinstance(getattr(data, "attrs", None), Mapping):  # of pandas
        return dict(data.attrs)
    for field in getattr(data, "schema", ()) or ():
        if field.name.lower() == name.lower():
            return field.metadata or {}
    return {}


def names_in_data(data: Any) -> list[str]:
    """List the columns of what a call was given, and the levels of a pandas index."""
    names = getattr(data, "column_names", None)  # of Arrow
    if names is None:
        names = [*getattr(data, "columns", ()), *getattr(getattr(data, "index", None), "names", ())]
    return [name for name in names if isinstance(name, str)]
