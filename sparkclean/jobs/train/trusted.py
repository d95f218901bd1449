"""The table of trusted labels: opened, checked, told from the training rows, and measured on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from sparkclean.config.sections import PredictSection
from sparkclean.errors import InputError
from sparkclean.examples.columns import check_id_types, check_label_type
from sparkclean.jobs.train.training_table import about
from sparkclean.lake import open_source
from sparkclean.learning.columns import LearningColumns, seen_text
from sparkclean.learning.folds import MeasureModel, ScoreFolds
from sparkclean.learning.model_files import ModelEntry
from sparkclean.learning.profile import Profile, check_features
from sparkclean.learning.quality import QualityReport
from sparkclean.learning.scored import INNER, PLACE, quality_of
from sparkclean.rows.columns import find_columns, quoted
from sparkclean.rows.frame_stream import FrameStream
from sparkclean.rows.stores import FolderStore
from sparkclean.runs.context import Context, PinnedTable

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_log = logging.getLogger("sparkclean")

_SHOWN = 5
_SAME = "__same"


def open_trusted(context: Context, table: str, columns: LearningColumns) -> PinnedTable:
    """Pin the test table, and give its columns the types of the training table.

    Parameters
    ----------
    context : Context
    table : str
        Location.
    columns : LearningColumns
        Of the training table.

    Returns
    -------
    PinnedTable
        Record ids and label of the types of the training table.

    Raises
    ------
    InputError
        If it cannot be read, or its columns are not those of the training table.
    """
    keys = [*columns.ids, columns.label]
    types = dict(zip(keys, (*columns.id_types, columns.label_type), strict=True))
    with about("train.test"):
        test = context.pin(
            "test",
            open_source(table, "auto", spark=context.spark),
            numbered=context.config.columns.is_numbered,
        )
        schema = test.frame.schema
        find_columns(test.frame, keys, "train.test")
        features = find_columns(test.frame, columns.features.names, "train.test")
        findings = check_id_types(schema, columns.ids)
        findings += check_label_type(schema, columns.label)
        findings += [
            f"column {name!r} is {schema[name].dataType.simpleString()}, and "
            f"{types[name].simpleString()} in the table that is trained on"
            for name in keys
            if _is_text(schema[name].dataType) != _is_text(types[name])
        ]
        same = tuple(features) == columns.features.names
        if not same or columns.features_in(schema) != columns.features:
            findings.append("its features are of other types than those that are trained on")
        if findings:
            raise InputError(findings)
    casts = {name: quoted(name).cast(kind) for name, kind in types.items()}
    return replace(test, frame=test.frame.withColumns(casts))


def check_trusted(
    test: PinnedTable, columns: LearningColumns, predict: PredictSection, profile: Profile
) -> None:
    """Check that all rows can be scored, and have a label of the classes.

    Parameters
    ----------
    test : PinnedTable
    columns : LearningColumns
    predict : PredictSection
    profile : Profile
        Of the training table.

    Raises
    ------
    InputError

    Notes
    -----
    Three jobs, of which one reads the features.
    """
    ids, label = columns.ids, columns.label
    with about("train.test"):
        if not test.frame.limit(1).count():
            raise InputError("holds no rows")
        size = check_features(
            test.frame,
            columns.features,
            impute=predict.missing == "impute",
            ids=ids,
            group=None,
        )
        if size != profile.num_numbers:
            raise InputError(
                f"has {size} numbers a row in its features, and the table that is trained on "
                f"{profile.num_numbers}; embed with one model"
            )
        known = F.coalesce(quoted(label).isin(list(profile.classes)), F.lit(False))
        strange = test.frame.where(~known)
        count = strange.count()
        if count:
            some = strange.select(*map(quoted, (*ids, label))).limit(_SHOWN).collect()
            shown = ", ".join(
                f"{row[0] if len(ids) == 1 else tuple(row)[:-1]!r} ({row[len(ids)]!r})"
                for row in some
            )
            raise InputError(
                f"column {label!r}: {count:,} rows have a label that is not among the classes, "
                f"record ids {shown}; correct them, or leave them out"
            )


@dataclass(frozen=True)
class Overlap:
    """Rows of a test table that have much in common with rows that are trained on.

    Attributes
    ----------
    alike : int
        With the same features, under other record ids.
    ids : int
        With the same record ids, and other features.
    groups : int or None
        Of the same groups; None where a table has no group.
    """

    alike: int = 0
    ids: int = 0
    groups: int | None = None


def count_overlap(
    test: PinnedTable,
    rows: DataFrame,
    columns: LearningColumns,
    profile: Profile,
    *,
    group: str | None,
) -> Overlap:
    """Refuse rows that are trained on; count those that have something in common with them.

    Parameters
    ----------
    test : PinnedTable
    rows : DataFrame
        That are trained on.
    columns : LearningColumns
    profile : Profile
    group : str or None
        ``predict.group``.

    Returns
    -------
    Overlap

    Raises
    ------
    InputError
        If a row of the test table is trained on.

    Notes
    -----
    A join by a hash of the features, 8 bytes a row, and another one where there are any; one by the
    record ids, and one by the groups.
    """
    # as float32: tables of one model's embeddings may differ in their type
    arrays = [values.cast("array<float>") for values in columns.features.arrays()]
    same = F.xxhash64(*arrays, *map(seen_text, columns.features.words())).alias(_SAME)
    names = columns.id_names
    keys = [quoted(of).alias(name) for of, name in zip(columns.ids, names, strict=True)]
    trained_on = rows.where(quoted(columns.label).isin(list(profile.classes)))
    tested, trained = (frame.select(*keys, same) for frame in (test.frame, trained_on))
    alike = tested.join(trained.select(_SAME), _SAME, "left_semi").count()
    if alike:
        _refuse_trained_on(tested.join(trained, [_SAME, *names], "left_semi"), names)
    found = Overlap(
        alike=alike,
        # numbers of rows of two tables have nothing in common
        ids=0
        if test.is_numbered
        else tested.select(*names).join(trained.select(*names), names, "left_semi").count(),
        groups=_count_same_groups(test.frame, trained_on, group),
    )
    _warn_of_overlap(found, group)
    return found


def _refuse_trained_on(there: DataFrame, names: Sequence[str]) -> None:
    count = there.count()
    if not count:
        return
    some = there.orderBy(*names).select(*names).limit(_SHOWN).collect()
    shown = ", ".join(repr(row[0] if len(names) == 1 else tuple(row)) for row in some)
    raise InputError(
        f"train.test: {count:,} rows are among those that are trained on, record ids "
        f"{shown}; a test on them proves nothing. Leave them out of this table, or out of the "
        "training with input.where"
    )


def _count_same_groups(test: DataFrame, trained_on: DataFrame, group: str | None) -> int | None:
    """Count test rows of groups that are trained on; None where the test table has no groups."""
    if group is None:
        return None
    try:
        find_columns(test, [group], "predict.group")
    except InputError:
        return None
    # as text, which both types have
    tested, trained = (
        frame.select(quoted(group).cast("string").alias(_SAME)) for frame in (test, trained_on)
    )
    return tested.join(trained, _SAME, "left_semi").count()


def _warn_of_overlap(found: Overlap, group: str | None) -> None:
    if found.alike:
        _log.warning(
            "train.test: %s rows have the same features as rows that are trained on, under other "
            "record ids; they make the model look better than it is",
            f"{found.alike:,}",
        )
    if found.ids:
        _log.warning(
            "train.test: %s rows have the record ids of rows that are trained on, and other "
            "features; if they are the same examples, they make the model look better than it is",
            f"{found.ids:,}",
        )
    if found.groups:
        _log.warning(
            "train.test: %s rows are of groups (predict.group: %s) that are trained on; they make "
            "the model look better than it is",
            f"{found.groups:,}",
            group,
        )


def measure_model(
    test: PinnedTable,
    columns: LearningColumns,
    predict: PredictSection,
    profile: Profile,
    *,
    folder: Path,
    entries: Sequence[ModelEntry],
    estimator: str | None,
    work: Path,
) -> QualityReport:
    """Measure a final model on the test table.

    Parameters
    ----------
    test : PinnedTable
    columns : LearningColumns
    predict : PredictSection
    profile : Profile
    folder : Path
        Of the model.
    entries : sequence of ModelEntry
        Of its manifest.
    estimator : str or None
        Import path of its class.
    work : Path
        Folder that driver and executors share, for what is removed at the end of the run.

    Returns
    -------
    QualityReport
        Of one fold.

    Notes
    -----
    One job.
    """
    score = ScoreFolds(
        models=str(folder),
        entries=tuple(entries),
        estimator=estimator,
        classes=profile.classes,
        num_numbers=profile.num_numbers,
        num_texts=len(columns.features.texts),
        id_types=tuple(kind.simpleString() for kind in columns.id_types),
        label_type=columns.label_type.simpleString(),
    )
    frame = columns.narrow(test.frame, predict, group=None, n_folds=1)
    rows = FrameStream(frame.drop(PLACE, INNER), FolderStore(str(work)))
    states = rows.collect(MeasureModel(score))
    return quality_of(states, 1, len(profile.classes))


def _is_text(kind: Any) -> bool:
    return str(kind.simpleString()) == "string"
