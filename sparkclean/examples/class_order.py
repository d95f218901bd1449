"""The order of the classes beside probabilities: predictions note it, and an audit goes by it.

In a frame of Spark it is metadata of the column, in an Arrow table metadata of the field, and in a
DataFrame of pandas an entry of ``attrs``. All three outlive filters, joins and Parquet files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

#: Where the order stands: a list in JSON.
CLASS_ORDER = "sparkclean.classes"


def note_of(classes: Sequence[Any]) -> dict[str, str]:
    """Note the labels in the order of the probabilities.

    Parameters
    ----------
    classes : sequence
        Integers, strings or booleans.

    Returns
    -------
    dict
        For metadata or attributes.
    """
    return {CLASS_ORDER: json.dumps(list(classes), ensure_ascii=False)}


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
    text = notes.get(CLASS_ORDER, notes.get(CLASS_ORDER.encode()))
    try:
        found = json.loads(text) if text is not None else None
    except (TypeError, ValueError):
        return None
    return found if isinstance(found, list) else None


def classes_of_column(frame: DataFrame, name: str) -> list[Any] | None:
    """Read the order of the classes beside a column of a frame.

    Parameters
    ----------
    frame : DataFrame
    name : str
        In any case, as Spark finds columns.

    Returns
    -------
    list or None
    """
    for field in frame.schema.fields:
        if field.name.lower() == name.lower():
            return noted_classes(field.metadata)
    return None
