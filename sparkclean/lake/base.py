"""The protocol of the lake: what any table format must offer. Knows nothing of labels."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class DataFile:
    """One pinned file.

    Attributes
    ----------
    path : str
        Absolute.
    size_bytes, modified_ns, rows : int
    """

    path: str
    size_bytes: int
    modified_ns: int
    rows: int


@dataclass(frozen=True)
class Pin:
    """The one table version that a run reads, in every pass.

    Attributes
    ----------
    format, table : str
    version : str or None
        Name of the version, where the format has them.
    dataset_version : str
        Identifies the content: the version's name, or a digest of the files.
    root : str
        Folder at which partition folders begin.
    rows, size_bytes : int
    files : tuple of DataFile
    schema_groups : tuple of tuple of int
        Indices of files with one physical schema each; files without rows are in none.
    """

    format: str
    table: str
    version: str | None
    dataset_version: str
    root: str
    rows: int
    size_bytes: int
    files: tuple[DataFile, ...]
    schema_groups: tuple[tuple[int, ...], ...]

    def to_json(self) -> str:
        """Write the pin down."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Pin:
        """Read a pin that was written down."""
        content = json.loads(text)
        content["files"] = tuple(DataFile(**entry) for entry in content["files"])
        content["schema_groups"] = tuple(tuple(group) for group in content["schema_groups"])
        return cls(**content)


class SourceTable(Protocol):
    """A table to read."""

    def pin(self, version: str | int | None = None) -> Pin:
        """Decide which version is read; the current one by default."""

    def read(self, spark: SparkSession, pin: Pin) -> DataFrame:
        """Return the rows of exactly the pinned version. Lazy."""

    def verify(self, pin: Pin) -> None:
        """Raise `InputError` if what was pinned is no longer there."""


@dataclass(frozen=True)
class Version:
    """One version of a target.

    Attributes
    ----------
    number : int
    parent : int or None
    run_id : str
        Safe name of the run that published it.
    run_ids : tuple of str
        Of all runs whose rows it holds, also of those with no row.
    created_at : str
        ISO 8601, UTC.
    rows, files, size_bytes : int
        As listed; rows of runs without a run record are among them.
    operation : str
        ``publish`` or ``revert``.
    properties : mapping
    """

    number: int
    parent: int | None
    run_id: str
    run_ids: tuple[str, ...]
    created_at: str
    rows: int
    files: int
    size_bytes: int
    operation: str
    properties: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """``v`` and eight digits."""
        return version_name(self.number)


def version_name(number: int) -> str:
    """Write the name of a version: ``v`` and eight digits."""
    return f"v{number:08d}"


@dataclass(frozen=True)
class CleanUp:
    """What cleaning up removes, or would remove.

    Attributes
    ----------
    paths : tuple of str
    versions : tuple of str
        Retired.
    size_bytes : int
    """

    paths: tuple[str, ...]
    versions: tuple[str, ...]
    size_bytes: int


class AnyParent(enum.Enum):
    """The type of `ANY`."""

    ANY = "any"


#: Publish on whatever version is current.
ANY: Final = AnyParent.ANY


class StagingFolder(Protocol):
    """What one attempt of one run has written and nobody sees yet."""

    run_id: str

    @property
    def path(self) -> str:
        """Folder of the attempt."""

    @property
    def data_path(self) -> str:
        """Where rows are written."""

    def write_frame(self, frame: DataFrame) -> None:
        """Write rows with Spark."""

    def write_arrow(self, table: pa.Table) -> None:
        """Write rows from the driver."""

    def count_rows(self) -> int:
        """Rows written so far."""

    def discard(self) -> None:
        """Remove it."""


class TargetTable(Protocol):
    """A table to publish versions of."""

    @property
    def location(self) -> str:
        """Where it is."""

    def current(self) -> Version | None:
        """Return the current version; None where nothing was published."""

    def versions(self) -> list[Version]:
        """List all versions, oldest first."""

    def find_run(self, run_id: str) -> Version | None:
        """Find the version by which a run published, reverted away since or not."""

    def stage(self, run_id: str) -> StagingFolder:
        """Open a staging folder."""

    def frame(self, spark: SparkSession, version: str | int | None = None) -> DataFrame:
        """Return the rows of a version. Lazy."""

    def revert(self, to: int) -> Version:
        """Publish an older version's rows as the new current version."""

    def clean_up(
        self, *, older_than_seconds: float | None, keep: int | None, dry_run: bool
    ) -> CleanUp:
        """Remove what dead runs left; retire old versions if asked."""
