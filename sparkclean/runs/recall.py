"""What earlier runs have left for later ones, by the run records."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkclean.errors import InputError
from sparkclean.lake.run_records import without_void
from sparkclean.schema import CONFIG_FINGERPRINT

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from sparkclean.lake import TargetTable


def recall_run(
    spark: SparkSession, runs: TargetTable, fingerprints: Collection[str], table: str
) -> str | None:
    """Find what the newest published run of a configuration and table has left for later ones.

    Parameters
    ----------
    spark : SparkSession
    runs : TargetTable
        The run records.
    fingerprints : collection of str
        Of the configuration; any of them.
    table : str
        As records name it.

    Returns
    -------
    str or None

    Notes
    -----
    One job over the run records: a row for each run.
    """
    try:
        records = runs.frame(spark)
    except InputError:  # no run has ended yet
        return None
    if "remembered" not in records.columns:  # records of an earlier version of this software
        return None
    same = (F.col("status") == "published") & F.col(CONFIG_FINGERPRINT).isin(*fingerprints)
    same &= F.get_json_object("input", "$.table") == table
    newest = without_void(records).where(same).orderBy(F.col("finished_at").desc()).limit(1)
    return next((row["remembered"] for row in newest.select("remembered").collect()), None)
