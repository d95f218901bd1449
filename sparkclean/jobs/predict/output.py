"""What a prediction publishes and says: predicted rows, its run record, summary, description."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pyspark.sql import functions as F

from sparkclean import schema
from sparkclean.config.model import PredictSection
from sparkclean.examples.batches import LABEL
from sparkclean.lake import Pin
from sparkclean.learning.columns import LearningColumns
from sparkclean.learning.profile import Profile
from sparkclean.learning.quality import QualityReport
from sparkclean.learning.scored import FOLD
from sparkclean.rows.streams import FileStream, Stream
from sparkclean.runs.outputs import Outputs
from sparkclean.runs.provenance import Provenance


def stage_predictions(
    outputs: Outputs, predicted: Stream, columns: LearningColumns, provenance: Provenance
) -> int:
    """Stage the predicted rows; how many there are.

    Parameters
    ----------
    outputs : Outputs
    predicted : Stream
        Of `PredictedRows`.
    columns : LearningColumns
    provenance : Provenance

    Returns
    -------
    int

    Notes
    -----
    One job, unless the files that tasks have written are those of the output.
    """
    named = [*zip(columns.ids, columns.id_names, strict=True), (columns.label, LABEL)]
    named += [(schema.PRED_PROBS, schema.PRED_PROBS), (schema.FOLD, FOLD)]
    own = [F.col(internal).alias(name) for name, internal in named]
    frame = predicted.frame.select(*own, *provenance.columns())
    if not isinstance(predicted, FileStream) or not outputs.takes_files("predictions"):
        return outputs.stage_frame("predictions", frame)

    def write(folder: str) -> list[str]:
        return predicted.copy(folder, named, provenance.values())

    return outputs.stage_files("predictions", frame, write)


def record_numbers(profile: Profile, report: QualityReport) -> dict[str, Any]:
    """Give what the run record says of predictions, by its columns."""
    counts = {"classes": profile.classes, "quality": asdict(report)}
    return {
        "rows": profile.rows,
        "classes": len(profile.classes),
        "counts": json.dumps(counts, ensure_ascii=False),
    }


def summarise(report: QualityReport, profile: Profile, places: Mapping[str, str]) -> str:
    """Sum a prediction up for people, in several lines; places are where its outputs are."""
    lines = [f"{profile.rows:,} rows predicted out of sample, {len(profile.classes)} classes"]
    overall = report.overall
    if overall is not None:
        lines.append(
            f"against the given labels: accuracy {overall.accuracy:.4f}, log loss "
            f"{overall.log_loss:.4f}, Brier score {overall.brier_score:.4f}, calibration error "
            f"{overall.calibration_error:.4f}"
        )
    return "\n".join([*lines, *(f"  {name:<12} {place}" for name, place in places.items())])


def describe(pin: Pin, predict: PredictSection, places: Mapping[str, str], fingerprint: str) -> str:
    """Describe what a prediction would do, in several lines; places are those of its outputs."""
    rows = "counted when the run begins" if pin.rows is None else f"{pin.rows:,}"
    together = predict.group or "the content of the features"
    lines = [
        f"input     {pin.table} ({pin.format}, {pin.dataset_version})",
        f"rows      {rows}",
        f"features  {', '.join(predict.feature_columns)}",
        f"folds     {predict.n_folds}, by {together}",
        f"model     {predict.estimator or 'logistic regression'} ({predict.engine}), calibration "
        f"{predict.calibrate}",
        *(f"publishes {name:<11} to {place}" for name, place in places.items()),
    ]
    return "\n".join([*lines, f"config fingerprint {fingerprint}", "nothing was written"])
