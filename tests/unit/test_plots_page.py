"""The page of a report: sizes, cuts, escaping. In a browser it is looked at by tests/browser."""

from __future__ import annotations

import re
import sys

import pytest

from sparkclean.errors import ConfigError
from sparkclean.plots import page as pages
from sparkclean.plots.page import MOST_BYTES, inline_page, render_page
from sparkclean.plots.parts import (
    Block,
    Card,
    Cards,
    Chart,
    Column,
    Commands,
    Example,
    Facts,
    Notice,
    ReportPart,
    Sheet,
    Table,
    Text,
    Thumbnail,
)

CARD = Card("1", "cat", "dog", [("cat", 0.1), ("dog", 0.9)])


def rendered(*blocks: Block) -> str:
    return render_page("Report", [ReportPart("part", "Part", blocks)])


def test_page_has_sections_in_their_order_and_anchors_of_their_own() -> None:
    parts = [
        ReportPart("b", "Second", [Text("x")], 50),
        ReportPart("a", "First", [Text("x")], 50),
        ReportPart("a", "Zeroth", [Text("x")], 0),
        ReportPart("<>", "Last", [Text("x")], 90),
    ]
    found = re.findall(r'<section id="([^"]*)"', render_page("t", parts))
    assert found == ["a", "a-2", "b", "part"]


def test_page_escapes_each_text_of_each_block() -> None:
    bad = "<b onload=x>'\"&"
    table = Table([Column(bad)], [[bad]], bad)
    example = Example([(bad, bad)], [], [(bad, bad)], [(bad, bad)])
    card = Card(bad, bad, bad, [(bad, 0.5)], [(bad, bad)], example, bad)
    found = render_page(
        bad,
        [
            ReportPart(
                bad,
                bad,
                [
                    Text(bad),
                    Notice(bad, "error", bad),
                    Facts([(bad, bad)], big=True),
                    table,
                    Chart(None, bad, table),
                    Cards([card], 1),
                    Sheet([(bad, [card])]),
                    Commands([(bad, bad)]),
                ],
            )
        ],
        notes=[bad],
    )
    assert "<b onload" not in found
    assert found.count("&lt;b onload=x&gt;") > 25


def test_page_says_what_it_leaves_out() -> None:
    table = Table([Column("n", numeric=True)], [[n] for n in range(1500)], "Rows", total=90_000)
    found = rendered(table, Cards([CARD] * 70, 100_000))
    assert "the first 1,000 of 90,000 rows" in found
    assert "The first 60 of 100,000 suspects" in found
    assert found.count('<article class="card"') == 60
    assert "There are no suspects." in rendered(Cards([], 0))
    assert "None of 7 suspects is shown." in rendered(Cards([], 7))


def test_page_is_small_whatever_it_is_given() -> None:
    image = Thumbnail(b"x" * 40_000, "image/png", 96, 96)
    example = Example(
        texts=[("t", "ü" * 5000)] * 9, images=[("i", image)] * 9, fields=[("f", "é" * 900)] * 90
    )
    cards = [Card("id " * 99, "a" * 99, "b" * 99, example=example)] * 200
    table = Table([Column("c" * 90)] * 30, [["ö" * 500] * 30] * 100)
    parts = [
        ReportPart(f"p{n}", "x" * 500, [Cards(cards, 200), table, table, Sheet([("g", cards)])])
        for n in range(2)
    ]
    found = render_page("t", parts)
    assert len(found.encode()) < MOST_BYTES
    assert "to keep this page under 3 MB" in found


def test_page_writes_numbers_with_their_unit_and_bars() -> None:
    columns = [Column("n", numeric=True, bar=True), Column("s", numeric=True, unit="%")]
    columns += [Column("t", numeric=True, unit="s"), Column("f", numeric=True)]
    rows = [(1234, 0.0512, 2.34, 0.67891), (617, 0.0001, None, float("nan"))]
    found = rendered(Table(columns, rows))
    for text in ("1,234", "5.1%", "2.3 s", "0.6789", "0.01%", "–", "--w:50%", "--w:100%"):
        assert text in found, text
    assert "nan" not in found.split("<main")[1]


@pytest.mark.parametrize(
    ("url", "links"),
    [
        ("https://example.org/a?b=c&d=%20#e", True),
        ("http://example.org", True),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("file:///etc/passwd", False),
        ("//example.org", False),
        ("https://user@example.org", False),
        ("https://example.org/ x", False),
        ('https://example.org/"x', False),
        ("https://exämple.org/", False),
        ("https://example.org/\u202egpj", False),
        ("https://[::1", False),
        ("https://example.org/" + "x" * 3000, False),
    ],
)
def test_page_links_to_plain_addresses_alone(url: str, links: bool) -> None:
    card = Card("1", "a", "b", example=Example(links=[("u", url)]))
    assert ("<a href=" in rendered(Cards([card], 1)).split("<main")[1]) is links


def test_page_shows_pictures_of_ours_alone() -> None:
    image = Thumbnail(b"<svg/>", "image/svg+xml", 8, 8)
    found = rendered(Cards([Card("1", "a", "b", example=Example(images=[("i", image)]))], 1))
    assert "svg+xml" not in found
    assert 'src="data:image/png;base64,"' in found


def test_page_allows_its_own_script_alone() -> None:
    found = rendered(Text("x"))
    assert "default-src &#39;none&#39;" in found
    assert found.count("<script>") == 1
    assert not re.search(r'(?:src|href)="(?!#|data:)', found)
    assert "url(" not in found


def test_chart_that_cannot_be_drawn_leaves_its_numbers() -> None:
    found = rendered(Chart(object(), "words", Table([Column("c")], [["cell"]])))
    assert "The chart could not be drawn." in found
    assert "cell" in found


def test_block_of_another_kind_is_an_error() -> None:
    with pytest.raises(TypeError, match="str is no block of a report"):
        rendered("text")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["jinja2", "PIL", "vl_convert"])
def test_page_without_the_extra_names_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pages._template.cache_clear()
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match=rf"{name}.*sparkclean\[report\]"):
        rendered(Text("x"))


def test_inline_page_is_one_frame() -> None:
    found = inline_page('<p title="x">a&amp;b</p>')
    assert found.startswith("<iframe ")
    assert 'srcdoc="&lt;p title=&quot;x&quot;&gt;a&amp;amp;b&lt;/p&gt;"' in found
