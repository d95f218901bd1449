"""Where tables lie: locations on local or shared file systems, names in a catalog."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlparse

from sparkclean.errors import ConfigError, UnsupportedFeatureError
from sparkclean.names import parse_table_name

#: Versions that are a pinned table and changes, by the format of that table.
LAYOUTS = {"delta": "clone", "iceberg": "branch"}
#: Mode ``quarantine`` writes a second version beside the cleaned one.
QUARANTINE_SUFFIX = "-quarantine"

#: What a shell would expand, and we do not.
_VARIABLE = re.compile(r"\$(?:[A-Za-z_][A-Za-z0-9_]*|\{[^}]*\}?)")


def check_expanded(location: str) -> None:
    """Refuse a location that a shell was meant to expand: a folder of that name would be made.

    Parameters
    ----------
    location : str
        As a user has written it.

    Raises
    ------
    ConfigError
    """
    if match := _VARIABLE.search(location):
        raise ConfigError(
            f"{location!r} holds {match[0]}, and variables are not expanded here; write the path "
            "out, or let your shell expand it (--set, SPARKCLEAN__SECTION__KEY). A folder of this "
            "very name is written as a URI: file:///..., with %24 for the $"
        )


def local_path(location: str) -> Path:
    """Path of a location on a local or shared file system.

    Parameters
    ----------
    location : str
        A path, or a ``file:`` URI.

    Returns
    -------
    pathlib.Path
        Absolute, symbolic links resolved.

    Raises
    ------
    UnsupportedFeatureError
        If the location is elsewhere.
    ConfigError
        If it is empty, or no path at all.
    """
    if not location.strip():
        raise ConfigError("the path is empty")
    try:
        parsed = urlparse(location)
        if parsed.scheme == "file":
            location = unquote(parsed.path)
        elif len(parsed.scheme) > 1 and ":/" in location:
            raise UnsupportedFeatureError(
                f"{location!r}: {parsed.scheme}: is not supported yet, local or shared file "
                "systems are"
            )
        return Path(location).expanduser().resolve()
    except (ValueError, RuntimeError) as exc:
        raise ConfigError(f"{location!r} is not a path: {exc}") from None


def lies_in_files(format: str) -> bool:  # noqa: A002 (the key's name)
    """Tell whether a table of a format is a folder of files, and no table of an engine."""
    return format == "parquet"


def place_of(where: str, format: str = "auto") -> Path | str:  # noqa: A002
    """Say where a table is, so that two can be compared.

    Parameters
    ----------
    where : str
        Path or URI, or a name in a catalog.
    format : str
        One of `sparkclean.names.FORMATS`, or ``auto``.

    Returns
    -------
    Path or str
        A path if it is local, else its name.

    Raises
    ------
    ConfigError, UnsupportedFeatureError
        If it names no location.
    """
    if lies_in_files(format):
        return local_path(where)
    name = parse_table_name(where)
    if name.path is None:
        return str(name).lower()
    try:
        return local_path(name.path)
    except UnsupportedFeatureError:
        return name.path.rstrip("/")


def same_place(one: str, other: str) -> bool:
    """Tell whether two texts name one table; False where one of them names none."""
    with suppress(ConfigError, UnsupportedFeatureError):
        return place_of(one) == place_of(other)
    return False
