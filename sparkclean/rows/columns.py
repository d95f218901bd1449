"""Columns of frames by their exact names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkclean.names import quote_name

if TYPE_CHECKING:
    from pyspark.sql import Column


def quoted(name: str) -> Column:
    """Give a column by its exact name, dots and backquotes included."""
    return F.col(quote_name((name,)))


def unused_name(name: str, taken: Sequence[str]) -> str:
    """Lengthen a name until no column is called so, as Spark compares names."""
    lower = {other.lower() for other in taken}
    while name in lower:
        name += "_"
    return name
