"""The passes over the wide column, and what the driver makes of their state.

A pass runs one or more kernels on one scan. What it leaves in the workspace is read again by kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import functions as F

from sparkclean.cluster.batches import ID_PREFIX
from sparkclean.cluster.columns import Columns
from sparkclean.cluster.kernels import (
    COUNTS,
    COUNTS_STATE,
    KIND,
    LOW,
    OPEN,
    REJECTED,
    REJECTED_TYPE,
    STATE,
    SUMS,
    SUMS_STATE,
    TOTALS_STATE,
    Kernel,
    Together,
)
from sparkclean.cluster.scan import Scan
from sparkclean.cluster.workspace import Workspace
from sparkclean.confident.fixed_point import join_limbs
from sparkclean.confident.joint import NOT_CONFIDENT, UNDECIDED
from sparkclean.confident.thresholds import CONFIDENT_MARGIN

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame


@dataclass(frozen=True)
class Scanner:
    """One input, ready to be scanned several times.

    Attributes
    ----------
    scan : Scan
    columns : Columns
    workspace : Workspace
    """

    scan: Scan
    columns: Columns
    workspace: Workspace

    @property
    def ids(self) -> list[str]:
        """Names of the record id columns in all intermediate frames."""
        return [f"{ID_PREFIX}{i}" for i in range(len(self.columns.ids))]


@dataclass(frozen=True)
class ClassStatistics:
    """Examples, class sums and rejected rows: what `ClassSums` finds.

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
        Record ids, ``given_label``, ``reason``, ``detail``, range of values.
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


@dataclass(frozen=True)
class Pass:
    """The output of one scan.

    Attributes
    ----------
    output : DataFrame
        Cheap to read again.
    statistics : ClassStatistics
        Of `ClassSums`; zeros if it was not among the kernels.
    confident, predictions : ndarray of int64, shape (K, K)
        Of `ConfidentCounts`: rows by given class and outcome, but for the undecided ones
        (`collect_undecided`); rows by given class and argmax.
    found : ndarray of int64, shape (K, K)
        Of `PairMargins`: emitted entries by pair.
    """

    output: DataFrame
    statistics: ClassStatistics
    confident: NDArray[np.int64]
    predictions: NDArray[np.int64]
    found: NDArray[np.int64]

    def rows(self, *kinds: int) -> DataFrame:
        """Select output rows by kind. Lazy."""
        return self.output.where(F.col(KIND).isin(*kinds)).drop(KIND)

    def low_rows(self, thresholds: NDArray[np.float64], collision: str) -> DataFrame:
        """Select the low rows, the outcome of the undecided ones by thresholds. Lazy."""
        rows = self.rows(LOW)
        if "entries" not in rows.columns:
            return rows
        return rows.withColumn("outcome", outcome(thresholds, collision))

    def collect_undecided(
        self, thresholds: NDArray[np.float64], collision: str
    ) -> NDArray[np.int64]:
        """Count the rows that bands left undecided, by given class and outcome.

        Parameters
        ----------
        thresholds : ndarray of float64, shape (K,)
            Within the bands.
        collision : str

        Returns
        -------
        ndarray of int64, shape (K, K)

        Notes
        -----
        One job over the undecided rows; the driver holds at most K x K rows.
        """
        counts = np.zeros_like(self.confident)
        if "entries" not in self.output.columns:
            return counts
        undecided = self.rows(OPEN, LOW).where(F.col("outcome") == UNDECIDED)
        decided = undecided.select("given", outcome(thresholds, collision).alias("true"))
        for row in decided.where(F.col("true") >= 0).groupBy("given", "true").count().collect():
            counts[row["given"], row["true"]] = row["count"]
        return counts


