"""The steps of a prediction: pin and check; profile, sample, train a model a fold, score, stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparkclean import schema
from sparkclean.config.classes import resolve_classes
from sparkclean.config.sections import Config, PredictSection
from sparkclean.errors import ConfigError
from sparkclean.examples.columns import check_classes
from sparkclean.examples.predictions import properties_of_prediction
from sparkclean.faults import fault_point
from sparkclean.jobs.predict.checks import collect_checked_profile, find_rare_classes, plan_files
from sparkclean.jobs.predict.models import (
    PIN_HASH,
    find_pins,
    hash_of_pin,
    read_comparison,
    train_models,
)
from sparkclean.jobs.predict.output import describe, numbers, stage_predictions, summarise
from sparkclean.jobs.predict.prediction import (
    LearningRows,
    check_all_predicted,
    collect_predictions,
)
from sparkclean.lake import Pin, TargetTable, open_source
from sparkclean.learning.columns import LearningColumns
from sparkclean.learning.engines import open_engine
from sparkclean.learning.feature_files import FeatureFiles
from sparkclean.learning.first_rows import FIRST_ROWS, check_first_rows
from sparkclean.learning.model_folder import ModelFolder, model_folder
from sparkclean.learning.profile import Profile
from sparkclean.rows.columns import as_stored, where
from sparkclean.rows.report import Report
from sparkclean.runs.context import Context
from sparkclean.runs.job import Execution, Prepared, Result
from sparkclean.runs.learned_columns import prepare_columns
from sparkclean.schema import CONFIG_FINGERPRINT

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_JOB = "predict"


@dataclass(frozen=True, kw_only=True)
class PredictPrepared(Prepared):
    """A prediction that is ready.

    Attributes
    ----------
    columns : LearningColumns
    rows : DataFrame
        Of the input, that are predicted.
    """

    columns: LearningColumns
    rows: DataFrame


def prepare_prediction(context: Context) -> PredictPrepared:
    """Pin the input and check the configuration against it. Writes nothing.

    Parameters
    ----------
    context : Context

    Returns
    -------
    PredictPrepared

    Raises
    ------
    ConfigError, InputError
    """
    config, predict = context.config, context.config.section(PredictSection)
    if config.input.predictions is not None:
        raise ConfigError(
            "input.predictions: is for audits; predictions are written to output.predictions"
        )
    for name in ("predictions", "models"):
        config.output.needed(name, _JOB)
    open_engine(predict.engine).check(context.spark, predict)
    source = open_source(config.input.table, config.input.format, spark=context.spark)
    table = context.pin("input", source, config.input.version, numbered=config.columns.is_numbered)
    run_time = context.run_time()
    rows = where(table.frame, config.input.where, run_time)
    reserved = {name for name, _ in schema.PREDICTIONS}
    columns = prepare_columns(context, table, rows, reserved=reserved)
    classes = resolve_classes(config)
    if classes is not None:
        check_classes(classes, columns.label, columns.label_type)
        classes = as_stored(classes, rows.schema[columns.label])
    types = [kind.simpleString() for kind in columns.id_types]
    return PredictPrepared(
        tables={"input": table},
        classes=classes or (),
        ids=tuple(zip(columns.ids, types, strict=True)),
        label_type=columns.label_type.simpleString(),
        run_time=run_time,
        notes=columns.notes,
        about=columns.about,
        taken=columns.pairs,
        columns=columns,
        rows=rows,
    )


def try_prediction(prepared: PredictPrepared, context: Context) -> None:
    """Try the estimator on a few rows.

    Parameters
    ----------
    prepared : PredictPrepared
    context : Context

    Raises
    ------
    ConfigError, InputError

    Notes
    -----
    See `try_estimator`.
    """
    predict = context.config.section(PredictSection)
    with context.progress.phase("try the estimator on a few rows"):
        LearningRows(prepared.rows, prepared.columns, predict).try_estimator(prepared.classes)


def describe_prediction(prepared: PredictPrepared, context: Context) -> Report:
    """Say what a prediction would do.

    Parameters
    ----------
    prepared : PredictPrepared
    context : Context

    Returns
    -------
    Report

    Raises
    ------
    InputError
        If the first rows cannot be used; of a table of fewer than a thousand, all that the run
        would find.

    Notes
    -----
    A few small jobs.
    """
    predict = context.config.section(PredictSection)
    sample = _look_at_sample(prepared, predict)
    return describe(
        prepared.input.pin, predict, context.publishes, sample=sample, taken=prepared.columns.taken
    )


def _look_at_sample(prepared: PredictPrepared, predict: PredictSection) -> str:
    """Check the first rows as the run would check all of them; say what they are."""
    columns = prepared.columns
    rows = check_first_rows(prepared.rows, columns, predict)
    if rows == FIRST_ROWS:
        return f"{rows:,} rows can be used"
    profile = collect_checked_profile(
        prepared.rows,
        LearningRows(prepared.rows, columns, predict).narrowed,
        columns,
        predict,
        classes=prepared.classes or None,
        files=None,
    )
    find_rare_classes(profile, predict)
    return f"all {profile.rows:,} rows can be used, {len(profile.classes)} classes"


def execute_prediction(prepared: PredictPrepared, execution: Execution) -> Result:
    """Train and predict, and stage the probabilities.

    Reads the features three times: to check them and count rows by fold and label (twice, where
    they are not in files), to sample the training rows, and to predict; the record ids as
    `count_duplicate_ids` does. For Spark ML sample and predictions are of one staged copy.

    Parameters
    ----------
    prepared : PredictPrepared
    execution : Execution

    Returns
    -------
    Result
    """
    context = execution.context
    config, predict = context.config, context.config.section(PredictSection)
    columns = prepared.columns.with_lengths(prepared.rows, predict)
    folder = ModelFolder(
        model_folder(config.output.needed("models", _JOB), _JOB, context.run_id),
        _identity(prepared, execution),
        context.run_id,
        execution.marks,
    )
    rows = LearningRows(prepared.rows, columns, predict)
    files = plan_files(
        prepared.input.frame,
        columns,
        config=config,
        predict=predict,
        paths=prepared.input.source.plain_files(prepared.input.pin),
        work=execution.folder,
        first_rows=prepared.input.first_rows,
    )
    profile = _check(prepared, execution, rows.narrowed, files)
    engine = rows.open_engine(
        profile, files=files, work=execution.folder, progress=execution.progress
    )
    if not folder.is_made(execution.made):
        train_models(
            engine,
            folder,
            rare=find_rare_classes(profile, predict),
            predict=predict,
            pin=prepared.input.pin,
        )
    execution.made()
    fault_point("predict.trained")
    predicted, quality = collect_predictions(engine, folder, profile, execution.progress)
    execution.computed()
    check_all_predicted(predicted, profile)
    outputs = execution.outputs
    if outputs.wants("predictions"):
        with execution.progress.phase("write predictions", of=profile.rows) as phase:
            phase.rows = stage_predictions(outputs, predicted, columns, execution.provenance)
    models = folder.entries()
    metrics, record = numbers(profile, quality, models)
    return Result(
        rows=profile.rows,
        metrics=metrics,
        record=record,
        report=summarise(
            quality,
            profile,
            models,
            taken=columns.taken,
            comparison=read_comparison(folder.path),
        ),
        places={"models": folder.path},
    )


def _check(
    prepared: PredictPrepared,
    execution: Execution,
    narrowed: DataFrame,
    files: FeatureFiles | None,
) -> Profile:
    """Check the input; note for the audit what was read, and the order of the probabilities."""
    predict = execution.context.config.section(PredictSection)
    known = prepared.input.pin.rows
    with execution.progress.phase("check features and record ids", of=known) as phase:
        profile = collect_checked_profile(
            prepared.rows,
            narrowed,
            prepared.columns,
            predict,
            classes=prepared.classes or None,
            files=files,
        )
        if execution.context.config.input.where is None:
            prepared.input.check_rows(profile.rows)
        phase.rows = profile.rows
    execution.outputs.note(
        **properties_of_prediction(profile.classes, prepared.columns.label, prepared.columns.ids),
        **{PIN_HASH: hash_of_pin(execution.prepared.input.pin.to_json())},
    )
    execution.context.fit_batches(max(len(profile.classes), profile.num_numbers))
    return profile


def _identity(prepared: PredictPrepared, execution: Execution) -> dict[str, str]:
    pin = prepared.input.pin
    identity = {
        CONFIG_FINGERPRINT: execution.fingerprint,
        "input": pin.dataset_version,
        "input_table": pin.table,
    }
    predict = execution.context.config.section(PredictSection)
    if prepared.columns.features.texts and predict.group is None:
        # older models have other folds: they were trained on rows that are held out now
        identity["folds"] = "by words"
    return identity


def pins_of_prediction(
    config: Config, run_id: str, targets: Mapping[str, TargetTable], spark: SparkSession
) -> dict[str, Pin]:
    """Find what a prediction has read and written, for the audit of it.

    Parameters
    ----------
    config : Config
    run_id : str
    targets : mapping
        Of the prediction.
    spark : SparkSession

    Returns
    -------
    dict
        Pins of the tables ``input`` and ``predictions``.

    Raises
    ------
    InputError
        If the predictions or the models of the run were removed.
    """
    target = targets["predictions"]
    folder = model_folder(config.output.needed("models", _JOB), _JOB, run_id)
    pin, version = find_pins(target, folder, run_id)
    source = open_source(target.location, target.format, spark=spark)
    return {"input": pin, "predictions": source.pin(version)}
