"""What is wrong with a run as far as it shows without Spark: said before Java starts.

The same steps prepare a run here as later, by `Runner.prepare`. They get a session that is none,
and of a table what the footers of its files say. Where a step needs more, the checks end.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

from sparkclean.errors import SparkCleanError
from sparkclean.lake import Pin, SourceTable
from sparkclean.runs.context import Context, PinnedTable
from sparkclean.schema import ROW_NUMBER

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

_T = TypeVar("_T")
_log = logging.getLogger("sparkclean")

_CASE = "spark.sql.caseSensitive"


class NeedsSparkError(Exception):
    """More is asked than is known without Spark."""


class NoSession:
    """Stands for the session that is not there yet."""

    def __init__(self) -> None:
        #: Whether it was asked for anything: what is found then may come of that.
        self.was_asked = False

    def __getattr__(self, name: str) -> Any:
        self.was_asked = True
        raise NeedsSparkError(name)


@dataclass
class FooterFrame:
    """Stands for the rows of a pin: its columns and their types are known."""

    schema: StructType
    session: NoSession

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return self.schema.names

    @property
    def sparkSession(self) -> FooterFrame:  # noqa: N802 (Spark's name)
        """Itself: the one setting that is asked for has no meaning here."""
        return self

    @property
    def conf(self) -> Mapping[str, str]:
        """The setting whether columns are told apart by case: no two of them differ by it alone."""
        return {_CASE: "false"}

    def drop(self, name: str) -> FooterFrame:
        """Leave a column out."""
        fields = [field for field in self.schema if field.name != name]
        return FooterFrame(type(self.schema)(fields), self.session)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.session, name)


@dataclass(frozen=True)
class EarlyContext(Context):
    """Prepares a job with what footers say.

    Attributes
    ----------
    pins : dict
        What it has pinned, by name: the run need not read the footers again.
    """

    pins: dict[str, Pin] = field(default_factory=dict)

    def pin(self, name: str, *args: Any, **options: Any) -> PinnedTable:
        """Pin a table, and keep the pin."""
        table = super().pin(name, *args, **options)
        self.pins[name] = table.pin
        return table

    def frame_of(self, source: SourceTable, pin: Pin, *, numbered: bool) -> DataFrame:
        """Give columns and types of a pinned table; its rows are not there."""
        from pyspark.sql.types import LongType, StructField  # noqa: PLC0415

        from sparkclean.lake.parquet.frames import schema_of_footers  # noqa: PLC0415 (loads Spark)

        schema = schema_of_footers(pin) if source.format == "parquet" else None
        if schema is None:
            raise NeedsSparkError(source.format)
        if numbered:
            if ROW_NUMBER in map(str.lower, schema.names):
                raise NeedsSparkError(ROW_NUMBER)
            schema = type(schema)([*schema.fields, StructField(ROW_NUMBER, LongType())])
        return cast("DataFrame", FooterFrame(schema, cast("NoSession", self.spark)))


def check_early(prepare: Callable[[SparkSession], object]) -> None:
    """Prepare a run without a session, and raise what is found.

    Parameters
    ----------
    prepare : callable
        Called with what stands for the session; prepares jobs whose `Runner` has `EarlyContext`.

    Raises
    ------
    SparkCleanError
        As the run itself would raise it. Anything that may come of the missing session is left
        to the run.
    """
    session = NoSession()
    try:
        with _silent():
            prepare(cast("SparkSession", session))
    except SparkCleanError:
        if not session.was_asked:
            raise
    except Exception as exc:  # noqa: BLE001 (the run says it better, with a session)
        _log.debug("left to the run: %s", exc)


def find_early(find: Callable[[SparkSession], _T]) -> _T | None:
    """Find something without a session; None where that is not enough.

    Parameters
    ----------
    find : callable
        Called with what stands for the session.

    Returns
    -------
    object
        What it gives.
    """
    try:
        with _silent():
            return find(cast("SparkSession", NoSession()))
    except Exception as exc:  # noqa: BLE001 (the run says it better, with a session)
        _log.debug("left to the run: %s", exc)
    return None


@contextmanager
def _silent() -> Iterator[None]:
    """Keep the log still: the run itself says it again."""

    def nothing(_: logging.LogRecord) -> bool:
        return False

    _log.addFilter(nothing)
    try:
        yield
    finally:
        _log.removeFilter(nothing)
