"""Small tables and questions for a terminal."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from sparkclean.lake import Version

_WIDEST_CELL = 40
#: A table wider than this is written record by record, no value longer than that.
_WIDEST_LINE, _LONGEST_VALUE = 240, 2000


def table_as_text(table: pa.Table) -> str:
    """Arrange a small Arrow table in columns, or record by record where it is too wide.

    Parameters
    ----------
    table : pyarrow.Table

    Returns
    -------
    str
    """
    cells = [[cell(value) for value in column.to_pylist()] for column in table.columns]
    widths = [
        max([len(name), *(len(text) for text in column)])
        for name, column in zip(table.column_names, cells, strict=True)
    ]
    if sum(widths) + 2 * len(widths) > _WIDEST_LINE:
        return _records(table)
    return _in_columns([table.column_names, *zip(*cells, strict=True)])


def _in_columns(rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> str:
    """Align rows of texts; columns with these numbers at their right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    sides = [">" if number in right else "<" for number in range(len(widths))]
    return "\n".join(
        "  ".join(
            f"{text:{side}{width}}" for text, side, width in zip(row, sides, widths, strict=True)
        ).rstrip()
        for row in rows
    )


def _records(table: pa.Table) -> str:
    """Write one line a value."""
    width = max(len(name) for name in table.column_names)
    return "\n\n".join(
        "\n".join(
            f"{name:<{width}}  {_cut(_printable(value))}".rstrip() for name, value in row.items()
        )
        for row in table.to_pylist()
    )


def _cut(text: str) -> str:
    """Keep the terminal usable: what a run remembers of many classes fills pages."""
    left = len(text) - _LONGEST_VALUE
    return text if left <= 0 else f"{text[:_LONGEST_VALUE]}... ({left:,} characters more)"


def cell(value: Any) -> str:
    """Write a value so that it fits a column: one line, nothing that moves the cursor."""
    text = _printable(value)
    return text if len(text) <= _WIDEST_CELL else text[: _WIDEST_CELL - 3] + "..."


def _printable(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    text = "" if value is None else str(value)
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def versions_as_text(
    versions: Sequence[Version], current: Version | None, gone: Collection[str] = ()
) -> str:
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
    str
    """
    name = current.name if current else None
    rows: list[tuple[str, ...]] = [("  version", "rows", "files", "MB", "created", "what", "run")]
    for version in versions:
        size = None if version.size_bytes is None else f"{version.size_bytes / 1e6:,.1f}"
        rows.append(
            (
                f"{'*' if version.name == name else ' '} {version.name}",
                *("" if n is None else f"{n:,}" for n in (version.rows, version.files)),
                size or "",
                version.created_at,
                "gone" if version.name in gone else version.operation,
                version.run_id,
            )
        )
    return _in_columns(rows, right=(1, 2, 3))


def agrees(question: str) -> bool:
    """Ask; anything but yes, also the end of the input, is no."""
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:
        return False
