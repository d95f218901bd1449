"""Names of tables: paths and URIs, or names in a catalog, and how SQL wants them quoted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

from sparkclean.errors import ConfigError

#: Formats of tables.
Format: TypeAlias = Literal["parquet", "delta", "iceberg"]
FORMATS: Final[tuple[str, ...]] = get_args(Format)
#: Endings of names that are files, and no tables of a catalog.
FILE_ENDINGS: Final = (".parquet", ".csv", ".tsv", ".json", ".jsonl", ".ndjson")
#: ``delta.`/path` ``, as SQL names the table at a path.
_AT_PATH = re.compile(rf"({'|'.join(FORMATS)})\.`((?:[^`]|``)*[/\\](?:[^`]|``)*)`", re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_PART = re.compile(r"`((?:[^`]|``)+)`|([^`.]+)")


#: Names of columns that often hold an id of the row; endings of such names.
_IDS = ("key", "uid", "uuid", "guid", "doc", "index", "row_number", "__index_level_0__")
_ENDS_AS_ID = re.compile(r"(?:(?:^|[_ .-])(?i:id|uuid|guid)|[a-z]I[dD])$")


def is_named_as_id(column: str) -> bool:
    """Tell whether a column is called as if it held an id of the row.

    Parameters
    ----------
    column : str

    Returns
    -------
    bool

    Examples
    --------
    >>> [is_named_as_id(name) for name in ("id", "review_id", "PassengerId", "run_id", "paid")]
    [True, True, True, False, False]
    """
    is_run = column.lower().endswith("run_id")
    return not is_run and bool(column.lower() in _IDS or _ENDS_AS_ID.search(column))


@dataclass(frozen=True)
class TableName:
    """What a configuration calls a table.

    Attributes
    ----------
    path : str or None
        Path or URI of a table that is in no catalog.
    parts : tuple of str
        Name in a catalog, without quotes: catalog, namespace, table as far as they are given.
    format : str or None
        Where the name itself says it (``delta.`/path` ``).
    """

    path: str | None = None
    parts: tuple[str, ...] = ()
    format: str | None = None

    def __str__(self) -> str:
        return self.path if self.path is not None else quote_name(self.parts)


def quote_name(parts: tuple[str, ...]) -> str:
    """Quote a name part by part, as SQL wants it.

    Parameters
    ----------
    parts : tuple of str

    Returns
    -------
    str

    Examples
    --------
    >>> quote_name(("lake", "a-b", "odd`name"))
    '`lake`.`a-b`.`odd``name`'
    """
    return ".".join("`" + part.replace("`", "``") + "`" for part in parts)


def parse_table_name(text: str) -> TableName:
    """Tell a path from a name in a catalog, and take the latter apart.

    Parameters
    ----------
    text : str
        What holds a slash, begins with ``.`` or ``~``, or is a file or folder here, is a path.
        Parts of a name are divided by dots; a part in backquotes may hold anything, a backquote in
        it is doubled.

    Returns
    -------
    TableName

    Raises
    ------
    ConfigError
        If it is neither.

    Examples
    --------
    >>> parse_table_name("lake.db.`my.table`").parts
    ('lake', 'db', 'my.table')
    >>> parse_table_name("s3://bucket/examples").path
    's3://bucket/examples'
    """
    name = text.strip()
    if not name:
        raise ConfigError("the name of a table is empty")
    if any(ord(character) < 32 for character in name):
        raise ConfigError(f"{text!r} holds a control character, which no table's name has")
    if at_path := _AT_PATH.fullmatch(name):
        return TableName(path=at_path[2].replace("``", "`"), format=at_path[1].lower())
    if (
        _SCHEME.match(name)
        or name[0] in ".~"
        or ("/" in name and "`" not in name)
        or _is_here(name)
    ):
        return TableName(path=name)
    parts = []
    place = 0
    while found := _PART.match(name, place):
        parts.append(found[1].replace("``", "`") if found[1] else found[2].strip())
        place = found.end()
        if place == len(name):
            if all(parts):
                return TableName(parts=tuple(parts))
            break
        if name[place] != ".":
            break
        place += 1
    raise ConfigError(
        f"{text!r} is neither a path nor a name in a catalog; write catalog.namespace.table, with "
        "backquotes round parts that hold dots, and a path with a slash (./examples)"
    )


def _is_here(name: str) -> bool:
    try:
        return Path(name).exists()
    except (OSError, ValueError):  # too long for a file name, or a character that none has
        return False


def beside(text: str, suffix: str) -> str:
    """Name the table beside another: its name, lengthened.

    Parameters
    ----------
    text : str
    suffix : str

    Returns
    -------
    str

    Examples
    --------
    >>> beside("out/cleaned/", "-quarantine")
    'out/cleaned-quarantine'
    >>> beside("lake.db.cleaned", "-quarantine")
    '`lake`.`db`.`cleaned-quarantine`'
    """
    name = parse_table_name(text)
    if name.path is None:
        return quote_name((*name.parts[:-1], name.parts[-1] + suffix))
    path = name.path.rstrip("/") + suffix
    return path if name.format is None else f"{name.format}.{quote_name((path,))}"
