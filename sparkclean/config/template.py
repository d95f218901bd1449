"""The commented configuration of a table, generated from the sections."""

from __future__ import annotations

import json
import re
import textwrap
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from sparkclean.config.model import config_model
from sparkclean.config.output_locations import TABLE, last_part
from sparkclean.config.sections import OutputSection
from sparkclean.config.text import read_yaml

#: YAML refuses these characters, or takes them for the end of a line.
_UNREADABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
#: What needs no quotes, if YAML reads it as text.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_/.-]*")
#: Columns of a line; at which remarks begin, at the earliest.
_WIDTH, _REMARK = 100, 32


def config_template(
    *,
    table: str,
    id: str | Sequence[str] | None,  # noqa: A002 (the name of the key)
    label: str,
    pred_probs: str | Sequence[str],
    classes: Sequence[Any] | None = None,
    features: Sequence[str] = (),
    comments: Mapping[str, str] | None = None,
    command: str = "audit",
) -> str:
    """Write a commented configuration for a table.

    Parameters
    ----------
    table : str
    id, label, pred_probs
        Columns.
    classes : sequence or None
    features : sequence of str
        Columns that a model may see, where probabilities are to be predicted.
    comments : mapping
        Remarks on ``columns`` and ``classes``.
    command : str
        That takes the configuration.

    Returns
    -------
    str
        YAML; `sparkclean.config.file.load_config` accepts it.
    """
    given: dict[tuple[str, ...], Any] = {
        ("input", "table"): table,
        ("columns", "id"): id,
        ("columns", "label"): label,
        ("columns", "pred_probs"): pred_probs,
        ("classes",): classes,
    }
    if features:
        given["predict",] = {"features": list(features)}
    remarks = {
        key: "  # " + _UNREADABLE.sub("?", re.sub(r"\s", " ", text))
        for key, text in (comments or {}).items()
    }
    lines = [f"# sparkclean {command} --config THIS_FILE"]
    for name, field in config_model().model_fields.items():
        lines += ["", *_entry(name, field, given, remarks.get(name, ""))]
    return "\n".join(lines) + "\n"


def _entry(
    name: str, field: FieldInfo, given: Mapping[tuple[str, ...], Any], remark: str
) -> Iterator[str]:
    """Write a section, or a key that stands in none."""
    section = field.annotation
    if isinstance(section, type) and issubclass(section, BaseModel):
        yield f"# {(section.__doc__ or '').strip().splitlines()[0]}"
        yield f"{name}:{remark}"
        for key, inner in _ordered(section).items():
            value = given.get((name, key), _default(inner))
            if isinstance(value, str):
                value = value.replace(TABLE, last_part(given["input", "table"]))
            yield from _key(key, inner, value, indent="  ")
        return
    yield from _key(name, field, given.get((name,), _default(field)), remark=remark)


def _ordered(section: type[BaseModel]) -> dict[str, FieldInfo]:
    """Give the keys of a section: locations of outputs before what is shared by all of them."""
    shared = OutputSection.model_fields if issubclass(section, OutputSection) else {}
    own = {key: field for key, field in section.model_fields.items() if key not in shared}
    return own | {key: section.model_fields[key] for key in shared}


def _key(
    name: str, field: FieldInfo, value: Any, *, indent: str = "", remark: str = ""
) -> Iterator[str]:
    """Write a key, its description beside it or above."""
    text = field.description or ""
    choices = [c for c in typing.get_args(field.annotation) if isinstance(c, str)]
    if choices and not all(choice in text for choice in choices):
        text = f"{' | '.join(choices)}: {text[0].lower()}{text[1:]}"
    line = f"{indent}{name}: {_flow(value)}{remark}"
    beside = f"{line:<{_REMARK}}  # {text}"
    if not remark and len(beside) <= _WIDTH:
        yield beside
        return
    for part in textwrap.wrap(text, _WIDTH - len(indent) - 2, break_on_hyphens=False):
        yield f"{indent}# {part}"
    yield line


def _default(field: FieldInfo) -> Any:
    found = field.get_default(call_default_factory=True)
    return None if found is PydanticUndefined else found


def _flow(value: Any) -> str:
    """Write a value: a plain word as it is, all else as JSON, which is YAML."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and read_yaml(value) == value:
        return value
    if isinstance(value, float) and "e" in repr(value):
        whole, _, power = repr(value).partition("e")  # YAML 1.1 takes 1e-07 for a text
        return f"{whole if '.' in whole else whole + '.0'}e{power}"
    text = json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
    return _UNREADABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
