"""The numbers of an audit, as its run record has them."""

from __future__ import annotations

import json

from sparkclean.jobs.audit.findings import Findings
from sparkclean.runs.job import Result


def result_of(findings: Findings, ranked_by: str) -> Result:
    """Give what the run record says of findings.

    Parameters
    ----------
    findings : Findings
    ranked_by : str
        The label quality score.

    Returns
    -------
    Result
    """
    statistics = findings.statistics
    numbers = {
        "rows": statistics.rows,
        "audited": statistics.audited,
        "rejected": statistics.num_rejected,
        "suspects": findings.suspects.num_suspects,
        "classes": len(findings.thresholds),
    }
    counts = {
        "rejections": statistics.rejections,
        "clipped": statistics.clipped,
        "warnings": list(findings.warnings),
        "noise_rate": findings.noise.noise_rate,
    }
    histograms = {
        "self_confidence": findings.self_confidence.metrics("self_confidence", "audited"),
        # of rows that are no suspects most scores are not known
        "label_quality": findings.label_quality.metrics(ranked_by, "suspects"),
    }
    return Result(
        rows=statistics.rows,
        metrics=numbers | {"noise_rate": findings.noise.noise_rate, "histograms": histograms},
        record=numbers
        | {
            "counts": json.dumps(counts, ensure_ascii=False, default=str),
            "remembered": findings.remembered,
        },
    )
