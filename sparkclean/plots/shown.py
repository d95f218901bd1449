"""Texts of a table as a page shows them: cut, and with nothing in them that turns or hides.

Escaping for HTML is not done here: Jinja2 does it for every text of the page.
"""

from __future__ import annotations

import unicodedata

from sparkclean.texts import hide_secrets, printable

#: Characters of a label, an id or a name; of a value; of an excerpt of a text.
MOST_LABEL, MOST_VALUE, MOST_EXCERPT = 80, 200, 700
#: Lines of an excerpt.
_MOST_LINES = 14
#: What is looked at: a longer text is cut before anything else is done with it.
_MOST_READ = 20_000
#: Marks above and below one letter.
_MOST_MARKS = 4
#: Joiners, which Persian, Hindi and emoji need; in a label they would hide a difference.
_JOINERS = "\u200c\u200d"


def shown(value: object, most: int = MOST_LABEL) -> str:
    """Write a value in one line.

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
    return _cut(printable(_calm(text[:_MOST_READ])), most, len(text) > _MOST_READ)


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
    text = hide_secrets(_calm(value[:_MOST_READ]))
    text = text.replace("\r\n", "\n").replace("\t", "    ").replace("\u00a0", " ").strip("\n")
    lines = text.split("\n")
    kept = "\n".join(map(_line, lines[:_MOST_LINES]))
    return _cut(kept, most, len(lines) > _MOST_LINES or len(value) > _MOST_READ)


def _calm(text: str) -> str:
    """Leave out marks beyond the fourth on one letter: piled up, they cover what stands above."""
    if text.isascii():
        return text
    kept: list[str] = []
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        if marks <= _MOST_MARKS:
            kept.append(character)
        elif marks == _MOST_MARKS + 1:
            kept.append("…")
    return "".join(kept)


def _line(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(c if c in _JOINERS else printable(c) for c in line)


def _cut(text: str, most: int, more: bool) -> str:
    if len(text) > most:
        return text[: most - 1].rstrip() + "…"
    return text + "…" if more else text
