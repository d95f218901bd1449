"""What a job tells people: lines and tables, as plain text. A terminal may show them better."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from sparkclean.texts import printable

_WIDEST_CELL = 40


def cell(value: object) -> str:
    """Write a value so that it fits a column.

    Parameters
    ----------
    value : object

    Returns
    -------
    str
        `printable`, and at most 40 characters: of a longer text the beginning and three dots.
    """
    text = printable(value)
    return text if len(text) <= _WIDEST_CELL else text[: _WIDEST_CELL - 3] + "..."


@dataclass(frozen=True)
class Line:
    """One line of a report.

    Attributes
    ----------
    text : str
    tone : {"plain", "heading", "warning"}
        How a terminal may show it; plain text does not differ.
    """

    text: str
    tone: Literal["plain", "heading", "warning"] = "plain"

    def __str__(self) -> str:
        return printable(self.text)


@dataclass(frozen=True)
class Grid:
    """A small table of texts. ``str`` lays it out in columns of plain text.

    Attributes
    ----------
    rows : sequence of sequence of str
        As many cells in each.
    titles : sequence of str
        Of the columns; empty for rows of a name and a value.
    right : collection of int
        Numbers of the columns that are aligned at their right.
    indent : int
        Blanks before each line of plain text.
    line : str, optional
        Format of one row, in which ``{0}`` is the first cell. Plain text then consists of
        sentences, without titles.
    strong : collection of int
        Numbers of the rows that a terminal makes stand out.
    """

    rows: Sequence[Sequence[str]]
    titles: Sequence[str] = ()
    right: Collection[int] = ()
    indent: int = 0
    line: str | None = None
    strong: Collection[int] = ()

    @property
    def cells(self) -> list[list[str]]:
        """The rows, below the titles if there are any; each cell as `printable` writes it."""
        rows = [self.titles, *self.rows] if self.titles else self.rows
        return [[printable(text) for text in row] for row in rows]

    @property
    def widths(self) -> list[int]:
        """Characters of the widest cell of each column."""
        return [max(map(len, column)) for column in zip(*self.cells, strict=True)]

    def __str__(self) -> str:
        if self.line is not None:
            rows = self.cells[1 if self.titles else 0 :]
            return "\n".join(self.line.format(*row).rstrip() for row in rows)
        widths = self.widths
        sides = [">" if number in self.right else "<" for number in range(len(widths))]
        return "\n".join(
            " " * self.indent
            + "  ".join(
                f"{text:{side}{width}}"
                for text, side, width in zip(row, sides, widths, strict=True)
            ).rstrip()
            for row in self.cells
        )


@dataclass(frozen=True)
class Report:
    """Lines and tables, one below the other. ``str`` is its plain text.

    Attributes
    ----------
    parts : sequence of Line or Grid
    """

    parts: Sequence[Line | Grid]

    def __str__(self) -> str:
        return "\n".join(map(str, self.parts))


def by_record(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> Report:
    """Arrange a table that is too wide for its columns: each value on a line of its own.

    Parameters
    ----------
    titles : sequence of str
    rows : sequence of sequence of str

    Returns
    -------
    Report
        A blank line stands between two records.
    """
    parts: list[Line | Grid] = []
    for row in rows:
        parts += [Line(""), Grid(list(zip(titles, row, strict=True)))]
    return Report(parts[1:])
