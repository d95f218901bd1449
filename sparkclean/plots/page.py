"""A report as one file of HTML: nothing is loaded from elsewhere, and it is read without scripts.

Jinja2 escapes every text; `shown` cuts it and makes visible what turns or hides. A policy in the
page allows its own script alone, so that nothing else would run even if it got in.
"""

from __future__ import annotations

import base64
import hashlib
import html
import logging
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sparkclean.errors import ConfigError
from sparkclean.plots.drawing import MISSING
from sparkclean.plots.parts import (
    Block,
    Card,
    Cards,
    Cell,
    Chart,
    Column,
    Commands,
    Facts,
    Notice,
    ReportPart,
    Sheet,
    Table,
    Text,
    Thumbnail,
)
from sparkclean.plots.shown import MOST_EXCERPT, MOST_VALUE, excerpt, shown
from sparkclean.plots.svg import Drawing, draw_charts
from sparkclean.version import __version__

if TYPE_CHECKING:
    from jinja2 import Template

_log = logging.getLogger("sparkclean")

#: Bytes of a page at most.
MOST_BYTES = 3_000_000
#: Cells of a page at most: more are not even tried, as each takes 40 bytes and more.
_MOST_CELLS = 60_000
#: Characters of a paragraph, and of a command, which must stay whole.
_MOST_TEXT, _MOST_COMMAND = 3_000, 4_000
#: Characters of a URL that is still a link.
_MOST_URL = 2_000
#: Characters that a URL consists of.
_URL = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
#: Bars, pictures, texts and links of a card.
_MOST_OF_CARD = 6


@dataclass(frozen=True)
class _Limits:
    """How much of everything a page shows.

    Attributes
    ----------
    rows, cards, groups, group : int
        Rows of a table; cards; groups of a contact sheet, and examples in each.
    excerpt, fields : int
        Characters of a text; other columns of a card.
    pictures : bool
    drawing : int
        Bytes of a chart.
    parts, blocks, columns : int
        Sections; blocks of a section; columns of a table.
    """

    rows: int = 1_000
    cards: int = 60
    groups: int = 24
    group: int = 12
    excerpt: int = MOST_EXCERPT
    fields: int = 40
    pictures: bool = True
    drawing: int = 400_000
    parts: int = 60
    blocks: int = 60
    columns: int = 40


#: Tried one after the other, until a page is small enough. The first does for what jobs hand over.
_LADDER = (
    _Limits(),
    _Limits(rows=300, group=8, groups=12, excerpt=400, fields=12, drawing=200_000),
    _Limits(rows=100, cards=30, group=6, groups=8, excerpt=200, fields=6, drawing=100_000),
    _Limits(50, 20, 4, 4, 100, 4, pictures=False, drawing=50_000, parts=30, blocks=20, columns=20),
    _Limits(5, 5, 1, 1, 50, 2, pictures=False, drawing=0, parts=8, blocks=6, columns=6),
)


def render_page(title: str, parts: Sequence[ReportPart], *, notes: Sequence[str] = ()) -> str:
    """Write a report as one page of HTML.

    Parameters
    ----------
    title : str
    parts : sequence of ReportPart
        Shown in the order of ``order``, then of ``name``.
    notes : sequence of str
        Lines below the title, such as that the page holds data of the table.

    Returns
    -------
    str
        Less than 3 MB in UTF-8: of more, less is shown, and the page says so.

    Raises
    ------
    ConfigError
        If a library of the extra ``sparkclean[report]`` is missing.
    """
    template = _template()
    ordered = sorted(parts, key=lambda part: (part.order, part.name))
    drawings = _draw(ordered)
    for limits in _LADDER:
        if limits is not _LADDER[-1] and _count_cells(ordered, limits) > _MOST_CELLS:
            continue
        told = list(notes)[: limits.blocks]
        if limits is not _LADDER[0]:
            told.append("Less of everything is shown than elsewhere, to keep this page under 3 MB.")
        page = template.render(
            title=shown(title, MOST_VALUE),
            notes=[shown(note, _MOST_TEXT) for note in told],
            parts=list(_sections(ordered, limits, drawings)),
            version=__version__,
            **_own(),
        )
        if len(page.encode()) < MOST_BYTES:
            return page
    raise ConfigError("the report has more than 3 MB even with the least of everything")


