"""The method over a cluster, from a narrow input frame to ranked suspects. Writes nothing."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import functions as F

from sparkclean.cluster.checks import check_admission, data_warnings
from sparkclean.cluster.kernels import ConfidentCounts
from sparkclean.cluster.passes import (
    ClassStatistics,
    JointStatistics,
    Scanner,
    collect_class_statistics,
    collect_joint,
    scan_pairs,
)
from sparkclean.cluster.progress import Progress
from sparkclean.cluster.selection import collect_lowest_margins, ranked, select_issues
from sparkclean.confident.filters import PRUNING_FILTERS, class_quotas, has_enough, prune_counts
from sparkclean.confident.noise import NoiseModel
from sparkclean.confident.result_hash import LIMB_BITS, LIMBS, join_hash_limbs, result_hash
from sparkclean.confident.scores import WIDE_SCORES, prior_shift
from sparkclean.confident.thresholds import confident_thresholds
from sparkclean.config import AdmissionSection, MethodSection
from sparkclean.errors import ConfigError
from sparkclean.schema import SUSPECT_REASONS

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

_log = logging.getLogger("sparkclean")

_PAIR_FILTERS = ("prune_by_noise_rate", "both")
_PRIOR_SHIFTED = "prior_shifted_self_confidence"


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
    suspects : DataFrame
        The same with ``rank``. Lazy: ranks are computed for whoever reads them.
    suspect_counts : ndarray of int64, shape (K, K)
        Suspects by given and suggested class.
    reason : str
    warnings : tuple of str
    """

    statistics: ClassStatistics
    thresholds: NDArray[np.float64]
    noise: NoiseModel
    issues: DataFrame
    suspects: DataFrame
    suspect_counts: NDArray[np.int64]
    reason: str
    warnings: tuple[str, ...]

    @property
    def num_suspects(self) -> int:
        """Number of label issues."""
        return int(self.suspect_counts.sum())


def count_passes(method: MethodSection) -> int:
    """Tell how often the wide column is read.

    Parameters
    ----------
    method : MethodSection

    Returns
    -------
    int
        2; 3 where pairs are ranked or a score needs the noise model.
    """
    return 3 if _needs_third_pass(method) else 2


def _needs_third_pass(method: MethodSection) -> bool:
    return method.filter_by in _PAIR_FILTERS or method.ranked_by == _PRIOR_SHIFTED


