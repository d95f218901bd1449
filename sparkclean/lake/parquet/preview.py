"""A few rows for a terminal, without Spark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from sparkclean.errors import InputError
from sparkclean.schema import RANK

#: Rows that are looked at together, where few of them match.
_BATCH = 1 << 16


def first_rows(
    paths: Sequence[Path],
    rows: int,
    matching: Mapping[str, str] | None = None,
    largest: str | None = None,
) -> pa.Table:
    """Read the first rows of files, by rank where there is one.

    Parameters
    ----------
    paths : sequence of Path
        Of one run, so of one schema.
    rows : int
    matching : mapping, optional
        Texts of columns that the rows must have.
    largest : str, optional
        Column whose largest values come first.

    Returns
    -------
    pyarrow.Table

    Notes
    -----
    With ranks, reads the row groups whose statistics admit low ones, and with `matching` all of
    them; otherwise batches until there are enough rows. With ``largest`` all batches, of which it
    holds one and the rows that are the first so far.
    """
    if not paths:
        return pa.table({})
    try:
        if largest is not None:
            return _largest(paths, rows, matching, largest)
        if RANK in pq.read_schema(paths[0]).names:
            low = None if matching else [(RANK, "<=", rows)]
            parts = [_matching(_without_partitions(path, low), matching) for path in paths]
            return pa.concat_tables(parts).sort_by(RANK).slice(0, rows)
        parts = []
        missing = rows
        for path in paths:
            with pq.ParquetFile(path) as file:
                size = _BATCH if matching else max(missing, 1)
                for batch in file.iter_batches(batch_size=size):
                    found = _matching(pa.Table.from_batches([batch]), matching)
                    parts.append(found.slice(0, missing))
                    missing -= parts[-1].num_rows
                    if missing <= 0:
                        return pa.concat_tables(parts)
            if not parts:
                parts.append(pq.read_schema(path).empty_table())
        return pa.concat_tables(parts)
    except (OSError, pa.ArrowException) as exc:
        raise InputError(f"{paths[0].parent} cannot be read: {exc}") from exc


def _largest(
    paths: Sequence[Path], rows: int, matching: Mapping[str, str] | None, column: str
) -> pa.Table:
    best = pq.read_schema(paths[0]).empty_table()
    for path in paths:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_BATCH):
                more = _matching(pa.Table.from_batches([batch]), matching)
                both = pa.concat_tables([best, more])
                best = both.sort_by([(column, "descending")]).slice(0, rows)
    return best


def _matching(table: pa.Table, matching: Mapping[str, str] | None) -> pa.Table:
    import pyarrow.compute as pc  # noqa: PLC0415 (few commands choose rows)

    for name, text in (matching or {}).items():
        table = table.filter(pc.equal(pc.cast(table.column(name), pa.string()), text))
    return table


def _without_partitions(path: Path, filters: list[tuple[str, str, int]] | None) -> pa.Table:
    return pq.read_table(path, filters=filters, partitioning=None)
