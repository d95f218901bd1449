"""Run ids of schedulers, mapped one to one to names that every format accepts."""

from __future__ import annotations

import re

from sparkclean.errors import ConfigError

_LONGEST = 200
_PLAIN = re.compile(r"[A-Za-z0-9.-]")
_SAFE = re.compile(r"[A-Za-z][A-Za-z0-9._-]*")


def safe_run_id(run_id: str) -> str:
    """Map a run id to ``[A-Za-z][A-Za-z0-9._-]*``, one to one.

    Parameters
    ----------
    run_id : str

    Returns
    -------
    str
        Letters, digits, dots and hyphens stay, and so does an underscore before none of "x" and
        hexadecimal digits; all else becomes ``_xHEX_`` of its code point.

    Raises
    ------
    ConfigError
        If the run id is empty or too long.

    Examples
    --------
    >>> safe_run_id("nightly-2026.11.24")
    'nightly-2026.11.24'
    >>> safe_run_id("scheduled__2026-11-01T00:00:00+00:00")
    'scheduled__2026-11-01T00_x3a_00_x3a_00_x2b_00_x3a_00'
    """
    if not run_id.strip():
        raise ConfigError("--run-id is empty; leave it out for a new one")
    parts = []
    for place, character in enumerate(run_id):
        plain = _PLAIN.match(character) and (place > 0 or character.isalpha())
        # an underscore that could be read as the start of an escape is escaped itself
        if character == "_":
            plain = place > 0 and not re.match(r"_x[0-9a-f]+_", run_id[place:])
        parts.append(character if plain else f"_x{ord(character):x}_")
    name = "".join(parts)
    if name.startswith("_"):
        name = f"r{name}"
    elif re.match(r"r_x[0-9a-f]+_", name):
        # the prefix above must stay recognisable
        name = f"r_x72_{name[1:]}"
    if len(name) > _LONGEST or not _SAFE.fullmatch(name):
        raise ConfigError(
            f"--run-id has {len(run_id)} characters ({len(name)} as a name); at most {_LONGEST}"
        )
    return name
