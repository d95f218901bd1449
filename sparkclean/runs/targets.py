"""Check that a run fits its outputs, and what these hold of earlier runs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sparkclean.config.output_locations import default_locations_before
from sparkclean.config.sections import Config
from sparkclean.errors import InputError
from sparkclean.lake import Pin, SchemaMismatchError, TargetTable, Version, unite_schemas
from sparkclean.lake.base import INPUT_TABLE, OF_TABLE
from sparkclean.lake.files import format_of_folder
from sparkclean.lake.parquet.manifest import FOLDER
from sparkclean.locations import same_place
from sparkclean.rows.driver_rows import typed_columns
from sparkclean.rows.types import schema_json
from sparkclean.runs.job import Prepared
from sparkclean.schema import OutputSpec

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_log = logging.getLogger("sparkclean")


def check_columns(
    targets: Mapping[str, TargetTable],
    specs: Mapping[str, OutputSpec],
    prepared: Prepared,
    spark: SparkSession,
) -> None:
    """Check that the columns of this run fit its outputs.

    Parameters
    ----------
    targets, specs : mapping
        By name.
    prepared : Prepared
    spark : SparkSession

    Raises
    ------
    InputError
        Names every column that a format cannot hold, or that is of another type in the rows of
        earlier runs.

    Notes
    -----
    Reads metadata; no job.
    """
    findings = []
    for name, target in targets.items():
        spec, about = specs[name], f"output.{name}: {target.location}"
        columns = typed_columns(spec.columns, prepared.label_type, prepared.types)
        # a dataset has the columns of the input
        schema = schema_json([*prepared.ids, *columns] if spec.keyed else columns)
        if not spec.columns:
            schema = prepared.input.own_frame.schema.json()
        findings += [
            f"{about}: {reason}, which this output of format {target.format} cannot hold; choose "
            "another output.format or another location, or drop the column"
            for reason in target.unsupported_columns(schema, spark)
        ]
        before = target.schema() if spec.accumulates else None
        if before is None:
            continue
        try:
            unite_schemas(before, schema)
        except SchemaMismatchError as exc:
            findings.append(
                f"{about}: column {exc.column!r} is {exc.one} in the rows of earlier runs and "
                f"{exc.other} in those of this one; name another location for it"
            )
    if findings:
        raise InputError(findings)


def check_same_table(datasets: Mapping[str, TargetTable], pin: Pin) -> None:
    """Check that no dataset holds versions of another table, which this run would replace.

    Parameters
    ----------
    datasets : mapping
        Outputs that are replaced as a whole, by name.
    pin : Pin
        Of the table that the run is about.

    Raises
    ------
    InputError
        Names every output that is of another table.

    Notes
    -----
    Reads metadata; no job. A table is the same by its id, wherever it is, or by its location: the
    id of a Delta table is another one once it was replaced. Versions of before do not say of which
    table they are: the next run adopts them.
    """
    findings = []
    for name, target in datasets.items():
        last = _last_of_table(target)
        if last is not None and _is_other(last, pin):
            findings.append(
                f"output.{name}: {target.location} holds versions of table "
                f"{last.properties.get(INPUT_TABLE)}, the newest by run {last.run_id}, and this "
                f"run is of {pin.table}; name another location for it, or set output.adopt: true "
                "if that table has moved, or its versions may be replaced"
            )
    if findings:
        raise InputError(findings)


def _is_other(version: Version, pin: Pin) -> bool:
    place = version.properties.get(INPUT_TABLE, "")
    return version.properties[OF_TABLE] != pin.table_identity and not same_place(place, pin.table)


def _last_of_table(target: TargetTable) -> Version | None:
    """Find the newest version that says of which table it is."""
    if not target.keeps_versions_apart:
        current = target.current()
        if current is None or OF_TABLE in current.properties:
            return current
    known = [version for version in target.versions() if OF_TABLE in version.properties]
    return known[-1] if known else None


def warn_of_places_before(config: Config, targets: Mapping[str, TargetTable]) -> None:
    """Say that earlier runs have written to ``out/<output>``, where that was the default.

    Parameters
    ----------
    config : Config
    targets : mapping
        Outputs of the run, by name; those that are there already are not spoken of.
    """
    places = default_locations_before(config)
    before = {
        name: places[name]
        for name, target in targets.items()
        if name in places and target.current() is None and _is_output(Path(places[name]))
    }
    if before:
        name, place = next(iter(before.items()))
        _log.warning(
            "%s: written by earlier runs, and left as they are: by default this run writes to %s. "
            "To keep writing there, name these locations, such as output.%s: %s",
            ", ".join(before.values()),
            Path(targets[name].location).parent,
            name,
            place,
        )


def _is_output(path: Path) -> bool:
    return (path / FOLDER).is_dir() or format_of_folder(path) is not None
