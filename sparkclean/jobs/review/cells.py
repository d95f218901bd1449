"""Cells that a spreadsheet shows and never runs, and what comes back of them.

A text cell gets an apostrophe in front unless it is letters alone. So no text is a formula, a
number, a date or a truth value to a spreadsheet, and reading takes one apostrophe away.

Where lists are written with semicolons, a spreadsheet divides lines at them, and knows no quotes
within a line. So a formula behind a semicolon, a tab or a line end gets an apostrophe, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

#: What comes before a text that a spreadsheet might take for something else.
MARK: Final = "'"
_LETTERS = re.compile(r"[A-Za-z_]+(?: [A-Za-z_]+)*")
#: Before a formula, where a spreadsheet may begin a new cell.
_INSIDE = re.compile(r"([;\t\n][\s\"]*)(?='*[=+\-@＝＋－＠])")
_TRUTHS = ("true", "false")
#: Larger integers lose digits in a spreadsheet, which keeps 15.
_DIGITS = 15
#: Control characters, but for those that a quoted cell may hold.
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\r]|[\ud800-\udfff]")


def write_cell(value: Any) -> str:
    """Write a record id or a label.

    Parameters
    ----------
    value : int, bool, str or None

    Returns
    -------
    str
        Different values of one type have different cells.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        text = str(value)
        return text if len(text.lstrip("-")) <= _DIGITS else MARK + text
    text = _visible(str(value))
    is_plain = _LETTERS.fullmatch(text) and text.lower() not in _TRUTHS
    return text if is_plain else MARK + _guarded(text)


def _guarded(text: str) -> str:
    """Put apostrophes before formulas inside a text; different texts stay different."""
    return _INSIDE.sub(r"\1" + MARK, text)


def write_content(value: Any) -> str:
    """Write what reviewers are shown; it is not read back."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool | int | float):
        return str(value)
    text = _guarded(_visible(str(value)))
    first = text.lstrip()[:1]
    return text if first.isalnum() and first == text[:1] else MARK + text


def _visible(text: str) -> str:
    """Write control characters as escapes; where there are any, backslashes are doubled."""
    if not _CONTROLS.search(text) and "\\x" not in text:
        return text
    doubled = text.replace("\\", "\\\\")
    return _CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", doubled)


def is_cell_of(cell: str, value: Any) -> bool:
    """Tell whether a cell that came back is that of a value.

    Parameters
    ----------
    cell : str
    value : int, bool, str or None

    Returns
    -------
    bool
        Some spreadsheets take the apostrophe away, some write line ends otherwise.
    """
    wanted = write_cell(value)
    return _ends(cell) in (_ends(wanted), _ends(wanted).removeprefix(MARK))


def _ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


class Labels:
    """Reads labels of cells.

    Parameters
    ----------
    labels : iterable
        The classes.
    """

    def __init__(self, labels: Iterable[Any]) -> None:
        self._known: dict[str, Any] = {}
        there = list(labels)
        for label in there:  # as they are, first; as they are written wins
            self._known.setdefault(_plain(label), label)
        for label in there:
            self._known[write_cell(label)] = label

    def read(self, cell: str) -> Any:
        """Read a label.

        Parameters
        ----------
        cell : str

        Returns
        -------
        object
            A class.

        Raises
        ------
        KeyError
            If no class is written so.
        """
        for text in (cell, cell.strip(), cell.removeprefix(MARK), _whole(cell.strip())):
            if text in self._known:
                return self._known[text]
        raise KeyError(cell)


def _plain(label: Any) -> str:
    return str(label).lower() if isinstance(label, bool) else _visible(str(label))


def _whole(text: str) -> str:
    """Write a whole number without its decimals: programs write integers beside blanks so."""
    found = re.fullmatch(r"'?(-?\d+)\.0+", text)
    if found:
        return found[1]
    return text.lower() if text.lower() in (*_TRUTHS, "yes", "no") else text
