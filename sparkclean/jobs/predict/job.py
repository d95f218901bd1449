"""The prediction as a job of the runner. Loads no Spark: its steps do."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sparkclean import schema
from sparkclean.config.sections import Config, PredictSection
from sparkclean.rows.report import Report
from sparkclean.runs.context import Context
from sparkclean.runs.job import Execution, Job, Result
from sparkclean.schema import OutputSpec

if TYPE_CHECKING:
    from sparkclean.jobs.predict.steps import PredictPrepared
    from sparkclean.plots.parts import ReportPart
    from sparkclean.runs.reported import ReportedRun


class PredictJob(Job["PredictPrepared"]):
    """Predict the labels of a table out of sample, by a model a fold."""

    name = "predict"
    outputs = (
        OutputSpec(
            "predictions",
            "Predicted probabilities (sparkclean predict).",
            schema.PREDICTIONS,
            keyed=True,
            location="out/<table>/predictions",
        ),
    )
    sections: ClassVar = {"predict": PredictSection}
    unaffected_by = frozenset({"columns.pred_probs"})
    fault_points = ("predict.trained",)

    @classmethod
    def claims(cls, config: Config) -> dict[str, str]:
        """Give the locations that must be the prediction's own, where one is configured."""
        if not any(isinstance(section, PredictSection) for section in config.sections()):
            return {}
        where = config.output.models
        models = {} if where is None else {"output.models": where}
        # an audit by predictions reads them where they were written
        return models if config.input.predictions is not None else models | super().claims(config)

    def prepare(self, context: Context) -> PredictPrepared:
        """Pin the input and check the configuration against it. Writes nothing."""
        from sparkclean.jobs.predict.steps import prepare_prediction  # noqa: PLC0415

        return prepare_prediction(context)

    def try_out(self, prepared: PredictPrepared, context: Context) -> None:
        """Try the estimator on a few rows."""
        from sparkclean.jobs.predict.steps import try_prediction  # noqa: PLC0415

        try_prediction(prepared, context)

    def describe(self, prepared: PredictPrepared, context: Context) -> Report:
        """Say what the prediction would do."""
        from sparkclean.jobs.predict.steps import describe_prediction  # noqa: PLC0415

        return describe_prediction(prepared, context)

    def execute(self, prepared: PredictPrepared, execution: Execution) -> Result:
        """Train, predict, and stage the probabilities."""
        from sparkclean.jobs.predict.steps import execute_prediction  # noqa: PLC0415

        return execute_prediction(prepared, execution)

    def report_parts(
        self,
        run: ReportedRun,
        *,
        of_parent: bool = False,  # noqa: ARG002 (an audit of the predictions shows them, too)
    ) -> list[ReportPart]:
        """Make the section on how good the probabilities are."""
        from sparkclean.jobs.predict.report import report_parts  # noqa: PLC0415

        return report_parts(run)
