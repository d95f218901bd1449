"""``sparkclean report``: a page about a run, or about all runs. Publishes nothing."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from sparkclean.commands.flags import read_columns
from sparkclean.commands.terminal import say
from sparkclean.commands.versions import session_for
from sparkclean.errors import ConfigError, first_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from sparkclean.runs.reported import SessionOf

_RUNS = "runs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command.

    Parameters
    ----------
    parser : argparse.ArgumentParser
    """
    parser.add_argument(
        "runs", metavar="RUNS", help="the run records (output.runs), or the folder of all outputs"
    )
    parser.add_argument(
        "--run-id", metavar="ID", help="of the run; without it the page is the history of all runs"
    )
    parser.add_argument(
        "--job",
        metavar="JOB",
        help="audit, predict, ...: whose run it is, where several have the id",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        default="report.html",
        help="where the page is written (default report.html)",
    )
    parser.add_argument(
        "--columns",
        metavar="COLUMNS",
        help="of the examples, as text,image; '' shows none; default: report.columns of the run",
    )


def report(args: argparse.Namespace) -> None:
    """Write a page about a run, or about all runs."""
    from sparkclean.lake import open_target  # noqa: PLC0415
    from sparkclean.runs.report import (  # noqa: PLC0415 (commands begin without it)
        check_extra,
        report_on_history,
        report_on_run,
        write_report,
    )

    check_extra()
    if args.run_id is None and args.columns is not None:
        raise ConfigError(
            "--columns: are those of examples, which the history has none of: --run-id"
        )
    with ExitStack() as stack:
        session = _sessions(args, stack)
        place = runs_within(args.runs)
        records = open_target(place, spark=session(place))
        if args.run_id is None:
            page = report_on_history(records, job=args.job)
        else:
            page = report_on_run(
                records, args.run_id, job=args.job, columns=_columns(args.columns), session=session
            )
    path = write_report(page, args.output)
    say(f"{path} ({path.stat().st_size / 1e6:.2f} MB)")


def _columns(text: str | None) -> list[str] | None:
    """Read names of columns with commas between them; none of an empty text."""
    if text is None or not text.strip():
        return None if text is None else []
    try:
        names = read_columns(text)
    except argparse.ArgumentTypeError as exc:
        raise ConfigError(f"--columns: {exc}") from None
    return [names] if isinstance(names, str) else names


def runs_within(place: str) -> str:
    """Give the location of run records: of a folder of outputs the records in it.

    Parameters
    ----------
    place : str

    Returns
    -------
    str

    Raises
    ------
    ConfigError
        If the folder holds tables, and none of them is called ``runs``.
    """
    from sparkclean.lake import tables_within  # noqa: PLC0415

    inside = tables_within(place)
    if not inside:
        return place
    runs = str(Path(place, _RUNS))
    if runs not in inside:
        raise ConfigError(
            f"{place} holds no run records ({_RUNS}), but {first_of(inside, 10)}; name the "
            "location of output.runs"
        )
    return runs


def _sessions(args: argparse.Namespace, stack: ExitStack) -> SessionOf:
    """Give what opens a session when the first table needs one, and closes it with the stack."""
    opened: list[SparkSession | None] = []

    def session(table: str) -> SparkSession | None:
        from sparkclean.lake import needs_spark  # noqa: PLC0415

        if not needs_spark(table):
            return None
        if not opened:
            opened.append(stack.enter_context(session_for(args, table)))
        return opened[0]

    return session
