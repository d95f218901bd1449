"""Commands over the versions of an output: list, check, revert, clean up."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from sparkclean import registry
from sparkclean.commands.terminal import (
    agrees,
    arrange_versions,
    print_report,
    say,
)
from sparkclean.errors import ConfigError, InputError, UnsupportedFeatureError, first_of
from sparkclean.locations import check_expanded, local_path
from sparkclean.rows.live import phase_listener
from sparkclean.rows.session import find_session, open_session, read_properties
from sparkclean.rows.table_names import check_table_names

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from sparkclean.lake import TargetTable, Version
    from sparkclean.lake.base import CleanUp
    from sparkclean.learning.model_clean_up import ModelStore

#: Newest versions that `check_version` looks at where it is given none.
_LOOKED_AT = 50


@contextmanager
def session_for(args: argparse.Namespace, table: str) -> Iterator[SparkSession | None]:
    """Yield a session if the format of a table needs one; Parquet at a path does not."""
    from sparkclean.lake import needs_spark  # noqa: PLC0415

    check_expanded(table)
    if not needs_spark(table):
        yield None
        return
    settings = read_properties(args.properties_file)
    if find_session() is None:
        check_table_names({"": table}, settings)
    listener = phase_listener(args.log_format)
    with open_session(settings, debug=args.debug, listener=listener) as (spark, _):
        yield spark


@contextmanager
def opened(args: argparse.Namespace) -> Iterator[TargetTable]:
    """Yield the output that a command is about."""
    from sparkclean.lake import open_target, tables_within  # noqa: PLC0415

    inside = tables_within(args.target)
    if inside:
        raise ConfigError(
            f"{args.target} holds tables ({len(inside)}); name one of them: {first_of(inside, 10)}"
        )
    with session_for(args, args.target) as spark:
        yield open_target(args.target, spark=spark)


def versions(args: argparse.Namespace) -> None:
    """List the versions of an output."""
    from sparkclean.lake import missing_files  # noqa: PLC0415

    with opened(args) as target:
        versions = target.versions()
        shown = versions[-args.n :]
        current = target.current()
        gone = {v.name for v in shown if missing_files(target.data_files(v.name))}
    if not versions:
        say(f"{args.target} has no versions")
        return
    if len(shown) < len(versions):
        say(f"{len(versions) - len(shown)} older versions: -n {len(versions)}")
    print_report(arrange_versions(shown, current, gone))


def check_version(args: argparse.Namespace) -> None:
    """Tell whether the files of a version are there, as they were published."""
    from sparkclean.lake import find_version, find_wrong_files  # noqa: PLC0415

    with opened(args) as target:
        version = target.current()
        if args.version is not None:
            version = find_version(target.versions(), args.version, args.target)
        if version is None:
            raise InputError(f"{args.target} has no versions")
        files = target.data_files(version.name)
        wrong = find_wrong_files(files, target.published_sizes(version.name))
        checked = target.versions()[-_LOOKED_AT:] if args.version is None else [version]
        changed = [] if wrong else list(_changed_values(target, checked))
    if wrong:
        raise InputError(
            f"version {version.name} of {args.target}: {len(wrong)} of {len(files)} files are gone "
            f"or are not those that were published: {first_of(wrong)}. Use another version "
            "(sparkclean versions), or audit again"
        )
    say(f"version {version.name} of {args.target}: all {len(files)} files are there")
    for line in changed:
        say(line)


def _changed_values(target: TargetTable, versions: list[Version]) -> Iterator[str]:
    """Say which versions an earlier release has written with other values than their input's."""
    from sparkclean.lake import find_changed_values  # noqa: PLC0415

    for version in versions:
        files = target.data_files(version.name)
        for text in find_changed_values(files, version.properties.get("input_table")):
            yield f"version {version.name}: {text}; audit again under a new run id"


def revert(args: argparse.Namespace) -> None:
    """Make an older version current again."""
    from sparkclean.lake import find_version  # noqa: PLC0415

    with opened(args) as target:
        wanted = find_version(target.versions(), args.to, args.target)
        version = target.revert(wanted.name if target.keeps_versions_apart else wanted.number)
    say(f"{args.target} is now at {version.name}, with the content of version {args.to}")


def void(args: argparse.Namespace) -> None:
    """Mark a run void, and say what stays current all the same."""
    from sparkclean.runs.void import void_run  # noqa: PLC0415 (imports pyarrow)

    with opened(args) as target:
        if target.current() is None:
            raise InputError(f"{args.target} has no run records; name the location of output.runs")
        if not is_run_records(target):
            raise InputError(
                f"{args.target} does not hold run records; name the location of output.runs"
            )
        spark = getattr(target, "spark", None)
        done = void_run(target, args.run_id, args.why, job=args.job, spark=spark)
    for run in done:
        say(f"{run.job} {run.run_id} is void: no reader counts its rows")
    for run in done:
        for name, place in _datasets(run.outputs):
            say(
                f"{name} is a dataset of its own: look at {place} (sparkclean versions), and make "
                "an older version current (sparkclean revert) if this run's is"
            )


def is_run_records(target: TargetTable) -> bool:
    """Tell by its columns whether an output is one of run records."""
    from sparkclean.lake.record_rows import are_records  # noqa: PLC0415

    fields = json.loads(target.schema() or '{"fields": []}')["fields"]
    return are_records([field["name"] for field in fields])


def _datasets(outputs: str) -> Iterator[tuple[str, str]]:
    """Name the datasets among the outputs of a run record, and their locations."""
    for name, place in json.loads(outputs).items():
        if name in ("cleaned", "quarantine", "predictions") and "location" in place:
            yield name, place["location"]


def clean_up(args: argparse.Namespace) -> None:
    """Retire old versions, or models, and remove what dead runs left."""
    limits = {"older_than_seconds": args.older_than, "keep": args.keep}
    store = _find_models(args.target)
    if store is not None:
        _clean_up_after_asking(args, partial(store.clean_up, run_id=args.run_id, **limits))
        return
    if args.run_id is not None:
        raise ConfigError(
            f"--run-id: {args.target} holds no models; versions go by --keep and --older-than"
        )
    with opened(args) as target:
        _clean_up_after_asking(args, partial(target.clean_up, **limits))


def _find_models(place: str) -> ModelStore | None:
    """Find the models of runs in a folder; None where it is another output, or elsewhere."""
    from sparkclean.learning.model_clean_up import ModelStore  # noqa: PLC0415

    try:
        store = ModelStore(local_path(place), tuple(registry.JOBS))
    except (ConfigError, UnsupportedFeatureError):
        return None
    return store if store.is_one() else None


def _clean_up_after_asking(args: argparse.Namespace, clean: Callable[..., CleanUp]) -> None:
    planned = clean(dry_run=True)
    if not planned.paths and not planned.versions:
        say("nothing to clean up")
        return
    for version in planned.versions:
        say(f"retire version {version}")
    for path in planned.paths:
        say(f"remove {path}")
    say(f"{planned.size_bytes / 1e6:,.1f} MB")
    if not args.yes:
        if sys.stdin is None or not sys.stdin.isatty():
            raise ConfigError("clean-up asks before it removes anything; without a terminal: --yes")
        if not agrees("remove all this? [y/N] "):
            say("nothing was removed")
            return
    done = clean(dry_run=False)
    say(f"removed {done.size_bytes / 1e6:,.1f} MB")
