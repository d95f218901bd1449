"""The table that a final model is trained on: opened by audit and mode, and looked at."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sparkclean import schema
from sparkclean.config.sections import InputSection, PredictSection
from sparkclean.errors import ConfigError, InputError
from sparkclean.examples.checks import count_duplicate_ids
from sparkclean.examples.columns import check_classes
from sparkclean.lake import Pin, SourceTable, open_source, open_version, version_selector
from sparkclean.learning.columns import LearningColumns
from sparkclean.learning.profile import Profile, collect_profile
from sparkclean.rows.columns import find_columns, quoted
from sparkclean.runs.audits import Audit

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_log = logging.getLogger("sparkclean")

_SHOWN = 5
#: Modes of an audit, by mode of the training: those whose cleaned version it is trained on.
_CLEAN_MODES = {"cleaned": ("drop", "relabel", "quarantine"), "weights": ("weight",)}


def open_training_table(
    spark: SparkSession,
    source: InputSection,
    audit: Audit,
    mode: str,
    *,
    pin: bool,
    is_finished: bool,
) -> tuple[SourceTable, Pin | None]:
    """Open the table that is trained on.

    Parameters
    ----------
    spark : SparkSession
    source : InputSection
        Names what was audited.
    audit : Audit
    mode : str
        ``robust`` reads what was audited, the other modes the cleaned version of the audit.
    pin : bool
        Whether to pin it: an earlier attempt may have done so.
    is_finished : bool
        Whether the run has published before: it does not look at its input again.

    Returns
    -------
    table : SourceTable
    pin : Pin or None

    Raises
    ------
    ConfigError
        If the audit was of another mode.
    InputError
        If the version is not there, or is not what was audited.
    """
    if mode not in _CLEAN_MODES:
        return _open_audited(spark, source, audit, pin=pin, is_finished=is_finished)
    wanted = _CLEAN_MODES[mode]
    if audit.clean_mode not in wanted:
        other = {"weight": "weights", "none": "robust"}.get(audit.clean_mode, "cleaned")
        raise ConfigError(
            f"train.mode: {mode} needs an audit with clean.mode {' or '.join(wanted)}, and run "
            f"{audit.run_id!r} was of mode {audit.clean_mode}; set train.mode: {other}, or "
            f"audit with clean.mode: {wanted[0]}"
        )
    if "cleaned" not in audit.outputs:
        raise InputError(
            f"train.audit: run {audit.run_id!r} has published no cleaned version "
            "(output.cleaned: null); audit with output.cleaned, or set train.mode: robust"
        )
    location = audit.outputs["cleaned"]
    found = open_version(location, audit.run_id, spark=spark)
    if found is None:
        raise InputError(
            f"train.audit: the cleaned version of run {audit.run_id!r} is no longer in "
            f"{location}; audit again, or name a run whose version is there (sparkclean "
            f"versions {location})"
        )
    table, version = found
    with about(f"train.audit: the cleaned version of run {audit.run_id!r}"):
        return table, table.pin(version) if pin else None


def _open_audited(
    spark: SparkSession, source: InputSection, audit: Audit, *, pin: bool, is_finished: bool
) -> tuple[SourceTable, Pin | None]:
    """Open what was audited, in the version that was audited."""
    then = audit.input
    table = open_source(source.table, source.format, spark=spark)
    if not pin:
        return table, None
    found = table.pin(version_selector(then["format"], then["version"]))
    if then.get("metadata"):  # its columns had other names than the snapshot by itself gives them
        same = {name: then[name] for name in ("dataset_version", "metadata", "branch")}
        found = replace(found, **same)
    known = then["table_id"] or found.table_id  # records of before have none of Iceberg
    is_other = (found.dataset_version, found.table_id) != (then["dataset_version"], known)
    if not is_finished and is_other:
        raise InputError(
            f"input.table: {then['table']} is not what run {audit.run_id!r} has audited "
            f"({then['dataset_version']}, now {found.dataset_version}); audit it again"
        )
    return table, found


def rows_of_mode(table: DataFrame, mode: str) -> DataFrame:
    """Give the rows that are trained on: a suspect has the weight 0."""
    if mode != "weights":
        return table
    find_columns(table, [schema.SAMPLE_WEIGHT], "train.audit")
    return table.where(quoted(schema.SAMPLE_WEIGHT) > 0.0)


def collect_training_profile(
    rows: DataFrame,
    columns: LearningColumns,
    predict: PredictSection,
    classes: tuple[Any, ...] | None,
) -> Profile:
    """Check record ids and features of the training rows, and count rows by label.

    Parameters
    ----------
    rows : DataFrame
    columns : LearningColumns
    predict : PredictSection
    classes : tuple or None
        None: the labels that there are.

    Returns
    -------
    Profile
        Of one fold.

    Raises
    ------
    InputError
        Record ids that are not unique, features or labels that cannot be used.

    Notes
    -----
    Reads the features twice, and the record ids as `count_duplicate_ids` does.
    """
    # ids alone are read of it before features are checked
    narrowed = columns.narrow(rows, predict, group=predict.group, n_folds=1)
    count_duplicate_ids(narrowed, columns.id_names, columns.ids)
    profile = collect_profile(
        narrowed,
        rows,
        columns.features,
        classes=classes,
        n_folds=1,
        impute=predict.missing == "impute",
        ids=columns.ids,
        group=predict.group,
    )
    check_classes(profile.classes, columns.label, columns.label_type)
    if profile.strangers:
        _log.warning(
            "%s rows have no label of the classes; they are not trained on",
            f"{profile.strangers:,}",
        )
    nobody = [profile.classes[k] for k in np.flatnonzero(profile.examples[0] == 0).tolist()]
    if nobody:
        _log.warning("%s classes have no examples: %s", len(nobody), nobody[:_SHOWN])
    return profile


@contextmanager
def about(subject: str) -> Iterator[None]:
    """Name another subject than the input in what is found."""
    try:
        yield
    except InputError as exc:
        findings = [finding.removeprefix("input.table: ") for finding in exc.findings]
        raise InputError([f"{subject}: {finding}" for finding in findings]) from exc
