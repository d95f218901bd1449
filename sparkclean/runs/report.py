"""The report of a run: its job's sections and those of its record, as one page. Publishes nothing.

A report reads what was published, and may be made again at any time: so it is no job, has no run
id and leaves no run record.
"""

from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkclean import registry
from sparkclean.errors import ConfigError, SparkCleanError
from sparkclean.locations import local_path
from sparkclean.plots.parts import Cards, ReportPart, Sheet
from sparkclean.runs.past import choose, find_before, find_one, parsed, read_past, table_of
from sparkclean.runs.report_parts import (
    changed_part,
    gates_part,
    histories,
    history_part,
    history_top,
    origin_part,
    title_of,
    top_part,
)
from sparkclean.runs.reported import PublishedRun, ReportedRun, SessionOf, no_session
from sparkclean.schema import JOB

if TYPE_CHECKING:
    from sparkclean.lake import TargetTable

#: Modules of the extra, and what they are installed as.
_NEEDED = {
    "altair": "altair",
    "vl_convert": "vl-convert-python<2",
    "jinja2": "Jinja2",
    "PIL": "Pillow",
}


def check_extra() -> None:
    """Check that the libraries are there that a report is made with.

    Raises
    ------
    ConfigError
    """
    missing = [name for module, name in _NEEDED.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise ConfigError(
            f"a report needs {' and '.join(missing)}: pip install 'sparkclean[report]'"
        )


def report_on_run(
    records: TargetTable,
    run_id: str,
    *,
    job: str | None = None,
    columns: Sequence[str] | None = None,
    session: SessionOf = no_session,
) -> str:
    """Make the page of a run.

    Parameters
    ----------
    records : TargetTable
        Of run records.
    run_id : str
        The scheduler's.
    job : str, optional
        Where the run id is that of several jobs; without it the newest of these.
    columns : sequence of str, optional
        Of the examples, that are shown; as the configuration of the run says by default.
    session : callable
        Gives the session that a table at some place needs; None for Parquet.

    Returns
    -------
    str
        HTML.

    Raises
    ------
    ConfigError
        If the extra is not installed.
    InputError
        If there is no such run.

    Notes
    -----
    Reads the run records, heads of the outputs, and a few columns of the input in the row groups of
    50 rows: of Delta and Iceberg in one job.
    """
    check_extra()
    past = read_past(records)
    found = find_one(past, run_id, job, records.location)
    record = _whole(records, found)
    before = find_before(past, record)
    run = PublishedRun(record, records.location, session, _columns(record, columns))
    parts = [
        *parts_of_run(run),
        *_parts_of_parents(run, past, records),
        *([] if table_of(record) is None else [_history(past, record)]),
    ]
    changed = changed_part(record, None if before is None else _whole(records, before))
    return assembled(title_of(record), [*parts, *([] if changed is None else [changed])])


def report_on_history(records: TargetTable, *, job: str | None = None) -> str:
    """Make the page of all runs.

    Parameters
    ----------
    records : TargetTable
    job : str, optional
        Whose runs alone are shown.

    Returns
    -------
    str
        HTML.

    Raises
    ------
    ConfigError, InputError
    """
    check_extra()
    past = choose(read_past(records), job=job)
    parts = [history_top(past, records.location), *histories(past)]
    return assembled(f"Runs in {records.location}", parts)


def parts_of_run(run: ReportedRun) -> list[ReportPart]:
    """Make the sections of a run that need no other one: of its record, and its job's.

    Parameters
    ----------
    run : ReportedRun

    Returns
    -------
    list of ReportPart
    """
    name = run.record[JOB]
    own: Sequence[ReportPart]
    own = registry.load_job(name)().report_parts(run) if name in registry.JOBS else ()
    return [top_part(run.record), *own, gates_part(run.record), origin_part(run.record)]


def _parts_of_parents(
    run: PublishedRun, past: Sequence[Mapping[str, Any]], records: TargetTable
) -> list[ReportPart]:
    """Take what the jobs of parent runs hand over for the report of another run."""
    parts: list[ReportPart] = []
    for parent in parsed(run.record, "parents") or []:
        found = choose(past, job=parent["job"], run_id=parent["run_id"])
        if found and parent["job"] in registry.JOBS:
            of = PublishedRun(_whole(records, found[-1]), records.location, run.session, [])
            job = registry.load_job(parent["job"])()
            parts += job.report_parts(of, of_parent=True)
    return parts


def _history(past: Sequence[Mapping[str, Any]], record: Mapping[str, Any]) -> ReportPart:
    return history_part(choose(past, job=record[JOB], table=table_of(record)))


def _whole(records: TargetTable, row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Read the whole record of a run of which a few columns are known."""
    found = None
    if row[JOB] is not None:
        found = records.find_record(row[JOB], row["original_run_id"] or row["run_id"])
    return dict(row) | (found or {}) | {JOB: row[JOB]}


def _columns(record: Mapping[str, Any], columns: Sequence[str] | None) -> Sequence[str] | None:
    if columns is not None:
        return list(columns)
    section = (parsed(record, "config") or {}).get("report") or {}
    found: Sequence[str] | None = section.get("columns")
    return found


# -- the page --------------------------------------------------------------------------------------

_HOLDS_DATA = (
    "This page holds data of the table: values of the examples below. Who gets the page gets them, "
    "personal data among them. report.columns: [] makes a page without."
)


def assembled(title: str, parts: Iterable[ReportPart]) -> str:
    """Write a page of sections.

    Parameters
    ----------
    title : str
    parts : iterable of ReportPart
        In any order; those of one name become one section.

    Returns
    -------
    str
    """
    from sparkclean.plots.page import render_page  # noqa: PLC0415 (needs the extra)

    merged = merged_parts(parts)
    notes = [_HOLDS_DATA] if holds_examples(merged) else []
    return render_page(title, merged, notes=notes)


def merged_parts(parts: Iterable[ReportPart]) -> list[ReportPart]:
    """Put the blocks of sections of one name together, under the first one's title."""
    found: dict[str, ReportPart] = {}
    for part in parts:
        known = found.get(part.name)
        both = part if known is None else replace(known, blocks=[*known.blocks, *part.blocks])
        found[part.name] = both
    return list(found.values())


def holds_examples(parts: Iterable[ReportPart]) -> bool:
    """Tell whether sections show what examples hold."""
    for part in parts:
        for block in part.blocks:
            cards = [] if not isinstance(block, Cards) else list(block.cards)
            if isinstance(block, Sheet):
                cards = [card for _, group in block.groups for card in group]
            if any(card.example is not None for card in cards):
                return True
    return False


@dataclass(frozen=True)
class ReportPage:
    """A page in a notebook, which shows it in a frame of its own.

    Attributes
    ----------
    html : str
        The whole page.
    """

    html: str

    def save(self, path: str | Path) -> Path:
        """Write the page to a file.

        Parameters
        ----------
        path : str or Path

        Returns
        -------
        Path
            Absolute.

        Raises
        ------
        SparkCleanError
            If it cannot be written.
        """
        return write_report(self.html, str(path))

    def __repr__(self) -> str:
        return f"<report, {len(self.html) / 1e6:.2f} MB; save(path) writes it to a file>"

    def _repr_html_(self) -> str:
        from sparkclean.plots.page import inline_page  # noqa: PLC0415 (needs the extra)

        return inline_page(self.html)


def write_report(page: str, place: str) -> Path:
    """Write a page, in the place of an older one.

    Parameters
    ----------
    page : str
    place : str
        A local path.

    Returns
    -------
    Path
        Absolute.

    Raises
    ------
    SparkCleanError
        If it cannot be written.
    """
    path = local_path(place)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with open(number, "w", encoding="utf-8") as file:  # noqa: PTH123 (a descriptor)
                file.write(page)
            # as any new file is, not as those of mkstemp are
            mask = os.umask(0)
            os.umask(mask)
            Path(name).chmod(0o666 & ~mask)
            Path(name).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as exc:
        raise SparkCleanError(f"the report cannot be written to {path}: {exc.strerror}") from exc
    return path
