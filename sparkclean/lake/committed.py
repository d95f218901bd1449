"""What targets of Delta and Iceberg share: a commit a run, found again by its metadata."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkclean.errors import (
    CommitStateUnknownError,
    InputError,
    PublishConflictError,
    SparkCleanError,
)
from sparkclean.faults import fault_point
from sparkclean.lake.base import ANY, AnyParent, StagingFolder, Version, check_identity
from sparkclean.lake.counted import collect_head, counted_rows
from sparkclean.lake.engine_errors import is_conflict, is_schema_mismatch
from sparkclean.lake.outcome import write_commit
from sparkclean.lake.parquet.staging import Staging
from sparkclean.lake.run_ids import safe_run_id
from sparkclean.lake.staged import StagedFrame, staged_rows
from sparkclean.names import TableName
from sparkclean.schema import RANK, RUN_ID

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

#: How often a commit is tried again after another run was first, each on what it left.
_ATTEMPTS = 20
#: Operation of a commit that only made the table.
MADE = "made"


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
    """

    format: str

    def __init__(self, spark: SparkSession, name: TableName, work: Path | None = None) -> None:
        self.spark = spark
        self.name = name
        self.work = work

    @property
    def location(self) -> str:
        """Path, or quoted name."""
        return str(self.name)

    # -- what a format does its own way --------------------------------------------------------

    @abstractmethod
    def _commits(self) -> list[Version] | None:
        """List all versions, oldest first, not one that only made the table; None: no table."""

    @abstractmethod
    def _read(self, version: str | int | None) -> DataFrame:
        """Return all rows of a version."""

    @abstractmethod
    def _put_run(self, rows: DataFrame, run: str, properties: Mapping[str, str]) -> None:
        """Put the rows of a run in the place of those it has written before, in one commit."""

    @abstractmethod
    def _replace(
        self, rows: DataFrame, parent: Version | None, properties: Mapping[str, str]
    ) -> None:
        """Replace the whole content, in one commit that fails where the parent has moved."""

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

    def run_statuses(self) -> dict[str, str]:
        """Statuses of all runs, by safe name, by this target of run records."""
        if not self._commits():
            return {}
        rows = self._read(None).select(RUN_ID, "status").collect()
        return {row[RUN_ID]: row["status"] for row in rows}

    def run_status(self, run_id: str) -> str | None:
        """Status of a run by this target of run records; None without a record."""
        return self.run_statuses().get(safe_run_id(run_id))

    def frame(self, spark: SparkSession, version: str | int | None = None) -> DataFrame:
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
        runs = ours[-1].properties.get("runs") if ours else None
        return counted_rows(spark, self._read(version), runs, self.location)

    def head(self, rows: int, *, version: str | int | None = None) -> pa.Table:
        """Read the first rows of the newest run, by rank where there is one.

        Parameters
        ----------
        rows : int
        version : str or int, optional

        Returns
        -------
        pyarrow.Table
        """
        frame = self.frame(self.spark, version)
        if RUN_ID in frame.columns:
            counted = {row[0] for row in frame.select(RUN_ID).distinct().collect()}
            runs = [v.run_id for v in self.versions() if v.run_id in counted]
            frame = frame.where(F.col(RUN_ID) == (runs[-1] if runs else ""))
        if RANK in frame.columns:
            frame = frame.where(F.col(RANK) <= rows).orderBy(RANK)
        return collect_head(frame, rows)

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
                f"{self.location} is a table that no audit has written; choose an output of its "
                "own, nothing is ever written into a table of somebody else"
            )

    def stage(self, run_id: str, *, accumulate: bool) -> StagingFolder:
        """Open a place for an attempt of a run: files for few rows, a frame for a dataset.

        Parameters
        ----------
        run_id : str
            The scheduler's.
        accumulate : bool
            Whether the target holds the rows of all runs.

        Returns
        -------
        StagingFolder
        """
        if not accumulate:
            return StagedFrame(run_id)
        if self.work is None:
            raise SparkCleanError(f"{self.location} was opened without a folder to stage in")
        return Staging(self.work, run_id)

    def publish(
        self,
        staging: StagingFolder,
        *,
        expected_parent: int | AnyParent | None,
        accumulate: bool,
        properties: Mapping[str, str],
        schema: str,
        replace_run: bool = False,
    ) -> Version:
        """Publish what is staged, in one commit; see `ParquetTarget.publish`.

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
        rows = staged_rows(self.spark, staging, schema)
        properties = dict(properties) | {"run_id": run, "original_run_id": run_id}
        if accumulate:
            made = self._retry_put_run(rows, run_id, before, properties)
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
        self, rows: DataFrame, run_id: str, before: Version | None, properties: Mapping[str, str]
    ) -> Version | None:
        run = safe_run_id(run_id)
        for attempt in range(_ATTEMPTS):
            try:
                return write_commit(
                    self, run_id, before, lambda: self._put_run(rows, run, properties)
                )
            except Exception as exc:
                if is_schema_mismatch(exc):
                    raise InputError(
                        f"{self.location}: the columns of this run do not fit those of the table: "
                        f"{str(exc).splitlines()[0]}; choose another output for it"
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


def _number(version: Version | None) -> int | None:
    return None if version is None else version.number


def _title(version: Version | None) -> str:
    return "no version" if version is None else f"version {version.name}"


def _nothing(run: str, properties: Mapping[str, str]) -> Version:
    """Describe a run without rows in a table that has none yet."""
    return Version(0, "0", None, run, (run,), "", 0, 0, 0, "publish", properties)
