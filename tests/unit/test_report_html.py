"""Reports as HTML: balanced, escaped, nothing from elsewhere."""

from __future__ import annotations

from html.parser import HTMLParser

from sparkclean.rows.report import Grid, Line, Report
from sparkclean.rows.report_html import report_html

HOSTILE = "<script>alert('x')</script>&\"\x1b[31m"


class Page(HTMLParser):
    """Tags that are open, all tags and attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_html_is_balanced_and_escaped() -> None:
    report = Report(
        [
            Line(HOSTILE, "heading"),
            Grid([[HOSTILE, "1"], ["b", "2"]], [HOSTILE, "n"], right=(1,)),
            Grid([["rows", "3"]]),
            Line(""),
            Line("careful", "warning"),
        ]
    )
    page = Page(report_html(report))
    assert page.open == []
    assert set(page.tags) == {"div", "style", "p", "table", "tr", "th", "td"}
    assert page.tags.count("th") == 2
    assert page.tags.count("p") == 2
    assert page.text.count("<script>alert('x')</script>&\"") == 3
    assert "\x1b" not in page.text
    assert {name for name, _ in page.attributes} == {"class"}
    assert "://" not in page.text


def test_html_takes_the_colours_of_the_page() -> None:
    text = report_html(Report([Line("x")]))
    assert "color:inherit" in text
    assert "background:none" in text
