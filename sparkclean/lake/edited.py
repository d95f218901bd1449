"""What versions have in common that are a pinned table and a list of changes: branches, clones."""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkclean.errors import InputError, PublishConflictError, SparkCleanError
from sparkclean.faults import fault_point
from sparkclean.lake.base import (
    MAIN_OUTPUT,
    AnyParent,
    CleanUp,
    Pin,
    Version,
    check_identity,
    find_version,
)
from sparkclean.lake.counted import collect_head
from sparkclean.lake.edits import GOES, KEY, VALUE, Edit, StagedEdit
from sparkclean.lake.engine_errors import is_conflict
from sparkclean.lake.files import spark_paths
from sparkclean.lake.parquet.staging import Staging
from sparkclean.lake.protocols import OpenTable, StagingFolder, TargetTable
from sparkclean.lake.record_rows import KnownRuns
from sparkclean.lake.run_ids import safe_run_id
from sparkclean.lake.run_records import current_by_record, record_revert
from sparkclean.lake.staged import own_session
from sparkclean.names import TableName, quote_name

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

_ATTEMPTS = 5
_VIEW = "sparkclean_changes"


class EditedTarget(ABC):
    """Versions that stand side by side, each a pinned table and the changes of one run.

    A version is written where nobody looks for one and counted there; a tag or a file, made if
    there is none of the name, then makes it a version. Versions never change and do not replace one
    another, so two runs do not conflict; the newest run record says which is the current one.

    Parameters
    ----------
    spark : SparkSession
    name : TableName
    work : Path or None
        Folder that driver and executors share, for the list of changes.
    open_runs : callable
        Opens the run records.
    output : str
        What the configuration calls the output.
    """

    format: str
    takes_files = False
    has_folder = False
    keeps_versions_apart = True

    def __init__(
        self,
        spark: SparkSession,
        name: TableName,
        work: Path | None,
        open_runs: OpenTable,
        *,
        output: str = MAIN_OUTPUT,
    ) -> None:
        self.spark = spark
        self.name = name
        self.work = work
        self.open_runs = open_runs
        self.output = output

    @property
    def location(self) -> str:
        """Path, or quoted name."""
        return str(self.name)

    # -- what a layout does its own way --------------------------------------------------------

    @abstractmethod
    def versions(self) -> list[Version]:
        """List all versions, oldest first."""

    @abstractmethod
    def version_location(self, version: Version) -> str:
        """Name the table that holds the rows of a version."""

    @abstractmethod
    def version_selector(self, version: Version) -> str | None:
        """Write a version as `SourceTable.pin` takes it."""

    @abstractmethod
    def check_writable(self) -> None:
        """Refuse a location that cannot be published to. Writes nothing."""

    def published_sizes(self, version: str) -> dict[str, tuple[int, int]]:  # noqa: ARG002
        """Give nothing: the format keeps them."""
        return {}

    @abstractmethod
    def data_files(self, version: str) -> list[str]:
        """List the files that a version needs."""

    @abstractmethod
    def clean_up(
        self, *, older_than_seconds: float | None, keep: int | None, dry_run: bool
    ) -> CleanUp:
        """Retire old versions if asked; remove what dead runs left."""

    @abstractmethod
    def _read(self, version: Version) -> DataFrame:
        """Return the rows of a version."""

    @abstractmethod
    def _write(
        self, own: SparkSession, run: str, pin: Pin, edit: Edit, properties: Mapping[str, str]
    ) -> str:
        """Write the branch or clone of a run; give its name or folder."""

    @abstractmethod
    def _count(self, own: SparkSession, place: str) -> int:
        """Count the rows of a branch or clone."""

    @abstractmethod
    def _discard(self, run: str, place: str) -> None:
        """Remove the branch or clone of a run, unless it is a version."""

    @abstractmethod
    def _seal(self, run: str, place: str, rows: int, properties: Mapping[str, str]) -> None:
        """Make it a version, if there is none of the run."""

    # -- reading -------------------------------------------------------------------------------

    def current(self) -> Version | None:
        """Return the version that the newest run record names; without records the newest.

        Notes
        -----
        One job over the run records.
        """
        known = {v.name: v for v in self.versions() if v.properties.get("output") == self.output}
        runs = _runs(list(known.values()))
        named = None
        if runs is not None:
            named = current_by_record(self.spark, self.open_runs(runs), self.location, set(known))
        newest = list(known)[-1] if known else None
        return known.get(named or newest or "")

    def schema(self) -> str | None:
        """Spark's JSON of the columns of the current version; None where nothing was published."""
        current = self.current()
        return None if current is None else self._read(current).schema.json()

    def find_run(self, run_id: str) -> Version | None:
        """Find the version of a run."""
        run = safe_run_id(run_id)
        mine = [v for v in self.versions() if v.properties.get("output") == self.output]
        return next((v for v in mine if v.run_id == run), None)

    def seen_from(self, other: TargetTable) -> str:  # noqa: ARG002
        """Write the location for the metadata of another table."""
        return self.location

    def known_runs(self) -> KnownRuns:
        """Refuse: run records are no versions of a table."""
        raise self._no_records()

    def tables_by_run(self, version: str | int | None = None) -> dict[str, str]:  # noqa: ARG002
        """Give none: each version is one table."""
        return {}

    def find_record(self, job: str, run_id: str) -> dict[str, Any] | None:  # noqa: ARG002
        """Refuse: run records are no versions of a table."""
        raise self._no_records()

    def records(self, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:  # noqa: ARG002
        """Refuse: run records are no versions of a table."""
        raise self._no_records()

    def run_status(self, job: str, run_id: str) -> str | None:  # noqa: ARG002
        """Refuse: run records are no versions of a table."""
        raise self._no_records()

    def _no_records(self) -> InputError:
        return InputError(f"{self.location} holds versions of a dataset, no run records")

    def frame(self, spark: SparkSession, version: str | int | None = None) -> DataFrame:  # noqa: ARG002
        """Return the rows of a version; the current one by default. Lazy."""
        found = self.current() if version is None else self._find(version)
        if found is None:
            raise InputError(f"{self.location}: no cleaned version was published")
        return self._read(found)

    def head(
        self,
        rows: int,
        *,
        version: str | int | None = None,
        run_id: str | None = None,
        matching: Mapping[str, str] | None = None,
        largest: str | None = None,
    ) -> pa.Table:
        """Read the first rows of a version; each is that of one run."""
        frame = self.frame(self.spark, run_id if version is None else version)
        return collect_head(frame, rows, matching, largest)

    def _find(self, version: str | int) -> Version:
        return find_version(self.versions(), str(version), self.location)

    # -- writing -------------------------------------------------------------------------------

    def unsupported_columns(self, schema: str, spark: SparkSession) -> list[str]:  # noqa: ARG002
        """List nothing: the columns are those of the table itself."""
        return []

    def stage(self, run_id: str, *, accumulate: bool) -> StagingFolder:
        """Refuse: such a version is staged by `stage_edit`."""
        raise SparkCleanError(f"{self.location}: run {run_id} stages rows ({accumulate=})")

    def stage_edit(
        self, run_id: str, edit: Edit, changes: DataFrame, pin: Pin, properties: Mapping[str, str]
    ) -> StagedEdit:
        """Write the branch or clone of a run and count its rows; nobody sees it as a version.

        Parameters
        ----------
        run_id : str
            The scheduler's.
        edit : Edit
        changes : DataFrame
            With columns `KEY` 0, 1, ..., for ``update`` also `GOES` and `VALUE`.
        pin : Pin
            Of the table that is changed.
        properties : mapping

        Returns
        -------
        StagedEdit

        Notes
        -----
        Jobs: one that stages the changes, the statement of the format, and a count over columns
        that decide on rows alone.
        """
        if self.work is None:
            raise SparkCleanError(f"{self.location} was opened without a folder to stage in")
        run = safe_run_id(run_id)
        own = own_session(self.spark)
        listed = Staging(self.work, run_id)
        given = self._marked(run_id, properties)
        try:
            listed.write_frame(changes)
            stored = own.read.schema(changes.schema).parquet(*spark_paths([listed.data_path]))
            stored.createOrReplaceTempView(_VIEW)
            for attempt in range(_ATTEMPTS):
                try:
                    place = self._write(own, run, pin, edit, given)
                    break
                except Exception as exc:
                    # another attempt of the same run: what it has written serves as well
                    if not is_conflict(exc) or attempt == _ATTEMPTS - 1:
                        raise
            rows = self._count(own, place)
        finally:
            listed.discard()
        return StagedEdit(run_id, place, rows, lambda: self._discard(run, place))

    def _marked(self, run_id: str, properties: Mapping[str, str]) -> dict[str, str]:
        """Give what a branch or clone carries, by which a repetition knows it again."""
        mark = {"run_id": safe_run_id(run_id), "original_run_id": run_id, "output": self.output}
        return dict(properties) | mark

    def publish(
        self,
        staging: StagedEdit,
        *,
        expected_parent: int | AnyParent | None,  # noqa: ARG002 (versions do not replace another)
        accumulate: bool,  # noqa: ARG002
        properties: Mapping[str, str],
        schema: str,  # noqa: ARG002
        replace_run: bool = False,  # noqa: ARG002
        key: Mapping[str, str] | None = None,  # noqa: ARG002
    ) -> Version:
        """Make what is staged a version, in one atomic step."""
        run_id, run = staging.run_id, safe_run_id(staging.run_id)
        before = self.find_run(run_id)
        if before is None:
            given = self._marked(run_id, properties)
            self._seal(run, staging.place, staging.count_rows(), given)
            fault_point("commit.done")
            before = self.find_run(run_id)
            if before is None:
                raise PublishConflictError(
                    f"{self.location}: the version of run {run_id!r} was removed while it was "
                    "published; run again"
                )
        check_identity(self.location, run_id, before.name, before.properties, properties)
        staging.discard()
        return before

    def revert(self, to: int | str) -> Version:
        """Make an older version current again: the newest run record then names it."""
        version = self._find(to)
        runs = _runs(self.versions())
        if runs is None:
            raise InputError(
                f"{self.location}: its versions never move, run records say which is current, and "
                f"these runs wrote none (output.runs: null); read version {version.name} by name"
            )
        with tempfile.TemporaryDirectory(prefix="sparkclean-") as folder:
            output = version.properties.get("output", self.output)
            work = self.work or Path(folder)
            record_revert(
                self.spark,
                self.open_runs(runs, work=work),
                {output: {"location": self.location, "version": version.name}},
            )
        return version


def _runs(versions: list[Version]) -> str | None:
    """Location of the run records of the newest version that names it."""
    named = [v.properties["runs"] for v in versions if v.properties.get("runs")]
    return named[-1] if named else None


def change_sql(edit: Edit, table: str, *, delete: bool) -> str:
    """Write the statement that changes a table as listed.

    Parameters
    ----------
    edit : Edit
    table : str
        As SQL names it.
    delete : bool
        Whether the format's ``DELETE`` takes a subquery; else ``MERGE`` is used for all.

    Returns
    -------
    str
    """
    keys = " AND ".join(f"s.`{KEY}{i}` = t.{quote_name((key,))}" for i, key in enumerate(edit.keys))
    if edit.action != "update" and delete:
        exists = "EXISTS" if edit.action == "delete" else "NOT EXISTS"
        listed = f"SELECT 1 FROM {_VIEW} AS s WHERE {keys}"  # noqa: S608 (quoted)
        return f"DELETE FROM {table} AS t WHERE {exists} ({listed})"  # noqa: S608
    merge = f"MERGE INTO {table} AS t USING {_VIEW} AS s ON {keys} "
    if edit.action == "keep":
        return merge + "WHEN NOT MATCHED BY SOURCE THEN DELETE"
    if edit.action == "delete":
        return merge + "WHEN MATCHED THEN DELETE"
    column = quote_name((edit.column,))
    return merge + (
        f"WHEN MATCHED AND s.`{GOES}` THEN DELETE "
        f"WHEN MATCHED THEN UPDATE SET t.{column} = s.`{VALUE}`"
    )
