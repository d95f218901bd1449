"""Rows that are staged for a table of Delta or Iceberg, and the session that commits them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkclean.errors import SparkCleanError

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession


class StagedFrame:
    """A dataset that is too large to write twice: the commit itself writes it.

    Parameters
    ----------
    run_id : str
        The scheduler's.
    """

    path = data_path = ""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self._frame: DataFrame | None = None

    def command_to_show(self) -> str:
        """Give none: only the commit writes the rows."""
        return ""

    def write_frame(self, frame: DataFrame) -> None:
        """Keep the frame; its inputs are pinned, so that it can be computed again."""
        self._frame = frame

    def write_arrow(self, table: pa.Table) -> None:
        """Refuse rows of the driver: they are few, and staged in files."""
        raise SparkCleanError(f"a dataset comes as a frame, not as {table.num_rows} rows")

    def count_rows(self) -> int:
        """Count the rows of the frame. One job, over the columns that decide on rows alone."""
        return self._staged().count()

    def frame(self, spark: SparkSession, schema: str) -> DataFrame:  # noqa: ARG002 (it has both)
        """Return what was staged."""
        return self._staged()

    def _staged(self) -> DataFrame:
        if self._frame is None:
            raise SparkCleanError(f"nothing was staged for run {self.run_id}")
        return self._frame

    def discard(self) -> None:
        """Forget the frame."""
        self._frame = None


def own_session(spark: SparkSession) -> SparkSession:
    """Return a session whose settings are not the user's, for what a commit takes from settings.

    Parameters
    ----------
    spark : SparkSession

    Returns
    -------
    SparkSession
    """
    if not hasattr(spark, "newSession"):
        return spark.cloneSession()  # type: ignore[attr-defined] # Connect
    own = spark.newSession()
    own.catalog.setCurrentCatalog(spark.catalog.currentCatalog())
    if database := spark.catalog.currentDatabase():  # a catalog may begin in none
        own.catalog.setCurrentDatabase(database)
    return own
