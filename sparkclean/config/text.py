"""Read YAML and JSON, and say in our words what is wrong with them.

What is read may come from somebody else: its size, its depth and what its aliases grow to are
limited.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sparkclean.errors import ConfigError
from sparkclean.reading import is_deeper, read_plain

#: Bytes of YAML or JSON that are parsed.
MOST_PARSED = 1 << 22
#: Lists and mappings within one another.
_DEEPEST = 50
#: Values that a file may hold beyond those that are written down, by aliases.
_MOST_BY_ALIASES = 10_000


def read_text(path: Path, *, most: int = MOST_PARSED) -> str:
    """Read a plain file of text; raise a `ConfigError` that says why it cannot be read."""
    try:
        # some editors of Windows begin with a mark
        text = read_plain(path, most=most, error=ConfigError).decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: is a directory; name the file in it") from None
    except PermissionError:
        raise ConfigError(f"{path}: cannot be read (permissions)") from None
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror}") from None
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path}: is not UTF-8 text (byte {exc.start})") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_stdin() -> str:
    """Read standard input as text of at most `MOST_PARSED` bytes; raise a `ConfigError` if not."""
    content = sys.stdin.buffer.read(MOST_PARSED + 1)
    if len(content) > MOST_PARSED:
        raise ConfigError(f"standard input: is larger than {MOST_PARSED:,} bytes")
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as exc:
        raise ConfigError(f"standard input: is not UTF-8 text (byte {exc.start})") from None


def parse_text(path: Path, text: str, *, quotes: bool = True) -> Any:
    """Parse the text of a file as JSON or YAML, by its name.

    Parameters
    ----------
    path : Path
    text : str
        What is in the file.
    quotes : bool
        Whether errors may quote it. A configuration is read for who has written it; what it names
        may belong to somebody else.

    Returns
    -------
    object

    Raises
    ------
    ConfigError
    """
    is_json = path.suffix.lower() == ".json"
    try:
        return _json_load(text) if is_json else read_yaml(text)
    except ConfigError as exc:
        if not quotes:
            kind = "JSON" if is_json else "YAML"
            raise ConfigError(f"{path}: {len(text):,} characters that are not {kind}") from None
        raise ConfigError([f"{path}: {finding}" for finding in exc.findings]) from None


def _json_load(text: str) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise ConfigError(f"key {key!r} is there twice; keep one")
            found[key] = value
        return found

    if not text.strip():
        return None
    try:
        content = json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as exc:
        raise ConfigError(f"not JSON: {exc.msg}, line {exc.lineno}, column {exc.colno}") from None
    except RecursionError:
        raise ConfigError("not JSON: it is nested too deeply") from None
    except ValueError as exc:  # a number of thousands of digits
        raise ConfigError(f"not JSON: {str(exc).partition(';')[0]}") from None
    if is_deeper(content, _DEEPEST):
        raise ConfigError("not JSON: it is nested too deeply")
    return content


def write_yaml(content: Mapping[str, Any]) -> str:
    """Write what `read_yaml` reads; keys stay in their order."""
    import yaml  # noqa: PLC0415 (a JSON configuration works without it)

    text: str = yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True)
    return text


def read_yaml(text: str) -> Any:
    """Parse YAML in which no key stands twice."""
    import yaml  # noqa: PLC0415 (a JSON configuration works without it)

    class UniqueLoader(yaml.SafeLoader):
        """Refuses a key that stands twice: YAML itself keeps the last one silently."""

        depth = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            self.depth += 1
            if self.depth > _DEEPEST:
                raise RecursionError
            node = super().compose_node(parent, index)
            self.depth -= 1
            return node

        def get_single_node(self) -> Any:
            node = super().get_single_node()
            if node is not None:
                _check_aliases(node)
            return node

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            seen: set[Any] = set()
            for key_node, _ in node.value:
                if key_node.tag == "tag:yaml.org,2002:merge":
                    continue
                key = self.construct_object(key_node, deep=True)
                if not isinstance(key, list | dict):
                    if key in seen:
                        line = key_node.start_mark.line + 1
                        raise ConfigError(f"line {line}: key {key!r} is there twice; keep one")
                    seen.add(key)
            return super().construct_mapping(node, deep)

    try:
        return yaml.load(text, UniqueLoader)  # noqa: S506 (a SafeLoader)
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(f"not YAML: {exc.problem or exc.context}{where}") from None
    except yaml.YAMLError as exc:
        raise ConfigError(f"not YAML: {str(exc).splitlines()[0]}") from None
    except ValueError as exc:  # 2026-02-31 looks like a date and is none
        raise ConfigError(f"not YAML: {exc}; quote what is meant as text") from None
    except RecursionError:
        raise ConfigError("not YAML: it is nested too deeply") from None


def _check_aliases(root: Any) -> None:
    """Refuse aliases that stand within what they name, or by which little text grows to much."""
    known: dict[int, tuple[int, int]] = {}  # of nodes: values in them, however often; levels
    begun: set[int] = set()

    def measure(node: Any) -> tuple[int, int]:
        name = id(node)
        if name not in known:
            if name in begun:
                raise ConfigError("not YAML: an alias refers to a value that contains it")
            begun.add(name)
            inner = node.value if isinstance(node.value, list) else ()
            parts = [part for one in inner for part in (one if isinstance(one, tuple) else (one,))]
            found = [measure(part) for part in parts]
            size = 1 + sum(one for one, _ in found)
            known[name] = size, 1 + max((level for _, level in found), default=0)
        return known[name]

    size, levels = measure(root)
    if levels > _DEEPEST + 1:
        raise RecursionError
    if size - len(known) > _MOST_BY_ALIASES:
        raise ConfigError(
            f"not YAML: its aliases repeat more than {_MOST_BY_ALIASES:,} values; write them out"
        )
