"""The method over a cluster, from a narrow input frame to ranked suspects. Writes nothing."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import functions as F

from sparkclean.cluster.checks import check_admission, data_warnings
from sparkclean.cluster.kernels import (
    LOW,
    MARGIN,
    SCORE,
    ClassSums,
    ConfidentCounts,
    Kernel,
    PairMargins,
)
from sparkclean.cluster.passes import ClassStatistics, Pass, Scanner, outcome, run_pass
from sparkclean.cluster.progress import Progress
from sparkclean.cluster.selection import (
    collect_lowest_margins,
    predicted,
    ranked,
    select_issues,
)
from sparkclean.confident.bounds import Bounds, sample_bounds
from sparkclean.confident.filters import PRUNING_FILTERS, class_quotas, has_enough, prune_counts
from sparkclean.confident.joint import calibrate_joint, confident_joint
from sparkclean.confident.noise import NoiseModel, estimate_noise
from sparkclean.confident.result_hash import LIMB_BITS, LIMBS, join_hash_limbs, result_hash
from sparkclean.confident.scores import WIDE_SCORES, prior_shift
from sparkclean.confident.thresholds import confident_thresholds
from sparkclean.config import AdmissionSection, MethodSection
from sparkclean.errors import ConfigError
from sparkclean.schema import SUSPECT_REASONS

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

_log = logging.getLogger("sparkclean")

PAIR_FILTERS = ("prune_by_noise_rate", "both")
PRIOR_SHIFTED = "prior_shifted_self_confidence"


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
    suspect_sum : int
        Sum of the hashes of the suspects.
    reason : str
    warnings : tuple of str
    """

    statistics: ClassStatistics
    thresholds: NDArray[np.float64]
    noise: NoiseModel
    issues: DataFrame
    suspects: DataFrame
    suspect_counts: NDArray[np.int64]
    suspect_sum: int
    reason: str
    warnings: tuple[str, ...]

    @property
    def num_suspects(self) -> int:
        """Number of label issues."""
        return int(self.suspect_counts.sum())


def collect_findings(
    scanner: Scanner,
    method: MethodSection,
    admission: AdmissionSection,
    progress: Progress,
) -> Findings:
    """Audit the rows of a scan: find the label issues and rank them.

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
        If there are no rows, or too many are rejected.

    Notes
    -----
    Reads the wide column once where bounds of thresholds and cuts are known before and hold; two
    or three times otherwise. No shuffle of it. The driver holds K x K numbers, and a sample of
    16 MB.
    """
    passes = _Passes(scanner, method, progress)
    fixed = fixed_thresholds(method.thresholds, scanner.columns.classes)
    bounds = collect_bounds(scanner, method, fixed)
    counted = passes.first(bounds)
    statistics = counted.statistics
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
        _log.info("the thresholds are not where a sample had them: one more pass")
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
    quotas = _quotas(method, noise, statistics.examples)
    expected = bounds is not None and bounds.lowest_margins is not None
    if expected and (counted.found < quotas.of_pair).any():
        _log.info("the cuts of pairs are not where a sample had them: two more passes")
        counted, expected = passes.exact(thresholds, statistics.rows), False
    low_rows = counted.rows(LOW).withColumn("outcome", outcome(thresholds, method.collision))
    margins = counted.rows(MARGIN) if expected else None
    scores = None
    if (method.filter_by in PAIR_FILTERS and not expected) or method.ranked_by == PRIOR_SHIFTED:
        shift = None
        if method.ranked_by == PRIOR_SHIFTED:
            shift = prior_shift(noise.calibrated_joint, statistics.column_sums, statistics.audited)
        third = passes.third(low_rows, None if expected else quotas.of_pair, shift, statistics.rows)
        margins = margins if expected else third.rows(MARGIN)
        scores = None if shift is None else third.rows(SCORE).select(*scanner.ids, "quality")
    issues, counts, suspect_sum = _collect_issues(
        scanner, method, progress, low_rows=low_rows, margins=margins, scores=scores, quotas=quotas
    )
    suspects = ranked(issues, score="label_quality", ids=scanner.ids, count=int(counts.sum()))
    return Findings(
        statistics=statistics,
        thresholds=thresholds,
        noise=noise,
        issues=issues,
        suspects=suspects,
        suspect_counts=counts,
        suspect_sum=suspect_sum,
        reason=SUSPECT_REASONS[method.filter_by],
        warnings=tuple(warnings),
    )


@dataclass(frozen=True)
class _Passes:
    """The passes that an audit may need, over one scan."""

    scanner: Scanner
    method: MethodSection
    progress: Progress

    def first(self, bounds: Bounds | None) -> Pass:
        """Admit rows and add up classes; with bounds count the joint and emit rows as well."""
        size, method = self.scanner.columns.num_classes, self.method
        kernels: list[Kernel] = [ClassSums(size, method.ranked_by == PRIOR_SHIFTED)]
        if bounds is not None:
            pairs = bounds.lowest_margins is not None
            kernels.append(self._counts(bounds.lowest, bounds.highest, pairs=pairs))
            if pairs:
                kernels.append(self._margins(bounds.lowest_margins))
        what = "class sums" if bounds is None else "class sums and confident joint"
        with self.progress.phase(f"pass 1: {what}") as phase:
            found = run_pass(self.scanner, "pass_1", *kernels)
            phase.rows = found.statistics.rows
        return found

    def exact(self, thresholds: NDArray[np.float64], rows: int) -> Pass:
        """Count the joint by thresholds that are known, and emit rows."""
        with self.progress.phase("pass 2: confident joint") as phase:
            phase.rows = rows
            return run_pass(self.scanner, "pass_2", self._counts(thresholds, thresholds))

    def third(
        self,
        low_rows: DataFrame,
        of_pair: NDArray[np.int64] | None,
        shift: NDArray[np.float64] | None,
        rows: int,
    ) -> Pass:
        """Emit what pairs may prune, by bounds from the low rows; score by the noise model."""
        with self.progress.phase("pass 3: margins of class pairs") as phase:
            phase.rows = rows
            bounds = None
            if of_pair is not None and self.method.filter_by in PAIR_FILTERS:
                bounds = collect_lowest_margins(low_rows, of_pair)
            return run_pass(self.scanner, "pass_3", self._margins(bounds, shift))

    def _counts(
        self,
        lowest: NDArray[np.float64],
        highest: NDArray[np.float64],
        *,
        pairs: bool = False,
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
            score=score_of_row(method),
            adjusted=method.adjust_pred_probs,
        )

    def _margins(
        self, lowest: NDArray[np.float64] | None, shift: NDArray[np.float64] | None = None
    ) -> PairMargins:
        tolerance = self.scanner.scan.reader.row_sum_tolerance
        return PairMargins(lowest, tolerance, shift, score=score_of_row(self.method))


