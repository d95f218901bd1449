"""Plain files on a local or shared file system: locations, listings, durable writes."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sparkclean.errors import InputError, SparkCleanError

_GLOB_CHARACTERS = "{}[]*?\\"


def without_globs(path: str) -> str:
    """Escape a path, so that Spark takes no character of it for a wildcard."""
    return "".join(f"\\{c}" if c in _GLOB_CHARACTERS else c for c in path)


def list_data_files(root: Path) -> list[Path]:
    """List the data files below a folder, as Spark would read it.

    Parameters
    ----------
    root : Path

    Returns
    -------
    list of Path
        Sorted; names that begin with ``_`` or ``.`` are left out, but for partition folders.
    """
    found = []
    for folder, names, files in os.walk(root, followlinks=True):
        names[:] = [name for name in names if not _hidden(name)]
        found += [Path(folder) / name for name in files if not _hidden(name)]
    return sorted(found, key=str)


def _hidden(name: str) -> bool:
    return name.startswith(".") or (name.startswith("_") and "=" not in name)


def sync_folder(folder: Path) -> None:
    """Make renames and links in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_durably(path: Path, content: str) -> None:
    """Write a file and wait until it is on the disk."""
    with path.open("w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def put_if_absent(path: Path, content: str) -> bool:
    """Create a file whole, unless it exists.

    Parameters
    ----------
    path : Path
    content : str

    Returns
    -------
    bool
        Whether this call created it.

    Notes
    -----
    A temporary file, fsync, link to the final name, fsync of the folder: after a crash there is
    the whole file or none. ``O_EXCL`` alone can leave half of one.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    write_durably(temporary, content)
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        temporary.unlink()
    sync_folder(path.parent)
    return True


@contextlib.contextmanager
def write_errors(location: Path | str) -> Iterator[None]:
    """Translate operating system errors of writing into ours."""
    try:
        yield
    except OSError as exc:
        raise translate_write_error(exc, str(location)) from exc


def translate_write_error(exc: BaseException, location: str) -> BaseException:
    """Say what kept us from writing.

    Parameters
    ----------
    exc : BaseException
        Of the operating system or of Spark.
    location : str

    Returns
    -------
    BaseException
        Ours where the cause is known, otherwise ``exc`` itself.
    """
    text = str(exc)
    number = exc.errno if isinstance(exc, OSError) else None
    if number == errno.ENOSPC or "No space left on device" in text:
        return SparkCleanError(
            f"no space left on the device of {location}; nothing was published. Free some, then "
            "repeat the run with the same run id"
        )
    if number in (errno.EACCES, errno.EPERM, errno.EROFS) or "Permission denied" in text:
        return InputError(f"{location} may not be written to; check its owner and permissions")
    if number in (errno.ENOTDIR, errno.EEXIST) or "Mkdirs failed" in text:
        return InputError(
            f"{location} is not a folder that can be written to; a file is in its way"
        )
    return exc


def owner_of_process() -> dict[str, Any]:
    """Describe this process, so that others can tell whether it still lives."""
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "process_started": process_started(os.getpid()),
    }


def process_started(pid: int) -> str | None:
    """When a process of this host began, in ticks; None if there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return fields[19]


def is_alive(owner: dict[str, Any]) -> bool | None:
    """Tell whether the process of `owner_of_process` still runs; None on another host."""
    if owner.get("host") != socket.gethostname():
        return None
    pid = int(owner.get("pid", -1))
    started = process_started(pid)
    if started is not None:
        return started == owner.get("process_started")
    if Path("/proc/self/stat").exists():
        return False
    try:  # no /proc (macOS): the pid alone must do
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def read_json(path: Path) -> dict[str, Any] | None:
    """Read a JSON object; None where there is no such file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as exc:
        raise SparkCleanError(f"{path} cannot be read: {exc}") from exc
    if not isinstance(content, dict):
        raise SparkCleanError(f"{path} is not a JSON object")
    return content
