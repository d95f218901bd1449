"""Errors of the engine, and of our code in its tasks, in our words."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import unquote

from sparkclean.errors import ConfigError, InputError, SparkCleanError
from sparkclean.lake import Pin, is_file_gone, translate_read_error, translate_write_error
from sparkclean.lake.parquet.staging import STAGING
from sparkclean.texts import cause_of

#: An error of ours that a task has raised, in the words of the engine.
_OF_A_TASK = re.compile(r"sparkclean\.errors\.InputError: (.+)")


#: What Spark says of an expression that it cannot compute for a row, with ANSI as by default.
_EXPRESSION = re.compile(
    r"CAST_INVALID_INPUT|CAST_OVERFLOW|DIVIDE_BY_ZERO|ARITHMETIC_OVERFLOW|INVALID_ARRAY_INDEX|"
    r"NUMERIC_VALUE_OUT_OF_RANGE|INVALID_FRACTION_OF_SECOND|CANNOT_PARSE_TIMESTAMP"
)
#: What it says when its Python workers are not of our environment.
_WORKER = re.compile(
    r"No module named '(?P<module>[\w.]+)'|PYTHON_VERSION_MISMATCH|"
    r"Cannot run program \"(?P<program>[^\"]+)\"|"
    r"Python in worker has different version|PACKAGE_NOT_INSTALLED|must be installed; however"
)


def translate_engine_error(exc: BaseException) -> SparkCleanError | None:
    """Say what is wrong with an expression of the configuration, or with the Python of the tasks.

    Parameters
    ----------
    exc : BaseException
        Of Spark.

    Returns
    -------
    SparkCleanError or None
        None where the cause is something else.
    """
    text = str(exc)
    if isinstance(exc, SparkCleanError):
        return None
    if own := _OF_A_TASK.search(text):
        return InputError(own[1])
    if _EXPRESSION.search(text):
        return ConfigError(
            "input.where, or the view that is read, cannot be computed for a row: "
            f"{cause_of(exc)}. Compare a column with values of its own type, or use try_cast"
        )
    found = _WORKER.search(text)
    if found and ("pyspark" in text.lower() or "python" in (found["program"] or "")):
        workers = found["program"] or os.environ.get("PYSPARK_PYTHON", "python3")
        workers = shutil.which(workers) or workers
        if type(exc).__module__.endswith(".connect"):  # another machine's, perhaps
            workers = found["program"] or "of the Connect server"
        ours = f"{sys.executable} (Python {sys.version_info.major}.{sys.version_info.minor})"
        return SparkCleanError(
            f"Spark's tasks run the Python {workers}, this process {ours}: "
            f"{cause_of(exc).rstrip('.')}. Leave "
            "spark.pyspark.python out, or set PYSPARK_PYTHON to the latter before Spark or its "
            "Connect server starts; on a cluster ship one with sparkclean and numpy: "
            "--archives env.tar.gz#environment and PYSPARK_PYTHON=./environment/bin/python"
        )
    return None


@contextmanager
def errors_of_tasks() -> Iterator[None]:
    """Put what tasks on a frame of the user's say into our words, where we know it.

    Raises
    ------
    SparkCleanError
    """
    try:
        yield
    except Exception as exc:
        known = translate_engine_error(exc)
        if known is None:
            raise
        raise known from exc


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
        known = translate_engine_error(exc) or _gone_intermediate(exc, home)
        known = known or translate_read_error(exc, pin)
        translated = known or translate_write_error(exc, home, _scratch_places())
        if translated is exc:
            raise
        raise translated from exc


def _gone_intermediate(exc: BaseException, home: str) -> SparkCleanError | None:
    """Say that somebody removed what the run itself had written, if that is it."""
    if not is_file_gone(exc) or f"{home.rstrip('/')}/{STAGING}/" not in unquote(str(exc)):
        return None
    return SparkCleanError(
        f"intermediate files of this run in {home} are gone: another process has removed them, or "
        "not all workers open that folder. Set output.work to a folder that they share, then "
        "repeat the run with the same run id"
    )


def _scratch_places() -> list[str]:
    """List the locations to which Spark and Python write what they do not keep in memory."""
    from pyspark.sql import SparkSession  # noqa: PLC0415

    places = [tempfile.gettempdir(), *os.environ.get("SPARK_LOCAL_DIRS", "").split(",")]
    with suppress(Exception):  # Spark may have gone
        session = SparkSession.active()
        places += (session.conf.get("spark.local.dir", "/tmp") or "").split(",")  # noqa: S108
    return [place for place in places if place]