def inline_page(page: str, height: int = 720) -> str:
    """Put a page into a frame, so that a notebook shows it with a style of its own.

    Parameters
    ----------
    page : str
        As `render_page` gives it.
    height : int
        Of the frame, in pixels.

    Returns
    -------
    str
        HTML. Scripts of the page run without access to the notebook.
    """
    return (
        f'<iframe title="report" sandbox="allow-scripts allow-popups" loading="lazy" '
        f'style="width:100%;height:{height:d}px;border:1px solid #8888;border-radius:6px" '
        f'srcdoc="{html.escape(page)}"></iframe>'
    )


def _count_cells(parts: Sequence[ReportPart], limits: _Limits) -> int:
    count = 0
    for part in parts[: limits.parts]:
        for block in part.blocks[: limits.blocks]:
            table = block.table if isinstance(block, Chart) else block
            if isinstance(table, Table):
                rows = min(len(table.rows), limits.rows)
                count += rows * min(len(table.columns), limits.columns)
    return count


# -- what the template is made of ----------------------------------------------------------------


@cache
def _template() -> Template:
    try:
        import jinja2  # noqa: PLC0415
        import PIL  # noqa: F401, PLC0415
        import vl_convert  # noqa: F401, PLC0415
    except ModuleNotFoundError as exc:
        raise ConfigError(MISSING.format(exc.name)) from exc
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    return environment.from_string(_file("page.html"))


def _file(name: str) -> str:
    # by resources: the package may be in a zip
    return resources.files("sparkclean.plots").joinpath(name).read_text(encoding="utf-8")


