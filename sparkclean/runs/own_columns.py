"""The examples' own columns beside the rows of an output, in the version that was read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import unquote

from sparkclean.errors import ConfigError, InputError, first_of
from sparkclean.schema import ROW_NUMBER

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import SparkSession

    from sparkclean.lake import Pin, SourceTable

#: Stands for all columns.
ALL: Final = "*"

_Key = tuple[Any, ...]
#: Names of columns, or what chooses them of those that there are.
Names: TypeAlias = "Sequence[str] | Callable[[Sequence[str]], Sequence[str]]"


def join_columns(
    table: pa.Table,
    record: Mapping[str, Any],
    names: Names,
    spark: SparkSession | None,
    *,
    flag: str = "--with",
) -> pa.Table:
    """Join columns of the table that a run has read, by record id.

    Parameters
    ----------
    table : pyarrow.Table
        Rows of an output of the run.
    record : mapping
        Its run record.
    names : sequence of str, or callable
        Of the columns; ``*`` stands for all. A callable is given those of the table, in their
        spelling, and chooses.
    spark : SparkSession or None
        Not needed where the table is Parquet.
    flag : str
        What asks for the columns: errors begin with it.

    Returns
    -------
    pyarrow.Table
        The same rows, with further columns behind. A column that is called as one of the output
        gets the ending ``(table)``.

    Raises
    ------
    ConfigError
        If the output has no record ids, or the table has no such column.
    InputError
        If the version that was read is not there any longer.

    Notes
    -----
    Of Parquet it reads the record ids, and the columns of those row groups in which the rows are.
    Of Delta and Iceberg a job looks for the rows.
    """
    ids = json.loads(record["config"])["columns"]["id"]
    ids = [ids] if isinstance(ids, str) else list(ids or ())
    there = {name.lower(): name for name in table.column_names}
    is_numbered = not ids and ROW_NUMBER in there
    if is_numbered:
        ids = [ROW_NUMBER]
    if not ids or any(name.lower() not in there for name in ids):
        raise ConfigError(
            f"{flag}: rows are joined by the record id ({first_of(ids) or 'there is none'}), "
            f"which this output does not have; it has {first_of(table.column_names, 20)}"
        )
    columns = [table.column(there[name.lower()]).to_pylist() for name in ids]
    keys: list[_Key] = list(zip(*columns, strict=True))
    source, pin = _open_read(record, spark, flag)
    if source.format == "parquet":
        first = pin.first_rows() if is_numbered else dict[str, int]()
        found = _of_files(source, pin, first, _Asked(ids, names, flag), set(keys))
    elif spark is None:
        raise ConfigError(
            f"{flag}: {pin.table} is {pin.format}, which is read by Spark; give the command the "
            "--properties-file of the run"
        )
    else:
        found = _of_frame(spark, source, pin, _Asked(ids, names, flag), keys)
    for name, values in found.items():
        taken = f"{name} (table)" if name in table.column_names else name
        table = table.append_column(taken, _array([values.get(key) for key in keys]))
    return table


def _array(values: Sequence[Any]) -> pa.Array:
    import pyarrow as pa  # noqa: PLC0415 (slow; commands begin without it)

    return pa.array(values)


def _open_read(
    record: Mapping[str, Any], spark: SparkSession | None, flag: str
) -> tuple[SourceTable, Pin]:
    """Open the table that a run has read, in that version."""
    from sparkclean.lake import open_source, version_selector  # noqa: PLC0415

    then = json.loads(record["input"])
    source = open_source(then["table"], then["format"], spark=spark)
    pin = source.pin(version_selector(then["format"], then["version"]))
    if then.get("metadata"):  # its columns had other names than the snapshot by itself gives them
        same = {name: then[name] for name in ("dataset_version", "metadata", "branch")}
        pin = replace(pin, **same)
    if pin.dataset_version != then["dataset_version"]:
        raise InputError(
            f"{flag}: {then['table']} is not what run {record['original_run_id']!r} has read "
            f"({then['dataset_version']}, now {pin.dataset_version}); its rows may be others. Run "
            f"again under a new run id, or leave {flag} out"
        )
    return source, pin


@dataclass(frozen=True)
class _Asked:
    """Record id columns, the columns that are wanted, and what has asked for them."""

    ids: Sequence[str]
    names: Names
    flag: str


def _wanted(there: Sequence[str], asked: _Asked) -> list[str]:
    """Spell the wanted columns as the table does."""
    own = {name.lower() for name in asked.ids}
    if callable(asked.names):
        return list(asked.names(there))
    names = asked.names
    spelt = {name.lower(): name for name in there}
    if ALL in names:
        return [name for name in there if name.lower() not in own]
    missing = [name for name in names if name.lower() not in spelt]
    if missing:
        raise ConfigError(
            f"{asked.flag}: {first_of(list(map(repr, missing)))} is no column of the table; it has "
            f"{first_of(there, 20)}"
        )
    return [spelt[name.lower()] for name in names]


# -- Parquet -------------------------------------------------------------------------------------


def _of_files(
    source: SourceTable,
    pin: Pin,
    first_rows: Mapping[str, int],
    asked: _Asked,
    keys: set[_Key],
) -> dict[str, dict[_Key, Any]]:
    """Look into files; where ids are numbers of rows, with that of the first row of each."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    paths = [str(path) for path in source.plain_files(pin)]  # type: ignore[union-attr]
    found: dict[str, dict[_Key, Any]] = {}
    try:
        there = list(dict.fromkeys(n for path in paths for n in pq.read_schema(path).names))
        there += [n for n in _partitions(paths[0], pin.root) if n not in there] if paths else []
        found = {name: {} for name in _wanted(there, asked)}
        left = set(keys)
        for path in paths:
            if not left:
                break
            with pq.ParquetFile(path) as file:
                more = _partitions(path, pin.root)
                _look_in(file, more, asked.ids, left, found, number=first_rows.get(path, 0))
    except (OSError, pa.ArrowException) as exc:
        raise InputError(f"{asked.flag}: {pin.table} cannot be read: {exc}") from exc
    return found


