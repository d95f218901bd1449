"""By which version a prediction has written the rows of a table."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from sparkclean.errors import InputError
from sparkclean.lake import Version, open_target
from sparkclean.runs.context import PinnedTable

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

#: Property of a version of predictions: the labels, in the order of the probabilities, as JSON.
CLASSES: Final = "classes"


def find_maker(table: str, pinned: PinnedTable, spark: SparkSession) -> Version | None:
    """Find the version by which a prediction has written the pinned rows.

    Parameters
    ----------
    table : str
        As the configuration names it.
    pinned : PinnedTable
    spark : SparkSession

    Returns
    -------
    Version or None
        None of a table that no prediction has written.

    Notes
    -----
    Reads metadata; no job.
    """
    with suppress(InputError):  # files of somebody else
        versions = open_target(table, pinned.pin.format, spark=spark).versions()
        names = [version.name for version in versions]
        if pinned.pin.version in names:
            # others may have compacted the table since
            known = versions[: names.index(pinned.pin.version) + 1]
            return next((v for v in reversed(known) if CLASSES in v.properties), None)
    return None
