"""Predict examples in a notebook: probabilities out of sample beside them, nothing published."""

from __future__ import annotations

import atexit
import logging
import shutil
import tempfile
import uuid
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from sparkclean.config.arguments import in_words_of_arguments
from sparkclean.config.classes import resolve_classes
from sparkclean.config.model import parse_sections
from sparkclean.config.sections import PredictSection
from sparkclean.errors import InputError
from sparkclean.examples.class_order import note_of
from sparkclean.examples.columns import check_classes, keys_of
from sparkclean.examples.given import check_given, default_id, open_given, warn_of_unstable
from sparkclean.jobs.predict.checks import collect_checked_profile, find_rare_classes
from sparkclean.jobs.predict.models import read_comparison, train_models
from sparkclean.jobs.predict.output import summarise
from sparkclean.jobs.predict.prediction import (
    LearningRows,
    check_all_predicted,
    collect_predictions,
)
from sparkclean.lake import NoPlainFiles
from sparkclean.lake.run_state import RunMarks
from sparkclean.lake.writing import write_errors
from sparkclean.learning.column_values import collect_values
from sparkclean.learning.columns import Count, check_columns
from sparkclean.learning.engines import open_engine
from sparkclean.learning.model_folder import ModelFolder
from sparkclean.learning.scored import FOLD
from sparkclean.locations import local_path
from sparkclean.rows.columns import as_stored, quoted
from sparkclean.rows.live import shown_phases
from sparkclean.rows.progress import Progress
from sparkclean.rows.row_writer import check_shared
from sparkclean.rows.session import batch_setter
from sparkclean.rows.task_status import watched_tasks
from sparkclean.rows.tasks import map_in_arrow
from sparkclean.runs.engine_errors import errors_of_tasks
from sparkclean.schema import FOLD as FOLD_COLUMN
from sparkclean.schema import PRED_PROBS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pandas as pd
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

    from sparkclean.config.sections import Config
    from sparkclean.examples.given import Given

_log = logging.getLogger("sparkclean")

_JOB = "predict"
#: Columns that are added.
_ADDED = (PRED_PROBS, FOLD_COLUMN)
#: Tasks that look whether they see the work folder.
_LOOKS = 8


@overload
def predict(
    df: DataFrame | str,
    *,
    features: str | Sequence[str],
    id: str | Sequence[str] | None = ...,
    label: str = ...,
    classes: Sequence[Any] | str | None = ...,
    work: str | Path | None = ...,
    progress: bool = ...,
    **options: Any,
) -> DataFrame: ...


@overload
def predict(
    df: pd.DataFrame | pa.Table,
    *,
    features: str | Sequence[str],
    id: str | Sequence[str] | None = ...,
    label: str = ...,
    classes: Sequence[Any] | str | None = ...,
    work: str | Path | None = ...,
    progress: bool = ...,
    **options: Any,
) -> pd.DataFrame: ...


def predict(
    df: DataFrame | pd.DataFrame | pa.Table | str,
    *,
    features: str | Sequence[str],
    id: str | Sequence[str] | None = None,  # noqa: A002 (the name of the configuration's key)
    label: str = "label",
    classes: Sequence[Any] | str | None = None,
    work: str | Path | None = None,
    progress: bool = True,
    **options: Any,
) -> Any:
    """Predict labels out of sample: each row by a model that has not seen it. Publishes nothing.

    Parameters
    ----------
    df : DataFrame, pandas.DataFrame, pyarrow.Table or str
        One row per example, as for `sparkclean.audit`.
    features : str or sequence of str
        Columns that are put together: numbers, arrays of numbers, vectors, texts; ``"all"`` takes
        every column that can be one, categories and dates too.
    id, label
        As for `sparkclean.audit`.
    classes : sequence or str, optional
        The labels in the order of the probabilities, or a file with them. By default the labels
        that there are, sorted.
    work : str or Path, optional
        Folder that driver and executors share. Training rows and models lie there until all is
        predicted, and of a frame of Spark the predictions as long as this process lives. By
        default a temporary folder of this machine, which does for local sessions.
    progress : bool
        As for `sparkclean.audit`.
    **options
        ``columns``, ``group``, ``n_folds``, ``engine``, ``estimator``, ``params``,
        ``max_train_rows``, ``calibrate``, ``missing``, ``rare_classes``, ``seed``, as in the
        configuration's section ``predict``.

    Returns
    -------
    DataFrame
        What was given with the columns ``pred_probs`` (array<float>; in pandas arrays of numpy) and
        ``fold``. It carries the order of the classes and the names of label and record id, which
        `sparkclean.audit` goes by. Of Spark:
        lazy, joined by record id with predictions that are in files. Of pandas: with its index.

    Raises
    ------
    ConfigError
        If an option is unknown or contradicts another.
    InputError
        If the data is unusable: missing columns or features, duplicate or null record ids, classes
        of too few examples, a work folder that executors do not see.

    Notes
    -----
    Reads the features four times; one task trains each model, on a sample of what 256 MiB hold. The
    probabilities have the same bits as those of ``sparkclean predict``. Files: a folder
    ``sparkclean-predict-...`` in ``work``, with the predictions alone once they are made (4 K bytes
    a row), removed when the process ends, or at once for pandas and Arrow; a killed process leaves
    it. Whoever removes it sooner must be done with the result.
    """
    with in_words_of_arguments(), shown_phases(progress) as listener:
        check_given(df)
        named = default_id(df) if id is None else id
        config = parse_sections(  # before Spark is waited for
            {
                "columns": {
                    "id": named if isinstance(named, str) else list(named),
                    "label": label,
                },
                "classes": classes if classes is None or isinstance(classes, str) else [*classes],
                "predict": {
                    "features": features if isinstance(features, str) else list(features),
                    **options,
                },
            }
        )
        section = config.section(PredictSection)
        given, own = open_given(
            df,
            id=id,
            needed=None if features == "all" else _needed(config),
            keys=_keys(config),
            listener=listener,
        )
        taken = {name.lower() for name in given.columns}
        there = [name for name in _ADDED if name in taken]
        if there:
            raise InputError(
                f"column {there[0]!r} is there already, and predictions have it; drop or rename it"
            )
        fit = batch_setter(given.frame.sparkSession, own=own)
        columns = config.columns.model_copy(update={"id": list(given.ids)})
        with watched_tasks(given.frame.sparkSession) as count_tasks:
            phases = Progress(listener, count_tasks=count_tasks)
            with phases.phase("look at the columns"):
                learned = check_columns(
                    given.frame,
                    columns,
                    section,
                    count=_counting(given.frame),
                    reserved=set(_ADDED),
                )
            rows = LearningRows(given.frame, learned, section)
            with _work_folder(work, given) as folder, errors_of_tasks():
                return _predict(given, rows, config, folder, fit=fit, progress=phases)


