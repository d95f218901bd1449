"""Where results go and how the cleaned version is kept, as a configuration says it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sparkclean.errors import ConfigError, UnsupportedFeatureError
from sparkclean.locations import QUARANTINE_SUFFIX, local_path
from sparkclean.names import beside, parse_table_name

if TYPE_CHECKING:
    from sparkclean.config.model import Config


_INPUTS = ("input.table", "input.predictions", "train.test")


def resolve_layout(config: Config) -> str:
    """Say how the cleaned version is kept.

    Parameters
    ----------
    config : Config

    Returns
    -------
    {"copy", "clone", "branch"}
    """
    if config.clean.layout != "auto":
        return config.clean.layout
    return "branch" if config.output.format == "iceberg" and _in_place(config) else "copy"


def _in_place(config: Config) -> bool:
    """Tell whether the cleaned version is wanted inside the input table."""
    cleaned = config.output.cleaned
    if cleaned is None or config.clean.mode == "none":
        return False
    return same_place(cleaned, config.input.table)


def same_place(one: str, other: str) -> bool:
    """Tell whether two texts name one table; False where one of them names none."""
    with suppress(ConfigError, UnsupportedFeatureError):
        return _place(one, "auto") == _place(other, "auto")
    return False


def layout_findings(config: Config) -> list[str]:
    """Find settings of the cleaned version that cannot hold together."""
    clean, layout = config.clean, resolve_layout(config)
    findings = []
    if layout != "copy" and (
        clean.mode == "weight" or (clean.mode == "relabel" and clean.keep_original)
    ):
        ways = "use layout copy and an output.cleaned of its own"
        if clean.mode == "relabel":
            ways = f"set clean.keep_original: false, or {ways}"
        findings.append(
            f"clean.mode: {clean.mode!r} adds columns to every row, which layout {layout} cannot; "
            f"{ways}"
        )
    if not clean.keep_original and clean.mode != "relabel":
        findings.append(
            f"clean.keep_original: false has no effect with clean.mode: {clean.mode!r}; leave it"
        )
    if (clean.publish == "fast_forward") != (clean.publish_branch is not None):
        findings.append(
            "clean.publish: fast_forward and clean.publish_branch: NAME go together; give both or "
            "none"
        )
    options = [n for n in ("publish_branch", "retain_days") if getattr(clean, n) is not None]
    options += ["set_table_properties"] if clean.set_table_properties else []
    if options and layout != "branch":
        findings.append(
            f"clean.{options[0]}: has no effect with layout {layout}; it is for versions inside an "
            "Iceberg table (layout branch)"
        )
    if layout == "branch" and config.output.cleaned is not None and not _in_place(config):
        findings.append(
            "clean.layout: branch keeps versions inside the input table; give output.cleaned the "
            f"name {config.input.table!r}"
        )
    wanted = {"clone": "delta", "branch": "iceberg"}.get(layout, config.output.format)
    if config.output.format != wanted:
        findings.append(
            f"clean.layout: {layout} needs output.format: {wanted}, not {config.output.format}"
        )
    return findings


def _locations(config: Config) -> dict[str, str]:
    """Give the places that are read and written, by their keys."""
    locations = {"input.table": config.input.table}
    if config.input.predictions is not None:
        locations["input.predictions"] = config.input.predictions
    if config.train.test is not None:
        locations["train.test"] = config.train.test
    locations |= {f"output.{name}": where for name, where in config.output.targets().items()}
    if config.clean.mode == "none":
        locations.pop("output.cleaned", None)
    if resolve_layout(config) == "branch":
        locations.pop("output.cleaned", None)  # it is the input table, on purpose
    if config.clean.mode == "quarantine" and "output.cleaned" in locations:
        # what is wrong with the name itself is found elsewhere
        with suppress(ConfigError):
            quarantine = beside(locations["output.cleaned"], QUARANTINE_SUFFIX)
            locations["output.cleaned (quarantine)"] = quarantine
    if config.predict is not None:
        locations["output.models"] = config.output.models
        if config.input.predictions is None:
            locations["output.predictions"] = config.output.predictions
    return locations


def location_findings(config: Config) -> list[str]:
    """Find places that are wrong, or hold two tables."""
    findings: list[str] = []
    paths: dict[str, Path | str] = {}
    locations = _locations(config)
    outputs = set(config.output.targets())
    if not outputs - ({"cleaned"} if config.clean.mode == "none" else set()):
        nothing = "output: all outputs are null"
        if outputs:
            nothing = "output: all outputs but cleaned are null, and clean.mode is none"
        findings.append(f"{nothing}; there is nothing to write")
    for key, where in locations.items():
        kind = config.input.format if key in _INPUTS else config.output.format
        kind = "parquet" if key == "output.models" else kind  # a folder
        kind = "auto" if key == "train.test" else kind
        try:
            paths[key] = _place(where, kind)
        except (ConfigError, UnsupportedFeatureError) as exc:
            findings.append(f"{key}: {exc}")
    written = [key for key in paths if key not in (*_INPUTS, "output.models")]
    if config.output.work is None and resolve_layout(config) != "copy":
        findings.append(
            "output.work: null, but this layout of the cleaned version stages a list of changes; "
            "name a folder that driver and executors share"
        )
        return findings
    if (
        config.output.work is None
        and written
        and not any(
            isinstance(paths[key], Path) for key in written if config.output.format == "parquet"
        )
    ):
        findings.append(
            f"output.work: null, but no output is on Parquet (output.format: "
            f"{config.output.format}); name a folder that driver and executors share, for "
            "intermediate files"
        )
    keys = list(paths)
    for i, one in enumerate(keys):
        for other in keys[i + 1 :]:
            findings += _overlap(one, paths[one], other, paths[other])
    return findings


def _place(where: str, kind: str) -> Path | str:
    """Say where a table is, so that two can be compared: a path if it is local, else its name."""
    if kind == "parquet":
        return local_path(where)
    name = parse_table_name(where)
    if name.path is None:
        return str(name).lower()
    try:
        return local_path(name.path)
    except UnsupportedFeatureError:
        return name.path.rstrip("/")


def _overlap(one: str, path: Path | str, other: str, other_path: Path | str) -> list[str]:
    if path == other_path:
        relation = "is the same place as"
    elif isinstance(path, str) or isinstance(other_path, str):
        return []
    elif path in other_path.parents:
        relation = "contains"
    elif other_path in path.parents:
        relation = "is inside"
    else:
        return []
    tested = other == "train.test" and one in _INPUTS
    remedy = "name a table of other rows" if tested else "choose a place of its own"
    return [f"{other}: {str(other_path)!r}: {one} {relation} it; {remedy}"]
