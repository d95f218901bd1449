"""The passes over the wide column, and what the driver makes of their state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import functions as F

from sparkclean.cluster.batches import ID_PREFIX, BatchReader
from sparkclean.cluster.columns import Columns
from sparkclean.cluster.kernels import (
    KIND,
    ROW,
    SCORE,
    STATE,
    ClassSums,
    ConfidentCounts,
    PairMargins,
    highest_low_confidence,
)
from sparkclean.cluster.scan import scan_frame
from sparkclean.cluster.workspace import Workspace
from sparkclean.confident.fixed_point import join_limbs
from sparkclean.confident.joint import calibrate_joint, confident_joint
from sparkclean.confident.noise import NoiseModel, estimate_noise

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class Scanner:
    """One input, ready to be scanned several times.

    Attributes
    ----------
    frame : DataFrame
        The narrow input: record ids, label, probabilities.
    columns : Columns
    reader : BatchReader
    workspace : Workspace
    """

    frame: DataFrame
    columns: Columns
    reader: BatchReader
    workspace: Workspace

    @property
    def ids(self) -> list[str]:
        """Names of the record id columns in all intermediate frames."""
        return [f"{ID_PREFIX}{i}" for i in range(len(self.columns.ids))]


@dataclass(frozen=True)
class ClassStatistics:
    """What pass 1 finds.

    Attributes
    ----------
    rows : int
        All rows read.
    examples : ndarray of int64, shape (K,)
        Admitted rows by given class.
    sums, column_sums : list of int, length K
        Exact sums in units of 2**-40: of p_k over the rows given k; of p_k over all rows.
    clipped : int
        Rows in which a value was clipped to [0, 1].
    surely : int
        Rows with a self-confidence above .999.
    percentages : int
        Rejected rows that sum to 100.
    lowest, highest : float or None
        Range of values in rejected rows.
    rejections : dict
        Number of rejected rows by reason.
    rejected : DataFrame
        Record ids, ``given_label``, ``reason``, ``detail``.
    """

    rows: int
    examples: NDArray[np.int64]
    sums: list[int]
    column_sums: list[int]
    clipped: int
    surely: int
    percentages: int
    lowest: float | None
    highest: float | None
    rejections: dict[str, int]
    rejected: DataFrame

    @property
    def audited(self) -> int:
        """Admitted rows."""
        return int(self.examples.sum())


def collect_class_statistics(scanner: Scanner, *, with_columns: bool) -> ClassStatistics:
    """Run pass 1.

    Parameters
    ----------
    scanner : Scanner
    with_columns : bool
        Whether whole columns are summed, too.

    Returns
    -------
    ClassStatistics

    Notes
    -----
    Reads the wide column once. Two or three jobs; the driver holds K + 1 rows.
    """
    size = scanner.columns.num_classes
    kernel = ClassSums(size, with_columns)
    output = scanner.workspace.materialise(
        "class_sums", scan_frame(scanner.frame, scanner.reader, kernel, scanner.columns.id_types)
    )
    added = ("examples", "sum_high", "sum_low", "column_high", "column_low", "clipped", "surely")
    state = (
        output.where(F.col(KIND) == STATE)
        .groupBy("class")
        .agg(
            *[F.sum(name).alias(name) for name in (*added, "percentages")],
            F.min("lowest").alias("lowest"),
            F.max("highest").alias("highest"),
        )
        .collect()
    )
    examples = np.zeros(size, np.int64)
    sums, column_sums = [0] * size, [0] * size
    totals = next((row for row in state if row["class"] == -1), None)
    for row in state:
        if row["class"] >= 0:
            examples[row["class"]] = row["examples"]
            sums[row["class"]] = join_limbs(row["sum_high"], row["sum_low"])
            column_sums[row["class"]] = join_limbs(row["column_high"], row["column_low"])
    rows = int(totals["examples"]) if totals else 0
    rejected = output.where(F.col(KIND) == ROW)
    rejections = {}
    if rows > examples.sum():
        counted = rejected.groupBy("reason").count().collect()
        rejections = {row["reason"]: row["count"] for row in counted}
    return ClassStatistics(
        rows=rows,
        examples=examples,
        sums=sums,
        column_sums=column_sums,
        clipped=int(totals["clipped"]) if totals else 0,
        surely=int(totals["surely"]) if totals else 0,
        percentages=int(totals["percentages"]) if totals else 0,
        lowest=totals["lowest"] if totals else None,
        highest=totals["highest"] if totals else None,
        rejections=rejections,
        rejected=rejected.select(*scanner.ids, "given_label", "reason", "detail"),
    )


@dataclass(frozen=True)
class JointStatistics:
    """What pass 2 finds.

    Attributes
    ----------
    noise : NoiseModel
    predictions : ndarray of int64, shape (K, K)
        Rows by given class and argmax.
    low_rows : DataFrame
        Record ids and the columns of `ConfidentCounts` for the rows a filter could flag.
    """

    noise: NoiseModel
    predictions: NDArray[np.int64]
    low_rows: DataFrame


def collect_joint(
    scanner: Scanner, kernel: ConfidentCounts, examples: NDArray[np.int64]
) -> JointStatistics:
    """Run pass 2.

    Parameters
    ----------
    scanner : Scanner
    kernel : ConfidentCounts
        Holds thresholds, rule and score.
    examples : ndarray of int64, shape (K,)

    Returns
    -------
    JointStatistics

    Notes
    -----
    Reads the wide column once. Two jobs; the driver holds at most K x K rows.
    """
    size = scanner.columns.num_classes
    output = scanner.workspace.materialise(
        "confident_counts",
        scan_frame(scanner.frame, scanner.reader, kernel, scanner.columns.id_types),
    )
    counts, predictions = np.zeros((size, size), np.int64), np.zeros((size, size), np.int64)
    state = output.where(F.col(KIND) == STATE).groupBy("given", "true")
    for row in state.agg(
        F.sum("confident").alias("confident"), F.sum("predictions").alias("predictions")
    ).collect():
        counts[row["given"], row["true"]] = row["confident"]
        predictions[row["given"], row["true"]] = row["predictions"]
    joint = confident_joint(counts)
    return JointStatistics(
        noise=estimate_noise(joint, calibrate_joint(joint, examples), examples),
        predictions=predictions,
        low_rows=output.where(F.col(KIND) == ROW).drop(KIND, "true", "confident", "predictions"),
    )


@dataclass(frozen=True)
class PairEntries:
    """What pass 3 finds.

    Attributes
    ----------
    margins : DataFrame
        Record ids, ``given``, ``true``, ``margin``: every entry that its pair's quota can
        reach.
    scores : DataFrame
        Record ids, ``quality`` of the low rows, where asked.
    """

    margins: DataFrame
    scores: DataFrame


def scan_pairs(
    scanner: Scanner,
    *,
    lowest_margins: NDArray[np.float64] | None,
    prior_shift: NDArray[np.float64] | None,
) -> PairEntries:
    """Run pass 3, for filters by pair and for scores that need the noise model.

    Parameters
    ----------
    scanner : Scanner
    lowest_margins : ndarray of float64, shape (K, K), or None
        Lower bound of the margins to return by (given, true).
    prior_shift : ndarray of float64, shape (K,), or None

    Returns
    -------
    PairEntries

    Notes
    -----
    Reads the wide column once. One job.
    """
    highest = highest_low_confidence(scanner.columns.num_classes, scanner.reader.row_sum_tolerance)
    kernel = PairMargins(lowest_margins, prior_shift, highest)
    output = scanner.workspace.materialise(
        "pair_margins",
        scan_frame(scanner.frame, scanner.reader, kernel, scanner.columns.id_types),
    )
    ids = scanner.ids
    return PairEntries(
        margins=output.where(F.col(KIND) == ROW).select(*ids, "given", "true", "margin"),
        scores=output.where(F.col(KIND) == SCORE).select(*ids, "quality"),
    )
