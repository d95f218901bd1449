"""Whether the files of a version are those that were published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from sparkclean.lake.files import missing_files
from sparkclean.lake.parquet.footers import Unreadable, read_footers


def find_wrong_files(paths: Sequence[str], published: Mapping[str, tuple[int, int]]) -> list[str]:
    """Find files that are gone, or others than were published.

    Parameters
    ----------
    paths : sequence of str
        Of the version.
    published : mapping
        Bytes and rows by path, as far as they are known.

    Returns
    -------
    list of str
        A text each: the path, and what is wrong.

    Notes
    -----
    Reads the footers of the files of which the rows are known.
    """
    gone = set(missing_files(paths))
    known = [path for path in paths if path in published and path not in gone]
    wrong = dict.fromkeys(gone, "gone")
    for path, footer in zip(known, read_footers([Path(path) for path in known]), strict=True):
        size, rows = published[path]
        if isinstance(footer, Unreadable):
            wrong[path] = f"cannot be read: {footer.reason}"
        elif footer.size_bytes != size:
            wrong[path] = f"{footer.size_bytes:,} bytes, and {size:,} were published"
        elif footer.rows != rows:
            wrong[path] = f"{footer.rows:,} rows, and {rows:,} were published"
    return [f"{path} ({wrong[path]})" for path in paths if path in wrong]
