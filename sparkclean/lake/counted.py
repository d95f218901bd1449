"""Which rows of an output count, those of runs that have a record; the first ones, to show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkclean.errors import InputError
from sparkclean.lake.base import COUNTED
from sparkclean.schema import RUN_ID

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession


def counted_rows(
    spark: SparkSession, rows: DataFrame, runs: str | None, location: str
) -> DataFrame:
    """Leave out the rows of runs that did not finish.

    Parameters
    ----------
    spark : SparkSession
    rows : DataFrame
        Of an output that holds all runs; a dataset is returned as it is.
    runs : str or None
        Location of the run records.
    location : str
        Of the output itself.

    Returns
    -------
    DataFrame
        Lazy.

    Notes
    -----
    One job over the run records: a row for each run.
    """
    if runs is None or runs == location or RUN_ID not in rows.columns:
        return rows
    from sparkclean.lake import open_target  # noqa: PLC0415 (it imports the targets)

    try:
        statuses = open_target(runs, spark=spark).run_statuses()
    except InputError:  # no run has ended yet
        statuses = {}
    names = [name for name, status in statuses.items() if status in COUNTED]
    return rows.where(F.col(RUN_ID).isin(names))


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
