"""The training as a job of the runner. Loads no Spark: its steps do."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sparkclean.config.sections import PredictSection
from sparkclean.jobs.train.sections import TrainSection
from sparkclean.rows.report import Report
from sparkclean.runs.context import Context
from sparkclean.runs.job import Execution, Job, Result

if TYPE_CHECKING:
    from sparkclean.jobs.train.steps import TrainPrepared
    from sparkclean.plots.parts import ReportPart
    from sparkclean.runs.reported import ReportedRun


class TrainJob(Job["TrainPrepared"]):
    """Train a final model after an audit, and measure it on trusted labels.

    What is pinned and trained on is the cleaned version that the audit has published, or, for a
    robust loss, what it has audited.
    """

    name = "train"
    sections: ClassVar = {"train": TrainSection, "predict": PredictSection}
    unaffected_by = frozenset({"columns.pred_probs", "predict.n_folds", "predict.rare_classes"})

    def prepare(self, context: Context) -> TrainPrepared:
        """Find the audit, pin what is read and check the configuration. Writes nothing."""
        from sparkclean.jobs.train.steps import prepare_training  # noqa: PLC0415

        return prepare_training(context)

    def try_out(self, prepared: TrainPrepared, context: Context) -> None:
        """Try the classifier on a few rows."""
        from sparkclean.jobs.train.steps import try_training  # noqa: PLC0415

        try_training(prepared, context)

    def describe(self, prepared: TrainPrepared, context: Context) -> Report:
        """Say what the training would do."""
        from sparkclean.jobs.train.steps import describe_training  # noqa: PLC0415

        return describe_training(prepared, context)

    def execute(self, prepared: TrainPrepared, execution: Execution) -> Result:
        """Train, measure, and write the model."""
        from sparkclean.jobs.train.steps import execute_training  # noqa: PLC0415

        return execute_training(prepared, execution)

    def report_parts(self, run: ReportedRun, *, of_parent: bool = False) -> list[ReportPart]:
        """Make the sections of a training; the report of another run has none of them."""
        from sparkclean.jobs.train.report import report_parts  # noqa: PLC0415

        return [] if of_parent else report_parts(run)
