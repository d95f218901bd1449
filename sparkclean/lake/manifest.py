"""Manifests: which files a version of a Parquet target has. The log of Delta in small.

``_manifests/vNNNNNNNN.json`` is created put-if-absent; the highest number is current.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from sparkclean.errors import InputError, PublishConflictError
from sparkclean.faults import fault_point
from sparkclean.lake.base import Version
from sparkclean.lake.files import put_if_absent, read_json, write_errors

FOLDER = "_manifests"
_NAME = re.compile(r"v(\d{8})\.json")


@dataclass(frozen=True)
class ManifestFile:
    """One data file of a version.

    Attributes
    ----------
    path : str
        Relative to the target.
    size_bytes, rows : int
    run_id : str
        Of the run that wrote it.
    """

    path: str
    size_bytes: int
    rows: int
    run_id: str


@dataclass(frozen=True)
class Manifest:
    """One version: its files and where it comes from."""

    number: int
    parent: int | None
    run_id: str
    operation: str
    schema: str
    files: tuple[ManifestFile, ...]
    properties: Mapping[str, str]
    created_at: str = field(
        default_factory=lambda: datetime.now(timezone.utc).isoformat(timespec="seconds")
    )

    def version(self) -> Version:
        """Describe the version to users."""
        return Version(
            number=self.number,
            parent=self.parent,
            run_id=self.run_id,
            run_ids=tuple(dict.fromkeys(file.run_id for file in self.files)) or (self.run_id,),
            created_at=self.created_at,
            rows=sum(file.rows for file in self.files),
            files=len(self.files),
            size_bytes=sum(file.size_bytes for file in self.files),
            operation=self.operation,
            properties=self.properties,
        )


class ManifestLog:
    """The manifests of one target.

    Parameters
    ----------
    root : Path
        Of the target.
    """

    def __init__(self, root: Path) -> None:
        self.folder = root / FOLDER

    def numbers(self) -> list[int]:
        """Numbers of all versions, lowest first."""
        if not self.folder.is_dir():
            return []
        matches = (_NAME.fullmatch(path.name) for path in self.folder.iterdir())
        return sorted(int(match[1]) for match in matches if match)

    def path(self, number: int) -> Path:
        """File of a version."""
        return self.folder / f"v{number:08d}.json"

    def load(self, number: int) -> Manifest:
        """Read a version.

        Raises
        ------
        InputError
            If there is no such version.
        """
        content = read_json(self.path(number))
        if content is None:
            known = self.numbers()
            there = f"it has {known[0]} to {known[-1]}" if known else "it has none"
            raise InputError(f"{self.folder.parent} has no version {number}; {there}")
        content.pop("rows", None)
        content["files"] = tuple(ManifestFile(**entry) for entry in content["files"])
        return Manifest(**content)

    def current(self) -> Manifest | None:
        """Read the current version; None where nothing was published."""
        numbers = self.numbers()
        return self.load(numbers[-1]) if numbers else None

    def all(self) -> list[Manifest]:
        """Read all versions, lowest first."""
        return [self.load(number) for number in self.numbers()]

    def commit(self, manifest: Manifest) -> None:
        """Publish a version: one atomic step.

        Raises
        ------
        PublishConflictError
            If another writer has taken the number; nothing is published.
        """
        with write_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            text = json.dumps(
                asdict(manifest) | {"rows": sum(file.rows for file in manifest.files)}, indent=1
            )
            fault_point("target.manifest_written")
            created = put_if_absent(self.path(manifest.number), text)
        if not created:
            other = self.load(manifest.number)
            raise PublishConflictError(
                f"{self.folder.parent}: version {manifest.number} was published by run "
                f"{other.run_id!r} at {other.created_at}, while this run expected "
                f"{'no version' if manifest.parent is None else f'version {manifest.parent}'} to "
                "be current; nothing of this run's version was published. Run again to build on it"
            )
        fault_point("target.manifest_linked")
