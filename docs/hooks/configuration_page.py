"""The reference of the configuration, of its sections."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from typing import Any

from annotated_types import Ge, Le
from in_markdown import code, fence, listed, sentence, table
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from sparkclean import registry
from sparkclean.config import values
from sparkclean.config.model import config_model
from sparkclean.config.sections import OutputSection, Section, is_in_result
from sparkclean.config.text import write_yaml

#: Values that show how a key is written, where its default does not.
_EXAMPLES: dict[str, dict[str, Any]] = {
    "input": {"table": "data/reviews", "where": "stars IS NOT NULL"},
    "columns": {"id": "review_id", "label": "stars", "pred_probs": "pred_probs"},
    "method": {"filter_by": "both", "ranked_by": "normalized_margin"},
    "admission": {"max_rejected_fraction": 0.05},
    "clean": {"mode": "relabel", "rejected": "remove"},
    "gate": {"max_suspect_fraction": 0.1, "max_class_loss_fraction": 0.3},
    "predict": {
        "features": ["text", "stars"],
        "columns": {"stars": "category"},
        "estimator": "sklearn.ensemble.RandomForestClassifier",
        "params": {"n_estimators": 100},
    },
    "train": {"mode": "weights", "test": "data/trusted_reviews"},
    "simulate": {
        "noise": [
            {"kind": "uniform", "rate": 0.05},
            {"kind": "pairs", "rate": 0.1, "pairs": [["cat", "dog"]]},
        ],
        "seed": 7,
    },
    "diagnose": {"source": "source", "annotator": "annotator", "file": "file", "position": "line"},
    "rank": {
        "answers": {"table": "data/answers", "model": "model", "prediction": "answer"},
        "labels": {"table": "data/questions", "label": "key", "valid": "error_type = 'ok'"},
    },
    "annotations": {"table": "data/annotations", "item": "item_id", "annotator": "worker"},
    "consensus": {"method": "majority_vote", "adjudicate_below": 0.8},
    "review": {"reviewers": ["ann", "bob"], "content": ["text"], "budget": 400},
    "conflicts": {"columns": ["text"], "fold": True, "split": "split"},
    "compare": {"run_a": "monday", "run_b": "tuesday"},
    "output": {"suspects": "lab/suspects", "rejected": None, "runs": "lab/runs"},
    "classes": {"classes": ["cat", "dog", "wild"]},
    "scan": {"scan": "dataframe"},
    "report": {"path": "lab/report.html", "columns": ["text", "image"]},
    "spark": {"spark.driver.memory": "8g"},
}
#: Types by what they are called; `values` declares most of them.
_NAMES: list[tuple[Any, str]] = [
    (values.Label, "label"),
    (values.Setting, "text"),
    (dict, "mapping"),
    (list, "list"),
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (str, "text"),
    (types.NoneType, "null"),
]


def generate() -> str:
    """Write the part of the page that follows from the code.

    Returns
    -------
    str
        Markdown: the sections in the order of a configuration, each with its keys.
    """
    lines: list[str] = []
    for name, field in config_model().model_fields.items():
        lines += _section(name, field)
    return "\n".join(lines)


def section_of(field: FieldInfo) -> type[Section] | None:
    """Give the section that a field of the configuration is; None where it is a key."""
    for kind in (field.annotation, *typing.get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return typing.cast("type[Section]", kind)
    return None


def _section(name: str, field: FieldInfo) -> Iterator[str]:
    kind = section_of(field)
    yield from (f"## `{name}` {{#{name}}}", "")
    if kind is None:
        yield from (sentence(field.description or ""), "")
        yield from table(_HEADS, [_key(name, name, field)])
        yield from fence("yaml", write_yaml(_example(name)))
        return
    first = (kind.__doc__ or "").strip().splitlines()[0]
    jobs = _jobs_of(name)
    yield from (f"{sentence(first)} Used by {listed([code(job) for job in jobs])}.", "")
    if kind.may_be_null:
        yield from (
            f"The section may be left out (null) where no job needs it: {kind.if_null}.",
            "",
        )
    shared = OutputSection.model_fields if issubclass(kind, OutputSection) else {}
    keys = [key for key in kind.model_fields if key not in shared] + list(shared)
    yield from table(_HEADS, [_key(name, key, kind.model_fields[key]) for key in keys])
    for key in keys:
        unaffected = [
            code(job)
            for job, entry in registry.load_jobs().items()
            if f"{name}.{key}" in entry.unaffected_by and job in jobs
        ]
        if unaffected:
            yield from (f"`{key}` has no effect on {listed(unaffected)}.", "")
    for key in keys:
        yield from _inner(f"{name}.{key}", kind.model_fields[key])
    yield from fence("yaml", write_yaml(_example(name)))


def _inner(path: str, field: FieldInfo) -> Iterator[str]:
    """List the keys of a section within a section."""
    kind = section_of(field)
    if kind is None:
        return
    yield from (f"Keys of `{path}`:", "")
    for key, inner in kind.model_fields.items():
        about = f"{type_of(inner)}, {_default(inner)}"
        yield f"- `{key}` ({about}): {sentence(inner.description or '')}"
    yield ""


_HEADS = ("key", "type", "default", "part of the result", "description")


def _key(section: str, key: str, field: FieldInfo) -> tuple[str, ...]:
    path = key if section == key else f"{section}.{key}"
    in_result = path == "classes" or is_in_result(field)
    return (
        f"`{key}`{{ #{path.replace('.', '-') + ('-key' if section == key else '')} }}",
        type_of(field),
        _default(field),
        "yes" if in_result else "no",
        sentence(field.description or ""),
    )


def _jobs_of(section: str) -> list[str]:
    """Name the jobs that a section is for."""
    jobs = registry.load_jobs()
    owners = [job for job, entry in jobs.items() if section in entry.sections]
    return owners or list(jobs)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    assert value is not PydanticUndefined  # noqa: S101
    if isinstance(value, dict):
        return "`{}`"
    return code(write_yaml({"k": value}).removeprefix("k:").strip())


def _example(name: str) -> dict[str, Any]:
    example = _EXAMPLES[name]
    return example if name in example else {name: example}


# -- types ---------------------------------------------------------------------------------------


def type_of(field: FieldInfo) -> str:
    """Say in words what values a key takes.

    Parameters
    ----------
    field : FieldInfo

    Returns
    -------
    str
        Markdown; every choice of a key that has choices.
    """
    return _kind(field.annotation, field.metadata)


def _kind(kind: Any, metadata: typing.Sequence[Any] = ()) -> str:
    for known, name in _NAMES:
        if kind is known:
            return name + _bounds(metadata)
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return _kind(inner[0], inner[1:])
    if origin is typing.Literal:
        return ", ".join(code(str(choice)) for choice in inner)
    if origin in (typing.Union, types.UnionType):
        return _alternatives(inner)
    if origin in (list, dict):
        words = " to ".join(_plural(_kind(one)) for one in inner)
        return f"{'list' if origin is list else 'mapping'} of {words}"
    return {Any: "any value"}.get(kind, "section" if hasattr(kind, "model_fields") else str(kind))


def _alternatives(kinds: typing.Sequence[Any]) -> str:
    words = list(dict.fromkeys(_kind(one) for one in kinds))
    words.sort(key=lambda word: word == "null")  # null is said last
    return listed(words, "or")


def _plural(word: str) -> str:
    known = {"text": "texts", "any value": "any values"}
    return known.get(word, f"{word}s" if word.isalpha() else word)


def _bounds(metadata: typing.Sequence[Any]) -> str:
    constraints = [found for entry in metadata for found in (*_constraints(entry),)]
    lowest = next((one.ge for one in constraints if isinstance(one, Ge)), None)
    highest = next((one.le for one in constraints if isinstance(one, Le)), None)
    if lowest is not None and highest is not None:
        return f" from {lowest:g} to {highest:,}".replace(".0", "")
    return "" if lowest is None else f" of at least {lowest}"


def _constraints(entry: Any) -> Iterator[Any]:
    yield from entry.metadata if isinstance(entry, FieldInfo) else (entry,)