@cache
def _own() -> dict[str, Any]:
    """Give style, script and policy of the page, which are ours."""
    script = _file("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    return {"style": _safe(_file("page.css")), "script": _safe(script), "policy": policy}


def _safe(text: str) -> Any:
    """Mark what we have written ourselves as HTML that is not to be escaped."""
    from markupsafe import Markup  # noqa: PLC0415

    return Markup(text)  # noqa: S704 (our own files, and drawings that `svg` has cleaned)


# -- sections ------------------------------------------------------------------------------------


def _sections(
    parts: Sequence[ReportPart], limits: _Limits, drawings: dict[int, Drawing]
) -> Iterator[dict[str, Any]]:
    taken = {"content"}
    for part in parts[: limits.parts]:
        name = base = re.sub(r"[^a-z0-9]+", "-", part.name.lower())[:40].strip("-") or "part"
        number = 2
        while name in taken or f"{name}-title" in taken:
            name, number = f"{base}-{number}", number + 1
        taken.update((name, f"{name}-title"))
        blocks = [_block(block, limits, drawings) for block in part.blocks[: limits.blocks]]
        yield {"name": name, "title": shown(part.title), "blocks": blocks}


def _block(  # noqa: PLR0911 (a kind of block each)
    block: Block, limits: _Limits, drawings: dict[int, Drawing]
) -> dict[str, Any]:
    match block:
        case Text():
            return {"kind": "text", "paragraphs": _paragraphs(block.text)}
        case Notice():
            return {
                "kind": "notice",
                "level": block.level if block.level in ("warning", "error") else "info",
                "title": shown(block.title),
                "paragraphs": _paragraphs(block.text),
            }
        case Facts():
            rows = _pairs(block.rows[: limits.rows])
            return {"kind": "facts", "rows": rows, "look": "big" if block.big else "plain"}
        case Table():
            return _table(block, limits)
        case Chart():
            return _chart(block, limits, drawings)
        case Cards():
            return _cards(block, limits)
        case Sheet():
            return _sheet(block, limits)
        case Commands():
            lines = block.lines[: limits.rows]
            return {
                "kind": "commands",
                "lines": [(shown(w, MOST_VALUE), shown(c, _MOST_COMMAND)) for w, c in lines],
            }
    raise TypeError(f"{type(block).__name__} is no block of a report")


def _paragraphs(text: str) -> list[str]:
    found = re.split(r"\n\s*\n", text[:_MOST_TEXT])
    return [shown(" ".join(one.split("\n")), _MOST_TEXT) for one in found if one.strip()]


def _pairs(rows: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(shown(name), shown(value, MOST_VALUE)) for name, value in rows]


def _first(count: int, total: int, what: str) -> str:
    """Say that not all are shown; empty where they are."""
    return f"the first {count:,} of {total:,} {what}" if count < total else ""


# -- tables --------------------------------------------------------------------------------------


def _table(table: Table, limits: _Limits) -> dict[str, Any]:
    columns = table.columns[: limits.columns]
    rows = [row[: limits.columns] for row in table.rows[: limits.rows]]
    total = max(table.total or 0, len(table.rows))
    # the longest bar of a column is its largest number
    tops = [
        max((v for row in rows if (v := _finite(row[i])) is not None), default=0.0)
        if column.bar
        else 0.0
        for i, column in enumerate(columns)
    ]
    return {
        "kind": "table",
        "columns": [{"name": shown(c.name), "numeric": c.numeric} for c in columns],
        "rows": [
            [_cell(value, c, top) for value, c, top in zip(row, columns, tops, strict=True)]
            for row in rows
        ],
        "caption": shown(table.caption, MOST_VALUE),
        "cut": _first(len(rows), total, "rows"),
        "sortable": table.sortable,
    }


def _cell(value: Cell, column: Column, top: float) -> dict[str, Any]:
    number = _finite(value)
    if not column.numeric:
        return {"text": shown(value, MOST_VALUE), "number": False, "attributes": ""}
    if number is None:
        text = "–" if value is None or isinstance(value, float) else shown(value, MOST_VALUE)
        return {"text": text, "number": True, "attributes": _safe(" class=n")}
    width = f"{100 * max(number, 0.0) / top:.0f}" if column.bar and top > 0 else ""
    style = f' class="n b" style="--w:{width}%"' if width else " class=n"
    return {"text": _written(number, column.unit), "number": True, "attributes": _safe(style)}


def _finite(value: Cell) -> float | None:
    known = isinstance(value, int | float) and math.isfinite(value)
    return value if known else None  # type: ignore[return-value]


def _written(number: float, unit: str) -> str:
    """Write a number so that the script reads it again: ``1,234``, ``5.1%``, ``2.0 s``."""
    if unit == "%":
        return f"{number:.1%}" if number == 0 or abs(number) >= 0.001 else f"{number:.2%}"
    if unit == "s":
        return f"{number:,.1f} s"
    if number == int(number) and abs(number) < 1e15:
        return f"{int(number):,}" + (f" {shown(unit, 10)}" if unit else "")
    text = f"{number:,.1f}" if abs(number) >= 1000 else f"{number:.4g}"
    return f"{text} {shown(unit, 10)}" if unit else text


# -- charts --------------------------------------------------------------------------------------


def _draw(parts: Sequence[ReportPart]) -> dict[int, Drawing]:
    """Draw the charts that the largest page shows, by the identity of their blocks."""
    most = _LADDER[0]
    blocks = [
        block
        for part in parts[: most.parts]
        for block in part.blocks[: most.blocks]
        if isinstance(block, Chart)
    ]
    return dict(zip(map(id, blocks), draw_charts([b.chart for b in blocks]), strict=True))


def _chart(block: Chart, limits: _Limits, drawings: dict[int, Drawing]) -> dict[str, Any]:
    drawing = drawings[id(block)]
    fits = len(drawing.svg) <= limits.drawing
    problem = "The chart could not be drawn." if drawing.problem else ""
    return {
        "kind": "chart",
        "svg": _safe(drawing.svg) if fits and drawing.svg else "",
        "width": drawing.width,
        "problem": problem if fits else "The chart is too large for this page.",
        "alternative": shown(block.alternative, _MOST_TEXT),
        "table": _table(block.table, limits),
    }


# -- suspects ------------------------------------------------------------------------------------


def _cards(block: Cards, limits: _Limits) -> dict[str, Any]:
    cards = block.cards[: limits.cards]
    labels: dict[str, int] = {}
    for card in cards:
        for label in (card.given, card.suggested):
            labels.setdefault(label, len(labels))
    pairs = {(card.given, card.suggested): None for card in cards}
    total = max(block.total, len(block.cards))
    said = _first(len(cards), total, "suspects")
    if not cards:
        said = f"None of {total:,} suspects is shown." if total else "There are no suspects."
    return {
        "kind": "cards",
        "said": said[:1].upper() + said[1:],
        "classes": sorted((n, shown(label)) for label, n in labels.items()),
        "pairs": [
            (f"{labels[given]}-{labels[other]}", f"{shown(given)} → {shown(other)}")
            for given, other in pairs
        ],
        "cards": [_card(card, labels, limits) for card in cards],
    }


def _card(card: Card, labels: dict[str, int], limits: _Limits) -> dict[str, Any]:
    example = card.example
    return {
        "g": labels[card.given],
        "s": labels[card.suggested],
        "given": shown(card.given),
        "suggested": shown(card.suggested),
        "record_id": shown(card.record_id, MOST_VALUE),
        "bars": [_bar(label, share, card) for label, share in card.bars[:_MOST_OF_CARD]],
        "facts": _pairs(card.facts[: limits.fields]),
        "note": shown(card.note, MOST_VALUE),
        "images": [(shown(name), _picture(image)) for name, image in example.images[:_MOST_OF_CARD]]
        if example and limits.pictures
        else [],
        "texts": [
            (shown(name), excerpt(text, limits.excerpt))
            for name, text in example.texts[:_MOST_OF_CARD]
        ]
        if example
        else [],
        "links": [_link(name, url) for name, url in example.links[:_MOST_OF_CARD]]
        if example
        else [],
        "fields": _pairs(example.fields[: limits.fields]) if example else [],
    }


def _bar(label: str, share: float, card: Card) -> dict[str, Any]:
    kind = "of-given" if label == card.given else "of-other"
    known = min(max(share, 0.0), 1.0) if math.isfinite(share) else 0.0
    return {
        "label": shown(label),
        "kind": "of-suggested" if label == card.suggested else kind,
        "width": f"{100 * known:.1f}",
        "text": f"{share:.1%}" if math.isfinite(share) else "–",
    }


def _picture(image: Thumbnail) -> dict[str, Any]:
    known = image.media_type in ("image/png", "image/webp")
    data = base64.b64encode(image.data).decode() if known else ""
    # few pixels are enlarged to the size of other pictures
    scale = 1 if image.smooth else 96 / max(image.width, image.height, 1)
    return {
        "source": f"data:{image.media_type if known else 'image/png'};base64,{data}",
        "width": round(image.width * scale),
        "height": round(image.height * scale),
        "smooth": image.smooth,
    }


def _link(name: str, url: str) -> dict[str, Any]:
    return {"name": shown(name), "text": shown(url, 100), "href": url if _is_link(url) else ""}


def _is_link(url: str) -> bool:
    if len(url) > _MOST_URL or not _URL.fullmatch(url):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    # a name and password before the host would say another one than the link leads to
    return parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc


def _sheet(block: Sheet, limits: _Limits) -> dict[str, Any]:
    groups = []
    for title, cards in block.groups[: limits.groups]:
        shown_cards = cards[: limits.group]
        groups.append(
            {
                "title": shown(title, MOST_VALUE),
                "said": _first(len(shown_cards), len(cards), "")
                if len(shown_cards) < len(cards)
                else f"{len(cards):,}",
                "cells": [_small(card, limits) for card in shown_cards],
            }
        )
    return {
        "kind": "sheet",
        "said": _first(len(groups), len(block.groups), "pairs"),
        "groups": groups,
    }


def _small(card: Card, limits: _Limits) -> dict[str, Any]:
    example = card.example
    images = example.images if example and limits.pictures else ()
    texts = example.texts if example else ()
    return {
        "record_id": shown(card.record_id),
        "image": _picture(images[0][1]) if images else None,
        "text": excerpt(texts[0][1], min(180, limits.excerpt)) if texts else "",
    }
