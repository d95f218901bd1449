"""The report of an audit in a notebook: of what it found, as nothing was published."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from sparkclean import schema
from sparkclean.examples.columns import Columns
from sparkclean.jobs.audit.findings import Findings
from sparkclean.jobs.audit.job import AuditJob
from sparkclean.jobs.audit.numbers import result_of
from sparkclean.jobs.audit.report import report_parts
from sparkclean.jobs.audit.tables import class_rows, pair_rows
from sparkclean.runs.provenance import Provenance
from sparkclean.runs.report import ReportPage, assembled, check_extra
from sparkclean.runs.reported import Examples, default_columns, examples_of
from sparkclean.runs.status import PUBLISHED

_OF_EXAMPLE = "_of_example"
_NOWHERE = Provenance("", "", "")


def report_on(run: NotebookRun) -> ReportPage:
    """Make the page of an audit in a notebook.

    Parameters
    ----------
    run : NotebookRun

    Returns
    -------
    ReportPage
    """
    check_extra()
    return ReportPage(assembled("Audit", report_parts(run)))


@dataclass
class NotebookRun:
    """An audit that has published nothing, as a run that is reported on.

    Attributes
    ----------
    findings : Findings
    meaning : Columns
    ranked_by : str
    top : callable
        Gives the first rows of the suspect table.
    show : callable
        Gives as many rows with columns of their examples, as a frame.
    there : sequence of str
        Columns of what was audited.
    columns : sequence of str or None
        Of the examples, that are shown; None chooses.
    """

    findings: Findings
    meaning: Columns
    ranked_by: str
    top: Callable[[int], Sequence[Mapping[str, Any]]]
    show: Callable[[int, Sequence[str]], Any]
    there: Sequence[str]
    columns: Sequence[str] | None
    record: Mapping[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        own = self.meaning
        found = result_of(self.findings, self.ranked_by)
        named = {"id": list(own.ids), "label": own.label, "pred_probs": list(own.probs)}
        self.record = dict.fromkeys(name for name, _ in schema.RUNS) | {
            schema.JOB: AuditJob.name,
            "status": PUBLISHED,
            "metrics": json.dumps(found.metrics, default=str),
            "config": json.dumps({"columns": named}),
            **found.record,
        }

    def location(self, output: str) -> None:
        """Say that nothing was published."""

    def head(self, output: str, rows: int, *, largest: str | None = None) -> pa.Table | None:
        """Give the first rows of what would be published."""
        findings, columns = self.findings, self.meaning
        if output == "suspects":
            return _as_table(self.top(rows))
        made = {"classes": class_rows, "pairs": pair_rows}.get(output)
        if made is None:
            return None
        found = made(findings, columns, _NOWHERE)
        if largest is not None:
            found.sort(key=lambda row: -row[largest])
        return _as_table(found[:rows])

    def examples(self, rows: pa.Table) -> Examples:
        """Read the columns of the examples."""
        names = self.columns
        if names is None:
            names = default_columns(self.record)(self.there)
        if not names or not rows.num_rows:
            return Examples()
        top = self.show(rows.num_rows, names)
        if hasattr(top, "collect"):
            found = [row.asDict(recursive=True) for row in top.collect()]
        else:
            found = top.to_dict("records")
        if not found:
            return Examples()
        spelt = {
            n: n if f"{n}{_OF_EXAMPLE}" not in found[0] else f"{n}{_OF_EXAMPLE}" for n in names
        }
        return examples_of([{n: row[own] for n, own in spelt.items()} for row in found])


def _as_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist([dict(row) for row in rows]) if rows else pa.table({})
