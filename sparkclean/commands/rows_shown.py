"""How rows of an output are shown: for people, and as CSV, JSON or Markdown."""

from __future__ import annotations

import base64
import csv
import datetime
import io
import json
from collections.abc import Callable, Mapping, Sequence
from math import isfinite, isnan
from typing import TYPE_CHECKING, Any, Final

from sparkclean.rows.report import cell
from sparkclean.schema import (
    CLASSES,
    CONFIG_FINGERPRINT,
    DATASET_VERSION,
    GIVEN_LABEL,
    PAIRS,
    RANK,
    RUN_ID,
    SUGGESTED_LABEL,
    SUSPECTS,
)
from sparkclean.texts import printable

if TYPE_CHECKING:
    import pyarrow as pa

#: What a row is known by: shown even where it is the same in all rows.
_SAID: Final = (RANK, GIVEN_LABEL, SUGGESTED_LABEL, "true_label", "class")
#: Numbers of ours that may be equal to others, by method or by chance.
_NUMBERS: Final = tuple(
    name
    for name, kind in (*SUSPECTS, *CLASSES, *PAIRS)
    if kind in ("double", "bigint", "int") and name != RANK
)
_PROVENANCE: Final = (DATASET_VERSION, CONFIG_FINGERPRINT, RUN_ID)


def rank_first(table: pa.Table) -> pa.Table:
    """Put the rank before all other columns, where there is one."""
    names = table.column_names
    return table.select([RANK, *(n for n in names if n != RANK)]) if RANK in names else table


def leave_out_constants(table: pa.Table, keep: Sequence[str] = ()) -> tuple[pa.Table, str]:
    """Leave out columns that say the same in all rows of an output.

    Parameters
    ----------
    table : pyarrow.Table
    keep : sequence of str
        Columns that are shown whatever they say.

    Returns
    -------
    table : pyarrow.Table
    said : str
        What they say, as one line; empty where all columns stay. Rows without columns of
        provenance are those of a dataset: they are shown whole. Of a single row only the
        provenance is left out, and measured numbers never are. Columns without a value go silently.
    """
    names = table.column_names
    if RUN_ID not in names or not table.num_rows:
        return table, ""
    candidates = _PROVENANCE if table.num_rows == 1 else names
    out = {}
    for name in names:
        if name in (*_SAID, *keep):
            continue
        values = table.column(name).to_pylist()
        first, *others = values
        if all(value is None for value in values):
            out[name] = ""
        elif name not in candidates or isinstance(first, float):
            continue
        elif all(value == first for value in others):
            out[name] = cell(first)
    said = "; ".join(f"{name} {value}" for name, value in out.items() if value)
    return table.select([n for n in names if n not in out]), said and f"in all rows shown: {said}"


def leave_out_repeats(table: pa.Table, keep: Sequence[str] = ()) -> tuple[pa.Table, str]:
    """Leave out numbers that another column before them repeats in all rows.

    Parameters
    ----------
    table : pyarrow.Table
    keep : sequence of str
        Columns that are shown whatever they say.

    Returns
    -------
    table : pyarrow.Table
    said : str
        Which column says the same, as one line; empty where all columns stay. Columns of the
        user's are never left out, and of a single row none is.
    """
    names = table.column_names
    if RUN_ID not in names or table.num_rows < 2:
        return table, ""
    seen: dict[str, list[Any]] = {}
    same: dict[str, str] = {}
    for name in (name for name in names if name in (*_NUMBERS, "class")):
        values = table.column(name).to_pylist()
        first = next((other for other, before in seen.items() if before == values), None)
        if first is None or name in keep or name not in _NUMBERS:
            seen[name] = values
        else:
            same[name] = first
    said = ", ".join(f"{name} = {first}" for name, first in same.items())
    return table.select([n for n in names if n not in same]), said and f"equal columns: {said}"


def shown_numbers(values: Sequence[float | None]) -> list[str | None]:
    """Write numbers with as many digits as tell them apart: six at least.

    Parameters
    ----------
    values : sequence of float or None

    Returns
    -------
    list of str or None
        None stays None.
    """
    there = {value for value in values if value is not None and not isnan(value)}
    for digits in range(6, 18):
        texts = {value: f"{value:.{digits}g}" for value in there}
        # 0.99999999 is not 1
        whole = all(text not in ("0", "1") or float(text) == v for v, text in texts.items())
        if whole and len(set(texts.values())) == len(there):
            break
    return [None if value is None else f"{value:.{digits}g}" for value in values]


# -- for other programs --------------------------------------------------------------------------


def as_csv(table: pa.Table) -> str:
    """Write rows as CSV, with all digits and whole texts; null is empty, a list is JSON."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(map(printable, table.column_names))
    for row in _rows(table):
        writer.writerow([_plain(value) for value in row.values()])
    return written.getvalue().rstrip("\n")


def as_json(table: pa.Table) -> str:
    """Write rows as an array of JSON objects, one a line."""
    # all but ASCII is escaped, so that nothing moves the cursor of a terminal
    lines = [json.dumps({k: _as_json(v) for k, v in row.items()}) for row in _rows(table)]
    return "[" + ",\n ".join(lines) + "]"


def as_markdown(table: pa.Table) -> str:
    """Write rows as a table of Markdown, short as for people."""
    texts = [shown_column(column) for column in table.columns]
    head = [_escaped(name) for name in table.column_names]
    right = ["---:" if _is_number(kind) else "---" for kind in table.schema.types]
    rows = [[_escaped(cell(value)) for value in row] for row in zip(*texts, strict=True)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, right, *rows))


#: How rows are written for other programs, by the name of the format.
FORMATS: Final[Mapping[str, Callable[[pa.Table], str]]] = {
    "csv": as_csv,
    "json": as_json,
    "markdown": as_markdown,
}


def shown_column(column: pa.ChunkedArray) -> list[Any]:
    """Give the values of a column for people: of numbers the digits that tell them apart."""
    import pyarrow as pa  # noqa: PLC0415 (slow; commands begin without it)

    values: list[Any] = column.to_pylist()
    return shown_numbers(values) if pa.types.is_floating(column.type) else list(values)


def _rows(table: pa.Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def _is_number(kind: pa.DataType) -> bool:
    import pyarrow as pa  # noqa: PLC0415

    types = pa.types
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


def _escaped(text: object) -> str:
    return printable(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool | list | dict):
        return json.dumps(_as_json(value))
    return printable(_as_json(value))


def _as_json(value: Any) -> Any:
    """Give a value of Arrow as JSON has it: what JSON does not know as text."""
    if isinstance(value, list | tuple):
        return [_as_json(part) for part in value]
    if isinstance(value, dict):
        return {str(key): _as_json(part) for key, part in value.items()}
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    is_json = value is None or isinstance(value, str | int)
    return value if is_json or (isinstance(value, float) and isfinite(value)) else str(value)
