"""Run ids of schedulers, mapped one to one to names that every format and file system accepts."""

from __future__ import annotations

import re

from sparkclean.errors import ConfigError

_LONGEST = 128
_SAFE = re.compile(r"[A-Za-z][A-Za-z0-9._-]*")
# what means something in a name: two hexadecimal digits of a byte, or the mark of a prefix
_ESCAPE = re.compile(r"_x(?:[0-9a-f]{2}|-)")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_PREFIX = "r_x-"
# the ending of a shared run id, as a name; it does not count for the length
_OF_JOB = re.compile(r"_x40[a-z][a-z0-9_-]{0,31}$")


def safe_run_id(run_id: str) -> str:
    """Map a run id to ``[A-Za-z][A-Za-z0-9._-]*``, one to one.

    Parameters
    ----------
    run_id : str

    Returns
    -------
    str
        A run id of that form is its own name, unless it holds what reads as an escape. Any other
        character becomes ``_xHH`` for each byte of its UTF-8; what does not begin with a letter
        gets the prefix ``r_x-``.

    Raises
    ------
    ConfigError
        If the run id is empty, or longer than 128 characters as a name; what `shared_run_id` adds
        is not counted.

    Examples
    --------
    >>> safe_run_id("nightly-2026.11.24")
    'nightly-2026.11.24'
    >>> safe_run_id("scheduled__2026-11-01T00:00:00+00:00")
    'scheduled__2026-11-01T00_x3a00_x3a00_x2b00_x3a00'
    """
    if not run_id.strip():
        raise ConfigError("the run id is empty; leave --run-id out for a new one")
    marked = _ESCAPE.sub(lambda match: "_x5f" + match[0][1:], run_id)
    name = _UNSAFE.sub(_escape, marked)
    if not name[0].isalpha():  # ASCII by now
        name = _PREFIX + name
    if len(_OF_JOB.sub("", name)) > _LONGEST:
        raise ConfigError(
            f"the run id has {len(run_id)} characters ({len(name)} as a name); at most {_LONGEST} "
            "are possible: use a shorter one"
        )
    return name


def check_run_id(run_id: str) -> None:
    """Refuse a run id for a new run that would act on a terminal, or forge a line of a log.

    Parameters
    ----------
    run_id : str

    Raises
    ------
    ConfigError
        Also where `safe_run_id` does.
    """
    safe_run_id(run_id)
    if not run_id.isprintable():
        raise ConfigError(
            f"the run id {run_id!r} holds characters that are not printable; use letters, digits "
            "and signs"
        )


def shared_run_id(job: str, run_id: str) -> str:
    """Name a run where jobs share a table or folder: run records, and the state of unfinished runs.

    Parameters
    ----------
    job : str
        Lower case letters, digits, ``_`` and ``-``.
    run_id : str
        The scheduler's, which it may give to several jobs.

    Returns
    -------
    str
        A run id of its own for each job, for `safe_run_id`.

    Examples
    --------
    >>> shared_run_id("audit", "nightly-2026.11.24")
    'nightly-2026.11.24@audit'
    """
    return f"{run_id}@{job}"


def void_run_id(job: str, run_id: str) -> str:
    """Name the record by which a run is void, where it is staged: that of before stays."""
    return shared_run_id(f"{job}-void", run_id)


def original_run_id(name: str) -> str:
    """Map a name of `safe_run_id` back.

    Parameters
    ----------
    name : str

    Returns
    -------
    str
    """
    body = name.removeprefix(_PREFIX).encode()
    raw = re.sub(rb"_x([0-9a-f]{2})", lambda match: bytes.fromhex(match[1].decode()), body)
    return raw.decode("utf-8", "surrogatepass")


def is_safe_run_id(name: str) -> bool:
    """Tell whether a text could be a name of `safe_run_id`."""
    return len(name) <= _LONGEST and _SAFE.fullmatch(name) is not None


def _escape(match: re.Match[str]) -> str:
    return "".join(f"_x{byte:02x}" for byte in match[0].encode("utf-8", "surrogatepass"))
