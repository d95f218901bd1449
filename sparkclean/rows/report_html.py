"""A report as HTML, as notebooks show it: escaped, with nothing from the network."""

from __future__ import annotations

from html import escape

from sparkclean.rows.report import Grid, Line, Report

#: No colour but the page's own: what is readable in the light is readable in the dark.
_STYLE = (
    ".sparkclean table{border-collapse:collapse;margin:.2em 0 .8em}"
    ".sparkclean th,.sparkclean td{padding:.15em .7em;text-align:left;color:inherit;"
    "background:none;border-bottom:1px solid rgba(128,128,128,.35)}"
    ".sparkclean .right{text-align:right;font-variant-numeric:tabular-nums}"
    ".sparkclean p{margin:.2em 0}"
    ".sparkclean .heading{font-weight:bold;margin-top:.8em}"
    ".sparkclean .warning{border-left:3px solid #c80;padding-left:.6em}"
)


def report_html(report: Report) -> str:
    """Write a report as a fragment of HTML.

    Parameters
    ----------
    report : Report

    Returns
    -------
    str
        One ``div`` with its own style; no scripts, and all texts escaped.
    """
    parts = [_line(part) if isinstance(part, Line) else _grid(part) for part in report.parts]
    return f'<div class="sparkclean"><style>{_STYLE}</style>{"".join(parts)}</div>'


def _line(line: Line) -> str:
    text = str(line).strip()
    return f'<p class="{line.tone}">{escape(text)}</p>' if text else ""


def _grid(grid: Grid) -> str:
    tags = ["th" if grid.titles and not i else "td" for i in range(len(grid.cells))]
    rows = [
        "".join(
            f'<{tag} class="right">{escape(text)}</{tag}>'
            if number in grid.right
            else f"<{tag}>{escape(text)}</{tag}>"
            for number, text in enumerate(row)
        )
        for tag, row in zip(tags, grid.cells, strict=True)
    ]
    return "<table>" + "".join(f"<tr>{row}</tr>" for row in rows) + "</table>"
