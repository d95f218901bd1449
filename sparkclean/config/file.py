"""Read the configuration: a file, the environment, overrides."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sparkclean.config.model import parse_config, section_types
from sparkclean.config.sections import Config
from sparkclean.config.text import parse_text, read_stdin, read_text, read_yaml
from sparkclean.errors import ConfigError
from sparkclean.names import FILE_ENDINGS
from sparkclean.texts import REDACTED, is_secret, remember_secrets

_PREFIX = "SPARKCLEAN__"
#: Names standard input in the place of a file.
STDIN = "-"


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
        Sections by name, or a file of YAML or JSON that holds them; None: neither; ``-``: YAML on
        standard input.
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
        With all findings at once. A location that is there beside the file only: locations are
        relative to the working directory.
    """
    return check_settings(load_settings(source, overrides=overrides, environ=environ), source)


def check_settings(
    settings: Mapping[str, Any], source: Mapping[str, Any] | str | Path | None
) -> Config:
    """Check settings, and that their locations are not meant to be relative to their file.

    Parameters
    ----------
    settings : mapping
        Of `load_settings`.
    source : mapping, str or Path, or None
        From which they are.

    Returns
    -------
    Config

    Raises
    ------
    ConfigError
    """
    config = parse_config(settings)
    if isinstance(source, str | Path) and str(source) != STDIN:
        findings = _beside_findings(config, Path(source).parent)
        if findings:
            raise ConfigError(findings)
    return config


def load_settings(
    source: Mapping[str, Any] | str | Path | None,
    *,
    flags: Mapping[str, Any] | None = None,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Load the settings of a configuration, without those that have their default.

    Parameters
    ----------
    source, overrides, environ
        As for `load_config`.
    flags : mapping, optional
        Values by ``section.key``; they win over file and environment.

    Returns
    -------
    dict
        Sections by name; not checked.

    Raises
    ------
    ConfigError
    """
    settings = _settings(source)
    findings: list[str] = []
    environ = os.environ if environ is None else environ
    for name, value in sorted(environ.items()):
        if name.startswith(_PREFIX):
            parts = name[len(_PREFIX) :].split("__", 1)
            section = parts[0].lower()
            rest = parts[1:] if section == "spark" else [part.lower() for part in parts[1:]]
            with _finding(findings):
                _put(settings, [section, *rest], _parsed([section, *rest], value, name))
    for key, value in (flags or {}).items():
        _put(settings, key.split(".", 1), value)
    for override in overrides:
        key, sign, value = override.partition("=")
        if not sign or not key.strip():
            shown = REDACTED if is_secret(override) else repr(override)
            findings.append(f"--set {shown}: write section.key=value")
            continue
        keys = key.strip().split(".", 1)
        with _finding(findings):
            _put(settings, keys, _parsed(keys, value, f"--set {key.strip()}"))
    remember_secrets(settings.get("spark"))
    if findings:
        raise ConfigError(findings)
    return settings


@contextmanager
def _finding(findings: list[str]) -> Iterator[None]:
    """Keep what is wrong with one setting, and go on to the next."""
    try:
        yield
    except ConfigError as exc:
        findings += exc.findings


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


def _beside_findings(config: Config, folder: Path) -> list[str]:
    """Find locations that are not there, while there is such a file beside the configuration."""
    named = {key: place for section in config.sections() for key, place in section.tables().items()}
    if isinstance(config.classes, str):
        named["classes"] = config.classes
    here = Path.cwd()
    findings = []
    for key, place in named.items():
        try:
            is_there = Path(place).is_absolute() or Path(place).exists()
            is_path = "/" in place or place.endswith(FILE_ENDINGS) or key == "classes"
            if is_there or not is_path or not (folder / place).exists():
                continue
        except (OSError, ValueError):  # no path
            continue
        findings.append(
            f"{key}: {place} is not in the working directory ({here}), to which paths are "
            f"relative, but beside the configuration; write {folder / place}"
        )
    return findings


def _parsed(keys: list[str], text: str, origin: str) -> Any:
    # a predicate is SQL, whose quotes and hashes YAML would read in its own way
    return _predicate(text) if keys == ["input", "where"] else _scalar(text, origin)


def _put(settings: dict[str, Any], keys: list[str], parsed: Any) -> None:
    if len(keys) == 1:
        settings[keys[0]] = parsed
        return
    section = settings.get(keys[0])
    section = dict(section) if isinstance(section, Mapping) else {}
    rest = keys[1:] if keys[0] == "spark" else keys[1].split(".", 1)
    _put(section, rest, parsed)
    settings[keys[0]] = section


def _predicate(text: str) -> str | None:
    return None if text.strip() in ("", "null", "~") else text


def _scalar(text: str, origin: str) -> Any:
    try:
        return read_yaml(text)
    except ConfigError as exc:
        raise ConfigError(f"{origin}: {exc}") from None


def _read_mapping(path: Path) -> dict[str, Any]:
    content = parse_text(path, read_stdin() if str(path) == STDIN else read_text(path))
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
