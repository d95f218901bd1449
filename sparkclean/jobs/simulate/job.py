"""The simulation as a job of the runner. Loads no Spark: its steps do."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sparkclean.jobs.simulate.sections import SimulateSection
from sparkclean.rows.report import Report
from sparkclean.runs.context import Context
from sparkclean.runs.job import Execution, Job, Result
from sparkclean.schema import PROVENANCE, OutputSpec

if TYPE_CHECKING:
    from sparkclean.jobs.simulate.steps import SimulatePrepared

#: After the record id columns.
TRUTH = (
    ("true_label", "<label>"),
    ("noisy_label", "<label>"),
    ("kind", "string"),
    ("source", "string"),
    *PROVENANCE,
)


class SimulateJob(Job["SimulatePrepared"]):
    """Plant known noise in the labels of a table, and say where."""

    name = "simulate"
    outputs = (
        OutputSpec(
            "truth",
            "True label of every row, and what was planted (sparkclean simulate).",
            TRUTH,
            keyed=True,
            location="out/<table>/truth",
        ),
        OutputSpec(
            "noisy",
            "The table with planted noise (sparkclean simulate).",
            location="out/<table>/noisy",
        ),
    )
    sections: ClassVar = {"simulate": SimulateSection}
    unaffected_by = frozenset({"columns.pred_probs"})

    def prepare(self, context: Context) -> SimulatePrepared:
        """Pin the table and check the configuration against it. Writes nothing."""
        from sparkclean.jobs.simulate.steps import prepare_simulation  # noqa: PLC0415

        return prepare_simulation(context)

    def describe(self, prepared: SimulatePrepared, context: Context) -> Report:
        """Say what would be planted."""
        from sparkclean.jobs.simulate.steps import describe_simulation  # noqa: PLC0415

        return describe_simulation(prepared, context)

    def execute(self, prepared: SimulatePrepared, execution: Execution) -> Result:
        """Plant the noise, and stage both tables."""
        from sparkclean.jobs.simulate.steps import execute_simulation  # noqa: PLC0415

        return execute_simulation(prepared, execution)
