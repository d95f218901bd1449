"""What an audit found: label issues selected, counted and hashed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import functions as F

from sparkclean.cluster.kernels import MARGIN
from sparkclean.cluster.passes import ClassStatistics, Pass, Scanner
from sparkclean.cluster.progress import Progress
from sparkclean.cluster.selection import predicted, select_issues
from sparkclean.confident.filters import PRUNING_FILTERS, class_quotas, has_enough, prune_counts
from sparkclean.confident.noise import NoiseModel
from sparkclean.confident.result_hash import LIMB_BITS, LIMBS, join_hash_limbs, result_hash
from sparkclean.config import MethodSection
from sparkclean.schema import SUSPECT_REASONS

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame


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


def collect_issues(
    scanner: Scanner,
    method: MethodSection,
    progress: Progress,
    *,
    low_rows: DataFrame,
    pairs: Pass | None,
    scores: DataFrame | None,
    quotas: Quotas,
) -> tuple[DataFrame, NDArray[np.int64], int]:
    """Select the label issues, count and hash them.

    Parameters
    ----------
    scanner : Scanner
    method : MethodSection
    progress : Progress
    low_rows : DataFrame
        Of `ConfidentCounts`.
    pairs : Pass or None
        With the entries of `PairMargins`, for filters by pair.
    scores : DataFrame or None
        Record ids and ``quality``, where a pass of its own has scored.
    quotas : Quotas

    Returns
    -------
    issues : DataFrame
        As in `Findings`.
    counts : ndarray of int64, shape (K, K)
        By given and suggested class.
    suspect_sum : int
        Sum of the hashes of the issues.

    Notes
    -----
    A job that writes the issues to the workspace, one that counts them; those of `select_issues`.
    """
    size = scanner.columns.num_classes
    with progress.phase("select suspects") as phase:
        issues = select_issues(
            low_rows,
            filter_by=method.filter_by,
            ids=scanner.ids,
            class_quotas=quotas.of_class,
            pair_quotas=quotas.of_pair,
            margins=None if pairs is None else pairs.rows(MARGIN),
            margins_count=0 if pairs is None else int(pairs.found.sum()),
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
