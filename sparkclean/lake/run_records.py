"""Run records say which of several versions that stand side by side is the current one."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField

from sparkclean.errors import InputError
from sparkclean.lake.base import ANY
from sparkclean.lake.protocols import TargetTable
from sparkclean.lake.record_rows import REVERTED, VOID
from sparkclean.lake.run_ids import shared_run_id
from sparkclean.schema import JOB, RUN_ID

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_STATUSES = ("published", REVERTED)
_JOB = "revert"


def without_void(records: DataFrame) -> DataFrame:
    """Leave out the records of runs that are void.

    Parameters
    ----------
    records : DataFrame
        All run records.

    Returns
    -------
    DataFrame
        Lazy; the records that make runs void are left out, too.
    """
    if JOB not in records.columns:  # a table of before: nothing in it is void
        return records
    void = records.where(F.col("status") == VOID)
    void = void.select(F.col(RUN_ID).alias("__run"), F.col(JOB).alias("__job"))
    of_job = F.col(JOB).isNull() | (F.col(JOB) == F.col("__job"))
    return records.join(F.broadcast(void), (F.col(RUN_ID) == F.col("__run")) & of_job, "left_anti")


def current_by_record(
    spark: SparkSession, runs: TargetTable, location: str, names: set[str]
) -> str | None:
    """Find the version that the newest run record names.

    Parameters
    ----------
    spark : SparkSession
    runs : TargetTable
        The run records.
    location : str
        Of the output in question.
    names : set of str
        Versions that it has.

    Returns
    -------
    str or None
        None without a record of it.

    Notes
    -----
    One job over the run records: a row for each run.
    """
    try:
        records = runs.frame(spark)
    except InputError:  # no run has ended yet
        return None
    counted = without_void(records).where(F.col("status").isin(*_STATUSES))
    newest = counted.orderBy(F.col("finished_at").desc())
    for row in newest.select("outputs").collect():
        for entry in json.loads(row["outputs"] or "{}").values():
            if entry["location"] == location and entry["version"] in names:
                return str(entry["version"])
    return None


def record_revert(
    spark: SparkSession, runs: TargetTable, outputs: Mapping[str, Mapping[str, str]]
) -> None:
    """Append a run record by which an older version is the current one.

    Parameters
    ----------
    spark : SparkSession
    runs : TargetTable
        The run records, with a folder to stage in.
    outputs : mapping
        By the name of the output: its location, and the version.

    Notes
    -----
    Two small jobs and a commit.
    """
    now = datetime.now(timezone.utc)
    run_id = f"revert-{now:%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:6]}"
    new = {
        RUN_ID: run_id,
        "original_run_id": run_id,
        "status": REVERTED,
        "started_at": now,
        "finished_at": now,
        "outputs": json.dumps(outputs),
        "message": "; ".join(f"{name} reverted to {v['version']}" for name, v in outputs.items()),
        JOB: _JOB,
    }
    fields = list(runs.frame(spark).schema)
    if JOB not in {field.name for field in fields}:  # a table of before
        fields.append(StructField(JOB, StringType()))
    row = spark.range(1).select(
        *[F.lit(new.get(f.name)).cast(f.dataType).alias(f.name) for f in fields]
    )
    staging = runs.stage(shared_run_id(_JOB, run_id), accumulate=True)
    staging.write_frame(row)
    runs.publish(
        staging,
        expected_parent=ANY,
        accumulate=True,
        properties={"operation": "revert"},
        schema=row.schema.json(),
        key={RUN_ID: run_id, JOB: _JOB},
    )
