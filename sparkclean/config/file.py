"""Read the configuration: a file, the environment, overrides."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sparkclean.config.model import parse_config, section_types
from sparkclean.config.sections import Config
from sparkclean.config.text import parse_text, read_text, read_yaml
from sparkclean.errors import ConfigError
from sparkclean.texts import REDACTED, is_secret, remember_secrets

_PREFIX = "SPARKCLEAN__"


def load_config(
    source: Mapping[str, Any] | str | Path | None,
    *,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
) -> Config:
    """Load and check the configuration.

    Parameters
    ----------
    source : mapping, str or Path, or None
        Sections by name, or a file of YAML or JSON that holds them; None: neither.
    overrides : sequence of str
        ``section.key=value`` each; they win over all else.
    environ : mapping, optional
        ``SPARKCLEAN__SECTION__KEY`` wins over the file; the process's environment by default.

    Returns
    -------
    Config

    Raises
    ------
    ConfigError
        With all findings at once.
    """
    settings = _settings(source)
    environ = os.environ if environ is None else environ
    for name, value in sorted(environ.items()):
        if name.startswith(_PREFIX):
            parts = name[len(_PREFIX) :].split("__", 1)
            section = parts[0].lower()
            rest = parts[1:] if section == "spark" else [part.lower() for part in parts[1:]]
            _put(settings, [section, *rest], value, name)
    for override in overrides:
        key, sign, value = override.partition("=")
        if not sign or not key.strip():
            shown = REDACTED if is_secret(override) else repr(override)
            raise ConfigError(f"--set {shown}: write section.key=value")
        _put(settings, key.strip().split(".", 1), value, f"--set {key.strip()}")
    remember_secrets(settings.get("spark"))
    return parse_config(settings)


def _settings(source: Mapping[str, Any] | str | Path | None) -> dict[str, Any]:
    if source is None:
        return {}
    if isinstance(source, Mapping):
        return dict(source)
    if not isinstance(source, str | Path):
        raise ConfigError(
            f"the configuration is a {type(source).__name__}; give a mapping of sections, or the "
            "path of a file"
        )
    return _read_mapping(Path(source))


def _put(settings: dict[str, Any], keys: list[str], value: str, origin: str) -> None:
    # a predicate is SQL, whose quotes and hashes YAML would read in its own way
    parsed = _predicate(value) if keys == ["input", "where"] else _scalar(value, origin)
    if len(keys) == 1:
        settings[keys[0]] = parsed
        return
    section = settings.get(keys[0])
    section = dict(section) if isinstance(section, Mapping) else {}
    section[keys[1]] = parsed
    settings[keys[0]] = section


def _predicate(text: str) -> str | None:
    return None if text.strip() in ("", "null", "~") else text


def _scalar(text: str, origin: str) -> Any:
    try:
        return read_yaml(text)
    except ConfigError as exc:
        raise ConfigError(f"{origin}: {exc}") from None


def _read_mapping(path: Path) -> dict[str, Any]:
    content = parse_text(path, read_text(path))
    if content is None:
        raise ConfigError(f"{path}: is empty; `sparkclean init TABLE` writes a configuration")
    if not isinstance(content, dict):
        kind = type(content).__name__
        raise ConfigError(f"{path}: holds a value of type {kind}; a mapping of sections is needed")
    may_be_null = {"classes", *(name for name, of in section_types().items() if of.may_be_null)}
    return {
        str(key): {} if value is None and key not in may_be_null else value
        for key, value in content.items()
    }
