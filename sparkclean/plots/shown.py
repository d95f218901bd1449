"""Texts of a table as a page shows them: cut, and with nothing in them that turns or hides.

Escaping for HTML is not done here: Jinja2 does it for every text of the page.
"""

from __future__ import annotations

import unicodedata
from functools import cache

from sparkclean.texts import hide_secrets, printable

#: Characters of a label, an id or a name; of a value; of an excerpt of a text.
MOST_LABEL, MOST_VALUE, MOST_EXCERPT = 80, 200, 700
#: Lines of an excerpt.
_MOST_LINES = 14
#: Characters behind the cut that are looked at: a secret that begins before it is known as one.
_BEYOND = 500
#: Marks above and below one letter.
_MOST_MARKS = 4
#: Joiners, which Persian, Hindi and emoji need; in a label they would hide a difference.
_JOINERS = "\u200c\u200d"


def shown(value: object, most: int = MOST_LABEL) -> str:
    """Write a value in one line; of a longer one no more than the beginning is looked at.

    Parameters
    ----------
    value : object
    most : int
        Characters; of a longer text the beginning and an ellipsis are given.

    Returns
    -------
    str
        What is not printable, characters that turn the direction of writing among them, is
        written as Python escapes it. Secrets that are known are left out.
    """
    text = "" if value is None else value if isinstance(value, str) else str(value)
    read = most + _BEYOND
    return _cut(printable(_calm(text[:read])), most, len(text) > read)


def excerpt(value: str, most: int = MOST_EXCERPT) -> str:
    """Write the beginning of a text of several lines.

    Parameters
    ----------
    value : str
    most : int
        Characters.

    Returns
    -------
    str
        As `shown`, but with line ends, and with the joiners that scripts need.
    """
    read = most + _BEYOND
    text = hide_secrets(_calm(value[:read]))
    text = text.replace("\r\n", "\n").replace("\t", "    ").replace("\u00a0", " ").strip("\n")
    lines = text.split("\n")
    kept = "\n".join(map(_line, lines[:_MOST_LINES]))
    return _cut(kept, most, len(lines) > _MOST_LINES or len(value) > read)


def _calm(text: str) -> str:
    """Leave out marks beyond the fourth on one letter: piled up, they cover what stands above."""
    if text.isascii() or _marks().isdisjoint(text):
        return text
    kept: list[str] = []
    pile = 0
    for character in text:
        pile = pile + 1 if character in _marks() else 0
        if pile <= _MOST_MARKS:
            kept.append(character)
        elif pile == _MOST_MARKS + 1:
            kept.append("…")
    return "".join(kept)


@cache
def _marks() -> frozenset[str]:
    """List the marks that stand above or below a letter, in all planes that have any."""
    letters = map(chr, range(0x300, 0x20000))
    return frozenset(c for c in letters if unicodedata.category(c) in ("Mn", "Me"))


def _line(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(c if c in _JOINERS else printable(c) for c in line)


def _cut(text: str, most: int, more: bool) -> str:
    if len(text) > most:
        return text[: most - 1].rstrip() + "…"
    return text + "…" if more else text
