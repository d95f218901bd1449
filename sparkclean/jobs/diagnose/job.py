"""The diagnosis as a job of the runner. Loads no Spark: its steps do."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sparkclean.jobs.diagnose.sections import DiagnoseSection
from sparkclean.rows.report import Report
from sparkclean.runs.context import Context
from sparkclean.runs.job import Execution, Job, Result
from sparkclean.schema import GIVEN_LABEL, PROVENANCE, OutputSpec

if TYPE_CHECKING:
    from sparkclean.jobs.diagnose.steps import DiagnosePrepared

DIAGNOSIS = (
    ("hypothesis", "string"),
    ("subject_kind", "string"),
    ("subject", "string"),
    (GIVEN_LABEL, "<label>"),
    ("predicted_label", "<label>"),
    ("measure", "string"),
    ("statistic", "double"),
    ("effect", "double"),
    ("interval", "array<double>"),
    ("adjusted_p", "double"),
    ("errors", "double"),
    ("marked", "boolean"),
    ("dominant", "boolean"),
    ("example_ids", "array<string>"),
    ("suggested_action", "string"),
    *PROVENANCE,
)


class DiagnoseJob(Job["DiagnosePrepared"]):
    """Tell which kind of label noise a table has, and where it comes from."""

    name = "diagnose"
    outputs = (
        OutputSpec(
            "diagnosis",
            "Kinds of noise, with effects, intervals and what to do (sparkclean diagnose).",
            DIAGNOSIS,
            accumulates=True,
            location="out/<table>/diagnosis",
        ),
    )
    sections: ClassVar = {"diagnose": DiagnoseSection}

    def prepare(self, context: Context) -> DiagnosePrepared:
        """Pin the table and check the configuration against it. Writes nothing."""
        from sparkclean.jobs.diagnose.steps import prepare_diagnosis  # noqa: PLC0415

        return prepare_diagnosis(context)

    def describe(self, prepared: DiagnosePrepared, context: Context) -> Report:
        """Say what would be looked at."""
        from sparkclean.jobs.diagnose.steps import describe_diagnosis  # noqa: PLC0415

        return describe_diagnosis(prepared, context)

    def execute(self, prepared: DiagnosePrepared, execution: Execution) -> Result:
        """Count, diagnose, and stage the output."""
        from sparkclean.jobs.diagnose.steps import execute_diagnosis  # noqa: PLC0415

        return execute_diagnosis(prepared, execution)
