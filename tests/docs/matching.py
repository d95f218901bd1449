"""Is an output what a page says? ``...`` stands for what varies."""

from __future__ import annotations

import difflib
import re

#: Stands for any text in a line; alone, for any lines.
ANYTHING = "..."
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def matches(expected: str, actual: str) -> bool:
    """Compare an output with what a page shows.

    Parameters
    ----------
    expected : str
        Of the page.
    actual : str

    Returns
    -------
    bool
        Blanks at ends of lines, and empty lines at the beginning and the end, do not count.
    """
    pattern = "".join(_pattern(line) for line in _lines(expected))
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in _lines(actual))) is not None


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in _COLOURS.sub("", text).strip("\n").splitlines()]


def _pattern(line: str) -> str:
    if line.strip() == ANYTHING:
        return r"(?:.*\n)*?"
    return ".*".join(re.escape(part) for part in line.split(ANYTHING)) + r"\n"


def difference(expected: str, actual: str) -> str:
    """Show where an output differs from what a page shows.

    Parameters
    ----------
    expected, actual : str

    Returns
    -------
    str
        Lines with ``-`` stand on the page, lines with ``+`` were printed.
    """
    wanted, shown = _lines(expected), []
    for line in _lines(actual):
        like = [w for w in wanted if w != ANYTHING and re.fullmatch(_pattern(w)[:-2], line)]
        shown.append(like[0] if like else line)
    changes = difflib.unified_diff(wanted, shown, "page", "printed", lineterm="", n=2)
    return "\n".join(changes)
