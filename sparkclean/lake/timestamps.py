"""Moments as people write them in a configuration."""

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
            f"{text!r} is not a moment; write 2026-11-01T00:00:00 (UTC) or with a zone, +01:00"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
