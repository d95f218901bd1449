"""Folders of ours, walked by handles that follow no link: what is removed or moved lies in them.

A link that somebody has put in the place of a folder would lead a removal to the data of others,
also between a check and the removal. So each folder is opened within the one above it.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from sparkclean.errors import InputError

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW


def check_plain(*folders: Path) -> None:
    """Refuse folders that are links, or no folders; those that are not there do.

    Raises
    ------
    InputError
    """
    for folder in folders:
        try:
            mode = folder.lstat().st_mode
        except OSError:
            continue
        if not stat.S_ISDIR(mode):
            raise _no_folder(folder)


def remove_tree(root: Path, path: Path) -> None:
    """Remove a file or folder below a root, as far as it can be removed.

    Parameters
    ----------
    root : Path
        Where the user has put it; links that lead there are the user's.
    path : Path
        Below it. Links in the folder are removed, not followed.

    Raises
    ------
    InputError
        If there is a link between the two.

    Notes
    -----
    Folders that lie in one another more than about a thousand times stay: Python gives up.
    """
    with _opened_parent(root, path) as parent, suppress(OSError, RecursionError):
        if not stat.S_ISDIR(os.stat(path.name, dir_fd=parent, follow_symlinks=False).st_mode):
            os.unlink(path.name, dir_fd=parent)
            return
        for _, folders, files, handle in os.fwalk(path.name, topdown=False, dir_fd=parent):
            for name in files:
                with suppress(OSError):
                    os.unlink(name, dir_fd=handle)
            for name in folders:
                with suppress(OSError):
                    _remove_folder(name, handle)
        os.rmdir(path.name, dir_fd=parent)


def _remove_folder(name: str, parent: int) -> None:
    try:
        os.rmdir(name, dir_fd=parent)
    except NotADirectoryError:  # a link to a folder
        os.unlink(name, dir_fd=parent)


def move(root: Path, source: Path, target: Path) -> None:
    """Rename a folder below a root to another name below it.

    Parameters
    ----------
    root : Path
    source, target : Path

    Raises
    ------
    InputError
        If there is a link between the root and one of them.
    OSError
        As `os.rename`.
    """
    with _opened_parent(root, source) as one, _opened_parent(root, target) as other:
        os.rename(source.name, target.name, src_dir_fd=one, dst_dir_fd=other)


@contextmanager
def _opened_parent(root: Path, path: Path) -> Iterator[int]:
    """Open the folder that a path lies in, from the root on, and follow no link on the way."""
    with ExitStack() as opened:

        def keep(handle: int) -> int:
            opened.callback(os.close, handle)
            return handle

        handle, here = keep(os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)), root
        for name in path.relative_to(root).parts[:-1]:
            here /= name
            try:
                handle = keep(os.open(name, _OPEN, dir_fd=handle))
            except OSError as exc:
                if exc.errno in (errno.ELOOP, errno.ENOTDIR):
                    raise _no_folder(here) from exc
                raise
        yield handle


def _no_folder(folder: Path) -> InputError:
    return InputError(
        f"{folder} is a link or a file, where we have made a folder; nothing is written to it or "
        "removed from it. Find out who put it there, and remove it"
    )
