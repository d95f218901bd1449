"""What all charts share: the library, data, colours and look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sparkclean.errors import ConfigError
from sparkclean.plots.palette import GRID, INK, MUTED

#: What is said where a library of the extra is missing.
MISSING = "reports and charts need {}, which is not installed: pip install 'sparkclean[report]'"
#: Room for fonts that are wider than the one that texts were measured in.
_PADDING = {"left": 6, "right": 12, "top": 4, "bottom": 4}


def load_altair() -> Any:
    """Import Altair; raise `ConfigError` where it is not installed."""
    try:
        import altair  # noqa: PLC0415
    except ModuleNotFoundError as exc:
        raise ConfigError(MISSING.format(exc.name)) from exc
    return altair


def inline_data(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Give rows as data of a chart."""
    return load_altair().Data(values=list(rows))


def kind_colours(kinds: Sequence[str], colours: Sequence[str]) -> Any:
    """Give each value of the column ``kind`` a colour, with a legend above."""
    alt = load_altair()
    return alt.Color(
        "kind:N",
        scale=alt.Scale(domain=list(kinds), range=list(colours)),
        legend=alt.Legend(orient="top", title=None),
    )


def styled(chart: Any) -> Any:
    """Give a chart the look of ours: colours that a page may turn over, no background."""
    return (
        chart.configure(background="transparent", font="sans-serif", padding=_PADDING)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=MUTED, titleColor=INK, gridColor=GRID, domainColor=GRID, tickColor=GRID,
            labelFontSize=11, titleFontSize=11, titleFontWeight="normal", titlePadding=6,
            labelPadding=5,
        )
        .configure_legend(
            labelColor=INK, titleColor=INK, labelFontSize=11, symbolType="square",
            columnPadding=18,
        )
        .configure_title(color=INK, fontSize=12, fontWeight="normal", anchor="start", offset=6)
        .configure_text(color=INK)
    )  # fmt: skip
