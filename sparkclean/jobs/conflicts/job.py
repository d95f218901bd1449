"""The search for conflicts as a job of the runner. Loads no Spark: its steps do."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sparkclean import schema
from sparkclean.jobs.conflicts.sections import ConflictsSection
from sparkclean.rows.report import Report
from sparkclean.runs.context import Context
from sparkclean.runs.job import Execution, Job, Result
from sparkclean.schema import OutputSpec

if TYPE_CHECKING:
    from sparkclean.jobs.conflicts.steps import ConflictsPrepared


class ConflictsJob(Job["ConflictsPrepared"]):
    """Find examples of the same content and different labels, and contents in several splits."""

    name = "conflicts"
    outputs = (
        OutputSpec(
            "conflicts",
            "Contents whose rows have different labels (sparkclean conflicts).",
            schema.CONFLICTS,
            accumulates=True,
            location="out/<table>/conflicts",
        ),
        OutputSpec(
            "leaks",
            "Contents that stand in several splits or tables (sparkclean conflicts).",
            schema.LEAKS,
            accumulates=True,
            location="out/<table>/leaks",
        ),
    )
    sections: ClassVar = {"conflicts": ConflictsSection}
    unaffected_by = frozenset({"columns.pred_probs"})

    def prepare(self, context: Context) -> ConflictsPrepared:
        """Pin the tables and check the configuration against them. Writes nothing."""
        from sparkclean.jobs.conflicts.steps import prepare_conflicts  # noqa: PLC0415

        return prepare_conflicts(context)

    def describe(self, prepared: ConflictsPrepared, context: Context) -> Report:
        """Say what the search would do."""
        from sparkclean.jobs.conflicts.steps import describe_conflicts  # noqa: PLC0415

        return describe_conflicts(prepared, context)

    def execute(self, prepared: ConflictsPrepared, execution: Execution) -> Result:
        """Hash the contents, and stage what is found."""
        from sparkclean.jobs.conflicts.steps import execute_conflicts  # noqa: PLC0415

        return execute_conflicts(prepared, execution)
