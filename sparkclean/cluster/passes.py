"""The passes over the wide column, and what the driver makes of their state.

A pass runs one or more kernels on one scan. What it leaves in the workspace is read again by kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import functions as F

from sparkclean.cluster.batches import ID_PREFIX
from sparkclean.cluster.columns import Columns
from sparkclean.cluster.cuts import Counted, counted_of
from sparkclean.cluster.issue_kernels import CountOutcomes
from sparkclean.cluster.kernels import (
    COUNTS,
    COUNTS_STATE,
    LOW,
    OPEN,
    REJECTED,
    REJECTED_TYPE,
    SUMS,
    SUMS_STATE,
    TOTALS_STATE,
    Kernel,
    KernelWork,
    Together,
)
from sparkclean.cluster.row_kernels import PairMargins
from sparkclean.cluster.scan import Scan
from sparkclean.cluster.streams import State, Stream, collect_states
from sparkclean.cluster.workspace import Workspace
from sparkclean.confident.fixed_point import join_limbs

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


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
    streams : dict
        Emitted rows by kind.
    states : list of State
    confident, predictions : ndarray of int64, shape (K, K)
        Of `ConfidentCounts`: rows by given class and outcome, but for the undecided ones
        (`collect_undecided`); rows by given class and argmax.
    found : ndarray of int64, shape (K, K)
        Of `PairMargins`: emitted entries by pair.
    counted : Counted or None
        The same by bucket of the margin, with its sign turned; None where they were not counted.
    """

    streams: Mapping[int, Stream]
    states: list[State]
    confident: NDArray[np.int64]
    predictions: NDArray[np.int64]
    found: NDArray[np.int64]
    counted: Counted | None

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
        A job over the undecided rows, one over the low rows; the driver holds at most K x K rows.
        """
        counts = np.zeros_like(self.confident)
        if OPEN not in self.streams:  # thresholds were known
            return counts
        count = CountOutcomes(thresholds, collision)
        for stream in (self.streams.get(kind) for kind in (OPEN, LOW)):
            if stream is not None and stream.rows:
                for state in collect_states(stream, count):
                    counts[state.given, state.true] += state.values[0]
        return counts


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
    Reads the wide column once. One job over files, two over frames; the driver holds at most K x K
    rows.
    """
    size, scan = scanner.columns.num_classes, scanner.scan
    work = KernelWork(scan.reader, Together(kernels), scan.id_types)
    output = scan.stream(scanner.workspace).run(name, work)
    buckets = max((k.buckets for k in kernels if isinstance(k, PairMargins)), default=0)
    matrices = {name: np.zeros((size, size), np.int64) for name in COUNTS_STATE}
    for kind, given, true, values in output.states:
        if kind == COUNTS:
            for matrix, value in zip(matrices.values(), values, strict=False):
                matrix[given, true] = value
    return Pass(
        streams=output.streams,
        states=output.states,
        confident=matrices["confident"],
        predictions=matrices["predictions"],
        found=matrices["entries_found"],
        counted=counted_of(output.states, buckets) if buckets else None,
    )


def collect_class_statistics(scanner: Scanner, found: Pass) -> ClassStatistics:
    """Read the state of `ClassSums`, and what rows were rejected for.

    Parameters
    ----------
    scanner : Scanner
    found : Pass
        With `ClassSums` among its kernels.

    Returns
    -------
    ClassStatistics

    Notes
    -----
    One job where rows were rejected.
    """
    size = scanner.columns.num_classes
    examples = np.zeros(size, np.int64)
    sums, column_sums = [0] * size, [0] * size
    # no rows: no tasks, or no state of theirs
    totals = dict.fromkeys(TOTALS_STATE, 0)
    for kind, k, _, values in found.states:
        if kind != SUMS:
            continue
        if k < 0:
            totals = dict(zip(TOTALS_STATE, values, strict=False))
            continue
        row = dict(zip(SUMS_STATE, values, strict=False))
        examples[k] = row["examples"]
        sums[k] = join_limbs(row["sum_high"], row["sum_low"])
        column_sums[k] = join_limbs(row["column_high"], row["column_low"])
    parsed = F.from_json("rejected", REJECTED_TYPE).alias("rejected")
    rejected = found.streams[REJECTED].frame.select(*scanner.ids, parsed)
    rejected = rejected.select(*scanner.ids, "rejected.*")
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
