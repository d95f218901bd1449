"""A few rows for a terminal, without Spark."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from sparkclean.errors import InputError
from sparkclean.schema import RANK


def first_rows(paths: Sequence[Path], rows: int) -> pa.Table:
    """Read the first rows of files, by rank where there is one.

    Parameters
    ----------
    paths : sequence of Path
        Of one run, so of one schema.
    rows : int

    Returns
    -------
    pyarrow.Table

    Notes
    -----
    With ranks, reads the row groups whose statistics admit low ones; otherwise batches until
    there are enough rows.
    """
    if not paths:
        return pa.table({})
    try:
        if RANK in pq.read_schema(paths[0]).names:
            parts = [_without_partitions(path, [(RANK, "<=", rows)]) for path in paths]
            return pa.concat_tables(parts).sort_by(RANK).slice(0, rows)
        parts = []
        missing = rows
        for path in paths:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(batch_size=max(missing, 1)):
                    parts.append(pa.Table.from_batches([batch]).slice(0, missing))
                    missing -= parts[-1].num_rows
                    if missing <= 0:
                        return pa.concat_tables(parts)
            if not parts:
                parts.append(pq.read_schema(path).empty_table())
        return pa.concat_tables(parts)
    except (OSError, pa.ArrowException) as exc:
        raise InputError(f"{paths[0].parent} cannot be read: {exc}") from exc


def _without_partitions(path: Path, filters: list[tuple[str, str, int]]) -> pa.Table:
    return pq.read_table(path, filters=filters, partitioning=None)
