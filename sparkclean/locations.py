"""Where tables lie: local or shared file systems, for now."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlparse

from sparkclean.errors import ConfigError, UnsupportedFeatureError

#: Mode ``quarantine`` writes a second version beside the cleaned one.
QUARANTINE_SUFFIX = "-quarantine"


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
