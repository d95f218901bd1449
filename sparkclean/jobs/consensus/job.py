"""The consensus as a job of the runner. Loads no Spark: its steps do."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sparkclean import schema
from sparkclean.jobs.consensus.sections import AnnotationsSection, ConsensusSection
from sparkclean.rows.report import Report
from sparkclean.runs.context import Context
from sparkclean.runs.job import Execution, Job, Result
from sparkclean.schema import OutputSpec

if TYPE_CHECKING:
    from sparkclean.jobs.consensus.steps import ConsensusPrepared
    from sparkclean.plots.parts import ReportPart
    from sparkclean.runs.reported import ReportedRun


class ConsensusJob(Job["ConsensusPrepared"]):
    """Find one label for each item, from the labels that several annotators gave it."""

    name = "consensus"
    outputs = (
        OutputSpec(
            "consensus",
            "One row per item and run: its consensus label, how sure it is, and whether a person "
            "should look at it.",
            schema.CONSENSUS,
            accumulates=True,
            keyed=True,
            location="out/<table>/consensus",
        ),
        OutputSpec(
            "annotators",
            "One row per annotator and run.",
            schema.ANNOTATORS,
            accumulates=True,
            location="out/<table>/annotators",
        ),
        OutputSpec(
            "confusions",
            "One row per annotator, given label and consensus label.",
            schema.CONFUSIONS,
            accumulates=True,
            location="out/<table>/confusions",
        ),
        OutputSpec(
            "agreement",
            "Agreement among annotators, with intervals: over all classes, and class by class.",
            schema.AGREEMENT,
            accumulates=True,
            location="out/<table>/agreement",
        ),
    )
    sections: ClassVar = {"annotations": AnnotationsSection, "consensus": ConsensusSection}
    unaffected_by = frozenset({"columns.label"})
    fault_points = ("consensus.grouped", "consensus.fitted")

    def prepare(self, context: Context) -> ConsensusPrepared:
        """Pin the tables and check the configuration against them. Writes nothing."""
        from sparkclean.jobs.consensus.steps import prepare_consensus  # noqa: PLC0415

        return prepare_consensus(context)

    def describe(self, prepared: ConsensusPrepared, context: Context) -> Report:
        """Say what the consensus would do."""
        from sparkclean.jobs.consensus.steps import describe_consensus  # noqa: PLC0415

        return describe_consensus(prepared, context)

    def execute(self, prepared: ConsensusPrepared, execution: Execution) -> Result:
        """Group, fit, decide, and stage the outputs."""
        from sparkclean.jobs.consensus.steps import execute_consensus  # noqa: PLC0415

        return execute_consensus(prepared, execution)

    def report_parts(self, run: ReportedRun, *, of_parent: bool = False) -> list[ReportPart]:
        """Make the sections of its own; the report of another run has none of them."""
        from sparkclean.jobs.consensus.report import report_parts  # noqa: PLC0415

        return [] if of_parent else report_parts(run)
