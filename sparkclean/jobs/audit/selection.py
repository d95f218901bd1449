"""The selection of label issues: how many rows a filter may prune, where it ends, what it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparkclean.confident.bounds import BELOW_EVERY_MARGIN
from sparkclean.confident.filters import (
    class_quotas,
    has_enough,
    prune_counts,
)
from sparkclean.confident.noise import NoiseModel
from sparkclean.examples.statistics import Scanner
from sparkclean.examples.suspects import Suspects, read_suspects
from sparkclean.jobs.audit.cutoffs import (
    BucketCounts,
    collect_buckets,
    collect_cutoffs,
    end_of_quota,
)
from sparkclean.jobs.audit.histograms import Histogram, read_histogram
from sparkclean.jobs.audit.issue_kernels import DETECTOR, NUMBERS, CountOutcomes, SelectIssues
from sparkclean.jobs.audit.rankings import (
    ROOT_OF_OWN,
    Cutoffs,
    OfClasses,
    OfPairs,
    OfRivals,
    OfTable,
)
from sparkclean.jobs.audit.row_types import LOW_CONFIDENCE, MARGIN
from sparkclean.jobs.audit.sections import MethodSection
from sparkclean.numbers.pair_counts import PairCounts
from sparkclean.rows.progress import Progress
from sparkclean.rows.streams import Stream
from sparkclean.schema import (
    PAIR_FILTERS,
    PRUNING_FILTERS,
    SCORE_FILTERS,
    SUSPECT_REASONS,
)

#: Buckets of a margin's unit interval by which cutoffs of class pairs are bounded; counts by pair
#: and bucket that the driver holds; the fewest buckets, of however many pairs.
_BUCKETS, _COUNTS, _FEWEST_BUCKETS = 256, 1 << 20, 4
#: More than a root and a power round off.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Quotas:
    """Rows to prune.

    Attributes
    ----------
    of_class : ndarray of int64, shape (K,)
    of_pair : ndarray of int64, shape (K, K)
        Diagonal 0.
    """

    of_class: NDArray[np.int64]
    of_pair: NDArray[np.int64]

    def reached_by(self, found: PairCounts) -> bool:
        """Tell whether each pair has as many entries as its quota."""
        return bool((found.as_array() >= self.of_pair).all())


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


def collect_lowest_margins(
    low_confidence_rows: Stream, quotas: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Bound from below the margin at which each pair's quota is reached.

    The quota-th largest of any subset of a pair's margins is such a bound; here the subset is the
    two best rivals of each low-confidence row. So is the quota-th smallest self-confidence of the
    given class with its sign turned, as no probability is negative: the better one of many classes,
    where few rows have a class as rival.

    Parameters
    ----------
    low_confidence_rows : Stream
        Of `ConfidentCounts`, with rivals.
    quotas : ndarray of int64, shape (K, K)
        Diagonal 0.

    Returns
    -------
    ndarray of float64, shape (K, K)
        Infinity where the quota is 0; `BELOW_EVERY_MARGIN` where the subset is smaller than the
        quota.

    Notes
    -----
    One job; the driver holds K x K numbers.
    """
    size = len(quotas)
    pairs = np.flatnonzero(quotas)
    buckets = int(np.clip(_COUNTS // max(len(pairs), 1), _FEWEST_BUCKETS, _BUCKETS))
    counted = BucketCounts({}, buckets)
    if len(pairs):
        groups = np.union1d(pairs, np.unique(pairs // size) * (size + 1))
        counted = collect_buckets(low_confidence_rows, OfRivals(size), groups, buckets)
    return lowest_margins(counted, quotas)


def lowest_margins(rivals: BucketCounts, quotas: NDArray[np.int64]) -> NDArray[np.float64]:
    """Bound margins as `collect_lowest_margins`, by counts of `OfRivals`."""
    bounds = np.where(quotas > 0, BELOW_EVERY_MARGIN, np.inf)
    for given, true in np.argwhere(quotas):
        quota = int(quotas[given, true])
        # scores are margins with the sign turned; roots of such
        for other, power in ((true, 1), (given, ROOT_OF_OWN)):
            counts = rivals.by_group.get(given * len(quotas) + other, {})
            bucket, place = end_of_quota(counts, quota)
            if place:
                end = -(((bucket + 1) / rivals.buckets) ** power) - _ROUNDING
                bounds[given, true] = max(bounds[given, true], end)
    return bounds


def collect_issue_cutoffs(
    *,
    filter_by: str,
    streams: Mapping[int, Stream],
    quotas: Quotas,
    confident: CountOutcomes,
    id_types: tuple[str, ...],
    counted: BucketCounts | None = None,
) -> tuple[Cutoffs, ...]:
    """Find where the selection of a filter ends.

    Parameters
    ----------
    filter_by : str
        One of `sparkclean.schema.FILTERS`.
    streams : mapping
        By kind: low-confidence rows of `ConfidentCounts`; rows of `PairMargins`, for filters by
        pair.
    quotas : Quotas
    confident : CountOutcomes
        Counts the rows that ``confident_learning`` selects: as many as the filters by a score do.
    id_types : tuple of str
        Spark types of the record id columns.
    counted : BucketCounts, optional
        Entries of pairs by bucket, where the pass has counted them.

    Returns
    -------
    tuple of Cutoffs
        All of which must select a row; none for filters without quotas.

    Notes
    -----
    The jobs of `collect_cutoffs`, for each; one more for the filters by a score.
    """
    if filter_by in SCORE_FILTERS:
        low_confidence_rows = streams[LOW_CONFIDENCE]
        count = sum(state.values[0] for state in low_confidence_rows.collect(confident))
        ranking = OfTable(filter_by.removeprefix("low_"))
        return (collect_cutoffs(low_confidence_rows, ranking, np.array([count]), id_types),)
    cutoffs = []
    if filter_by in ("prune_by_class", "both"):
        cutoffs.append(
            collect_cutoffs(streams[LOW_CONFIDENCE], OfClasses(), quotas.of_class, id_types)
        )
    if filter_by in PAIR_FILTERS:
        by_pair = OfPairs(len(quotas.of_class))
        cutoffs.append(
            collect_cutoffs(streams[MARGIN], by_pair, quotas.of_pair.reshape(-1), id_types, counted)
        )
    return tuple(cutoffs)


def collect_suspects(
    scanner: Scanner,
    method: MethodSection,
    progress: Progress,
    *,
    streams: Mapping[int, Stream],
    quotas: Quotas,
    thresholds: NDArray[np.float64],
    counted: BucketCounts | None,
) -> tuple[Suspects, Histogram, dict[int, float]]:
    """Select the label issues, count and hash them.

    Parameters
    ----------
    scanner : Scanner
    method : MethodSection
    progress : Progress
    streams : mapping
        By kind: low-confidence rows of `ConfidentCounts`; rows of `PairMargins`, for filters by
        pair.
    quotas : Quotas
    thresholds : ndarray of float64, shape (K,)
    counted : BucketCounts or None
        Entries of pairs by bucket, where the pass has counted them.

    Returns
    -------
    suspects : Suspects
    label_quality : Histogram
        Of the suspects: of other rows most scores are not known.
    lowest_margins : dict
        Margin at which the quota of a pair was reached, by given * K + true; of filters by pair.

    Notes
    -----
    The jobs of `collect_issue_cutoffs`, and one that selects.
    """
    id_types, reason = scanner.scan.id_types, SUSPECT_REASONS[method.filter_by]
    with progress.phase("select suspects") as phase:
        cutoffs = collect_issue_cutoffs(
            filter_by=method.filter_by,
            streams=streams,
            quotas=quotas,
            confident=CountOutcomes(thresholds, method.collision, issues=True),
            id_types=id_types,
            counted=counted,
        )
        select = SelectIssues(
            method.filter_by,
            cutoffs,
            thresholds,
            method.collision,
            _quality(method),
            reason,
            id_types,
        )
        candidates = streams[MARGIN if method.filter_by in PAIR_FILTERS else LOW_CONFIDENCE]
        found = candidates.run("suspects", select)
        suspects = read_suspects(
            found,
            len(thresholds),
            reason=reason,
            detector=DETECTOR,
            numbers=NUMBERS,
        )
        phase.rows = suspects.num_suspects
    margins = [cutoff.lowest_margins() for cutoff in cutoffs if isinstance(cutoff.ranking, OfPairs)]
    return suspects, read_histogram(found.states), margins[0] if margins else {}


def _quality(method: MethodSection) -> str:
    """Name what the quality of an emitted row is."""
    narrow = {"self_confidence": "own", "normalized_margin": "normalized_margin"}
    return "quality" if method.adjust_pred_probs else narrow.get(method.ranked_by, "quality")
