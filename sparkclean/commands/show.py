"""``sparkclean show``: the first rows of an output, and what they are rows of."""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sparkclean.commands.rows_shown import FORMATS, leave_out_constants, rank_first
from sparkclean.commands.runs import holds_records, lists_runs, show_runs, whole_records
from sparkclean.commands.terminal import print_table, say
from sparkclean.commands.versions import opened, session_for
from sparkclean.errors import ConfigError, InputError, SparkCleanError
from sparkclean.runs.own_columns import join_columns
from sparkclean.schema import CONFIG_FINGERPRINT, GIVEN_LABEL, JOB, RUN_ID, SUGGESTED_LABEL
from sparkclean.texts import redact_config_text

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import SparkSession

    from sparkclean.lake import TargetTable, Version


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command, but for the number of rows.

    Parameters
    ----------
    parser : argparse.ArgumentParser
    """
    parser.add_argument("target", help="path or name of an output")
    parser.add_argument(
        "--version", metavar="V", help="name, number or run id (default: the current version)"
    )
    parser.add_argument(
        "--run-id", metavar="ID", help="rows of this run, also those that a closed gate held back"
    )
    parser.add_argument(
        "--table", metavar="T", help="rows of this table, where the output holds rows of several"
    )
    parser.add_argument(
        "--with",
        dest="columns",
        metavar="COLUMNS",
        help="also columns of the examples, such as text,image_url; '*' for all",
    )
    parser.add_argument("--class", dest="given", metavar="LABEL", help="rows with this given label")
    parser.add_argument(
        "--pair", metavar="GIVEN,SUGGESTED", help="rows with this given and this suggested label"
    )
    parser.add_argument("--job", metavar="JOB", help="of run records: the runs of this job")
    parser.add_argument(
        "--since", metavar="WHEN", help="of run records: 2026-11-24, 12h, 30d; when a run ended"
    )
    parser.add_argument(
        "--format",
        choices=tuple(FORMATS),
        help="format for other programs (default: a table for people)",
    )


def show(args: argparse.Namespace) -> None:
    """Print the first rows of an output."""
    from sparkclean.lake import find_version, original_run_id, runs_of_table  # noqa: PLC0415

    with opened(args) as target:
        if lists_runs(args, target):
            show_runs(args, target)
            return
        whole = args.run_id is not None and args.version is None and holds_records(target)
        if args.since is not None or (args.job is not None and not whole):
            raise ConfigError("--job and --since choose runs; give the location of the run records")
        version = args.version
        if version is not None:
            version = find_version(target.versions(), version, args.target).name
        run_id = args.run_id
        if not whole and run_id is None and (version is None or args.table is not None):
            runs = runs_of_table(target, args.table, version)
            run_id = None if runs is None else original_run_id(runs[-1])
        table = whole_records(args, target) if whole else _first_rows(args, target, version, run_id)
        spark = getattr(target, "spark", None)
        record = _record_of(target, table, spark)
        if args.columns is not None:
            table = _with_columns(args, table, record)
        notes = list(_notes(target, version, table, record, spark))
    table = rank_first(_without_secrets(table))
    joined: Sequence[str] = ()
    if args.format in (None, "markdown"):
        joined = () if args.columns is None else args.columns.split(",")
        table, constants = leave_out_constants(table, joined)
        notes += [constants] if constants else []
        for note in notes:
            say(note)
    if args.format is None:
        print_table(table)
    else:
        # what the rows hold is escaped there
        print(("\n" if notes and args.format == "markdown" else "") + FORMATS[args.format](table))


def _first_rows(
    args: argparse.Namespace, target: TargetTable, version: str | None, run_id: str | None
) -> pa.Table:
    from sparkclean.lake import translate_read_error  # noqa: PLC0415

    chosen = chosen_rows(args.given, args.pair, _columns_of(target) if _chooses(args) else ())
    try:
        return target.head(args.n, version=version, run_id=run_id, matching=chosen)
    except Exception as exc:
        if translate_read_error(exc, args.target) in (None, exc):
            raise
        raise InputError(
            f"{args.target}: files of this version are gone or damaged; sparkclean "
            "check-version says which. Show another one (sparkclean versions)"
        ) from exc


def _chooses(args: argparse.Namespace) -> bool:
    return args.given is not None or args.pair is not None


def _columns_of(target: TargetTable) -> list[str]:
    """List the columns of an output."""
    return [field["name"] for field in json.loads(target.schema() or '{"fields": []}')["fields"]]


def chosen_rows(
    given: str | None, pair: str | None, columns: Sequence[str]
) -> dict[str, str] | None:
    """Say which rows ``--class`` and ``--pair`` choose.

    Parameters
    ----------
    given : str or None
        A label.
    pair : str or None
        Two labels with a comma between them; one with a comma in it stands in double quotes.
    columns : sequence of str
        Of the output.

    Returns
    -------
    dict or None
        Texts by column; None where all rows are chosen.

    Raises
    ------
    ConfigError
        If the output has no such column, or the pair is none.
    """
    chosen: dict[str, str] = {}
    if given is not None:
        chosen[_one_of((GIVEN_LABEL, "class"), columns, "--class")] = given
    if pair is not None:
        labels = next(csv.reader([pair], skipinitialspace=True), [])
        if len(labels) != 2:
            raise ConfigError(
                f"--pair: {pair!r} is not two labels; write them with a comma in between, as "
                'cat,dog or "cat, wild",dog'
            )
        chosen[_one_of((GIVEN_LABEL,), columns, "--pair")] = labels[0]
        chosen[_one_of((SUGGESTED_LABEL, "true_label"), columns, "--pair")] = labels[1]
        if given not in (None, labels[0]):
            raise ConfigError(f"--class {given}: rows of --pair {pair} have another given label")
    return chosen or None


def _one_of(names: Sequence[str], columns: Sequence[str], flag: str) -> str:
    for name in names:
        if name in columns:
            return name
    raise ConfigError(
        f"{flag}: this output has no column {' or '.join(names)}; it has "
        f"{', '.join(columns) or 'none'}"
    )


def _with_columns(
    args: argparse.Namespace, table: pa.Table, record: Mapping[str, Any] | None
) -> pa.Table:
    """Join the columns that are asked for, with a session where the table needs one."""
    if record is None:
        raise ConfigError(
            "--with: the run record says which version of which table the rows are of, and there "
            "is none for these rows (output.runs: null, a run that has not finished, or no rows)"
        )
    names = [name.strip() for name in args.columns.split(",") if name.strip()]
    if not names:
        raise ConfigError("--with: names no column; write text,image_url or '*'")
    with session_for(args, json.loads(record["input"])["table"]) as spark:
        return join_columns(table, record, names, spark)


# -- what the rows are of ------------------------------------------------------------------------


def _record_of(
    target: TargetTable, table: pa.Table, spark: SparkSession | None
) -> dict[str, Any] | None:
    """Find the record of the run whose rows are shown; None where it does not tell."""
    from sparkclean.lake import open_records, original_run_id  # noqa: PLC0415
    from sparkclean.lake.record_rows import JOB_OF_BEFORE, are_records  # noqa: PLC0415

    if not table.num_rows or RUN_ID not in table.column_names or are_records(table.column_names):
        return None
    run_id = original_run_id(table.column(RUN_ID)[0].as_py())
    with suppress(SparkCleanError):  # records that are gone: the rows are there
        version = target.find_run(run_id)
        records = None if version is None else open_records(target, version, spark=spark)
        if version is not None and records is not None:
            return records.find_record(version.properties.get(JOB, JOB_OF_BEFORE), run_id)
    return None


def _notes(
    target: TargetTable,
    version: str | None,
    table: pa.Table,
    record: Mapping[str, Any] | None,
    spark: SparkSession | None,
) -> Iterator[str]:
    """Say which version is shown and which is current, where these are not the same."""
    from sparkclean.lake import open_target, original_run_id  # noqa: PLC0415

    if not table.num_rows:
        yield "no rows"
    if RUN_ID not in table.column_names:  # a dataset
        current = target.current()
        if current is not None:
            yield from _of_dataset(target, current, version)
        return
    if record is None:
        return
    place = json.loads(record["outputs"] or "{}").get("cleaned", {}).get("location")
    if place is None:
        return
    with suppress(SparkCleanError):  # it was removed, or is elsewhere
        current = open_target(place, spark=spark).current()
        if current is not None and current.run_id:
            run = original_run_id(current.run_id)
            if run != record["original_run_id"]:
                yield (
                    f"shown: run {record['original_run_id']}; current in {place}: run {run}, as "
                    f"{current.name}{_reverted(current)}"
                )


def _of_dataset(target: TargetTable, current: Version, version: str | None) -> Iterator[str]:
    if version is not None and version != current.name:
        shown = next((v for v in target.versions() if v.name == version), None)
        yield (
            f"shown: {version}{_of_run(shown)}; current: {current.name}{_of_run(current)}"
            f"{_reverted(current)}"
        )
    elif _reverted(current):
        yield f"shown: {current.name}, the current one{_of_run(current)}{_reverted(current)}"


def _of_run(version: Version | None) -> str:
    from sparkclean.lake import original_run_id  # noqa: PLC0415

    return f" of run {original_run_id(version.run_id)}" if version and version.run_id else ""


def _reverted(version: Version) -> str:
    """Say that a version has the content of an older one."""
    to = version.properties.get("reverted_to")
    return f" (reverted to {to})" if to else ""


def _without_secrets(table: pa.Table) -> pa.Table:
    """Leave secrets out of the configurations of run records, also of before."""
    if not {"config", CONFIG_FINGERPRINT} <= set(table.column_names):
        return table
    texts = [redact_config_text(text) for text in table.column("config").to_pylist()]
    return table.set_column(table.column_names.index("config"), "config", [texts])