def _look_in(
    file: Any,
    partitions: Mapping[str, str],
    ids: Sequence[str],
    left: set[_Key],
    found: dict[str, dict[_Key, Any]],
    *,
    number: int,
) -> None:
    """Look for rows in a file; take those that are found away from those that are left.

    ``number`` is that of the file's first row.
    """
    import pyarrow.compute as pc  # noqa: PLC0415

    spelt = {name.lower(): name for name in file.schema_arrow.names}

    def column(group: int, name: str) -> Any:
        """Give a column of a row group; what only names of folders say, in all rows."""
        own = spelt.get(name.lower())
        if own is not None:
            return file.read_row_group(group, columns=[own]).column(own)
        rows = file.metadata.row_group(group).num_rows
        if name == ROW_NUMBER and name not in partitions:
            return _array(range(begin, begin + rows))
        return _array([partitions.get(name)] * rows)

    begin = number
    for group in range(file.num_row_groups):
        if not left:
            return
        if group:
            begin += file.metadata.row_group(group - 1).num_rows
        first, *others = (column(group, name) for name in ids)
        # most rows are none of them: Arrow finds that out
        near = pc.indices_nonzero(pc.is_in(first, _array([k[0] for k in left]).cast(first.type)))
        keys = zip(*(part.take(near).to_pylist() for part in (first, *others)), strict=True)
        hits = {n: key for n, key in zip(near.to_pylist(), keys, strict=True) if key in left}
        if not hits:
            continue
        left.difference_update(hits.values())
        for name, values in found.items():
            taken = column(group, name).take(_array(list(hits))).to_pylist()
            values.update(zip(hits.values(), taken, strict=True))


def _partitions(path: str, root: str) -> dict[str, str]:
    """Read what the folders of a file say: ``split=train``."""
    folders = PurePath(path).relative_to(root).parts[:-1] if root else ()
    pairs = [folder.split("=", 1) for folder in folders if "=" in folder]
    return {unquote(name): unquote(value) for name, value in pairs}


# -- Delta and Iceberg ---------------------------------------------------------------------------


def _of_frame(
    spark: SparkSession,
    source: SourceTable,
    pin: Pin,
    asked: _Asked,
    keys: Sequence[_Key],
) -> dict[str, dict[_Key, Any]]:
    from functools import reduce  # noqa: PLC0415
    from operator import and_, or_  # noqa: PLC0415

    from sparkclean.rows.columns import quoted  # noqa: PLC0415 (imports pyspark)

    frame = source.read(spark, pin)
    ids, wanted = asked.ids, _wanted(frame.columns, asked)
    if not keys:
        return {name: {} for name in wanted}
    if len(ids) == 1:
        chosen = quoted(ids[0]).isin([key[0] for key in keys])
    else:
        same = [reduce(and_, (quoted(n) == v for n, v in zip(ids, k, strict=True))) for k in keys]
        chosen = reduce(or_, same)
    rows = frame.where(chosen).select(*map(quoted, [*ids, *wanted])).limit(len(keys)).collect()
    of_row = [(tuple(row[: len(ids)]), row.asDict(recursive=True)) for row in rows]
    return {name: {key: values[name] for key, values in of_row} for name in wanted}
