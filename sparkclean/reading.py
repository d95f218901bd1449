"""Reading files that somebody else may have put there: plain files only, and not more than a limit.

A pipe or a device would be waited for, for ever; a large file would fill the memory.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from sparkclean.errors import InputError, SparkCleanError

#: Bytes of a file of ours that describes others: a manifest, a state, an owner.
MOST_JSON = 1 << 28
#: Brackets within brackets that a JSON file of ours may have.
_DEEPEST = 100


def read_plain(
    path: Path,
    *,
    most: int | None = None,
    error: type[SparkCleanError] = InputError,
    follow_links: bool = True,
) -> bytes:
    """Read a plain file.

    Parameters
    ----------
    path : Path
    most : int, optional
        Bytes that are read at most.
    error : type
        To raise for what is no plain file, or larger.
    follow_links : bool
        Whether the name itself may be a symbolic link.

    Returns
    -------
    bytes

    Raises
    ------
    SparkCleanError
        ``error``, with the path and the size: never with what is in the file.
    OSError
        If it cannot be opened.
    """
    # a pipe opens at once so, instead of when somebody writes to it
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(path, flags if follow_links else flags | os.O_NOFOLLOW)
    except OSError as exc:
        if exc.errno == errno.ELOOP and not follow_links:
            raise error(f"{path} is a symbolic link, where a plain file is expected") from None
        if exc.errno == errno.ENXIO:
            raise error(f"{path} is a socket or a device, and no plain file") from None
        raise
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(status.st_mode):
            raise error(f"{path} is a pipe or a device, and no plain file")
        content = file.read() if most is None else file.read(most + 1)
        if most is not None and len(content) > most:
            size = max(status.st_size, len(content))
            raise error(f"{path} has {size:,} bytes; at most {most:,} are read")
    return content


def read_object(
    path: Path, *, error: type[SparkCleanError] = InputError, follow_links: bool = True
) -> dict[str, Any]:
    """Read a file of ours that holds a JSON object.

    Parameters
    ----------
    path : Path
    error : type
        To raise for what is no such file.
    follow_links : bool
        Whether the name itself may be a symbolic link.

    Returns
    -------
    dict

    Raises
    ------
    SparkCleanError
        ``error``, without what is in the file.
    OSError
        If it cannot be opened.
    """
    content = read_plain(path, most=MOST_JSON, error=error, follow_links=follow_links)
    return parse_object(path, content, error=error)


def parse_object(
    path: Path, content: bytes, *, error: type[SparkCleanError] = InputError
) -> dict[str, Any]:
    """Parse the JSON object that a file of ours holds, as `read_object` does."""
    words = f"{path} ({len(content):,} bytes) is damaged: it is"
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as exc:  # UnicodeDecodeError is a ValueError
        raise error(f"{words} not JSON") from exc
    if not isinstance(found, dict):
        raise error(f"{words} not a JSON object")
    if is_deeper(found, _DEEPEST):
        raise error(f"{words} nested too deeply")
    return found


def is_deeper(value: Any, most: int) -> bool:
    """Tell whether lists and mappings lie in one another more than so many times."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(most):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def check_fields(instance: Any) -> None:
    """Check that the fields of a dataclass, read from a file, have the types that it declares.

    Parameters
    ----------
    instance : dataclass

    Raises
    ------
    TypeError
        Names the field.
    """
    for name, kind in _types_of(type(instance)).items():  # type: ignore[arg-type]
        if not _fits(getattr(instance, name), kind):
            raise TypeError(f"{name} is of another type")


@cache
def _types_of(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _fits(value: Any, kind: Any) -> bool:
    """Tell whether a value is of a type that JSON knows, or a dataclass of such."""
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any:
        return True
    if origin in (Union, UnionType):
        return any(_fits(value, one) for one in inner)
    if origin is tuple:
        return isinstance(value, tuple) and all(_fits(part, inner[0]) for part in value)
    if origin is Mapping:
        return isinstance(value, Mapping) and all(
            _fits(key, inner[0]) and _fits(part, inner[1]) for key, part in value.items()
        )
    if isinstance(value, bool):
        return kind is bool
    if is_dataclass(value):
        check_fields(value)
    return isinstance(value, (int, float) if kind is float else kind)
