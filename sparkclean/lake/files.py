"""Plain files on a local or shared file system: listings, durable writes, what went wrong."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import uuid
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from sparkclean.errors import (
    CommitStateUnknownError,
    ConfigError,
    InputError,
    SparkCleanError,
    UnsupportedFeatureError,
)
from sparkclean.faults import fault_point
from sparkclean.lake.base import DataFile, NoPlainFiles, Pin
from sparkclean.locations import local_path
from sparkclean.reading import read_object

_THREADS = 16
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV)
_T = TypeVar("_T")
_R = TypeVar("_R")


def spark_path(path: str | Path) -> str:
    """Name a file so that Spark finds it here, whatever its default file system is."""
    return f"file://{path}"


def spark_paths(paths: Iterable[str | Path]) -> list[str]:
    """Name files for Spark's readers, which would take some characters for wildcards."""
    return [re.sub(r"([{}\[\]*?\\])", r"\\\1", spark_path(path)) for path in paths]


def in_threads(function: Callable[[_T], _R], items: Iterable[_T]) -> list[_R]:
    """Apply a function that waits for the file system to many items at once."""
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(function, items))


def is_hidden(name: str) -> bool:
    """Tell whether Spark passes over a file or folder of this name."""
    return (
        name.startswith(".")
        or (name.startswith("_") and "=" not in name)
        or name.endswith("._COPYING_")
    )


def list_data_files(root: Path) -> list[Path]:
    """List the files below a folder that Spark would read.

    Parameters
    ----------
    root : Path

    Returns
    -------
    list of Path
        Sorted.

    Raises
    ------
    InputError
        If a folder cannot be listed, holds a pipe or a device, or links lead round in a circle.
    """
    found: list[Path] = []

    # not by recursion: folders may lie in one another more than a thousand times
    ahead: list[tuple[Path, frozenset[tuple[int, int]]]] = [(root, frozenset())]
    try:
        while ahead:
            folder, above = ahead.pop()
            status = folder.stat()
            here = (status.st_dev, status.st_ino)
            if here in above:
                raise InputError(f"{folder} is a link to a folder above it; remove the link")
            with os.scandir(folder) as entries:
                for entry in entries:
                    if is_hidden(entry.name):
                        continue
                    _check_name(entry)
                    if entry.is_dir():
                        ahead.append((Path(entry.path), above | {here}))
                    elif not entry.is_file() and Path(entry.path).exists():
                        raise InputError(f"{entry.path} is a pipe or a device; remove it")
                    else:
                        found.append(Path(entry.path))
    except OSError as exc:
        raise InputError(f"{exc.filename} cannot be listed: {exc.strerror}") from exc
    return sorted(found, key=str)


def _check_name(entry: os.DirEntry[str]) -> None:
    try:
        entry.name.encode()
    except UnicodeEncodeError as exc:
        raise InputError(
            f"{entry.path} has a name that is not UTF-8, which Spark cannot open; rename it"
        ) from exc


def format_of_folder(folder: Path) -> str | None:
    """Tell a Delta or Iceberg table by its metadata; None for anything else."""
    if (folder / "_delta_log").is_dir():
        return "delta"
    if any((folder / "metadata").glob("*.metadata.json")):
        return "iceberg"
    return None


def missing_files(paths: Sequence[str]) -> list[str]:
    """Find the files that are no longer there.

    Parameters
    ----------
    paths : sequence of str
        Paths and URIs; those on other than local or shared file systems are passed over.

    Returns
    -------
    list of str

    Notes
    -----
    Asks for each file, in threads.
    """

    def missing(path: str) -> bool:
        try:
            return not local_path(path).exists()
        except UnsupportedFeatureError:
            return False

    found = zip(paths, in_threads(missing, paths), strict=True)
    return [path for path, gone in found if gone]


