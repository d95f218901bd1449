"""``sparkclean show`` on run records: a list of runs."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from sparkclean.commands.rows_shown import FORMATS
from sparkclean.commands.terminal import print_table, say

if TYPE_CHECKING:
    import pyarrow as pa

    from sparkclean.lake import TargetTable


def holds_records(target: TargetTable) -> bool:
    """Tell whether an output is that of run records."""
    from sparkclean.lake.record_rows import are_records  # noqa: PLC0415 (loads pyarrow)

    found = json.loads(target.schema() or '{"fields": []}')["fields"]
    return are_records([field["name"] for field in found])


def lists_runs(args: argparse.Namespace, target: TargetTable) -> bool:
    """Tell whether runs are to be listed: a single record is shown whole.

    Parameters
    ----------
    args : argparse.Namespace
    target : TargetTable

    Returns
    -------
    bool
    """
    chosen = (args.version, args.run_id, args.columns, args.given, args.pair)
    return all(value is None for value in chosen) and holds_records(target)


def whole_records(args: argparse.Namespace, target: TargetTable) -> pa.Table:
    """Read the whole records of a run id, which may be that of several jobs.

    Parameters
    ----------
    args : argparse.Namespace
    target : TargetTable

    Returns
    -------
    pyarrow.Table

    Raises
    ------
    InputError
        If there is none.
    """
    import pyarrow as pa  # noqa: PLC0415 (slow; commands begin without it)

    from sparkclean.runs.past import choose, find_one, read_past  # noqa: PLC0415

    past = read_past(target)
    find_one(past, args.run_id, args.job, args.target)
    found = choose(past, job=args.job, run_id=args.run_id)
    rows = [target.find_record(row["job"], row["original_run_id"]) or row for row in found]
    return pa.Table.from_pylist([dict(row) for row in rows])


def show_runs(args: argparse.Namespace, target: TargetTable) -> None:
    """Print the newest runs, the newest one last.

    Parameters
    ----------
    args : argparse.Namespace
    target : TargetTable
    """
    from sparkclean.runs.past import choose, listed, read_past, read_since  # noqa: PLC0415

    since = None if args.since is None else read_since(args.since)
    found = choose(read_past(target), job=args.job, table=args.table, since=since)
    shown = listed(found[-args.n :])
    if args.format is None:
        if len(shown) < len(found):
            say(f"{len(found) - len(shown)} older runs: -n {len(found)}")
        if not shown:
            say("no runs")
            return
        print_table(as_table(shown))
    else:
        print(FORMATS[args.format](as_table(shown)))


def as_table(rows: list[dict[str, Any]]) -> pa.Table:
    """Make a table of a list of runs."""
    import pyarrow as pa  # noqa: PLC0415 (slow; commands begin without it)

    from sparkclean.runs.past import LISTED  # noqa: PLC0415

    kinds = {name: pa.string() for name in LISTED}
    kinds |= {"rows": pa.int64(), "suspects": pa.int64()}
    kinds |= {"noise": pa.float64(), "seconds": pa.float64()}
    schema = pa.schema(list(kinds.items()))
    return pa.Table.from_pylist(rows, schema=schema)
