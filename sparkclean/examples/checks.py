"""What must hold before anything is written, and what people should be warned of."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from pyspark.sql import functions as F

from sparkclean.errors import InputError, first_of
from sparkclean.examples.batches import LABEL
from sparkclean.examples.columns import EMPTY
from sparkclean.examples.rising_ids import RUN_FIELDS, can_rise, count_disjoint, find_runs
from sparkclean.examples.statistics import ClassStatistics
from sparkclean.numbers.pair_counts import PairCounts
from sparkclean.rows.tasks import map_in_arrow

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_SHOWN = 5
#: Record ids that tell whether it is worth while to look at all of them.
_FEW_IDS = 1000
_FEW_EXAMPLES = 5
#: Agreement with the labels above which probabilities look in-sample. On four data sets with wrong
#: labels 12 of 16 forests and networks came above it in sample, surely or not, and nothing of 120
#: out of sample; those of MNIST, which are good, have 0.991.
_IN_SAMPLE_AGREEMENT = 0.995
#: Share of the rows that would agree with the model if its columns were permuted, and do not now,
#: from which on they look so.
_PERMUTED_SHARE = 0.01

#: What to do about rows that are rejected, by the reason.
REMEDIES = {
    "label_null": "label them, or leave them out with input.where",
    "label_not_in_classes": "correct them, or set classes to all labels in the order of the "
    "probabilities",
    "pred_probs_null": "predict them, or leave them out with input.where",
    "pred_probs_wrong_length": "predict with one model, or set classes to its labels",
    "pred_probs_not_finite": "check the model's softmax for divisions by 0",
    "pred_probs_out_of_range": "write probabilities in [0, 1]",
    "pred_probs_row_sum": "normalise the rows, or raise admission.row_sum_tolerance",
}


def collect_rising_ids(frame: DataFrame, ids: Sequence[str]) -> int | None:
    """Count the rows, if the record ids rise, but for some steps back, and never stand twice.

    Parameters
    ----------
    frame : DataFrame
    ids : sequence of str
        Record id columns.

    Returns
    -------
    int or None
        None if they do not, or not by one integer column: they may be unique all the same.

    Notes
    -----
    One job that looks at a few, and one that reads the ids alone and shuffles nothing; the driver
    holds three numbers for each run of rising ids, 64 of a task and one for each 1,000 rows.
    """
    if not can_rise([frame.schema[name].dataType.simpleString() for name in ids]):
        return None
    column = frame.select(*ids)
    few = [row[0] for row in column.limit(_FEW_IDS).collect()]
    if None in few or sum(a >= b for a, b in itertools.pairwise(few)) > _FEW_IDS // 100:
        return None
    return count_disjoint(map_in_arrow(column, find_runs, RUN_FIELDS).collect())


def count_duplicate_ids(
    frame: DataFrame, ids: Sequence[str], names: Sequence[str], *, may_rise: bool = True
) -> int:
    """Check that record ids are unique and not null, over all rows.

    Parameters
    ----------
    frame : DataFrame
        Holds the record id columns; others are not read.
    ids : sequence of str
        Columns of the frame.
    names : sequence of str
        Their names in the user's table.
    may_rise : bool
        Whether to look first if the ids rise; not where that is known, or where it is dear to
        compute the frame twice.

    Returns
    -------
    int
        Number of rows.

    Raises
    ------
    InputError
        If a record id is null or stands in two rows; names up to five.

    Notes
    -----
    Reads the record ids alone. The jobs of `collect_rising_ids`; if ids do not rise, one that
    shuffles them, and another one if there are findings.
    """
    rows = collect_rising_ids(frame, ids) if may_rise else None
    if rows is not None:
        return rows
    groups = frame.select(*ids).groupBy(*ids).agg(F.count("*").alias("__rows"))
    null = F.lit(False)
    for name in ids:
        null = null | F.col(name).isNull()
    bad = null | (F.col("__rows") > 1)
    totals = groups.agg(
        F.sum("__rows").alias("rows"),
        F.sum(F.when(null, F.col("__rows"))).alias("null_rows"),
        F.sum(F.when(~null & bad, F.col("__rows"))).alias("rows_twice"),
        F.count(F.when(~null & bad, 1)).alias("ids_twice"),
    ).collect()[0]
    findings = []
    column = ", ".join(repr(name) for name in names)
    if totals["null_rows"]:
        findings.append(
            f"columns.id: {totals['null_rows']:,} rows have no record id in {column}; "
            "every row needs one: suspects are reported and removed by it"
        )
    if totals["ids_twice"]:
        twice = groups.where(~null & bad).orderBy(*ids).limit(_SHOWN).collect()
        shown = ", ".join(shown_id([row[name] for name in ids]) for row in twice)
        more = ", ..." if totals["ids_twice"] > len(twice) else ""
        findings.append(
            f"columns.id: {totals['ids_twice']:,} record ids in {column} stand in "
            f"{totals['rows_twice']:,} rows: {shown}{more}; make them unique, or name a list of "
            "columns that is"
        )
    if findings:
        raise InputError(findings)
    return int(totals["rows"] or 0)


def check_same_examples(source: DataFrame, predictions: DataFrame, names: Sequence[str]) -> None:
    """Check that predictions are of exactly the examples of the input, with the same labels.

    Parameters
    ----------
    source, predictions : DataFrame
        Record ids and label, by their internal names.
    names : sequence of str
        Of the record id columns in the user's table.

    Raises
    ------
    InputError
        With the counts, and up to five record ids.

    Notes
    -----
    Two narrow jobs that count the rows and add up their hashes; a join of ids and labels only where
    these differ.
    """
    ids = [name for name in source.columns if name != LABEL]

    def digest(frame: DataFrame) -> tuple[int, int]:
        total = F.sum(F.xxhash64(*ids, LABEL).cast("decimal(38,0)"))
        (row,) = frame.agg(F.count("*").alias("rows"), total.alias("total")).collect()
        return row["rows"], int(row["total"] or 0)

    if digest(source) == digest(predictions):
        return
    mine = source.select(*ids, F.col(LABEL).alias("__mine"), F.lit(True).alias("__there"))
    other = predictions.select(*ids, F.col(LABEL).alias("__other"), F.lit(True).alias("__made"))
    joined = mine.join(other, ids, "full_outer")
    cases = (
        ("rows have no prediction", F.col("__made").isNull()),
        ("predictions belong to no row of the table", F.col("__there").isNull()),
        (
            "rows have another label than when they were predicted",
            F.col("__made") & F.col("__there") & ~F.col("__mine").eqNullSafe(F.col("__other")),
        ),
    )
    findings = []
    for text, condition in cases:
        found = joined.where(condition)
        count = found.count()
        if count:
            some = found.orderBy(*ids).limit(_SHOWN).select(*ids).collect()
            shown = ", ".join(shown_id(list(row)) for row in some)
            column = ", ".join(map(repr, names))
            findings.append(
                f"input.predictions: {count:,} {text} ({column}: {shown}); predict the table again "
                "(sparkclean predict), or name the version that was predicted in input.version"
            )
    raise InputError(findings or "input.predictions: holds duplicate record ids; predict again")


def shown_id(values: Sequence[object]) -> str:
    """Show a record id of one column or several."""
    return repr(values[0]) if len(values) == 1 else "(" + ", ".join(map(repr, values)) + ")"


def check_admission(
    statistics: ClassStatistics,
    *,
    max_rejected_fraction: float,
    ids: Sequence[str],
    label: str,
    probs: str,
) -> None:
    """Check that few enough rows were rejected and some are left.

    Parameters
    ----------
    statistics : ClassStatistics
    max_rejected_fraction : float
    ids : sequence of str
        Record id columns of ``statistics.rejected``.
    label, probs : str
        Names of the user's columns.

    Raises
    ------
    InputError
        If the table is empty, nothing is left, or too many rows were rejected.

    Notes
    -----
    A job only where it raises.
    """
    if statistics.rows == 0:
        raise InputError(EMPTY)
    rejected = statistics.rows - statistics.audited
    if statistics.audited and rejected <= max_rejected_fraction * statistics.rows:
        return
    findings = [
        f"{rejected:,} of {statistics.rows:,} rows were rejected "
        f"({rejected / statistics.rows:.2%}); "
        f"admission.max_rejected_fraction allows {max_rejected_fraction:.2%}"
    ]
    for reason, count in sorted(statistics.rejections.items(), key=lambda item: -item[1]):
        rows = (
            statistics.rejected.where(F.col("reason") == reason)
            .orderBy(*ids)
            .limit(_SHOWN)
            .collect()
        )
        shown = "; ".join(
            shown_id([row[name] for name in ids])
            + (f" ({row['detail']})" if row["detail"] else f" ({row['given_label']!r})")
            for row in rows
        )
        column = label if reason.startswith("label") else probs
        findings.append(
            f"column {column!r}: {count:,} rows {reason}, record ids {shown}: {REMEDIES[reason]}"
        )
    findings += _hints(statistics)
    raise InputError(findings)


def _hints(statistics: ClassStatistics) -> list[str]:
    low, high = statistics.lowest, statistics.highest
    out_of_range = statistics.rejections.get("pred_probs_out_of_range", 0)
    if low is None or high is None or not out_of_range:
        return []
    if low >= 0.0 and statistics.percentages >= out_of_range / 2:
        return ["the rows sum to 100: they look like percentages; divide by 100"]
    if low < 0.0:
        return [
            f"values run from {low:.4g} to {high:.4g}: they look like logits or log-probabilities; "
            "apply softmax or exp"
        ]
    return []


def data_warnings(
    statistics: ClassStatistics, predictions: PairCounts, classes: Sequence[object]
) -> list[str]:
    """Say what looks wrong although it is allowed.

    Parameters
    ----------
    statistics : ClassStatistics
    predictions : PairCounts
        Rows by given class and argmax.
    classes : sequence
        The K labels.

    Returns
    -------
    list of str
        Warnings: in-sample probabilities, classes of few examples, classes that nobody is given,
        clipped values.
    """
    warnings = in_sample_warning(statistics, predictions)
    few = [
        f"{classes[k]!r} ({statistics.examples[k]})"
        for k in np.flatnonzero(
            (statistics.examples > 0) & (statistics.examples < _FEW_EXAMPLES)
        ).tolist()
    ]
    if few:
        shown = first_of(few, _SHOWN)
        warnings.append(f"{len(few)} classes have fewer than {_FEW_EXAMPLES} examples: {shown}")
    missing = [repr(classes[k]) for k in np.flatnonzero(statistics.examples == 0).tolist()]
    if missing:
        shown = first_of(missing, _SHOWN)
        warnings.append(f"{len(missing)} classes have no examples: {shown}")
    if statistics.clipped:
        warnings.append(
            f"{statistics.clipped:,} rows held values slightly outside [0, 1]; they were clipped"
        )
    return warnings


def in_sample_warning(statistics: ClassStatistics, predictions: PairCounts) -> list[str]:
    """Say that probabilities look in-sample; a sample of the rows tells, too.

    Parameters
    ----------
    statistics : ClassStatistics
    predictions : PairCounts
        Rows by given class and argmax.

    Returns
    -------
    list of str
        One warning, or none.
    """
    audited = max(statistics.audited, 1)
    accuracy = predictions.trace / audited
    if accuracy <= _IN_SAMPLE_AGREEMENT:
        return []
    surely = statistics.surely / audited
    return [
        f"the probabilities look in-sample: the model agrees with {accuracy:.2%} of the labels "
        f"and is surer than .999 on {surely:.0%} of the rows; use cross-validated (out-of-"
        "sample) probabilities, or wrong labels stay hidden"
    ]


def permuted_columns(predictions: PairCounts, classes: Sequence[object]) -> str | None:
    """Say which labels fit another column of the probabilities better than their own.

    Parameters
    ----------
    predictions : PairCounts
        Rows by given class and argmax.
    classes : sequence
        The K labels.

    Returns
    -------
    str or None
        None where the columns look right.
    """
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 (driver only)

    counts = predictions.as_array()
    columns = linear_sum_assignment(counts, maximize=True)[1].tolist()
    rows = range(len(columns))
    gain = int(counts[rows, columns].sum()) - predictions.trace
    moved = [k for k in rows if columns[k] != k and predictions[k, columns[k]] > predictions[k, k]]
    if gain <= max(_PERMUTED_SHARE * predictions.total, 1) or not moved:
        return None
    shown = first_of([f"{classes[k]!r} -> {classes[columns[k]]!r}" for k in moved], _SHOWN)
    return (
        f"the columns of the probabilities look permuted: {len(moved)} labels fit another column "
        f"better than their own ({shown})"
    )
