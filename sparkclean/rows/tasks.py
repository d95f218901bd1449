"""Run Python over the Arrow batches of a frame, in tasks that begin fast."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePath
from typing import TYPE_CHECKING
from zipimport import zipimporter

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame


def map_in_arrow(
    frame: DataFrame,
    function: Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]],
    schema: str,
) -> DataFrame:
    """Map as `DataFrame.mapInArrow` does.

    Parameters
    ----------
    frame : DataFrame
    function : callable
        Makes of the batches of a task those of the result.
    schema : str
        Of the result, as Spark writes it.

    Returns
    -------
    DataFrame
        Lazy.
    """

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        settle()
        yield from function(batches)

    return frame.mapInArrow(run, schema)


def settle() -> None:
    """Spare the next tasks of a worker what Spark does at the beginning and end of each.

    As a task begins, Spark calls `importlib.invalidate_caches`, and Python up to 3.12 then reads
    the directories of the zip files on its path again, once for each folder that was imported from:
    0.1 s for Spark's own. These files do not change while a worker lives. As it ends, Spark calls
    `gc.collect`, which looks at all that was imported, too: nothing of that will ever be collected.
    """
    gc.freeze()
    for finder in tuple(sys.path_importer_cache.values()):  # one for each folder within a zip file
        if isinstance(finder, zipimporter) and _is_of_spark(finder.archive):
            finder.invalidate_caches = _keep  # type: ignore[method-assign]


def _is_of_spark(path: str) -> bool:
    name = PurePath(path).name  # jars, of packages too: Spark puts them on the path of Python
    return name.endswith(".jar") or name.startswith(("pyspark.zip", "py4j-"))


def _keep() -> None:
    pass
