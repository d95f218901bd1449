"""Where intermediate frames of a run live while it lasts.

Intermediates are narrow, but a scan over the wide column stands behind them: whoever uses one
twice must not run the scan twice.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Protocol

from sparkclean.lake import spark_path, spark_paths

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


class Workspace(Protocol):
    """Keeps intermediate frames."""

    @property
    def folder(self) -> str | None:
        """Where tasks may write files of their own; None where nothing is to be written."""

    def materialise(self, name: str, frame: DataFrame) -> DataFrame:
        """Return a frame with the same rows that is cheap to read again."""

    def close(self) -> None:
        """Give everything back."""


class FolderWorkspace:
    """Intermediates as Parquet in a folder that all executors reach; runs one job each.

    Parameters
    ----------
    folder : str
        Of this run alone.
    """

    def __init__(self, folder: str) -> None:
        self.folder: str | None = folder

    def materialise(self, name: str, frame: DataFrame) -> DataFrame:
        """Write the frame and return it as read back."""
        path = f"{self.folder}/{name}"
        frame.write.parquet(spark_path(path))
        # nullable as written: Parquet makes every column so
        return frame.sparkSession.read.schema(frame.schema).parquet(*spark_paths([path]))

    def close(self) -> None:
        """Leave the folder to its owner."""


class CacheWorkspace:
    """Intermediates in Spark's cache, for callers that want nothing written.

    Where a platform has no cache (serverless), a frame is computed again for each use: slower, the
    same answer.
    """

    def __init__(self) -> None:
        self.folder: str | None = None
        self._cached: list[DataFrame] = []

    def materialise(self, name: str, frame: DataFrame) -> DataFrame:  # noqa: ARG002
        """Mark the frame to be kept when it is first computed."""
        from pyspark.errors import PySparkException  # noqa: PLC0415

        with contextlib.suppress(PySparkException):
            frame = frame.persist()
            self._cached.append(frame)
        return frame

    def close(self) -> None:
        """Drop the cached frames."""
        while self._cached:
            self._cached.pop().unpersist()
