"""Charts of what was published, by Altair: of the tables, of run records, or of an `AuditResult`.

Each function draws what it is given, and reads nothing else. A report shows the same charts
(`blocks`), with a text alternative and the numbers behind them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, get_args

from sparkclean.errors import ConfigError
from sparkclean.plots import numbers
from sparkclean.plots.drawing import inline_data, kind_colours, load_altair, styled
from sparkclean.plots.numbers import PairValue, RunValue
from sparkclean.plots.palette import ACCENT, GRID, INK, MUTED, PAPER, WARM

if TYPE_CHECKING:
    import altair as alt

#: A table of pandas, pyarrow or Spark, rows as mappings, or an `AuditResult`.
Tabular: TypeAlias = Any
#: A run record, its metrics, or an `AuditResult`.
Metrics: TypeAlias = Any

#: Classes up to which cells of the matrix hold their numbers.
_NUMBERED = 14
_FORMATS = {"estimated": "~s", "suspects": "~s", "rate": ".1%"}
_TITLES = {"suspects": "suspects", "noise": "estimated noise", "rows": "rows", "seconds": "seconds"}


def noise_matrix(pairs: Tabular, *, value: PairValue = "estimated", most: int = 50) -> alt.Chart:
    """Draw which labels stand for which classes, as a heat map.

    Parameters
    ----------
    pairs : table, or AuditResult
        By ``sparkclean.schema.PAIRS``.
    value : {"estimated", "suspects", "rate"}
        Estimated examples of each (given, true) pair, suspects among them, or the share of the
        true class that is given the label.
    most : int
        Classes that are drawn; of more, those with the most confused examples.

    Returns
    -------
    altair.Chart
        Rows are given labels, columns true ones. The diagonal is grey, so that colour means error.

    Raises
    ------
    ConfigError
        If ``value`` is unknown or a column is missing.
    """
    alt = load_altair()
    _check_choice("value", value, get_args(PairValue))
    found = numbers.matrix(pairs, value, most)
    size = max(11, min(38, 460 // max(len(found.labels), 1)))
    side = size * max(len(found.labels), 1)
    order = list(found.labels)
    axis = {"labelLimit": 120, "domain": False, "ticks": False, "grid": False}
    base = alt.Chart(inline_data(found.rows)).encode(
        alt.X("true:N", title="probably", sort=order, axis=alt.Axis(labelAngle=-45, **axis)),
        alt.Y("given:N", title="given", sort=order, axis=alt.Axis(**axis)),
    )
    errors = base.transform_filter("!datum.same && datum.value > 0")
    layers = [
        base.transform_filter("datum.same").mark_rect(color=GRID),
        errors.mark_rect(color=ACCENT).encode(
            alt.Opacity("share:Q", scale=alt.Scale(domain=[0, 1], range=[0.12, 1]), legend=None)
        ),
    ]
    if len(order) <= _NUMBERED:
        written = alt.Text("value:Q", format=_FORMATS[value])
        layers += [
            base.transform_filter("datum.same").mark_text(color=MUTED, fontSize=11).encode(written),
            errors.transform_filter("datum.share < 0.75")
            .mark_text(color=INK, fontSize=11)
            .encode(written),
            errors.transform_filter("datum.share >= 0.75")
            .mark_text(color=PAPER, fontSize=11, fontWeight="bold")
            .encode(written),
        ]
    return styled(alt.layer(*layers).properties(width=side, height=side))


def confused_pairs(pairs: Tabular, n: int = 20) -> alt.Chart:
    """Draw the pairs of classes that are confused most, as bars.

    Parameters
    ----------
    pairs : table, or AuditResult
        By ``sparkclean.schema.PAIRS``.
    n : int
        Pairs that are drawn.

    Returns
    -------
    altair.Chart
        Estimated examples of each pair, and in a darker bar how many of them are suspects.
    """
    alt = load_altair()
    found = numbers.confused(pairs)[:n]
    rows = [{"pair": p.title, "estimated": p.estimated, "suspects": p.suspects} for p in found]
    order = [row["pair"] for row in rows]
    base = alt.Chart(inline_data(rows)).encode(
        alt.Y("pair:N", sort=order, title=None, axis=alt.Axis(labelLimit=240, ticks=False))
    )
    bars = base.mark_bar(color=ACCENT, opacity=0.35, height=14).encode(
        alt.X("estimated:Q", title="examples", axis=alt.Axis(format="~s", tickMinStep=1))
    )
    suspects = base.mark_bar(color=ACCENT, height=7).encode(alt.X("suspects:Q"))
    return styled(alt.layer(bars, suspects).properties(width=360, height=alt.Step(21)))


def class_table(classes: Tabular, n: int = 25) -> alt.Chart:
    """Draw the classes with the most label noise, as bars.

    Parameters
    ----------
    classes : table, or AuditResult
        By ``sparkclean.schema.CLASSES``.
    n : int
        Classes that are drawn.

    Returns
    -------
    altair.Chart
        Two bars a class: the share of its given labels that are wrong, and the share of what
        belongs to it that is given another label.
    """
    alt = load_altair()
    kinds = ["given label is wrong", "given another label"]
    rows, order = [], []
    for found in numbers.classes(classes)[:n]:
        order.append(found.label)
        for kind, share in zip(kinds, (found.noise, found.inverse), strict=True):
            rows.append({"class": found.label, "kind": kind, "share": share})
    chart = (
        alt.Chart(inline_data(rows))
        .mark_bar(height=7)
        .encode(
            alt.Y("class:N", sort=order, title=None, axis=alt.Axis(labelLimit=160, ticks=False)),
            alt.X("share:Q", title="estimated share", axis=alt.Axis(format=".0%")),
            alt.YOffset("kind:N", sort=kinds),
            kind_colours(kinds, [WARM, ACCENT]),
        )
        .properties(width=380, height=alt.Step(10))
    )
    return styled(chart)


def score_histogram(source: Metrics | Tabular, *, cut: float | None = None) -> alt.Chart:
    """Draw how many suspects have which label quality.

    Parameters
    ----------
    source : run record, metrics, AuditResult, or table of suspects
        Its histogram of the label quality, or the column ``label_quality``.
    cut : float, optional
        The score below which rows were taken for suspects; a line is drawn there.

    Returns
    -------
    altair.Chart
    """
    alt = load_altair()
    found = numbers.quality_histogram(source)
    chart = _bars(found.rows(), WARM).properties(width=440, height=150)
    if cut is not None:
        line = alt.Chart(inline_data([{"cut": cut, "text": "cut"}])).encode(alt.X("cut:Q"))
        chart = alt.layer(
            chart,
            line.mark_rule(color=INK, strokeDash=[4, 3]),
            line.mark_text(color=INK, align="left", dx=4, dy=-68).encode(alt.Text("text:N")),
        )
    return styled(chart)


def self_confidence(source: Metrics) -> alt.Chart:
    """Draw the self-confidence of rows that agree with their label, and of those that do not.

    Parameters
    ----------
    source : run record, metrics, or AuditResult

    Returns
    -------
    altair.Chart
        Two histograms with scales of their own, one below the other.
    """
    alt = load_altair()
    agreed, disagreed = numbers.confidence_histograms(source)
    panels = [
        _bars(found.rows(), colour, title).properties(width=440, height=110)
        for found, colour, title in (
            (agreed, ACCENT, "prediction agrees with the label"),
            (disagreed, WARM, "prediction differs from the label"),
        )
    ]
    return styled(alt.vconcat(*panels, spacing=14))


def calibration(source: Metrics) -> alt.Chart:
    """Draw how often predictions are right, by how sure they are.

    Parameters
    ----------
    source : run record or metrics of a prediction or a training
        Its ``calibration``: rows, hits and mean confidence of each bin.

    Returns
    -------
    altair.Chart
        A point for each bin, as large as it has rows. Points on the dashed line are calibrated.
    """
    alt = load_altair()
    rows = [
        {"confidence": b.confidence, "accuracy": b.accuracy, "rows": b.rows}
        for b in numbers.calibration_bins(source)
    ]
    line = alt.Chart(inline_data([{"x": 0, "y": 0}, {"x": 1, "y": 1}]))
    scale = alt.Scale(domain=[0, 1])
    points = alt.Chart(inline_data(rows)).encode(
        alt.X("confidence:Q", title="mean confidence", scale=scale, axis=alt.Axis(format=".0%")),
        alt.Y("accuracy:Q", title="right by given label", scale=scale, axis=alt.Axis(format=".0%")),
    )
    size = alt.Size("rows:Q", scale=alt.Scale(range=[20, 320]), legend=None)
    layers = alt.layer(
        line.mark_line(color=MUTED, strokeDash=[4, 3]).encode(alt.X("x:Q"), alt.Y("y:Q")),
        points.mark_line(color=ACCENT, strokeWidth=1.5, opacity=0.6),
        points.mark_circle(color=ACCENT, opacity=0.85).encode(size),
    )
    return styled(layers.properties(width=300, height=260))


def history(
    runs: Tabular, values: Sequence[RunValue] = ("suspects", "noise", "rows", "seconds")
) -> alt.Chart:
    """Draw how runs went, one after the other.

    Parameters
    ----------
    runs : table
        By ``sparkclean.schema.RUNS``: the runs of one job.
    values : sequence of {"suspects", "noise", "rows", "seconds"}
        One panel for each.

    Returns
    -------
    altair.Chart
        A point for each run, in the order in which they ended; runs that were not published have
        another colour and shape.

    Raises
    ------
    ConfigError
        If a value is unknown.
    """
    alt = load_altair()
    for value in values:
        _check_choice("values", value, get_args(RunValue))
    found = numbers.runs(runs)
    # whole runs alone, also where there are few
    ticks = range(1, len(found) + 1, max(1, len(found) // 10))
    kinds = ["published", "not published"]
    panels = []
    for value in values:
        rows = [
            {
                "run": run.number,
                "value": run.values[value],
                "kind": kinds[not run.published],
            }
            for run in found
            if run.values[value] is not None
        ]
        if not rows:
            continue
        style = ".1%" if value == "noise" else "~s"
        base = alt.Chart(inline_data(rows)).encode(
            alt.X(
                "run:Q",
                title="run" if value == values[-1] else None,
                axis=alt.Axis(values=list(ticks), format="d"),
                scale=alt.Scale(domain=[0.5, len(found) + 0.5], nice=False),
            ),
            alt.Y(
                "value:Q", title=_TITLES[value], axis=alt.Axis(format=style, tickCount=4),
                scale=alt.Scale(zero=True),
            ),
        )  # fmt: skip
        line = base.transform_filter("datum.kind == 'published'").mark_line(
            color=ACCENT, strokeWidth=1.5
        )
        points = base.mark_point(size=40, filled=True, opacity=1).encode(
            kind_colours(kinds, [ACCENT, WARM]),
            alt.Shape("kind:N", scale=alt.Scale(domain=kinds, range=["circle", "diamond"])),
        )
        panels.append(alt.layer(line, points).properties(width=460, height=90))
    return styled(alt.vconcat(*panels, spacing=16).resolve_legend(color="shared", shape="shared"))


def phases(record: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> alt.Chart:
    """Draw how long each phase of a run took.

    Parameters
    ----------
    record : mapping, or sequence of mapping
        A run record, or its ``phases``: name, rows and seconds of each.

    Returns
    -------
    altair.Chart
        Bars in the order of the phases.
    """
    alt = load_altair()
    found = numbers.phases(record)
    rows = [{"phase": p.name, "seconds": p.seconds, "text": _seconds(p.seconds)} for p in found]
    order = [row["phase"] for row in rows]
    base = alt.Chart(inline_data(rows)).encode(
        alt.Y("phase:N", sort=order, title=None, axis=alt.Axis(labelLimit=230, ticks=False)),
        alt.X("seconds:Q", title="seconds", axis=alt.Axis(tickCount=5)),
    )
    layers = alt.layer(
        base.mark_bar(color=ACCENT, height=12),
        base.mark_text(color=MUTED, align="left", dx=4, fontSize=11).encode(alt.Text("text:N")),
    )
    return styled(layers.properties(width=340, height=alt.Step(21)))


# -- what charts share ---------------------------------------------------------------------------


def _bars(rows: Sequence[Mapping[str, Any]], colour: str, title: str = "") -> Any:
    alt = load_altair()
    name = rows[0]["name"] if rows else ""
    return (
        alt.Chart(inline_data(rows), title=title)
        .mark_bar(color=colour, binSpacing=0.5)
        .encode(
            alt.X("low:Q", title=name, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(grid=False)),
            alt.X2("high:Q"),
            alt.Y("rows:Q", title="rows", axis=alt.Axis(format="~s", tickCount=4, tickMinStep=1)),
            alt.Y2(datum=0),
        )
    )


def _seconds(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def _check_choice(name: str, value: str, choices: Sequence[Any]) -> None:
    if value not in choices:
        raise ConfigError(f"{name}=: {value!r} is unknown; choose {', '.join(choices)}")
