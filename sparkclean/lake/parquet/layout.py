"""Which files below a folder are its table, and what the names of partition folders mean.

Spark decides on both while it reads, without a word about what it leaves out. Here a layout of
which it would leave something out is refused, and values that its types would change stay text.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path, PurePath

from sparkclean.errors import InputError, first_of

#: What a writer calls the folder of rows whose value is null.
_NULL = "__HIVE_DEFAULT_PARTITION__"
_WHOLE = re.compile(r"0|-?[1-9][0-9]*")
_FRACTION = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]*[1-9]")
_ESCAPED = re.compile(r"%([0-9A-Fa-f]{2})")


def check_layout(location: str, root: Path, paths: Sequence[Path]) -> None:
    """Refuse a folder of which Spark would read only some files, or none.

    Parameters
    ----------
    location : str
        As the user names the folder.
    root : Path
        The folder.
    paths : sequence of Path
        All files below it.

    Raises
    ------
    InputError
        If files lie beside folders with files; if partition folders differ in their columns, stand
        below other folders, or have no name or no value.

    Notes
    -----
    Looks at the paths alone.
    """
    folders: dict[PurePath, Path] = {path.parent.relative_to(root): path for path in paths}
    found = (
        _find_files_beside_folders(folders)
        or _find_unnamed(folders)
        or _find_other_columns(folders)
        or _find_hidden_columns(folders)
    )
    if found:
        raise InputError(f"input.table: {location}: {found}")


def _find_files_beside_folders(folders: Mapping[PurePath, Path]) -> str | None:
    above = {parent: folder for folder in folders for parent in folder.parents}
    mixed = sorted(set(folders) & set(above), key=str)
    if not mixed:
        return None
    pairs = [f"{folders[folder]} beside {_below(folder, above[folder])}/" for folder in mixed]
    return (
        f"files lie beside folders that hold files as well: {first_of(pairs)}. Spark silently "
        "ignores some of them. Move what does not belong to the table, or start its name with a dot"
    )


def _below(folder: PurePath, inner: PurePath) -> str:
    return inner.parts[len(folder.parts)]


def _find_unnamed(folders: Mapping[PurePath, Path]) -> str | None:
    bad = [f"{folder}/" for folder in folders if any(not all(p) for p in _partitions(folder))]
    if not bad:
        return None
    return (
        f"partition folders need a name and a value: {first_of(sorted(bad))}. Rename them; "
        f"{_NULL} stands for null"
    )


def _find_other_columns(folders: Mapping[PurePath, Path]) -> str | None:
    of_columns: dict[tuple[str, ...], PurePath] = {}
    for folder in sorted(folders, key=str):
        names = tuple(name for name, _ in _partitions(folder))
        if len({name.lower() for name in names}) < len(names):
            return f"{folder}/ names a partition column twice. Rename one of its folders"
        of_columns.setdefault(names, folder)
    if len(of_columns) < 2:
        return None
    shown = [f"({', '.join(names)}) in {at}/" for names, at in of_columns.items()]
    return (
        f"its folders have different partition columns: {first_of(shown)}. Rename the folders so "
        "that all have the same columns in the same order, or name one of them as input.table"
    )


def _find_hidden_columns(folders: Mapping[PurePath, Path]) -> str | None:
    for folder in sorted(folders, key=str):
        levels = ["=" in part for part in folder.parts]
        if False in levels[: len(_partitions(folder))]:
            plain = folder.parts[levels.index(False)]
            return (
                f"partition folders lie below {plain}/ in {folder}/, where readers find different "
                "columns. Name the folder above the partition folders as input.table"
            )
    return None


def _partitions(folder: PurePath) -> list[tuple[str, str]]:
    """Names and values of the partition folders on the way, as Spark would write them plainly."""
    pairs = (part.partition("=") for part in folder.parts if "=" in part)
    return [(_unescaped(name), _unescaped(value)) for name, _, value in pairs]


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)


def partition_types(root: str, paths: Iterable[str]) -> dict[str, str]:
    """Choose the types of partition columns.

    Parameters
    ----------
    root : str
        Folder at which partition folders begin.
    paths : iterable of str
        Of the files.

    Returns
    -------
    dict
        By column, as Spark's JSON has it: ``integer``, ``long``, ``double`` or ``date`` if all
        values can be written from it as they are in the names of the folders; else ``string``.

    Examples
    --------
    >>> partition_types("/t", ["/t/label=3/zip=00700/a.parquet"])
    {'label': 'integer', 'zip': 'string'}
    """
    values: dict[str, set[str]] = {}
    for folder in {PurePath(path).parent.relative_to(root) for path in paths}:
        for name, value in _partitions(folder):
            values.setdefault(name, set()).add(value)
    return {name: _type_of(found - {_NULL}) for name, found in values.items()}


def _type_of(values: set[str]) -> str:
    """Find the type from which each of the values can be written again."""
    if not values:
        return "string"
    if all(map(_WHOLE.fullmatch, values)):
        widest = max(max(number, ~number) for number in map(int, values))
        return "integer" if widest < 1 << 31 else "long" if widest < 1 << 63 else "string"
    if all(map(_is_double, values)):
        return "double"
    return "date" if all(map(_is_date, values)) else "string"


def _is_double(value: str) -> bool:
    plain = _WHOLE.fullmatch(value) or _FRACTION.fullmatch(value)
    return bool(plain) and Decimal(repr(float(value))) == Decimal(value)


def _is_date(value: str) -> bool:
    try:
        return dt.date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False
