"""An Iceberg table to publish to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import reduce
from operator import and_
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkclean.errors import InputError
from sparkclean.lake.base import CleanUp, Version, without_newest
from sparkclean.lake.committed import MADE, CommittedTarget
from sparkclean.lake.engine_errors import is_missing_table
from sparkclean.lake.iceberg.snapshots import (
    PREFIX,
    call_procedure,
    properties_of,
    version_of,
)
from sparkclean.lake.iceberg.source import IcebergSource
from sparkclean.lake.protocols import OpenTable
from sparkclean.lake.sql import rows_at
from sparkclean.lake.timestamps import utc_text
from sparkclean.names import TableName, quote_name
from sparkclean.schema import RUN_ID

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.readwriter import DataFrameWriterV2


class IcebergTarget(CommittedTarget):
    """An output table of Apache Iceberg, in a catalog.

    Raises
    ------
    InputError
        If the name is a path: a catalog makes commits atomic.
    """

    format = "iceberg"

    def __init__(
        self, spark: SparkSession, name: TableName, work: Path | None, open_runs: OpenTable
    ) -> None:
        super().__init__(spark, name, work, open_runs)
        if name.path is not None:
            raise InputError(
                f"{name}: an output of format iceberg is a table in a catalog, which makes its "
                "commits atomic; write catalog.namespace.table"
            )
        self._source = IcebergSource(spark, name)

    def _commits(self) -> list[Version] | None:
        try:
            self._source.refresh()
            snapshots = self._source.metadata("snapshots").collect()
            history = self._source.metadata("history").orderBy("made_current_at").collect()
        except Exception as exc:
            if is_missing_table(exc):
                return None
            raise
        by_id = {row["snapshot_id"]: row for row in snapshots}
        # the history has an entry for each time that a snapshot became current: a revert too
        found: list[Version] = []
        seen: set[int] = set()
        for entry in history:
            row = by_id.get(entry["snapshot_id"])
            if row is not None:
                version = replace(version_of(row), created_at=utc_text(entry["made_current_at"]))
                again = row["snapshot_id"] in seen
                found.append(replace(version, operation="revert") if again else version)
                seen.add(row["snapshot_id"])
        return [version for version in found if version.operation != MADE]

    def _read(self, version: str | int | None) -> DataFrame:
        self._source.refresh()
        if version is None:
            return self.spark.table(str(self.name))
        return rows_at(self.spark, str(self.name), version)

    def _create(self, like: DataFrame, *partitions: str) -> None:
        """Make the table, unless it exists."""
        if self._commits() is not None:
            return
        writer = self._maker(self.spark.createDataFrame([], like.schema), {"operation": MADE})
        try:
            writer.partitionedBy(*[F.col(name) for name in partitions]).create()
        except Exception as exc:
            if not _exists(exc):
                raise
            self._source.refresh()

    def _maker(self, rows: DataFrame, properties: Mapping[str, str]) -> DataFrameWriterV2:
        """Begin a commit that makes the table, and its namespace."""
        if len(self.name.parts) > 1:
            self.spark.sql(f"CREATE NAMESPACE IF NOT EXISTS {quote_name(self.name.parts[:-1])}")
        writer = rows.writeTo(str(self.name)).using("iceberg")
        for key, value in properties.items():
            writer = writer.option(f"snapshot-property.{PREFIX}{key}", value)
        # without it a commit cannot add a column (seen on Iceberg 1.11)
        return writer.tableProperty("write.spark.accept-any-schema", "true")

    def _writer(self, rows: DataFrame, properties: Mapping[str, str]) -> DataFrameWriterV2:
        """Begin a commit, with columns in the table's order, new ones last, missing ones null."""
        there = self._read(None).schema
        names = [field.name for field in there]
        columns = [
            F.col(quote_name((field.name,)))
            if field.name in rows.columns
            else F.lit(None).cast(field.dataType).alias(field.name)
            for field in there
        ]
        columns += [F.col(quote_name((name,))) for name in rows.columns if name not in names]
        writer = rows.select(*columns).writeTo(str(self.name)).option("mergeSchema", "true")
        for key, value in properties.items():
            writer = writer.option(f"snapshot-property.{PREFIX}{key}", value)
        return writer

    def version_selector(self, version: Version) -> str:
        """Write a version as `SourceTable.pin` takes it."""
        return f"snapshot:{version.number}"

    def _put_run(
        self, rows: DataFrame, key: Mapping[str, str], properties: Mapping[str, str]
    ) -> None:
        self._create(rows, RUN_ID)
        of_run = F.col(RUN_ID) == key[RUN_ID]
        if len(key) == 1:
            self._writer(rows, properties).overwrite(of_run)
            return
        # what is overwritten must be whole files, and a file of this run id may hold rows of others
        # as well: these are written once more
        snapshot = str(self._source.pin().version)
        there = rows_at(self.spark, str(self.name), snapshot).where(of_run)
        if set(key) <= set(there.columns):  # else none of them can have the values of the key
            same = [F.col(name).eqNullSafe(value) for name, value in key.items()]
            there = there.where(~reduce(and_, same))
        whole = rows.unionByName(there, allowMissingColumns=True)
        writer = self._writer(whole, properties).option("isolation-level", "serializable")
        writer.option("validate-from-snapshot-id", snapshot).overwrite(of_run)

    def _replace(
        self, rows: DataFrame, parent: Version | None, properties: Mapping[str, str]
    ) -> None:
        if parent is None and self._is_missing():
            # table and rows in one commit: nobody ever reads an empty version
            try:
                self._maker(rows, properties).create()
            except Exception as exc:
                if _exists(exc):
                    raise self.conflict(None) from exc
                raise
            return
        number = parent.number if parent else self._made()
        writer = self._writer(rows, properties).option("isolation-level", "serializable")
        writer.option("validate-from-snapshot-id", str(number)).overwrite(F.lit(True))

    def _made(self) -> int:
        """Find the snapshot that only made the table and counts as none.

        Not the current one: a run that began at the same moment may have published meanwhile.
        """
        self._source.refresh()
        snapshots = self._source.metadata("snapshots").orderBy("committed_at").collect()
        made = [row for row in snapshots if properties_of(row).get("operation") == MADE]
        return int(made[0]["snapshot_id"] if made else self._source.pin().version or 0)

    def data_files(self, version: str) -> list[str]:
        """List data and delete files of a version."""
        return self._source.files(version)

    def revert(self, to: int) -> Version:
        """Make an older snapshot current again.

        Parameters
        ----------
        to : int
            Its id.

        Returns
        -------
        Version

        Raises
        ------
        InputError
            If there is no such version.
        """
        known = self.versions()
        if to not in {version.number for version in known}:
            there = ", ".join(version.name for version in known[-5:])
            raise InputError(f"{self.location} has no version {to}; it has {there}")
        call_procedure(self.spark, self.name, "set_current_snapshot", snapshot_id=str(int(to)))
        return self.versions()[-1]

    def clean_up(
        self,
        *,
        older_than_seconds: float | None = None,
        keep: int | None = None,
        dry_run: bool = False,
    ) -> CleanUp:
        """Expire old snapshots, by Iceberg's own procedure.

        Parameters
        ----------
        older_than_seconds : float, optional
            Age from which a snapshot is expired.
        keep : int, optional
            Number of newest snapshots that stay, of whatever age.
        dry_run : bool

        Returns
        -------
        CleanUp
            What tags and branches name stays.
        """
        if older_than_seconds is None and keep is None:
            return CleanUp((), (), 0)
        now = datetime.now().astimezone()
        limit = now.timestamp() - (older_than_seconds or 0.0)
        known = self.versions()
        # after a revert an old snapshot is the newest version, too
        needed = {str(row["snapshot_id"]) for row in self._source.metadata("refs").collect()}
        old = [
            version.name
            for version in without_newest(known, max(keep or 1, 1))
            if datetime.fromisoformat(version.created_at).timestamp() < limit
            and version.name not in needed
        ]
        if old and not dry_run:
            ids = ", ".join(f"{name}L" for name in dict.fromkeys(old))
            # only these: by default the procedure expires what is older than five days, too
            call_procedure(
                self.spark,
                self.name,
                "expire_snapshots",
                older_than="TIMESTAMP '1970-01-01 00:00:00'",
                snapshot_ids=f"ARRAY({ids})",
            )
        return CleanUp((), tuple(old), 0)


def _exists(exc: Exception) -> bool:
    return "ALREADY_EXISTS" in str(exc) or "AlreadyExists" in str(exc)
