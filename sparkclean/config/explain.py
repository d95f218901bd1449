"""What is wrong with a configuration, in our own words: path, value, remedy."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from sparkclean.errors import did_you_mean
from sparkclean.texts import REDACTED, is_secret

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

_LONGEST = 60
_WORDS: dict[Any, str] = {
    type(None): "null",
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "text",
    dict: "a mapping",
}
_LISTS = {"text": "a list of texts", "a number": "a list of numbers"}


def explain(errors: Iterable[Mapping[str, Any]], model: type[BaseModel]) -> list[str]:
    """Turn validation errors into findings.

    Parameters
    ----------
    errors : iterable of mapping
        ``ValidationError.errors()``.
    model : type
        The configuration's model.

    Returns
    -------
    list of str
        One for each key, in the order of the configuration.
    """
    by_key: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for error in errors:
        by_key.setdefault(_key(error["loc"], model), []).append(error)
    return [_finding(key, found, model) for key, found in by_key.items()]


def _key(loc: Sequence[Any], model: type[BaseModel]) -> tuple[str, ...]:
    """Cut a location to sections and key: what follows names alternatives of a type."""
    holder, key = _section(model, str(loc[0])), [str(loc[0])]
    for part in loc[1:] if holder is not None else ():
        key.append(str(part))
        if isinstance(part, int):  # a section of a list
            continue
        holder = None if holder is None else _section(holder, str(part))
        if holder is None:
            return tuple(key)
    if holder is not None:
        return tuple(key)
    if len(loc) > 1 and str(loc[0]) == "spark":
        return ("spark", str(loc[1]))
    return (str(loc[0]),)


def _section(model: type[BaseModel], name: str) -> type[BaseModel] | None:
    field = model.model_fields.get(name)
    kind: Any = field.annotation if field else None
    kinds = (kind, *typing.get_args(kind))  # a section may be null
    return next((k for k in kinds if isinstance(k, type) and hasattr(k, "model_fields")), None)


def _finding(key: tuple[str, ...], errors: list[Mapping[str, Any]], model: type[BaseModel]) -> str:
    path, value, kind = ".".join(key), errors[0]["input"], errors[0]["type"]
    holder: type[BaseModel] | None = model
    for part in (name for name in key[:-1] if not name.isdigit()):
        holder = None if holder is None else _section(holder, part)
    names = list(holder.model_fields) if holder else []
    if kind == "extra_forbidden":
        hint = did_you_mean(key[-1], names).strip() or f"known: {', '.join(names)}"
        return f"{path}: unknown key (value {_shown_setting(path, value)}); {hint}"
    if kind == "invalid_key":
        return f"{key[0]}: key {_shown(value)} is not text; known: {', '.join(names)}"
    if kind == "missing":
        return f"{path}: is missing; it has no default"
    section = None if holder is None else _section(holder, key[-1])
    section = holder if key[-1].isdigit() else section
    if section is not None:
        known = ", ".join(section.model_fields)
        shown = _shown_setting(path, value)
        if kind == "list_type":
            return f"{path}: {shown} is not a list of sections; begin each with - ({known})"
        return f"{path}: {shown} is not a section; write its keys below it ({known})"
    field = holder.model_fields[key[-1]] if holder else None
    return _wrong_value(path, value, field, is_choice=kind == "literal_error")


def _wrong_value(path: str, value: Any, field: FieldInfo | None, *, is_choice: bool) -> str:
    if path.partition(".")[0] == "spark":
        wanted = "a mapping" if field else "text, a number, or true or false"
        return f"{path}: {_shown_setting(path, value)} is wrong; wanted: {wanted}"
    if field is None:
        return f"{path}: {_shown(value)} is wrong"
    kind = _choices(field.annotation) if is_choice else field.annotation
    if typing.get_origin(kind) is not typing.Literal:
        wanted = _wanted(kind, field.metadata)
        return f"{path}: {_shown(value)} is wrong; wanted: {wanted}"
    choices = typing.get_args(kind)
    hint = did_you_mean(str(value), choices)
    return f"{path}: {_shown(value)} is unknown; {hint}choose one of {', '.join(choices)}"


def _choices(kind: Any) -> Any:
    """Find the choices of a key, or of the entries of its list or mapping."""
    if typing.get_origin(kind) is typing.Literal:
        return kind
    inner = [_choices(one) for one in typing.get_args(kind)]
    return next((one for one in inner if typing.get_origin(one) is typing.Literal), kind)


def _shown(value: Any) -> str:
    """Write a value as its file has it, and not all of a long one."""
    words = {None: "null", True: "true", False: "false"}
    if value is None or isinstance(value, bool):
        return words[value]
    text = value.isoformat() if isinstance(value, date) else repr(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _shown_setting(path: str, value: Any) -> str:
    """Write what may be a setting of Spark, unless it is a secret."""
    return REDACTED if is_secret(path, value) else _shown(value)


def _wanted(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    """Say what a key takes."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _wanted(arguments[0], [*arguments[1:], *metadata])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(_wanted(kind) for kind in arguments))
    if origin is list:
        return _LISTS.get(_wanted(arguments[0]), "a list of labels (text, integers or booleans)")
    words = _WORDS[origin or annotation]
    # the bounds of a pydantic Field stand in an object of its own inside of a union
    bounds = [bound for entry in metadata for bound in getattr(entry, "metadata", [entry])]
    low = next((bound.ge for bound in bounds if hasattr(bound, "ge")), None)
    high = next((bound.le for bound in bounds if hasattr(bound, "le")), None)
    if low is not None and high is not None:
        return f"{words} from {low:g} to {high:g}"
    return words if low is None else f"{words} of at least {low:g}"
