"""The checker of sentences and words. Needs no Spark."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.plain_english import (
    MOST_WORDS,
    Coined,
    check,
    coined_words,
    count_words,
    glossary_entries,
    main,
    paragraphs,
    sentences,
)


def all_sentences(text: str) -> list[tuple[int, str]]:
    return [found for paragraph in paragraphs(text) for found in sentences(paragraph)]


def words(count: int) -> str:
    return "A" + " word" * (count - 1)


def test_sentences_of_paragraphs_lists_tables_and_headings() -> None:
    text = """# A title

First one. Second
one! `code. Not.` is third?

```sh
not. this
```
<!-- nor
this. -->
- an item. Its second
  sentence
- another

| head | other |
|---|---|
| a cell. Two | b |
"""
    assert all_sentences(text) == [
        (1, "A title"),
        (3, "First one."),
        (3, "Second one!"),
        (4, "`code. Not.` is third?"),
        (11, "an item."),
        (11, "Its second sentence"),
        (13, "another"),
        (15, "head"),
        (15, "other"),
        (17, "a cell."),
        (17, "Two"),
        (17, "b"),
    ]


def test_sentences_are_not_ended_by_abbreviations_and_numbers() -> None:
    text = "Use a loss, e.g. The one of 0.5 in v1.2 of Spark. Then go on."
    assert [text for _, text in all_sentences(text)] == [text[:-12], "Then go on."]


@pytest.mark.parametrize(
    ("sentence", "count"),
    [
        ("One two-three four", 3),
        ("Set `input.table to this` now", 3),
        ("See [the page](a/very long/target.md#x), or ![a b](c.png)", 6),
        ("a – b & c", 3),
        ("**bold** words{ #id }", 2),
    ],
)
def test_count_words_leaves_out_code_and_targets(sentence: str, count: int) -> None:
    assert count_words(sentence) == count


def test_check_refuses_a_sentence_that_is_too_long() -> None:
    assert check("a.md", words(MOST_WORDS) + ".", [], set()) == []
    (finding,) = check("a.md", f"\nShort. {words(MOST_WORDS + 1)}.", [], set())
    assert re.fullmatch(
        r"a.md:2: 33 words, at most 32: 'A word.* \.\.\.'; make two sentences of it", str(finding)
    )


def test_check_counts_cells_one_by_one() -> None:
    row = f"| {words(20)} | {words(20)} |"
    assert check("a.md", f"| a | b |\n|---|---|\n{row}\n", [], set()) == []


LOW = Coined(re.compile(r"\b(?:low rows?)\b", re.IGNORECASE), "low row", "rows with a low score")


def test_check_refuses_a_coined_word_that_the_glossary_does_not_know() -> None:
    text = "Take\nthe low rows. In code `low rows` may stand.\n"
    (finding,) = check("a.md", text, [LOW], set())
    assert str(finding) == (
        "a.md:1: 'low rows' is no word of the field; say rows with a low score, or explain "
        "'low row' in docs/glossary.md"
    )
    assert check("a.md", text, [LOW], {"low row"}) == []


@pytest.mark.parametrize(
    "text",
    [
        "## Low row\n\nIt is.",
        "**Low row**: it is.",
        "- **low row** is",
        "| **low row** | is |",
        "| low row | is |",
        "Low row\n:   It is.",
        "## Row, low row {#low}",
    ],
)
def test_glossary_entries_are_found_in_each_form(text: str) -> None:
    assert "low row" in glossary_entries(text)


def test_coined_words_have_a_remedy_that_is_none_of_them() -> None:
    words = coined_words()
    assert len(words) > 10
    assert [w.use for w in words if any(other.pattern.search(w.use) for other in words)] == []


def test_main_prints_findings_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.md").write_text(words(40))
    assert main([str(tmp_path / "a.md")]) == 1
    assert "a.md:1: 40 words" in capsys.readouterr().out
    (tmp_path / "a.md").write_text("Short.")
    assert main([str(tmp_path / "a.md")]) == 0
