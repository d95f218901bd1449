"""Read YAML and JSON, and say in our words what is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sparkclean.errors import ConfigError


def read_text(path: Path) -> str:
    """Read a file of text; raise a `ConfigError` that says why it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig")  # some editors of Windows begin with a mark
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: is a directory; name the file in it") from None
    except PermissionError:
        raise ConfigError(f"{path}: may not be read (permissions)") from None
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path}: is not UTF-8 text (byte {exc.start})") from None


def parse_text(path: Path, text: str) -> Any:
    """Parse the text of a file as JSON or YAML, by its name."""
    try:
        if path.suffix.lower() == ".json":
            return _json_load(text)
        return read_yaml(text)
    except ConfigError as exc:
        raise ConfigError([f"{path}: {finding}" for finding in exc.findings]) from None


def _json_load(text: str) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        for key in keys:
            if keys.count(key) > 1:
                raise ConfigError(f"key {key!r} stands twice; keep one")
        return dict(pairs)

    if not text.strip():
        return None
    try:
        return json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as exc:
        raise ConfigError(f"not JSON: {exc.msg}, line {exc.lineno}, column {exc.colno}") from None
    except RecursionError:
        raise ConfigError("not JSON: it is nested too deeply") from None


def read_yaml(text: str) -> Any:
    """Parse YAML in which no key stands twice."""
    import yaml  # noqa: PLC0415 (a JSON configuration works without it)

    class UniqueLoader(yaml.SafeLoader):
        """Refuses a key that stands twice: YAML itself keeps the last one silently."""

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            seen: set[Any] = set()
            for key_node, _ in node.value:
                if key_node.tag == "tag:yaml.org,2002:merge":
                    continue
                key = self.construct_object(key_node, deep=True)
                if not isinstance(key, list | dict):
                    if key in seen:
                        line = key_node.start_mark.line + 1
                        raise ConfigError(f"line {line}: key {key!r} stands twice; keep one")
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
