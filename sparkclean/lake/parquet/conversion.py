"""How text files become Parquet: a line for a shell, which an error shows."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

#: Of a file by the end of its name, without that of a compression: what reads it.
_CSV = "c.read_csv({file}, parse_options=c.ParseOptions({options}newlines_in_values=True))"
_JSON = "j.read_json({file}, parse_options=j.ParseOptions(newlines_in_values=True))"
_READERS = {
    ".csv": ("csv as c", _CSV, ""),
    ".tsv": ("csv as c", _CSV, 'delimiter="\\t", '),
    ".json": ("json as j", _JSON, ""),
    ".jsonl": ("json as j", _JSON, ""),
    ".ndjson": ("json as j", _JSON, ""),
}
_COMPRESSED = (".gz", ".bz2", ".zst")


def how_to_convert(table: Path, files: Sequence[Path]) -> str | None:
    """Say how to convert a table of CSV or JSON lines.

    Parameters
    ----------
    table : Path
        A folder, or one file.
    files : sequence of Path
        All of it.

    Returns
    -------
    str or None
        The end of a sentence, with a command that can be pasted; None of other files.
    """
    kinds = {_kind(path) for path in files}
    if len(kinds) != 1 or not kinds <= set(_READERS):
        return None
    (kind,) = kinds
    module, reader, options = _READERS[kind]
    name = "CSV" if "csv" in module else "JSON lines"
    target = _without_ends(table)
    if target.exists():
        target = table.with_name(f"{table.name}.parquet")
    modules, source = f"sys, pyarrow.{module}, pyarrow.parquet as p", files[0]
    read = reader.format(file="sys.argv[1]", options=options)
    if len(files) > 1:
        modules, source = f"glob, pyarrow as a, {modules}", table
        one = reader.format(file="f", options=options)
        found = f'sorted(glob.glob(sys.argv[1] + "/**/*{kind}*", recursive=True))'
        read = f'a.concat_tables([{one} for f in {found}], promote_options="default")'
    line = f"import {modules}; p.write_table({read}, sys.argv[2])"
    words = [sys.executable or "python", "-c", line, str(source), str(target)]
    return (
        f"is {name}, which has no types and cannot be pinned. Convert it once, and name {target} "
        f"then: {shlex.join(words)}"
    )


def _kind(path: Path) -> str:
    inner = Path(path.stem) if path.suffix.lower() in _COMPRESSED else path
    return inner.suffix.lower()


def _without_ends(path: Path) -> Path:
    """Name the file to write, beside the table."""
    name = path.name
    for end in (*_COMPRESSED, *_READERS):
        name = name.removesuffix(end)
    return path.with_name(f"{name}.parquet")
