"""What a training says: the numbers of its run record, its summary, its description."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sparkclean.config.sections import PredictSection
from sparkclean.jobs.train.classifier import Classifier
from sparkclean.jobs.train.trusted import Overlap
from sparkclean.lake import Pin
from sparkclean.learning.feature_types import FeatureTypes, parts_of
from sparkclean.learning.model_files import ModelEntry
from sparkclean.learning.profile import Profile
from sparkclean.learning.quality import QualityReport
from sparkclean.rows.report import Grid, Line, Report
from sparkclean.runs.audits import Audit


def numbers(
    entry: ModelEntry, profile: Profile, quality: QualityReport | None, overlap: Overlap
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give what the run record says of a model: metrics, and its columns.

    Parameters
    ----------
    entry : ModelEntry
        Of the manifest.
    profile : Profile
    quality : QualityReport or None
        On the test table.
    overlap : Overlap
        Of the test table with the training rows.

    Returns
    -------
    metrics, record : dict
    """
    counts: dict[str, Any] = {"classes": profile.classes, "model": asdict(entry)}
    metrics: dict[str, Any] = {
        "rows": profile.rows,
        "classes": len(profile.classes),
        "training_rows": entry.training_rows,
    }
    if quality is not None:
        counts |= {
            "quality": quality.to_record(),
            "test_rows_like_training_rows": overlap.alike,
            "test_rows_with_ids_of_training_rows": overlap.ids,
        }
        if overlap.groups is not None:
            counts["test_rows_of_training_groups"] = overlap.groups
        metrics |= quality.metrics()
    record = {
        "classes": len(profile.classes),
        "counts": json.dumps(counts, ensure_ascii=False),
    }
    return metrics, record


def summarise(
    entry: ModelEntry,
    classifier: Classifier,
    audit: Audit,
    profile: Profile,
    *,
    quality: QualityReport | None,
    taken: FeatureTypes | None = None,
) -> Report:
    """Sum a training up for people."""
    text = (
        f"trained {classifier.name} on {entry.training_rows:,} of {profile.rows:,} rows, "
        f"{len(profile.classes)} classes, by mode {classifier.mode} after audit {audit.run_id}"
    )
    lines = [Line(text)]
    overall = None if quality is None else quality.overall
    if overall is not None:
        lines.append(Line(f"on {overall.rows:,} rows of the test table: {overall}"))
    return Report([*lines, *parts_of(taken)])


def describe(
    pin: Pin,
    audit: Audit,
    predict: PredictSection,
    classifier: Classifier,
    test: Pin | None,
    *,
    taken: FeatureTypes | None,
    folder: Path,
    runs: str,
) -> Report:
    """Describe what a training would do.

    Parameters
    ----------
    pin : Pin
        What is trained on.
    audit : Audit
    predict : PredictSection
    classifier : Classifier
    test : Pin or None
        Of the test table.
    taken : FeatureTypes or None
        What columns are taken as, where the table has decided on it.
    folder : Path
        Of the model.
    runs : str
        Location of the run records.

    Returns
    -------
    Report
    """
    what = {
        "cleaned": f"the cleaned version, clean.mode {audit.clean_mode}",
        "weights": "the sample weights",
        "robust": "a robust loss",
    }[classifier.mode]
    facts = [
        ("audit", f"{audit.run_id}, by {what}"),
        ("input", pin.shown),
        ("rows", "counted when the run starts" if pin.rows is None else f"{pin.rows:,}"),
        ("features", ", ".join(predict.feature_columns)),
        ("model", classifier.class_path or "logistic regression"),
        ("test", "none" if test is None else f"{test.table} ({test.format})"),
    ]
    published = [("publishes model", f"to {folder}"), ("publishes runs", f"to {runs}")]
    return Report(
        [
            Grid(facts, line="{0:<9} {1}"),
            *parts_of(taken),
            Grid(published, line="{0:<21} {1}"),
        ]
    )
