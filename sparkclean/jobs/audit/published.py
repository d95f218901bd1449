"""Classes and thresholds that an audit has published, read for functions on new rows."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import functions as F

from sparkclean.errors import InputError, first_of
from sparkclean.jobs.audit.job import AuditJob
from sparkclean.jobs.audit.sections import AdmissionSection, MethodSection
from sparkclean.lake import (
    TargetTable,
    open_records,
    open_target,
    original_run_id,
    runs_of_table,
    safe_run_id,
)
from sparkclean.schema import CLASSES, RUN_ID

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import DataType

_log = logging.getLogger("sparkclean")

_CLASS, _INDEX, _THRESHOLD = (CLASSES[i][0] for i in (0, 1, 3))


@dataclass(frozen=True)
class PublishedClasses:
    """What decides whether a row is confidently of a class.

    Attributes
    ----------
    run_id : str
        Of the audit, as it stands in its outputs.
    classes : tuple
        The K labels, in the order of the probabilities.
    label_type : DataType
    thresholds : ndarray of float64, shape (K,)
    collision : str
    row_sum_tolerance : float
    """

    run_id: str
    classes: tuple[Any, ...]
    label_type: DataType
    thresholds: NDArray[np.float64]
    collision: Any
    row_sum_tolerance: float


def collect_published_classes(
    spark: SparkSession, location: str, run_id: str | None = None, table: str | None = None
) -> PublishedClasses:
    """Read the classes of an audit.

    Parameters
    ----------
    spark : SparkSession
    location : str
        Of the output ``classes``.
    run_id : str or None
        The scheduler's, or as it stands in the rows. None: the newest run that counts.
    table : str or None
        That was audited, where the output holds the classes of several tables.

    Returns
    -------
    PublishedClasses

    Raises
    ------
    InputError
        If there is no such output, it is another one than ``classes``, or has no such run.
    ConfigError
        If it holds the classes of several tables, and none is named.

    Notes
    -----
    One or two small jobs; on Delta and Iceberg up to three more over the run records. The driver
    holds K rows.
    """
    target = open_target(location, spark=spark)
    if target.current() is None:
        raise InputError(
            f"audit: nothing was published at {location}; give the location of output.classes of "
            "an audit that has run"
        )
    frame = target.frame(spark)
    missing = [name for name in (_CLASS, _INDEX, _THRESHOLD, RUN_ID) if name not in frame.columns]
    if missing:
        raise InputError(
            f"audit: {location} has no column {missing[0]!r}, so it is not the output classes of "
            "an audit; give the location of output.classes"
        )
    chosen = _choose_run(target, frame, run_id, table)
    rows = frame.where(F.col(RUN_ID) == chosen).select(_CLASS, _INDEX, _THRESHOLD).collect()
    rows.sort(key=lambda row: int(row[_INDEX]))
    method, admission = _settings(target, chosen, spark)
    return PublishedClasses(
        run_id=chosen,
        classes=tuple(row[_CLASS] for row in rows),
        label_type=frame.schema[_CLASS].dataType,
        thresholds=np.array([row[_THRESHOLD] for row in rows], np.float64),
        collision=method.collision,
        row_sum_tolerance=admission.row_sum_tolerance,
    )


def _choose_run(
    target: TargetTable, frame: DataFrame, run_id: str | None, table: str | None
) -> str:
    """Choose the run whose classes are read, as it stands in the rows."""
    of_table = runs_of_table(target, table) if run_id is None or table is not None else None
    if run_id is None:
        if of_table is not None:
            return of_table[-1]
        newest = target.head(1)[RUN_ID].to_pylist()
        if not newest:
            raise InputError(f"audit: {target.location} has no run that counts; audit first")
        return str(newest[0])
    there = {row[0] for row in frame.select(RUN_ID).distinct().collect()}
    there &= there if of_table is None else set(of_table)
    for name in (safe_run_id(run_id), run_id):
        if name in there:
            return name
    raise InputError(
        f"run_id: {target.location} has no run {run_id!r} that counts"
        f"{'' if table is None else f' and is of {table}'}; it has "
        f"{first_of(sorted(repr(original_run_id(name)) for name in there)) or 'none'}"
    )


def _settings(
    target: TargetTable, run: str, spark: SparkSession
) -> tuple[MethodSection, AdmissionSection]:
    """Read by the run record how that audit took rows; defaults where there is none."""
    records = open_records(target, spark=spark)
    row = None
    if records is not None:
        row = records.find_record(AuditJob.name, original_run_id(run))
    if row is None or not row["config"]:
        _log.warning(
            "audit: run %r has no run record, so method.collision and admission.row_sum_tolerance "
            "are taken to be the defaults",
            original_run_id(run),
        )
        return MethodSection(), AdmissionSection()
    config = json.loads(row["config"])
    method, admission = config.get("method", {}), config.get("admission", {})
    return (
        MethodSection(**{k: method[k] for k in ("collision",) if k in method}),
        AdmissionSection(**{k: admission[k] for k in ("row_sum_tolerance",) if k in admission}),
    )