def collect_findings(
    scanner: Scanner,
    method: MethodSection,
    admission: AdmissionSection,
    progress: Progress,
) -> Findings:
    """Audit a frame: find the label issues and rank them.

    Parameters
    ----------
    scanner : Scanner
    method : MethodSection
    admission : AdmissionSection
    progress : Progress

    Returns
    -------
    Findings

    Raises
    ------
    InputError
        If the frame is empty or too many rows are rejected.

    Notes
    -----
    Reads the wide column `count_passes` times, without a shuffle of it. The driver holds K x K
    numbers.
    """
    fixed = fixed_thresholds(method.thresholds, scanner.columns.classes)
    with progress.phase("pass 1: admission and class sums") as phase:
        statistics = collect_class_statistics(
            scanner, with_columns=method.ranked_by == _PRIOR_SHIFTED
        )
        phase.rows = statistics.rows
    check_admission(
        statistics,
        max_rejected_fraction=admission.max_rejected_fraction,
        ids=scanner.ids,
        label=scanner.columns.label,
        probs=scanner.columns.probs[0],
    )
    computed = confident_thresholds(statistics.sums, statistics.examples.tolist())
    thresholds = np.where(np.isnan(fixed), computed, fixed)
    with progress.phase("pass 2: confident joint") as phase:
        kernel = ConfidentCounts(
            thresholds,
            method.collision,
            scanner.reader.row_sum_tolerance,
            score=_score_in_pass_2(method),
            adjusted=method.adjust_pred_probs,
        )
        joint = collect_joint(scanner, kernel, statistics.examples)
        phase.rows = statistics.rows
    warnings = [
        *scanner.columns.warnings,
        *data_warnings(statistics, joint.predictions, scanner.columns.classes),
    ]
    for warning in warnings:
        _log.warning("%s", warning)
    issues, counts = _collect_issues(scanner, method, statistics, joint, progress)
    suspects = ranked(issues, score="label_quality", ids=scanner.ids, count=int(counts.sum()))
    return Findings(
        statistics=statistics,
        thresholds=thresholds,
        noise=joint.noise,
        issues=issues,
        suspects=suspects,
        suspect_counts=counts,
        reason=SUSPECT_REASONS[method.filter_by],
        warnings=tuple(warnings),
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


def _score_in_pass_2(method: MethodSection) -> str | None:
    """Name the score that needs the whole row and only thresholds, if the method has it."""
    wide = method.ranked_by in WIDE_SCORES or method.adjust_pred_probs
    return method.ranked_by if wide and method.ranked_by != _PRIOR_SHIFTED else None


def _collect_issues(
    scanner: Scanner,
    method: MethodSection,
    statistics: ClassStatistics,
    joint: JointStatistics,
    progress: Progress,
) -> tuple[DataFrame, NDArray[np.int64]]:
    size = scanner.columns.num_classes
    of_class, of_pair = _quotas(method, joint.noise, statistics.examples)
    pairs = None
    if _needs_third_pass(method):
        with progress.phase("pass 3: margins of class pairs") as phase:
            bounds = None
            if method.filter_by in _PAIR_FILTERS:
                bounds = collect_lowest_margins(joint.low_rows, of_pair)
            shift = None
            if method.ranked_by == _PRIOR_SHIFTED:
                shift = prior_shift(
                    joint.noise.calibrated_joint, statistics.column_sums, statistics.audited
                )
            pairs = scan_pairs(scanner, lowest_margins=bounds, prior_shift=shift)
            phase.rows = statistics.rows
    with progress.phase("select suspects") as phase:
        issues = select_issues(
            joint.low_rows,
            filter_by=method.filter_by,
            ids=scanner.ids,
            class_quotas=of_class,
            pair_quotas=of_pair,
            margins=pairs.margins if pairs and method.filter_by in _PAIR_FILTERS else None,
        )
        if pairs is not None and method.ranked_by == _PRIOR_SHIFTED:
            issues = issues.drop("quality").join(pairs.scores, scanner.ids)
        issues = issues.select(
            *scanner.ids,
            "given",
            F.col("predicted").alias("suggested"),
            F.col("own").alias("self_confidence"),
            F.greatest("own", "other_probability").alias("suggested_probability"),
            _quality(method).alias("label_quality"),
        )
        issues = scanner.workspace.materialise("suspects", issues)
        counts = np.zeros((size, size), np.int64)
        for row in issues.groupBy("given", "suggested").count().collect():
            counts[row["given"], row["suggested"]] = row["count"]
        phase.rows = int(counts.sum())
    return issues, counts


def _quotas(
    method: MethodSection, noise: NoiseModel, examples: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows to prune by class and by pair; the diagonal of the latter is 0."""
    size = len(examples)
    if method.filter_by not in PRUNING_FILTERS:
        return np.zeros(size, np.int64), np.zeros((size, size), np.int64)
    counts = prune_counts(
        noise.calibrated_joint,
        min_examples=method.min_examples_per_class,
        frac_noise=method.frac_noise,
    )
    enough = has_enough(examples, method.min_examples_per_class)
    of_class = np.where(enough, class_quotas(counts, examples), 0)
    of_pair = np.where(enough[:, None], counts, 0)
    np.fill_diagonal(of_pair, 0)
    return of_class, of_pair


def _quality(method: MethodSection) -> Column:
    if method.ranked_by == "self_confidence" and not method.adjust_pred_probs:
        return F.col("own")
    if method.ranked_by == "normalized_margin" and not method.adjust_pred_probs:
        return (F.col("own") - F.col("other_probability") + 1.0) / 2.0
    return F.col("quality")


def compute_result_hash(findings: Findings, classes: Sequence[Any], ids: Sequence[str]) -> str:
    """Hash the answer, for comparison with any other run.

    Parameters
    ----------
    findings : Findings
    classes : sequence
        The K labels.
    ids : sequence of str
        Record id columns of the suspects.

    Returns
    -------
    str
        64 hexadecimal digits, equal to those of `sparkclean.confident.result_hash` on arrays.

    Notes
    -----
    One job over the suspects, without a sort.
    """
    types = dict(findings.issues.dtypes)
    fields = [
        F.concat(F.lit("s" if types[name] == "string" else "i"), F.col(name).cast("string"))
        for name in ids
    ]
    fields += [F.col("given").cast("string"), F.col("suggested").cast("string")]
    fields.append(F.lit(findings.reason))
    text = F.concat(
        *[
            part
            for field in fields
            for part in (F.octet_length(field).cast("string"), F.lit(":"), field)
        ]
    )
    digits = LIMB_BITS // 4
    hashed = findings.issues.select(F.sha2(text, 256).alias("hash"))
    limbs = hashed.agg(
        *[
            F.sum(F.conv(F.substring("hash", 1 + digits * i, digits), 16, 10).cast("bigint")).alias(
                f"limb_{i}"
            )
            for i in range(LIMBS)
        ]
    ).collect()[0]
    return result_hash(
        classes=classes,
        thresholds=findings.thresholds,
        confident_joint=findings.noise.confident_joint,
        calibrated_joint=findings.noise.calibrated_joint,
        suspects=findings.num_suspects,
        suspect_sum=join_hash_limbs([limb or 0 for limb in limbs]),
    )
