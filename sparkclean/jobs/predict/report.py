"""The section of a report that is a prediction's: how good the probabilities are."""

from __future__ import annotations

from sparkclean.plots.parts import ReportPart
from sparkclean.runs.quality_parts import quality_part
from sparkclean.runs.reported import ReportedRun


def report_parts(run: ReportedRun) -> list[ReportPart]:
    """Make the section of a prediction: of its own report, and of that of the audit behind it.

    Parameters
    ----------
    run : ReportedRun

    Returns
    -------
    list of ReportPart
    """
    of = (
        f"Probabilities of run {run.record['original_run_id']}: each row was predicted by a model "
        "that has not seen it, and is compared with its given label. Wrong labels make the numbers "
        "worse than the model is."
    )
    part = quality_part(run.record, title="Predictions", of=of)
    return [] if part is None else [part]
