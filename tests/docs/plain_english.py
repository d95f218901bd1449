"""The checker of `make lint`: long sentences, and words that a newcomer cannot know.

``python -m tests.docs.plain_english [FILE ...]``; without files README.md and all pages.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
GLOSSARY = REPOSITORY / "docs" / "glossary.md"
#: Words of a sentence that is still read once.
MOST_WORDS = 32
_SHOWN = 60

_FENCE = re.compile(r"^ *(`{3,}|~{3,})")
_ITEM = re.compile(r"^ *(?:[-*+]|\d+[.)]) +|^ *(?:> ?)+|^:   +|^ *\[\^\w+\]: *")
_RULE = re.compile(r"^\|?[\s:|-]+\|?$")
_LINK = re.compile(r"!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])")
_CODE = re.compile(r"(`+)(.+?)\1")
_ATTRIBUTES = re.compile(r"\{[ :#.][^}]*\}|<[^>]+>")
_END = re.compile(r"(?<=[.!?])[\"')*_]*\s+(?=[\"'(*_`]*[A-Z0-9`])")
_SHORT = re.compile(r"\b(?:e\.g|i\.e|cf|vs|etc|no|approx|Fig|Dr|St)\.$", re.IGNORECASE)
#: Stands for code: one word, which is not looked at.
_CODE_WORD = "`c`"


@dataclass(frozen=True)
class Finding:
    """What is wrong with a sentence."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


@dataclass(frozen=True)
class Coined:
    """A word that is not the field's.

    Attributes
    ----------
    pattern : re.Pattern
    entry : str
        Of the glossary, which allows it.
    use : str
        The word of the field.
    """

    pattern: re.Pattern[str]
    entry: str
    use: str


def coined_words() -> list[Coined]:
    """Read the list of words."""
    entries = yaml.safe_load((Path(__file__).parent / "coined.yaml").read_text(encoding="utf-8"))
    return [
        Coined(re.compile(rf"\b(?:{x['pattern']})\b", re.IGNORECASE), x["entry"], x["use"])
        for x in entries
    ]


def glossary_entries(text: str) -> set[str]:
    """Find the terms that a glossary explains.

    Parameters
    ----------
    text : str
        Markdown: a term is a heading, stands in bold at the beginning of a line or of a table's
        row, or has a definition (``: ...``) below it.

    Returns
    -------
    set of str
        In lower case.
    """
    found = re.findall(r"^#{2,} +(.+?)(?: *\{.*\})?$", text, re.MULTILINE)
    found += re.findall(r"^(?:[-*] +|\| *)?\*\*(.+?)\*\*", text, re.MULTILINE)
    found += re.findall(r"^(.+)\n+: {1,3}\S", text, re.MULTILINE)
    found += re.findall(r"^\| *([^|*]+?) *\|", text, re.MULTILINE)
    terms = (part for term in found for part in re.split(r", | or |/", term))
    return {term.strip(" `*.").lower() for term in terms}


def paragraphs(text: str) -> Iterator[list[tuple[int, str]]]:
    """Find the texts of a page: paragraphs, headings, items of lists, cells of tables.

    Parameters
    ----------
    text : str
        Markdown.

    Yields
    ------
    list of (int, str)
        Lines with their numbers, without code and comments.
    """
    text = re.sub(r"<!--.*?-->", lambda match: "\n" * match[0].count("\n"), text, flags=re.DOTALL)
    begun: list[tuple[int, str]] = []
    ticks = ""
    for number, line in enumerate(text.splitlines(), 1):
        fence = _FENCE.match(line)
        if ticks:
            if fence and line.strip().startswith(ticks) and set(line.strip()) == {ticks[0]}:
                ticks = ""
            continue
        is_item = _ITEM.match(line) is not None
        alone = line.startswith("#") or line.lstrip().startswith("|")
        if fence or not line.strip() or is_item or alone:
            if begun:
                yield begun
            begun = []
        if fence:
            ticks = fence[1]
        elif line.lstrip().startswith("|"):
            if not _RULE.match(line.strip()):
                yield from ([(number, cell)] for cell in re.split(r"(?<!\\)\|", line.strip("| ")))
        elif alone:
            yield [(number, line.lstrip("# "))]
        elif line.strip():
            begun.append((number, _ITEM.sub("", line, count=1) if is_item else line.strip()))
    if begun:
        yield begun


