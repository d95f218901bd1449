"""What a section of the configuration is, what a job sees of the whole, and the shared sections.

Over 400 lines, of which most describe keys: a key and its checks stand in one place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, field_validator

from sparkclean.config.safe_mode import is_safe_mode, unsafe_findings
from sparkclean.config.values import Positive, Seed, Several, Switch
from sparkclean.errors import ConfigError
from sparkclean.names import Format
from sparkclean.schema import ROW_NUMBER

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from typing_extensions import Self

S = TypeVar("S", bound="Section")


def _in_result(schema: Any) -> None:
    """Mark a field as one that the answer depends on; the JSON schema stays as it is."""


class Section(BaseModel):
    """A section: settings by key, each with a description and, mostly, a default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: Whether the section may be null, which it is by default.
    may_be_null: ClassVar[bool] = False
    #: What to write where a section that may be null is needed.
    if_null: ClassVar[str] = ""
    #: Path of the key that names the table that the job reads; `input.table` defaults to it.
    run_table: ClassVar[tuple[str, ...]] = ()

    def findings(self, config: Config) -> list[str]:  # noqa: ARG002
        """Find settings that cannot hold together, in this section or with others.

        Parameters
        ----------
        config : Config
            The whole.

        Returns
        -------
        list of str
        """
        return []

    def tables(self) -> dict[str, str]:
        """Give the tables that the section names and that are read, by their keys."""
        return {}


def setting(default: Any = ..., *, description: str, result: bool = False) -> Any:
    """Declare a key of a section.

    Parameters
    ----------
    default
        Left out where the key must be given.
    description : str
        One sentence.
    result : bool
        Whether the answer depends on it: it then belongs to the fingerprint.

    Returns
    -------
    pydantic.fields.FieldInfo
    """
    extra = _in_result if result else None
    if isinstance(default, (dict, list)):
        return Field(
            default_factory=lambda: type(default)(default),
            description=description,
            json_schema_extra=extra,
        )
    return Field(default, description=description, json_schema_extra=extra)


def is_in_result(field: FieldInfo) -> bool:
    """Tell whether the answer depends on a key, which then belongs to the fingerprint."""
    return field.json_schema_extra is _in_result


def result_settings(section: Section) -> dict[str, Any]:
    """Give the settings of a section that the answer depends on and that are not the default.

    Parameters
    ----------
    section : Section

    Returns
    -------
    dict
        Values as JSON has them, by key.
    """
    written = section.model_dump(mode="json")
    found = {}
    for name, field in type(section).model_fields.items():
        if not is_in_result(field):
            continue
        value = getattr(section, name)
        if isinstance(value, Section):
            found[name] = result_settings(value)
            continue
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        if field.is_required() or value != default:
            found[name] = written[name]
    return found


class Config(Protocol):
    """A configuration, as every job sees it; `section` gives the parts that a job owns."""

    @property
    def input(self) -> InputSection:
        """Section ``input``."""

    @property
    def columns(self) -> ColumnsSection:
        """Section ``columns``."""

    @property
    def classes(self) -> Sequence[Any] | str | None:
        """The labels, the file that lists them, or None."""

    @property
    def scan(self) -> str:
        """How rows are read: ``auto``, ``files`` or ``dataframe``."""

    @property
    def output(self) -> OutputSection:
        """Section ``output``."""

    @property
    def report(self) -> ReportSection:
        """Section ``report``."""

    @property
    def spark(self) -> Mapping[str, str]:
        """Settings of a session that the command creates."""

    @property
    def model_fields_set(self) -> set[str]:
        """Names of the sections that are given, by pydantic's own name."""

    def sections(self) -> list[Section]:
        """Give all sections that are not null: those of jobs first."""

    def section(self, kind: type[S]) -> S:
        """Give the section of a type; raise `ConfigError` where it is null."""

    def model_dump(self, *, mode: str = "python") -> dict[str, Any]:
        """Write the configuration as a mapping of sections."""

    def model_copy(self, *, update: Mapping[str, Any] | None = None) -> Self:
        """Copy the configuration with other sections."""


