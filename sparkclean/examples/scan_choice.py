"""Which scan a run uses."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sparkclean.errors import UnsupportedFeatureError
from sparkclean.examples.batches import BatchReader
from sparkclean.examples.columns import Columns
from sparkclean.examples.file_scan import FileScan, plan_file_scan
from sparkclean.examples.scan import FrameScan, Scan
from sparkclean.lake import NoPlainFiles, Pin, SourceTable

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_log = logging.getLogger("sparkclean")


def choose_scan(
    source: SourceTable,
    pin: Pin,
    audited: DataFrame,
    columns: Columns,
    *,
    scan: str,
    row_sum_tolerance: float,
    is_filtered: bool,
    first_rows: Mapping[str, int] | None = None,
) -> Scan:
    """Choose between files and the DataFrame.

    Parameters
    ----------
    source : SourceTable
    pin : Pin
    audited : DataFrame
        The rows of the pin that are audited.
    columns : Columns
    scan : {"auto", "files", "dataframe"}
    row_sum_tolerance : float
    is_filtered : bool
        Whether only some rows of the pin are audited.
    first_rows : mapping, optional
        Number of the first row of each file, by path, where rows are numbered.

    Returns
    -------
    Scan

    Raises
    ------
    UnsupportedFeatureError
        If ``scan: files`` is asked for and the files cannot be read so.

    Notes
    -----
    Reads the footers of the files on the driver; no job.
    """
    reader = columns.reader(row_sum_tolerance)
    if scan != "dataframe":
        reason = "input.where is set" if is_filtered else None
        found = reason or _file_scan(source, pin, audited, columns, reader, first_rows=first_rows)
        if not isinstance(found, str):
            return found
        if scan == "files":
            raise UnsupportedFeatureError(
                f"scan: files, but {found}; set scan to auto or dataframe, which reads any table"
            )
        _log.info("scanning through DataFrames, not files: %s", found)
    return FrameScan(columns.narrow(audited), reader, columns.id_types)


def _file_scan(
    source: SourceTable,
    pin: Pin,
    audited: DataFrame,
    columns: Columns,
    reader: BatchReader,
    *,
    first_rows: Mapping[str, int] | None,
) -> FileScan | str:
    """Plan the scan of files, or say why there is none."""
    files = source.plain_files(pin)
    if isinstance(files, NoPlainFiles):
        return files.reason
    return plan_file_scan(columns, reader, audited, files, first_rows)
