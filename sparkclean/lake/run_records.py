"""Run records say which of several versions that stand side by side is the current one."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkclean.errors import InputError
from sparkclean.lake.base import ANY
from sparkclean.schema import CONFIG_FINGERPRINT, RUN_ID

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

#: Status of the record by which an older version became current again.
REVERTED = "reverted"
_STATUSES = ("published", REVERTED)


def current_by_record(spark: SparkSession, runs: str, location: str, names: set[str]) -> str | None:
    """Find the version that the newest run record names.

    Parameters
    ----------
    spark : SparkSession
    runs : str
        Location of the run records.
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
        records = _records(spark, runs)
    except InputError:  # no run has ended yet
        return None
    newest = records.where(F.col("status").isin(*_STATUSES)).orderBy(F.col("finished_at").desc())
    for row in newest.select("outputs").collect():
        for entry in json.loads(row["outputs"] or "{}").values():
            if entry["location"] == location and entry["version"] in names:
                return str(entry["version"])
    return None


def recall_run(spark: SparkSession, runs: str, fingerprint: str) -> str | None:
    """Find what the newest published run of a configuration has left for later ones.

    Parameters
    ----------
    spark : SparkSession
    runs : str
        Location of the run records.
    fingerprint : str

    Returns
    -------
    str or None

    Notes
    -----
    One job over the run records: a row for each run.
    """
    try:
        records = _records(spark, runs)
    except InputError:  # no run has ended yet
        return None
    if "remembered" not in records.columns:  # records of an earlier version of this software
        return None
    same = (F.col("status") == "published") & (F.col(CONFIG_FINGERPRINT) == fingerprint)
    newest = records.where(same).orderBy(F.col("finished_at").desc()).limit(1)
    return next((row["remembered"] for row in newest.select("remembered").collect()), None)


def record_revert(
    spark: SparkSession, runs: str, outputs: Mapping[str, Mapping[str, str]], work: Path
) -> None:
    """Append a run record by which an older version is the current one.

    Parameters
    ----------
    spark : SparkSession
    runs : str
        Location of the run records.
    outputs : mapping
        By the name of the output: its location, and the version.
    work : Path
        Folder to stage in.

    Notes
    -----
    Two small jobs and a commit.
    """
    from sparkclean.lake import open_target  # noqa: PLC0415 (it imports the targets)

    records = _records(spark, runs)
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
    }
    row = spark.range(1).select(
        *[F.lit(new.get(f.name)).cast(f.dataType).alias(f.name) for f in records.schema]
    )
    target = open_target(runs, spark=spark, work=work)
    staging = target.stage(run_id, accumulate=True)
    staging.write_frame(row)
    target.publish(
        staging,
        expected_parent=ANY,
        accumulate=True,
        properties={"operation": "revert"},
        schema=row.schema.json(),
    )


def _records(spark: SparkSession, runs: str) -> DataFrame:
    from sparkclean.lake import open_target  # noqa: PLC0415

    return open_target(runs, spark=spark).frame(spark)
