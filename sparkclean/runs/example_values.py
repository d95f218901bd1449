"""Values of an example's columns, sorted by how a page shows them. Needs Pillow for pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from sparkclean.plots.parts import Example, Thumbnail
from sparkclean.plots.thumbnails import thumbnail

#: A text of more characters has a place of its own.
_LONG = 60
#: Characters of a URL; a longer one is a text.
_LONGEST_URL = 2000
#: Numbers of a list that are shown.
_SHOWN = 4


def example_of(values: Mapping[str, Any]) -> Example:
    """Sort the values of an example.

    Parameters
    ----------
    values : mapping
        By column.

    Returns
    -------
    Example
        What thumbnails can be made of as pictures; texts and URLs by themselves; all else, short,
        as fields.
    """
    texts: list[tuple[str, str]] = []
    links: list[tuple[str, str]] = []
    images: list[tuple[str, Thumbnail]] = []
    fields: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, str):
            if is_url(value):
                links.append((name, value))
            elif len(value) > _LONG or "\n" in value:
                texts.append((name, value))
            else:
                fields.append((name, value))
            continue
        is_number = value is None or isinstance(value, bool | int | float)
        picture = None if is_number else thumbnail(value)
        if picture is not None:
            images.append((name, picture))
        else:
            fields.append((name, short(value)))
    return Example(texts, images, links, fields)


def is_url(text: str) -> bool:
    """Tell whether a text is a URL of the web and nothing else."""
    if len(text) > _LONGEST_URL or not text.startswith(("http://", "https://")):
        return False
    try:
        return bool(urlsplit(text).hostname) and not any(c.isspace() for c in text)
    except ValueError:
        return False


def short(value: Any) -> str:
    """Write a value that is no text in few characters, however large it is."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, bytes | bytearray):
        return f"{len(value):,} bytes"
    if isinstance(value, Mapping):
        parts = [f"{key}: {short(part)}" for key, part in list(value.items())[:_SHOWN]]
        return "{" + ", ".join([*parts, *(["..."] if len(value) > _SHOWN else [])]) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        parts = [short(part) for part in value[:_SHOWN]]
        more = f", ... ({len(value):,})" if len(value) > _SHOWN else ""
        return f"[{', '.join(parts)}{more}]"
    return str(value)
