"""Reports in Chromium: they ask for nothing, run nothing but our script, and can be used by all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.chromium import axe_script, browser
from tests.browser.samples import SAMPLES

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

MOST_BYTES = 3_000_000
#: axe-core takes minutes over thousands of cells, which are all alike.
FEWER = """document.querySelectorAll(
    "tbody tr:nth-child(n+9), .card:nth-child(n+7), .group:nth-child(n+5)"
).forEach(one => one.remove())"""


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return Pages(tmp_path_factory.mktemp("pages"))


class Pages(dict[str, Path]):
    """Sample pages by name, written when the first test asks for them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __missing__(self, name: str) -> Path:
        self[name] = self.folder / f"{name}.html"
        self[name].write_text(SAMPLES[name](), encoding="utf-8")
        return self[name]


class Seen:
    """A page in a browser without a network, and what it has asked for and said."""

    def __init__(self, browser: Browser, path: Path, **options: Any) -> None:
        self.requests: list[str] = []
        self.said: list[str] = []
        options = {"viewport": {"width": 1600, "height": 900}} | options
        self.context = browser.new_context(offline=True, **options)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(120_000)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: self.said.append(dialog.message))
        self.page.goto(path.as_uri())

    def __enter__(self) -> Seen:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()


@pytest.mark.parametrize("name", SAMPLES)
def test_page_asks_for_nothing_and_has_no_errors(
    opened: Browser, pages: dict[str, Path], name: str
) -> None:
    assert pages[name].stat().st_size < MOST_BYTES
    with Seen(opened, pages[name]) as seen:
        seen.page.wait_for_timeout(200)
        # pictures that are in the page itself are no requests over the network
        assert [url for url in seen.requests[1:] if not url.startswith("data:image/")] == []
        assert seen.said == []
        assert seen.page.evaluate("window.hurt") is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1600])
@pytest.mark.parametrize("name", SAMPLES)
def test_page_fits_its_window_and_has_no_serious_fault(
    opened: Browser, pages: dict[str, Path], name: str, width: int, scheme: str
) -> None:
    window = {"width": width, "height": 900}
    with Seen(opened, pages[name], viewport=window, color_scheme=scheme, bypass_csp=True) as seen:
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
        seen.page.evaluate(FEWER)
        seen.page.evaluate(axe_script())
        found = seen.page.evaluate("axe.run({resultTypes: ['violations']})")
    faults = [
        (fault["id"], fault["impact"], fault["nodes"][0]["html"][:200])
        for fault in found["violations"]
        if fault["impact"] in ("serious", "critical")
    ]
    assert faults == []


def test_page_without_scripts_shows_everything(opened: Browser, pages: dict[str, Path]) -> None:
    with Seen(opened, pages["digits"], java_script_enabled=False) as seen:
        page = seen.page
        assert page.locator(".card:visible").count() == 50
        assert page.locator(".filter:visible").count() == 0
        assert page.locator("#classes tbody tr:visible").count() == 10
        assert page.locator("figure.chart svg:visible").count() >= 7
        page.locator("#scores summary").first.click()
        assert page.locator("#scores tbody tr:visible").count() == 50


def test_page_loads_pictures(opened: Browser, pages: dict[str, Path]) -> None:
    with Seen(opened, pages["digits"]) as seen:
        widths = seen.page.evaluate("Array.from(document.images, i => i.naturalWidth)")
    assert len(widths) > 50
    assert set(widths) == {8}


def test_table_sorts_by_number_and_by_text(opened: Browser, pages: dict[str, Path]) -> None:
    with Seen(opened, pages["large"]) as seen:
        table = seen.page.locator("#classes .blocks > .table")
        cells = "rows => rows.map(row => row.cells[PLACE].textContent.trim())"

        def column(place: int) -> list[str]:
            found: list[str] = table.locator("tbody tr").evaluate_all(
                cells.replace("PLACE", str(place))
            )
            return found

        table.get_by_role("button", name="suspects").click()
        values = [int(text.replace(",", "")) for text in column(2)]
        assert values == sorted(values, reverse=True)
        table.get_by_role("button", name="suspects").click()
        assert [int(text.replace(",", "")) for text in column(2)] == sorted(values)
        assert table.locator("th[aria-sort=ascending]").inner_text().startswith("suspects")
        table.get_by_role("button", name="class").click()
        names = column(0)
        assert names == sorted(names)


def test_table_is_searched(opened: Browser, pages: dict[str, Path]) -> None:
    with Seen(opened, pages["large"]) as seen:
        table = seen.page.locator("#classes .blocks > .table")
        table.get_by_role("searchbox").fill("CLASS 77")
        assert table.locator("tbody tr:visible").count() == 10
        assert table.locator("output").inner_text() == "10 of 1000"


def test_cards_are_filtered_by_class_and_by_pair(opened: Browser, pages: dict[str, Path]) -> None:
    with Seen(opened, pages["digits"]) as seen:
        page = seen.page
        page.locator("select[data-by=p]").select_option(label="9 → 4")
        titles = page.locator(".card:visible h3").all_inner_texts()
        assert titles
        assert set(titles) == {"given 9 → looks like 4"}
        assert page.locator(".filter output").inner_text() == f"{len(titles)} of 50 cards"
        page.locator("select[data-by=p]").select_option(label="all")
        page.locator("select[data-by=g]").select_option(label="8")
        titles = page.locator(".card:visible h3").all_inner_texts()
        assert titles
        assert all("8" in title for title in titles)


def test_page_prints_on_white_without_what_is_for_the_screen(
    opened: Browser, pages: dict[str, Path]
) -> None:
    with Seen(opened, pages["digits"], color_scheme="dark") as seen:
        seen.page.emulate_media(media="print")
        colour = "getComputedStyle(document.body).backgroundColor"
        assert seen.page.evaluate(colour) == "rgb(255, 255, 255)"
        assert seen.page.locator("nav:visible, .filter:visible, .copy:visible").count() == 0
        assert len(seen.page.pdf()) > 10_000


def test_hostile_texts_are_shown_inert(opened: Browser, pages: dict[str, Path]) -> None:
    with Seen(opened, pages["hostile"]) as seen:
        page = seen.page
        assert page.locator("script").count() == 1
        assert page.locator("[onerror], [onload], [onmouseover], svg a, svg image").count() == 0
        links = page.locator("main a").evaluate_all("found => found.map(a => a.href)")
        assert links == []
        text = page.locator("body").inner_text()
        assert "<script>window.hurt=1</script>" in text
        assert "safe\\u202etxt.exe\\u2066\\u200b" in text
        assert "{{ 7 * 191 }}" in text
        assert not {"\u202e", "\u2066", "\u200b"} & set(text)
        assert page.title().startswith("</title></style>")
        # what a click finds: nothing of it runs
        page.locator("#suspects summary").first.click()
        assert page.evaluate("window.hurt") is None
        assert "The chart could not be drawn." in text


def test_links_of_texts_lead_where_they_say(opened: Browser, pages: dict[str, Path]) -> None:
    with Seen(opened, pages["texts"]) as seen:
        link = seen.page.locator(".links a").first
        assert (
            link.get_attribute("href") == link.inner_text() == "https://example.org/posts/0?lang=en"
        )
        assert link.get_attribute("rel") == "noopener noreferrer nofollow"
