"""What a prediction publishes and says: predicted rows, its run record, summary, description."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import functions as F

from sparkclean import schema
from sparkclean.config.sections import PredictSection
from sparkclean.examples.batches import LABEL
from sparkclean.lake import Pin
from sparkclean.learning.boosting import Comparison
from sparkclean.learning.columns import LearningColumns
from sparkclean.learning.feature_types import FeatureTypes, parts_of
from sparkclean.learning.model_files import ModelEntry
from sparkclean.learning.profile import Profile
from sparkclean.learning.quality import QualityReport
from sparkclean.learning.scored import FOLD
from sparkclean.rows.report import Grid, Line, Report
from sparkclean.rows.streams import Stream
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
    write = predicted.plan_copy(named, provenance.values())
    if write is None or not outputs.takes_files("predictions"):
        return outputs.stage_frame("predictions", frame)
    return outputs.stage_files("predictions", frame, write)


def numbers(
    profile: Profile, quality: QualityReport, models: Sequence[ModelEntry]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give what the run record says of predictions: metrics, and its columns.

    Parameters
    ----------
    profile : Profile
    quality : QualityReport
    models : sequence of ModelEntry
        Of the manifest.

    Returns
    -------
    metrics, record : dict
    """
    counts: dict[str, Any] = {"classes": profile.classes, "quality": quality.to_record()}
    if profile.copied:
        counts["rows_with_copies_in_other_folds"] = profile.copied
    if _calibrations(models):
        counts["calibration"] = _calibrations(models)
    metrics: dict[str, Any] = {"rows": profile.rows, "classes": len(profile.classes)}
    metrics |= quality.metrics()
    record = {
        "classes": len(profile.classes),
        "counts": json.dumps(counts, ensure_ascii=False),
    }
    return metrics, record


def summarise(
    quality: QualityReport,
    profile: Profile,
    models: Sequence[ModelEntry],
    *,
    taken: FeatureTypes | None = None,
    comparison: Comparison | None = None,
) -> Report:
    """Sum a prediction up for people."""
    text = f"{profile.rows:,} rows predicted out of sample, {len(profile.classes)} classes"
    lines = [Line(text)]
    if quality.overall is not None:
        lines.append(Line(f"against the given labels: {quality.overall}"))
    calibrations = _calibrations(models)
    if calibrations:
        made = [about for about in calibrations if about["published"] != "none"]
        found = [about["temperature"] for about in made if "temperature" in about]
        values = f" of {min(found):.3g} to {max(found):.3g}" if found else ""
        method = calibrations[0]["method"]
        text = f"calibrated: {len(made)} of {len(calibrations)} models, by {method}{values}"
        lines.append(Line(text))
    advice = [] if comparison is None else comparison.advice()
    lines += [Line(text, tone="warning") for text in advice]
    return Report([*lines, *parts_of(taken)])


def _calibrations(models: Sequence[ModelEntry]) -> list[Mapping[str, Any]]:
    return [model.calibration for model in models if model.calibration is not None]


def describe(
    pin: Pin,
    predict: PredictSection,
    publishes: Grid,
    *,
    sample: str,
    taken: FeatureTypes | None = None,
) -> Report:
    """Describe what a prediction would do, and publish."""
    rows = "counted when the run starts" if pin.rows is None else f"{pin.rows:,}"
    together = predict.group or "a hash of the features"
    model = predict.estimator or "logistic regression"
    facts = [
        ("input", pin.shown),
        ("rows", rows),
        ("sample", sample),
        ("features", ", ".join(predict.feature_columns)),
        ("folds", f"{predict.n_folds}, by {together}"),
        ("model", f"{model} ({predict.engine}), calibration {predict.calibrate}"),
    ]
    return Report([Grid(facts, line="{0:<9} {1}"), *parts_of(taken), publishes])