class InputSection(Section):
    """The table to read."""

    def findings(self, config: Config) -> list[str]:
        """Find what the safe mode forbids."""
        return unsafe_findings(self.where, config.spark) if is_safe_mode() else []

    def tables(self) -> dict[str, str]:
        """Give the tables that are read."""
        tables = {"input.table": self.table}
        if self.predictions is not None:
            tables["input.predictions"] = self.predictions
        return tables

    table: StrictStr = setting(
        description="The table: a path or URI (folder of Parquet files, one file, an output of "
        "sparkclean, a Delta table), or a name in a catalog."
    )
    format: Literal["auto", Format] = setting(
        "auto", description="Format of the table; auto detects it."
    )
    version: StrictInt | StrictStr | None = setting(
        None,
        description="Version to read. null: the current one; the number of a version (Delta, an "
        "output of sparkclean); timestamp:... (Delta, Iceberg); branch:NAME, tag:NAME or "
        "snapshot:ID (Iceberg).",
    )
    where: StrictStr | None = setting(
        None,
        description="SQL predicate: audit only these rows. The cleaned version keeps the others.",
        result=True,
    )
    predictions: StrictStr | None = setting(
        None,
        description="Table of probabilities that `sparkclean predict` made from input.table; the "
        "audit uses them instead of columns.pred_probs.",
    )


class ColumnsSection(Section):
    """Which columns hold the record id, the label and the probabilities."""

    id: StrictStr | list[StrictStr] | None = setting(
        "id",
        description="Record id, unique and never null: a column or a list of columns. null: rows "
        "of Parquet files are numbered; the numbers are valid for this table version only.",
        result=True,
    )
    label: StrictStr = setting(
        "label", description="Given label: integers, strings or booleans.", result=True
    )
    pred_probs: StrictStr | list[StrictStr] = setting(
        "pred_probs",
        description="Out-of-sample predicted probabilities: a column, or a list of K columns.",
        result=True,
    )

    def findings(self, config: Config) -> list[str]:
        """Find columns that are none, or that have two meanings."""
        findings = []
        if not self.id_columns:
            findings.append("columns.id: [] names no column; name at least one")
        probs = self.pred_probs
        if not isinstance(probs, str) and len(probs) < 2:
            findings.append(
                f"columns.pred_probs: {probs!r} lists {len(probs)} columns; give one for each "
                "class (at least 2), or the name of one array column"
            )
        named = Counter([*self.id_columns, self.label, *self.pred_probs_columns])
        findings += [
            f"columns: {name!r} is named {count} times; each column has one meaning"
            for name, count in named.items()
            if count > 1
        ]
        classes = config.classes
        if isinstance(classes, list) and not isinstance(probs, str) and len(probs) != len(classes):
            findings.append(
                f"classes: {len(classes)} labels, but columns.pred_probs lists {len(probs)} "
                "columns; give one column for each class, in the same order"
            )
        return findings

    @property
    def is_numbered(self) -> bool:
        """Whether the rows have no record id of their own, and are numbered."""
        return self.id is None

    @property
    def id_columns(self) -> tuple[str, ...]:
        """Record id columns."""
        if self.id is None:
            return (ROW_NUMBER,)
        return (self.id,) if isinstance(self.id, str) else tuple(self.id)

    @property
    def pred_probs_columns(self) -> tuple[str, ...]:
        """One column, or one for each class."""
        return (self.pred_probs,) if isinstance(self.pred_probs, str) else tuple(self.pred_probs)


#: What ``predict.features`` says for every column that can be one.
ALL = "all"


