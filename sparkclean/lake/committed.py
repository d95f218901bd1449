"""What targets of Delta and Iceberg share: a commit a run, found again by its metadata.

Over 400 lines, as one class: each part of the protocol is short and needs the same commits.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from sparkclean.errors import (
    CommitStateUnknownError,
    InputError,
    PublishConflictError,
    SparkCleanError,
)
from sparkclean.faults import fault_point
from sparkclean.lake.base import ANY, AnyParent, Pin, Version, check_identity
from sparkclean.lake.counted import collect_head, counted_rows, tables_by_run
from sparkclean.lake.edits import Edit
from sparkclean.lake.engine_errors import is_conflict, is_schema_mismatch
from sparkclean.lake.outcome import write_commit
from sparkclean.lake.parquet.staging import Staging
from sparkclean.lake.protocols import (
    OpenTable,
    StagedRows,
    StagingFolder,
    TargetTable,
    refuse_edit,
)
from sparkclean.lake.record_rows import (
    JOB_TELLING,
    TELLING,
    KnownRuns,
    known_runs_of,
    newest_record,
)
from sparkclean.lake.run_ids import safe_run_id
from sparkclean.lake.staged import StagedFrame
from sparkclean.lake.unsupported_columns import unsupported_in_session
from sparkclean.names import TableName
from sparkclean.schema import JOB, RANK, RUN_ID
from sparkclean.texts import cause_of

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

#: How often a commit is tried again after another run was first, each on what it left.
_ATTEMPTS = 20
#: Operation of a commit that only made the table.
MADE = "made"
#: Property of a commit whose rows are told from others' by more than their run id.
_KEY = "key"


class CommittedTarget(ABC):
    """An output table in a format that has commits of its own.

    Rows of all runs lie in one table, partitioned by run id, so that two runs do not touch the same
    files. A cleaned dataset is replaced as a whole, on the version that was current when the run
    began. The metadata of a commit carries the run id and what else is in ``properties``.

    Parameters
    ----------
    spark : SparkSession
    name : TableName
    work : Path or None
        Folder that driver and executors share, for what is staged.
    open_runs : callable
        Opens the run records, which say which rows count.
    """

    format: str
    takes_files = False
    has_folder = False
    keeps_versions_apart = False

    def __init__(
        self, spark: SparkSession, name: TableName, work: Path | None, open_runs: OpenTable
    ) -> None:
        self.spark = spark
        self.name = name
        self.work = work
        self.open_runs = open_runs

    @property
    def location(self) -> str:
        """Path, or quoted name."""
        return str(self.name)

    def published_sizes(self, version: str) -> dict[str, tuple[int, int]]:  # noqa: ARG002
        """Give nothing: the log of the format keeps them."""
        return {}

    # -- what a format does its own way --------------------------------------------------------

    @abstractmethod
    def _commits(self) -> list[Version] | None:
        """List all versions, oldest first, not one that only made the table; None: no table."""

    @abstractmethod
    def _read(self, version: str | int | None) -> DataFrame:
        """Return all rows of a version."""

    @abstractmethod
    def _put_run(
        self, rows: DataFrame, key: Mapping[str, str], properties: Mapping[str, str]
    ) -> None:
        """Put rows in the place of those that have the values of the key, in one commit."""

    @abstractmethod
    def version_selector(self, version: Version) -> str | int:
        """Write a version as `SourceTable.pin` takes it."""

    @abstractmethod
    def _replace(
        self, rows: DataFrame, parent: Version | None, properties: Mapping[str, str]
    ) -> None:
        """Replace the whole content, in one commit that fails where the parent has moved."""

    def _is_missing(self) -> bool:
        """Tell whether a dataset without versions is no table yet; raise where it has one now."""
        commits = self._commits()
        if commits:
            raise self.conflict(None)
        return commits is None

    # -- reading -------------------------------------------------------------------------------

    def versions(self) -> list[Version]:
        """List all versions that the table still knows, oldest first.

        Raises
        ------
        InputError
            If there is no such table.
        """
        commits = self._commits()
        if commits is None:
            raise InputError(f"{self.location}: there is no such table; check its name")
        return commits

    def current(self) -> Version | None:
        """Return the current version; None where nothing was published."""
        commits = self._commits()
        return commits[-1] if commits else None

    def schema(self) -> str | None:
        """Spark's JSON of the columns of the current version; None where nothing was published."""
        return self._read(None).schema.json() if self._commits() else None

    def find_run(self, run_id: str) -> Version | None:
        """Find the newest version by which a run published.

        Parameters
        ----------
        run_id : str
            The scheduler's.

        Returns
        -------
        Version or None
            None also for a run whose commit had no rows, where the format makes no commit then.

        Notes
        -----
        Reads the history of the table; no job over data.
        """
        name = safe_run_id(run_id)
        return next((v for v in reversed(self._commits() or []) if v.run_id == name), None)

    def version_location(self, version: Version) -> str:  # noqa: ARG002
        """Name the table that holds the rows of a version: this one."""
        return self.location

    def seen_from(self, other: TargetTable) -> str:  # noqa: ARG002
        """Write the location for the metadata of another table."""
        return self.location

    def known_runs(self) -> KnownRuns:
        """Tell what this table of run records says of all runs, by job and safe run id.

        Notes
        -----
        One job: a few narrow columns of a row for each run.
        """
        if not self._commits():
            return {}
        records = self._read(None)
        there = set(records.columns)
        # of a record that names its job no more is needed
        named = F.col(JOB).isNotNull() if JOB in there else F.lit(False)
        columns = [F.col(name) for name in TELLING if name in there]
        columns += [
            F.when(~named, F.col(name)).alias(name) for name in JOB_TELLING if name in there
        ]
        return known_runs_of([row.asDict() for row in records.select(*columns).collect()])

    def tables_by_run(self, version: str | int | None = None) -> dict[str, str]:
        """Tables by safe run id, of the runs whose rows a version holds and that count."""
        ours = [found for found in self.versions() if found.run_id]
        if not ours or not {"runs", _KEY} & set(ours[-1].properties):  # a dataset
            return {}
        return tables_by_run(self._read(version), ours, self.open_runs)

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
        One job over the records of this run id.
        """
        if not self._commits():
            return None
        records = self._read(None)
        mine = records.where(F.col(RUN_ID) == safe_run_id(run_id))
        if JOB in records.columns:
            mine = mine.where(F.col(JOB).isNull() | (F.col(JOB) == job))
        found = newest_record([row.asDict() for row in mine.collect()], job, run_id)
        return None if found is None else {name: _in_utc(value) for name, value in found.items()}

    def records(self, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Read all run records in this table of run records.

        Parameters
        ----------
        columns : sequence of str, optional
            Those that the table lacks are left out; all by default.

        Returns
        -------
        list of dict

        Notes
        -----
        One job; a row for each run.
        """
        if not self._commits():
            return []
        frame = self._read(None)
        wanted = frame.columns if columns is None else [n for n in columns if n in frame.columns]
        rows = frame.select(*[F.col(name) for name in wanted]).collect()
        return [{name: _in_utc(value) for name, value in row.asDict().items()} for row in rows]

    def run_status(self, job: str, run_id: str) -> str | None:
        """Status of a run by this table of run records; None without a record."""
        record = self.find_record(job, run_id)
        return None if record is None else record["status"]

    def frame(self, spark: SparkSession, version: str | int | None = None) -> DataFrame:  # noqa: ARG002
        """Return the rows of a version; the current one by default.

        Parameters
        ----------
        spark : SparkSession
        version : str or int, optional

        Returns
        -------
        DataFrame
            Lazy. Rows of runs without a run record are left out.

        Raises
        ------
        InputError
            If there is no such table or version.
        """
        known = self.versions()
        # Connect says so only when rows are asked for
        if version is not None and str(version) not in {v.name for v in known}:
            there = ", ".join(v.name for v in known[-5:])
            raise InputError(f"{self.location} has no version {version}; it has {there}")
        ours = [v for v in known if v.run_id]
        newest = ours[-1].properties if ours else {}
        return counted_rows(self._read(version), newest, self.location, self.open_runs)

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
            The scheduler's. What it has staged is in the folder of intermediate files.
        matching : mapping, optional
            Texts of columns that the rows must have.
        largest : str, optional
            Column whose largest values come first.

        Returns
        -------
        pyarrow.Table
        """
        frame = self.frame(self.spark, version)
        if run_id is not None and RUN_ID in frame.columns:
            frame = frame.where(F.col(RUN_ID) == safe_run_id(run_id))
        elif RUN_ID in frame.columns:
            for name, value in self._newest_key(frame).items():
                frame = frame.where(F.col(name) == value)
        if RANK in frame.columns and largest is None:
            frame = (frame if matching else frame.where(F.col(RANK) <= rows)).orderBy(RANK)
        return collect_head(frame, rows, matching, largest)

    def _newest_key(self, frame: DataFrame) -> dict[str, str]:
        """Find the key of the newest run that has rows in a frame."""
        keys = [_key_of(version) for version in reversed(self.versions()) if version.run_id]
        names = sorted({name for key in keys for name in key} & set(frame.columns))
        rows = [row.asDict() for row in frame.select(*names).distinct().collect()] if names else []
        known = {frozenset(row.items()) for row in rows}
        known |= {frozenset({(RUN_ID, row[RUN_ID])}) for row in rows}
        return next((key for key in keys if frozenset(key.items()) in known), {RUN_ID: ""})

    # -- writing -------------------------------------------------------------------------------

    def check_writable(self) -> None:
        """Refuse a table of somebody else. Writes nothing.

        Raises
        ------
        InputError
        """
        commits = self._commits()
        if commits and not any(version.run_id for version in commits):
            raise InputError(
                f"{self.location} is a table that sparkclean did not write; choose another "
                "location: sparkclean never writes into tables of others"
            )

    def unsupported_columns(self, schema: str, spark: SparkSession) -> list[str]:
        """List columns that a table of the format cannot hold, each with the reason."""
        return unsupported_in_session(schema, self.format, spark)

    def stage(self, run_id: str, *, accumulate: bool) -> StagedRows:
        """Open a staging area for an attempt of a run: files for few rows, a frame for a dataset.

        Parameters
        ----------
        run_id : str
            The scheduler's.
        accumulate : bool
            Whether the target holds the rows of all runs.

        Returns
        -------
        StagedRows
        """
        if not accumulate:
            return StagedFrame(run_id)
        if self.work is None:
            raise SparkCleanError(f"{self.location} was opened without a folder to stage in")
        return Staging(self.work, run_id)

    def stage_edit(
        self,
        run_id: str,  # noqa: ARG002
        edit: Edit,  # noqa: ARG002
        changes: DataFrame,  # noqa: ARG002
        pin: Pin,  # noqa: ARG002
        properties: Mapping[str, str],  # noqa: ARG002
    ) -> StagingFolder:
        """Refuse: versions of this table replace one another."""
        raise refuse_edit(self.location)

    def publish(
        self,
        staging: StagedRows,
        *,
        expected_parent: int | AnyParent | None,
        accumulate: bool,
        properties: Mapping[str, str],
        schema: str,
        replace_run: bool = False,
        key: Mapping[str, str] | None = None,
    ) -> Version:
        """Publish what is staged, in one commit; see `ParquetTarget.publish`.

        The rows that have the values of the key are this run's, and give way to those that it
        publishes; by default those of its run id.

        Notes
        -----
        One job that writes the rows; the history is read before and after.
        """
        run_id, run = staging.run_id, safe_run_id(staging.run_id)
        before = self.find_run(run_id)
        if before is not None and not replace_run:
            version_name = f"version {before.name}"
            check_identity(self.location, run_id, version_name, before.properties, properties)
            staging.discard()
            return before
        rows = staging.frame(self.spark, schema)
        properties = dict(properties) | {"run_id": run, "original_run_id": run_id}
        if accumulate:
            if key is not None:
                properties[_KEY] = json.dumps(dict(key))
            given = key or {RUN_ID: run}
            made = self._retry_put_run(rows, run_id, given, before, properties)
            version = made or self.current() or _nothing(run, properties)
        else:
            version = self._publish_dataset(rows, run_id, expected_parent, properties)
        if version.run_id == run:  # the same run id elsewhere may have been faster
            name = f"version {version.name}"
            check_identity(self.location, run_id, name, version.properties, properties)
        fault_point("commit.done")
        staging.discard()
        return version

    def _retry_put_run(
        self,
        rows: DataFrame,
        run_id: str,
        key: Mapping[str, str],
        before: Version | None,
        properties: Mapping[str, str],
    ) -> Version | None:
        for attempt in range(_ATTEMPTS):
            try:
                return write_commit(
                    self, run_id, before, lambda: self._put_run(rows, key, properties)
                )
            except Exception as exc:
                if is_schema_mismatch(exc):
                    raise InputError(
                        f"{self.location}: the columns of this run do not fit those of the table: "
                        f"{cause_of(exc)}; choose another output for it"
                    ) from exc
                if not is_conflict(exc) or attempt == _ATTEMPTS - 1:
                    raise
        return None

    def _publish_dataset(
        self,
        rows: DataFrame,
        run_id: str,
        expected: int | AnyParent | None,
        properties: Mapping[str, str],
    ) -> Version:
        parent = self.current()
        if expected is not ANY and _number(parent) != expected:
            version = self.find_run(run_id)
            if version is None:
                raise self.conflict(expected)
            return version
        try:
            version = write_commit(
                self, run_id, None, lambda: self._replace(rows, parent, properties)
            )
        except Exception as exc:
            if is_conflict(exc):
                raise self.conflict(expected) from exc
            raise
        if version is None:  # Delta passes over a transaction that was written before, silently
            raise self.conflict(expected)
        # Delta stops no writer but us: look which version ours has replaced
        commits = self._commits() or []
        earlier = commits[: commits.index(version)]
        replaced = earlier[-1] if earlier else None
        if _number(replaced) != _number(parent):
            raise PublishConflictError(
                f"{self.location}: another writer has committed {_title(replaced)} after "
                f"{_title(parent)}, with which this run began, and version {version.name} of this "
                "run replaces its rows. Look at both; revert if the other is the right one"
            )
        return version

    def conflict(self, expected: int | AnyParent | None) -> PublishConflictError:
        """Say who was first."""
        current = self.current()
        if current is None and expected is None:
            raise CommitStateUnknownError(
                f"{self.location}: a commit failed as if another had been first, but there is "
                "none; look at the table"
            )
        there = (
            f"version {current.name}, published by {current.run_id or 'another writer'} at "
            f"{current.created_at}, is current"
            if current
            else "there is no version"
        )
        began = "none" if expected is None else f"version {expected}"
        return PublishConflictError(
            f"{self.location}: {there}, while this run began at {began}; nothing of this run's "
            "version was published. Run again to build on it"
        )


def _key_of(version: Version) -> dict[str, str]:
    """Give the columns whose values tell the rows of the run that published a version."""
    text = version.properties.get(_KEY)
    return {RUN_ID: version.run_id} if text is None else json.loads(text)


def _in_utc(value: Any) -> Any:
    """Spark hands over moments in the time zone of this process, without saying so."""
    return value.astimezone(timezone.utc) if isinstance(value, datetime) else value


def _number(version: Version | None) -> int | None:
    return None if version is None else version.number


def _title(version: Version | None) -> str:
    return "no version" if version is None else f"version {version.name}"


def _nothing(run: str, properties: Mapping[str, str]) -> Version:
    """Describe a run without rows in a table that has none yet."""
    return Version(0, "0", None, run, (run,), "", 0, 0, 0, "publish", properties)
