"""Links and paths of documents lead somewhere; `make docs` checks pages and anchors as well."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import DOCS, REPOSITORY

TOP = ("README", "CONTRIBUTING", "CHANGELOG", "SECURITY", "SUPPORT", "CODE_OF_CONDUCT")
DOCUMENTS = [
    *(f"{name}.md" for name in TOP),
    *(str(file.relative_to(REPOSITORY)) for file in sorted(DOCS.rglob("*.md"))),
]
_CODE = re.compile(r"^ *```.*?^ *```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_to_files(name: str) -> None:
    file = REPOSITORY / name
    text = _CODE.sub("", file.read_text(encoding="utf-8"))
    targets = re.findall(r"\]\(([^)\s]+)[^)]*\)", text)
    local = [target.split("#")[0] for target in targets if "://" not in target]
    assert [t for t in local if t and not (file.parent / t).exists()] == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_paths_of_the_repository_are_there(name: str) -> None:
    text = (REPOSITORY / name).read_text(encoding="utf-8")
    named = set(re.findall(r"\b(?:conf|jobs|tests|benchmarks|sparkclean)/[\w/.-]*\w", text))
    rooms = [REPOSITORY, REPOSITORY / "sparkclean"]
    missing = [
        path
        for path in named
        if not any((room / path).exists() or (room / f"{path}.py").exists() for room in rooms)
    ]
    assert missing == []
