"""The review as jobs of the runner: plan, export, import, estimate, status. Load no Spark."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sparkclean import schema
from sparkclean.config.review import ReviewSection, unaffected_but_by
from sparkclean.rows.report import Report
from sparkclean.runs.context import Context
from sparkclean.runs.job import Execution, Job, Result
from sparkclean.schema import OutputSpec

if TYPE_CHECKING:
    from sparkclean.jobs.review.steps import ReviewPrepared
    from sparkclean.plots.parts import ReportPart
    from sparkclean.runs.reported import ReportedRun

_DRAW = (
    "ledger", "content", "audit", "reviewers", "annotator", "reviews_per_item", "budget",
    "measure", "gold", "suspects_per_class", "seed",
)  # fmt: skip


class ReviewPlanJob(Job["ReviewPrepared"]):
    """Draw what people look at."""

    name = "review-plan"
    sections: ClassVar = {"review": ReviewSection}
    unaffected_by = unaffected_but_by(_DRAW)
    outputs = (
        OutputSpec(
            "queue",
            "Examples to look at, and who looks at them.",
            schema.QUEUE,
            accumulates=True,
            keyed=True,
            location="out/<table>/queue",
        ),
        OutputSpec(
            "strata",
            "Strata from which a plan has drawn its random part.",
            schema.STRATA,
            accumulates=True,
            location="out/<table>/strata",
        ),
    )

    def prepare(self, context: Context) -> ReviewPrepared:
        """Pin the table and find the audit. Writes nothing."""
        from sparkclean.jobs.review.plan import prepare_plan  # noqa: PLC0415

        return prepare_plan(context)

    def describe(self, prepared: ReviewPrepared, context: Context) -> Report:
        """Say what a plan would draw from."""
        from sparkclean.jobs.review.plan import describe_plan  # noqa: PLC0415

        return describe_plan(prepared, context)

    def execute(self, prepared: ReviewPrepared, execution: Execution) -> Result:
        """Draw, and stage the queue."""
        from sparkclean.jobs.review.plan import execute_plan  # noqa: PLC0415

        return execute_plan(prepared, execution)


class ReviewExportJob(Job["ReviewPrepared"]):
    """Write the files that reviewers fill in."""

    name = "review-export"
    sections: ClassVar = {"review": ReviewSection}
    unaffected_by = unaffected_but_by(("plan", "content", "blind", "format"))

    def prepare(self, context: Context) -> ReviewPrepared:
        """Find the plan. Writes nothing."""
        from sparkclean.jobs.review.export import prepare_export  # noqa: PLC0415

        return prepare_export(context)

    def describe(self, prepared: ReviewPrepared, context: Context) -> Report:
        """Say which files would be written."""
        from sparkclean.jobs.review.export import describe_export  # noqa: PLC0415

        return describe_export(prepared, context)

    def execute(self, prepared: ReviewPrepared, execution: Execution) -> Result:
        """Write a file for each reviewer."""
        from sparkclean.jobs.review.export import execute_export  # noqa: PLC0415

        return execute_export(prepared, execution)


class ReviewImportJob(Job["ReviewPrepared"]):
    """Add what reviewers have decided to the ledger."""

    name = "review-import"
    sections: ClassVar = {"review": ReviewSection}
    unaffected_by = unaffected_but_by(("files", "ledger"))
    outputs = (
        OutputSpec(
            "ledger",
            "Decisions of people; rows are only added.",
            schema.LEDGER,
            accumulates=True,
            keyed=True,
            location="out/<table>/ledger",
        ),
        OutputSpec(
            "rejected_decisions",
            "Rows of imported files that are no decisions, and why.",
            schema.REJECTED_DECISIONS,
            accumulates=True,
            location="out/<table>/rejected_decisions",
        ),
    )

    def prepare(self, context: Context) -> ReviewPrepared:
        """Read the files. Writes nothing."""
        from sparkclean.jobs.review.importing import prepare_import  # noqa: PLC0415

        return prepare_import(context)

    def describe(self, prepared: ReviewPrepared, context: Context) -> Report:
        """Say what the files hold."""
        from sparkclean.jobs.review.importing import describe_import  # noqa: PLC0415

        return describe_import(prepared, context)

    def execute(self, prepared: ReviewPrepared, execution: Execution) -> Result:
        """Judge the rows, and stage new decisions."""
        from sparkclean.jobs.review.importing import execute_import  # noqa: PLC0415

        return execute_import(prepared, execution)


class ReviewEstimateJob(Job["ReviewPrepared"]):
    """Estimate how many labels are wrong."""

    name = "review-estimate"
    sections: ClassVar = {"review": ReviewSection}
    unaffected_by = unaffected_but_by(("plan", "ledger"))
    outputs = (
        OutputSpec(
            "estimates",
            "How many labels are wrong, and what the audit finds of them.",
            schema.ESTIMATES,
            accumulates=True,
            location="out/<table>/estimates",
        ),
    )

    def prepare(self, context: Context) -> ReviewPrepared:
        """Find plan and ledger. Writes nothing."""
        from sparkclean.jobs.review.estimating import prepare_estimate  # noqa: PLC0415

        return prepare_estimate(context)

    def describe(self, prepared: ReviewPrepared, context: Context) -> Report:
        """Say by which plan would be estimated."""
        from sparkclean.jobs.review.estimating import describe_estimate  # noqa: PLC0415

        return describe_estimate(prepared, context)

    def execute(self, prepared: ReviewPrepared, execution: Execution) -> Result:
        """Estimate, and stage the numbers."""
        from sparkclean.jobs.review.estimating import execute_estimate  # noqa: PLC0415

        return execute_estimate(prepared, execution)

    def report_parts(self, run: ReportedRun, *, of_parent: bool = False) -> list[ReportPart]:
        """Make the sections of its own; the report of another run has none of them."""
        from sparkclean.jobs.review.report import report_parts  # noqa: PLC0415

        return [] if of_parent else report_parts(run)


class ReviewStatusJob(Job["ReviewPrepared"]):
    """Say how far a review has come."""

    name = "review-status"
    sections: ClassVar = {"review": ReviewSection}
    unaffected_by = unaffected_but_by(("plan", "ledger"))

    def prepare(self, context: Context) -> ReviewPrepared:
        """Find the plan. Writes nothing."""
        from sparkclean.jobs.review.status import prepare_status  # noqa: PLC0415

        return prepare_status(context)

    def describe(self, prepared: ReviewPrepared, context: Context) -> Report:
        """Say how far the review has come."""
        from sparkclean.jobs.review.status import describe_status  # noqa: PLC0415

        return describe_status(prepared, context)

    def execute(self, prepared: ReviewPrepared, execution: Execution) -> Result:
        """Say how far the review has come, and record it."""
        from sparkclean.jobs.review.status import execute_status  # noqa: PLC0415

        return execute_status(prepared, execution)
