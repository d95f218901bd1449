"""What a training says: the numbers of its run record, its summary, its description."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sparkclean.config.model import PredictSection
from sparkclean.jobs.train.audits import Audit
from sparkclean.jobs.train.classifier import Classifier
from sparkclean.lake import Pin
from sparkclean.learning.model_files import ModelEntry
from sparkclean.learning.profile import Profile
from sparkclean.learning.quality import QualityReport


def record_numbers(
    entry: ModelEntry, profile: Profile, report: QualityReport | None, overlap: int
) -> dict[str, Any]:
    """Give what the run record says of a model, by its columns.

    Parameters
    ----------
    entry : ModelEntry
        Of the manifest.
    profile : Profile
    report : QualityReport or None
        On the test table.
    overlap : int
        Rows of the test table that look like training rows.

    Returns
    -------
    dict
    """
    counts: dict[str, Any] = {"classes": profile.classes, "model": asdict(entry)}
    if report is not None:
        counts |= {"quality": asdict(report), "test_rows_like_training_rows": overlap}
    return {
        "rows": profile.rows,
        "classes": len(profile.classes),
        "counts": json.dumps(counts, ensure_ascii=False),
    }


def summarise(
    entry: ModelEntry,
    classifier: Classifier,
    audit: Audit,
    profile: Profile,
    *,
    report: QualityReport | None,
    places: Mapping[str, str],
) -> str:
    """Sum a training up for people, in several lines; places are where its outputs are."""
    lines = [
        f"trained {classifier.name} on {entry.training_rows:,} of {profile.rows:,} rows, "
        f"{len(profile.classes)} classes, by mode {classifier.mode} after audit {audit.run_id}"
    ]
    overall = None if report is None else report.overall
    if overall is not None:
        lines.append(
            f"on {overall.rows:,} rows of the test table: accuracy {overall.accuracy:.4f}, log "
            f"loss {overall.log_loss:.4f}, Brier score {overall.brier_score:.4f}, calibration "
            f"error {overall.calibration_error:.4f}"
        )
    return "\n".join([*lines, *(f"  {name:<12} {place}" for name, place in places.items())])


def describe(
    pin: Pin,
    audit: Audit,
    predict: PredictSection,
    classifier: Classifier,
    test: Pin | None,
    *,
    folder: Path,
    runs: str,
    fingerprint: str,
) -> str:
    """Describe what a training would do, in several lines.

    Parameters
    ----------
    pin : Pin
        What is trained on.
    audit : Audit
    predict : PredictSection
    classifier : Classifier
    test : Pin or None
        Of the test table.
    folder : Path
        Of the model.
    runs : str
        Location of the run records.
    fingerprint : str

    Returns
    -------
    str
    """
    rows = "counted when the run begins" if pin.rows is None else f"{pin.rows:,}"
    what = {
        "cleaned": f"the cleaned version, clean.mode {audit.clean_mode}",
        "weights": "the sample weights",
        "robust": "a robust loss",
    }[classifier.mode]
    return "\n".join(
        [
            f"audit     {audit.run_id}, by {what}",
            f"input     {pin.table} ({pin.format}, {pin.dataset_version})",
            f"rows      {rows}",
            f"features  {', '.join(predict.feature_columns)}",
            f"model     {classifier.class_path or 'logistic regression'}",
            "test      " + ("none" if test is None else f"{test.table} ({test.format})"),
            f"publishes model       to {folder}",
            f"publishes runs        to {runs}",
            f"config fingerprint {fingerprint}",
            "nothing was written",
        ]
    )
