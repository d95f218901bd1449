"""Stage the outputs of a run, then publish them one after the other: suspects, cleaned, record."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark.sql.types import (
    ByteType,
    DataType,
    DoubleType,
    IntegerType,
    LongType,
    ShortType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from sparkclean import schema
from sparkclean.cluster.columns import Columns
from sparkclean.errors import InputError
from sparkclean.faults import fault_point
from sparkclean.lake import (
    SchemaMismatchError,
    StagingFolder,
    TargetTable,
    Version,
    open_target,
    unite_schemas,
)
from sparkclean.locations import QUARANTINE_SUFFIX
from sparkclean.names import beside

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession

    from sparkclean.config import OutputSection

_log = logging.getLogger("sparkclean")

#: The order of publication: what readers join on comes first, the run record last.
ORDER = ("suspects", "classes", "pairs", "rejected", "quarantine", "cleaned", "runs")
#: Tables that hold all runs; the others hold one version of a dataset.
ACCUMULATING = ("suspects", "classes", "pairs", "rejected", "runs")

_TYPES = {
    "int": (IntegerType(), pa.int32()),
    "bigint": (LongType(), pa.int64()),
    "double": (DoubleType(), pa.float64()),
    "string": (StringType(), pa.string()),
    "timestamp": (TimestampType(), pa.timestamp("us", tz="UTC")),
}
_SPARK_TYPES: dict[str, DataType] = {
    "tinyint": ByteType(),
    "smallint": ShortType(),
    "int": IntegerType(),
    "bigint": LongType(),
    "string": StringType(),
}
_LABELS = {
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "string": pa.string(),
    "boolean": pa.bool_(),
}


def open_targets(
    output: OutputSection, *, mode: str, spark: SparkSession, work: Path | None
) -> dict[str, TargetTable]:
    """Open the targets that are configured and that the mode writes.

    Parameters
    ----------
    output : OutputSection
    mode : str
        ``clean.mode``.
    spark : SparkSession
    work : Path or None
        Folder in which outputs of Delta and Iceberg are staged.

    Returns
    -------
    dict
        By name, in the order of publication.
    """
    locations = dict(output.targets())
    if mode == "none":
        locations.pop("cleaned", None)
    if mode == "quarantine" and "cleaned" in locations:
        locations["quarantine"] = beside(locations["cleaned"], QUARANTINE_SUFFIX)
    return {
        name: open_target(locations[name], output.format, spark=spark, work=work)
        for name in ORDER
        if name in locations
    }


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
    ids = [
        StructField(name, _SPARK_TYPES[kind])
        for name, kind in zip(columns.ids, columns.id_types, strict=True)
    ]
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
            own["fields"] = json.loads(StructType(ids).json())["fields"] + own["fields"]
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


@dataclass
class Outputs:
    """The targets of one run and what is staged for them.

    Attributes
    ----------
    targets : dict
        By name.
    run_id : str
        The scheduler's; targets map it to a safe name.
    parents : dict
        Number of the version that was current when the attempt began, for dataset targets.
    properties : dict
        Fingerprint, input and so on, for every manifest.
    """

    targets: Mapping[str, TargetTable]
    run_id: str
    properties: Mapping[str, str]
    parents: dict[str, int | None] = field(default_factory=dict)
    staged: dict[str, StagingFolder] = field(default_factory=dict)
    schemas: dict[str, str] = field(default_factory=dict)
    published: dict[str, Version] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, target in self.targets.items():
            if name not in ACCUMULATING:
                current = target.current()
                self.parents[name] = current.number if current else None
            before = target.find_run(self.run_id)
            if before is not None:
                self.published[name] = before

    def wants(self, name: str) -> bool:
        """Tell whether an output is configured and this run has not published it before."""
        return name in self.targets and name not in self.published

    def stage_frame(self, name: str, frame: DataFrame) -> int:
        """Write a frame to its staging folder.

        Parameters
        ----------
        name : str
        frame : DataFrame

        Returns
        -------
        int
            Rows written, by the footers of the files.

        Notes
        -----
        One job, that of the frame.
        """
        staging = self.targets[name].stage(self.run_id, accumulate=name in ACCUMULATING)
        self.staged[name] = staging
        self.schemas[name] = frame.schema.json()
        fault_point(f"stage.{name}.begin")
        staging.write_frame(frame)
        fault_point(f"stage.{name}.end")
        return staging.count_rows()

    def stage_rows(
        self,
        name: str,
        rows: list[dict[str, Any]],
        contract: tuple[tuple[str, str], ...],
        label_type: DataType | None = None,
    ) -> None:
        """Write driver-side rows (at most K x K) to their staging folder, without Spark.

        Parameters
        ----------
        name : str
        rows : list of dict
        contract : tuple of (name, type)
            From ``schema``.
        label_type : DataType, optional
            Of columns with the type of the label.
        """
        table, schema_json = arrow_table(rows, contract, label_type)
        staging = self.targets[name].stage(self.run_id, accumulate=name in ACCUMULATING)
        self.staged[name] = staging
        self.schemas[name] = schema_json
        fault_point(f"stage.{name}.begin")
        staging.write_arrow(table)
        fault_point(f"stage.{name}.end")

    def publish(self, name: str, *, replace_run: bool = False) -> Version | None:
        """Publish what is staged under a name, in one atomic step.

        Parameters
        ----------
        name : str
        replace_run : bool
            Whether rows of an earlier attempt of this run give way (run records).

        Returns
        -------
        Version or None
            None where nothing is staged.

        Raises
        ------
        PublishConflictError
            If another run published a dataset version since this attempt began.
        """
        if name not in self.staged:
            return self.published.get(name)
        target = self.targets[name]
        properties = dict(self.properties)
        if name in ACCUMULATING and name != "runs" and "runs" in self.targets:
            properties["runs"] = _as_seen_from(target, self.targets["runs"])
        fault_point(f"publish.{name}.begin")
        version = target.publish(
            self.staged[name],
            expected_parent=self.parents.get(name),
            accumulate=name in ACCUMULATING,
            properties=properties,
            schema=self.schemas[name],
            replace_run=replace_run,
        )
        fault_point(f"publish.{name}.end")
        del self.staged[name]
        self.published[name] = version
        _log.info("published %s as %s in %s", name, version.name, target.location)
        return version

    def places(self) -> dict[str, str]:
        """Say where each output is and in which version."""
        published = {name: f" ({version.name})" for name, version in self.published.items()}
        return {name: t.location + published.get(name, "") for name, t in self.targets.items()}

    def leftovers(self, *, keep: tuple[str, ...] = ()) -> list[StagingFolder]:
        """List what is staged and not published.

        Parameters
        ----------
        keep : tuple of str
            Names whose staging folders stay, for people to look at.

        Returns
        -------
        list of StagingFolder
        """
        return [staging for name, staging in self.staged.items() if name not in keep]


def _as_seen_from(target: TargetTable, other: TargetTable) -> str:
    """Name an output in the metadata of another; relative, so that both can be moved together."""
    if target.format == other.format == "parquet":
        return os.path.relpath(other.location, target.location)
    return other.location


def arrow_table(
    rows: list[dict[str, Any]],
    contract: tuple[tuple[str, str], ...],
    label_type: DataType | None,
) -> tuple[pa.Table, str]:
    """Turn driver-side rows into an Arrow table and its Spark schema.

    Parameters
    ----------
    rows : list of dict
    contract : tuple of (name, type)
        From ``schema``.
    label_type : DataType or None

    Returns
    -------
    table : pyarrow.Table
    schema : str
        Spark's JSON.
    """
    fields, arrays = [], []
    for name, kind in contract:
        values = [row[name] for row in rows]
        if kind == "<label>":
            spark_type = label_type or StringType()
            arrow = _LABELS[spark_type.simpleString()]
            if pa.types.is_floating(arrow):
                values = [float(value) for value in values]
        else:
            spark_type, arrow = _TYPES[kind]
        arrays.append(pa.array(values, arrow))
        fields.append(StructField(name, spark_type))
    return pa.table(arrays, names=[name for name, _ in contract]), StructType(fields).json()
