"""The fingerprint of a job: what its answer depends on, besides the input."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence, Set
from typing import Any

from sparkclean.config.sections import Config, Section, is_in_result, result_settings
from sparkclean.texts import printable, redact_config

#: Characters of a value that are shown.
_LONGEST = 60


def fingerprint(
    config: Config,
    job: str,
    sections: Mapping[str, type[Section]],
    classes: Sequence[Any],
    *,
    without: Set[str] = frozenset(),
    taken: Sequence[tuple[str, str]] = (),
) -> str:
    """Hash what determines the answer of a job: not locations, gates, Spark settings or run id.

    Settings that have their default are left out, so that a setting that is added later changes no
    fingerprint.

    Parameters
    ----------
    config : Config
    job : str
    sections : mapping
        The job's own, by name; ``input`` and ``columns`` belong to every job.
    classes : sequence
        The K labels; none where these follow from the input.
    without : set of str
        Settings that this job does not depend on, as ``section.key``.
    taken : sequence of (str, str)
        Columns, and what they are taken as, where the table has decided on it.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    parts: dict[str, Section] = {"input": config.input, "columns": config.columns}
    parts |= {name: config.section(kind) for name, kind in sections.items()}
    settings = {
        f"{name}.{key}": value
        for name, section in parts.items()
        for key, value in result_settings(section).items()
        if f"{name}.{key}" not in without
    }
    labels = [[type(label).__name__, label] for label in classes]
    found = {"taken": [list(pair) for pair in taken]} if taken else {}
    return _digest({"job": job, "classes": labels, "settings": settings} | found)


def changed_settings(
    before: Mapping[str, Any],
    config: Config,
    sections: Mapping[str, type[Section]],
    *,
    without: Set[str] = frozenset(),
) -> list[str]:
    """List the settings that a fingerprint depends on and that have changed.

    Parameters
    ----------
    before : mapping
        A configuration as a run record keeps it: without secrets.
    config : Config
        Of now.
    sections, without
        As for `fingerprint`.

    Returns
    -------
    list of str
        ``section.key: old -> new`` each; none where labels in a file, or a secret, have changed.
    """
    now = redact_config(config.model_dump(mode="json"))
    parts: dict[str, Section] = {"input": config.input, "columns": config.columns}
    parts |= {name: config.section(kind) for name, kind in sections.items()}
    changed = []
    for name, section in parts.items():
        then = before.get(name) or {}
        for key, field in type(section).model_fields.items():
            if not is_in_result(field) or f"{name}.{key}" in without:
                continue
            default = None if field.is_required() else field.get_default(call_default_factory=True)
            was = then.get(key, default)
            if was != now[name][key]:
                changed.append(f"{name}.{key}: {_shown(was)} -> {_shown(now[name][key])}")
    was, new = before.get("classes"), now.get("classes")
    return changed if was == new else [*changed, f"classes: {_shown(was)} -> {_shown(new)}"]


def _shown(value: Any) -> str:
    """Write a value on one line, as the configuration has it."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = printable(text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


# -- the rule of before --------------------------------------------------------------------------

#: Settings that a fingerprint held, with their values, when fingerprints held defaults as well.
_BEFORE: dict[str, dict[str, tuple[str, ...]]] = {
    "audit": {
        "columns": ("id", "label", "pred_probs"),
        "method": (
            "filter_by",
            "ranked_by",
            "collision",
            "frac_noise",
            "min_examples_per_class",
            "adjust_pred_probs",
            "thresholds",
        ),
    },
    "predict": {
        "columns": ("id", "label"),
        "predict": (
            "features",
            "group",
            "n_folds",
            "engine",
            "estimator",
            "params",
            "max_train_rows",
            "calibrate",
            "missing",
            "rare_classes",
            "seed",
        ),
    },
    "train": {
        "columns": ("id", "label"),
        "predict": (
            "features",
            "group",
            "engine",
            "estimator",
            "params",
            "max_train_rows",
            "calibrate",
            "missing",
            "seed",
        ),
        "train": ("mode", "audit", "test", "estimator", "params"),
    },
}


def fingerprint_of_before(config: Config, job: str, classes: Sequence[Any]) -> str | None:
    """Hash what version 0.1.0 hashed, to know its records and unfinished runs again.

    Parameters
    ----------
    config : Config
    job : str
    classes : sequence
        The K labels.

    Returns
    -------
    str or None
        None for a job that there was not.
    """
    if job not in _BEFORE:
        return None
    written = config.model_dump(mode="json")
    content: dict[str, Any] = {
        section: {key: written[section][key] for key in keys}
        for section, keys in _BEFORE[job].items()
    }
    if job == "audit":
        clean = written["clean"]
        content["row_sum_tolerance"] = written["admission"]["row_sum_tolerance"]
        content["clean"] = {"mode": clean["mode"], "rejected": clean["rejected"]}
        if not clean["keep_original"]:
            content["clean"]["keep_original"] = False
    content["classes"] = [[type(label).__name__, label] for label in classes]
    content["where"] = written["input"]["where"]
    return _digest(content)
