"""The method over a cluster, from a narrow input frame to suspects. Writes nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparkclean.confident.bounds import Bounds, remember_bounds
from sparkclean.confident.joint import calibrate_joint, confident_joint
from sparkclean.confident.noise import NoiseModel, estimate_noise
from sparkclean.confident.scores import PRIOR_SHIFTED, prior_shift
from sparkclean.confident.thresholds import confident_thresholds
from sparkclean.examples.checks import check_admission, data_warnings
from sparkclean.examples.statistics import ClassStatistics, Scanner
from sparkclean.jobs.audit.cutoffs import BucketCounts
from sparkclean.jobs.audit.doubts import find_doubts
from sparkclean.jobs.audit.findings import Findings
from sparkclean.jobs.audit.first_bounds import collect_bounds, fixed_thresholds
from sparkclean.jobs.audit.pass_plan import Known, Needs, PassKind, PlannedPass, next_pass
from sparkclean.jobs.audit.passes import Pass, Passes
from sparkclean.jobs.audit.row_types import LOW_CONFIDENCE
from sparkclean.jobs.audit.sections import AdmissionSection, MethodSection
from sparkclean.jobs.audit.selection import (
    Quotas,
    collect_lowest_margins,
    collect_suspects,
    find_quotas,
)
from sparkclean.numbers.pair_counts import PairCounts
from sparkclean.rows.progress import Progress
from sparkclean.rows.streams import Stream

_log = logging.getLogger("sparkclean")


def collect_findings(
    scanner: Scanner,
    method: MethodSection,
    admission: AdmissionSection,
    progress: Progress,
    *,
    rows: int,
    recall: Callable[[], str | None] = lambda: None,
) -> Findings:
    """Audit the rows of a scan: find the label issues.

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
    InputChangedError
        If a later pass has not read what the first one has.

    Notes
    -----
    Reads the wide column once where bounds of thresholds and cutoffs are known before and hold,
    after a sample; two or three times otherwise (`pass_plan`). No shuffle of it. The driver holds K
    x K numbers, and a sample of 16 MB.
    """
    passes = Passes(scanner, method, progress, rows)
    fixed = fixed_thresholds(method.thresholds, scanner.columns.classes)
    bounds = collect_bounds(scanner, method, progress, fixed=fixed, rows=rows, recall=recall)
    first = begin(passes, bounds)
    statistics = first.statistics
    check_admission(
        statistics,
        max_rejected_fraction=admission.max_rejected_fraction,
        ids=scanner.ids,
        label=scanner.columns.label,
        probs=scanner.columns.probs[0],
    )
    computed = confident_thresholds(statistics.sums, statistics.examples.tolist())
    thresholds = np.where(np.isnan(fixed), computed, fixed)
    joint = count_joint(passes, first, thresholds)
    noise = model_noise(joint.confident, statistics.examples)
    warnings = warn_of_data(scanner, statistics, joint.found.predictions)
    quotas = find_quotas(method, noise, statistics.examples)
    shift = find_shift(method, noise, statistics)
    candidates = emit_candidates(passes, joint, quotas, shift)
    suspects, label_quality, margins = collect_suspects(
        scanner,
        method,
        progress,
        streams=candidates.streams,
        quotas=quotas,
        thresholds=thresholds,
        counted=candidates.entries,
    )
    doubts = find_doubts(
        statistics,
        joint.found.predictions,
        joint.found.core,
        suspects.num_suspects,
        scanner.columns.classes,
    )
    for doubt in doubts:
        _log.warning("%s", doubt)
    return Findings(
        statistics=statistics,
        thresholds=thresholds,
        noise=noise,
        suspects=suspects,
        warnings=(*warnings, *map(str, doubts)),
        doubts=doubts,
        remembered=remember_bounds(thresholds, statistics.examples, margins),
        self_confidence=joint.found.self_confidence,
        label_quality=label_quality,
    )


# -- the passes, each with what is known by then ---------------------------------------------------


@dataclass(frozen=True)
class FirstPass:
    """What the first pass found, and by which bounds.

    Attributes
    ----------
    known : Known
        Before the pass.
    bounds : Bounds or None
    found : Pass
    statistics : ClassStatistics
    """

    known: Known
    bounds: Bounds | None
    found: Pass
    statistics: ClassStatistics


@dataclass(frozen=True)
class JointCounts:
    """The confident joint, counted.

    Attributes
    ----------
    known : Known
    thresholds : ndarray of float64, shape (K,)
    statistics : ClassStatistics
    found : Pass
        That counted it and emitted rows.
    confident : PairCounts
        Rows by given and confident class.
    lowest_margins : ndarray of float64, shape (K, K), or None
        By which rows of pairs were emitted.
    """

    known: Known
    thresholds: NDArray[np.float64]
    statistics: ClassStatistics
    found: Pass
    confident: PairCounts
    lowest_margins: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Candidates:
    """The rows among which the suspects are.

    Attributes
    ----------
    streams : dict
        By kind.
    entries : BucketCounts or None
        Entries of pairs by bucket, where a pass has counted them.
    """

    streams: Mapping[int, Stream]
    entries: BucketCounts | None


def begin(passes: Passes, bounds: Bounds | None) -> FirstPass:
    """Make the first pass.

    Parameters
    ----------
    passes : Passes
    bounds : Bounds or None
        Of what is not known yet.

    Returns
    -------
    FirstPass
    """
    known = Known.by_bounds(Needs.of(passes.method), bounds)
    found, statistics = passes.first(_planned(known), bounds)
    return FirstPass(known, bounds, found, statistics)


def count_joint(passes: Passes, first: FirstPass, thresholds: NDArray[np.float64]) -> JointCounts:
    """Take the joint from the first pass, where its bounds hold, or make the exact pass.

    Parameters
    ----------
    passes : Passes
    first : FirstPass
    thresholds : ndarray of float64, shape (K,)

    Returns
    -------
    JointCounts

    Notes
    -----
    Two jobs over rows that were emitted, or a pass.
    """
    bounds, statistics = first.bounds, first.statistics
    hold = bounds is not None and bounds.hold(thresholds)
    known = first.known.after_first(thresholds_hold=hold)
    if bounds is None or not known.joint:
        return _count_exactly(passes, known, thresholds, statistics)
    undecided = first.found.collect_undecided(thresholds, passes.method.collision)
    confident = first.found.confident + undecided
    return JointCounts(known, thresholds, statistics, first.found, confident, bounds.lowest_margins)


def _count_exactly(
    passes: Passes, known: Known, thresholds: NDArray[np.float64], statistics: ClassStatistics
) -> JointCounts:
    found = passes.exact(_planned(known), thresholds, statistics)
    return JointCounts(known.after_exact(), thresholds, statistics, found, found.confident)


def emit_candidates(
    passes: Passes, joint: JointCounts, quotas: Quotas, shift: NDArray[np.float64] | None
) -> Candidates:
    """Make the passes that are left, until all rows that the filter could select are emitted.

    Parameters
    ----------
    passes : Passes
    joint : JointCounts
    quotas : Quotas
    shift : ndarray of float64, shape (K,), or None
        For scores by the noise model.

    Returns
    -------
    Candidates

    Notes
    -----
    None, one or two passes.
    """
    known = joint.known.after_quotas(cutoffs_hold=quotas.reached_by(joint.found.found))
    planned = next_pass(known)
    if planned is None:
        return Candidates(joint.found.streams, joint.found.counted)
    if planned.kind is PassKind.EXACT:  # for rivals, which bound the cutoffs of class pairs
        again = _count_exactly(passes, known, joint.thresholds, joint.statistics)
        return emit_candidates(passes, again, quotas, shift)
    margins = joint.lowest_margins
    if known.needs.pair_cutoffs and not known.margins:
        margins = collect_lowest_margins(joint.found.streams[LOW_CONFIDENCE], quotas.of_pair)
    last = passes.last(planned, joint.thresholds, joint.statistics, margins=margins, shift=shift)
    return Candidates({**joint.found.streams, **last.streams}, last.counted)


def _planned(known: Known) -> PlannedPass:
    """Give the next pass, which there is, and say what was not as expected."""
    planned = next_pass(known)
    if planned is None:
        raise RuntimeError(f"no pass is left of {known}")
    if planned.notice:
        _log.info(planned.notice)
    return planned


# -- steps on the driver ---------------------------------------------------------------------------


def model_noise(confident: PairCounts, examples: NDArray[np.int64]) -> NoiseModel:
    """Estimate the noise from the counts of confident rows.

    Parameters
    ----------
    confident : PairCounts
        By given and confident class.
    examples : ndarray of int64, shape (K,)

    Returns
    -------
    NoiseModel
    """
    joint = confident_joint(confident.as_array())
    return estimate_noise(joint, calibrate_joint(joint, examples), examples)


def warn_of_data(
    scanner: Scanner, statistics: ClassStatistics, predictions: PairCounts
) -> tuple[str, ...]:
    """Log what looks wrong although it is allowed, and give it.

    Parameters
    ----------
    scanner : Scanner
    statistics : ClassStatistics
    predictions : PairCounts
        Rows by given class and argmax.

    Returns
    -------
    tuple of str
    """
    found = data_warnings(statistics, predictions, scanner.columns.classes)
    warnings = (*scanner.columns.warnings, *found)
    for warning in warnings:
        _log.warning("%s", warning)
    return warnings


def find_shift(
    method: MethodSection, noise: NoiseModel, statistics: ClassStatistics
) -> NDArray[np.float64] | None:
    """Compute the factors of ``prior_shifted_self_confidence``; None for other scores.

    Parameters
    ----------
    method : MethodSection
    noise : NoiseModel
    statistics : ClassStatistics

    Returns
    -------
    ndarray of float64, shape (K,), or None
    """
    if method.ranked_by != PRIOR_SHIFTED:
        return None
    return prior_shift(noise.calibrated_joint, statistics.column_sums, statistics.audited)
