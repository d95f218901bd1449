"""The configuration: sections, defaults, contradictions, fingerprint. Driver only (pydantic).

Reading files, environment and overrides is in ``config_file``; this module knows no files but the
one that ``classes`` may name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationError,
    WithJsonSchema,
    field_validator,
)

from sparkclean.config.explain import class_findings, contradictions, explain
from sparkclean.errors import ConfigError
from sparkclean.schema import PRED_PROBS

FilterBy = Literal[
    "prune_by_noise_rate",
    "prune_by_class",
    "both",
    "confident_learning",
    "predicted_neq_given",
    "low_normalized_margin",
    "low_self_confidence",
]
Score = Literal[
    "self_confidence",
    "normalized_margin",
    "confidence_weighted_entropy",
    "prior_shifted_self_confidence",
]


def _number(value: Any) -> Any:
    """YAML 1.1 reads 1e-3 as text; the environment gives nothing but text."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _plain(value: Any) -> Any:
    """Notebooks give numpy's integers and booleans, too."""
    return value.item() if getattr(value, "shape", None) == () else value


# bounds stand before the validator: behind it they are missing in the JSON schema
Number = Annotated[float, Field(strict=True), BeforeValidator(_number)]
Fraction = Annotated[float, Field(strict=True, ge=0.0, le=1.0), BeforeValidator(_number)]
Tolerance = Annotated[float, Field(strict=True, ge=0.0, le=0.5), BeforeValidator(_number)]
Count = Annotated[int, Field(strict=True, ge=0), BeforeValidator(_plain)]
Switch = Annotated[bool, Field(strict=True), BeforeValidator(_plain)]
Label = Annotated[StrictBool | StrictInt | StrictStr, BeforeValidator(_plain)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InputSection(_Section):
    """What is audited."""

    table: StrictStr = Field(
        description="Path or URI (directory of Parquet files, one file, an output of ours, a Delta "
        "table), or a name in a catalog."
    )
    format: Literal["auto", "parquet", "delta", "iceberg"] = Field(
        "auto", description="Format of the table; auto asks the table."
    )
    version: StrictInt | StrictStr | None = Field(
        None,
        description="null: the current one; the number of a version (an output of ours, Delta), "
        "timestamp:... (Delta, Iceberg), branch:NAME, tag:NAME or snapshot:ID (Iceberg).",
    )
    where: StrictStr | None = Field(
        None,
        description="SQL predicate: audit these rows only; the cleaned version keeps the others.",
    )
    predictions: StrictStr | None = Field(
        None,
        description="Table of probabilities that `sparkclean predict` has made of this one, "
        "audited in the place of its own.",
    )


class ColumnsSection(_Section):
    """Which columns hold what."""

    id: StrictStr | list[StrictStr] = Field(
        "id", description="Record id, unique and never null: a column or a list of columns."
    )
    label: StrictStr = Field("label", description="Given label: integers, strings or booleans.")
    pred_probs: StrictStr | list[StrictStr] = Field(
        "pred_probs",
        description="Out-of-sample predicted probabilities: a column, or a list of K columns.",
    )

    @property
    def id_columns(self) -> tuple[str, ...]:
        """Record id columns."""
        return (self.id,) if isinstance(self.id, str) else tuple(self.id)

    @property
    def pred_probs_columns(self) -> tuple[str, ...]:
        """One column, or one for each class."""
        return (self.pred_probs,) if isinstance(self.pred_probs, str) else tuple(self.pred_probs)


class MethodSection(_Section):
    """How label issues are found."""

    filter_by: FilterBy = Field("prune_by_noise_rate", description="Which rows are label issues.")
    ranked_by: Score = Field("self_confidence", description="Label quality score of the ranking.")
    collision: Literal["cleanlab-2.9", "paper"] = Field(
        "cleanlab-2.9",
        description="Several confident classes: argmax over all, or over the confident ones.",
    )
    frac_noise: Fraction = Field(1.0, description="Share of the estimated noise to flag.")
    min_examples_per_class: Count = Field(1, description="Rows that pruning leaves in a class.")
    adjust_pred_probs: Switch = Field(
        False, description="Rank by probabilities less the class thresholds."
    )
    thresholds: dict[Label, Number] | list[Number] | None = Field(
        None, description="Override thresholds: by label, or a list of K."
    )


class AdmissionSection(_Section):
    """Which rows are audited."""

    row_sum_tolerance: Tolerance = Field(
        1e-3, description="Largest distance of a row's sum from 1."
    )
    max_rejected_fraction: Fraction = Field(
        0.01, description="Share of invalid rows above which the run fails."
    )


class CleanSection(_Section):
    """What the cleaned version is."""

    mode: Literal["drop", "relabel", "weight", "quarantine", "none"] = Field(
        "drop", description="What happens to suspects."
    )
    rejected: Literal["keep", "remove"] = Field(
        "keep", description="What happens to rows that could not be audited."
    )
    keep_original: Switch = Field(
        True, description="Mode relabel: add the given label and a mark of what was changed."
    )
    layout: Literal["auto", "copy", "clone", "branch"] = Field(
        "auto",
        description="copy: a table of its own; clone: a shallow clone (Delta); branch: inside the "
        "input table (Iceberg), which auto takes where output.cleaned is input.table.",
    )
    publish: Literal["tag", "fast_forward"] = Field(
        "tag", description="Layout branch: only tag the version, or let publish_branch follow, too."
    )
    publish_branch: StrictStr | None = Field(
        None, description="Branch that follows the newest version (fast_forward)."
    )
    retain_days: Annotated[int, Field(strict=True, ge=1)] | None = Field(
        None, description="Layout branch: days after which table maintenance drops the tag."
    )
    set_table_properties: Switch = Field(
        False, description="Layout branch: may set the input table to merge on read."
    )


class GateSection(_Section):
    """Limits outside of which nothing is published."""

    max_suspect_fraction: Fraction | None = Field(None, description="Largest share of suspects.")
    max_class_loss_fraction: Fraction | None = Field(
        None, description="Largest share of suspects in one class."
    )
    min_examples_left_per_class: Count = Field(
        1, description="Rows that must be left in every class (modes drop, quarantine)."
    )
    max_suspects: Count | None = Field(None, description="Largest number of suspects.")


class PredictSection(_Section):
    """How out-of-sample probabilities are made, by ``sparkclean predict``."""

    features: StrictStr | list[StrictStr] = Field(
        description="A column, or several that are put together: numbers, arrays of numbers, "
        "vectors, texts."
    )
    group: StrictStr | None = Field(
        None,
        description="Column whose rows of one value stay together (a patient, a product, a "
        "session); null: rows with the same features do.",
    )
    n_folds: Annotated[int, Field(strict=True, ge=2), BeforeValidator(_plain)] = Field(
        5, description="Each fold is predicted by a model that was trained on the others."
    )
    engine: Literal["sklearn", "spark-ml"] = Field(
        "sklearn",
        description="What trains: scikit-learn, each model in one task, or Spark ML, on the whole "
        "cluster.",
    )
    estimator: StrictStr | None = Field(
        None,
        description="Import path of a classifier of the engine; null: logistic regression on "
        "standardised features.",
    )
    params: dict[StrictStr, Any] = Field(
        default_factory=dict, description="Parameters of the classifier."
    )
    max_train_rows: Annotated[int, Field(strict=True, ge=1), BeforeValidator(_plain)] | None = (
        Field(
            None,
            description="Rows that a model is trained on, at most; null: what 256 MiB hold, and "
            "for spark-ml all rows.",
        )
    )
    calibrate: Literal["none", "temperature", "isotonic"] = Field(
        "none", description="Calibration of the probabilities, fitted on inner folds."
    )
    missing: Literal["reject", "impute"] = Field(
        "reject",
        description="Features that are null or NaN: an error, or the mean of the column (for a "
        "text: no words).",
    )
    rare_classes: Literal["reject", "exclude"] = Field(
        "reject",
        description="Classes with fewer examples than folds: an error, or not trained on: "
        "their probability is 0, and an audit finds some of their rows, not all.",
    )
    seed: Annotated[int, Field(strict=True, ge=0, le=2**32 - 1), BeforeValidator(_plain)] = Field(
        0, description="Of folds, samples and classifiers."
    )

    @field_validator("features")
    @classmethod
    def _list(cls, features: str | list[str]) -> list[str]:
        """Make a list of one name, which is the same configuration."""
        return [features] if isinstance(features, str) else features

    @property
    def feature_columns(self) -> tuple[str, ...]:
        """Columns of features."""
        return tuple(self.features)


class TrainSection(_Section):
    """How the final model is trained after an audit, by ``sparkclean train``."""

    mode: Literal["cleaned", "weights", "robust"] = Field(
        "cleaned",
        description="cleaned: on the cleaned version; weights: on that of clean.mode weight, by "
        "its weights; robust: on all audited rows, by a loss that bears wrong labels.",
    )
    audit: StrictStr | None = Field(
        None,
        description="Run id of the audit; null: the last published one of input.table in "
        "output.runs.",
    )
    test: StrictStr | None = Field(
        None,
        description="Table of examples whose labels are trusted, with the same columns: the model "
        "is measured on it.",
    )
    estimator: StrictStr | None = Field(
        None,
        description="Import path of a classifier of scikit-learn; null: that of predict, in mode "
        "robust softmax regression.",
    )
    params: dict[StrictStr, Any] | None = Field(
        None,
        description="Parameters of the classifier; null: those of predict for its estimator. In "
        "mode robust those of RobustClassifier, whose loss is forward_correction by default.",
    )


class OutputSection(_Section):
    """Where results go; null: not written."""

    suspects: StrictStr | None = Field("out/suspects", description="Label issues of all runs.")
    cleaned: StrictStr | None = Field("out/cleaned", description="Cleaned dataset versions.")
    rejected: StrictStr | None = Field("out/rejected", description="Rows that were not audited.")
    classes: StrictStr | None = Field("out/classes", description="One row per class and run.")
    pairs: StrictStr | None = Field("out/pairs", description="One row per class pair and run.")
    runs: StrictStr | None = Field("out/runs", description="One record per run.")
    predictions: StrictStr = Field(
        "out/predictions", description="Predicted probabilities (sparkclean predict)."
    )
    models: StrictStr = Field(
        "out/models",
        description="Folder of the models that made them, and of final ones (sparkclean train), "
        "which executors share.",
    )
    format: Literal["parquet", "delta", "iceberg"] = Field(
        "parquet", description="Format of the outputs; delta.`/path` says it for one of them."
    )
    work: StrictStr | None = Field(
        None,
        description="Folder that driver and executors share, for intermediate files; null: beside "
        "the outputs on Parquet.",
    )

    def targets(self) -> dict[str, str]:
        """Locations of the outputs that are written, by name."""
        names = ("suspects", "cleaned", "rejected", "classes", "pairs", "runs")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


Setting = Annotated[
    StrictStr, BeforeValidator(_text), WithJsonSchema({"type": ["string", "number", "boolean"]})
]


class Config(_Section):
    """The whole configuration."""

    input: InputSection
    columns: ColumnsSection = ColumnsSection()
    classes: list[Label] | StrictStr | None = Field(
        None,
        description="null: integers 0..K-1; the labels in the order of the probabilities; or a "
        "file with that list.",
    )
    scan: Literal["auto", "files", "dataframe"] = Field(
        "auto",
        description="How probabilities are read; auto: from the files where these are the table.",
    )
    method: MethodSection = MethodSection()
    admission: AdmissionSection = AdmissionSection()
    predict: PredictSection | None = Field(
        None, description="What `sparkclean predict` does; null: the table has probabilities."
    )
    train: TrainSection = TrainSection()
    clean: CleanSection = CleanSection()
    gate: GateSection = GateSection()
    output: OutputSection = OutputSection()
    spark: dict[str, Setting] = Field(
        default_factory=dict, description="Spark settings of a session that the command creates."
    )


def with_predictions(config: Config) -> Config:
    """Return the configuration that audits what `sparkclean predict` has written by this one."""
    source = config.input.model_copy(update={"predictions": config.output.predictions})
    columns = config.columns.model_copy(update={"pred_probs": PRED_PROBS})
    return config.model_copy(update={"input": source, "columns": columns})


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
    try:
        config = Config.model_validate(dict(mapping))
    except ValidationError as exc:
        findings = explain(exc.errors(), Config) + _more_findings(mapping, exc)
        raise ConfigError(findings) from None
    findings = contradictions(config)
    if findings:
        raise ConfigError(findings)
    return config


def _more_findings(mapping: Mapping[str, Any], exc: ValidationError) -> list[str]:
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
        return contradictions(Config.model_validate(rest))
    except ValidationError:
        return []


def resolve_classes(config: Config) -> tuple[str | int | bool, ...] | None:
    """Return the labels in the order of the probabilities, read from a file where one is named.

    Parameters
    ----------
    config : Config

    Returns
    -------
    tuple or None
        None: the integers 0..K-1.

    Raises
    ------
    ConfigError
        If the file cannot be read, or the list is not two or more different labels of one type.
    """
    classes = config.classes
    if classes is None:
        return None
    if isinstance(classes, str):
        from sparkclean.config.file import read_classes  # noqa: PLC0415 (it imports this module)

        classes = read_classes(classes)
    findings = class_findings(classes)
    if findings:
        raise ConfigError(findings)
    return tuple(classes)


def config_fingerprint(config: Config, classes: Sequence[Any]) -> str:
    """Hash what determines the result: not locations, gates, Spark settings or run id.

    Parameters
    ----------
    config : Config
    classes : sequence
        The K labels.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    content: dict[str, Any] = {
        "columns": config.columns.model_dump(mode="json"),
        "method": config.method.model_dump(mode="json"),
        "row_sum_tolerance": config.admission.row_sum_tolerance,
        # how and where a version is kept is none of it
        "clean": {"mode": config.clean.mode, "rejected": config.clean.rejected},
    }
    if not config.clean.keep_original:
        content["clean"] |= {"keep_original": False}
    return _digest(config, classes, content)


def prediction_fingerprint(config: Config, classes: Sequence[Any]) -> str:
    """Hash what determines predictions: not locations, Spark settings or run id.

    Parameters
    ----------
    config : Config
        With section ``predict``.
    classes : sequence
        The K labels.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    columns = config.columns.model_dump(mode="json", exclude={"pred_probs"})
    content = {
        "columns": columns,
        "predict": None if config.predict is None else config.predict.model_dump(mode="json"),
    }
    return _digest(config, classes, content)


def training_fingerprint(config: Config, classes: Sequence[Any]) -> str:
    """Hash what determines a final model and what is said of it: not locations of outputs.

    Parameters
    ----------
    config : Config
        With section ``predict``.
    classes : sequence
        The K labels.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    of_folds = {"n_folds", "rare_classes"}
    content = {
        "columns": config.columns.model_dump(mode="json", exclude={"pred_probs"}),
        "predict": None
        if config.predict is None
        else config.predict.model_dump(mode="json", exclude=of_folds),
        "train": config.train.model_dump(mode="json"),
    }
    return _digest(config, classes, content)


def _digest(config: Config, classes: Sequence[Any], content: Mapping[str, Any]) -> str:
    """Hash settings, the labels and which rows."""
    shared = {
        "classes": [[type(label).__name__, label] for label in classes],
        "where": config.input.where,
    }
    text = json.dumps({**content, **shared}, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def config_json_schema() -> dict[str, Any]:
    """Return the JSON schema of the configuration, for editors.

    Returns
    -------
    dict
    """
    schema = Config.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "sparkclean configuration"
    return schema
