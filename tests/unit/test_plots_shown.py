"""Texts of a table as a page shows them."""

from __future__ import annotations

from sparkclean.plots.shown import excerpt, shown


def test_shown_writes_out_what_turns_or_hides() -> None:
    assert shown("a\u202eb\u200bc\nd\x00\ud800") == "a\\u202eb\\u200bc\\nd\\x00\\ud800"
    assert shown(None) == ""
    assert shown(5) == "5"


def test_shown_is_cut() -> None:
    assert shown("x" * 81) == "x" * 79 + "…"
    assert shown("x" * 80) == "x" * 80
    assert len(shown("\u202e" * 1_000_000)) == 80


def test_shown_keeps_four_marks_of_a_letter() -> None:
    assert shown("z" + "\u0301" * 50 + "y") == "z" + "\u0301" * 4 + "…y"
    assert shown("e\u0301") == "e\u0301"


def test_excerpt_keeps_lines_and_joiners() -> None:
    assert excerpt("a\r\n\tb\u00a0c") == "a\n    b c"
    assert excerpt("می\u200cخواهم") == "می\u200cخواهم"
    assert excerpt("a\u202eb") == "a\\u202eb"


def test_excerpt_is_cut_by_characters_and_lines() -> None:
    assert excerpt("y" * 1_000_000) == "y" * 699 + "…"
    assert excerpt("line\n" * 50) == "\n".join(["line"] * 14) + "…"
