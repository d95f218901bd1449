"""The whole configuration: the shared sections, and those of every job that there is.

Reading files, environment and overrides is in ``file``; here nothing is read but the file that
``classes`` may name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Literal, cast

from pydantic import BaseModel, StrictStr, ValidationError, create_model

from sparkclean import registry
from sparkclean.config.classes import class_findings
from sparkclean.config.explain import explain
from sparkclean.config.output_locations import location_findings, with_table_in_locations
from sparkclean.config.sections import (
    ColumnsSection,
    Config,
    InputSection,
    OutputSection,
    ReportSection,
    S,
    Section,
    setting,
)
from sparkclean.config.values import Label, Setting
from sparkclean.errors import ConfigError
from sparkclean.schema import PRED_PROBS


class _Whole(Section):
    """What the whole configuration can do, whatever sections it has."""

    def sections(self) -> list[Section]:
        """Give all sections that are not null: those of jobs first."""
        own = section_types()
        found = {name: value for name, value in self if isinstance(value, Section)}
        return [found[name] for name in own if name in found] + [
            value for name, value in found.items() if name not in own
        ]

    def section(self, kind: type[S]) -> S:
        """Give the section of a type.

        Parameters
        ----------
        kind : type
            Of the section.

        Returns
        -------
        Section

        Raises
        ------
        ConfigError
            If it is null: the job needs it.
        """
        for value in self.sections():
            if isinstance(value, kind):
                return value
        (name,) = (key for key, of in section_types().items() if of is kind)
        raise ConfigError(f"{name}: is missing; {kind.if_null}")


def section_types() -> dict[str, type[Section]]:
    """Give the sections of all jobs, by name, in the order in which they are documented."""
    return {
        name: kind for job in registry.load_jobs().values() for name, kind in job.sections.items()
    }


def config_model() -> type[BaseModel]:
    """Build the model of the configuration: the shared sections, and those of every job.

    Returns
    -------
    type
        A pydantic model whose instances follow `Config`.
    """
    return _build(tuple(registry.JOBS))


@cache
def _build(_: tuple[str, ...]) -> type[BaseModel]:
    outputs: dict[str, Any] = {
        spec.name: (
            StrictStr | None,
            setting(spec.location, description=spec.description),
        )
        for job in registry.load_jobs().values()
        for spec in job.outputs
        if spec.location is not None
    }
    output: Any = create_model(
        "OutputSection", __base__=OutputSection, __doc__=OutputSection.__doc__, **outputs
    )
    own: dict[str, Any] = {}
    for name, kind in section_types().items():
        if kind.may_be_null:
            own[name] = (kind | None, setting(None, description=_first_line(kind)))
        else:
            own[name] = (kind, kind())
    fields: dict[str, Any] = {
        "input": (InputSection, ...),
        "columns": (ColumnsSection, ColumnsSection()),
        "classes": (
            list[Label] | StrictStr | None,
            setting(
                None,
                description="The labels in the order of the probabilities, or a file that lists "
                "them. null: labels are the integers 0..K-1.",
            ),
        ),
        "scan": (
            Literal["auto", "files", "dataframe"],
            setting(
                "auto",
                description="How rows are read: tasks read Parquet files themselves (files), or "
                "Spark does (dataframe). auto: files where possible.",
            ),
        ),
        **own,
        "output": (output, output()),
        "report": (ReportSection, ReportSection()),
        "spark": (
            dict[str, Setting],
            setting({}, description="Spark settings of the session that the command creates."),
        ),
    }
    return create_model("Config", __base__=_Whole, __doc__="The whole configuration.", **fields)


def _first_line(kind: type[Section]) -> str:
    return (kind.__doc__ or "").strip().splitlines()[0]


def parse_sections(mapping: Mapping[str, Any]) -> Config:
    """Check sections of a caller that has the table at hand, and writes nothing.

    Parameters
    ----------
    mapping : mapping
        Sections by name, without ``input`` and ``output``.

    Returns
    -------
    Config
        Locations are not looked at.

    Raises
    ------
    ConfigError
        With all findings at once.
    """
    return _parse({"input": {"table": "dataframe"}, **mapping}, check=_own_findings)


def parse_config(mapping: Mapping[str, Any]) -> Config:
    """Check a configuration that is already loaded.

    Parameters
    ----------
    mapping : mapping
        Sections by name.

    Returns
    -------
    Config

    Raises
    ------
    ConfigError
        With all findings at once.
    """
    return _parse(mapping, check=contradictions)


def _parse(mapping: Mapping[str, Any], *, check: Callable[[Config], list[str]]) -> Config:
    model = config_model()
    mapping = _with_input_table(mapping)
    try:
        config = with_table_in_locations(cast("Config", model.model_validate(mapping)))
    except ValidationError as exc:
        findings = explain(exc.errors(), model) + _more_findings(mapping, exc, check)
        raise ConfigError(findings) from None
    findings = check(config)
    if findings:
        raise ConfigError(findings)
    return config


def _with_input_table(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Let `input.table` be the table that the section of a job names, where it is not given."""
    given = mapping.get("input", {})
    if not isinstance(given, Mapping) or "table" in given:
        return dict(mapping)
    for name, kind in section_types().items():
        table = _at(mapping.get(name), kind.run_table)
        if kind.run_table and isinstance(table, str):
            return {**mapping, "input": {**given, "table": table}}
    return dict(mapping)


