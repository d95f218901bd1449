"""What a prediction finds out about its table before it trains: features, classes, rare ones."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sparkclean.config.sections import Config, PredictSection
from sparkclean.errors import InputError
from sparkclean.examples.checks import count_duplicate_ids
from sparkclean.examples.columns import check_classes
from sparkclean.lake import NoPlainFiles
from sparkclean.learning.columns import LearningColumns
from sparkclean.learning.feature_files import FeatureFiles, plan_feature_files
from sparkclean.learning.profile import Profile, collect_profile

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_log = logging.getLogger("sparkclean")

_SHOWN = 10


def plan_files(
    table: DataFrame,
    columns: LearningColumns,
    *,
    config: Config,
    predict: PredictSection,
    paths: Sequence[str] | NoPlainFiles,
    work: Path,
    first_rows: Mapping[str, int] | None,
) -> FeatureFiles | None:
    """Plan to read the features from files, if they can be; say why, if they cannot.

    Parameters
    ----------
    table : DataFrame
        Of the pin.
    columns : LearningColumns
    config : Config
    predict : PredictSection
    paths : sequence of str or NoPlainFiles
        Of the pin.
    work : Path
        Folder that driver and executors share, for what is removed at the end of the run.
    first_rows : mapping or None
        Number of the first row of each file, by path, where rows are numbered.

    Returns
    -------
    FeatureFiles or None
    """
    found = plan_feature_files(
        table,
        columns,
        config=config,
        predict=predict,
        paths=paths,
        work=work,
        first_rows=first_rows,
    )
    if not isinstance(found, str):
        return found
    _log.info("reading features through DataFrames, not files: %s", found)
    return None


def collect_checked_profile(
    rows: DataFrame,
    narrowed: DataFrame,
    columns: LearningColumns,
    predict: PredictSection,
    *,
    classes: tuple[Any, ...] | None,
    files: FeatureFiles | None,
) -> Profile:
    """Check record ids and features, and count rows by fold and label.

    Parameters
    ----------
    rows : DataFrame
        That are predicted.
    narrowed : DataFrame
        Of them, by `narrow`.
    columns : LearningColumns
    predict : PredictSection
    classes : tuple or None
        None: the labels that there are.
    files : FeatureFiles or None
        That hold the same rows.

    Returns
    -------
    Profile

    Raises
    ------
    InputError
        Record ids that are not unique, features or labels that cannot be used.

    Notes
    -----
    Reads the features as `collect_profile` does, and the record ids as `count_duplicate_ids`.
    """
    if files is None or files.collect_rising_ids() is None:
        count_duplicate_ids(narrowed, columns.id_names, columns.ids, may_rise=files is None)
    profile = collect_profile(
        narrowed,
        rows,
        columns.features,
        classes=classes,
        n_folds=predict.n_folds,
        impute=predict.missing == "impute",
        ids=columns.ids,
        group=predict.group,
        files=files,
    )
    check_classes(profile.classes, columns.label, columns.label_type)
    if profile.strangers:
        _log.warning(
            "%s rows have no label of the classes; they are predicted, and not trained on",
            f"{profile.strangers:,}",
        )
    if profile.copied:
        _log.warning(
            "predict.group: %s of %s rows have the same features as rows of other groups in other "
            "folds: a model predicts them that was trained on their copies. Leave the copies out "
            "with input.where, choose a group that keeps them together, or set predict.group: null",
            f"{profile.copied:,}",
            f"{profile.rows:,}",
        )
    return profile


def find_rare_classes(profile: Profile, predict: PredictSection) -> list[Any]:
    """Find classes that some model would not see.

    Parameters
    ----------
    profile : Profile
    predict : PredictSection

    Returns
    -------
    list
        Labels that no model is trained on.

    Raises
    ------
    InputError
        If there are any and ``rare_classes`` is ``reject``, or fewer than two others.
    """
    of_class = profile.examples.sum(axis=0)
    elsewhere = (of_class - profile.examples).min(axis=0)
    rare = (of_class > 0) & ((of_class < predict.n_folds) | (elsewhere == 0))
    found = [profile.classes[k] for k in np.flatnonzero(rare).tolist()]
    nobody = [profile.classes[k] for k in np.flatnonzero(of_class == 0).tolist()]
    if nobody:
        _log.warning("%s classes have no examples: %s", len(nobody), nobody[:_SHOWN])
    shown = ", ".join(
        f"{label!r} ({of_class[profile.classes.index(label)]})" for label in found[:_SHOWN]
    ) + (", ..." if len(found) > _SHOWN else "")
    if found and predict.rare_classes == "reject":
        raise InputError(
            f"{len(found)} classes have too few examples for {predict.n_folds} folds, or "
            f"all in one of them: {shown}; label more, take fewer predict.n_folds or another "
            "predict.group, or set predict.rare_classes: exclude"
        )
    if found:
        _log.warning("no model is trained on %s rare classes: %s", len(found), shown)
    if len(profile.classes) - len(found) - int((of_class == 0).sum()) < 2:
        raise InputError("fewer than two classes are left to train on; label more")
    return found
