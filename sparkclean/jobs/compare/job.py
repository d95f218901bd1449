"""The comparison as a job of the runner. Loads no Spark: its steps do."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sparkclean import schema
from sparkclean.jobs.compare.sections import CompareSection
from sparkclean.rows.report import Report
from sparkclean.runs.context import Context
from sparkclean.runs.job import Execution, Job, Result
from sparkclean.schema import OutputSpec

if TYPE_CHECKING:
    from sparkclean.jobs.compare.steps import ComparePrepared


class CompareJob(Job["ComparePrepared"]):
    """Find which suspects are new, fixed, still open or back, and which rates moved."""

    name = "compare"
    outputs = (
        OutputSpec(
            "changes",
            "Suspects that are new, fixed, still open or back (sparkclean compare).",
            schema.CHANGES,
            accumulates=True,
            keyed=True,
            location="out/<table>/changes",
        ),
        OutputSpec(
            "moves",
            "Suspect rates of classes and class pairs in two audits (sparkclean compare).",
            schema.MOVES,
            accumulates=True,
            location="out/<table>/moves",
        ),
    )
    sections: ClassVar = {"compare": CompareSection}
    unaffected_by = frozenset({"columns.pred_probs", "input.where"})

    def prepare(self, context: Context) -> ComparePrepared:
        """Find the audits, pin the table and check them against each other. Writes nothing."""
        from sparkclean.jobs.compare.steps import prepare_comparison  # noqa: PLC0415

        return prepare_comparison(context)

    def describe(self, prepared: ComparePrepared, context: Context) -> Report:
        """Say what the comparison would do."""
        from sparkclean.jobs.compare.steps import describe_comparison  # noqa: PLC0415

        return describe_comparison(prepared, context)

    def execute(self, prepared: ComparePrepared, execution: Execution) -> Result:
        """Join the suspects, test the rates, and stage what changed."""
        from sparkclean.jobs.compare.steps import execute_comparison  # noqa: PLC0415

        return execute_comparison(prepared, execution)