class PredictSection(Section):
    """How `sparkclean predict` makes out-of-sample probabilities."""

    features: StrictStr | list[StrictStr] = setting(
        description="Feature column, or a list of them: numbers, arrays of numbers, vectors, "
        "texts. all: every column but record id, label and probabilities.",
        result=True,
    )
    columns: dict[StrictStr, Literal["number", "category", "date", "text", "ignore"]] = setting(
        {},
        description="Feature type by column, where the column's own type does not tell it: number, "
        "category, date or text; with features: all also ignore.",
        result=True,
    )
    group: StrictStr | None = setting(
        None,
        description="Group column: rows with the same value (a patient, a product, a session) go "
        "into the same fold. null: only rows with equal features do.",
        result=True,
    )
    n_folds: Several = setting(
        5,
        description="Number of folds. A model trained on the other folds predicts each fold.",
        result=True,
    )
    engine: Literal["sklearn", "spark-ml"] = setting(
        "sklearn",
        description="What trains the models: scikit-learn, each model in one Spark task, or Spark "
        "ML, on the whole cluster.",
        result=True,
    )
    estimator: StrictStr | None = setting(
        None,
        description="Import path of a classifier that the engine supports. null: logistic "
        "regression on standardised features.",
        result=True,
    )
    params: dict[StrictStr, Any] = setting(
        {}, description="Parameters of the classifier.", result=True
    )
    max_train_rows: Positive | None = setting(
        None,
        description="Largest number of training rows of one model. null: as many as fit into 256 "
        "MiB; for spark-ml all rows.",
        result=True,
    )
    calibrate: Literal["none", "temperature", "isotonic"] = setting(
        "none",
        description="Calibration of the probabilities; it is fitted on inner folds.",
        result=True,
    )
    missing: Literal["reject", "impute"] = setting(
        "reject",
        description="Features that are null or NaN: stop with an error (reject), or use the mean "
        "of the column, and for a text no words (impute).",
        result=True,
    )
    rare_classes: Literal["reject", "exclude"] = setting(
        "reject",
        description="Classes with fewer examples than folds: stop with an error (reject), or do "
        "not train on them (exclude). Their probability is then 0, and an audit flags only some "
        "of their rows.",
        result=True,
    )
    seed: Seed = setting(
        0, description="Random seed of folds, samples and classifiers.", result=True
    )

    may_be_null: ClassVar[bool] = True
    if_null: ClassVar[str] = "name the features, for instance predict: {features: [embedding]}"

    def findings(self, config: Config) -> list[str]:  # noqa: ARG002
        """Find features that are none, or named twice."""
        findings = []
        if not self.features:
            findings.append("predict.features: [] names no column; name at least one")
        return (
            findings
            + [
                f"predict.features: {name!r} is named {count} times; name it once"
                for name, count in Counter(self.features).items()
                if count > 1
            ]
            + self._column_findings()
        )

    def _column_findings(self) -> list[str]:
        """Find columns that are said to be something and are no features."""
        if self.features == [ALL]:
            return []
        findings = [
            f"predict.columns: {name!r} is not among predict.features; name it there, or leave it "
            "out here"
            for name in self.columns
            if name not in self.features
        ]
        return findings + [
            f"predict.columns: {name!r} is to be ignored; leave it out of predict.features"
            for name, kind in self.columns.items()
            if kind == "ignore" and name in self.features
        ]

    @field_validator("features")
    @classmethod
    def _list(cls, features: str | list[str]) -> list[str]:
        """Make a list of one name, which is the same configuration."""
        return [features] if isinstance(features, str) else features

    @property
    def feature_columns(self) -> tuple[str, ...]:
        """Columns of features."""
        return tuple(self.features)


class OutputSection(Section):
    """Where outputs go. null: not written. <table> is the last part of input.table."""

    runs: StrictStr | None = setting("out/<table>/runs", description="One record per run.")
    models: StrictStr | None = setting(
        "out/<table>/models",
        description="Folder of the models: those of predictions, and final models (sparkclean "
        "train). Driver and executors must share it.",
    )
    review: StrictStr | None = setting(
        "out/<table>/review",
        description="Folder of the files for reviewers (sparkclean review export).",
    )
    format: Format = setting(
        "parquet", description="Format of the outputs; delta.`/path` sets it for a single output."
    )
    work: StrictStr | None = setting(
        None,
        description="Working folder for intermediate files; driver and executors must share it. "
        "null: beside the outputs on Parquet.",
    )
    adopt: Switch = setting(
        False,
        description="true: take over a cleaned dataset, or predictions, that belong to another "
        "table, or to one that has moved.",
    )

    def location(self, name: str) -> str | None:
        """Give the location of an output as it is configured; None where it is not written."""
        place: str | None = getattr(self, name)
        return place

    def needed(self, name: str, job: str) -> str:
        """Give the location of an output that a job needs; raise `ConfigError` if null."""
        place = self.location(name)
        if place is None:
            raise ConfigError(f"output.{name}: null, but {job} needs it; name a location for it")
        return place


class ReportSection(Section):
    """A page for people to look at, which each run writes at its end; no answer depends on it."""

    path: StrictStr | None = setting(
        None,
        description="HTML file, written anew by each run; null: none. It needs the extra "
        "sparkclean[report]; without it the run warns.",
    )
    columns: list[StrictStr] | None = setting(
        None,
        description="Columns of the examples that the page shows; null: up to eight, none of them "
        "id, label or probabilities; []: none, so that the page holds no data of the table.",
    )
