"""``sparkclean compare``: the configuration of the job, by the record of an audit."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from sparkclean.commands.jobs import new_run_id, open_jobs
from sparkclean.commands.log import name_run
from sparkclean.commands.terminal import print_report
from sparkclean.commands.versions import is_run_records, opened
from sparkclean.errors import InputError
from sparkclean.rows.live import phase_listener
from sparkclean.rows.session import read_properties

_OUTPUTS = ("changes", "moves")


def add_compare_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command.

    Parameters
    ----------
    parser : argparse.ArgumentParser
    """
    parser.add_argument("target", metavar="runs", help="path or name of the run records")
    parser.add_argument("run_a", help="run id of the earlier audit")
    parser.add_argument("run_b", help="run id of the later audit")
    parser.add_argument(
        "--out", metavar="FOLDER", help="folder of changes and moves (default: that of the runs)"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="any setting by its key; may be repeated",
    )
    parser.add_argument("--run-id", help="id of the comparison (default: a new one)")
    parser.add_argument(
        "--dry-run", action="store_true", help="check, show the plan, write nothing"
    )


def compare(args: argparse.Namespace) -> None:
    """Compare two audits.

    Parameters
    ----------
    args : Namespace
        Of `add_compare_arguments`.

    Raises
    ------
    InputError
        If there are no run records, or the later audit has none.
    """
    from sparkclean.config.file import check_settings, load_settings  # noqa: PLC0415 (pydantic)

    with opened(args) as target:
        if target.current() is None or not is_run_records(target):
            raise InputError(
                f"{args.target} holds no run records; name the location of output.runs"
            )
        record = target.find_record("audit", args.run_b)
        if record is None or not record["config"]:
            from sparkclean.jobs.compare.audits import unknown_audit  # noqa: PLC0415 (Spark)

            raise InputError(unknown_audit(target, "run_b", args.run_b))
    flags = settings_of(record, args)
    settings = load_settings(None, flags=flags, overrides=args.set)
    config = check_settings(settings, None)
    run_id = args.run_id = args.run_id or new_run_id()
    name_run(run_id)
    with open_jobs(
        config,
        run_id,
        settings=read_properties(args.properties_file),
        debug=args.debug,
        listener=phase_listener(args.log_format),
        job="compare",
    ) as jobs:
        for result in jobs.run("compare", dry_run=args.dry_run):
            print_report(result.report)


def settings_of(record: Mapping[str, Any], args: argparse.Namespace) -> dict[str, Any]:
    """Write the settings of a comparison by the record of its later audit.

    Parameters
    ----------
    record : mapping
    args : Namespace

    Returns
    -------
    dict
        By key.
    """
    then, source = json.loads(record["config"]), json.loads(record["input"])
    output = then["output"]
    settings = {
        "input.table": source["table"],
        "columns.id": then["columns"]["id"],
        "columns.label": then["columns"]["label"],
        "compare.run_a": args.run_a,
        "compare.run_b": args.run_b,
        "output.runs": args.target,
        "output.format": output["format"],
    }
    settings |= {f"output.{name}": beside(args.target, name, args.out) for name in _OUTPUTS}
    if output.get("work") is not None:
        settings["output.work"] = output["work"]
    return settings


def beside(runs: str, name: str, folder: str | None = None) -> str:
    """Name an output beside the run records.

    Parameters
    ----------
    runs : str
        Path or name of the run records.
    name : str
    folder : str, optional
        Where it is to be instead.

    Returns
    -------
    str

    Examples
    --------
    >>> beside("out/examples/runs", "changes"), beside("lake.audits.runs", "changes")
    ('out/examples/changes', 'lake.audits.changes')
    """
    if folder is not None:
        return f"{folder.rstrip('/')}/{name}"
    kind, tick, path = runs.partition(".`/")  # delta.`/path`
    if tick:
        return f"{kind}.`{PurePosixPath('/' + path.rstrip('`')).parent / name}`"
    if "/" in runs:
        return f"{runs.rstrip('/').rpartition('/')[0]}/{name}"
    before, dot, _ = runs.rpartition(".")
    return f"{before}.{name}" if dot else f"./{name}"
