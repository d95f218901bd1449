"""Where intermediate rows of a run live while it lasts.

Intermediates are narrow, but a scan over the wide column stands behind them: whoever uses one
twice must not run the scan twice.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class FolderWorkspace:
    """Intermediates as Parquet, which tasks write and read themselves.

    Attributes
    ----------
    folder : str
        That the driver and the Python workers of all executors reach; of this run alone, which
        removes it.
    """

    folder: str


class CacheWorkspace:
    """Intermediates in Spark's cache, for callers that want nothing written.

    Where a platform has no cache (serverless), a frame is computed again for each use: slower, the
    same answer.
    """

    def __init__(self) -> None:
        self._cached: list[DataFrame] = []

    def keep(self, frame: DataFrame) -> DataFrame:
        """Mark a frame to be kept when it is first computed."""
        from pyspark.errors import PySparkException  # noqa: PLC0415

        with contextlib.suppress(PySparkException):
            frame = frame.persist()
            self._cached.append(frame)
        return frame

    def close(self) -> None:
        """Drop the cached frames."""
        while self._cached:
            self._cached.pop().unpersist()


Workspace = FolderWorkspace | CacheWorkspace
