"""Stage the outputs of a run, then publish them one after the other: suspects, cleaned, record."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sparkclean.faults import fault_point
from sparkclean.lake import (
    Edit,
    Pin,
    StagingFolder,
    TargetTable,
    Version,
    safe_run_id,
    shared_run_id,
)
from sparkclean.rows.driver_rows import arrow_table
from sparkclean.schema import JOB, RUN_ID, RUN_RECORDS, OutputSpec

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame


_log = logging.getLogger("sparkclean")


@dataclass
class Outputs:
    """The targets of one run and what is staged for them.

    Attributes
    ----------
    targets : mapping
        By name; the run records last.
    specs : mapping
        What each output is, by name.
    run_id : str
        The scheduler's; targets map it to a safe name.
    job : str
    parents : dict
        Number of the version that was current when the attempt began, for dataset targets.
    properties : dict
        Fingerprint, input and so on, for every manifest.
    published : dict
        Versions of this run, by the name of the output.
    """

    targets: Mapping[str, TargetTable]
    specs: Mapping[str, OutputSpec]
    run_id: str
    job: str
    properties: Mapping[str, str]
    parents: dict[str, int | None] = field(default_factory=dict)
    staged: dict[str, StagingFolder] = field(default_factory=dict)
    schemas: dict[str, str] = field(default_factory=dict)
    published: dict[str, Version] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, target in self.targets.items():
            if name == RUN_RECORDS.name:
                continue  # the history of runs knows them
            if not self.specs[name].accumulates and not target.keeps_versions_apart:
                current = target.current()
                self.parents[name] = current.number if current else None

    def wants(self, name: str) -> bool:
        """Tell whether an output is configured and this run has not published it before."""
        return name in self.targets and name not in self.published

    def note(self, **properties: str) -> None:
        """Write more into the metadata of every version of this run."""
        self.properties = {**self.properties, **properties}

    def takes_files(self, name: str) -> bool:
        """Tell whether an output is files that tasks may write; other formats write their own."""
        return self.targets[name].takes_files

    def stage_frame(self, name: str, frame: DataFrame, timestamps: str | None = None) -> int:
        """Write a frame to its staging folder.

        Parameters
        ----------
        name : str
        frame : DataFrame
        timestamps : str, optional
            How moments are stored (`CopiedTypes`).

        Returns
        -------
        int
            Rows written, by the footers of the files.

        Notes
        -----
        One job, that of the frame.
        """
        return self._stage(name, frame, lambda staging: staging.write_frame(frame, timestamps))

    def stage_files(
        self, name: str, frame: DataFrame, write: Callable[[str], Sequence[str]]
    ) -> int:
        """Have the rows of a frame written as files by tasks of one's own.

        Parameters
        ----------
        name : str
            Of an output that `takes_files`.
        frame : DataFrame
            Gives the schema; not run.
        write : callable
            As `sparkclean.lake.parquet.staging.Staging.write_files` has it.

        Returns
        -------
        int
            Rows written, by the footers of the files.
        """
        return self._stage(name, frame, lambda staging: staging.write_files(write))

    def _stage(self, name: str, frame: DataFrame, write: Callable[[Any], None]) -> int:
        staging = self.targets[name].stage(
            self._run_in(name), accumulate=self.specs[name].accumulates
        )
        self.staged[name] = staging
        self.schemas[name] = frame.schema.json()
        fault_point(f"stage.{name}.begin")
        write(staging)
        fault_point(f"stage.{name}.end")
        return staging.count_rows()

    def stage_edit(self, name: str, edit: Edit, changes: DataFrame, pin: Pin) -> int:
        """Write a branch or clone of the pinned table with the changes of this run.

        Parameters
        ----------
        name : str
        edit : Edit
        changes : DataFrame
        pin : Pin

        Returns
        -------
        int
            Rows of it, counted.

        Notes
        -----
        See `EditedTarget.stage_edit`.
        """
        fault_point(f"stage.{name}.begin")
        staging = self.targets[name].stage_edit(
            self.run_id, edit, changes, pin, self._properties_of(name)
        )
        self.staged[name] = staging
        self.schemas[name] = ""
        fault_point(f"stage.{name}.end")
        return staging.count_rows()

    def _properties_of(self, name: str) -> dict[str, str]:
        """Give the metadata of a version; of rows that count by run records, where these are."""
        target, records = self.targets[name], self.targets.get(RUN_RECORDS.name)
        by_record = self.specs[name].accumulates or target.keeps_versions_apart
        if not by_record or records is None or target is records:
            return dict(self.properties)
        return dict(self.properties) | {"runs": records.seen_from(target)}

    @property
    def bytes_written(self) -> int | None:
        """Bytes of data that the cleaned versions have cost; None where that is not known."""
        sizes = [
            version.bytes_written
            for name, version in self.published.items()
            if not self.specs[name].accumulates
        ]
        known = [size for size in sizes if size is not None]
        return sum(known) if known and len(known) == len(sizes) else None

    def stage_rows(
        self,
        name: str,
        rows: list[dict[str, Any]],
        label_type: str = "string",
    ) -> None:
        """Write driver-side rows (at most K x K) to their staging folder, without Spark.

        Parameters
        ----------
        name : str
        rows : list of dict
            By the columns of the output.
        label_type : str
            Spark type of the label column.
        """
        self.stage_table(name, *arrow_table(rows, self.specs[name].columns, label_type))

    def stage_table(self, name: str, table: pa.Table, schema: str) -> None:
        """Write a table that the driver holds to its staging folder, without Spark.

        Parameters
        ----------
        name : str
        table : pyarrow.Table
            Of the columns of the output.
        schema : str
            The same columns, as Spark's JSON.
        """
        staging = self.targets[name].stage(
            self._run_in(name), accumulate=self.specs[name].accumulates
        )
        self.staged[name] = staging
        self.schemas[name] = schema
        fault_point(f"stage.{name}.begin")
        staging.write_arrow(table)
        fault_point(f"stage.{name}.end")

    def _run_in(self, name: str) -> str:
        """Name the run in an output: where jobs share a table, with the job."""
        is_shared = name == RUN_RECORDS.name
        return shared_run_id(self.job, self.run_id) if is_shared else self.run_id

    def _key_of(self, name: str) -> dict[str, str]:
        """Tell the rows of this run from those of others."""
        key = {RUN_ID: safe_run_id(self.run_id)}
        return key | {JOB: self.job} if name == RUN_RECORDS.name else key

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
        properties = self._properties_of(name)
        fault_point(f"publish.{name}.begin")
        version = target.publish(
            self.staged[name],
            expected_parent=self.parents.get(name),
            accumulate=self.specs[name].accumulates,
            properties=properties,
            schema=self.schemas[name],
            replace_run=replace_run,
            key=self._key_of(name),
        )
        del self.staged[name]
        self.published[name] = version
        fault_point(f"publish.{name}.end")
        _log.info("published %s as %s in %s", name, version.name, target.location)
        return version

    def versions(self) -> dict[str, dict[str, str]]:
        """List what was published, for the run record: where, and the name of the version."""
        return {
            name: {"location": self.targets[name].location, "version": version.name}
            for name, version in self.published.items()
        }

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
