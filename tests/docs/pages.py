"""Pages of the documents: their blocks, and what a reader is meant to run. Needs no Spark."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"
#: Languages of blocks that are run, of what is compared or checked, and of what is only shown.
RUN = ("sh", "python")
CHECKED = ("text", "yaml")
SHOWN = ("console", "sql", "json", "properties", "toml", "html", "css")
#: Pages whose blocks a test of their own looks at.
ELSEWHERE = {"docs/dev/add-a-job.md": "tests/unit/test_add_a_job.py"}

_FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>`{3,}|~{3,})(?P<info>.*)$")
_COMMENT = re.compile(r"^<!-- (setup|tests): (\w+) -->\s*$")
_EXIT = re.compile(r"#.*?\bexit code (\d+)")
_FILE = re.compile(r"# file: (\S+)\s*$")
_SETTINGS = {"setup": ("none", "demo"), "tests": ("full",)}


class PageError(Exception):
    """A page that the runner cannot make sense of."""


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes
    ----------
    language : str
        Empty where the fence names none.
    text : str
        Without the fences and their indentation.
    line : int
        Of the page, of the first line within, from 1.
    output : str or None
        What the page says that it prints, by a block of text directly behind.
    """

    language: str
    text: str
    line: int
    output: str | None = None


@dataclass(frozen=True)
class Page:
    """A page of Markdown.

    Attributes
    ----------
    name : str
        Path in the repository.
    blocks : tuple of Block
    setup : {"none", "demo"}
        What the folder holds in which the page is run.
    is_full : bool
        Whether only `make test-full` runs it.
    """

    name: str
    blocks: tuple[Block, ...]
    setup: str = "none"
    is_full: bool = False

    @property
    def is_run(self) -> bool:
        """Whether there is anything to run."""
        return self.name not in ELSEWHERE and any(block.language in RUN for block in self.blocks)


@dataclass(frozen=True)
class Command:
    """A command of the shell, over as many lines as it takes.

    Attributes
    ----------
    text : str
    line : int
        Of the page.
    exit_code : int
        With which the page says that it ends.
    """

    text: str
    line: int
    exit_code: int


def all_pages() -> list[Page]:
    """Read README.md and all pages of the documents."""
    files = [REPOSITORY / "README.md", *sorted(DOCS.rglob("*.md"))]
    return [read_page(file) for file in files if "hooks" not in file.parts]


def read_page(file: Path) -> Page:
    """Read a page of the repository."""
    return parse_page(str(file.relative_to(REPOSITORY)), file.read_text(encoding="utf-8"))


def parse_page(name: str, text: str) -> Page:
    """Find the blocks of a page, and the comments that say how it is run.

    Parameters
    ----------
    name, text : str

    Returns
    -------
    Page

    Raises
    ------
    PageError
        If a fence has no end, or a comment says something unknown.
    """
    settings: dict[str, str] = {}
    found: list[tuple[Block, int]] = []  # with the line behind it
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        line = lines[number]
        fence, comment = _FENCE.match(line), _COMMENT.match(line)
        if comment:
            if comment[2] not in _SETTINGS[comment[1]]:
                raise PageError(f"{name}:{number + 1}: {comment[1]}: {comment[2]} is unknown")
            settings[comment[1]] = comment[2]
        if fence and "`" not in fence["info"]:
            end = _end_of_fence(lines, number, fence)
            if end is None:
                raise PageError(f"{name}:{number + 1}: this fence has no end")
            body = [one.removeprefix(fence["indent"]) for one in lines[number + 1 : end]]
            language = (fence["info"].split() or [""])[0]
            found.append((Block(language, "".join(f"{x}\n" for x in body), number + 2), end + 1))
            number = end
        number += 1
    blocks = tuple(_with_outputs(found, lines))
    return Page(name, blocks, settings.get("setup", "none"), settings.get("tests") == "full")


def _end_of_fence(lines: list[str], start: int, fence: re.Match[str]) -> int | None:
    ticks = fence["ticks"]
    for number in range(start + 1, len(lines)):
        text = lines[number].strip()
        if text.startswith(ticks) and set(text) == {ticks[0]}:
            return number
    return None


def _with_outputs(found: list[tuple[Block, int]], lines: list[str]) -> Iterator[Block]:
    for at, (block, behind) in enumerate(found):
        following = found[at + 1][0] if at + 1 < len(found) else None
        if (
            block.language in RUN
            and following is not None
            and following.language == "text"
            and not "".join(lines[behind : following.line - 2]).strip()
        ):
            yield Block(block.language, block.text, block.line, following.text)
        else:
            yield block


def file_name(block: Block) -> str | None:
    """Give the name of the file that a block of YAML is, if it is one."""
    first, _, _ = block.text.partition("\n")
    match = _FILE.match(first)
    return match[1] if match else None


def split_commands(block: Block) -> list[Command]:
    """Split a block into commands: each the fewest lines that the shell takes for whole.

    Parameters
    ----------
    block : Block

    Returns
    -------
    list of Command
        Without empty lines and comments between them.

    Raises
    ------
    PageError
        If the last one is not whole.
    """
    commands, begun, first = [], [], block.line
    for number, line in enumerate(block.text.splitlines(), block.line):
        if not begun:
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            first = number
        begun.append(line)
        text = "\n".join(begun)
        if _is_whole(text):
            codes = [int(code) for code in _EXIT.findall(text)]
            commands.append(Command(text, first, codes[-1] if codes else 0))
            begun = []
    if begun:
        raise PageError(f"line {first}: the shell does not take this for whole: {begun[0]}")
    return commands


def _is_whole(text: str) -> bool:
    if text.endswith("\\"):
        return False
    done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
    return done.returncode == 0 and not done.stderr  # of a here-document it only warns
