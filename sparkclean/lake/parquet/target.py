"""A Parquet target: staged writes, atomic publishing, versions.

Over 400 lines, as one class: it is the whole protocol of a target, mostly its descriptions. What it
does stands in the modules beside it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkclean.errors import InputError, PublishConflictError
from sparkclean.lake.base import AnyParent, CleanUp, Pin, Version
from sparkclean.lake.edits import Edit
from sparkclean.lake.parquet.clean_up import administration, clean_up
from sparkclean.lake.parquet.manifest import Manifest, ManifestLog, now
from sparkclean.lake.parquet.preview import first_rows
from sparkclean.lake.parquet.publishing import Publication, find_published, publish
from sparkclean.lake.parquet.runs import (
    check_files,
    counted_files,
    files_of_run,
    read_known_runs,
    read_records,
    tables_by_run,
)
from sparkclean.lake.parquet.staging import Staging, check_ours
from sparkclean.lake.protocols import StagingFolder, TargetTable, refuse_edit
from sparkclean.lake.record_rows import KnownRuns, newest_record
from sparkclean.lake.run_ids import safe_run_id, shared_run_id, void_run_id
from sparkclean.lake.unsupported_columns import unsupported_in_session
from sparkclean.locations import local_path

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession


class ParquetTarget:
    """An output table: versions over immutable Parquet files.

    Parameters
    ----------
    location : str
        Folder on a local or shared file system; created when something is staged.

    Raises
    ------
    UnsupportedFeatureError
        If the location is elsewhere.
    """

    format = "parquet"
    takes_files = True
    has_folder = True
    keeps_versions_apart = False

    def __init__(self, location: str) -> None:
        self.root = local_path(location)
        self._log = ManifestLog(self.root)

    @property
    def location(self) -> str:
        """Absolute path."""
        return str(self.root)

    # -- reading ---------------------------------------------------------------------------------

    def current(self) -> Version | None:
        """Return the current version; None where nothing was published."""
        manifest = self._log.current()
        return manifest.version() if manifest else None

    def schema(self) -> str | None:
        """Spark's JSON of the columns of the current version; None where nothing was published."""
        manifest = self._log.current()
        return manifest.schema if manifest else None

    def versions(self) -> list[Version]:
        """List all versions that are not retired, oldest first.

        Raises
        ------
        InputError
            If there is no such folder.
        """
        self._check_exists()
        return [manifest.version() for manifest in self._log.all()]

    def find_run(self, run_id: str) -> Version | None:
        """Find the version by which a run published, reverted away since or not.

        Parameters
        ----------
        run_id : str
            The scheduler's.

        Returns
        -------
        Version or None
            None also where its rows are retired.

        Notes
        -----
        Reads two manifests, however many there are.
        """
        manifest = find_published(self._log, safe_run_id(run_id))
        return manifest.version() if manifest else None

    def known_runs(self) -> KnownRuns:
        """Tell what this table of run records says of all runs; reads a file for each."""
        manifest = self._log.current()
        return read_known_runs(self.root, manifest) if manifest else {}

    def find_record(self, job: str, run_id: str) -> dict[str, Any] | None:
        """Find the newest record of a run in this table of run records.

        Parameters
        ----------
        job : str
        run_id : str
            The scheduler's.

        Returns
        -------
        dict or None
            By column.

        Notes
        -----
        Reads the manifest and the files of this run: its own, that of before, when run ids were not
        keyed by job, and that by which it is void.
        """
        manifest = self._log.current()
        shared = (shared_run_id(job, run_id), run_id, void_run_id(job, run_id))
        names = {safe_run_id(name) for name in shared}
        files = [file for file in manifest.files if file.run_id in names] if manifest else []
        return newest_record(read_records(self.root, files), job, run_id)

    def records(self, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Read all run records in this table of run records; reads a file for each.

        Parameters
        ----------
        columns : sequence of str, optional
            Those that a file lacks are left out; all by default.

        Returns
        -------
        list of dict
        """
        manifest = self._log.current()
        return read_records(self.root, manifest.files, columns) if manifest else []

    def run_status(self, job: str, run_id: str) -> str | None:
        """Status of a run by this table of run records; None without a record."""
        record = self.find_record(job, run_id)
        return None if record is None else record["status"]

    def tables_by_run(self, version: str | int | None = None) -> dict[str, str]:
        """Tables by safe run id, of the runs whose rows a version holds and that count."""
        return tables_by_run(self._log, self.manifest(version))

    def version_location(self, version: Version) -> str:  # noqa: ARG002
        """Name the table that holds the rows of a version: this one."""
        return self.location

    def version_selector(self, version: Version) -> int:
        """Write a version as `SourceTable.pin` takes it."""
        return version.number

    def seen_from(self, other: TargetTable) -> str:
        """Write the location for the metadata of another; relative, so that both may be moved."""
        return os.path.relpath(self.root, other.location) if other.has_folder else self.location

    def manifest(self, version: str | int | None = None) -> Manifest:
        """Read the manifest of a version; the current one by default."""
        self._check_exists()
        return self._log.load_named(version)

    def frame(self, spark: SparkSession, version: str | int | None = None) -> DataFrame:
        """Return the rows of a version; the current one by default.

        Parameters
        ----------
        spark : SparkSession
        version : str or int, optional
            Number, or name such as ``v00000003``.

        Returns
        -------
        DataFrame
            Lazy. Rows of runs without a run record are left out.

        Raises
        ------
        InputError
            If there is no such target or version, or files of it are gone.

        Notes
        -----
        Looks at the size of every file, on the driver; no job but for listing many files.
        """
        from sparkclean.lake.parquet.frames import frame_of_groups  # noqa: PLC0415 (metadata needs no Spark)

        manifest = self.manifest(version)
        groups: dict[str, list[Path]] = {}
        for file in counted_files(self.root, manifest):
            schema = manifest.schemas.get(file.run_id, manifest.schema)
            groups.setdefault(schema, []).append(self.root / file.path)
        return frame_of_groups(spark, self.location, manifest.schema, groups.items())

    def head(
        self,
        rows: int,
        *,
        version: str | int | None = None,
        run_id: str | None = None,
        matching: Mapping[str, str] | None = None,
        largest: str | None = None,
    ) -> pa.Table:
        """Read the first rows of the newest run, or of one, by rank where there is one.

        Parameters
        ----------
        rows : int
        version : str or int, optional
        run_id : str, optional
            The scheduler's. Where it has published nothing, what it has staged is read.
        matching : mapping, optional
            Texts of columns that the rows must have.
        largest : str, optional
            Column whose largest values come first.

        Returns
        -------
        pyarrow.Table

        Raises
        ------
        InputError
            If there is no such version or run.

        Notes
        -----
        Reads with pyarrow, without Spark, no more than it must.
        """
        if run_id is not None:
            there = version is not None or self._log.current() is not None
            manifest = self.manifest(version) if there else None
            return first_rows(files_of_run(self.root, manifest, run_id), rows, matching, largest)
        files = counted_files(self.root, self.manifest(version))
        newest = [self.root / f.path for f in files if f.run_id == files[-1].run_id]
        return first_rows(newest, rows, matching, largest)

    def data_files(self, version: str) -> list[str]:
        """List the files of a version."""
        return [str(self.root / file.path) for file in self.manifest(version).files]

    def published_sizes(self, version: str) -> dict[str, tuple[int, int]]:
        """Give bytes and rows of files as they were published."""
        files = self.manifest(version).files
        return {str(self.root / file.path): (file.size_bytes, file.rows) for file in files}

    def _check_exists(self) -> None:
        if not self.root.is_dir():
            raise InputError(f"{self.root} does not exist, or is no folder; check the path")

    # -- writing ---------------------------------------------------------------------------------

    def check_writable(self) -> None:
        """Refuse a location that cannot be published to. Writes nothing.

        Raises
        ------
        InputError
        """
        check_ours(self.root)

    def unsupported_columns(self, schema: str, spark: SparkSession) -> list[str]:
        """List columns that Parquet files of Spark cannot hold, each with the reason."""
        return unsupported_in_session(schema, self.format, spark)

    def stage(self, run_id: str, *, accumulate: bool = True) -> Staging:  # noqa: ARG002
        """Open a staging folder for an attempt of a run.

        Parameters
        ----------
        run_id : str
            The scheduler's.
        accumulate : bool
            Without effect: all that is published lies in files first.

        Raises
        ------
        InputError
            If the target cannot be written to, or holds other files.
        """
        return Staging(self.root, run_id)

    def stage_edit(
        self,
        run_id: str,  # noqa: ARG002
        edit: Edit,  # noqa: ARG002
        changes: DataFrame,  # noqa: ARG002
        pin: Pin,  # noqa: ARG002
        properties: Mapping[str, str],  # noqa: ARG002
    ) -> StagingFolder:
        """Refuse: all that is published lies in files."""
        raise refuse_edit(self.location)

    def publish(
        self,
        staging: Staging,
        *,
        expected_parent: int | AnyParent | None,
        accumulate: bool,
        properties: Mapping[str, str],
        schema: str,
        replace_run: bool = False,
        key: Mapping[str, str] | None = None,  # noqa: ARG002
    ) -> Version:
        """Publish a staging folder as the new current version, in one atomic step.

        Parameters
        ----------
        staging : Staging
        expected_parent : int, None or ANY
            Version that was current when the run began; not looked at with ``accumulate``.
        accumulate : bool
            Whether the rows are added to those of the current version.
        properties : mapping
            ``config_fingerprint`` and ``input`` are what a run id stands for; ``runs`` is the
            location of the run records, relative to this one.
        schema : str
            Spark's JSON.
        replace_run : bool
            Whether this run's earlier rows give way.
        key : mapping, optional
            Columns whose values tell the rows of this run from others'. Without effect here: files
            are kept apart by the run id that they were staged under, which must tell as much
            (`shared_run_id`).

        Returns
        -------
        Version
            The existing one if this run's rows are published already.

        Raises
        ------
        PublishConflictError
            If another run was first; nothing is published.
        VersionExistsError
            If the run id was used with another configuration or input.
        InputError
            If a column has another type than in the rows of earlier runs.
        CommitStateUnknownError
            If the file system does not tell whether the version was published.

        Notes
        -----
        Reads the footer of every staged file and waits until the disk holds them.
        """
        wanted = Publication(expected_parent, accumulate, replace_run, properties, schema)
        return publish(self._log, staging, wanted).version()

    def revert(self, to: int) -> Version:
        """Publish an older version's files as the new current version.

        Parameters
        ----------
        to : int

        Returns
        -------
        Version
            The current one if it is that version.

        Raises
        ------
        InputError
            If there is no such version, or files of it are gone.
        PublishConflictError
            If another writer was first.
        """
        with administration(self._log):
            old, current = self.manifest(to), self.manifest()
            if old.number == current.number:
                return current.version()
            check_files(self.root, old, old.files)
            manifest = replace(
                old,
                number=current.number + 1,
                parent=current.number,
                operation="revert",
                published=current.published,
                properties=dict(old.properties) | {"reverted_to": old.version().name},
                created_at=now(),
            )
            if not self._log.commit(manifest):
                raise PublishConflictError(
                    f"{self.root}: another version was published at the same moment; nothing was "
                    "reverted. Look at it (sparkclean versions), then revert again"
                )
        return manifest.version()

    def clean_up(
        self,
        *,
        older_than_seconds: float | None = None,
        keep: int | None = None,
        dry_run: bool = False,
    ) -> CleanUp:
        """Remove what dead runs left, and retire old versions if asked.

        Parameters
        ----------
        older_than_seconds, keep, dry_run
            As in `sparkclean.lake.parquet.clean_up.clean_up`.

        Returns
        -------
        CleanUp
        """
        self._check_exists()
        return clean_up(
            self._log, older_than_seconds=older_than_seconds, keep=keep, dry_run=dry_run
        )
