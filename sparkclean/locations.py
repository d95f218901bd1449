"""Where tables lie: local or shared file systems, for now."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlparse

from sparkclean.errors import UnsupportedFeatureError


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
    """
    parsed = urlparse(location)
    if parsed.scheme == "file":
        location = unquote(parsed.path)
    elif len(parsed.scheme) > 1 and ":/" in location:
        raise UnsupportedFeatureError(
            f"{location!r}: {parsed.scheme}: is not supported yet, local or shared file systems are"
        )
    return Path(location).expanduser().resolve()
