"""The protocol of the lake: what any table format must offer. Knows nothing of labels."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
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
        Indices of files with one physical schema each.
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
        Of the run that published it.
    run_ids : tuple of str
        Of all runs whose rows it holds.
    created_at : str
        ISO 8601, UTC.
    rows, files, size_bytes : int
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
        return f"v{self.number:08d}"


@dataclass(frozen=True)
class CleanUp:
    """What cleaning up removes.

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
