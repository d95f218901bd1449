"""The passes over the wide column, and what the driver makes of their state.

A pass runs one or more kernels on one scan. What it leaves in the workspace is read again by kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import functions as F

from sparkclean.cluster.batches import ID_PREFIX
from sparkclean.cluster.columns import Columns
from sparkclean.cluster.kernels import (
    COUNTS,
    KIND,
    LOW,
    OPEN,
    REJECTED,
    SUMS,
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
        Record ids, ``given_label``, ``reason``, ``detail`` among its columns.
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


#: State that is added up.
_ADDED = (
    "examples",
    "sum_high",
    "sum_low",
    "column_high",
    "column_low",
    "clipped",
    "surely",
    "percentages",
    "confident",
    "predictions",
    "entries_found",
)


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
        Of `ConfidentCounts`: decided rows by given class and outcome; rows by given class and
        argmax.
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
    added = [F.sum(column).alias(column) for column in output.columns if column in _ADDED]
    if "lowest" in output.columns:
        added += [F.min("lowest").alias("lowest"), F.max("highest").alias("highest")]
    state = output.where(F.col(KIND).isin(SUMS, COUNTS)).groupBy(KIND, "given", "true")
    rows = [row.asDict() for row in state.agg(*added).collect()]
    matrices = {
        column: np.zeros((size, size), np.int64)
        for column in ("confident", "predictions", "entries_found")
    }
    for row in rows:
        if row[KIND] == COUNTS:
            for column, matrix in matrices.items():
                matrix[row["given"], row["true"]] = row.get(column) or 0
    sums = [row for row in rows if row[KIND] == SUMS]
    return Pass(
        output=output,
        statistics=_class_statistics(scanner, output, sums),
        confident=matrices["confident"],
        predictions=matrices["predictions"],
        found=matrices["entries_found"],
    )


def _class_statistics(
    scanner: Scanner, output: DataFrame, state: list[dict[str, Any]]
) -> ClassStatistics:
    size = scanner.columns.num_classes
    examples = np.zeros(size, np.int64)
    sums, column_sums = [0] * size, [0] * size
    for row in state:
        if row["given"] >= 0:
            examples[row["given"]] = row["examples"]
            sums[row["given"]] = join_limbs(row["sum_high"], row["sum_low"])
            column_sums[row["given"]] = join_limbs(row["column_high"], row["column_low"])
    # no rows: no tasks, or no state of theirs
    nothing = dict.fromkeys(("examples", "clipped", "surely", "percentages"), 0)
    totals = next((row for row in state if row["given"] == -1), nothing)
    rows = int(totals["examples"])
    rejected = output.where(F.col(KIND) == REJECTED)
    rejections = {}
    if rows > examples.sum():
        counted = rejected.groupBy("reason").count().collect()
        rejections = {row["reason"]: row["count"] for row in counted}
    return ClassStatistics(
        rows=rows,
        examples=examples,
        sums=sums,
        column_sums=column_sums,
        clipped=int(totals["clipped"]),
        surely=int(totals["surely"]),
        percentages=int(totals["percentages"]),
        lowest=totals.get("lowest"),
        highest=totals.get("highest"),
        rejections=rejections,
        rejected=rejected,
    )
