"""Which rows of an output count, those of runs that have a record; the first ones, to show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkclean.errors import InputError
from sparkclean.lake.base import INPUT_TABLE
from sparkclean.lake.record_rows import JOB_OF_BEFORE, KnownRuns, are_records, counted_runs
from sparkclean.names import quote_name
from sparkclean.schema import JOB, RUN_ID

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

    from sparkclean.lake.base import Version
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
    names = counted_runs(_known_runs(open_runs, runs), properties.get(JOB, JOB_OF_BEFORE))
    return rows.where(F.col(RUN_ID).isin(sorted(names)))


def tables_by_run(rows: DataFrame, ours: Sequence[Version], open_runs: OpenTable) -> dict[str, str]:
    """Find of which table the rows of each run are.

    Parameters
    ----------
    rows : DataFrame
        Of a version of an output that holds all runs.
    ours : sequence of Version
        By which runs have published, oldest first.
    open_runs : callable
        Opens the run records.

    Returns
    -------
    dict
        By safe run id; without runs whose rows do not count, or of which it is not known. None of
        run records.

    Notes
    -----
    A job over the run records; one over the run ids, where there are several tables.
    """
    if are_records(rows.columns):
        return {}
    newest = ours[-1].properties
    runs, job = newest.get("runs"), newest.get(JOB, JOB_OF_BEFORE)
    made = {version.run_id: version.properties.get(INPUT_TABLE) for version in ours}
    if runs is not None:
        made = counted_runs(_known_runs(open_runs, runs), job)
    tables = {run: table for run, table in made.items() if table is not None}
    if len(set(tables.values())) > 1:  # records may be those of other outputs, too
        there = {row[0] for row in rows.select(RUN_ID).distinct().collect()}
        tables = {run: table for run, table in tables.items() if run in there}
    return tables


def _known_runs(open_runs: OpenTable, location: str) -> KnownRuns:
    """Read what the run records know of runs; nothing where none has ended yet."""
    try:
        return open_runs(location).known_runs()
    except InputError:
        return {}


def collect_head(
    frame: DataFrame,
    rows: int,
    matching: Mapping[str, str] | None = None,
    largest: str | None = None,
) -> pa.Table:
    """Collect the first rows of a frame.

    Parameters
    ----------
    frame : DataFrame
    rows : int
    matching : mapping, optional
        Texts of columns that the rows must have.
    largest : str, optional
        Column whose largest values come first.

    Returns
    -------
    pyarrow.Table
        Spark 3.5 cannot hand one over itself.
    """
    import pyarrow as pa  # noqa: PLC0415 (readers of metadata need none)

    for name, text in (matching or {}).items():
        frame = frame.where(F.col(quote_name((name,))).cast("string") == text)
    if largest is not None:
        frame = frame.orderBy(F.col(quote_name((largest,))).desc())
    found = [row.asDict(recursive=True) for row in frame.limit(rows).collect()]
    return pa.Table.from_pylist(found) if found else pa.table({n: [] for n in frame.columns})
