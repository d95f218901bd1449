"""Errors of the engine, and of our code in its tasks, in our words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from sparkclean.errors import InputError, SparkCleanError
from sparkclean.lake import Pin, translate_read_error, translate_write_error

#: An error of ours that a task has raised, in the words of the engine.
_OF_A_TASK = re.compile(r"sparkclean\.errors\.InputError: (.+)")


@contextmanager
def engine_errors(pin: Pin, home: str) -> Iterator[None]:
    """Put errors of the engine into our words.

    Parameters
    ----------
    pin : Pin
        Of the table that is read.
    home : str
        Folder of intermediate files.

    Raises
    ------
    SparkCleanError
        Where the error is one that we know.
    """
    try:
        yield
    except ConnectionError as exc:  # of py4j: the JVM has gone
        raise SparkCleanError(
            f"Spark has ended ({exc}); whatever was published is whole. Repeat the run with "
            "the same run id"
        ) from exc
    except Exception as exc:
        own = _OF_A_TASK.search(str(exc))
        if own is not None and not isinstance(exc, SparkCleanError):
            raise InputError(own[1]) from exc
        read = translate_read_error(exc, pin)
        translated = read or translate_write_error(exc, home)
        if translated is exc:
            raise
        raise translated from exc
