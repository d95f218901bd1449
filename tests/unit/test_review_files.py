"""Files for reviewers: no formula runs, ids and labels come back, imports repeat without harm."""

from __future__ import annotations

import csv
import io
import random
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkclean.errors import InputError
from sparkclean.jobs.review.assign import assign
from sparkclean.jobs.review.cells import Labels, is_cell_of, write_cell, write_content
from sparkclean.jobs.review.decisions import Decision, FileRow, Task, judge_rows
from sparkclean.jobs.review.files import Sheet, find_files, read_file, write_once
from sparkclean.schema import DECISION_REJECTIONS

HOSTILE = (
    "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "'x", "''x", "007", "1e5",
    "TRUE", "true", "MAR1", "1-2", "cat", "a,b", 'a"b', "a\nb", "", " ", "\x00", "\\x00", "\\",
    "é", "猫", "＝1", "unclear", "12345678901234567890", "cmd|' /C calc'!A0", "; =1", "cat ", "Cat",
    "a;=1+1", "a;'=1+1", "a;''=1+1", 'a; "=1+1"', "a\n=1+1", "a\t@x", ";\n-1",
)  # fmt: skip
texts = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
values = st.one_of(texts, st.integers(-(2**63), 2**63 - 1))


# -- cells ---------------------------------------------------------------------------------------


@given(st.lists(texts, unique=True, max_size=20))
def test_cells_of_different_texts_differ(found: list[str]) -> None:
    cells = [write_cell(text) for text in found]
    assert len(set(cells)) == len(found)
    labels = Labels(found)
    assert [labels.read(cell) for cell in cells] == found


@given(values)
def test_cell_is_no_formula_number_date_or_truth_value(value: Any) -> None:
    cell = write_cell(value)
    if isinstance(value, str):
        assert re.match(r"'|[A-Za-z_]+(?: [A-Za-z_]+)*\Z", cell)
        assert cell.lower() not in ("true", "false")
    else:
        assert len(cell.lstrip("-")) <= 15 or cell.startswith("'")


@given(texts)
def test_content_is_no_formula(text: str) -> None:
    cell = write_content(text)
    assert cell == "" or cell[0] == "'" or cell[0].isalnum()


@given(texts)
def test_no_formula_begins_where_a_spreadsheet_divides_at_semicolons(text: str) -> None:
    line = sheet([f"a{text}"], [f"a{text}"]).csv().decode("utf-8-sig")
    for part in re.split(r"[;\t\r\n]", line):
        assert not re.match(r"[\s\"]*[=+\-@＝]", part)


@given(values)
def test_cell_is_known_again_without_its_apostrophe(value: Any) -> None:
    cell = write_cell(value)
    assert is_cell_of(cell, value)
    assert is_cell_of(cell.removeprefix("'"), value)


def test_labels_read_what_people_and_programs_write() -> None:
    assert Labels([1, 2]).read("2.0") == 2
    assert Labels([True, False]).read("TRUE") is True
    assert Labels([True, False]).read("no") is False
    assert Labels(["=x", "cat"]).read("=x") == "=x"
    assert Labels(["cat"]).read(" cat ") == "cat"
    with pytest.raises(KeyError):
        Labels(["cat"]).read("dog")


# -- files ---------------------------------------------------------------------------------------


def sheet(ids: list[str], content: list[str]) -> Sheet:
    rows = [
        {"queue_item": i, "id": key, "text": text, "note": ""}
        for i, (key, text) in enumerate(zip(ids, content, strict=True), 1)
    ]
    return Sheet("2026-11-30", "ann", (("id", "string"),), "string", (), ("text",), rows)


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=8))
def test_csv_comes_back_as_it_was(pairs: list[tuple[str, str]]) -> None:
    made = sheet([key for key, _ in pairs], [text for _, text in pairs])
    content = made.csv().decode("utf-8-sig")
    read = list(csv.reader(io.StringIO(content, newline="")))
    assert len(read) == len(pairs) + 1
    for row in read[1:]:
        assert not [c for c in row if c and not (c[0] == "'" or c[0].isalnum() or c[0] == "_")]
    place = read[0].index("id")
    assert all(is_cell_of(row[place], key) for row, (key, _) in zip(read[1:], pairs, strict=True))


