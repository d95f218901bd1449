"""The hook of MkDocs: fills in what the reference pages take from the code.

A page that holds the line ``<!-- generated: NAME -->`` gets what `GENERATORS` makes under that
name. So the introduction of a page is written by hand, and its facts are those of the code.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[1]
REPOSITORY = DOCS.parent
sys.path[:0] = [str(DOCS / "hooks"), str(REPOSITORY)]

import commands_page  # noqa: E402 (these stand beside this file)
import configuration_page  # noqa: E402
import exit_codes_page  # noqa: E402
import outputs_page  # noqa: E402
import python_page  # noqa: E402

GENERATORS: dict[str, Callable[[], str]] = {
    "commands": commands_page.generate,
    "configuration": configuration_page.generate,
    "exit-codes": exit_codes_page.generate,
    "outputs": outputs_page.generate,
    "python": python_page.generate,
}

_MARK = re.compile(r"^<!-- generated: ([\w-]+) -->$", re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)#\s]+)(?:#[^)\s]*)?\)")
_FENCE = re.compile(r"^(```.*?^```$)", re.MULTILINE | re.DOTALL)


def fill_in(text: str) -> str:
    """Put the generated parts into a page.

    Parameters
    ----------
    text : str
        Markdown.

    Returns
    -------
    str

    Raises
    ------
    KeyError
        If nothing is generated under a name.
    """
    return _MARK.sub(lambda match: GENERATORS[match[1]](), text)


def unlink(text: str, page: Path) -> str:
    """Keep the words alone of links to files that are no pages, such as ``conf/audit.yaml``.

    They lead somewhere in the checkout, and nowhere on the site. A link to a file that does not
    exist stays, so that MkDocs complains of it.

    Parameters
    ----------
    text : str
        Markdown.
    page : Path
        The file that it is from.

    Returns
    -------
    str
    """

    def words(match: re.Match[str]) -> str:
        if "://" in match[2] or match[2].startswith("mailto:"):
            return match[0]
        target = (page.parent / match[2]).resolve()
        is_page = target.is_relative_to(DOCS)
        return match[1] if not is_page and target.exists() else match[0]

    parts = _FENCE.split(text)
    return "".join(part if part.startswith("```") else _LINK.sub(words, part) for part in parts)


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Do both to every page, as MkDocs reads it."""
    source = Path(page.file.abs_src_path)
    return unlink(fill_in(markdown), source)
