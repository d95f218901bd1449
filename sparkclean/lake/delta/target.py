"""A Delta table to publish to."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sparkclean.errors import InputError
from sparkclean.lake.base import CleanUp, Version
from sparkclean.lake.committed import MADE, CommittedTarget
from sparkclean.lake.delta.source import delta_sql
from sparkclean.lake.engine_errors import cannot_look, is_conflict, is_missing_table
from sparkclean.lake.sql import rows_at, sql_text
from sparkclean.lake.staged import in_own_session, own_session, stored_exactly
from sparkclean.lake.timestamps import utc_text
from sparkclean.lake.unsupported_columns import mapped_columns
from sparkclean.schema import RUN_ID

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.readwriter import DataFrameWriter

#: The application of our transactions: a version that was written once is never written again.
_APP_ID = "sparkclean"
_WEEK_SECONDS = 7 * 86400.0
#: A vacuum counts its hours from when it begins, which is later than it was asked for, by less.
_DELAY_SECONDS = 60.0
#: Delta 4.1 and later take no hours but 0, unless this is false.
_IGNORE_HOURS = "spark.databricks.delta.vacuum.retentionWindowIgnore.enabled"
_CHECK_HOURS = "spark.databricks.delta.retentionDurationCheck.enabled"
#: Tasks by which a vacuum lists folders; Spark's default is 10,000, however few folders there are.
_LISTING_TASKS = "spark.sql.sources.parallelPartitionDiscovery.parallelism"
_MAPPING = "delta.columnMapping.mode"
_METADATA = "spark.databricks.delta.commitInfo.userMetadata"
_NO_REPLACE = "does not support truncate in batch mode"


class DeltaTarget(CommittedTarget):
    """An output table of Delta Lake, at a path or in a catalog."""

    format = "delta"

    @property
    def _sql(self) -> str:
        return delta_sql(self.name)

    def _commits(self) -> list[Version] | None:
        try:
            history = self.spark.sql(f"DESCRIBE HISTORY {self._sql}").orderBy("version").collect()
        except Exception as exc:
            if is_missing_table(exc):
                return None
            if self.name.path is not None and "://" in self.name.path:
                raise cannot_look(exc, self.name.path) from exc
            raise
        versions = [_version(row) for row in history]
        return [version for version in versions if _has_rows(version)]

    def _read(self, version: str | int | None) -> DataFrame:
        if self.name.path is None:
            if version is None:
                return self.spark.table(self._sql)
            return rows_at(self.spark, self._sql, version)
        reader = self.spark.read.format("delta")
        if version is not None:
            reader = reader.option("versionAsOf", str(version))
        return reader.load(self.name.path)

    def unsupported_columns(self, schema: str, spark: SparkSession) -> list[str]:
        """List columns that it cannot hold: of Delta, and of this table if it is there."""
        found = super().unsupported_columns(schema, spark)
        mapped = mapped_columns(schema)
        if mapped and self._commits() is not None:
            detail = spark.sql(f"DESCRIBE DETAIL {self._sql}").collect()[0]
            if (detail["properties"] or {}).get(_MAPPING, "none") == "none":
                found += [
                    f"column {name!r} has a character that this table, which was made without "
                    f"column mapping ({_MAPPING}), does not take"
                    for name in mapped
                ]
        return found

    def _create(self, like: DataFrame, partitions: list[str]) -> None:
        """Make the table, unless it exists."""
        writer = _making(self.spark.createDataFrame([], like.schema)).partitionBy(*partitions)
        try:
            self._save(writer.option("userMetadata", json.dumps({"operation": MADE})))
        except Exception as exc:
            if not is_conflict(exc):  # somebody else has made it in this moment
                raise

    def _save(self, writer: DataFrameWriter) -> None:
        if self.name.path is not None:
            writer.save(self.name.path)
            return
        try:
            writer.saveAsTable(self._sql)
        except Exception as exc:
            # Delta 3.3.2 cannot replace by name on Spark 3.5.9; nothing was written then
            if _NO_REPLACE not in str(exc):
                raise
            detail = self.spark.sql(f"DESCRIBE DETAIL {self._sql}").collect()[0]
            writer.save(detail["location"])

    def version_selector(self, version: Version) -> int:
        """Write a version as `SourceTable.pin` takes it."""
        return version.number

    def _put_run(
        self, rows: DataFrame, key: Mapping[str, str], properties: Mapping[str, str]
    ) -> None:
        self._create(rows, [RUN_ID])
        with stored_exactly(rows) as stored:
            self._put(stored, key, properties)

    def _put(self, rows: DataFrame, key: Mapping[str, str], properties: Mapping[str, str]) -> None:
        writer = rows.write.format("delta")
        if len(key) == 1 or set(key) <= set(self._read(None).columns):
            where = " AND ".join(f"{name} = {sql_text(value)}" for name, value in key.items())
            writer = writer.mode("overwrite").option("replaceWhere", where)
        else:
            # a table of before lacks a column of the key: no row of it can be replaced
            writer = writer.mode("append")
        # columns that a later release adds are null in older rows
        writer = writer.option("mergeSchema", "true")
        self._save(writer.option("userMetadata", json.dumps(dict(properties))))

    def _replace(
        self, rows: DataFrame, parent: Version | None, properties: Mapping[str, str]
    ) -> None:
        text = json.dumps(dict(properties))
        if parent is None and self._is_missing():
            # table and rows in one commit: nobody ever reads an empty version. One that somebody
            # else has made in this moment stays as it is. What makes a table in a catalog takes its
            # metadata from the session alone (seen on Delta 4.4)
            with in_own_session(rows, {_METADATA: text}) as first:
                self._save(_making(first))
            return
        # Delta has no "only if the table is still at version n": a transaction of ours at n + 1 is
        # written once, so of two of our runs one wins; writers that are not ours are found in the
        # history afterwards (seen on Delta 4.4)
        number = parent.number if parent else 0
        with stored_exactly(rows) as stored:
            writer = stored.write.format("delta").mode("overwrite")
            writer = writer.option("overwriteSchema", "true")
            writer = writer.option("txnAppId", _APP_ID).option("txnVersion", number + 1)
            self._save(writer.option("userMetadata", text))

    def data_files(self, version: str) -> list[str]:
        """List the data files of a version, by the log."""
        return self._read(version).inputFiles()

    def revert(self, to: int) -> Version:
        """Make an older version current again, as a new version."""
        known = [version.number for version in self.versions()]
        if to not in known:
            raise InputError(
                f"{self.location} has no version {to}; it has {known[0]} to {known[-1]}"
            )
        own = own_session(self.spark)
        own.conf.set(_METADATA, json.dumps({"operation": "revert", "reverted_to": str(to)}))
        own.sql(f"RESTORE TABLE {self._sql} TO VERSION AS OF {int(to)}")
        return self.versions()[-1]

    def clean_up(
        self,
        *,
        older_than_seconds: float | None = None,
        keep: int | None = None,
        dry_run: bool = False,
    ) -> CleanUp:
        """Remove files that only old versions need, by Delta's own vacuum.

        Parameters
        ----------
        older_than_seconds : float, optional
            Age from which a version is retired; a week by default, which Delta asks for because
            files of unfinished writers may be that young.
        keep : int, optional
            Number of newest versions that stay, of whatever age; more where they were published
            within an hour, because a vacuum counts in whole hours.
        dry_run : bool

        Returns
        -------
        CleanUp
            Retired versions stay in the history; `sparkclean versions` shows them as gone.
        """
        if older_than_seconds is None and keep is None:
            return CleanUp((), (), 0)
        versions = self.versions()
        begun = [datetime.fromisoformat(v.created_at).timestamp() for v in versions]
        now = self._collect_now()
        limit = now - (_WEEK_SECONDS if older_than_seconds is None else older_than_seconds)
        if keep is not None:
            if keep >= len(begun):
                return CleanUp((), (), 0)
            # what the successor of the oldest of these replaced stays
            second = len(begun) - max(keep, 1) + 1
            limit = min([limit, *(end - _DELAY_SECONDS for end in begun[second : second + 1])])
        # Delta rounds to whole hours
        hours = max(math.ceil(round((now - limit) / 3600, 6)), 0)
        ended = zip(versions, begun[1:], strict=False)
        old = tuple(version.name for version, end in ended if end < now - hours * 3600)
        own = own_session(self.spark)
        own.conf.set(_IGNORE_HOURS, "false")
        own.conf.set(_CHECK_HOURS, self.spark.conf.get(_CHECK_HOURS, "true") or "true")
        own.conf.set(_LISTING_TASKS, "200")
        ending = " DRY RUN" if dry_run else ""
        rows = own.sql(f"VACUUM {self._sql} RETAIN {hours} HOURS{ending}").collect()
        return CleanUp(tuple(str(row[0]) for row in rows) if dry_run else (), old, 0)

    def _collect_now(self) -> float:
        """Look at the clock by which a vacuum counts its hours: that of the driver of Spark."""
        row = self.spark.sql("SELECT unix_micros(current_timestamp())").collect()[0]
        return int(row[0]) / 1e6


def _making(rows: DataFrame) -> DataFrameWriter:
    """Begin the commit that makes a table, unless it exists; with column mapping if names ask."""
    writer = rows.write.format("delta").mode("ignore")
    return writer.option(_MAPPING, "name") if mapped_columns(rows.schema.json()) else writer


def _has_rows(version: Version) -> bool:
    """Tell whether a commit is a version: it did more than make the table, or clean it up."""
    if version.operation in (MADE, "create table", "vacuum start", "vacuum end"):
        return False
    # the first commit of a table in a catalog takes no metadata (seen on Delta 4.4)
    return version.operation != "create table as select" or version.rows != 0


def _version(row: Any) -> Version:
    metrics = row["operationMetrics"] or {}
    properties = _properties(row["userMetadata"])
    run = properties.get("run_id", "")
    return Version(
        number=row["version"],
        name=str(row["version"]),
        parent=row["readVersion"],
        run_id=run,
        run_ids=(run,) if run else (),
        created_at=utc_text(row["timestamp"]),
        rows=_integer(metrics.get("numOutputRows")),
        files=_integer(metrics.get("numFiles")),
        size_bytes=_integer(metrics.get("numOutputBytes")),
        operation="publish" if run else properties.get("operation", row["operation"].lower()),
        properties=properties,
        bytes_written=_integer(metrics.get("numOutputBytes")),
    )


def _properties(text: str | None) -> dict[str, str]:
    try:
        content = json.loads(text or "{}")
    except ValueError:
        return {}
    return {str(k): str(v) for k, v in content.items()} if isinstance(content, dict) else {}


def _integer(text: str | None) -> int | None:
    return int(text) if text is not None else None
