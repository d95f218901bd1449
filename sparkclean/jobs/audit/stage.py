"""Stage what an audit found: written whole, counted, seen by nobody yet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from sparkclean.config.sections import Config
from sparkclean.errors import SparkCleanError
from sparkclean.examples.clean import RejectedRows, clean_dataset, edit_dataset
from sparkclean.examples.columns import Columns
from sparkclean.examples.suspect_table import collect_top, plan_suspect_files, suspects_frame
from sparkclean.jobs.audit.findings import Findings
from sparkclean.jobs.audit.sections import CleanSection, resolve_layout
from sparkclean.jobs.audit.tables import class_rows, pair_rows, rejected_frame
from sparkclean.lake import Pin
from sparkclean.rows.conditions import fill_run_time
from sparkclean.runs.context import PinnedTable
from sparkclean.runs.outputs import Outputs
from sparkclean.runs.provenance import Provenance

_TOP = 10
_ROWS_PER_FILE = 1_000_000


def stage_findings(
    outputs: Outputs, findings: Findings, columns: Columns, provenance: Provenance
) -> list[dict[str, Any]]:
    """Stage suspects, rejected rows, classes and pairs.

    Parameters
    ----------
    outputs : Outputs
    findings : Findings
    columns : Columns
    provenance : Provenance

    Returns
    -------
    list of dict
        The ten most suspicious rows of the suspect table.

    Notes
    -----
    Up to three jobs over the suspects, one over the rejected rows.
    """
    suspects, constants, top = findings.suspects, provenance.values(), None
    if outputs.wants("suspects"):
        table = suspects_frame(suspects, columns, constants)
        write = plan_suspect_files(suspects, columns, constants)
        if write is not None and outputs.takes_files("suspects"):
            written = outputs.stage_files("suspects", table, write)
            top = _read_top(outputs.staged["suspects"].data_path)
        else:
            written = outputs.stage_frame("suspects", table)
        _check_rows("suspects", written, suspects.num_suspects)
    if outputs.wants("rejected"):
        rejected = rejected_frame(findings.statistics.rejected, columns, provenance)
        count = findings.statistics.num_rejected
        few = rejected.coalesce(1) if count <= _ROWS_PER_FILE else rejected
        written = outputs.stage_frame("rejected", few)
        _check_rows("rejected", written, count)
    for name, build in (("classes", class_rows), ("pairs", pair_rows)):
        if outputs.wants(name):
            rows = build(findings, columns, provenance)
            outputs.stage_rows(name, rows, columns.label_type.simpleString())
    return collect_top(suspects, columns, constants, _TOP) if top is None else top


def _read_top(folder: str) -> list[dict[str, Any]]:
    """Read the first rows of files that are in the order of ranks."""
    rows: list[dict[str, Any]] = []
    for path in sorted(Path(folder).glob("*.parquet")):
        with pq.ParquetFile(path) as file:
            rows += next(file.iter_batches(_TOP)).to_pylist()
        if len(rows) >= _TOP:
            break
    return rows[:_TOP]


def stage_cleaned(
    outputs: Outputs,
    table: PinnedTable,
    findings: Findings,
    columns: Columns,
    config: Config,
    *,
    rows_in_table: int,
    run_time: str | None,
    timestamps: str | None,
) -> int:
    """Stage the cleaned version, and the quarantine beside it.

    Parameters
    ----------
    outputs : Outputs
    table : PinnedTable
        The whole input.
    findings : Findings
    columns : Columns
    config : Config
    rows_in_table : int
    run_time : str or None
        What ``:run_time`` in ``input.where`` stands for.
    timestamps : str or None
        How moments are stored (`CopiedTypes`).

    Returns
    -------
    int
        Rows written.

    Notes
    -----
    One job for each version: reads all columns of the input. A branch or clone reads the record
    ids instead, and copies no more than the format must.
    """
    if "cleaned" not in outputs.targets:
        return 0
    if resolve_layout(config) != "copy":
        return _stage_edits(
            outputs, findings, columns, config, pin=table.pin, rows_in_table=rows_in_table
        )
    clean, where = config.section(CleanSection), config.input.where
    cleaned = clean_dataset(
        table.frame,
        findings.suspects,
        _rejected_rows(findings, config),
        columns,
        mode=clean.mode,
        where=where if where is None or run_time is None else fill_run_time(where, run_time),
        rows=rows_in_table,
        keep_original=clean.keep_original,
        class_weights=findings.noise.class_weights.tolist(),
        is_numbered=table.is_numbered,
    )
    written = 0
    if cleaned.quarantine is not None and outputs.wants("quarantine"):
        rows = outputs.stage_frame("quarantine", cleaned.quarantine, timestamps)
        _check_rows("quarantine", rows, cleaned.quarantine_rows)
        written += rows
    if outputs.wants("cleaned"):
        rows = outputs.stage_frame("cleaned", cleaned.clean, timestamps)
        _check_rows("cleaned", rows, cleaned.clean_rows)
        written += rows
    return written


def _stage_edits(
    outputs: Outputs,
    findings: Findings,
    columns: Columns,
    config: Config,
    *,
    pin: Pin,
    rows_in_table: int,
) -> int:
    edits = edit_dataset(
        findings.suspects,
        _rejected_rows(findings, config),
        columns,
        mode=config.section(CleanSection).mode,
        rows=rows_in_table,
    )
    total = 0
    for name, (edit, changes) in edits.items():
        if outputs.wants(name):
            rows = outputs.stage_edit(name, edit, changes, pin)
            _check_rows(name, rows, edit.rows)
            total += rows
    return total


def _rejected_rows(findings: Findings, config: Config) -> RejectedRows:
    statistics, clean = findings.statistics, config.section(CleanSection)
    remove = clean.rejected == "remove"
    return RejectedRows(statistics.rejected, statistics.num_rejected, remove=remove)


def _check_rows(name: str, written: int, wanted: int) -> None:
    if written != wanted:
        raise SparkCleanError(
            f"{name}: {written:,} rows were written where {wanted:,} are expected; nothing was "
            "published. The input may have changed during the run; run again"
        )
