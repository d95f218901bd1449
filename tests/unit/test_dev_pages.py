"""The pages for people who change the code name what is there: paths, modules, links."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs" / "dev").glob("*.md"))]

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def files_of_the_checkout() -> set[str]:
    found = {"conftest.py"}
    for room in ("sparkclean", "tests", "jobs", "conf", "benchmarks", "docs"):
        found |= {str(path.relative_to(ROOT)) for path in (ROOT / room).rglob("*")}
    return found


FILES = files_of_the_checkout()


@every_page
def test_links_of_a_page_lead_to_files(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = [target.split("#")[0] for target in re.findall(r"\]\(([^)]+)\)", text)]
    local = [target for target in targets if target and "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []


@every_page
def test_files_that_a_page_names_are_there(page: Path) -> None:
    named = set(re.findall(r"`([\w/.-]+\.(?:py|yaml|conf))`", page.read_text(encoding="utf-8")))
    known = {path for path in FILES if path.endswith((".py", ".yaml", ".conf"))}
    missing = [name for name in named if not any(f"/{path}".endswith(f"/{name}") for path in known)]
    assert sorted(missing) == []


@every_page
def test_names_of_modules_that_a_page_calls_are_there(page: Path) -> None:
    """`module.name` of our modules: the module has such a name; ``output.name`` is a setting."""
    text = page.read_text(encoding="utf-8")
    modules = {path.stem: path for path in (ROOT / "sparkclean").rglob("*.py")}
    missing = []
    for module, name in re.findall(r"`(\w+)\.(\w+)`", text):
        if module in modules and module != "output" and name != "py":
            paths = (ROOT / "sparkclean").rglob(f"{module}.py")
            if not any(re.search(rf"\b{name}\b", path.read_text()) for path in paths):
                missing.append(f"{module}.{name}")
    assert missing == []
