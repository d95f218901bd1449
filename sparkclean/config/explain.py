"""What is wrong with a configuration, in our own words: path, value, remedy."""

from __future__ import annotations

import difflib
import types
import typing
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from sparkclean.config.places import layout_findings, location_findings

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

    from sparkclean.config.model import Config

_QUOTA_FILTERS = ("prune_by_noise_rate", "prune_by_class", "both")
_ADJUSTABLE = ("self_confidence", "normalized_margin")
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
    """Cut a location to section and key: what follows names alternatives of a type."""
    if len(loc) > 1 and _section(model, str(loc[0])) is not None:
        return (str(loc[0]), str(loc[1]))
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
    holder = _section(model, key[0]) if len(key) > 1 else model
    names = list(holder.model_fields) if holder else []
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(key[-1], names, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}"
        return f"{path}: unknown key (value {_shown(value)}); {hint}"
    if kind == "invalid_key":
        return f"{key[0]}: key {_shown(value)} is not text; known: {', '.join(names)}"
    if kind == "missing":
        return f"{path}: is missing; it has no default"
    section = _section(model, key[-1]) if len(key) == 1 else None
    if section is not None:
        known = ", ".join(section.model_fields)
        return f"{path}: {_shown(value)} is not a section; write its keys below it ({known})"
    return _wrong_value(path, value, holder.model_fields[key[-1]] if holder else None)


def _wrong_value(path: str, value: Any, field: FieldInfo | None) -> str:
    if field is None:  # one of the settings of Spark
        return f"{path}: {_shown(value)} is wrong; wanted: text, a number, or true or false"
    if typing.get_origin(field.annotation) is not typing.Literal:
        wanted = _wanted(field.annotation, field.metadata)
        return f"{path}: {_shown(value)} is wrong; wanted: {wanted}"
    choices = typing.get_args(field.annotation)
    near = difflib.get_close_matches(str(value), choices, 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{path}: {_shown(value)} is unknown; {hint}choose one of {', '.join(choices)}"


def _shown(value: Any) -> str:
    """Write a value as its file has it, and not all of a long one."""
    words = {None: "null", True: "true", False: "false"}
    if value is None or isinstance(value, bool):
        return words[value]
    text = value.isoformat() if isinstance(value, date) else repr(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


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


def contradictions(config: Config) -> list[str]:
    """Find settings that cannot hold together.

    Parameters
    ----------
    config : Config

    Returns
    -------
    list of str
    """
    method = config.method
    findings = []
    if method.adjust_pred_probs and method.ranked_by not in _ADJUSTABLE:
        findings.append(
            f"method.adjust_pred_probs: true contradicts method.ranked_by: {method.ranked_by!r}; "
            f"adjusted scores are {' and '.join(_ADJUSTABLE)}"
        )
    if method.frac_noise != 1.0 and method.filter_by not in _QUOTA_FILTERS:
        findings.append(
            f"method.frac_noise: {method.frac_noise!r} has no effect with method.filter_by: "
            f"{method.filter_by!r}; use 1.0, or one of {', '.join(_QUOTA_FILTERS)}"
        )
    findings += _column_findings(config)
    if isinstance(config.classes, list):
        findings += class_findings(config.classes)
    findings += _threshold_findings(config)
    if config.predict is not None:
        features = config.predict.feature_columns
        if not features:
            findings.append("predict.features: [] names no column; name at least one")
        findings += [
            f"predict.features: {name!r} is named {count} times; name it once"
            for name, count in Counter(features).items()
            if count > 1
        ]
    if config.train.mode == "robust" and config.train.estimator is not None:
        findings.append(
            f"train.estimator: {config.train.estimator!r} has no effect with train.mode: 'robust', "
            "which trains by a loss of its own; leave it, and choose the loss in train.params"
        )
    findings += layout_findings(config)
    findings += location_findings(config)
    return findings


def _column_findings(config: Config) -> list[str]:
    columns, findings = config.columns, []
    if not columns.id_columns:
        findings.append("columns.id: [] names no column; name at least one")
    if not isinstance(columns.pred_probs, str) and len(columns.pred_probs) < 2:
        findings.append(
            f"columns.pred_probs: {columns.pred_probs!r} lists {len(columns.pred_probs)} columns; "
            "give one for each class (at least 2), or the name of one array column"
        )
    named = [*columns.id_columns, columns.label, *columns.pred_probs_columns]
    findings += [
        f"columns: {name!r} is named {named.count(name)} times; each column has one meaning"
        for name in dict.fromkeys(named)
        if named.count(name) > 1
    ]
    probs = columns.pred_probs
    if (
        isinstance(config.classes, list)
        and not isinstance(probs, str)
        and len(probs) != len(config.classes)
    ):
        findings.append(
            f"classes: {len(config.classes)} labels, but columns.pred_probs lists {len(probs)} "
            "columns; give one column for each class, in the same order"
        )
    return findings


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
            "integers or all booleans (quote the ones that YAML reads otherwise)"
        )
    twice = [text for text, count in Counter(map(str, classes)).items() if count > 1]
    if twice:
        findings.append(f"classes: {twice[0]!r} stands in the list more than once")
    return findings


def _threshold_findings(config: Config) -> list[str]:
    thresholds, findings = config.method.thresholds, []
    if thresholds is None:
        return []
    values = thresholds if isinstance(thresholds, list) else list(thresholds.values())
    outside = [value for value in values if not 0.0 < value <= 2.0]
    if outside:
        findings.append(
            f"method.thresholds: {outside[0]!r} is outside (0, 2]; 2 means that no row is confident"
        )
    classes = config.classes
    if not isinstance(classes, list):
        return findings
    if isinstance(thresholds, list) and len(classes) != len(thresholds):
        findings.append(
            f"method.thresholds: {len(thresholds)} values for {len(classes)} classes; give one for "
            "each, or a mapping from label to threshold"
        )
    if isinstance(thresholds, dict):
        # a key of a JSON file or of an override is text whatever the labels are
        unknown = [label for label in thresholds if str(label) not in map(str, classes)]
        if unknown:
            findings.append(f"method.thresholds: {unknown[0]!r} is not among the classes")
    return findings
