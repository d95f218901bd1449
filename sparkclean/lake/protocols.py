"""The protocol of the lake: what any table format must offer. Knows nothing of labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from sparkclean.errors import SparkCleanError

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

    from sparkclean.lake.base import AnyParent, CleanUp, NoPlainFiles, Pin, Version
    from sparkclean.lake.edits import Edit
    from sparkclean.lake.record_rows import KnownRuns


class SourceTable(Protocol):
    """A table to read."""

    format: str

    def pin(self, version: str | int | None = None) -> Pin:
        """Decide which version is read; the current one by default."""

    def read(self, spark: SparkSession, pin: Pin) -> DataFrame:
        """Return the rows of exactly the pinned version. Lazy."""

    def read_numbered(self, spark: SparkSession, pin: Pin, name: str) -> DataFrame | None:
        """Read as `read`, with a column behind the others that numbers the rows (`Pin.first_rows`).

        None where the format keeps no order of rows. Lazy.
        """

    def plain_files(self, pin: Pin) -> Sequence[str] | NoPlainFiles:
        """List local Parquet files that hold exactly the rows of `read`, by the same names."""

    def verify(self, pin: Pin) -> None:
        """Raise `InputChangedError` if what was pinned is no longer there."""


class StagingFolder(Protocol):
    """What one attempt of one run has written and nobody sees yet."""

    run_id: str

    @property
    def path(self) -> str:
        """Folder of the attempt; empty where there is none."""

    @property
    def data_path(self) -> str:
        """Where rows are written; empty where they are kept as a frame."""

    def command_to_show(self) -> str:
        """Write the command that shows what is staged; empty where they are kept as a frame."""

    def write_frame(self, frame: DataFrame, timestamps: str | None = None) -> None:
        """Write rows with Spark, moments as asked for where the format has a choice."""

    def write_arrow(self, table: pa.Table) -> None:
        """Write rows from the driver."""

    def count_rows(self) -> int:
        """Rows written so far."""

    def discard(self) -> None:
        """Remove it."""


class StagedRows(StagingFolder, Protocol):
    """Staged rows that a commit of a table format writes."""

    def frame(self, spark: SparkSession, schema: str) -> DataFrame:
        """Return the rows. Lazy."""


class TargetTable(Protocol):
    """A table to publish versions of.

    Attributes
    ----------
    format : str
    takes_files : bool
        Whether what is staged is Parquet files that tasks may write themselves.
    has_folder : bool
        Whether it is a folder in which intermediate files and states of runs may lie.
    keeps_versions_apart : bool
        Whether versions stand side by side and do not replace one another; such a version is
        staged by `stage_edit`.
    """

    format: str
    takes_files: bool
    has_folder: bool
    keeps_versions_apart: bool

    @property
    def location(self) -> str:
        """Where it is."""

    def current(self) -> Version | None:
        """Return the current version; None where nothing was published."""

    def versions(self) -> list[Version]:
        """List all versions, oldest first."""

    def schema(self) -> str | None:
        """Spark's JSON of the columns of the current version; None where nothing was published."""

    def find_run(self, run_id: str) -> Version | None:
        """Find the version by which a run published, reverted away since or not."""

    def version_location(self, version: Version) -> str:
        """Name the table that holds the rows of a version, for `open_source`."""

    def version_selector(self, version: Version) -> str | int | None:
        """Write a version as `SourceTable.pin` takes it."""

    def seen_from(self, other: TargetTable) -> str:
        """Write the location for the metadata of another; relative where both may be moved."""

    def known_runs(self) -> KnownRuns:
        """Tell what this table of run records says of all runs, by job and safe run id."""

    def find_record(self, job: str, run_id: str) -> dict[str, Any] | None:
        """Find the newest record of a run in this table of run records."""

    def records(self, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Read all run records in this table of run records, or the columns that are named."""

    def run_status(self, job: str, run_id: str) -> str | None:
        """Status of a run by this table of run records; None without a record."""

    def tables_by_run(self, version: str | int | None = None) -> dict[str, str]:
        """Tables by safe run id, of the runs whose rows a version holds; none of a dataset."""

    def check_writable(self) -> None:
        """Refuse a location that cannot be published to. Writes nothing."""

    def unsupported_columns(self, schema: str, spark: SparkSession) -> list[str]:
        """List columns of a schema that it cannot hold, each with the reason. Writes nothing."""

    def stage(self, run_id: str, *, accumulate: bool) -> StagingFolder:
        """Open a staging area for an attempt of a run."""

    def stage_edit(
        self, run_id: str, edit: Edit, changes: DataFrame, pin: Pin, properties: Mapping[str, str]
    ) -> StagingFolder:
        """Write a version that is a pinned table and changes; seen by nobody yet."""

    def publish(
        self,
        staging: Any,
        *,
        expected_parent: int | AnyParent | None,
        accumulate: bool,
        properties: Mapping[str, str],
        schema: str,
        replace_run: bool = False,
        key: Mapping[str, str] | None = None,
    ) -> Version:
        """Publish what is staged as the new current version, in one atomic step."""

    def frame(self, spark: SparkSession, version: str | int | None = None) -> DataFrame:
        """Return the rows of a version. Lazy."""

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

        With ``matching`` those whose columns, as text, are what is given. With ``largest`` those in
        which this column is largest come first.
        """

    def data_files(self, version: str) -> list[str]:
        """List the files that a version needs, by its name."""

    def published_sizes(self, version: str) -> Mapping[str, tuple[int, int]]:
        """Give bytes and rows of files as they were published, where that is kept."""

    def revert(self, to: Any) -> Version:
        """Publish an older version's rows as the new current version."""

    def clean_up(
        self, *, older_than_seconds: float | None, keep: int | None, dry_run: bool
    ) -> CleanUp:
        """Remove what dead runs left; retire old versions if asked."""


class OpenTable(Protocol):
    """Opens another output of the same run: the run records."""

    def __call__(self, location: str, *, work: Path | None = None) -> TargetTable:
        """Open it.

        Parameters
        ----------
        location : str
        work : Path, optional
            Folder to stage in.
        """


def refuse_edit(location: str) -> SparkCleanError:
    """Say that a version of a table is staged as rows, not as changes."""
    return SparkCleanError(f"{location} is neither a branch nor a folder of clones")