def decide(content: bytes, label: str, path: Path) -> Path:
    """Fill in all rows, as a spreadsheet would save them."""
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0])
    writer.writeheader()
    writer.writerows(row | {"decided_label": label} for row in rows)
    path.write_text(text.getvalue(), encoding="utf-8", newline="")
    return path


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_file_is_read_with_its_ids(kind: str, tmp_path: Path) -> None:
    ids = [text for text in HOSTILE if text.strip()]
    made = sheet(ids, list(ids))
    path = tmp_path / f"ann.{kind}"
    path.write_bytes(made.csv() if kind == "csv" else made.parquet())
    if kind == "csv":
        decide(made.csv(), "cat", path)
    rows = read_file(path, ["id"])
    tasks = {
        ("2026-11-30", i): Task((key,), "measure", {"ann"}, 0.5, "cat", None)
        for i, key in enumerate(ids, 1)
    }
    found = judge_rows(rows, tasks, ["cat"], [])
    assert found.refused == []
    assert len(found.decisions) == (len(ids) if kind == "csv" else 0)
    assert found.blank == (0 if kind == "csv" else len(ids))


def test_write_once_touches_no_file_that_was_filled_in(tmp_path: Path) -> None:
    path = tmp_path / "p" / "ann.csv"
    assert write_once(path, b"a")
    assert not write_once(path, b"a")
    path.write_bytes(b"b")
    with pytest.raises(InputError, match="somebody may have filled it in"):
        write_once(path, b"a")
    assert path.read_bytes() == b"b"
    assert [file.name for file in path.parent.iterdir()] == ["ann.csv"]


HEAD = "queue,queue_item,decided_label,reviewer\n"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "is empty"),
        ("a.csv", b"\xff\xfe\x00q", "is not UTF-8 (byte 0)"),
        ("a.csv", b"queue,queue_item,label\n", "column 'decided_label', 'reviewer' is missing"),
        (
            "a.csv",
            (HEAD + "p,1,cat,ann,more\n").encode(),
            "line 2 has 5 cells, and the first one 4",
        ),
        ("a.csv", (HEAD + 'p,1,"cat,ann\n').encode(), "is no CSV that can be read"),
        ("a.csv", b"queue,queue,queue_item,decided_label,reviewer\n", "'queue' is there twice"),
        ("a.parquet", b"PAR1", "is no Parquet file that can be read"),
    ],
)
def test_read_file_says_what_is_wrong(
    name: str, content: bytes, message: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=re.escape(message)) as raised:
        read_file(path, ["id"])
    assert str(path) in str(raised.value)


