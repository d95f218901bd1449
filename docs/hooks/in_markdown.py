"""Pieces of Markdown for the generated pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Write a table.

    Parameters
    ----------
    heads : sequence of str
    rows : iterable of sequence of str
        Cells in Markdown.

    Returns
    -------
    list of str
        Lines, an empty one behind them.
    """
    lines = [_row(heads), _row(["---"] * len(heads))]
    return [*lines, *(_row(cells) for cells in rows), ""]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|").replace("\n", " ") for cell in cells) + " |"


def code(text: str) -> str:
    """Write a text as code."""
    return f"`{text}`"


def fence(language: str, text: str) -> list[str]:
    """Write a block of code.

    Parameters
    ----------
    language : str
    text : str

    Returns
    -------
    list of str
        Lines, an empty one behind them.
    """
    return [f"```{language}", *text.rstrip("\n").splitlines(), "```", ""]


def sentence(text: str) -> str:
    """Make a sentence of a description: a capital at its beginning, a full stop at its end."""
    text = " ".join(text.split())
    first = text.split(" ", 1)[0]
    if first.isalpha() and first.islower():
        text = text[0].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."
