"""A table of examples, ready to be scanned; its class sums and rejected rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import functions as F

from sparkclean.errors import InputChangedError, first_of
from sparkclean.examples.columns import Columns
from sparkclean.examples.kernels import REJECTED_TYPE, SUMS, SUMS_STATE, TOTALS_STATE
from sparkclean.examples.scan import Scan
from sparkclean.numbers.fixed_point import ONE, join_limbs
from sparkclean.rows.emitted import ID_PREFIX
from sparkclean.rows.streams import RowStore, State, Stream

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class Scanner:
    """One input, ready to be scanned several times.

    Attributes
    ----------
    scan : Scan
    columns : Columns
    store : RowStore
        Of what the scans emit.
    """

    scan: Scan
    columns: Columns
    store: RowStore

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

    @property
    def num_rejected(self) -> int:
        """Rows that were not admitted."""
        return self.rows - self.audited


def collect_class_statistics(
    scanner: Scanner, states: Iterable[State], rejected_rows: Stream
) -> ClassStatistics:
    """Read the state of `ClassSums`, and what rows were rejected for.

    Parameters
    ----------
    scanner : Scanner
    states : iterable of State
        Of `ClassSums`, among others.
    rejected_rows : Stream
        What it has emitted.

    Returns
    -------
    ClassStatistics

    Notes
    -----
    One job where rows were rejected.
    """
    examples, sums, column_sums, totals = _add_up(states, scanner.columns.num_classes)
    parsed = F.from_json("rejected", REJECTED_TYPE).alias("rejected")
    rejected = rejected_rows.frame.select(*scanner.ids, parsed)
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


def check_read_again(
    first: ClassStatistics, states: Iterable[State], classes: Sequence[Any]
) -> None:
    """Check that a later pass has read what the first one has.

    Parameters
    ----------
    first : ClassStatistics
    states : iterable of State
        Of `ClassSums` in the later pass, among others.
    classes : sequence
        The K labels.

    Raises
    ------
    InputChangedError
        If one has read other rows or probabilities than the other.
    """
    examples, sums, _, totals = _add_up(states, len(classes))
    if totals["rows"] == first.rows and (examples == first.examples).all() and sums == first.sums:
        return
    of_class = [
        f"of class {classes[k]!r} {first.examples[k]:,} valid rows and a self-confidence of "
        f"{_mean(first.sums[k], first.examples[k])}, then {examples[k]:,} and "
        f"{_mean(sums[k], examples[k])}"
        for k in range(len(classes))
        if first.examples[k] != examples[k] or first.sums[k] != sums[k]
    ]
    of_all = (
        [] if totals["rows"] == first.rows else [f"{first.rows:,}, then {totals['rows']:,} rows"]
    )
    raise InputChangedError(READ_OTHERWISE.format(first_of([*of_all, *of_class], 3)))


#: To be filled with what two readings have found.
READ_OTHERWISE = (
    "the input changed between two reads: {}. Write a DataFrame that is computed "
    "anew each time (by rand, by a function with a state, from rows without an order) to a table, "
    "and audit that; do not change a table while it is read"
)


def _mean(total: int, count: int) -> str:
    return f"{total / ONE / max(count, 1):.9g} on average"


def _add_up(
    states: Iterable[State], size: int
) -> tuple[NDArray[np.int64], list[int], list[int], dict[str, int]]:
    """Give examples, sums and column sums by class, and totals, of the state of `ClassSums`."""
    examples = np.zeros(size, np.int64)
    sums, column_sums = [0] * size, [0] * size
    # no rows: no tasks, or no state of theirs
    totals = dict.fromkeys(TOTALS_STATE, 0)
    for kind, k, _, values in states:
        if kind != SUMS:
            continue
        if k < 0:
            totals = dict(zip(TOTALS_STATE, values, strict=False))
            continue
        row = dict(zip(SUMS_STATE, values, strict=False))
        examples[k] = row["examples"]
        sums[k] = join_limbs(row["sum_high"], row["sum_low"])
        column_sums[k] = join_limbs(row["column_high"], row["column_low"])
    return examples, sums, column_sums, totals
