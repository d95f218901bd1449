"""The tables of an audit beside its suspects, by the contract in ``schema``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparkclean import schema
from sparkclean.confident.noise import class_quality
from sparkclean.examples.columns import Columns
from sparkclean.examples.suspect_table import original_ids
from sparkclean.jobs.audit.findings import Findings
from sparkclean.numbers.pair_counts import PairCounts
from sparkclean.runs.provenance import Provenance

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def rejected_frame(rejected: DataFrame, columns: Columns, provenance: Provenance) -> DataFrame:
    """Build the table of rejected rows.

    Parameters
    ----------
    rejected : DataFrame
        `ClassStatistics.rejected`.
    columns : Columns
    provenance : Provenance

    Returns
    -------
    DataFrame
        By ``schema.REJECTED``, after the record id columns. Lazy.
    """
    return rejected.select(
        *original_ids(columns),
        schema.GIVEN_LABEL,
        schema.REASON,
        schema.DETAIL,
        *provenance.columns(),
    )


def class_rows(
    findings: Findings, columns: Columns, provenance: Provenance
) -> list[dict[str, Any]]:
    """Build the table of classes.

    Parameters
    ----------
    findings : Findings
    columns : Columns
    provenance : Provenance

    Returns
    -------
    list of dict
        By ``schema.CLASSES``; one row per class, in the order of the probabilities.
    """
    quality = class_quality(PairCounts(findings.noise.calibrated_joint))
    suspects = findings.suspects.counts.by_given()
    return [
        {
            "class": label,
            "class_index": k,
            "examples": int(findings.statistics.examples[k]),
            "threshold": float(findings.thresholds[k]),
            "suspects": int(suspects[k]),
            "label_issues": int(quality.label_issues[k]),
            "inverse_label_issues": int(quality.inverse_label_issues[k]),
            "label_noise": float(quality.label_noise[k]),
            "inverse_label_noise": float(quality.inverse_label_noise[k]),
            "label_quality_score": float(quality.label_quality_score[k]),
            **provenance.values(),
        }
        for k, label in enumerate(columns.classes)
    ]


def pair_rows(findings: Findings, columns: Columns, provenance: Provenance) -> list[dict[str, Any]]:
    """Build the table of class pairs.

    Parameters
    ----------
    findings : Findings
    columns : Columns
    provenance : Provenance

    Returns
    -------
    list of dict
        By ``schema.PAIRS``; a row for each (given, true) with a count or a suspect.
    """
    noise, suspects = findings.noise, findings.suspects.counts
    confident, calibrated = PairCounts(noise.confident_joint), PairCounts(noise.calibrated_joint)
    return [
        {
            schema.GIVEN_LABEL: columns.classes[i],
            "true_label": columns.classes[j],
            "confident_joint": confident[i, j],
            "calibrated_joint": calibrated[i, j],
            "noise_rate": float(noise.noise_matrix[i, j]),
            "suspects": suspects[i, j],
            **provenance.values(),
        }
        for i, j in (confident + calibrated + suspects).pairs()
    ]