def changed_files(pin: Pin) -> list[str]:
    """List pinned files that changed or vanished, each with which of the two.

    Notes
    -----
    Looks at size and modification time of every file, in threads; reads none.
    """

    def changed(file: DataFile) -> str | None:
        try:
            status = Path(file.path).stat()
        except OSError:
            return f"{file.path} (vanished)"
        if (status.st_size, status.st_mtime_ns) != (file.size_bytes, file.modified_ns):
            return f"{file.path} (changed)"
        return None

    return [text for text in in_threads(changed, pin.files) if text]


def local_files(paths: Sequence[str]) -> list[str] | NoPlainFiles:
    """Turn paths and URIs into paths, if all are on local or shared file systems.

    Formats differ in whether names of folders are quoted once more in a URI: what exists counts.
    """

    def local(path: str) -> str:
        plain = re.sub(r"^file:/*", "/", path)
        return plain if Path(plain).exists() else str(local_path(path))

    try:
        return in_threads(local, paths)
    except (UnsupportedFeatureError, ConfigError) as exc:
        return NoPlainFiles(str(exc))


def size_below(folder: Path) -> int:
    """Bytes of all files below a folder."""
    size, ahead = 0, [str(folder)]
    while ahead:
        with contextlib.suppress(OSError), os.scandir(ahead.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    ahead.append(entry.path)
                elif not entry.is_dir():
                    size += entry.stat(follow_symlinks=False).st_size
    return size


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as exc:
        if exc.errno != errno.EINVAL:  # some file systems cannot sync a folder
            raise
    finally:
        os.close(handle)


def write_durably(path: Path, content: str) -> None:
    """Write a new file and wait until it is on the disk.

    Raises
    ------
    FileExistsError
        If there is anything of this name, a link among it: nothing is written through it.
    """
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def replace_durably(path: Path, content: str) -> None:
    """Write a file whole, or not at all, in the place of the one that is there."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        write_durably(temporary, content)
        temporary.replace(path)  # also of a link, and not of what it leads to
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def put_if_absent(path: Path, content: str, *, faults: str | None = None) -> bool:
    """Create a file whole, unless it exists.

    Parameters
    ----------
    path : Path
    content : str
    faults : str, optional
        Prefix of the fault points after writing and after linking.

    Returns
    -------
    bool
        Whether this call created it.

    Raises
    ------
    UnsupportedFeatureError
        If the file system has no hard links.
    CommitStateUnknownError
        If it cannot be told whether the file was created.

    Notes
    -----
    A temporary file, fsync, link to the final name, fsync of the folder: after a crash there is
    the whole file or none. ``O_EXCL`` alone can leave half of one.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        write_durably(temporary, content)
        if faults:
            fault_point(f"{faults}_written")
        if not _link(temporary, path):
            return False
        if faults:
            fault_point(f"{faults}_linked")
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    try:
        sync(path.parent)
    except OSError as exc:
        raise CommitStateUnknownError(
            f"{path} was created, but the file system did not confirm that it is on the disk "
            f"({exc.strerror}); check the disk, then look whether the file is there"
        ) from exc
    return True


def _link(temporary: Path, path: Path) -> bool:
    try:
        os.link(temporary, path)
    except OSError as exc:
        # over NFS a reply may be lost: the repeated request then finds its own link
        try:
            if temporary.samefile(path):
                return True
        except FileNotFoundError:
            pass
        except OSError as unknown:
            raise CommitStateUnknownError(
                f"it is unknown whether {path} was created ({exc.strerror}, then "
                f"{unknown.strerror}); look whether the file is there"
            ) from exc
        if exc.errno == errno.EEXIST:
            return False
        if exc.errno in _NO_LINKS:
            raise UnsupportedFeatureError(
                f"the file system of {path.parent} has no hard links ({exc.strerror}), which safe "
                "publishing needs; use another file system"
            ) from exc
        raise
    return True


def read_json(path: Path) -> dict[str, Any] | None:
    """Read a JSON object from a plain file; None where there is no such file."""
    try:
        return read_object(path, error=SparkCleanError)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as exc:
        raise SparkCleanError(f"{path} cannot be read: {exc.strerror}") from exc
