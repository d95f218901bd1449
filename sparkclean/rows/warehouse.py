"""The folder of a local session's own catalog: temporary, not in the user's working directory.

Spark makes a folder ``spark-warehouse`` as soon as a session has a catalog, which starts empty and
ends with the session.
"""

from __future__ import annotations

import atexit
import logging
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from sparkclean.rows.settings_file import read_before

_log = logging.getLogger("sparkclean")

_SETTING = "spark.sql.warehouse.dir"
#: Not in "archive".
_HIVE = re.compile(r"(?<![a-z])hive", re.IGNORECASE)


def warehouse_settings(settings: Mapping[str, str]) -> dict[str, str]:
    """Make a folder for the tables of a session's own catalog, which goes when the process ends.

    Parameters
    ----------
    settings : mapping
        Of Spark.

    Returns
    -------
    dict
        The setting that names the folder. Empty where the user has named one, the session is not
        local, or something speaks of Hive, whose catalog outlives the session.
    """
    arguments = os.environ.get("PYSPARK_SUBMIT_ARGS", "")
    named = [f"{key}={value}" for key, value in settings.items()]
    said = "\n".join([*named, arguments, read_before(arguments)])
    is_local = settings.get("spark.master", "").startswith("local")
    if not is_local or _SETTING in said or _HIVE.search(said):
        return {}
    folder = Path(tempfile.mkdtemp(prefix="sparkclean-warehouse-"))
    atexit.register(remove_warehouse, folder)
    return {_SETTING: str(folder)}


def remove_warehouse(folder: Path) -> None:
    """Remove the folder if it is empty; else say where the tables in it are.

    Parameters
    ----------
    folder : Path
    """
    try:
        folder.rmdir()
    except OSError:
        if folder.exists():
            _log.warning(
                "tables of the catalog that ended with this session lie in %s; name outputs by "
                "paths, or set spark.sql.warehouse.dir",
                folder,
            )
