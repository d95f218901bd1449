"""``sparkclean card``: what others must know of a cleaned version, from published tables alone."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from sparkclean.commands.card_files import CardFacts, croissant, dataset_card
from sparkclean.commands.terminal import say
from sparkclean.commands.versions import opened
from sparkclean.errors import ConfigError, InputError, SparkCleanError
from sparkclean.schema import GIVEN_LABEL, JOB, RUN_ID

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from sparkclean.lake import TargetTable, Version

#: Rows of the tables of classes and pairs that are read.
_MOST_ROWS = 1_000_000
#: Names of the files.
CARD, CROISSANT = "README.md", "croissant.json"


def add_card_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command.

    Parameters
    ----------
    parser : argparse.ArgumentParser
    """
    parser.add_argument("target", help="a cleaned version, as out/examples/cleaned")
    parser.add_argument(
        "--version", metavar="V", help="name, number or run id; default: the current one"
    )
    parser.add_argument(
        "--runs", metavar="RUNS", help="the run records; default: the output runs beside TARGET"
    )
    parser.add_argument(
        "-o", dest="folder", metavar="DIR", required=True, help=f"folder of {CARD} and {CROISSANT}"
    )


def card(args: argparse.Namespace) -> None:
    """Write a dataset card and Croissant metadata of a cleaned version."""
    from sparkclean.lake import find_version  # noqa: PLC0415

    with opened(args) as target:
        version = target.current()
        if args.version is not None:
            version = find_version(target.versions(), args.version, args.target)
        if version is None:
            raise InputError(f"{args.target} has no versions")
        facts = read_facts(target, version, args.runs, getattr(target, "spark", None))
    folder = Path(args.folder)
    texts = {
        CARD: dataset_card(facts),
        CROISSANT: json.dumps(croissant(facts), indent=2) + "\n",
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as exc:
        raise ConfigError(f"-o {args.folder}: cannot be written: {exc.strerror}") from exc
    for name in texts:
        say(f"written: {folder / name}")


def read_facts(
    target: TargetTable, version: Version, runs: str | None, spark: SparkSession | None
) -> CardFacts:
    """Read what is to be said of a version.

    Parameters
    ----------
    target : TargetTable
    version : Version
    runs : str or None
        Place of the run records; those beside the target by default.
    spark : SparkSession or None
        Not needed for Parquet.

    Returns
    -------
    CardFacts

    Raises
    ------
    ConfigError
        If there are no run records, or TARGET is no cleaned version.
    InputError
        If no run record tells of the version.

    Notes
    -----
    Reads metadata and the tables of classes and pairs. A few small jobs where these are Delta or
    Iceberg.
    """
    from sparkclean.numbers.intervals import wilson_interval  # noqa: PLC0415 (imports numpy)

    record = _record(target, version, runs, spark)
    config, then = json.loads(record["config"]), json.loads(record["input"])
    if config.get("clean", {}).get("mode", "none") == "none":
        raise ConfigError(f"run {record['original_run_id']} has made no cleaned version")
    outputs = json.loads(record["outputs"] or "{}")
    pairs = _rows(outputs.get("pairs"), record, spark)
    wrong = sum(row["calibrated_joint"] for row in pairs if row[GIVEN_LABEL] != row["true_label"])
    total = sum(row["calibrated_joint"] for row in pairs)
    metrics = json.loads(record["metrics"] or "{}") | json.loads(record["counts"] or "{}")
    return CardFacts(
        location=target.location,
        format=target.format,
        version=version,
        fields=json.loads(target.schema() or '{"fields": []}')["fields"],
        folders=_folders(target, version),
        record=record,
        config=config,
        input=then,
        classes=_rows(outputs.get("classes"), record, spark),
        pairs=pairs,
        noise_rate=metrics.get("noise_rate"),
        interval=wilson_interval(wrong, total) if total else None,
        warnings=tuple(map(str, metrics.get("warnings") or ())),
        reviewed=_reviewed(target.location, config, then, spark),
    )


def _reviewed(
    location: str,
    config: Mapping[str, Any],
    then: Mapping[str, Any],
    spark: SparkSession | None,
) -> Mapping[str, Any] | None:
    """Find what people found in a random sample of the version that was cleaned."""
    from sparkclean.lake import open_target  # noqa: PLC0415

    place = config.get("output", {}).get("estimates")
    for found in dict.fromkeys(filter(None, (place, _beside(location, "estimates")))):
        with suppress(SparkCleanError):
            for row in open_target(found, spark=spark).head(_MOST_ROWS).to_pylist():
                said = (row["measure"], row["method"], row["scope"])
                is_of_it = row["dataset_version"] == then["dataset_version"]
                if said == ("error_rate", "reviewed", "all") and is_of_it:
                    return row
    return None


def _record(
    target: TargetTable, version: Version, runs: str | None, spark: SparkSession | None
) -> dict[str, Any]:
    """Find the record of the run that published a version."""
    from sparkclean.lake import open_target, original_run_id  # noqa: PLC0415

    if not version.run_id or target.head(0).column_names.count(RUN_ID):
        raise ConfigError(
            f"{target.location} is no cleaned version that a run has published; name the output "
            "cleaned"
        )
    place = runs or _beside(target.location, "runs")
    try:
        records = open_target(place, spark=spark)
        found = records.find_record(
            version.properties.get(JOB, "audit"), original_run_id(version.run_id)
        )
    except SparkCleanError as exc:
        raise ConfigError(
            f"--runs: {place} holds no run records ({exc}); name the output runs of the run"
        ) from exc
    if found is None:
        raise InputError(
            f"{place} has no record of run {original_run_id(version.run_id)}, which published "
            f"{version.name} of {target.location}; name its run records (--runs)"
        )
    return found


def _beside(location: str, name: str) -> str:
    """Name the output of that name by the default places: beside another one."""
    if "/" in location:
        return str(PurePath(location).parent / name)
    return f"{location.rpartition('.')[0]}.{name}"


def _rows(
    output: Mapping[str, str] | None, record: Mapping[str, Any], spark: SparkSession | None
) -> list[dict[str, Any]]:
    """Read the rows of a run in one of its outputs; none where it is gone."""
    from sparkclean.lake import open_target  # noqa: PLC0415

    if output is None:
        return []
    with suppress(SparkCleanError):
        table = open_target(output["location"], spark=spark)
        return list(table.head(_MOST_ROWS, run_id=record["original_run_id"]).to_pylist())
    return []


def _folders(target: TargetTable, version: Version) -> list[str]:
    """List the folders in which the files of a version lie, from the place of the target."""
    if target.format != "parquet":
        return []
    folders = {PurePath(path).parent for path in target.data_files(version.name)}
    return sorted(str(folder.relative_to(target.location)) for folder in folders)