def _keys(config: Config) -> dict[str, str]:
    section = config.section(PredictSection)
    group = {} if section.group is None else {section.group: "predict.group"}
    features = dict.fromkeys(section.feature_columns, "predict.features")
    return features | group | keys_of(config.columns.id_columns, config.columns.label)


def _counting(frame: DataFrame) -> Count:
    """Give what looks at the values of columns, where these decide what the columns are."""
    return lambda wanted: collect_values(frame, wanted, paths=NoPlainFiles("a frame is given"))


def _needed(config: Config) -> list[str]:
    section = config.section(PredictSection)
    group = [] if section.group is None else [section.group]
    return [config.columns.label, *section.feature_columns, *group]


def _predict(
    given: Given[Any],
    rows: LearningRows,
    config: Config,
    folder: Path,
    *,
    fit: Any,
    progress: Progress,
) -> Any:
    predict, spark = rows.predict, given.frame.sparkSession
    open_engine(predict.engine).check(spark, predict)
    seen = [*rows.columns.ids, rows.columns.label, *rows.columns.features.names]
    warn_of_unstable(given, given.frame.select(*map(quoted, seen)))
    classes = resolve_classes(config)
    if classes is not None:
        check_classes(classes, rows.columns.label, rows.columns.label_type)
        classes = as_stored(classes, given.frame.schema[rows.columns.label])
    with progress.phase("try the estimator on a few rows"):
        rows.try_estimator(classes or ())
    _check_seen(spark, folder)
    rows = LearningRows(given.frame, rows.columns.with_lengths(given.frame, predict), predict)
    with progress.phase("check features and record ids") as phase:
        profile = collect_checked_profile(
            given.frame, rows.narrowed, rows.columns, predict, classes=classes, files=None
        )
        phase.rows = profile.rows
    fit(max(len(profile.classes), profile.num_numbers))
    rare = find_rare_classes(profile, predict)
    work, marks = folder / "work", RunMarks(str(folder), _JOB, folder.name, is_needed=False)
    models = ModelFolder(folder / "models", {}, folder.name, marks)
    engine = rows.open_engine(profile, files=None, work=work, progress=progress)
    train_models(engine, models, rare=rare, predict=predict)
    predicted, quality = collect_predictions(engine, models, profile, progress)
    given.verify()
    check_all_predicted(predicted, profile)
    _log.info(
        "%s",
        summarise(
            quality,
            profile,
            models.entries(),
            taken=rows.columns.taken,
            comparison=read_comparison(models.path),
        ),
    )
    new = list(zip((PRED_PROBS, FOLD), _ADDED, strict=True))
    label, ids = rows.columns.label, None if given.is_numbered else given.ids
    notes = note_of(profile.classes, label, ids)
    result = given.join(predicted, rows.columns.id_names, new, notes)
    if predicted.folder is not None:
        _remove_but(predicted.folder, (folder, work))
    return result


def _remove_but(kept: Path, folders: Iterable[Path]) -> None:
    """Remove what is in folders, but for one that lies somewhere in them."""
    for folder in folders:
        for path in folder.iterdir():
            if path not in (kept, *kept.parents):
                shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _work_folder(work: str | Path | None, given: Given[Any]) -> Iterator[Path]:
    """Make a folder; remove it behind an error, and else when nobody reads it any more."""
    name = f"sparkclean-predict-{uuid.uuid4().hex[:12]}"
    parent = Path(tempfile.gettempdir()) if work is None else local_path(str(work))
    folder = parent / name
    with write_errors(parent):
        folder.mkdir(parents=True)
    lasts = False
    try:
        yield folder
        lasts = given.is_lazy
    finally:
        if lasts:  # frames that were made of the result may live as long as the process
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            _log.info("the predictions are in %s until this process ends", folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _check_seen(spark: SparkSession, folder: Path) -> None:
    """Check that executors see the folder. One small job, unless all is in this machine."""
    is_classic = ".connect." not in type(spark).__module__  # else Spark may be anywhere
    if is_classic and (spark.conf.get("spark.master", "") or "").startswith("local"):
        return

    def look(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        check_shared(str(folder))
        yield from batches

    map_in_arrow(spark.range(0, _LOOKS, 1, _LOOKS), look, "id bigint").collect()
