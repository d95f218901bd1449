"""Locations that are wrong, or that hold two tables."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sparkclean import registry
from sparkclean.config.sections import Config
from sparkclean.errors import ConfigError, UnsupportedFeatureError
from sparkclean.locations import check_expanded, lies_in_files, local_path, place_of
from sparkclean.names import parse_table_name

_MODELS = "output.models"
#: In the location of an output: the last part of ``input.table``.
TABLE = "<table>"
#: Outputs that there were when default locations did not name the table.
_BEFORE = (
    "suspects", "rejected", "classes", "pairs", "cleaned", "runs", "predictions", "models",
)  # fmt: skip
_NO_NAME = re.compile(r"[^\w.+=@-]")

#: Outputs of version 0.1.0, whose default locations did not name the table.
_OUTPUTS_BEFORE = (
    "suspects", "classes", "pairs", "rejected", "cleaned", "predictions", "models", "runs",
)  # fmt: skip


def with_table_in_locations(config: Config) -> Config:
    """Fill in the table in places of outputs.

    Parameters
    ----------
    config : Config

    Returns
    -------
    Config
        Without `TABLE`.
    """
    table = last_part(config.input.table)
    places = {
        key: place.replace(TABLE, table)
        for key, place in config.output
        if isinstance(place, str) and TABLE in place
    }
    given = config.output.model_fields_set  # which a copy with other places would lose
    values = {**dict(config.output), **places}
    output = type(config.output).model_construct(_fields_set=set(given), **values)
    update: dict[str, Any] = {"output": output}
    page = config.report.path
    if page is not None and TABLE in page:
        path = page.replace(TABLE, table)
        update["report"] = config.report.model_copy(update={"path": path})
    return config.model_copy(update=update)


def default_locations_before(config: Config) -> dict[str, str]:
    """Give the locations that outputs had by default when these did not name the table.

    Parameters
    ----------
    config : Config

    Returns
    -------
    dict
        By output, of those that are at their default location.
    """
    table = last_part(config.input.table)
    fields = type(config.output).model_fields.items()
    defaults = {key: field.default for key, field in fields if key in _BEFORE}
    return {
        key: default.replace(f"{TABLE}/", "")
        for key, default in defaults.items()
        if key in _OUTPUTS_BEFORE and getattr(config.output, key) == default.replace(TABLE, table)
    }


def last_part(table: str) -> str:
    """Give the last part of the name or path of a table, as outputs are named after it.

    Parameters
    ----------
    table : str

    Returns
    -------
    str
        A name that a folder can have; ``table`` where there is none. Of a path without
        ``.parquet``.
    """
    try:
        name = parse_table_name(table)
        last = name.parts[-1] if name.path is None else _end_of_path(name.path)
        if name.path is not None:
            last = last.removesuffix(".parquet")
    except (ConfigError, ValueError):  # what is wrong with it is found elsewhere
        last = ""
    return _NO_NAME.sub("_", last).strip(".") or "table"


def _end_of_path(path: str) -> str:
    try:
        return local_path(path).name
    except UnsupportedFeatureError:
        return path.rstrip("/").rpartition("/")[2]


def location_findings(config: Config) -> list[str]:
    """Find locations that are wrong, or hold two tables.

    Parameters
    ----------
    config : Config

    Returns
    -------
    list of str
    """
    jobs = registry.load_jobs().values()
    read = _tables(config)
    written = {key: where for job in jobs for key, where in job.claims(config).items()}
    if config.output.runs is not None:
        written["output.runs"] = config.output.runs
    findings: list[str] = []
    paths: dict[str, Path | str] = {}
    for key, where in _further(config).items():
        try:
            check_expanded(where)
        except ConfigError as exc:
            findings.append(f"{key}: {exc}")
    for key, where in (read | written).items():
        try:
            check_expanded(where)
            paths[key] = place_of(where, _format(config, key, is_read=key in read))
        except (ConfigError, UnsupportedFeatureError) as exc:
            findings.append(f"{key}: {exc}")
    tables = [key for key in paths if key in written and key != _MODELS]
    missing = _work_findings(config, jobs, [paths[key] for key in tables])
    if missing:
        return findings + missing
    keys = list(paths)
    for i, one in enumerate(keys):
        for other in keys[i + 1 :]:
            findings += _overlap(one, other, paths, is_read=other in read)
    return findings


def _further(config: Config) -> dict[str, str]:
    """Give the locations that hold no table, by their keys."""
    places = {
        "output.work": config.output.work,
        "output.review": config.output.review,
        "report.path": config.report.path,
        "classes": config.classes,
    }
    return {key: where for key, where in places.items() if isinstance(where, str)}


def _tables(config: Config) -> dict[str, str]:
    """Give the tables that are read, by their keys."""
    sections = [config.input, *config.sections()]
    return {key: where for section in sections for key, where in section.tables().items()}


def _format(config: Config, key: str, *, is_read: bool) -> str:
    if key == _MODELS:
        return "parquet"  # a folder
    if is_read:
        return config.input.format if key.startswith("input.") else "auto"
    return config.output.format


def _work_findings(config: Config, jobs: Any, places: list[Path | str]) -> list[str]:
    """Find that there is no folder for intermediate files, where one is needed."""
    if config.output.work is not None:
        return []
    remedy = "name a folder that driver and executors share"
    for job in jobs:
        reason = job.needs_work(config)
        if reason:
            return [f"output.work: null, but {reason}; {remedy}"]
    in_files = lies_in_files(config.output.format)
    if places and not (in_files and any(isinstance(place, Path) for place in places)):
        return [
            f"output.work: null, but no output is on Parquet (output.format: "
            f"{config.output.format}); {remedy}, for intermediate files"
        ]
    return []


def _overlap(one: str, other: str, paths: dict[str, Path | str], *, is_read: bool) -> list[str]:
    path, other_path = paths[one], paths[other]
    if path == other_path:
        relation = "is the same location as"
    elif isinstance(path, str) or isinstance(other_path, str):
        return []
    elif path in other_path.parents:
        relation = "contains"
    elif other_path in path.parents:
        relation = "is inside"
    else:
        return []
    others = is_read and not other.startswith("input.")
    remedy = "name a table of other rows" if others else "choose a location of its own"
    return [f"{other}: {str(other_path)!r}: {one} {relation} it; {remedy}"]