def _at(value: Any, path: tuple[str, ...]) -> Any:
    """Look up a key of nested mappings; None where it is not there."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def for_job(config: Config, job: str) -> Config:
    """Return the configuration whose `input.table` is the table that a job's own section names.

    Parameters
    ----------
    config : Config
        Of several jobs, maybe.
    job : str

    Returns
    -------
    Config
        The same one, for a job that reads `input.table`.
    """
    for kind in registry.load_job(job).sections.values():
        for section in config.sections():
            if isinstance(section, kind) and kind.run_table:
                table = _at(section.model_dump(), kind.run_table)
                if table is not None and table != config.input.table:
                    return config.model_copy(update={"input": InputSection(table=table)})
    return config


def contradictions(config: Config) -> list[str]:
    """Find settings that cannot hold together.

    Parameters
    ----------
    config : Config

    Returns
    -------
    list of str
    """
    return _own_findings(config) + location_findings(config)


def _own_findings(config: Config) -> list[str]:
    """Find contradictions but for those of locations."""
    findings = [text for section in config.sections() for text in section.findings(config)]
    if isinstance(config.classes, list):
        findings += class_findings(config.classes)
    return findings


def _more_findings(
    mapping: Mapping[str, Any], exc: ValidationError, check: Callable[[Config], list[str]]
) -> list[str]:
    """Find the contradictions among the keys that are right, so that all is shown at once."""
    rest = {key: dict(v) if isinstance(v, Mapping) else v for key, v in mapping.items()}
    for error in exc.errors():
        section, *keys = error["loc"]
        if keys and isinstance(rest.get(str(section)), dict):
            rest[str(section)].pop(keys[0], None)
        else:
            rest.pop(str(section), None)
    rest["input"] = {"table": "input.table"} | rest.get("input", {})
    try:
        return check(with_table_in_locations(cast("Config", config_model().model_validate(rest))))
    except ValidationError:
        return []


def with_predictions(config: Config, table: str) -> Config:
    """Return the configuration that audits the input table by a table of probabilities.

    Parameters
    ----------
    config : Config
    table : str
        That `sparkclean predict` has written.

    Returns
    -------
    Config
    """
    source = config.input.model_copy(update={"predictions": table})
    columns = config.columns.model_copy(update={"pred_probs": PRED_PROBS})
    return config.model_copy(update={"input": source, "columns": columns})


def config_json_schema() -> dict[str, Any]:
    """Return the JSON schema of the configuration, for editors.

    Returns
    -------
    dict
    """
    schema = config_model().model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "sparkclean configuration"
    return schema
