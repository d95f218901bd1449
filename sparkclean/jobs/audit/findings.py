"""What an audit found: label issues selected, counted and hashed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sparkclean.confident.filters import (
    PAIR_FILTERS,
    PRUNING_FILTERS,
    class_quotas,
    has_enough,
    prune_counts,
)
from sparkclean.confident.noise import NoiseModel
from sparkclean.examples.statistics import ClassStatistics, Scanner
from sparkclean.jobs.audit.cuts import Counted
from sparkclean.jobs.audit.issue_kernels import CountOutcomes, OfPairs, SelectIssues
from sparkclean.jobs.audit.kinds import COUNTS, ISSUE, LOW, MARGIN, QUALITY
from sparkclean.jobs.audit.sections import MethodSection
from sparkclean.jobs.audit.selection import Quotas, collect_issue_cuts
from sparkclean.numbers.result_hash import join_hash_limbs, result_hash
from sparkclean.rows.emitted import KIND, STATE
from sparkclean.rows.progress import Progress
from sparkclean.rows.streams import Stream
from sparkclean.schema import SUSPECT_REASONS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class Findings:
    """What an audit found.

    Attributes
    ----------
    statistics : ClassStatistics
    thresholds : ndarray of float64, shape (K,)
    noise : NoiseModel
    issues : DataFrame
        Record ids under their internal names, ``given``, ``suggested`` (class indices),
        ``self_confidence``, ``suggested_probability``, ``label_quality``. Cheap to read again.
    stream : Stream
        The same, for functions over rows.
    qualities : dict
        Issues by `quality_bucket` of the label quality.
    suspects : DataFrame
        The same with ``rank``. Lazy: ranks are computed for whoever reads them.
    suspect_counts : ndarray of int64, shape (K, K)
        Suspects by given and suggested class.
    suspect_sum : int
        Sum of the hashes of the suspects.
    reason : str
    warnings : tuple of str
    remembered : str
        For a later run of the same configuration, which then needs fewer passes.
    """

    statistics: ClassStatistics
    thresholds: NDArray[np.float64]
    noise: NoiseModel
    issues: DataFrame
    stream: Stream
    qualities: Mapping[int, int]
    suspects: DataFrame
    suspect_counts: NDArray[np.int64]
    suspect_sum: int
    reason: str
    warnings: tuple[str, ...]
    remembered: str

    @property
    def num_suspects(self) -> int:
        """Number of label issues."""
        return int(self.suspect_counts.sum())


@dataclass(frozen=True)
class Issues:
    """Label issues.

    Attributes
    ----------
    frame : DataFrame
        As in `Findings`.
    stream : Stream
    counts : ndarray of int64, shape (K, K)
        By given and suggested class.
    suspect_sum : int
        Sum of the hashes.
    qualities : dict
        Rows by `quality_bucket` of the label quality.
    lowest_margins : dict
        Margin at which the quota of a pair was reached, by given * K + true.
    """

    frame: DataFrame
    stream: Stream
    counts: NDArray[np.int64]
    suspect_sum: int
    qualities: dict[int, int]
    lowest_margins: dict[int, float]


def collect_issues(
    scanner: Scanner,
    method: MethodSection,
    progress: Progress,
    *,
    streams: Mapping[int, Stream],
    quotas: Quotas,
    thresholds: NDArray[np.float64],
    counted: Counted | None,
) -> Issues:
    """Select the label issues, count and hash them.

    Parameters
    ----------
    scanner : Scanner
    method : MethodSection
    progress : Progress
    streams : mapping
        By kind: low rows of `ConfidentCounts`; rows of `PairMargins`, for filters by pair.
    quotas : Quotas
    thresholds : ndarray of float64, shape (K,)
    counted : Counted or None
        Entries of pairs by bucket, where the pass has counted them.

    Returns
    -------
    Issues

    Notes
    -----
    The jobs of `collect_issue_cuts`, and one that selects.
    """
    size, id_types = len(thresholds), scanner.scan.id_types
    with progress.phase("select suspects") as phase:
        cuts = collect_issue_cuts(
            filter_by=method.filter_by,
            streams=streams,
            quotas=quotas,
            confident=CountOutcomes(thresholds, method.collision, issues=True),
            id_types=id_types,
            counted=counted,
        )
        select = SelectIssues(
            method.filter_by,
            cuts,
            thresholds,
            method.collision,
            _quality(method),
            SUSPECT_REASONS[method.filter_by],
            id_types,
        )
        output = streams[MARGIN if method.filter_by in PAIR_FILTERS else LOW].run(
            "suspects", select
        )
        counts = np.zeros((size, size), np.int64)
        qualities: dict[int, int] = {}
        suspect_sum = 0
        for kind, first, second, values in output.states:
            if kind == COUNTS:
                counts[first, second] = values[0]
            elif kind == QUALITY:
                qualities[first] = values[0]
            else:
                suspect_sum = join_hash_limbs(values)
        phase.rows = int(counts.sum())
    stream = output.streams[ISSUE]
    frame = stream.frame.drop(KIND, STATE)
    margins = [cut.lowest_margins() for cut in cuts if isinstance(cut.ranking, OfPairs)]
    return Issues(frame, stream, counts, suspect_sum, qualities, margins[0] if margins else {})


def find_quotas(method: MethodSection, noise: NoiseModel, examples: NDArray[np.int64]) -> Quotas:
    """Compute how many rows the filter may prune from each class and pair.

    Parameters
    ----------
    method : MethodSection
    noise : NoiseModel
    examples : ndarray of int64, shape (K,)

    Returns
    -------
    Quotas
        Zeros for filters without quotas.
    """
    size = len(examples)
    if method.filter_by not in PRUNING_FILTERS:
        return Quotas(np.zeros(size, np.int64), np.zeros((size, size), np.int64))
    counts = prune_counts(
        noise.calibrated_joint,
        min_examples=method.min_examples_per_class,
        frac_noise=method.frac_noise,
    )
    enough = has_enough(examples, method.min_examples_per_class)
    of_class = np.where(enough, class_quotas(counts, examples), 0)
    of_pair = np.where(enough[:, None], counts, 0)
    np.fill_diagonal(of_pair, 0)
    return Quotas(of_class, of_pair)


def _quality(method: MethodSection) -> str:
    """Name what the quality of an emitted row is."""
    narrow = {"self_confidence": "own", "normalized_margin": "normalized_margin"}
    return "quality" if method.adjust_pred_probs else narrow.get(method.ranked_by, "quality")


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
        suspects=findings.num_suspects,
        suspect_sum=findings.suspect_sum,
    )
