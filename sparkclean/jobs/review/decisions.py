"""What the rows of imported files mean: new decisions, known ones, and refused rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from sparkclean.jobs.review.cells import MARK, Labels, is_cell_of

_YES = ("x", "yes", "true", "1", "1.0", "unclear")
_NO = ("", "no", "false", "0", "0.0")
_SHOWN = 80


@dataclass(frozen=True)
class FileRow:
    """A row of a file, as it stands there.

    Attributes
    ----------
    file : str
    line : int
    queue, item, reviewer : str
    ids : tuple or None
        Cells of the record id columns, where the file has them all.
    label, unclear, decided_at, note : object
        Text of a CSV file; values of a Parquet file.
    """

    file: str
    line: int
    queue: str
    item: str
    reviewer: str
    ids: tuple[Any, ...] | None
    label: Any
    unclear: Any
    decided_at: Any
    note: str


@dataclass(frozen=True)
class Task:
    """An example of a queue, and who is to look at it.

    Attributes
    ----------
    ids : tuple
        Record id.
    part : str
    reviewers : collection of str
    inclusion_probability : float or None
    given : object
        Given label.
    content_hash : str or None
    """

    ids: tuple[Any, ...]
    part: str
    reviewers: Collection[str]
    inclusion_probability: float | None
    given: Any
    content_hash: str | None


@dataclass(frozen=True)
class Decision:
    """What a reviewer has decided.

    Attributes
    ----------
    queue : str
    item : int
    reviewer : str
    label : object
        None where it is unclear.
    note : str
    decided_at : datetime or None
        None where the file names none.
    """

    queue: str
    item: int
    reviewer: str
    label: Any
    note: str
    decided_at: datetime | None = None

    @property
    def of(self) -> tuple[str, int, str]:
        """Who decided on what."""
        return self.queue, self.item, self.reviewer


@dataclass(frozen=True)
class Refusal:
    """A row that is no decision, and why."""

    row: FileRow
    reason: str
    detail: str


@dataclass
class Judged:
    """What the rows of files are.

    Attributes
    ----------
    decisions : list of Decision
        New ones.
    refused : list of Refusal
    known : int
        Rows whose decision the ledger, or an earlier row, has.
    blank : int
        Rows without a decision.
    """

    decisions: list[Decision] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    known: int = 0
    blank: int = 0


def judge_rows(
    rows: Iterable[FileRow],
    tasks: Mapping[tuple[str, int], Task],
    labels: Sequence[Any],
    ledger: Iterable[Decision],
) -> Judged:
    """Tell decisions from what is known, blank or refused.

    Parameters
    ----------
    rows : iterable of FileRow
    tasks : mapping
        By queue and number of the example.
    labels : sequence
        The classes.
    ledger : iterable of Decision
        That were imported before, each with its time.

    Returns
    -------
    Judged
        Decisions in the order of queue, example, reviewer and time.

    Notes
    -----
    A decision is known if the ledger has it at that time. One without a time is known if the
    ledger, or another row, has it at any time. So a file that comes again does no harm, even after
    a corrected one.
    """
    reading, found = Labels(labels), Judged()
    queues = {queue for queue, _ in tasks}
    read: dict[Decision, FileRow] = {}
    for row in rows:
        if _is_blank(row):
            found.blank += 1
            continue
        decision = _read(row, tasks, queues, reading)
        if isinstance(decision, Refusal):
            found.refused.append(decision)
        elif decision in read:
            found.known += 1
        else:
            read[decision] = row
    there = set(ledger)
    timed = (decision for decision in read if decision.decided_at is not None)
    timeless = {_without_time(decision) for decision in (*there, *timed)}
    new = [d for d in read if d not in (timeless if d.decided_at is None else there)]
    found.known += len(read) - len(new)
    # one that is known contradicts nothing: the other one corrects it
    contradictory = _contradictions(new)
    for decision in new:
        if decision in contradictory:
            what = "another decision of the same reviewer on this example, at the same time"
            found.refused.append(Refusal(read[decision], "contradicts_itself", what))
        else:
            found.decisions.append(decision)
    found.decisions.sort(key=_order)
    return found


def _order(decision: Decision) -> tuple[Any, ...]:
    at = decision.decided_at
    return (*decision.of, "" if at is None else at.isoformat(), str(decision.label), decision.note)


def _without_time(decision: Decision) -> Decision:
    return Decision(*decision.of, decision.label, decision.note)


def _contradictions(decisions: Iterable[Decision]) -> set[Decision]:
    """Find decisions of one reviewer on one example, at one time, that differ."""
    groups: dict[tuple[Any, ...], list[Decision]] = {}
    for decision in decisions:
        groups.setdefault((*decision.of, decision.decided_at), []).append(decision)
    return {d for group in groups.values() if len({e.label for e in group}) > 1 for d in group}


def _is_blank(row: FileRow) -> bool:
    return _is_empty(row.label) and _truth(row.unclear) is False and not row.note.strip()


def _is_empty(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _truth(cell: Any) -> bool | None:
    """Read whether a mark is set; None where that cannot be told."""
    if cell is None or isinstance(cell, bool):
        return bool(cell)
    text = str(cell).strip().removeprefix(MARK).lower()
    return True if text in _YES else False if text in _NO else None


def _read(
    row: FileRow,
    tasks: Mapping[tuple[str, int], Task],
    queues: Collection[str],
    labels: Labels,
) -> Decision | Refusal:
    """Read a decision, or say why it is none."""
    queue, reviewer = (_text_of(text) for text in (row.queue, row.reviewer))
    if queue not in queues:
        return Refusal(row, "queue_unknown", f"no plan {_shown(queue)}")
    item = _integer(row.item)
    task = None if item is None else tasks.get((queue, item))
    if item is None or task is None:
        return Refusal(row, "item_unknown", f"the queue has no example {_shown(row.item)}")
    if row.ids is not None and not _same_ids(row.ids, task.ids):
        wanted = "/".join(map(str, task.ids))
        return Refusal(row, "record_id_differs", f"example {item} is record {_shown(wanted)}")
    if reviewer not in task.reviewers:
        names = ", ".join(sorted(task.reviewers))
        return Refusal(row, "reviewer_not_assigned", f"example {item} went to {names}")
    return _decide(row, (queue, item, reviewer), labels)


def _decide(row: FileRow, of: tuple[str, int, str], labels: Labels) -> Decision | Refusal:
    unclear = _truth(row.unclear)
    if unclear is None:
        text = f"{_shown(row.unclear)} is neither a mark (x) nor empty"
        return Refusal(row, "unclear_unreadable", text)
    label = None
    if not _is_empty(row.label):
        try:
            label = _label(row.label, labels)
        except KeyError:
            if str(row.label).strip().lower() != "unclear":
                text = f"{_shown(row.label)} is none of the labels"
                return Refusal(row, "label_not_in_classes", text)
            unclear = True
    elif not unclear:
        return Refusal(row, "label_not_in_classes", "a note, but no label")
    if unclear and label is not None:
        return Refusal(row, "label_and_unclear", "a label, and marked as unclear")
    try:
        at = _time(row.decided_at)
    except (ValueError, OverflowError):  # in UTC it may lie before the year 1
        text = f"{_shown(row.decided_at)} is no time such as 2026-11-30T14:05"
        return Refusal(row, "time_unreadable", text)
    note = row.note.replace("\r\n", "\n").strip()
    return Decision(*of, label, note, at)


def _label(cell: Any, labels: Labels) -> Any:
    if isinstance(cell, str):
        return labels.read(cell)
    return labels.read(str(cell).lower() if isinstance(cell, bool) else str(cell))


def _same_ids(cells: Sequence[Any], ids: Sequence[Any]) -> bool:
    return all(
        cell == value or (isinstance(cell, str) and is_cell_of(cell, value))
        for cell, value in zip(cells, ids, strict=True)
    )


def _text_of(cell: str) -> str:
    """Take away the apostrophe that the file may have kept."""
    return cell.strip().removeprefix(MARK)


def _integer(cell: str) -> int | None:
    text = cell.strip().removeprefix(MARK)
    whole, _, decimals = text.partition(".")
    if not (whole.isascii() and whole.isdigit()) or decimals.strip("0") or len(whole) > 18:
        return None
    return int(whole)


def _time(cell: Any) -> datetime | None:
    if _is_empty(cell):
        return None
    at = cell
    if not isinstance(cell, datetime):
        text = str(cell).strip().removeprefix(MARK)
        at = datetime.fromisoformat(text[:-1] + "+00:00" if text[-1:] in "zZ" else text)
    at = at if at.tzinfo else at.replace(tzinfo=timezone.utc)
    return at.astimezone(timezone.utc)


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
