"""Publishing a staged folder: rename to its final location, then one manifest, put-if-absent."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from sparkclean.errors import (
    InputError,
    PublishConflictError,
    SparkCleanError,
)
from sparkclean.faults import fault_point
from sparkclean.lake.base import ANY, IDENTITY, AnyParent, check_identity, version_name
from sparkclean.lake.files import sync
from sparkclean.lake.parquet.custody import check_there, move_back, take_over
from sparkclean.lake.parquet.manifest import Manifest, ManifestFile, ManifestLog, PublishedRun
from sparkclean.lake.parquet.staging import DATA, OWNER, Receipt, Staging
from sparkclean.lake.schemas import SchemaMismatchError, unite_schemas
from sparkclean.lake.writing import write_errors

_REBASES = 100


@dataclass(frozen=True)
class Publication:
    """What is to be published, and on what terms.

    Attributes
    ----------
    expected_parent : int, None or ANY
    accumulate, replace_run : bool
    properties : mapping
    schema : str
    """

    expected_parent: int | AnyParent | None
    accumulate: bool
    replace_run: bool
    properties: Mapping[str, str]
    schema: str

    @property
    def identity(self) -> dict[str, str]:
        """The properties that the run id stands for."""
        return {key: self.properties[key] for key in IDENTITY if key in self.properties}


def publish(log: ManifestLog, staging: Staging, wanted: Publication) -> Manifest:
    """Publish a staging folder as the new current version.

    Parameters
    ----------
    log : ManifestLog
    staging : Staging
    wanted : Publication

    Returns
    -------
    Manifest
        The existing one, if the run has published before.

    Raises
    ------
    PublishConflictError
        If another run was first; no manifest names the data then.
    VersionExistsError
        If the run id stands for another configuration or input.
    InputError
        If the columns do not fit those of the runs before.
    """
    before = _recognise(log, staging, wanted)
    if before is not None:
        staging.discard()
        return before
    current = log.current()
    _check_parent(log, current, wanted)
    _build(current, staging, wanted, ())  # columns that do not fit are found before anything moves
    receipt = staging.close(wanted.schema, wanted.identity)
    fault_point("target.receipt_written")
    with staging.owner:
        place, receipt = _settle(log, staging, wanted, receipt)
        sync(place.parent)
        fault_point("target.renamed")
        files = tuple(
            ManifestFile(f"{DATA}/{place.name}/{f.path}", f.size_bytes, f.rows, staging.name)
            for f in receipt.files
        )
        manifest = _commit(log, staging, wanted, place, files)
    with suppress(OSError):
        (place / OWNER).unlink()
    staging.discard()
    fault_point("target.finished")
    return manifest


def _recognise(log: ManifestLog, staging: Staging, wanted: Publication) -> Manifest | None:
    """Find what the run has published before; raise if it was another one of the same name."""
    current = log.current()
    run = current.published.get(staging.name) if current else None
    if run is None or wanted.replace_run:
        return None
    name = version_name(run.version)
    check_identity(log.root, staging.run_id, name, run.identity, wanted.identity)
    return find_published(log, staging.name)


def find_published(log: ManifestLog, name: str) -> Manifest | None:
    """Find the version by which a run published; None if it has not, or its rows are retired.

    Parameters
    ----------
    log : ManifestLog
    name : str
        Safe name of the run.

    Returns
    -------
    Manifest or None

    Notes
    -----
    Reads two manifests, however many there are: each remembers all runs.
    """
    current = log.current()
    run = current.published.get(name) if current else None
    if current is None or run is None:
        return None
    if (by := log.find(run.version)) is not None:
        return by
    if name in current.run_ids:
        return current
    # its own version is retired, and a later one that has it was reverted away
    return next((m for m in reversed(log.all()) if name in m.run_ids), None)


def _check_parent(log: ManifestLog, current: Manifest | None, wanted: Publication) -> None:
    if wanted.accumulate or wanted.expected_parent is ANY:
        return
    found = current.number if current else None
    if found == wanted.expected_parent:
        return
    there = (
        f"version {version_name(current.number)}, published by run {current.original_run_id!r} at "
        f"{current.created_at}, is current"
        if current
        else "there is no version"
    )
    expected = wanted.expected_parent
    raise PublishConflictError(
        f"{log.root}: {there}, while this run began at "
        f"{f'version {version_name(expected)}' if isinstance(expected, int) else 'none'}; nothing "
        "of this run's version was published. Run again to build on it"
    )


def _settle(
    log: ManifestLog, staging: Staging, wanted: Publication, receipt: Receipt
) -> tuple[Path, Receipt]:
    """Rename the staged data to its final location, or take over that of an earlier attempt."""
    data = Path(staging.data_path)
    place = log.root / DATA / staging.name
    with write_errors(log.root):
        place.parent.mkdir(parents=True, exist_ok=True)
    for _ in range(_REBASES):
        if wanted.replace_run and place.exists():
            # a number that never was, so that no version's files are ever in the way
            taken = {path.name for path in place.parent.iterdir()}
            number = next(n for n in range(1, len(taken) + 2) if f"{staging.name}~{n}" not in taken)
            place = place.with_name(f"{staging.name}~{number}")
        with write_errors(log.root):
            try:
                data.rename(place)
            except OSError:
                if not place.is_dir():
                    raise
            else:
                return place, receipt
        if not wanted.replace_run:
            left = take_over(log, staging, place, receipt)
            if left is not None:
                return place, left
    raise PublishConflictError(f"{place}: other attempts of run {staging.run_id!r} keep moving it")


def _commit(
    log: ManifestLog,
    staging: Staging,
    wanted: Publication,
    place: Path,
    files: tuple[ManifestFile, ...],
) -> Manifest:
    """Commit on the current version, or on what becomes current meanwhile if that is allowed."""
    for attempt in range(_REBASES):
        current = log.current()
        try:
            other = _recognise(log, staging, wanted)
            if other is not None:
                return other
            _check_parent(log, current, wanted)
            manifest = _build(current, staging, wanted, files)
        except SparkCleanError:
            move_back(staging, place)
            raise
        if log.commit(manifest):
            check_there(log, manifest, place)
            return manifest
        time.sleep(min(0.002 * attempt, 0.1))
    move_back(staging, place)
    raise PublishConflictError(
        f"{log.root}: other runs were first {_REBASES} times; nothing was published. Run again"
    )


def _build(
    parent: Manifest | None, staging: Staging, wanted: Publication, files: tuple[ManifestFile, ...]
) -> Manifest:
    older = parent if parent and wanted.accumulate else None
    number = parent.number + 1 if parent else 1
    run = PublishedRun(number, staging.run_id, wanted.identity)
    manifest = Manifest(
        number=number,
        parent=parent.number if parent else None,
        run_id=staging.name,
        original_run_id=staging.run_id,
        operation="publish",
        accumulate=wanted.accumulate,
        schema=wanted.schema,
        files=files,
        run_ids=(staging.name,),
        published=(dict(parent.published) if parent else {}) | {staging.name: run},
        properties=dict(wanted.properties) | {"original_run_id": staging.run_id},
    )
    if older is None:
        return manifest
    try:
        schema = unite_schemas(older.schema, wanted.schema)
    except SchemaMismatchError as exc:
        raise InputError(
            f"{staging.root}: column {exc.column!r} is {exc.one} in the rows of earlier "
            f"runs and {exc.other} in those of this one; choose another output for it"
        ) from exc
    # of runs whose schema is not the united one, with which their files can be read
    own = {name: older.schemas.get(name, older.schema) for name in older.run_ids}
    own[staging.name] = wanted.schema
    return replace(
        manifest,
        schema=schema,
        schemas={name: text for name, text in own.items() if text != schema},
        files=(*(f for f in older.files if f.run_id != staging.name), *files),
        run_ids=(*(name for name in older.run_ids if name != staging.name), staging.name),
    )
