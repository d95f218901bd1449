"""What an audit found: suspects, and confident learning's own report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparkclean.confident.noise import NoiseModel
from sparkclean.examples.statistics import ClassStatistics
from sparkclean.examples.suspects import Suspects
from sparkclean.jobs.audit.doubts import Doubt
from sparkclean.jobs.audit.histograms import Histogram
from sparkclean.numbers.result_hash import result_hash


@dataclass(frozen=True)
class Findings:
    """What an audit found.

    Attributes
    ----------
    statistics : ClassStatistics
    thresholds : ndarray of float64, shape (K,)
    noise : NoiseModel
    suspects : Suspects
    warnings : tuple of str
        With the doubts.
    doubts : tuple of Doubt
        Reasons not to make a cleaned version of it.
    remembered : str
        For a later run of the same configuration, which then needs fewer passes.
    self_confidence : Histogram
        Of all audited rows.
    label_quality : Histogram
        Of the suspects.
    """

    statistics: ClassStatistics
    thresholds: NDArray[np.float64]
    noise: NoiseModel
    suspects: Suspects
    warnings: tuple[str, ...]
    doubts: tuple[Doubt, ...]
    remembered: str
    self_confidence: Histogram
    label_quality: Histogram


def findings_hash(findings: Findings, classes: Sequence[Any]) -> str:
    """Hash the answer, for comparison with any other run.

    Parameters
    ----------
    findings : Findings
    classes : sequence
        The K labels.

    Returns
    -------
    str
        64 hexadecimal digits, equal to those of `sparkclean.numbers.result_hash` on arrays.
    """
    return result_hash(
        classes=classes,
        thresholds=findings.thresholds,
        confident_joint=findings.noise.confident_joint,
        calibrated_joint=findings.noise.calibrated_joint,
        suspects=findings.suspects.num_suspects,
        suspect_sum=findings.suspects.hash_sum,
    )