def collect_bounds(
    scanner: Scanner, method: MethodSection, fixed: NDArray[np.float64]
) -> Bounds | None:
    """Bound thresholds and cuts by a sample, where the scan can take one cheaply.

    Parameters
    ----------
    scanner : Scanner
    method : MethodSection
    fixed : ndarray of float64, shape (K,)
        Thresholds that are not computed; NaN elsewhere.

    Returns
    -------
    Bounds or None

    Notes
    -----
    No job: reads at most 16 MB of probabilities on the driver.
    """
    if method.adjust_pred_probs:  # scores each row by exact thresholds
        return None
    sample = scanner.scan.sample()
    if sample is None:
        return None
    return sample_bounds(
        *sample,
        fixed=fixed,
        collision=method.collision,
        frac_noise=method.frac_noise if method.filter_by in PAIR_FILTERS else None,
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


def score_of_row(method: MethodSection) -> str | None:
    """Name the score that needs the whole row, if the method has one that a pass can compute."""
    wide = method.ranked_by in WIDE_SCORES or method.adjust_pred_probs
    return method.ranked_by if wide and method.ranked_by != PRIOR_SHIFTED else None


def _collect_issues(
    scanner: Scanner,
    method: MethodSection,
    progress: Progress,
    *,
    low_rows: DataFrame,
    margins: DataFrame | None,
    scores: DataFrame | None,
    quotas: Quotas,
) -> tuple[DataFrame, NDArray[np.int64], int]:
    """Give the issues, their counts by given and suggested class, and the sum of their hashes."""
    size = scanner.columns.num_classes
    with progress.phase("select suspects") as phase:
        issues = select_issues(
            low_rows,
            filter_by=method.filter_by,
            ids=scanner.ids,
            class_quotas=quotas.of_class,
            pair_quotas=quotas.of_pair,
            margins=margins,
        )
        if scores is not None:
            issues = issues.drop("quality").join(scores, scanner.ids)
        issues = issues.select(
            *scanner.ids,
            "given",
            predicted().alias("suggested"),
            F.col("own").alias("self_confidence"),
            F.greatest("own", "other_probability").alias("suggested_probability"),
            _quality(method).alias("label_quality"),
        )
        issues = scanner.workspace.materialise("suspects", issues)
        counts = np.zeros((size, size), np.int64)
        limbs = [0] * LIMBS
        hashes = _hash_limbs(scanner.ids, dict(issues.dtypes), SUSPECT_REASONS[method.filter_by])
        found = issues.groupBy("given", "suggested").agg(F.count("*").alias("rows"), *hashes)
        for row in found.collect():
            counts[row["given"], row["suggested"]] = row["rows"]
            limbs = [limb + row[f"limb_{i}"] for i, limb in enumerate(limbs)]
        phase.rows = int(counts.sum())
    return issues, counts, join_hash_limbs(limbs)


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


def _quotas(method: MethodSection, noise: NoiseModel, examples: NDArray[np.int64]) -> Quotas:
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


def _quality(method: MethodSection) -> Column:
    if method.ranked_by == "self_confidence" and not method.adjust_pred_probs:
        return F.col("own")
    if method.ranked_by == "normalized_margin" and not method.adjust_pred_probs:
        return (F.col("own") - F.col("other_probability") + 1.0) / 2.0
    return F.col("quality")


def _hash_limbs(ids: Sequence[str], types: Mapping[str, str], reason: str) -> list[Column]:
    """Sum the hashes of suspects in limbs, as `sparkclean.confident.result_hash` does on arrays."""
    fields = [
        F.concat(F.lit("s" if types[name] == "string" else "i"), F.col(name).cast("string"))
        for name in ids
    ]
    fields += [F.col("given").cast("string"), F.col("suggested").cast("string"), F.lit(reason)]
    text = F.concat(
        *[
            part
            for field in fields
            for part in (F.octet_length(field).cast("string"), F.lit(":"), field)
        ]
    )
    digits, hashed = LIMB_BITS // 4, F.sha2(text, 256)
    return [
        F.sum(F.conv(F.substring(hashed, 1 + digits * i, digits), 16, 10).cast("bigint")).alias(
            f"limb_{i}"
        )
        for i in range(LIMBS)
    ]


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
        64 hexadecimal digits, equal to those of `sparkclean.confident.result_hash` on arrays.
    """
    return result_hash(
        classes=classes,
        thresholds=findings.thresholds,
        confident_joint=findings.noise.confident_joint,
        calibrated_joint=findings.noise.calibrated_joint,
        suspects=findings.num_suspects,
        suspect_sum=findings.suspect_sum,
    )
