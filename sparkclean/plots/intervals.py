"""Estimates beside each other, each with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from sparkclean.plots.drawing import inline_data, load_altair, styled
from sparkclean.plots.palette import ACCENT
from sparkclean.plots.parts import Chart, Column, Table

#: Name, estimate, lower and upper limit; an estimate that is not known is left out of the picture.
Estimate: TypeAlias = "tuple[str, float | None, float | None, float | None]"
_DRAWN = 25


def interval_chart(found: Sequence[Estimate], title: str, *, unit: str = "") -> Chart | None:
    """Make a chart of estimates with their 95 % intervals.

    Parameters
    ----------
    found : sequence of (str, float, float, float)
    title : str
        What is estimated.
    unit : {"", "%"}

    Returns
    -------
    Chart or None
        None where nothing is known. The first 25 are drawn; the table behind holds all.
    """
    known = [row for row in found if None not in row]
    if not known:
        return None
    alt = load_altair()
    drawn = known[:_DRAWN]
    rows = [{"name": n, "value": v, "low": low, "high": high} for n, v, low, high in drawn]
    axis = alt.Axis(format="%") if unit == "%" else alt.Axis()
    base = alt.Chart(inline_data(rows)).encode(
        alt.Y("name:N", sort=[row[0] for row in drawn], title=None, axis=alt.Axis(labelLimit=240))
    )
    line = base.mark_rule(color=ACCENT, strokeWidth=2).encode(
        alt.X("low:Q", title=title, axis=axis, scale=alt.Scale(zero=False)), alt.X2("high:Q")
    )
    point = base.mark_point(color=ACCENT, filled=True, size=60).encode(alt.X("value:Q"))
    chart = alt.layer(line, point).properties(width=420, height=max(60, 22 * len(drawn)))
    name, value, low, high = drawn[0]
    words = f"{title}, {len(known):,} estimates with 95 % intervals. First: {name}, "
    words += f"{value:.3g} ({low:.3g} to {high:.3g})."
    columns = [
        Column(title),
        *(Column(n, numeric=True, unit=unit) for n in ("estimate", "low", "high")),
    ]
    return Chart(styled(chart), words, Table(columns, list(found)))
