"""Which Python runs the tasks of a session that starts here."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Callable

_log = logging.getLogger("sparkclean")

_VARIABLE = "PYSPARK_PYTHON"


def set_python_of_tasks(setting: Callable[[str], str | None]) -> None:
    """Set ``PYSPARK_PYTHON``, by which pyspark starts the Python of tasks, before its context.

    Parameters
    ----------
    setting : callable
        Gives a setting of Spark, or None.

    Notes
    -----
    Of ``spark.pyspark.python`` pyspark takes no notice unless spark-submit has started Python.
    """
    named, before = setting("spark.pyspark.python"), os.environ.get(_VARIABLE, sys.executable)
    chosen = choose_python(named, setting("spark.master"), before)
    os.environ[_VARIABLE] = chosen
    if not named and shutil.which(before) != shutil.which(chosen):
        _log.info("tasks run the Python %s; %s=%s is ignored", chosen, _VARIABLE, before)


def choose_python(setting: str | None, master: str | None, variable: str) -> str:
    """Choose the Python of tasks.

    Parameters
    ----------
    setting : str or None
        ``spark.pyspark.python``.
    master : str or None
        ``spark.master``.
    variable : str
        ``PYSPARK_PYTHON``.

    Returns
    -------
    str
        What the setting names. Without one this process's own in local mode, where it has all that
        tasks need, whatever a shell profile says; elsewhere what the variable names.
    """
    if setting:
        return setting
    is_local = master is not None and (master == "local" or master.startswith("local["))
    return sys.executable if is_local else variable
