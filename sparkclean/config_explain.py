"""What is wrong with a configuration, in our own words: path, value, remedy."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkclean.errors import UnsupportedFeatureError
from sparkclean.locations import local_path

if TYPE_CHECKING:
    from pydantic import BaseModel

    from sparkclean.config import Config

_LATER = ("delta", "iceberg")
_QUOTA_FILTERS = ("prune_by_noise_rate", "prune_by_class", "both")
_ADJUSTABLE = ("self_confidence", "normalized_margin")


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
    return kind if isinstance(kind, type) and hasattr(kind, "model_fields") else None


def _finding(key: tuple[str, ...], errors: list[Mapping[str, Any]], model: type[BaseModel]) -> str:
    path, value, kind = ".".join(key), errors[0]["input"], errors[0]["type"]
    holder = _section(model, key[0]) if len(key) > 1 else model
    if kind == "extra_forbidden":
        names = list(holder.model_fields) if holder else []
        near = difflib.get_close_matches(key[-1], names, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}"
        return f"{path}: unknown key (value {value!r}); {hint}"
    if kind == "missing":
        return f"{path}: is missing; it has no default"
    field = holder.model_fields.get(key[-1]) if holder else None
    annotation = field.annotation if field else None
    section = _section(model, key[-1]) if len(key) == 1 else None
    if section is not None:
        known = ", ".join(section.model_fields)
        return f"{path}: {value!r} is not a section; write its keys below it ({known})"
    choices = [str(c) for c in _choices(annotation)]
    if choices:
        if key[-1] == "format" and str(value) in _LATER:
            return (
                f"{path}: {value!r} is not supported yet; a later release will, parquet works now"
            )
        near = difflib.get_close_matches(str(value), choices, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        return f"{path}: {value!r} is unknown; {hint}choose one of {', '.join(choices)}"
    return f"{path}: {value!r} is wrong; wanted: {_wanted(errors, annotation)}"


def _choices(annotation: Any) -> list[Any]:
    if typing.get_origin(annotation) is typing.Literal:
        return list(typing.get_args(annotation))
    return []


def _wanted(errors: list[Mapping[str, Any]], annotation: Any) -> str:
    """Say what a key takes."""
    words = []
    for error in errors:
        context, kind = error.get("ctx", {}), error["type"]
        if kind.startswith("greater_than"):
            words.append(f"at least {context.get('ge', context.get('gt')):g}")
        elif kind.startswith("less_than"):
            words.append(f"at most {context.get('le', context.get('lt')):g}")
        elif kind.startswith(("float", "finite")):
            words.append("a number")
        elif kind.startswith("int"):
            words.append("an integer")
        elif kind.startswith("bool"):
            words.append("true or false")
        elif kind.startswith("string"):
            words.append("text")
        elif kind.startswith("list"):
            words.append("a list")
        elif kind.startswith(("dict", "model")):
            words.append("a mapping")
    if type(None) in typing.get_args(annotation):
        words.append("null")
    return " or ".join(dict.fromkeys(words)) or "another value"


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
    findings += _threshold_findings(config)
    findings += _location_findings(config)
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
    if isinstance(config.classes, list):
        if len(config.classes) < 2:
            findings.append(
                f"classes: K = {len(config.classes)}; label issues need at least two classes"
            )
        if not isinstance(probs, str) and len(probs) != len(config.classes):
            findings.append(
                f"classes: {len(config.classes)} labels, but columns.pred_probs lists {len(probs)} "
                "columns; give one column for each class, in the same order"
            )
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
    if (
        isinstance(thresholds, list)
        and isinstance(classes, list)
        and len(classes) != len(thresholds)
    ):
        findings.append(
            f"method.thresholds: {len(thresholds)} values for {len(classes)} classes; give one for "
            "each, or a mapping from label to threshold"
        )
    return findings


def _location_findings(config: Config) -> list[str]:
    findings: list[str] = []
    paths: dict[str, Path] = {}
    locations = {"input.table": config.input.table}
    locations |= {f"output.{name}": where for name, where in config.output.targets().items()}
    for key, where in locations.items():
        try:
            paths[key] = local_path(where)
        except UnsupportedFeatureError as exc:
            findings.append(f"{key}: {exc}")
    if len(locations) == 1:
        findings.append("output: all outputs are null; there is nothing to write")
    keys = list(paths)
    for i, one in enumerate(keys):
        for other in keys[i + 1 :]:
            findings += _overlap(one, paths[one], other, paths[other])
    return findings


def _overlap(one: str, path: Path, other: str, other_path: Path) -> list[str]:
    if path == other_path:
        relation = "is the same place as"
    elif path in other_path.parents:
        relation = "contains"
    elif other_path in path.parents:
        relation = "is inside"
    else:
        return []
    return [f"{other}: {str(other_path)!r}: {one} {relation} it; choose a place of its own"]
