"""Which rows of an output count, those of runs that have a record; the first ones, to show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkclean.errors import InputError
from sparkclean.lake.record_rows import JOB_OF_BEFORE, counted_runs
from sparkclean.schema import JOB, RUN_ID

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

    from sparkclean.lake.protocols import OpenTable


def counted_rows(
    rows: DataFrame, properties: Mapping[str, str], location: str, open_runs: OpenTable
) -> DataFrame:
    """Leave out the rows of runs that did not finish.

    Parameters
    ----------
    rows : DataFrame
        Of an output that holds all runs; a dataset is returned as it is.
    properties : mapping
        Of the newest commit of ours: ``runs`` is the location of the run records, ``job`` the job
        whose output it is.
    location : str
        Of the output itself.
    open_runs : callable
        Opens the run records.

    Returns
    -------
    DataFrame
        Lazy.

    Notes
    -----
    One job over the run records: a row for each run.
    """
    runs = properties.get("runs")
    if runs is None or runs == location or RUN_ID not in rows.columns:
        return rows
    try:
        statuses = open_runs(runs).run_statuses()
    except InputError:  # no run has ended yet
        statuses = {}
    names = counted_runs(statuses, properties.get(JOB, JOB_OF_BEFORE))
    return rows.where(F.col(RUN_ID).isin(sorted(names)))


def collect_head(frame: DataFrame, rows: int) -> pa.Table:
    """Collect the first rows of a frame.

    Parameters
    ----------
    frame : DataFrame
    rows : int

    Returns
    -------
    pyarrow.Table
        Spark 3.5 cannot hand one over itself.
    """
    import pyarrow as pa  # noqa: PLC0415 (readers of metadata need none)

    found = [row.asDict(recursive=True) for row in frame.limit(rows).collect()]
    return pa.Table.from_pylist(found) if found else pa.table({n: [] for n in frame.columns})
