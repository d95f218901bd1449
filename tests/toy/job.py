"""A toy: publish the examples whose label is rare. docs/dev/add-a-job.md walks through it."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from pyspark.sql import functions as F

from sparkclean.config.sections import Section, setting
from sparkclean.config.values import Count
from sparkclean.lake import open_source
from sparkclean.plots.parts import Facts, ReportPart
from sparkclean.rows.columns import find_columns, quoted
from sparkclean.rows.report import Line, Report
from sparkclean.runs.context import Context
from sparkclean.runs.gates import Verdict
from sparkclean.runs.job import Execution, Job, Prepared, Result
from sparkclean.runs.reported import ReportedRun
from sparkclean.schema import GIVEN_LABEL, PROVENANCE, OutputSpec


class ToySection(Section):
    """Which labels are rare."""

    fewer_than: Count = setting(
        5, description="Examples of a label below which it is rare.", result=True
    )
    max_rows: Count | None = setting(None, description="Largest number of rare examples.")


class ToyJob(Job[Prepared]):
    """Find the examples whose label is rare."""

    name = "toy"
    outputs = (
        OutputSpec(
            "rare",
            "Examples whose label is rare.",
            ((GIVEN_LABEL, "<label>"), *PROVENANCE),
            accumulates=True,
            keyed=True,
            location="out/<table>/rare",
        ),
    )
    sections: ClassVar = {"toy": ToySection}
    unaffected_by = frozenset({"columns.pred_probs"})

    def prepare(self, context: Context) -> Prepared:
        source, columns = context.config.input, context.config.columns
        opened = open_source(source.table, source.format, spark=context.spark)
        table = context.pin("input", opened, source.version)
        names = [*columns.id_columns, columns.label]
        find_columns(table.frame, names, "columns.id and columns.label")
        *ids, label = [(name, table.frame.schema[name].dataType.simpleString()) for name in names]
        return Prepared(tables={"input": table}, ids=tuple(ids), label_type=label[1])

    def describe(self, prepared: Prepared, context: Context) -> Report:
        return Report([Line(f"{prepared.input.pin.table} -> {', '.join(context.targets)}")])

    def execute(self, prepared: Prepared, execution: Execution) -> Result:
        config, table = execution.context.config, prepared.input.frame
        section, label = config.section(ToySection), config.columns.label
        counts = table.groupBy(quoted(label)).agg(F.count("*").alias("__examples"))
        rare = table.join(counts.where(F.col("__examples") < section.fewer_than), label)
        ids = [quoted(name) for name, _ in prepared.ids]
        own = [*ids, quoted(label).alias(GIVEN_LABEL), *execution.provenance.columns()]
        rows = table.count()
        execution.computed()
        found = execution.outputs.stage_frame("rare", rare.select(*own))
        limit = rows if section.max_rows is None else section.max_rows
        verdict = Verdict("max_rows", limit, found, found <= limit, section="toy")
        result = Result(rows, {"rare": found}, gates=[verdict])
        execution.check_gates(result, look_at="rare")
        text = f"{found:,} of {rows:,} examples have a rare label"
        return replace(result, report=Report([Line(text)]))

    def report_parts(self, run: ReportedRun, *, of_parent: bool = False) -> list[ReportPart]:
        rows = run.head("rare", 5)
        labels = [] if rows is None else rows.column(GIVEN_LABEL).to_pylist()
        return [ReportPart("rare", "Rare labels", [Facts([("first", f"{labels}")])])]
