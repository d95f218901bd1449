"""Pins, versions and what else any table format speaks of. Knows nothing of labels."""

from __future__ import annotations

import enum
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Final, TypeVar

from sparkclean.errors import InputError, VersionExistsError
from sparkclean.schema import JOB

_T = TypeVar("_T")

#: Properties that a run id stands for: the same run id with others of these is another run.
IDENTITY: Final = ("config_fingerprint", "input")
#: Properties of a version: the table that it is of, and what tells that table from others.
INPUT_TABLE: Final = "input_table"
OF_TABLE: Final = "of_table"
#: Selectors of a version by its name, where `SourceTable.pin` does not take the bare name.
_SELECTORS: Final = {"iceberg": "snapshot:"}
#: Statuses of run records whose rows count.
COUNTED: Final = ("published", "cleaned_conflict")
#: Of outputs that lie side by side in one table: the one whose versions have the plain name.
MAIN_OUTPUT: Final = "cleaned"


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
        Name of the version, where the format has them: a number (Delta), a snapshot id (Iceberg),
        the name of a manifest (an output of ours on Parquet).
    dataset_version : str
        Identifies the content: the version's name, or a digest of the files.
    table_id : str or None
        Tells the table from one that was created again under its name, where the format has such.
    rows, size_bytes : int or None
        Where they are known without a job.
    root : str
        Parquet: folder at which partition folders begin.
    files : tuple of DataFile
        Parquet: the list of files.
    schema_groups : tuple of tuple of int
        Parquet: indices of files with one physical schema each; files without rows are in none.
    metadata : str or None
        Iceberg: the metadata file whose schema the rows are read by, where the columns have changed
        since the snapshot.
    branch : str or None
        Iceberg: the branch of that metadata that is read.
    """

    format: str
    table: str
    version: str | None
    dataset_version: str
    table_id: str | None = None
    rows: int | None = None
    size_bytes: int | None = None
    root: str = ""
    files: tuple[DataFile, ...] = ()
    schema_groups: tuple[tuple[int, ...], ...] = ()
    metadata: str | None = None
    branch: str | None = None

    @property
    def shown(self) -> str:
        """Table, format and version, for people."""
        return f"{self.table} ({self.format}, {self.dataset_version})"

    @property
    def table_identity(self) -> str:
        """Tell the table from others, whatever its version: by its id, else by its location."""
        return self.table if self.table_id is None else f"{self.format}:{self.table_id}"

    def first_rows(self) -> dict[str, int]:
        """Give the number of the first row of each file, all rows being numbered in their order.

        Returns
        -------
        dict
            Numbers by path.
        """
        ends = itertools.accumulate(file.rows for file in self.files)
        return {file.path: end - file.rows for file, end in zip(self.files, ends, strict=True)}

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


def version_selector(kind: str, version: str | None) -> str | None:
    """Write a pinned version as `SourceTable.pin` takes it.

    Parameters
    ----------
    kind : str
        Format of the pin.
    version : str or None
        Of the pin.

    Returns
    -------
    str or None
    """
    return None if version is None else _SELECTORS.get(kind, "") + version


@dataclass(frozen=True)
class NoPlainFiles:
    """Why the rows of a pin are not simply those of some files.

    Attributes
    ----------
    reason : str
    """

    reason: str


@dataclass(frozen=True)
class Version:
    """One version of a target.

    Attributes
    ----------
    number : int
        Of the manifest (Parquet) or the table version (Delta); the snapshot id (Iceberg).
    name : str
        As people write it.
    parent : int or None
    run_id : str
        Safe name of the run that published it; empty where it was not one of ours.
    run_ids : tuple of str
        Of all runs whose rows it holds, also of those with no row, where that is known.
    created_at : str
        ISO 8601, UTC.
    rows, files, size_bytes : int or None
        Where known without a job. Rows of runs without a run record are among them.
    operation : str
        ``publish``, ``revert``, or what the format calls it.
    properties : mapping
    bytes_written : int or None
        Of data that publishing it has written, where that is known.
    """

    number: int
    name: str
    parent: int | None
    run_id: str
    run_ids: tuple[str, ...]
    created_at: str
    rows: int | None
    files: int | None
    size_bytes: int | None
    operation: str
    properties: Mapping[str, str] = field(default_factory=dict)
    bytes_written: int | None = None


def version_name(number: int) -> str:
    """Write the name of a version of a Parquet target: ``v`` and eight digits."""
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


def check_identity(
    location: object, run_id: str, version: str, before: Mapping[str, str], now: Mapping[str, str]
) -> None:
    """Refuse to publish under a run id that stands for something else.

    Parameters
    ----------
    location : object
        Of the target.
    run_id : str
        The scheduler's.
    version : str
        Name of the version that the run id has published.
    before, now : mapping
        Properties of that version, and of what is to be published.

    Raises
    ------
    VersionExistsError
    """
    for key in IDENTITY:
        was, wanted = before.get(key, now.get(key)), now.get(key, before.get(key))
        if was != wanted:
            raise VersionExistsError(
                f"{location}: run id {run_id!r} has published {version} with another {key} ({was}, "
                f"now {wanted}); use a new run id"
            )


def find_version(versions: Sequence[Version], text: str, location: str) -> Version:
    """Find a version by what people write.

    Parameters
    ----------
    versions : sequence of Version
        Oldest first.
    text : str
        Its name, its number, or the run id by which it was published.
    location : str
        For the message.

    Returns
    -------
    Version
        The newest one that is called so.

    Raises
    ------
    InputError
        If none is.
    """
    bare = text.removeprefix("v").lstrip("0")
    for version in reversed(versions):
        original = version.properties.get("original_run_id")
        # run records are published under the name of the run and its job
        bare_run = (original or version.run_id).removesuffix(f"@{version.properties.get(JOB)}")
        called = (version.name, version.run_id, original, bare_run)
        if text in called or bare == str(version.number):
            return version
    there = ", ".join(version.name for version in versions[-5:]) or "none"
    more = "..., " if len(versions) > 5 else ""
    raise InputError(f"{location} has no version {text}; it has {more}{there}")


def without_newest(versions: Sequence[_T], keep: int) -> Sequence[_T]:
    """Return all versions but the newest ones, which a clean-up keeps.

    Parameters
    ----------
    versions : sequence
        Oldest first.
    keep : int
        May be more than there are.

    Returns
    -------
    sequence
    """
    return versions[: max(len(versions) - keep, 0)]


class AnyParent(enum.Enum):
    """The type of `ANY`."""

    ANY = "any"


#: Publish on whatever version is current.
ANY: Final = AnyParent.ANY
