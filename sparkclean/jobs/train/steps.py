"""The steps of a training: find the audit, pin and check; profile, sample, train, measure."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sparkclean.config.classes import resolve_classes
from sparkclean.config.sections import PredictSection
from sparkclean.errors import ConfigError
from sparkclean.examples.columns import check_classes
from sparkclean.faults import fault_point
from sparkclean.jobs.train.classifier import Classifier, check_classifier, choose_classifier
from sparkclean.jobs.train.final import train_final_model
from sparkclean.jobs.train.noise import collect_classes, collect_noise
from sparkclean.jobs.train.output import describe, numbers, summarise
from sparkclean.jobs.train.sections import TrainSection
from sparkclean.jobs.train.training_table import (
    about,
    collect_training_profile,
    open_training_table,
    rows_of_mode,
)
from sparkclean.jobs.train.trusted import (
    Overlap,
    check_trusted,
    count_overlap,
    measure_model,
    open_trusted,
)
from sparkclean.learning.columns import LearningColumns
from sparkclean.learning.first_rows import check_first_rows
from sparkclean.learning.model_folder import ModelFolder, model_folder
from sparkclean.learning.quality import QualityReport
from sparkclean.learning.sklearn_engine import trial_of
from sparkclean.learning.trial import try_estimator
from sparkclean.rows.columns import where
from sparkclean.rows.report import Report
from sparkclean.runs.audits import Audit, find_audit
from sparkclean.runs.context import RUN_TIME, Context, Parent, PinnedTable
from sparkclean.runs.job import Execution, Prepared, Result
from sparkclean.runs.learned_columns import prepare_columns
from sparkclean.runs.record import recorded
from sparkclean.runs.status import PUBLISHED
from sparkclean.schema import CONFIG_FINGERPRINT, RUN_RECORDS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkclean.lake import TargetTable

_log = logging.getLogger("sparkclean")

_JOB = "train"


@dataclass(frozen=True, kw_only=True)
class TrainPrepared(Prepared):
    """A training that is ready.

    Attributes
    ----------
    audit : Audit
    classifier : Classifier
    columns : LearningColumns
    rows : DataFrame
        That are trained on.
    """

    audit: Audit
    classifier: Classifier
    columns: LearningColumns
    rows: DataFrame

    @property
    def test(self) -> PinnedTable | None:
        """The table of trusted labels."""
        return self.tables.get("test")


# -- before anything is written ------------------------------------------------------------------


def prepare_training(context: Context) -> TrainPrepared:
    """Find the audit, pin what is read and check the configuration. Writes nothing.

    Parameters
    ----------
    context : Context

    Returns
    -------
    TrainPrepared

    Raises
    ------
    ConfigError, InputError
    """
    config, train = context.config, context.config.section(TrainSection)
    predict = config.section(PredictSection)
    config.output.needed("models", _JOB)
    classifier = choose_classifier(train, predict)
    check_classifier(classifier, predict)
    audit = _find_audit(context)
    state, record = context.state, context.record
    source, pin = open_training_table(
        context.spark,
        config.input,
        audit,
        train.mode,
        pin=state is None,
        is_finished=state is None and record is not None and record["status"] == PUBLISHED,
    )
    tables = {"input": context.pin("input", source, found=pin, numbered=config.columns.is_numbered)}
    run_time = context.run_time(audit.input.get(RUN_TIME))
    audited = where(tables["input"].frame, config.input.where, run_time)
    columns = prepare_columns(context, tables["input"], audited)
    classes = resolve_classes(config)
    if classes is not None:
        check_classes(classes, columns.label, columns.label_type)
    if train.test is not None:
        tables["test"] = open_trusted(context, train.test, columns)
    return TrainPrepared(
        tables=tables,
        classes=classes or (),
        run_time=run_time,
        notes={"audit": audit.run_id} | columns.notes,
        parents=(Parent("audit", audit.run_id),),
        about={"audit": audit.run_id, "train_mode": train.mode} | columns.about,
        taken=columns.pairs,
        audit=audit,
        classifier=classifier,
        columns=columns,
        rows=rows_of_mode(audited, train.mode),
    )


def _find_audit(context: Context) -> Audit:
    """Find the audit: the one that is configured, or that the run was begun with, or the last."""
    source = context.config.input
    name = context.config.section(TrainSection).audit or _known_audit(context)
    audit = find_audit(context.spark, _records(context.targets), name, context.config)
    if audit.where != source.where:
        _log.warning(
            "input.where is %s, and that of audit %s was %s: rows that were not audited may be "
            "trained on",
            source.where,
            audit.run_id,
            audit.where,
        )
    return audit


def _known_audit(context: Context) -> str | None:
    """Give the audit that an earlier attempt of the run has gone by."""
    if context.state is not None:
        return context.note("audit")
    audit: str | None = recorded(context.record, "audit")
    return audit


def _records(targets: Mapping[str, TargetTable]) -> TargetTable:
    if RUN_RECORDS.name not in targets:
        raise ConfigError(
            "output.runs: null, but a training finds its audit in the run records; name those "
            "of the audit"
        )
    return targets[RUN_RECORDS.name]


def try_training(prepared: TrainPrepared, context: Context) -> None:
    """Try the classifier on a few rows.

    Parameters
    ----------
    prepared : TrainPrepared
    context : Context

    Raises
    ------
    ConfigError, InputError

    Notes
    -----
    See `try_estimator`.
    """
    predict, columns = context.config.section(PredictSection), prepared.columns
    classifier, num_texts = prepared.classifier, len(columns.features.texts)
    trial = trial_of(
        predict,
        classifier.estimator,
        classifier.params,
        num_texts=num_texts,
        encoding=columns.features.encoding,
        robust=classifier.is_robust,
        noise_matrix=np.eye(2) if classifier.needs_noise else None,
    )
    with context.progress.phase("try the estimator on a few rows"):
        try_estimator(
            columns.narrow(prepared.rows, predict, group=predict.group, n_folds=1),
            trial.try_on,
            num_texts=num_texts,
            impute=predict.missing == "impute",
            classes=prepared.classes,
            section="train" if classifier.is_robust else classifier.section,
        )


def describe_training(prepared: TrainPrepared, context: Context) -> Report:
    """Say what a training would do.

    Parameters
    ----------
    prepared : TrainPrepared
    context : Context

    Returns
    -------
    Report

    Raises
    ------
    InputError
        If the first rows of the training table, or of the test table, cannot be used.

    Notes
    -----
    A few small jobs.
    """
    predict = context.config.section(PredictSection)
    check_first_rows(prepared.rows, prepared.columns, predict)
    if prepared.test is not None:
        with about("train.test"):
            check_first_rows(
                prepared.test.frame, prepared.columns, predict.model_copy(update={"group": None})
            )
    return describe(
        prepared.input.pin,
        prepared.audit,
        predict,
        prepared.classifier,
        None if prepared.test is None else prepared.test.pin,
        taken=prepared.columns.taken,
        folder=model_folder(context.config.output.needed("models", _JOB), _JOB, context.run_id),
        runs=_records(context.targets).location,
    )


# -- the run -------------------------------------------------------------------------------------


def execute_training(prepared: TrainPrepared, execution: Execution) -> Result:
    """Train, measure, and write the model.

    Reads the features of the training table three times: to check them, to count rows by label,
    and to sample the training rows; the record ids as `count_duplicate_ids` does. With a test table
    it reads them once more, to look for its rows among them.

    Parameters
    ----------
    prepared : TrainPrepared
    execution : Execution

    Returns
    -------
    Result
    """
    context, test, progress = execution.context, prepared.test, execution.progress
    predict = context.config.section(PredictSection)
    columns = prepared.columns.with_lengths(prepared.rows, predict)
    folder = ModelFolder(
        model_folder(context.config.output.needed("models", _JOB), _JOB, context.run_id),
        _identity(prepared, execution),
        context.run_id,
        execution.marks,
    )
    noise: Any = None
    classes: tuple[Any, ...] | None = prepared.classes or None
    if prepared.classifier.needs_noise:
        noise, classes = collect_noise(context.spark, prepared.audit, classes)
    elif classes is None:
        classes = collect_classes(context.spark, prepared.audit)
    with progress.phase("check features and record ids") as phase:
        profile = collect_training_profile(prepared.rows, columns, predict, classes)
        phase.rows = profile.rows
    context.fit_batches(max(len(profile.classes), profile.num_numbers))
    overlap = Overlap()
    if test is not None:
        with progress.phase("check the test table"):
            check_trusted(test, columns, predict, profile)
            overlap = count_overlap(test, prepared.rows, columns, profile, group=predict.group)
    if not folder.is_made(execution.made):
        train_final_model(
            prepared.rows,
            columns,
            predict,
            prepared.classifier,
            profile,
            noise=noise,
            folder=folder,
            work=execution.folder,
            pin=prepared.input.pin,
            progress=progress,
        )
    execution.made()
    fault_point("predict.trained")
    entries = folder.entries()
    quality: QualityReport | None = None
    if test is not None:
        with progress.phase("measure on the test table") as phase:
            quality = measure_model(
                test,
                columns,
                predict,
                profile,
                folder=folder.path,
                entries=entries,
                estimator=prepared.classifier.class_path,
                work=execution.folder,
            )
            phase.rows = quality.overall.rows if quality.overall else 0
    execution.computed()
    (entry,) = entries
    metrics, record = numbers(entry, profile, quality, overlap)
    return Result(
        rows=profile.rows,
        metrics=metrics,
        record=record,
        report=summarise(
            entry,
            prepared.classifier,
            prepared.audit,
            profile,
            quality=quality,
            taken=columns.taken,
        ),
        places={"model": folder.path},
    )


def _identity(prepared: TrainPrepared, execution: Execution) -> dict[str, str]:
    pin = prepared.input.pin
    return {
        CONFIG_FINGERPRINT: execution.fingerprint,
        "input": pin.dataset_version,
        "input_table": pin.table,
        "audit": prepared.audit.run_id,
    }
