"""The ranking of models as a job of the runner. Loads no Spark: its steps do."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sparkclean.jobs.rank_models.sections import RankSection
from sparkclean.rows.report import Report
from sparkclean.runs.context import Context
from sparkclean.runs.job import Execution, Job, Result
from sparkclean.schema import PROVENANCE, OutputSpec

if TYPE_CHECKING:
    from sparkclean.jobs.rank_models.steps import RankPrepared
    from sparkclean.plots.parts import ReportPart
    from sparkclean.runs.reported import ReportedRun

#: One row per model and metric.
RANKING = (
    ("model", "string"),
    ("metric", "string"),
    ("value", "double"),
    ("low", "double"),
    ("high", "double"),
    ("clean", "double"),
    ("clean_low", "double"),
    ("clean_high", "double"),
    ("corrected", "double"),
    ("corrected_low", "double"),
    ("corrected_high", "double"),
    ("rank_original", "int"),
    ("rank_clean", "int"),
    ("rank_corrected", "int"),
    ("rank_low", "int"),
    ("rank_high", "int"),
    *PROVENANCE,
)

#: One row per pair of models, and per metric that is linear in the prevalence.
FLIPS = (
    ("model_a", "string"),
    ("model_b", "string"),
    ("metric", "string"),
    ("original_a", "double"),
    ("original_b", "double"),
    ("clean_a", "double"),
    ("clean_b", "double"),
    ("corrected_a", "double"),
    ("corrected_b", "double"),
    ("original_difference", "double"),
    ("original_difference_low", "double"),
    ("original_difference_high", "double"),
    ("clean_difference", "double"),
    ("clean_difference_low", "double"),
    ("clean_difference_high", "double"),
    ("corrected_difference", "double"),
    ("corrected_difference_low", "double"),
    ("corrected_difference_high", "double"),
    ("only_a", "bigint"),
    ("only_b", "bigint"),
    ("flips", "boolean"),
    ("level_prevalence", "double"),
    ("level_set", "array<array<double>>"),
    ("mcnemar_p", "double"),
    ("holm_p", "double"),
    ("certain", "boolean"),
    *PROVENANCE,
)


class RankModelsJob(Job["RankPrepared"]):
    """Rank models on original, clean and corrected labels, and compare every two of them."""

    name = "rank-models"
    outputs = (
        OutputSpec(
            "flips",
            "Every pair of models: which is better, and whether bad labels decide it (sparkclean "
            "rank-models).",
            FLIPS,
            accumulates=True,
            location="out/<table>/flips",
        ),
        OutputSpec(
            "ranking",
            "Models by metric, with their ranks (sparkclean rank-models).",
            RANKING,
            accumulates=True,
            location="out/<table>/ranking",
        ),
    )
    sections: ClassVar = {"rank": RankSection}
    unaffected_by = frozenset({"columns.id", "columns.label", "columns.pred_probs"})

    def prepare(self, context: Context) -> RankPrepared:
        """Pin answers and labels, and check the configuration against them. Writes nothing."""
        from sparkclean.jobs.rank_models.steps import prepare_ranking  # noqa: PLC0415

        return prepare_ranking(context)

    def describe(self, prepared: RankPrepared, context: Context) -> Report:
        """Say what would be compared."""
        from sparkclean.jobs.rank_models.steps import describe_ranking  # noqa: PLC0415

        return describe_ranking(prepared, context)

    def execute(self, prepared: RankPrepared, execution: Execution) -> Result:
        """Add up, compare, and stage both tables."""
        from sparkclean.jobs.rank_models.steps import execute_ranking  # noqa: PLC0415

        return execute_ranking(prepared, execution)

    def report_parts(self, run: ReportedRun, *, of_parent: bool = False) -> list[ReportPart]:
        """Make the sections of a ranking; the report of another run has none of them."""
        from sparkclean.jobs.rank_models.report import report_parts  # noqa: PLC0415

        return [] if of_parent else report_parts(run)
