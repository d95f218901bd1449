"""The labels, in the order of the probabilities: a list, or a file with one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sparkclean.config.sections import Config
from sparkclean.config.text import MOST_PARSED, parse_text, read_text
from sparkclean.errors import ConfigError

#: Bytes of a file with a label a line.
_MOST_TEXT = 1 << 28


def resolve_classes(config: Config) -> tuple[str | int | bool, ...] | None:
    """Return the labels in the order of the probabilities, read from a file where one is named.

    Parameters
    ----------
    config : Config

    Returns
    -------
    tuple or None
        None: the integers 0..K-1.

    Raises
    ------
    ConfigError
        If the file cannot be read, or the list is not two or more different labels of one type.
    """
    classes = config.classes
    if classes is None:
        return None
    place = ""
    if isinstance(classes, str):
        place = f"{classes}: "
        classes = read_classes(classes)
    findings = class_findings(classes)
    if findings:
        raise ConfigError([f"classes: {place}{f.removeprefix('classes: ')}" for f in findings])
    return tuple(classes)


def read_classes(location: str) -> list[Any]:
    """Read a list of labels from a file.

    Parameters
    ----------
    location : str
        ``.json`` or ``.yaml``: a list; anything else: one label a line.

    Returns
    -------
    list

    Raises
    ------
    ConfigError
    """
    path = Path(location)
    is_text = path.suffix.lower() not in (".json", ".yaml", ".yml")
    try:
        text = read_text(path, most=_MOST_TEXT if is_text else MOST_PARSED)
        if is_text:
            # not splitlines: a label may hold the separators of Unicode
            return text.removesuffix("\n").split("\n") if text else []
        content = parse_text(path, text, quotes=False)
    except ConfigError as exc:
        raise ConfigError([f"classes: {finding}" for finding in exc.findings]) from None
    if not isinstance(content, list):
        kind = type(content).__name__
        raise ConfigError(f"classes: {path}: holds a value of type {kind}; a list is needed")
    return content


def class_findings(classes: Sequence[Any]) -> list[str]:
    """Find what is wrong with a list of labels.

    Parameters
    ----------
    classes : sequence

    Returns
    -------
    list of str
    """
    findings = []
    if len(classes) < 2:
        findings.append(f"classes: K = {len(classes)}; label issues need at least two classes")
    kinds = {type(label).__name__ for label in classes}
    if len(kinds) > 1 or not kinds <= {"str", "int", "bool"}:
        findings.append(
            f"classes: labels of types {', '.join(sorted(kinds))}; all must be strings, all "
            "integers or all booleans (put quotes around those that YAML reads as another type)"
        )
    first: dict[str, int] = {}
    for number, label in enumerate(classes, 1):
        before = first.setdefault(str(label), number)
        if before != number:
            # places, not labels: the list may come from a file, whose content is shown to nobody
            findings.append(
                f"classes: number {before} stands in the list more than once, as number {number}, "
                "too"
            )
            break
    return findings
