"""Open the outputs that a configuration names, and check that this run fits them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sparkclean import schema
from sparkclean.config.places import resolve_layout
from sparkclean.errors import InputError
from sparkclean.examples.columns import Columns
from sparkclean.faults import OUTPUTS
from sparkclean.lake import (
    SchemaMismatchError,
    TargetTable,
    open_edited_target,
    open_target,
    unite_schemas,
)
from sparkclean.lake.iceberg.branch import BranchOptions
from sparkclean.locations import QUARANTINE_SUFFIX
from sparkclean.names import beside
from sparkclean.rows.types import schema_json
from sparkclean.runs.outputs import DATASETS, arrow_table

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

    from sparkclean.config.model import Config


def open_targets(
    config: Config, *, spark: SparkSession, source_format: str, work: Path | None
) -> dict[str, TargetTable]:
    """Open the targets that are configured and that the mode writes.

    Parameters
    ----------
    config : Config
    spark : SparkSession
    source_format : str
        Of the input table.
    work : Path or None
        Folder in which outputs of Delta and Iceberg are staged.

    Returns
    -------
    dict
        By name, in the order of publication.

    Raises
    ------
    InputError
        If the input table cannot be kept in the wanted layout.
    """
    output, clean, layout = config.output, config.clean, resolve_layout(config)
    locations = dict(output.targets())
    if clean.mode == "none":
        locations.pop("cleaned", None)
    if clean.mode == "quarantine" and "cleaned" in locations:
        inside = layout == "branch"
        cleaned = locations["cleaned"]
        locations["quarantine"] = cleaned if inside else beside(cleaned, QUARANTINE_SUFFIX)
    if "cleaned" in locations and layout != "copy" and source_format != output.format:
        raise InputError(
            f"clean.layout: {layout} changes the input table's own files, which are "
            f"{source_format}, not {output.format}; use layout copy"
        )
    options = BranchOptions(clean.publish_branch, clean.retain_days, clean.set_table_properties)
    targets: dict[str, TargetTable] = {}
    for name in OUTPUTS:
        if name not in locations:
            continue
        if name in DATASETS and layout != "copy":
            targets[name] = open_edited_target(
                locations[name], output.format, spark=spark, work=work, output=name, options=options
            )
        else:
            targets[name] = open_target(
                locations[name], output.format, spark=spark, work=work, layout="copy"
            )
    return targets


def check_columns(targets: Mapping[str, TargetTable], columns: Columns) -> None:
    """Check that the rows of this run fit those that the outputs hold of earlier runs.

    Parameters
    ----------
    targets : mapping
        By name.
    columns : Columns
        Gives the types of record ids and labels.

    Raises
    ------
    InputError
        Names every output that does not fit.

    Notes
    -----
    Reads metadata; no job.
    """
    ids = list(zip(columns.ids, columns.id_types, strict=True))
    findings = []
    for name, contract, keyed in (
        ("suspects", schema.SUSPECTS, True),
        ("classes", schema.CLASSES, False),
        ("pairs", schema.PAIRS, False),
        ("rejected", schema.REJECTED, True),
        ("runs", schema.RUNS, False),
    ):
        before = targets[name].schema() if name in targets else None
        if before is None:
            continue
        own = json.loads(arrow_table([], contract, columns.label_type)[1])
        if keyed:
            own["fields"] = json.loads(schema_json(ids))["fields"] + own["fields"]
        try:
            unite_schemas(before, json.dumps(own))
        except SchemaMismatchError as exc:
            findings.append(
                f"output.{name}: {targets[name].location}: column {exc.column!r} is {exc.one} in "
                f"the rows of earlier runs and {exc.other} in those of this one; name another "
                "place for it"
            )
    if findings:
        raise InputError(findings)