def plain(text: str) -> str:
    """Leave out what is not read: targets of links, code, attributes."""
    text = _LINK.sub(r"\1", text)
    text = _CODE.sub(_CODE_WORD, text)
    return _ATTRIBUTES.sub("", text)


def sentences(paragraph: Sequence[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Split a paragraph.

    Parameters
    ----------
    paragraph : sequence of (int, str)
        Of `paragraphs`.

    Yields
    ------
    int, str
        The line on which a sentence begins, and its words with single blanks.
    """
    joined, places = "", []
    for number, line in paragraph:
        places.append((len(joined), number))
        joined += line + "\n"
    # code may hold anything, so it is replaced before, by as many characters
    masked = _CODE.sub(lambda match: "`" + "c" * (len(match[0]) - 2) + "`", joined)
    start = 0
    for end in [match.start() for match in _END.finditer(masked)] + [len(masked)]:
        if end < len(masked) and _SHORT.search(masked[start:end]):
            continue
        text = joined[start:end].strip()
        first = start + len(joined[start:end]) - len(joined[start:end].lstrip())
        if text:
            line = [number for place, number in places if place <= first][-1]
            yield line, " ".join(text.split())
        start = end


def count_words(sentence: str) -> int:
    """Count the words of a sentence; code is one."""
    return sum(any(c.isalnum() for c in word) for word in plain(sentence).split())


def check(file: str, text: str, coined: Sequence[Coined], known: set[str]) -> list[Finding]:
    """Find sentences that are too long, and words that nobody knows.

    Parameters
    ----------
    file : str
        Its name, for messages.
    text : str
        Markdown.
    coined : sequence of Coined
    known : set of str
        Entries of the glossary.

    Returns
    -------
    list of Finding
    """
    findings = []
    for paragraph in paragraphs(text):
        for line, sentence in sentences(paragraph):
            count = count_words(sentence)
            if count > MOST_WORDS:
                findings.append(Finding(file, line, _too_long(sentence, count)))
            seen = plain(sentence)
            for word in coined:
                match = word.pattern.search(seen)
                if match and word.entry not in known:
                    remedy = f"say {word.use}, or explain {word.entry!r} in docs/glossary.md"
                    findings.append(
                        Finding(file, line, f"{match[0]!r} is no word of the field; {remedy}")
                    )
    return findings


def _too_long(sentence: str, count: int) -> str:
    begin = sentence if len(sentence) <= _SHOWN else sentence[:_SHOWN].rsplit(" ", 1)[0] + " ..."
    return f"{count} words, at most {MOST_WORDS}: {begin!r}; make two sentences of it"


def main(names: Sequence[str]) -> int:
    """Check files; print what is found.

    Parameters
    ----------
    names : sequence of str
        Files; README.md and all pages where there are none.

    Returns
    -------
    int
        1 where something is found.
    """
    pages = sorted((REPOSITORY / "docs").rglob("*.md"))
    files = [Path(name) for name in names] or [REPOSITORY / "README.md", *pages]
    known = glossary_entries(GLOSSARY.read_text(encoding="utf-8")) if GLOSSARY.exists() else set()
    coined = coined_words()
    findings = []
    for file in files:
        shown = file.resolve()
        name = str(shown.relative_to(REPOSITORY) if shown.is_relative_to(REPOSITORY) else file)
        findings += check(name, file.read_text(encoding="utf-8"), coined, known)
    for finding in findings:
        print(finding)  # noqa: T201
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
