"""Removing what dead runs left and retiring old versions, on request only.

Never touches what a manifest names that stays.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from sparkclean.errors import ConfigError, InputError, SparkCleanError
from sparkclean.faults import fault_point
from sparkclean.lake.base import CleanUp, version_name, without_newest
from sparkclean.lake.files import size_below
from sparkclean.lake.parquet.custody import put_back, withdraw
from sparkclean.lake.parquet.manifest import Manifest, ManifestLog
from sparkclean.lake.parquet.owner import Owner
from sparkclean.lake.parquet.staging import DATA, OWNER, RECEIPT, STAGING
from sparkclean.lake.plain_folders import check_plain, remove_tree
from sparkclean.lake.writing import write_errors

_WEEK_SECONDS = 7 * 86400.0
_HOUR_SECONDS = 3600.0


@dataclass(frozen=True)
class _Plan:
    retired: tuple[Manifest, ...]
    data: tuple[Path, ...]
    rest: tuple[Path, ...]


@contextlib.contextmanager
def administration(log: ManifestLog) -> Iterator[None]:
    """Keep clean-up and revert from running at once. The lock goes with the process."""
    if not log.folder.is_dir():
        yield
        return
    check_plain(log.root / DATA, log.root / STAGING, log.folder)
    with write_errors(log.folder), _opened_lock(log.folder / ".lock") as lock:
        # without locks (some network mounts) it goes on: both are rare and done by hand
        with contextlib.suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _opened_lock(path: Path) -> IO[bytes]:
    """Open the file of the lock, which may be there; a link of its name leads nowhere."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.fdopen(os.open(path, flags, 0o666), "r+b")
    except OSError as exc:
        if exc.errno == errno.ELOOP:
            raise InputError(f"{path} is a link; find out who put it there, and remove it") from exc
        raise


def clean_up(
    log: ManifestLog, *, older_than_seconds: float | None, keep: int | None, dry_run: bool
) -> CleanUp:
    """Remove what dead runs left, and retire old versions if asked.

    Parameters
    ----------
    log : ManifestLog
    older_than_seconds : float or None
        Age from which a version is retired, and from which a run of another host counts as dead
        (a week by default).
    keep : int or None
        Number of newest versions that stay, of whatever age.
    dry_run : bool

    Returns
    -------
    CleanUp

    Raises
    ------
    ConfigError
        If no version would stay.
    """
    if keep is not None and keep < 1:
        raise ConfigError(f"--keep {keep}: at least the current version stays; write 1 or more")
    if older_than_seconds is not None and older_than_seconds < 0:
        raise ConfigError(f"--older-than: {older_than_seconds} seconds is not an age")
    check_plain(log.root / DATA, log.root / STAGING, log.folder)
    if dry_run:
        return _describe(_plan(log, older_than_seconds, keep))
    with administration(log), write_errors(log.root):
        put_back(log)
        plan = _plan(log, older_than_seconds, keep)
        result = _describe(plan)
        # versions first: no reader may find a manifest whose files are gone
        for manifest in plan.retired:
            log.retire(manifest)
        fault_point("clean_up.retired")
        for folder in plan.data:
            withdraw(log, folder, _owner(folder))
        for path in plan.rest:
            remove_tree(log.root, path)
        fault_point("clean_up.removed")
    return result


def _plan(log: ManifestLog, older_than_seconds: float | None, keep: int | None) -> _Plan:
    age = _WEEK_SECONDS if older_than_seconds is None else older_than_seconds
    manifests = log.all()
    retired = _retired(manifests, older_than_seconds, keep)
    gone = {manifest.number for manifest in retired}
    named = {
        Path(file.path).parts[1]
        for manifest in manifests
        if manifest.number not in gone
        for file in manifest.files
    }
    data = [
        folder
        for folder in children(log.root / DATA)
        # without a receipt it is not ours
        if folder.name not in named and (folder / RECEIPT).exists() and is_left(folder, age)
    ]
    rest = [folder for folder in children(log.root / STAGING) if is_left(folder, age)]
    rest += [path for path in log.leftovers() if _age(path) > _HOUR_SECONDS]
    return _Plan(tuple(retired), tuple(data), tuple(rest))


def _retired(
    manifests: list[Manifest], older_than_seconds: float | None, keep: int | None
) -> list[Manifest]:
    if keep is None and older_than_seconds is None:
        return []
    now = time.time()
    return [
        manifest
        for manifest in without_newest(manifests, max(keep or 1, 1))
        if older_than_seconds is None
        or now - datetime.fromisoformat(manifest.created_at).timestamp() > older_than_seconds
    ]


def children(folder: Path) -> list[Path]:
    """List the folders in a folder, in order; none where there is no such folder."""
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir() and not path.is_symlink())
    except (FileNotFoundError, NotADirectoryError):
        return []


def is_left(folder: Path, age: float) -> bool:
    """Tell whether no living process can still need a folder.

    Parameters
    ----------
    folder : Path
        Of an attempt, or of data.
    age : float
        In seconds: of an attempt on another host that counts as dead.

    Returns
    -------
    bool
    """
    owner = _owner(folder)
    if owner is None:
        # a data folder loses its owner when it is published; staging gets one in its first moment
        return (folder / RECEIPT).exists() or _age(folder) > max(age, _HOUR_SECONDS)
    in_place = folder.parent.name == DATA
    alive = owner.is_publishing() if in_place else owner.is_alive()
    if alive is None:
        return time.time() - datetime.fromisoformat(owner.created_at).timestamp() > age
    return not alive


def _owner(folder: Path) -> Owner | None:
    try:
        return Owner.read(folder / OWNER)
    except (SparkCleanError, TypeError):
        return None


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


def _describe(plan: _Plan) -> CleanUp:
    paths = (*plan.data, *plan.rest)
    return CleanUp(
        paths=tuple(str(path) for path in paths),
        versions=tuple(version_name(manifest.number) for manifest in plan.retired),
        size_bytes=sum(
            path.lstat().st_size if path.is_symlink() or not path.is_dir() else size_below(path)
            for path in paths
        ),
    )
