"""Every page does what it says: its blocks run in their order, and print what stands below them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.docs.pages import ELSEWHERE, REPOSITORY, Page, all_pages
from tests.docs.runner import Place, open_place, run_page

#: README.md has a test of its own, in processes of its own.
PAGES = [page for page in all_pages() if page.name not in (*ELSEWHERE, "README.md")]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with open_place(tmp_path_factory.mktemp("docs")) as place:
        yield place


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=[pytest.mark.full] if page.is_full else [], id=page.name)
        for page in PAGES
    ],
)
def test_page_does_what_it_says(page: Page, place: Place) -> None:
    run_page(page, place)


def test_pages_that_others_test_have_a_test() -> None:
    for page, test in ELSEWHERE.items():
        assert (REPOSITORY / page).is_file()
        assert page.removeprefix("docs/").rpartition("/")[2] in (REPOSITORY / test).read_text()
