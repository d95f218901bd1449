"""Streams that are terminals, opened for rich."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console


def is_terminal(stream: TextIO) -> bool:
    """Tell whether a stream is a terminal that understands more than lines of text.

    Parameters
    ----------
    stream : text file

    Returns
    -------
    bool
    """
    return stream.isatty() and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")


def open_console(stream: TextIO) -> Console | None:
    """Open a stream for rich.

    Parameters
    ----------
    stream : text file

    Returns
    -------
    rich.console.Console or None
        None where the stream is no terminal, or rich is not installed. What is printed is taken as
        it is: rich looks for no markup in it.
    """
    if not is_terminal(stream):
        return None
    try:
        from rich.console import Console  # noqa: PLC0415 (only a terminal needs it)
    except ImportError:  # a bare zip brings sparkclean alone
        return None
    return Console(
        file=stream,
        force_jupyter=False,
        markup=False,
        emoji=False,
        highlight=False,
        soft_wrap=True,
    )
