"""Files for reviewers: written for spreadsheets and programs, and read again."""

from __future__ import annotations

import csv
import io
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from sparkclean.errors import InputError, did_you_mean, first_of
from sparkclean.jobs.review.cells import write_cell, write_content
from sparkclean.jobs.review.decisions import FileRow
from sparkclean.locations import local_path
from sparkclean.rows.types import arrow_type

#: Columns before and behind those of the table.
FIRST: Final = ("queue", "queue_item")
VIEW: Final = ("given_label", "suggested_label", "votes", "settled_examples")
LAST: Final = ("decided_label", "unclear", "decided_at", "note", "reviewer")
_NEEDED: Final = (*FIRST, "decided_label", "reviewer")
_FORMATS: Final = (".csv", ".parquet")
#: Bytes of one file that the driver reads.
_LARGEST: Final = 256 << 20


@dataclass(frozen=True)
class Sheet:
    """What one reviewer gets.

    Attributes
    ----------
    queue, reviewer : str
    ids : tuple of (str, str)
        Names and Spark types of the record id columns.
    label_type : str
    shown : tuple of str
        Which columns of `VIEW` the reviewer sees.
    content : tuple of str
    rows : list of dict
        By column, in the order in which they are shown.
    """

    queue: str
    reviewer: str
    ids: tuple[tuple[str, str], ...]
    label_type: str
    shown: tuple[str, ...]
    content: tuple[str, ...]
    rows: list[dict[str, Any]]

    @property
    def columns(self) -> list[str]:
        """All columns of the file."""
        own = [name for name, _ in self.ids]
        return [*FIRST, *own, *self.shown, *(c for c in self.content if c not in own), *LAST]

    def csv(self) -> bytes:
        """Write the sheet as CSV, in UTF-8 with a mark by which spreadsheets know it."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow([write_content(name) for name in self.columns])
        cells = {name for name, _ in self.ids} | {"given_label", "suggested_label"}
        for row in self.rows:
            values = {"queue": self.queue, "reviewer": self.reviewer} | row
            writer.writerow(
                [
                    write_cell(values.get(name))
                    if name in cells or name in ("queue", "queue_item", "reviewer")
                    else write_content(values.get(name))
                    for name in self.columns
                ]
            )
        return text.getvalue().encode("utf-8-sig")

    def parquet(self) -> bytes:
        """Write the sheet as Parquet: record ids and labels in their own types."""
        kinds = {name: arrow_type(kind) for name, kind in self.ids}
        label = arrow_type(self.label_type)
        kinds |= {"queue_item": pa.int64(), "unclear": pa.bool_()}
        kinds |= dict.fromkeys(("given_label", "suggested_label", "decided_label"), label)
        kinds |= {"decided_at": pa.timestamp("us", tz="UTC")}
        kinds |= dict.fromkeys(("queue", "reviewer", "note", "votes", "settled_examples"))
        arrays = []
        for name in self.columns:
            constant = {"queue": self.queue, "reviewer": self.reviewer}.get(name)
            values = [row.get(name, constant) for row in self.rows]
            kind = kinds.get(name, pa.string()) if name in kinds else None
            arrays.append(pa.array(values, kind or (pa.string() if name in kinds else None)))
        sink = io.BytesIO()
        pq.write_table(pa.table(arrays, names=self.columns), sink)
        return sink.getvalue()


def write_once(path: Path, content: bytes) -> bool:
    """Write a file whole, or not at all; never replace what somebody may have filled in.

    Parameters
    ----------
    path : Path
    content : bytes

    Returns
    -------
    bool
        False where the file is there already, as it would be written.

    Raises
    ------
    InputError
        If a file is there that has other content.
    """
    if path.exists():
        if path.read_bytes() == content:
            return False
        raise InputError(
            f"{path}: is there already, with other content; somebody may have filled it in. Import "
            "it (sparkclean review import) and remove it, or choose another output.review"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        part.write_bytes(content)
        os.replace(part, path)  # noqa: PTH105 (atomic, and says so)
    finally:
        part.unlink(missing_ok=True)
    return True


# -- reading ---------------------------------------------------------------------------------------


def find_files(places: Sequence[str]) -> list[Path]:
    """List the files to import.

    Parameters
    ----------
    places : sequence of str
        Files, or folders of files.

    Returns
    -------
    list of Path
        Sorted within each folder.

    Raises
    ------
    InputError
        Names all that are missing, hold no file, or are of another format.
    """
    found: list[Path] = []
    findings: list[str] = []
    for place in places:
        path = local_path(place) if place.startswith("file:") else Path(place)
        if path.is_dir():
            inside = sorted(
                file
                for file in path.rglob("*")
                # Spark writes folders that are named like files
                if file.suffix.lower() in _FORMATS
                and not file.name.startswith(".")
                and file.is_file()
            )
            if not inside:
                findings.append(f"review.files: {place} holds no file .csv or .parquet; name one")
            findings += [text for file in inside if (text := _too_large(file))]
            found += inside
        elif not path.exists():
            findings.append(
                f"review.files: there is no {place}; name the files that reviewers gave back"
            )
        elif path.suffix.lower() not in _FORMATS:
            findings.append(
                f"review.files: {place} is neither .csv nor .parquet; save it as one of them"
            )
        elif text := _too_large(path):
            findings.append(text)
        else:
            found.append(path)
    if findings:
        raise InputError(findings)
    return list(dict.fromkeys(found))


def _too_large(path: Path) -> str | None:
    size = path.stat().st_size
    if size <= _LARGEST:
        return None
    return (
        f"review.files: {path} has {size:,} bytes, and {_LARGEST:,} are the most; leave out "
        "columns of content, or split the file"
    )


def read_file(path: Path, ids: Sequence[str]) -> list[FileRow]:
    """Read a file that a reviewer has given back.

    Parameters
    ----------
    path : Path
    ids : sequence of str
        Record id columns.

    Returns
    -------
    list of FileRow

    Raises
    ------
    InputError
        If it cannot be read, or lacks columns.
    """
    if path.suffix.lower() == ".parquet":
        names, rows = _read_parquet(path)
    else:
        names, rows = _read_csv(path)
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        hint = did_you_mean(missing[0], names)
        raise InputError(
            f"{path}: column {', '.join(map(repr, missing))} is missing; {hint}the file has "
            f"{first_of(names, 20) or 'no columns'}. Give back the file that was exported"
        )
    has_ids = all(name in names for name in ids)
    return [
        FileRow(
            file=str(path),
            line=line,
            queue=_text(row["queue"]),
            item=_text(row["queue_item"]),
            reviewer=_text(row["reviewer"]),
            ids=tuple(row[name] for name in ids) if has_ids else None,
            label=row["decided_label"],
            unclear=row.get("unclear"),
            decided_at=row.get("decided_at"),
            note=_text(row.get("note")),
        )
        for line, row in rows
        if any(value not in (None, "") for value in row.values())
    ]


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _read_parquet(path: Path) -> tuple[list[str], Iterator[tuple[int, dict[str, Any]]]]:
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as exc:
        raise InputError(f"{path}: is no Parquet file that can be read: {exc}") from exc
    return table.column_names, enumerate(table.to_pylist(), 1)


def _read_csv(path: Path) -> tuple[list[str], Iterator[tuple[int, dict[str, Any]]]]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise InputError(
            f"{path}: is not UTF-8 (byte {exc.start:,}); save it as CSV UTF-8"
        ) from exc
    except OSError as exc:
        raise InputError(f"{path}: cannot be read: {exc.strerror}") from exc
    if not text.strip():
        raise InputError(f"{path}: is empty; give back the file that was exported")
    head = text.splitlines()[0]
    comma = max(",;\t", key=head.count)  # some spreadsheets write semicolons
    try:
        records = list(_records(text, comma))
    except csv.Error as exc:
        raise InputError(f"{path}: is no CSV that can be read: {exc}; save it again") from exc
    (_, raw), *rows = records
    names = [name.strip().removeprefix("'") for name in raw]
    twice = [name for name in names if names.count(name) > 1 and name in _NEEDED]
    if twice:
        raise InputError(f"{path}: column {twice[0]!r} is there twice; give it once")
    found = []
    for line, cells in rows:
        if len(cells) > len(names) and any(cells[len(names) :]):
            raise InputError(
                f"{path}: line {line} has {len(cells)} cells, and the first one {len(names)}; a "
                "text with a comma may have lost its quotes. Save the file as CSV again"
            )
        padded: list[str] = [*cells, *[""] * (len(names) - len(cells))]
        found.append((line, dict(zip(names, padded, strict=False))))
    return names, iter(found)


def _records(text: str, comma: str) -> Iterator[tuple[int, list[str]]]:
    """Read records, each with the line at which it begins."""
    limit = csv.field_size_limit(_LARGEST)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=comma, strict=True)
        line = 1
        for cells in reader:
            yield line, cells
            line = reader.line_num + 1
    finally:
        csv.field_size_limit(limit)


def digest_of(tables: Mapping[Path, bytes]) -> str:
    """Hash files, for the fingerprint of an import: names do not count."""
    import hashlib  # noqa: PLC0415

    whole = hashlib.sha256()
    for part in sorted(hashlib.sha256(content).hexdigest() for content in tables.values()):
        whole.update(part.encode())
    return whole.hexdigest()[:16]
