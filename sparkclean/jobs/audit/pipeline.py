"""The method over a cluster, from a narrow input frame to ranked suspects. Writes nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparkclean.confident.bounds import (
    Bounds,
    recalled_bounds,
    remember_bounds,
    sample_bounds,
)
from sparkclean.confident.filters import PAIR_FILTERS
from sparkclean.confident.joint import calibrate_joint, confident_joint
from sparkclean.confident.noise import estimate_noise
from sparkclean.confident.scores import WIDE_SCORES, ScoreInputs, prior_shift
from sparkclean.confident.thresholds import confident_thresholds
from sparkclean.errors import ConfigError
from sparkclean.examples.checks import check_admission, data_warnings
from sparkclean.examples.kernels import REJECTED, ClassSums, Kernel
from sparkclean.examples.statistics import ClassStatistics, Scanner, collect_class_statistics
from sparkclean.jobs.audit.findings import Findings, collect_issues, find_quotas
from sparkclean.jobs.audit.kinds import LOW
from sparkclean.jobs.audit.passes import Pass, run_pass
from sparkclean.jobs.audit.row_kernels import ConfidentCounts, PairMargins, RowScore
from sparkclean.jobs.audit.sections import AdmissionSection, MethodSection
from sparkclean.jobs.audit.selection import collect_lowest_margins, ranked
from sparkclean.rows.progress import Progress
from sparkclean.schema import SUSPECT_REASONS

_log = logging.getLogger("sparkclean")

#: Buckets of a margin's unit interval, and the most counts by pair and bucket in one task.
_BUCKETS, _COUNTS = 64, 1 << 16
PRIOR_SHIFTED = "prior_shifted_self_confidence"


def collect_findings(
    scanner: Scanner,
    method: MethodSection,
    admission: AdmissionSection,
    progress: Progress,
    *,
    rows: int,
    recall: Callable[[], str | None] = lambda: None,
) -> Findings:
    """Audit the rows of a scan: find the label issues and rank them.

    Parameters
    ----------
    scanner : Scanner
    method : MethodSection
    admission : AdmissionSection
    progress : Progress
    rows : int
        Of the scan.
    recall : callable
        Gives what an earlier run has found (`Findings.remembered`), if there was one.

    Returns
    -------
    Findings

    Raises
    ------
    InputError
        If there are no rows, or too many are rejected.

    Notes
    -----
    Reads the wide column once where bounds of thresholds and cuts are known before and hold, after
    a sample; two or three times otherwise. No shuffle of it. The driver holds K x K numbers, and a
    sample of 16 MB.
    """
    passes = _Passes(scanner, method, progress)
    fixed = fixed_thresholds(method.thresholds, scanner.columns.classes)
    bounds = collect_bounds(scanner, method, progress, fixed=fixed, rows=rows, recall=recall)
    counted, statistics = passes.first(bounds)
    check_admission(
        statistics,
        max_rejected_fraction=admission.max_rejected_fraction,
        ids=scanner.ids,
        label=scanner.columns.label,
        probs=scanner.columns.probs[0],
    )
    computed = confident_thresholds(statistics.sums, statistics.examples.tolist())
    thresholds = np.where(np.isnan(fixed), computed, fixed)
    if bounds is not None and not bounds.hold(thresholds):
        _log.info("the thresholds are not where they were expected: one more pass")
        bounds = None
    if bounds is None:
        counted = passes.exact(thresholds, statistics.rows)
        confident = counted.confident
    else:
        confident = counted.confident + counted.collect_undecided(thresholds, method.collision)
    joint = confident_joint(confident)
    noise = estimate_noise(joint, calibrate_joint(joint, statistics.examples), statistics.examples)
    warnings = [
        *scanner.columns.warnings,
        *data_warnings(statistics, counted.predictions, scanner.columns.classes),
    ]
    for warning in warnings:
        _log.warning("%s", warning)
    quotas = find_quotas(method, noise, statistics.examples)
    margins = None if bounds is None else bounds.lowest_margins
    shift = None
    if method.ranked_by == PRIOR_SHIFTED:
        shift = prior_shift(noise.calibrated_joint, statistics.column_sums, statistics.audited)
    again = shift is not None
    if method.filter_by in PAIR_FILTERS and (
        margins is None or (counted.found < quotas.of_pair).any()
    ):
        if margins is not None:  # no rivals were emitted, as all pairs were thought to be known
            _log.info("the cuts of pairs are not where they were expected: two more passes")
            counted = passes.exact(thresholds, statistics.rows)
        margins, again = collect_lowest_margins(counted.streams[LOW], quotas.of_pair), True
    streams, entries = dict(counted.streams), counted.counted
    if again:
        third = passes.third(thresholds, statistics.rows, margins=margins, shift=shift)
        streams, entries = streams | dict(third.streams), third.counted
    issues = collect_issues(
        scanner,
        method,
        progress,
        streams=streams,
        quotas=quotas,
        thresholds=thresholds,
        counted=entries,
    )
    suspects = ranked(issues.frame, issues.qualities, score="label_quality", ids=scanner.ids)
    return Findings(
        statistics=statistics,
        thresholds=thresholds,
        noise=noise,
        issues=issues.frame,
        stream=issues.stream,
        qualities=issues.qualities,
        suspects=suspects,
        suspect_counts=issues.counts,
        suspect_sum=issues.suspect_sum,
        reason=SUSPECT_REASONS[method.filter_by],
        warnings=tuple(warnings),
        remembered=remember_bounds(thresholds, statistics.examples, issues.lowest_margins),
    )


@dataclass(frozen=True)
class _Passes:
    """The passes that an audit may need, over one scan."""

    scanner: Scanner
    method: MethodSection
    progress: Progress

    def first(self, bounds: Bounds | None) -> tuple[Pass, ClassStatistics]:
        """Admit rows and add up classes; with bounds count the joint and emit rows as well."""
        size, method = self.scanner.columns.num_classes, self.method
        kernels: list[Kernel] = [ClassSums(size, method.ranked_by == PRIOR_SHIFTED)]
        if bounds is not None:
            margins = bounds.lowest_margins
            kernels.append(self._counts(bounds.lowest, bounds.highest, pairs=margins is not None))
            if margins is not None:
                kernels.append(self._margins(margins))
        what = "class sums" if bounds is None else "class sums and confident joint"
        with self.progress.phase(f"pass 1: {what}") as phase:
            found = run_pass(self.scanner, "pass_1", *kernels)
            statistics = collect_class_statistics(
                self.scanner, found.states, found.streams[REJECTED]
            )
            phase.rows = statistics.rows
        return found, statistics

    def exact(self, thresholds: NDArray[np.float64], rows: int) -> Pass:
        """Count the joint by thresholds that are known, and emit rows."""
        with self.progress.phase("pass 2: confident joint") as phase:
            phase.rows = rows
            return run_pass(self.scanner, "pass_2", self._counts(thresholds, thresholds))

    def third(
        self,
        thresholds: NDArray[np.float64],
        rows: int,
        *,
        margins: NDArray[np.float64] | None,
        shift: NDArray[np.float64] | None,
    ) -> Pass:
        """Emit what pairs may prune, by bounds; score by the noise model."""
        what = "scores by the noise model" if margins is None else "margins of class pairs"
        with self.progress.phase(f"pass 3: {what}") as phase:
            phase.rows = rows
            kernel: Kernel
            if margins is None:
                kernel = self._counts(thresholds, thresholds, shift=shift)
            else:
                kernel = self._margins(margins, thresholds, shift)
            return run_pass(self.scanner, "pass_3", kernel)

    def _counts(
        self,
        lowest: NDArray[np.float64],
        highest: NDArray[np.float64],
        *,
        pairs: bool = False,
        shift: NDArray[np.float64] | None = None,
    ) -> ConfidentCounts:
        method = self.method
        emit = {
            "confident_learning": "confident",
            "predicted_neq_given": "differing",
            "prune_by_noise_rate": "none" if pairs else "rivals",
            "both": "low" if pairs else "rivals",
        }.get(method.filter_by, "low")
        return ConfidentCounts(
            lowest,
            highest,
            method.collision,
            self.scanner.scan.reader.row_sum_tolerance,
            emit=emit,
            score=None if method.filter_by in PAIR_FILTERS else row_score(method, lowest, shift),
        )

    def _margins(
        self,
        lowest: NDArray[np.float64],
        thresholds: NDArray[np.float64] | None = None,
        shift: NDArray[np.float64] | None = None,
    ) -> PairMargins:
        tolerance = self.scanner.scan.reader.row_sum_tolerance
        score = row_score(self.method, thresholds, shift)
        pairs = np.flatnonzero(lowest < np.inf)
        buckets = _BUCKETS if len(pairs) * _BUCKETS <= _COUNTS else 0
        margins = lowest.reshape(-1)[pairs]
        return PairMargins(len(lowest), pairs, margins, tolerance, score, buckets)


def collect_bounds(
    scanner: Scanner,
    method: MethodSection,
    progress: Progress,
    *,
    fixed: NDArray[np.float64],
    rows: int,
    recall: Callable[[], str | None],
) -> Bounds | None:
    """Bound thresholds and cuts by an earlier run, or by a sample.

    Parameters
    ----------
    scanner : Scanner
    method : MethodSection
    progress : Progress
    fixed : ndarray of float64, shape (K,)
        Thresholds that are not computed; NaN elsewhere.
    rows, recall
        As in `collect_findings`.

    Returns
    -------
    Bounds or None

    Notes
    -----
    A sample of a frame takes a job. One of files is cheaper than to read what other runs have left.
    """
    if method.adjust_pred_probs:  # scores each row by exact thresholds
        return None
    pairs = method.filter_by in PAIR_FILTERS
    if not scanner.scan.samples_without_job:
        text = recall()
        bounds = None if text is None else recalled_bounds(text, fixed=fixed, pairs=pairs)
        if bounds is not None:
            return bounds
    with progress.phase("sample") as phase:
        sample = scanner.scan.collect_sample(rows)
        if sample is None:
            return None
        phase.rows = len(sample[0])
    return sample_bounds(
        *sample,
        fixed=fixed,
        collision=method.collision,
        frac_noise=method.frac_noise if pairs else None,
    )


def fixed_thresholds(given: Any, classes: Sequence[Any]) -> NDArray[np.float64]:
    """Arrange the user's thresholds by class.

    Parameters
    ----------
    given : mapping from label to float, sequence of K floats, or None
    classes : sequence
        The K labels.

    Returns
    -------
    ndarray of float64, shape (K,)
        NaN where the threshold is to be computed.

    Raises
    ------
    ConfigError
        If a label is unknown or the number of thresholds is not K.
    """
    if given is None:
        given = {}
    if not isinstance(given, dict):
        if len(given) != len(classes):
            raise ConfigError(
                f"method.thresholds: {len(given)} values for {len(classes)} classes; give one for "
                "each, or a mapping from label to threshold"
            )
        return np.asarray(given, np.float64)
    # a key of a JSON file or of an override is text whatever the labels are
    position = {str(label): k for k, label in enumerate(classes)}
    unknown = [label for label in given if str(label) not in position]
    if unknown:
        raise ConfigError(f"method.thresholds: {unknown[0]!r} is not among the classes")
    fixed = np.full(len(classes), np.nan)
    for label, value in given.items():
        fixed[position[str(label)]] = value
    return fixed


def row_score(
    method: MethodSection,
    thresholds: NDArray[np.float64] | None,
    shift: NDArray[np.float64] | None,
) -> RowScore | None:
    """Give the score that needs the whole row, if the method has one.

    Parameters
    ----------
    method : MethodSection
    thresholds : ndarray of float64, shape (K,), or None
        For adjusted probabilities.
    shift : ndarray of float64, shape (K,), or None
        For ``prior_shifted_self_confidence``; without it that one has to wait for another pass.

    Returns
    -------
    RowScore or None
    """
    if method.ranked_by == PRIOR_SHIFTED and shift is None:
        return None
    if not method.adjust_pred_probs and method.ranked_by not in WIDE_SCORES:
        return None
    inputs = ScoreInputs(thresholds, shift)
    return RowScore(method.ranked_by, method.adjust_pred_probs, inputs)
