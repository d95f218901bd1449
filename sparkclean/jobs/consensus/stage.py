"""Stage the four tables of a consensus, and hash the answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from pyspark.sql import functions as F

from sparkclean.crowds.annotators import CellSums
from sparkclean.jobs.consensus.annotations import AnnotationColumns
from sparkclean.jobs.consensus.decide import RESULT_COLUMNS
from sparkclean.jobs.consensus.row_types import HASH, RESULT
from sparkclean.jobs.consensus.summary import Found
from sparkclean.jobs.consensus.tables import (
    Names,
    agreement_table,
    annotators_table,
    confusions_table,
)
from sparkclean.rows.streams import Output, Stream
from sparkclean.runs.job import Execution


def answer_hash(output: Output, cells: CellSums, names: Names) -> str:
    """Hash the answer: classes, items with labels and qualities, and the counts of annotators."""
    labels = [[type(label).__name__, label] for label in names.classes]
    who = [[type(name).__name__, name] for name in names.annotators]
    digest = hashlib.sha256(json.dumps([labels, who], ensure_ascii=False).encode())
    high, low, more_high, more_low = next(
        state.values for state in output.states if state.kind == HASH
    )
    for one, other in ((high, low), (more_high, more_low)):
        digest.update(f"{((one << 32) + other) % (1 << 64):016x}".encode())
    digest.update(np.ascontiguousarray(cells.keys).astype("<i8").tobytes())
    digest.update(np.ascontiguousarray(cells.values).astype("<i8").tobytes())
    return digest.hexdigest()


def stage_tables(
    columns: AnnotationColumns,
    execution: Execution,
    found: Found,
    cells: CellSums,
    output: Output,
) -> None:
    """Stage the four tables."""
    outputs, provenance, names = execution.outputs, execution.provenance, found.names
    with execution.progress.phase("write consensus", of=found.items) as phase:
        if outputs.wants("consensus"):
            phase.rows = _stage_items(columns, execution, output.streams[RESULT])
    tables: Mapping[str, Any] = {
        "annotators": lambda: annotators_table(found.stats, found.flags, names, provenance),
        "confusions": lambda: confusions_table(cells, names, provenance),
        "agreement": lambda: agreement_table(found.agreements, names, provenance),
    }
    for name, make in tables.items():
        if outputs.wants(name):
            outputs.stage_table(name, *make())


def _stage_items(columns: AnnotationColumns, execution: Execution, results: Stream) -> int:
    """Stage one row for each item: one job, unless tasks copy the files."""
    outputs, provenance = execution.outputs, execution.provenance
    named = [*zip(columns.ids, columns.id_names, strict=True)]
    named += [(name, name) for name in RESULT_COLUMNS]
    own = [F.col(internal).alias(name) for name, internal in named]
    frame = results.frame.select(*own, *provenance.columns())
    write = results.plan_copy(named, provenance.values())
    if write is None or not outputs.takes_files("consensus"):
        return outputs.stage_frame("consensus", frame)
    return outputs.stage_files("consensus", frame, write)
