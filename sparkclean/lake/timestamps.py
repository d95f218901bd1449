"""Timestamps as people write them in a configuration, and as versions carry them."""

from __future__ import annotations

from datetime import datetime, timezone

from sparkclean.errors import ConfigError


def parse_timestamp(text: str) -> datetime:
    """Read an ISO 8601 moment; UTC where it names no zone.

    Parameters
    ----------
    text : str

    Returns
    -------
    datetime

    Raises
    ------
    ConfigError
    """
    try:
        moment = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        raise ConfigError(
            f"input.version: {text!r} is not a timestamp; write 2026-11-01T00:00:00 (UTC) or with "
            "a "
            "zone, +01:00"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def utc_text(moment: datetime) -> str:
    """Write a moment in ISO 8601, UTC, to the millisecond.

    Parameters
    ----------
    moment : datetime
        Without a zone it is of this process's, in which Spark hands moments over.

    Returns
    -------
    str
    """
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds")
