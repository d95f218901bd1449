"""Blocks of a report that are charts: each with what it shows in words, and its numbers as a table.

They draw by `charts`, and are None where there is nothing to draw, as in a run without suspects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sparkclean.plots import charts, numbers
from sparkclean.plots.numbers import RunValue
from sparkclean.plots.parts import Cell, Chart, Column, Table

#: Rows of the table behind a chart.
_MOST = 200


def noise_matrix(pairs: Any, *, most: int = 50) -> Chart | None:
    """Make the heat map of estimated examples by given and true class.

    Parameters
    ----------
    pairs : table, or AuditResult
    most : int
        Classes that are drawn.

    Returns
    -------
    Chart or None
    """
    found = numbers.confused(pairs)
    if not found:
        return None
    matrix = numbers.matrix(pairs, "estimated", most)
    first = found[0]
    drawn = f"{len(matrix.labels)} classes"
    if matrix.total > len(matrix.labels):
        drawn = f"The {len(matrix.labels)} most confused of {matrix.total:,} classes"
    words = (
        f"{drawn}: estimated examples by given label (rows) and probable class (columns); grey is "
        f"the diagonal, where both are the same. Most confused: {first.title}, "
        f"{first.estimated:,} examples."
    )
    return Chart(charts.noise_matrix(pairs, most=most), words, pair_table(found))


def confused_pairs(pairs: Any, n: int = 20) -> Chart | None:
    """Make the bars of the most confused pairs.

    Parameters
    ----------
    pairs : table, or AuditResult
    n : int

    Returns
    -------
    Chart or None
    """
    found = numbers.confused(pairs)
    if not found:
        return None
    words = (
        f"The {min(n, len(found))} most confused of {len(found):,} pairs (given → probably): "
        f"estimated examples as light bars, suspects among them as dark ones. First: "
        f"{found[0].title}, {found[0].estimated:,} estimated, {found[0].suspects:,} suspects."
    )
    return Chart(charts.confused_pairs(pairs, n), words, pair_table(found))


def pair_table(found: Sequence[numbers.Pair]) -> Table:
    """Make the table of confused pairs.

    Parameters
    ----------
    found : sequence of Pair

    Returns
    -------
    Table
    """
    columns = (
        Column("given"),
        Column("probably"),
        Column("estimated", numeric=True, bar=True),
        Column("suspects", numeric=True, bar=True),
        Column("share of the true class", numeric=True, unit="%"),
    )
    rows = [(p.given, p.true, p.estimated, p.suspects, p.rate) for p in found[:_MOST]]
    return Table(columns, rows, "Confused pairs", total=len(found))


def class_table(classes: Any, n: int = 25) -> Chart | None:
    """Make the bars of the classes with the most noise.

    Parameters
    ----------
    classes : table, or AuditResult
    n : int

    Returns
    -------
    Chart or None
    """
    found = numbers.classes(classes)
    if not any(c.noise or c.inverse for c in found):
        return None
    words = (
        f"The {min(n, len(found))} classes of {len(found):,} with the largest estimated share of "
        f"wrong labels. First: {found[0].label}, {found[0].noise:.1%} of its given labels are "
        f"wrong, {found[0].inverse:.1%} of its examples are given another label."
    )
    return Chart(charts.class_table(classes, n), words, classes_table(found))


def classes_table(found: Sequence[numbers.ClassNoise]) -> Table:
    """Make the table of classes.

    Parameters
    ----------
    found : sequence of ClassNoise

    Returns
    -------
    Table
    """
    columns = (
        Column("class"),
        Column("examples", numeric=True, bar=True),
        Column("suspects", numeric=True, bar=True),
        Column("wrong labels", numeric=True, bar=True, unit="%"),
        Column("given another", numeric=True, bar=True, unit="%"),
        Column("label quality", numeric=True),
        Column("threshold", numeric=True),
    )
    rows = [
        (c.label, c.examples, c.suspects, c.noise, c.inverse, c.quality, c.threshold) for c in found
    ]
    return Table(columns, rows, "Classes, those with the most wrong labels first", total=len(found))


def score_histogram(source: Any, *, cut: float | None = None) -> Chart | None:
    """Make the histogram of the suspects' label quality.

    Parameters
    ----------
    source : run record, metrics, AuditResult, or table of suspects
    cut : float, optional

    Returns
    -------
    Chart or None
    """
    found = numbers.quality_histogram(source)
    if not found.total:
        return None
    words = (
        f"Suspects by their label quality ({found.name}): {found.below(0.1):,} of "
        f"{found.total:,} are below 0.1."
    )
    if cut is not None:
        words += f" The cut is at {cut:.3g}."
    return Chart(charts.score_histogram(source, cut=cut), words, _bins([("suspects", found)]))


def self_confidence(source: Any) -> Chart | None:
    """Make the histograms of self-confidence of rows that agree with their label, and others.

    Parameters
    ----------
    source : run record, metrics, or AuditResult

    Returns
    -------
    Chart or None
    """
    agreed, disagreed = numbers.confidence_histograms(source)
    total = agreed.total + disagreed.total
    if not total:
        return None
    words = (
        f"Rows by their self-confidence, the probability of the given label. Of {total:,} rows the "
        f"prediction agrees with the label for {agreed.total:,} ({agreed.total / total:.1%}) and "
        f"differs for {disagreed.total:,}, of which {disagreed.below(0.1):,} are below 0.1."
    )
    table = _bins([("agrees", agreed), ("differs", disagreed)])
    return Chart(charts.self_confidence(source), words, table)


def _bins(found: Sequence[tuple[str, numbers.Histogram]]) -> Table:
    columns = [Column(found[0][1].name), *(Column(n, numeric=True, bar=True) for n, _ in found)]
    rows: list[tuple[Cell, ...]] = []
    for bins in zip(*(histogram.rows() for _, histogram in found), strict=True):
        name = f"{bins[0]['low']:.2f} to {bins[0]['high']:.2f}"
        rows.append((name, *(one["rows"] for one in bins)))
    return Table(columns, rows, "Rows by range", sortable=False)


def calibration(source: Any) -> Chart | None:
    """Make the calibration curve of predictions.

    Parameters
    ----------
    source : run record, or metrics

    Returns
    -------
    Chart or None
    """
    found = numbers.calibration_bins(source)
    if not found:
        return None
    total = sum(b.rows for b in found)
    error = sum(b.rows * abs(b.accuracy - b.confidence) for b in found) / total
    words = (
        "Share of predictions that are the given label, by how sure the model is; points on the "
        f"dashed line are calibrated. Mean distance from it: {error:.1%} (expected calibration "
        "error). A right prediction of a wrong label counts as wrong, which lowers the points."
    )
    columns = (
        Column("mean confidence", numeric=True, unit="%"),
        Column("right by given label", numeric=True, unit="%"),
        Column("rows", numeric=True, bar=True),
    )
    rows = [(b.confidence, b.accuracy, b.rows) for b in found]
    table = Table(columns, rows, "Bins of confidence", sortable=False)
    return Chart(charts.calibration(source), words, table)


def history(
    runs: Any, values: Sequence[RunValue] = ("suspects", "noise", "rows", "seconds")
) -> Chart | None:
    """Make the panels of how runs went.

    Parameters
    ----------
    runs : table
        The runs of one job.
    values : sequence of {"suspects", "noise", "rows", "seconds"}

    Returns
    -------
    Chart or None
        None of fewer than two runs.
    """
    found = numbers.runs(runs)
    known = [v for v in values if any(run.values[v] is not None for run in found)]
    if len(found) < 2 or not known:
        return None
    refused = sum(not run.published for run in found)
    words = (
        f"{len(found):,} runs in the order in which they ended, the newest at the right: "
        f"{', '.join('estimated noise' if v == 'noise' else v for v in known)}. "
        + (f"{refused:,} of them published nothing." if refused else "All of them published.")
    )
    columns = [
        Column("run", numeric=True),
        Column("run id"),
        Column("ended"),
        Column("status"),
        *(Column(v, numeric=True, unit={"noise": "%", "seconds": "s"}.get(v, "")) for v in known),
    ]
    rows = [
        (r.number, r.run_id, r.finished, r.status, *(r.values[v] for v in known))
        for r in reversed(found)
    ]
    table = Table(columns, rows[:_MOST], "Runs, the newest first", total=len(rows))
    return Chart(charts.history(runs, known), words, table)


def phases(record: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> Chart | None:
    """Make the bars of how long each phase took.

    Parameters
    ----------
    record : mapping, or sequence of mapping
        A run record, or its ``phases``.

    Returns
    -------
    Chart or None
    """
    found = numbers.phases(record)
    if not found:
        return None
    total, longest = sum(p.seconds for p in found), max(found, key=lambda p: p.seconds)
    words = (
        f"{len(found)} phases, {total:,.1f} seconds together; the longest is {longest.name!r}, "
        f"{longest.seconds:,.1f} seconds."
    )
    columns = (
        Column("phase"),
        Column("rows", numeric=True),
        Column("seconds", numeric=True, bar=True, unit="s"),
    )
    table = Table(columns, [(p.name, p.rows, p.seconds) for p in found], "Phases", sortable=False)
    return Chart(charts.phases(record), words, table)
