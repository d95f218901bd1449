"""Reports and tables on stdout: by rich on a terminal, plain text anywhere else."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from sparkclean.commands.rows_shown import shown_column
from sparkclean.rows.console import open_console
from sparkclean.rows.report import Grid, Line, Report, by_record, cell
from sparkclean.texts import printable

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Console, RenderableType

    from sparkclean.lake import Version

#: A table wider than this is written record by record, no value longer than that.
_WIDEST_LINE, _LONGEST_VALUE = 240, 2000
#: What is left at least of a column that is folded on a narrow terminal.
_NARROWEST = 16
_STYLES = {"plain": "", "heading": "bold", "warning": "yellow"}


def say(text: str) -> None:
    """Print a line on stdout; what it quotes of names and paths cannot move the cursor."""
    print(printable(text))


def print_report(report: Report) -> None:
    """Print a report on stdout.

    Parameters
    ----------
    report : Report
    """
    console = open_console(sys.stdout)
    if console is None:
        print(report)
    else:
        show_report(report, console)


def show_report(report: Report, console: Console) -> None:
    """Show a report on a terminal; a table that is too wide for it, record by record.

    Parameters
    ----------
    report : Report
    console : rich.console.Console
    """
    from rich.text import Text  # noqa: PLC0415

    for part in report.parts:
        if isinstance(part, Line):
            console.print(Text(str(part), style=_STYLES[part.tone]))
        elif not part.titles or _fits(part, console.width):
            console.print(_as_rich(part), soft_wrap=False)
        elif _fits(part, console.width, titles := _folded_titles(part)):
            console.print(_as_rich(part, titles), soft_wrap=False)
        else:
            show_report(by_record(part.titles, part.rows), console)


def _fits(grid: Grid, width: int, titles: Sequence[Sequence[str]] | None = None) -> bool:
    """Tell whether a table fits a terminal, if columns of text are folded where they must be.

    ``titles`` are lines of titles that are folded.
    """
    widths = grid.widths if titles is None else _widths(grid, titles)
    least = [
        width if number in grid.right else min(width, _NARROWEST)
        for number, width in enumerate(widths)
    ]
    return sum(least) + 2 * (len(least) - 1) <= width


def _widths(grid: Grid, titles: Sequence[Sequence[str]]) -> list[int]:
    """Give the characters of each column below folded titles."""
    columns = list(zip(*grid.cells[1:], strict=True)) or [()] * len(titles)
    texts = [(*lines, *column) for lines, column in zip(titles, columns, strict=True)]
    return [max(map(len, column)) for column in texts]


def _folded_titles(grid: Grid) -> list[list[str]]:
    """Fold titles at their underscores, to the widest of the values below or of their words."""
    folded = []
    for title, width in zip(grid.cells[0], _widths(grid, [[""]] * len(grid.titles)), strict=True):
        lines = [""]
        for word in re.findall(r"[^_]*_+|[^_]+$", title) or [title]:
            if lines[-1] and len(lines[-1] + word) > width:
                lines.append("")
            lines[-1] += word
        folded.append(lines)
    return folded


def _as_rich(grid: Grid, titles: Sequence[Sequence[str]] | None = None) -> RenderableType:
    from rich import box  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    cells = [[Text(text.strip()) for text in row] for row in grid.cells]
    table = Table(
        box=box.SIMPLE_HEAD if grid.titles else None,
        show_header=bool(grid.titles),
        show_edge=False,
        pad_edge=False,
        padding=(0, 1 if grid.titles else 2, 0, 0),  # two blanks: the box has one, too
        border_style="dim",
    )
    head = cells.pop(0) if grid.titles else [Text("") for _ in grid.widths]
    if titles is not None:
        head = [Text("\n".join(lines)) for lines in titles]
    for number, title in enumerate(head):
        table.add_column(
            title,
            justify="right" if number in grid.right else "left",
            no_wrap=number in grid.right or (number == 0 and not grid.titles),
            overflow="fold",
            style="dim" if number == 0 and not grid.titles else "",
        )
    for number, row in enumerate(cells):
        table.add_row(*row, style="bold" if number in grid.strong else None)
    return table


# -- tables of Arrow -----------------------------------------------------------------------------


def print_table(table: pa.Table) -> None:
    """Print a small table on stdout.

    Parameters
    ----------
    table : pyarrow.Table
    """
    import pyarrow as pa  # noqa: PLC0415 (slow; commands begin without it)

    console = open_console(sys.stdout)
    if console is None:
        print(table_as_text(table))
        return
    width = console.width
    number = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    numbers = [i for i, kind in enumerate(table.schema.types) if any(is_(kind) for is_ in number)]

    def fits(grid: Grid) -> bool:
        return _fits(grid, width) or _fits(grid, width, _folded_titles(grid))

    show_report(_arrange(table, fits, numbers), console)


def table_as_text(table: pa.Table) -> str:
    """Arrange a small Arrow table in columns, or record by record where it is too wide.

    Parameters
    ----------
    table : pyarrow.Table

    Returns
    -------
    str
        Plain text.
    """
    return str(_arrange(table, lambda grid: sum(w + 2 for w in grid.widths) <= _WIDEST_LINE))


def _arrange(table: pa.Table, fits: Callable[[Grid], bool], right: Collection[int] = ()) -> Report:
    columns = [shown_column(column) for column in table.columns]
    rows = list(zip(*columns, strict=True))
    grid = Grid([[cell(value) for value in row] for row in rows], table.column_names, right)
    if fits(grid):
        return Report([grid])
    return by_record(
        table.column_names, [[_cut(printable(value)) for value in row] for row in rows]
    )


def _cut(text: str) -> str:
    """Keep the terminal usable: what a run remembers of many classes fills pages."""
    left = len(text) - _LONGEST_VALUE
    return text if left <= 0 else f"{text[:_LONGEST_VALUE]}... ({left:,} characters more)"


# -- versions and questions ----------------------------------------------------------------------


def arrange_versions(
    versions: Sequence[Version], current: Version | None, gone: Collection[str] = ()
) -> Report:
    """Arrange versions of a target, a line each.

    Parameters
    ----------
    versions : sequence of Version
    current : Version or None
        The one that readers get; a star stands before it.
    gone : collection of str
        Names of those of which files are gone.

    Returns
    -------
    Report
    """
    name = current.name if current else None
    rows = [
        (
            f"{'*' if version.name == name else ' '} {version.name}",
            *("" if n is None else f"{n:,}" for n in (version.rows, version.files)),
            "" if version.size_bytes is None else f"{version.size_bytes / 1e6:,.1f}",
            version.created_at,
            "gone" if version.name in gone else version.operation,
            version.run_id,
        )
        for version in versions
    ]
    titles = ("  version", "rows", "files", "MB", "created", "what", "run")
    strong = [i for i, version in enumerate(versions) if version.name == name]
    return Report([Grid(rows, titles, right=(1, 2, 3), strong=strong)])


def agrees(question: str) -> bool:
    """Ask; anything but yes, also the end of the input, is no."""
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:
        return False