def outcome(thresholds: NDArray[np.float64], collision: str) -> Column:
    """Decide the outcome of rows of `ConfidentCounts`, by the same rules as `confident_classes`.

    Parameters
    ----------
    thresholds : ndarray of float64, shape (K,)
    collision : str

    Returns
    -------
    Column
    """
    cuts = F.lit(thresholds - CONFIDENT_MARGIN)
    confident = F.filter(
        "entries", lambda entry: entry["probability"] >= F.get(cuts, entry["class"])
    )
    several = F.col("predicted")
    if collision == "paper":
        # the largest probability, then the first class
        best = F.array_max(
            F.transform(
                confident,
                lambda entry: F.struct(
                    entry["probability"].alias("probability"), (-entry["class"]).alias("negative")
                ),
            )
        )
        several = -best["negative"]
    size = F.size(confident)
    decided = (
        F.when(size == 0, NOT_CONFIDENT)
        .when(size == 1, F.get(confident, F.lit(0))["class"])
        .otherwise(several)
    )
    return F.when(F.col("outcome") == UNDECIDED, decided).otherwise(F.col("outcome"))


def run_pass(scanner: Scanner, name: str, *kernels: Kernel) -> Pass:
    """Run kernels on one scan.

    Parameters
    ----------
    scanner : Scanner
    name : str
        Of the output in the workspace.
    *kernels : Kernel

    Returns
    -------
    Pass

    Notes
    -----
    Reads the wide column once. Two jobs, a third where rows were rejected; the driver holds at
    most K x K rows.
    """
    size = scanner.columns.num_classes
    output = scanner.workspace.materialise(name, scanner.scan.run(Together(kernels)))
    parts = range(max(len(SUMS_STATE), len(TOTALS_STATE), len(COUNTS_STATE)))
    added = [F.sum(F.get(STATE, F.lit(i))).alias(f"part_{i}") for i in parts]
    state = output.where(F.col(KIND).isin(SUMS, COUNTS)).groupBy(KIND, "given", "true")
    matrices = {name: np.zeros((size, size), np.int64) for name in COUNTS_STATE}
    sums: list[dict[str, int]] = []
    for row in state.agg(*added).collect():
        kind, given, true, *values = row
        if kind == SUMS:
            names = SUMS_STATE if given >= 0 else TOTALS_STATE
            sums.append({"given": given} | dict(zip(names, values, strict=False)))
        else:
            for matrix, value in zip(matrices.values(), values, strict=False):
                matrix[given, true] = value
    return Pass(
        output=output,
        statistics=_class_statistics(scanner, output, sums),
        confident=matrices["confident"],
        predictions=matrices["predictions"],
        found=matrices["entries_found"],
    )


def _class_statistics(
    scanner: Scanner, output: DataFrame, state: list[dict[str, int]]
) -> ClassStatistics:
    size = scanner.columns.num_classes
    examples = np.zeros(size, np.int64)
    sums, column_sums = [0] * size, [0] * size
    # no rows: no tasks, or no state of theirs
    totals = dict.fromkeys(TOTALS_STATE, 0)
    for row in state:
        k = row["given"]
        if k < 0:
            totals = row
            continue
        examples[k] = row["examples"]
        sums[k] = join_limbs(row["sum_high"], row["sum_low"])
        column_sums[k] = join_limbs(row["column_high"], row["column_low"])
    rejected = output.where(F.col(KIND) == REJECTED)
    if "rejected" in output.columns:
        parsed = F.from_json("rejected", REJECTED_TYPE).alias("rejected")
        rejected = rejected.select(*scanner.ids, parsed).select(*scanner.ids, "rejected.*")
    rejections = {}
    lowest = highest = None
    if totals["rows"] > examples.sum():
        ends = F.min("lowest").alias("lowest"), F.max("highest").alias("highest")
        counted = rejected.groupBy("reason").agg(F.count("*").alias("rows"), *ends).collect()
        rejections = {row["reason"]: row["rows"] for row in counted}
        lowest = min((row["lowest"] for row in counted if row["lowest"] is not None), default=None)
        highest = max(
            (row["highest"] for row in counted if row["highest"] is not None), default=None
        )
    return ClassStatistics(
        rows=totals["rows"],
        examples=examples,
        sums=sums,
        column_sums=column_sums,
        clipped=totals["clipped"],
        surely=totals["surely"],
        percentages=totals["percentages"],
        lowest=lowest,
        highest=highest,
        rejections=rejections,
        rejected=rejected,
    )
