"""Which files of a version count, by the target of run records, and whether they are there."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from sparkclean import schema
from sparkclean.errors import InputError
from sparkclean.lake.base import COUNTED, version_name
from sparkclean.lake.files import in_threads
from sparkclean.lake.parquet.manifest import Manifest, ManifestFile, ManifestLog
from sparkclean.lake.run_ids import is_safe_run_id, safe_run_id

_log = logging.getLogger("sparkclean")
_STATUS, _ORIGINAL = "status", "original_run_id"


def read_run_statuses(root: Path, manifest: Manifest) -> dict[str, str]:
    """Read the statuses of all runs.

    Parameters
    ----------
    root : Path
        Of the target of run records.
    manifest : Manifest
        Its current version.

    Returns
    -------
    dict
        Status by safe name of the run.

    Notes
    -----
    Reads three narrow columns with pyarrow: a row for each run.
    """
    statuses: dict[str, str] = {}
    wanted = [schema.RUN_ID, _ORIGINAL, _STATUS]
    for file in manifest.files:
        try:
            with pq.ParquetFile(root / file.path) as records:
                columns = [name for name in wanted if name in records.schema_arrow.names]
                rows = records.read(columns=columns).to_pylist()
        except (OSError, pa.ArrowException) as exc:
            raise InputError(f"run record {root / file.path} cannot be read: {exc}") from exc
        for row in rows:
            original, name = row.get(_ORIGINAL), row.get(schema.RUN_ID) or ""
            if original:
                name = safe_run_id(original)
            elif not is_safe_run_id(name):
                name = safe_run_id(name)
            statuses[name] = row.get(_STATUS) or ""
    return statuses


def counted_runs(location: Path) -> set[str] | None:
    """Find the runs whose rows count.

    Parameters
    ----------
    location : Path
        Of the target of run records.

    Returns
    -------
    set of str or None
        Safe names; none while no run has finished; None where there is no such folder to ask.
    """
    if not location.is_dir():
        _log.warning("there are no run records at %s: rows of unfinished runs count too", location)
        return None
    manifest = ManifestLog(location).current()
    statuses = read_run_statuses(location, manifest) if manifest else {}
    return {name for name, status in statuses.items() if status in COUNTED}


def published_runs(runs_location: str) -> set[str]:
    """Find the runs that have published, by their run records.

    Parameters
    ----------
    runs_location : str
        Path of the target of run records.

    Returns
    -------
    set of str
        Safe names.
    """
    return counted_runs(Path(runs_location)) or set()


def counted_files(root: Path, manifest: Manifest) -> tuple[ManifestFile, ...]:
    """List the files of a version, without those of runs that have no run record.

    Parameters
    ----------
    root : Path
        Of the target.
    manifest : Manifest

    Returns
    -------
    tuple of ManifestFile

    Raises
    ------
    InputError
        If a file is gone or has another size.
    """
    files = manifest.files
    runs = manifest.properties.get("runs")
    if runs and manifest.accumulate:
        location = Path(os.path.normpath(root / runs))
        counted = None if location == root else counted_runs(location)
        if counted is not None:
            files = tuple(file for file in files if file.run_id in counted)
    check_files(root, manifest, files)
    return files


def check_files(root: Path, manifest: Manifest, files: tuple[ManifestFile, ...]) -> None:
    """Check that files of a version are there, in their size.

    Parameters
    ----------
    root : Path
    manifest : Manifest
    files : tuple of ManifestFile

    Raises
    ------
    InputError
        Names up to five that are not.
    """

    def damage(file: ManifestFile) -> str | None:
        try:
            size = (root / file.path).stat().st_size
        except OSError:
            return f"{file.path} (gone)"
        return None if size == file.size_bytes else f"{file.path} (changed)"

    found = [text for text in in_threads(damage, files) if text]
    if found:
        raise InputError(
            f"{root}: {len(found)} of {len(files)} files of version "
            f"{version_name(manifest.number)} are not as they were published: "
            f"{', '.join(found[:5])}{', ...' if len(found) > 5 else ''}. Restore them, or revert "
            "to another version"
        )
