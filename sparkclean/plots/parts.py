"""What a report consists of: sections and blocks, as plain data. Jobs make them, a page shows them.

Nothing here is escaped or cut: `page.render_page` does both, so whoever makes a part hands over
texts as they are in the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

#: Places of the sections (`ReportPart.order`); parts of further jobs stand from 50 on.
ORDER = {
    "top": 0,
    "suspects": 10,
    "classes": 20,
    "pairs": 25,
    "scores": 30,
    "changed": 40,
    "history": 45,
    "origin": 90,
}

#: A cell of a table: a text, a number, or None for "not known".
Cell: TypeAlias = "str | int | float | None"


@dataclass(frozen=True)
class Text:
    """Paragraphs.

    Attributes
    ----------
    text : str
        A blank line begins a new paragraph.
    """

    text: str


@dataclass(frozen=True)
class Notice:
    """A box that stands out: the verdict, or a caveat.

    Attributes
    ----------
    text : str
    level : {"info", "warning", "error"}
    title : str
        A few words above the text, such as ``gate passed``.
    """

    text: str
    level: Literal["info", "warning", "error"] = "info"
    title: str = ""


@dataclass(frozen=True)
class Facts:
    """Names and values, such as rows and suspects of a run.

    Attributes
    ----------
    rows : sequence of (str, str)
        Name and value.
    big : bool
        Whether the values are shown as large figures, beside each other: for the few that matter.
    """

    rows: Sequence[tuple[str, str]]
    big: bool = False


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    name : str
    numeric : bool
        Aligned at its right, written with separators, and sorted by its number.
    bar : bool
        Whether a bar stands behind each number, as long as its share of the column's largest.
    unit : {"", "%", "s"}
        What the numbers are written in: ``%`` of a share of 1, ``s`` of seconds.
    """

    name: str
    numeric: bool = False
    bar: bool = False
    unit: str = ""


@dataclass(frozen=True)
class Table:
    """A table, which the page can sort and search.

    Attributes
    ----------
    columns : sequence of Column
    rows : sequence of sequence of Cell
        One cell for each column.
    caption : str
    total : int, optional
        Rows that there are. If more than are given, the caption says how many of them are shown.
    sortable : bool
        Whether a click on a title sorts, and a field above searches.
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""
    total: int | None = None
    sortable: bool = True


@dataclass(frozen=True)
class Chart:
    """A chart, its description, and the numbers behind it.

    Attributes
    ----------
    chart : altair.Chart
        As the functions of `sparkclean.plots` return it.
    alternative : str
        What the chart shows, in a sentence or two, for who cannot see it.
    table : Table
        The numbers that it draws; folded up below the chart.
    """

    chart: Any
    alternative: str
    table: Table


@dataclass(frozen=True)
class Thumbnail:
    """A small picture that `thumbnails.thumbnail` has decoded and encoded anew.

    Attributes
    ----------
    data : bytes
        A PNG or WebP image of ours, never the bytes of the table.
    media_type : {"image/png", "image/webp"}
    width, height : int
        In pixels.
    smooth : bool
        False for a picture of so few pixels that it is enlarged.
    """

    data: bytes
    media_type: str
    width: int
    height: int
    smooth: bool = True


@dataclass(frozen=True)
class Example:
    """What an example looks like: values of its columns.

    Attributes
    ----------
    texts : sequence of (str, str)
        Column and text; the page shows an excerpt.
    images : sequence of (str, Thumbnail)
        Column and picture.
    links : sequence of (str, str)
        Column and URL; a link where it is one of http or https, and never fetched.
    fields : sequence of (str, str)
        Column and value of the other columns.
    """

    texts: Sequence[tuple[str, str]] = ()
    images: Sequence[tuple[str, Thumbnail]] = ()
    links: Sequence[tuple[str, str]] = ()
    fields: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Card:
    """A suspect.

    Attributes
    ----------
    record_id : str
    given, suggested : str
        Labels.
    bars : sequence of (str, float)
        Label and its probability, from 0 to 1.
    facts : sequence of (str, str)
        Name and value, such as rank and label quality.
    example : Example, optional
    note : str
        For example why there is no example.
    """

    record_id: str
    given: str
    suggested: str
    bars: Sequence[tuple[str, float]] = ()
    facts: Sequence[tuple[str, str]] = ()
    example: Example | None = None
    note: str = ""


@dataclass(frozen=True)
class Cards:
    """Suspects as cards, which the page filters by class and pair.

    Attributes
    ----------
    cards : sequence of Card
    total : int
        Suspects that there are.
    """

    cards: Sequence[Card]
    total: int


@dataclass(frozen=True)
class Sheet:
    """A contact sheet: suspects as small pictures or excerpts, in groups.

    Attributes
    ----------
    groups : sequence of (str, sequence of Card)
        Title, such as ``given 3, looks like 8``, and its suspects.
    """

    groups: Sequence[tuple[str, Sequence[Card]]]


@dataclass(frozen=True)
class Commands:
    """Commands, ready to copy.

    Attributes
    ----------
    lines : sequence of (str, str)
        What it does, and the command.
    """

    lines: Sequence[tuple[str, str]]


Block: TypeAlias = "Text | Notice | Facts | Table | Chart | Cards | Sheet | Commands"


@dataclass(frozen=True)
class ReportPart:
    """A section of a report.

    Attributes
    ----------
    name : str
        Its anchor in the page; letters, digits and hyphens.
    title : str
    blocks : sequence of Block
    order : int
        Sections are sorted by it, then by name (`ORDER`).
    """

    name: str
    title: str
    blocks: Sequence[Block]
    order: int = 50
