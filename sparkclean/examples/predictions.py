"""Tables of predictions: by which version a prediction has written rows, and what it notes."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from sparkclean.errors import InputError
from sparkclean.examples.class_order import note_of
from sparkclean.lake import Pin, Version, open_target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import SparkSession

#: Properties of a version of predictions: the labels, in the order of the probabilities; the
#: columns of the given label and of the record id.
CLASSES, LABEL, IDS = "classes", "label", "id"


def properties_of_prediction(
    classes: Sequence[object], label: str, ids: Sequence[str]
) -> dict[str, str]:
    """Write what a version of predictions says of its rows.

    Parameters
    ----------
    classes : sequence
        In the order of the probabilities.
    label : str
    ids : sequence of str

    Returns
    -------
    dict
    """
    return {
        CLASSES: json.dumps(list(classes), ensure_ascii=False),
        LABEL: label,
        IDS: json.dumps(list(ids), ensure_ascii=False),
    }


def find_prediction(table: str, pin: Pin, spark: SparkSession) -> Version | None:
    """Find the version by which a prediction has written the pinned rows.

    Parameters
    ----------
    table : str
        Path or name.
    pin : Pin
        Of it.
    spark : SparkSession

    Returns
    -------
    Version or None
        None of other tables.
    """
    with suppress(InputError):  # files of somebody else
        versions = open_target(table, pin.format, spark=spark).versions()
        names = [version.name for version in versions]
        if pin.version in names:
            # others may have compacted the table since
            known = versions[: names.index(pin.version) + 1]
            return next((v for v in reversed(known) if CLASSES in v.properties), None)
    return None


def notes_of_version(version: Version | None) -> dict[str, str]:
    """Give what a version of predictions says, as `note_of` writes it beside a column.

    Parameters
    ----------
    version : Version or None
        Of `find_prediction`.

    Returns
    -------
    dict
        Empty without a version. Versions of before name no columns.
    """
    if version is None:
        return {}
    said = version.properties
    ids = json.loads(said[IDS]) if IDS in said else None
    return note_of(json.loads(said[CLASSES]), said.get(LABEL), ids)