def test_read_file_takes_semicolons(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("queue;queue_item;decided_label;reviewer\np;1;cat;ann\n")
    (row,) = read_file(path, ["id"])
    assert (row.queue, row.item, row.label, row.line) == ("p", "1", "cat", 2)


def test_find_files_says_all_that_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.xlsx").write_text("")
    places = [str(tmp_path / name) for name in ("none.csv", "empty", "a.xlsx")]
    with pytest.raises(InputError) as raised:
        find_files(places)
    one, two, three = raised.value.findings
    assert "there is no" in one
    assert "holds no file .csv or .parquet" in two
    assert "is neither .csv nor .parquet" in three


def test_find_files_takes_uris_and_leaves_out_folders_named_like_files(tmp_path: Path) -> None:
    inside = tmp_path / "spark.csv" / "part-0.csv"
    inside.parent.mkdir()
    inside.write_text("")
    assert find_files([str(tmp_path)]) == [inside]
    assert find_files([tmp_path.as_uri()]) == [inside]


def test_find_files_bounds_files_of_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sparkclean.jobs.review.files._LARGEST", 3)
    (tmp_path / "a.csv").write_text("long")
    for place in (tmp_path, tmp_path / "a.csv"):
        with pytest.raises(InputError, match=r"a\.csv has 4 bytes, and 3 are the most"):
            find_files([str(place)])


# -- decisions -----------------------------------------------------------------------------------

TASKS = {
    ("p", item): Task((item * 10,), "measure", {"ann", "bob"}, 0.5, "cat", None)
    for item in range(1, 5)
}
LABELS = ["cat", "dog"]
NOW = datetime(2026, 11, 30, 12, tzinfo=timezone.utc)


def row(item: Any = 1, label: str = "cat", **more: Any) -> FileRow:
    given_ = {
        "file": "a.csv", "line": 2, "queue": "p", "item": str(item), "reviewer": "ann", "ids": None,
        "label": label, "unclear": "", "decided_at": "", "note": "",
    }  # fmt: skip
    return FileRow(**(given_ | more))


@pytest.mark.parametrize(
    ("made", "reason", "detail"),
    [
        (row(queue="q"), "queue_unknown", "no plan 'q'"),
        (row(9), "item_unknown", "no example '9'"),
        (row("x"), "item_unknown", "no example 'x'"),
        (row(ids=("11",)), "record_id_differs", "example 1 is record '10'"),
        (row(reviewer="eve"), "reviewer_not_assigned", "example 1 went to ann, bob"),
        (row(unclear="x"), "label_and_unclear", "a label, and marked"),
        (row(unclear="perhaps"), "unclear_unreadable", "'perhaps' is neither"),
        (row(label="bird"), "label_not_in_classes", "'bird' is none of the labels"),
        (row(label="", note="why?"), "label_not_in_classes", "a note, but no label"),
        (row(decided_at="yesterday"), "time_unreadable", "'yesterday' is no time"),
        (row(decided_at="0001-01-01T00:00+05:00"), "time_unreadable", "is no time"),
    ],
)
def test_judge_refuses_with_reason(made: FileRow, reason: str, detail: str) -> None:
    found = judge_rows([made], TASKS, LABELS, [])
    assert found.decisions == []
    (refusal,) = found.refused
    assert refusal.reason == reason
    assert reason in DECISION_REJECTIONS
    assert detail in refusal.detail


def test_judge_refuses_both_of_two_that_contradict() -> None:
    found = judge_rows([row(), row(label="dog"), row(2)], TASKS, LABELS, [])
    assert [d.item for d in found.decisions] == [2]
    assert [r.reason for r in found.refused] == ["contradicts_itself"] * 2


def test_judge_reads_marks_times_and_blanks() -> None:
    rows = [
        row(1, "", unclear="X"),
        row(2, "unclear"),
        row(3, "dog", decided_at="2026-11-30T12:00Z"),
        row(4, ""),
    ]
    found = judge_rows(rows, TASKS, LABELS, [])
    assert [(d.label, d.decided_at) for d in found.decisions] == [
        (None, None), (None, None), ("dog", NOW),
    ]  # fmt: skip
    assert found.blank == 1


def stored(decisions: list[Decision], at: datetime) -> list[Decision]:
    """As the ledger has them: with a time."""
    return [
        Decision(d.queue, d.item, d.reviewer, d.label, d.note, d.decided_at or at)
        for d in decisions
    ]


made_rows = st.lists(
    st.builds(
        row,
        st.integers(1, 4),
        st.sampled_from(["cat", "dog", "", "bird"]),
        reviewer=st.sampled_from(["ann", "bob", "eve"]),
        decided_at=st.sampled_from(["", "2026-11-30T12:00Z", "2026-11-30T13:00:00+01:00"]),
        note=st.sampled_from(["", "so"]),
    ),
    max_size=12,
)


@given(made_rows, st.randoms(use_true_random=False))
def test_import_of_a_file_twice_in_any_order_adds_nothing(
    rows: list[FileRow], dice: random.Random
) -> None:
    first = judge_rows(rows, TASKS, LABELS, [])
    again = list(rows)
    dice.shuffle(again)
    assert judge_rows(again, TASKS, LABELS, []).decisions == first.decisions
    second = judge_rows(again, TASKS, LABELS, stored(first.decisions, NOW))
    assert second.decisions == []
    assert len(second.refused) == len(first.refused)


def test_import_of_a_label_with_and_without_a_time_beside_another_adds_nothing_twice() -> None:
    rows = [
        row(1, "cat", reviewer="bob", decided_at=""),
        row(1, "cat", reviewer="bob", decided_at="2026-11-30T12:00Z"),
        row(1, "dog", reviewer="bob", decided_at=""),
    ]
    first = judge_rows(rows, TASKS, LABELS, [])
    assert sorted(decision.label for decision in first.decisions) == ["cat", "dog"]
    assert (first.known, first.refused) == (1, [])
    second = judge_rows(rows, TASKS, LABELS, stored(first.decisions, NOW))
    assert (second.decisions, second.refused, second.known) == ([], [], 3)


@given(made_rows, st.integers(0, 12))
def test_import_of_half_a_file_before_the_whole_is_that_of_the_whole(
    rows: list[FileRow], half: int
) -> None:
    whole = judge_rows(rows, TASKS, LABELS, [])
    if any(refusal.reason == "contradicts_itself" for refusal in whole.refused):
        return
    part = judge_rows(rows[:half], TASKS, LABELS, [])
    rest = judge_rows(rows, TASKS, LABELS, stored(part.decisions, NOW))
    keys = {(*d.of, d.label, d.note) for d in [*part.decisions, *rest.decisions]}
    assert keys == {(*d.of, d.label, d.note) for d in whole.decisions}


def test_import_of_the_old_file_after_a_corrected_one_adds_nothing() -> None:
    old = judge_rows([row()], TASKS, LABELS, []).decisions
    ledger = stored(old, NOW)
    corrected = judge_rows([row(label="dog")], TASKS, LABELS, ledger).decisions
    assert [d.label for d in corrected] == ["dog"]
    ledger += stored(corrected, NOW.replace(hour=13))
    assert judge_rows([row()], TASKS, LABELS, ledger).decisions == []


def test_corrected_file_beside_the_old_one_adds_the_correction() -> None:
    ledger = stored(judge_rows([row()], TASKS, LABELS, []).decisions, NOW)
    found = judge_rows([row(), row(label="dog")], TASKS, LABELS, ledger)
    assert ([d.label for d in found.decisions], found.known, found.refused) == (["dog"], 1, [])
    ledger += stored(found.decisions, NOW.replace(hour=13))
    again = judge_rows([row(label="dog"), row()], TASKS, LABELS, ledger)
    assert (again.decisions, again.known, again.refused) == ([], 2, [])


# -- assignments ---------------------------------------------------------------------------------


@given(st.integers(0, 40), st.integers(2, 5), st.integers(1, 3), st.integers(0, 99))
def test_assign_is_balanced_and_asks_nobody_twice(
    items: int, people: int, reviews: int, seed: int
) -> None:
    reviewers, reviews = [f"r{i}" for i in range(people)], min(reviews, people)
    found = assign([f"i{i}" for i in range(items)], reviewers, [reviews] * items, {}, seed)
    assert all(len(set(names)) == reviews for names in found.reviewers)
    loads = [found.loads().get(name, 0) for name in reviewers]
    assert max(loads) - min(loads) <= 1
    assert found.short == 0


def test_assign_leaves_out_who_is_barred() -> None:
    found = assign(["a", "b"], ["ann", "bob"], [2, 1], {0: {"ann"}, 1: {"bob"}}, 0)
    assert found.reviewers == [("bob",), ("ann",)]
    assert found.short == 1
