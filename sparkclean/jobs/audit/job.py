"""The audit as a job of the runner. Loads no Spark: its steps do."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from sparkclean import schema
from sparkclean.config.review import ReviewSection, unaffected_but_by
from sparkclean.config.sections import Config
from sparkclean.errors import ConfigError
from sparkclean.jobs.audit.sections import (
    AdmissionSection,
    CleanSection,
    GateSection,
    MethodSection,
    resolve_layout,
)
from sparkclean.locations import QUARANTINE_SUFFIX
from sparkclean.names import beside
from sparkclean.rows.report import Report
from sparkclean.runs.context import Context
from sparkclean.runs.job import Execution, Job, Prepared, Result
from sparkclean.schema import OutputSpec

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from sparkclean.jobs.audit.steps import AuditPrepared
    from sparkclean.lake import TargetTable
    from sparkclean.plots.parts import ReportPart
    from sparkclean.runs.reported import ReportedRun


class AuditJob(Job["AuditPrepared"]):
    """Find the label issues of a table, and publish them and a cleaned version."""

    name = "audit"
    outputs = (
        OutputSpec(
            "suspects",
            "Suspects (label issues) of all runs.",
            schema.SUSPECTS,
            accumulates=True,
            keyed=True,
            location="out/<table>/suspects",
        ),
        OutputSpec(
            "classes",
            "One row per class and run.",
            schema.CLASSES,
            accumulates=True,
            location="out/<table>/classes",
        ),
        OutputSpec(
            "pairs",
            "One row per class pair and run.",
            schema.PAIRS,
            accumulates=True,
            location="out/<table>/pairs",
        ),
        OutputSpec(
            "rejected",
            "Rejected rows, which were not audited.",
            schema.REJECTED,
            accumulates=True,
            keyed=True,
            location="out/<table>/rejected",
        ),
        OutputSpec("quarantine", "Suspects that clean.mode quarantine leaves out of cleaned."),
        OutputSpec("cleaned", "Versions of the cleaned dataset.", location="out/<table>/cleaned"),
    )
    sections: ClassVar = {
        "method": MethodSection,
        "admission": AdmissionSection,
        "clean": CleanSection,
        "gate": GateSection,
        "review": ReviewSection,
    }
    unaffected_by = unaffected_but_by(("ledger", "content"))

    @classmethod
    def locations(cls, config: Config) -> dict[str, str]:
        """Give the location of every output that the mode writes."""
        places, mode = super().locations(config), config.section(CleanSection).mode
        if mode == "none":
            places.pop("cleaned", None)
        if mode == "quarantine" and "cleaned" in places:
            inside, cleaned = resolve_layout(config) == "branch", places["cleaned"]
            places["quarantine"] = cleaned if inside else beside(cleaned, QUARANTINE_SUFFIX)
        return places

    @classmethod
    def claims(cls, config: Config) -> dict[str, str]:
        """Give the locations that must be the audit's own."""
        try:
            places = cls.locations(config)
        except ConfigError:  # what is wrong with the name itself is found elsewhere
            places = super().locations(config)
        if resolve_layout(config) == "branch":  # it is the input table, on purpose
            places = {n: p for n, p in places.items() if n not in ("cleaned", "quarantine")}
        names = {"quarantine": "output.cleaned (quarantine)"}
        return {names.get(name, f"output.{name}"): place for name, place in places.items()}

    @classmethod
    def needs_work(cls, config: Config) -> str | None:
        """Say why a layout of the cleaned version needs a folder for intermediate files."""
        if resolve_layout(config) == "copy":
            return None
        return "this layout of the cleaned version stages a list of changes"

    def open_output(
        self,
        name: str,
        location: str,
        config: Config,
        *,
        spark: SparkSession,
        work: Path | None,
    ) -> TargetTable:
        """Open an output; versions of the dataset in the layout that is configured."""
        from sparkclean.lake import open_edited_target  # noqa: PLC0415
        from sparkclean.lake.iceberg.branch import BranchOptions  # noqa: PLC0415

        if name not in ("cleaned", "quarantine") or resolve_layout(config) == "copy":
            return super().open_output(name, location, config, spark=spark, work=work)
        clean = config.section(CleanSection)
        options = BranchOptions(clean.publish_branch, clean.retain_days, clean.set_table_properties)
        return open_edited_target(
            location, config.output.format, spark=spark, work=work, output=name, options=options
        )

    def prepare(self, context: Context) -> AuditPrepared:
        """Pin the input and check the configuration against it. Writes nothing."""
        from sparkclean.jobs.audit.steps import prepare_audit  # noqa: PLC0415

        return prepare_audit(context)

    def prepare_ahead(self, context: Context) -> tuple[Prepared, Callable[[], Report]]:
        """Check an audit whose probabilities are yet to be predicted."""
        from sparkclean.jobs.audit.ahead import prepare_ahead  # noqa: PLC0415
        from sparkclean.jobs.audit.plan import describe_ahead  # noqa: PLC0415

        prepared = prepare_ahead(context)
        return prepared, partial(describe_ahead, prepared, context)

    def describe(self, prepared: AuditPrepared, context: Context) -> Report:
        """Say what the audit would do: rows, classes, a sample's verdict, passes, outputs."""
        from sparkclean.jobs.audit.plan import describe_audit  # noqa: PLC0415

        return describe_audit(prepared, context)

    def execute(self, prepared: AuditPrepared, execution: Execution) -> Result:
        """Audit, and stage the outputs."""
        from sparkclean.jobs.audit.steps import execute_audit  # noqa: PLC0415

        return execute_audit(prepared, execution)

    def report_parts(self, run: ReportedRun, *, of_parent: bool = False) -> list[ReportPart]:
        """Make the sections of an audit; the report of another run has none of them."""
        from sparkclean.jobs.audit.report import report_parts  # noqa: PLC0415

        return [] if of_parent else report_parts(run)
