"""Two models whose lines of accuracy against the prevalence of bad labels cross."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sparkclean.plots.drawing import inline_data, kind_colours, load_altair, styled
from sparkclean.plots.palette import ACCENT, MUTED, WARM
from sparkclean.plots.parts import Chart, Column, Table

_POINTS = 41
_Z = 1.959963984540054


def line_rows(
    flip: Mapping[str, Any], prevalence: float, clean_items: int, bad_items: int
) -> list[dict[str, Any]]:
    """Compute both lines and their 95 % bands.

    Parameters
    ----------
    flip : mapping
        ``model_a``, ``model_b``, ``clean_a``, ``clean_b``, ``bad_a``, ``bad_b`` and
        ``level_prevalence``.
    prevalence : float
        Of bad labels in the benchmark.
    clean_items, bad_items : int

    Returns
    -------
    list of dict
        ``kind`` (the model), ``prevalence``, ``accuracy``, ``low`` and ``high``.
    """
    end = min(1.0, 3.0 * max(prevalence, flip["level_prevalence"] or 0.0))
    rows = []
    for side in ("a", "b"):
        clean, bad = flip[f"clean_{side}"], flip[f"bad_{side}"]
        for x in np.linspace(0.0, end, _POINTS):
            value = (1 - x) * clean + x * bad
            variance = (1 - x) ** 2 * clean * (1 - clean) / clean_items
            variance += x * x * bad * (1 - bad) / bad_items
            half = _Z * float(np.sqrt(variance))
            row = {"kind": flip[f"model_{side}"], "prevalence": float(x), "accuracy": float(value)}
            rows.append(row | {"low": float(value - half), "high": float(value + half)})
    return rows


def crossing_lines(
    flip: Mapping[str, Any], prevalence: float, clean_items: int, bad_items: int
) -> Chart:
    """Make the chart of two models that a prevalence of bad labels makes level.

    Parameters
    ----------
    flip, prevalence, clean_items, bad_items
        As for `line_rows`.

    Returns
    -------
    Chart
    """
    alt = load_altair()
    rows = line_rows(flip, prevalence, clean_items, bad_items)
    names = [flip["model_a"], flip["model_b"]]
    base = alt.Chart(inline_data(rows)).encode(
        alt.X("prevalence:Q", title="prevalence of bad labels", axis=alt.Axis(format="%")),
        kind_colours(names, [ACCENT, WARM]),
    )
    scale = alt.Scale(zero=False)
    band = base.mark_area(opacity=0.15).encode(
        alt.Y("low:Q", title="accuracy", scale=scale, axis=alt.Axis(format="%")), alt.Y2("high:Q")
    )
    lines = base.mark_line(strokeWidth=2).encode(alt.Y("accuracy:Q", scale=scale))
    here = alt.Chart(inline_data([{"prevalence": prevalence}])).mark_rule(
        color=MUTED, strokeDash=[4, 3]
    )
    chart = alt.layer(band, lines, here.encode(alt.X("prevalence:Q")))
    level = flip["level_prevalence"]
    words = (
        f"Accuracy of {names[0]} and {names[1]} against the prevalence of bad labels, with 95 % "
        f"bands. They are level at {100 * level:.2f} %; the dashed line is this benchmark, "
        f"{100 * prevalence:.2f} %. The order is {'' if flip['certain'] else 'not '}certain."
    )
    columns = [Column("model")]
    columns += [Column(name, numeric=True, unit="%") for name in ("prevalence", "accuracy")]
    columns += [Column(name, numeric=True, unit="%") for name in ("low", "high")]
    keys = ("kind", "prevalence", "accuracy", "low", "high")
    table = Table(columns, [[row[key] for key in keys] for row in rows])
    return Chart(styled(chart.properties(width=420, height=240)), words, table)
