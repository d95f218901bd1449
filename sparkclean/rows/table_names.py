"""Names of tables that no catalog can hold: found before Spark starts."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from sparkclean.errors import ConfigError, InputError, first_of
from sparkclean.names import TableName, parse_table_name

#: Beginnings of settings by which tables are in a catalog when a session starts.
_CATALOGS = (
    "spark.sql.catalog.",
    "spark.sql.catalogImplementation",
    "spark.sql.defaultCatalog",
    "spark.sql.extensions",
    "spark.plugins",
    "spark.remote",
)
#: Variables by which another session is started than the one that the settings describe.
_ELSEWHERE = ("PYSPARK_GATEWAY_PORT", "SPARK_REMOTE", "PYSPARK_SUBMIT_ARGS")
#: Names that are shown.
_MOST = 3


def may_have_catalogs(
    settings: Mapping[str, str], environ: Mapping[str, str] | None = None
) -> bool:
    """Tell whether a session that starts with these settings may know tables by name.

    Parameters
    ----------
    settings : mapping
        Of Spark.
    environ : mapping, optional
        The process's environment by default.

    Returns
    -------
    bool
        False where the only catalog is the one that Spark keeps in memory: it starts empty.
    """
    environ = os.environ if environ is None else environ
    if any(name in environ for name in _ELSEWHERE):
        return True
    if any(key.startswith(_CATALOGS) for key in settings):
        return True
    folder = environ.get("SPARK_CONF_DIR") or Path(environ.get("SPARK_HOME", "/nowhere"), "conf")
    return Path(folder, "spark-defaults.conf").exists()


def check_table_names(
    tables: Mapping[str, str], settings: Mapping[str, str], *, beside: Path | None = None
) -> None:
    """Refuse names of tables, where the session that would start can know none.

    Parameters
    ----------
    tables : mapping
        Paths or names by their keys (``input.table``); an empty key is not shown.
    settings : mapping
        Of the session that would start.
    beside : Path, optional
        Folder of the configuration.

    Raises
    ------
    InputError
        All such names at once, each with the files and folders that may be meant.

    Notes
    -----
    Lists the working directory and that folder. Starts no Spark.
    """
    if may_have_catalogs(settings):
        return
    findings = []
    for key, table in tables.items():
        with suppress(ConfigError):  # neither a path nor a name: said where it is opened
            name = parse_table_name(table)
            if name.path is None:
                start = f"{key}: " if key else ""
                findings.append(f"{start}{_unknown(table, name, beside)}")
    if findings:
        raise InputError(findings)


def _unknown(table: str, name: TableName, beside: Path | None) -> str:
    """Say that a table is not there, and what may be meant."""
    hint = hint_of_paths(table, beside)
    if len(name.parts) > 1 and not hint:
        return (
            f"{table}: no catalog is configured that could hold this table. Add the settings of "
            "the catalog (--properties-file, or section spark), or write a path with a slash"
        )
    return (
        f"{table}: the working directory ({Path.cwd()}) holds no file or folder of this name, and "
        "no catalog is configured that could hold such a table; "
        f"{hint or 'check the name, or write the path'}"
    )


def hint_of_paths(table: str, beside: Path | None = None) -> str:
    """Name the files and folders that may be meant by the name of a table.

    Parameters
    ----------
    table : str
        As a user has written it.
    beside : Path, optional
        Folder of the configuration; the working directory is looked at anyway.

    Returns
    -------
    str
        Empty where there is none.
    """
    if beside is not None and beside.resolve() != Path.cwd() and (beside / table).exists():
        return (
            "it is beside the configuration, and paths are relative to the working directory: "
            f"write {beside / table}"
        )
    known: dict[str, Path] = {}
    for folder in [Path()] if beside is None else [Path(), beside]:
        for path in _listed(folder):
            known.setdefault(path.stem.lower(), path)
            known.setdefault(path.name.lower(), path)
    near = difflib.get_close_matches(table.lower(), known, _MOST)
    texts = [str(known[name]) for name in near]
    shown = [repr(text if "/" in text else f"./{text}") for text in dict.fromkeys(texts)]
    return f"did you mean {first_of(shown, _MOST)}?" if shown else ""


def _listed(folder: Path) -> list[Path]:
    """List what is in a folder and not hidden."""
    with suppress(OSError):
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    return []
