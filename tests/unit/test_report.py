"""Reports as plain text: what pipes, schedulers and logs of spark-submit get."""

from __future__ import annotations

import pytest

from sparkclean.rows.report import Grid, Line, Report, by_record, cell
from sparkclean.texts import printable


def test_grid_aligns_columns_below_their_titles() -> None:
    grid = Grid([("a", "1"), ("bcd", "1,000")], ("name", "rows"), right=(1,))
    assert str(grid) == "name   rows\na         1\nbcd   1,000"


def test_grid_without_titles_is_names_and_values() -> None:
    assert str(Grid([("runs", "/o/runs"), ("suspects", "/o/s")], indent=2)) == (
        "  runs      /o/runs\n  suspects  /o/s"
    )


def test_grid_leaves_no_blanks_at_the_end_of_a_line() -> None:
    assert str(Grid([("a", ""), ("b", "xyz")], ("k", "v"))) == "k  v\na\nb  xyz"


def test_grid_with_a_line_is_sentences_without_titles() -> None:
    grid = Grid([("a", "5"), ("{0}", "")], ("name", "rows"), line="{0:>5} has {1}")
    assert str(grid) == "    a has 5\n  {0} has"


def test_grid_of_no_rows_is_its_titles() -> None:
    assert str(Grid([], ("a", "b"))) == "a  b"


def test_report_stands_line_by_line() -> None:
    parts = [Line("top", "heading"), Grid([("a", "b")]), Line(""), Line("oh", "warning")]
    assert str(Report(parts)) == "top\na  b\n\noh"


def test_records_stand_apart() -> None:
    report = by_record(["id", "label"], [["1", "cat"], ["2", ""]])
    assert str(report) == "id     1\nlabel  cat\n\nid     2\nlabel"


@pytest.mark.parametrize("text", ["two\nlines", "tab\t\r", "\x1b[31m", "\u202eabc", "\x9b2J"])
def test_nothing_in_a_report_moves_the_cursor(text: str) -> None:
    shown = str(Report([Line(text), Grid([(text,)], (text,)), Grid([(text,)], line="{0}")]))
    lines = shown.split("\n")
    assert len(lines) == 4
    assert all(line.isprintable() for line in lines)


def test_printable_text_is_kept() -> None:
    assert printable("日本語 ü [red]") == "日本語 ü [red]"
    assert printable(None) == ""
    # what is escaped already is not escaped again
    assert printable(printable("a\nb")) == "a\\nb"


def test_cell_is_cut() -> None:
    assert cell("x" * 40) == "x" * 40
    assert cell("x" * 41) == "x" * 37 + "..."
