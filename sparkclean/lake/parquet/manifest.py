"""Manifests: which files a version of a Parquet target has. The log of Delta in small.

``_manifests/vNNNNNNNN.json`` is created put-if-absent; the highest number is current. A number is
never free again: of a retired version a stub stays, else a writer that slept could publish below
the current version.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath
from typing import Any

from sparkclean.errors import InputError, SparkCleanError, UnsupportedFeatureError
from sparkclean.lake.base import Version, version_name
from sparkclean.lake.files import put_if_absent, read_json, replace_durably, sync
from sparkclean.lake.writing import write_errors
from sparkclean.reading import check_fields

FOLDER = "_manifests"
_FORMAT = 1
_NAME = re.compile(r"v(\d{8,})\.json")
_TEMPORARY = re.compile(r"\.v\d{8,}\.json\.[0-9a-f]+")


def now() -> str:
    """Write the time down: ISO 8601, UTC."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


@dataclass(frozen=True)
class ManifestFile:
    """One data file of a version.

    Attributes
    ----------
    path : str
        Relative to the target.
    size_bytes, rows : int
    run_id : str
        Safe name of the run that wrote it.
    """

    path: str
    size_bytes: int
    rows: int
    run_id: str


@dataclass(frozen=True)
class PublishedRun:
    """What a target remembers of every run that ever published to it.

    Attributes
    ----------
    version : int
        By which it published (the last time).
    original_run_id : str
    identity : mapping
        Configuration fingerprint and input; a run id stands for one of each.
    """

    version: int
    original_run_id: str
    identity: Mapping[str, str]


@dataclass(frozen=True)
class Manifest:
    """One version: its files and where it comes from.

    Attributes
    ----------
    number : int
    parent : int or None
    run_id, original_run_id : str
        Of the run that published it.
    operation : str
    accumulate : bool
        Whether the target holds the rows of all runs.
    schema : str
        Spark's JSON; holds the rows of all files.
    schemas : mapping
        JSON of the schema by run, where it is another than ``schema``.
    files : tuple of ManifestFile
    run_ids : tuple of str
        Safe names of the runs in this version, also of those with no file.
    published : mapping
        `PublishedRun` by safe name; grows from version to version.
    properties : mapping
    created_at : str
    """

    number: int
    parent: int | None
    run_id: str
    original_run_id: str
    operation: str
    accumulate: bool
    schema: str
    files: tuple[ManifestFile, ...]
    run_ids: tuple[str, ...]
    published: Mapping[str, PublishedRun]
    properties: Mapping[str, str]
    schemas: Mapping[str, str] = field(default_factory=dict)
    created_at: str = field(default_factory=now)

    def version(self) -> Version:
        """Describe the version to users."""
        return Version(
            number=self.number,
            name=version_name(self.number),
            parent=self.parent,
            run_id=self.run_id,
            run_ids=self.run_ids,
            created_at=self.created_at,
            rows=sum(file.rows for file in self.files),
            files=len(self.files),
            size_bytes=sum(file.size_bytes for file in self.files),
            operation=self.operation,
            properties=self.properties,
            bytes_written=sum(f.size_bytes for f in self.files if f.run_id == self.run_id),
        )

    def to_json(self) -> str:
        """Write the manifest down."""
        rows = sum(file.rows for file in self.files)
        return json.dumps({"manifest_format": _FORMAT, "rows": rows} | asdict(self), indent=1)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Manifest:
        """Read what `to_json` wrote."""
        own = {key: content[key] for key in cls.__dataclass_fields__}
        own["files"] = tuple(ManifestFile(**entry) for entry in own["files"])
        for file in own["files"]:
            parts = PurePosixPath(file.path).parts
            if len(parts) < 3 or parts[0] == "/" or ".." in parts:
                raise ValueError("a file lies elsewhere")
        own["run_ids"] = tuple(own["run_ids"])
        own["published"] = {name: PublishedRun(**run) for name, run in own["published"].items()}
        manifest = cls(**own)
        check_fields(manifest)
        return manifest


class ManifestLog:
    """The manifests of one target.

    Parameters
    ----------
    root : Path
        Of the target.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / FOLDER

    def numbers(self) -> list[int]:
        """Numbers of all versions, retired ones too, lowest first."""
        try:
            names = [path.name for path in self.folder.iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as exc:
            raise InputError(f"{self.folder} cannot be listed: {exc.strerror}") from exc
        return sorted(int(match[1]) for name in names if (match := _NAME.fullmatch(name)))

    def path(self, number: int) -> Path:
        """File of a version."""
        return self.folder / f"{version_name(number)}.json"

    def find(self, number: int) -> Manifest | None:
        """Read a version; None if there is none, or it is retired."""
        content = read_json(self.path(number))
        if content is None or content.get("operation") == "retired":
            return None
        if content.get("manifest_format") != _FORMAT:
            raise UnsupportedFeatureError(
                f"{self.path(number)} was written by another version of sparkclean (format "
                f"{content.get('manifest_format')!r}, here {_FORMAT}); install that one"
            )
        try:
            return Manifest.from_json(content)
        except (KeyError, TypeError, AttributeError, ValueError) as exc:
            raise SparkCleanError(
                f"{self.path(number)} is damaged: it is not a manifest ({type(exc).__name__})"
            ) from exc

    def load(self, number: int) -> Manifest:
        """Read a version.

        Raises
        ------
        InputError
            If there is no such version.
        """
        manifest = self.find(number)
        if manifest is None:
            known = [version_name(found.number) for found in self.all()]
            there = f"it has {', '.join(known[-5:])}" if known else "it has none"
            gone = "has retired" if self.path(number).exists() else "has no"
            raise InputError(f"{self.root} {gone} version {number}; {there}")
        return manifest

    def load_named(self, version: str | int | None) -> Manifest:
        """Read a version by its number or name; the current one without.

        Raises
        ------
        InputError
            If there is no such version.
        """
        if version is None:
            manifest = self.current()
            if manifest is None:
                raise InputError(f"{self.root} has no versions: nothing was published to it yet")
            return manifest
        text = str(version).removeprefix("v")
        if not (text.isascii() and text.isdigit()):
            raise InputError(f"{version!r} is not a version of {self.root}; write 3 or v00000003")
        return self.load(int(text))

    def current(self) -> Manifest | None:
        """Read the current version; None where nothing was published."""
        numbers = self.numbers()
        return self.load(numbers[-1]) if numbers else None

    def all(self) -> list[Manifest]:
        """Read all versions that are not retired, lowest first."""
        found = (self.find(number) for number in self.numbers())
        return [manifest for manifest in found if manifest is not None]

    def commit(self, manifest: Manifest) -> bool:
        """Publish a version, in one atomic step.

        Returns
        -------
        bool
            False if another writer has taken the number; nothing is published then.
        """
        with write_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            return put_if_absent(
                self.path(manifest.number), manifest.to_json(), faults="target.manifest"
            )

    def retire(self, manifest: Manifest) -> None:
        """Put a stub in the place of a version, so that its number stays taken."""
        content = {
            "manifest_format": _FORMAT,
            "operation": "retired",
            "number": manifest.number,
            "run_id": manifest.run_id,
            "created_at": manifest.created_at,
            "rows": manifest.version().rows,
        }
        path = self.path(manifest.number)
        replace_durably(path, json.dumps(content))
        sync(self.folder)

    def leftovers(self) -> list[Path]:
        """Temporary files, also those of writers that are at work."""
        if not self.folder.is_dir():
            return []
        return sorted(p for p in self.folder.iterdir() if _TEMPORARY.fullmatch(p.name))
