"""Which files of a version count, by the target of run records, and whether they are there."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sparkclean.errors import InputError
from sparkclean.lake.base import INPUT_TABLE, version_name
from sparkclean.lake.files import in_threads
from sparkclean.lake.parquet.manifest import Manifest, ManifestFile, ManifestLog
from sparkclean.lake.parquet.staging import staged_files
from sparkclean.lake.record_rows import (
    JOB_OF_BEFORE,
    JOB_TELLING,
    TELLING,
    KnownRuns,
    are_records,
    counted_runs,
    known_runs_of,
)
from sparkclean.lake.run_ids import safe_run_id
from sparkclean.schema import JOB

_log = logging.getLogger("sparkclean")


def read_records(
    root: Path, files: Sequence[ManifestFile], columns: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """Read run records.

    Parameters
    ----------
    root : Path
        Of the target of run records.
    files : sequence of ManifestFile
    columns : sequence of str, optional
        Those that a file lacks are left out; all by default.

    Returns
    -------
    list of dict

    Raises
    ------
    InputError
        If a file cannot be read.

    Notes
    -----
    Reads with pyarrow, file by file: a row for each run.
    """
    rows: list[dict[str, Any]] = []
    for file in files:
        try:
            with pq.ParquetFile(root / file.path) as records:
                there = records.schema_arrow.names
                wanted = None if columns is None else [name for name in columns if name in there]
                rows += records.read(columns=wanted).to_pylist()
        except (OSError, pa.ArrowException) as exc:
            raise InputError(f"run record {root / file.path} cannot be read: {exc}") from exc
    return rows


def read_known_runs(root: Path, manifest: Manifest) -> KnownRuns:
    """Read what the records say of all runs.

    Parameters
    ----------
    root : Path
        Of the target of run records.
    manifest : Manifest
        Its current version.

    Returns
    -------
    dict
        By job and safe run id.
    """
    return known_runs_of(read_records(root, manifest.files, (*TELLING, *JOB_TELLING)))


def runs_that_count(location: Path, job: str) -> dict[str, str | None] | None:
    """Find the runs of a job whose rows count, and the table of each.

    Parameters
    ----------
    location : Path
        Of the target of run records.
    job : str

    Returns
    -------
    dict or None
        By safe run id; none while no run has finished; None where there is no such folder to ask.
    """
    if not location.is_dir():
        _log.warning(
            "there are no run records at %s, so rows of unfinished runs are shown too", location
        )
        return None
    manifest = ManifestLog(location).current()
    return counted_runs(read_known_runs(location, manifest), job) if manifest else {}


def _counted_of(root: Path, manifest: Manifest) -> dict[str, str | None] | None:
    """Find the runs whose rows count in an output, by its records; None where it has none."""
    runs = manifest.properties.get("runs")
    location = Path(os.path.normpath(root / runs)) if runs else root
    if location == root or not manifest.accumulate:
        return None
    return runs_that_count(location, manifest.properties.get(JOB, JOB_OF_BEFORE))


def tables_by_run(log: ManifestLog, manifest: Manifest) -> dict[str, str]:
    """Find of which table the rows of each run are.

    Parameters
    ----------
    log : ManifestLog
        Of the target.
    manifest : Manifest
        Of a version.

    Returns
    -------
    dict
        By safe run id, in the order of publication; without runs whose rows do not count, or of
        which it is not known. None of a dataset, or of run records.
    """
    columns = [field["name"] for field in json.loads(manifest.schema)["fields"]]
    if not manifest.accumulate or are_records(columns):
        return {}
    runs = dict.fromkeys(file.run_id for file in manifest.files)
    counted = _counted_of(log.root, manifest)
    if counted is not None:
        here = {run: counted[run] for run in runs if run in counted}
        return {run: table for run, table in here.items() if table is not None}
    tables = {}
    for run in runs:
        made = log.find(manifest.published[run].version) if run in manifest.published else None
        if made is not None and INPUT_TABLE in made.properties:
            tables[run] = made.properties[INPUT_TABLE]
    return tables


def counted_files(root: Path, manifest: Manifest) -> tuple[ManifestFile, ...]:
    """List the files of a version, without those of runs that no record of its job counts.

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
    counted = _counted_of(root, manifest)
    if counted is not None:
        files = tuple(file for file in files if file.run_id in counted)
    check_files(root, manifest, files)
    return files


def files_of_run(root: Path, manifest: Manifest | None, run_id: str) -> list[Path]:
    """List the files of one run: those that it has published, or else staged.

    Parameters
    ----------
    root : Path
        Of the target.
    manifest : Manifest or None
        None where nothing was published.
    run_id : str
        The scheduler's.

    Returns
    -------
    list of Path

    Raises
    ------
    InputError
        If there are none.
    """
    files = () if manifest is None else counted_files(root, manifest)
    own = [root / file.path for file in files if file.run_id == safe_run_id(run_id)]
    found = own or staged_files(root, run_id)
    if not found:
        raise InputError(f"{root} holds no rows of run {run_id!r}, neither published nor staged")
    return found


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
            f"{version_name(manifest.number)} are not as published: "
            f"{', '.join(found[:5])}{', ...' if len(found) > 5 else ''}. Restore them, or revert "
            "to another version"
        )
