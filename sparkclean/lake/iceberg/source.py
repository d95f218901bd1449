"""An Iceberg table to read, pinned to a snapshot."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from sparkclean.errors import ConfigError, InputChangedError, InputError
from sparkclean.lake.base import NoPlainFiles, Pin
from sparkclean.lake.engine_errors import analysed, translating_reads, verifying
from sparkclean.lake.files import local_files, missing_files
from sparkclean.lake.sql import rows_at
from sparkclean.lake.timestamps import parse_timestamp
from sparkclean.names import TableName

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_MAIN = "branch:main"
_KINDS = ("branch", "tag", "snapshot", "timestamp")


class IcebergSource:
    """An Iceberg table, by name in a catalog or by path.

    Parameters
    ----------
    spark : SparkSession
        With Iceberg.
    name : TableName
    """

    format = "iceberg"

    def __init__(self, spark: SparkSession, name: TableName) -> None:
        self.spark = spark
        self.name = name
        self.location = str(name)

    def pin(self, version: str | int | None = None) -> Pin:
        """Decide which snapshot is read.

        Parameters
        ----------
        version : str or int, optional
            ``branch:NAME``, ``tag:NAME``, ``snapshot:ID`` or ``timestamp:2026-11-01T00:00:00``;
            the current snapshot of main by default.

        Returns
        -------
        Pin

        Raises
        ------
        InputError
            If there is no such table, snapshot or reference, or the table is empty.
        ConfigError
            If the version is none of these.

        Notes
        -----
        Reads metadata only. The table is refreshed first: the cache of a session does not see what
        others have committed (seen on Iceberg 1.11). A branch is read as the table reads it now:
        by the ids of the columns, whatever they were called when the snapshot was made.
        """
        wanted = _MAIN if version is None else str(version)
        kind, _, branch = wanted.partition(":")
        with translating_reads(self.location):
            self.refresh()
            snapshot = self._find(wanted)
            file, metadata = self._metadata()
            pin = Pin(
                format=self.format,
                table=self.location,
                version=str(snapshot),
                dataset_version=f"snapshot-{snapshot}",
                table_id=(metadata or {}).get("table-uuid"),
            )
            return self._by_names_of_now(pin, branch, file, metadata) if kind == "branch" else pin

    def _by_names_of_now(
        self, pin: Pin, branch: str, file: str, metadata: dict[str, Any] | None
    ) -> Pin:
        """Pin the head of a branch together with the schema by which the table reads it."""
        if metadata is None:
            if self._current(branch).schema != self.read(self.spark, pin).schema:
                raise InputError(
                    f"input.table: the columns of {self.location} have changed since its last "
                    f"commit, and {file}, by which they are told apart, cannot be read here. "
                    "Commit to the table (an append without rows will do), or set input.version "
                    f"to snapshot:{pin.version}, which has the columns as they were"
                )
            return pin
        # the table may have moved since: what counts stands in one file
        reference = metadata.get("refs", {}).get(branch)
        head = reference["snapshot-id"] if reference else int(str(pin.version))
        pin = replace(pin, version=str(head), dataset_version=f"snapshot-{head}")
        known = {entry["snapshot-id"]: entry.get("schema-id") for entry in metadata["snapshots"]}
        then, now_id = known.get(head), metadata.get("current-schema-id")
        if then == now_id or len(metadata.get("schemas", ())) == 1:
            return pin
        return replace(
            pin,
            dataset_version=f"{pin.dataset_version}-schema-{now_id}",
            metadata=file,
            branch=branch,
        )

    def _current(self, branch: str) -> DataFrame:
        """Return the rows of a branch as the table reads it now. Lazy."""
        if self.name.path is None:
            return rows_at(self.spark, str(self.name), branch)
        return self.spark.read.format("iceberg").option("branch", branch).load(self.name.path)

    def _find(self, version: str) -> int:
        kind, _, value = version.partition(":")
        if kind not in _KINDS or not value:
            raise ConfigError(
                f"input.version: {version!r} is not a version of an Iceberg table; write "
                "branch:NAME, tag:NAME, snapshot:ID or timestamp:2026-11-01T00:00:00"
            )
        if kind == "snapshot":
            if not value.isdigit():
                raise ConfigError(f"input.version: {version!r}: the id of a snapshot is a number")
            found = self.metadata("snapshots").where(F.col("snapshot_id") == int(value))
        elif kind == "timestamp":
            when = F.lit(parse_timestamp(value).isoformat()).cast("timestamp")
            found = (
                self.metadata("history")
                .where(F.col("is_current_ancestor") & (F.col("made_current_at") <= when))
                .orderBy(F.col("made_current_at").desc())
            )
        else:
            found = self.metadata("refs").where(
                (F.col("name") == value) & (F.col("type") == kind.upper())
            )
        rows = found.select("snapshot_id").limit(1).collect()
        if rows:
            return int(rows[0][0])
        if version == _MAIN:
            raise InputError(
                f"input.table: {self.location} is empty: it has no snapshot; check input.table"
            )
        raise InputError(f"input.version: {self.location} has no {kind} {value}{self._known(kind)}")

    def _known(self, kind: str) -> str:
        if kind == "timestamp":
            return "; its history begins later"
        if kind == "snapshot":
            rows = self.metadata("snapshots").orderBy(F.col("committed_at").desc())
            names = rows.select("snapshot_id")
        else:
            rows = self.metadata("refs").where(F.col("type") == kind.upper()).orderBy("name")
            names = rows.select("name")
        return f"; it has {', '.join(str(row[0]) for row in names.limit(5).collect()) or 'none'}"

    def metadata(self, table: str) -> DataFrame:
        """Return a metadata table: ``refs``, ``snapshots``, ``history``, ``files``. Lazy."""
        if self.name.path is None:
            return self.spark.table(f"{self.name}.{table}")
        return self.spark.read.format("iceberg").load(f"{self.name.path}#{table}")

    def files(self, version: str) -> list[str]:
        """List data and delete files of a snapshot, branch or tag."""
        self.refresh()
        files = rows_at(self.spark, f"{self.name}.files", version)
        return [row[0] for row in files.select("file_path").collect()]

    def refresh(self) -> None:
        """Look at the catalog anew."""
        if self.name.path is None:
            self.spark.catalog.refreshTable(str(self.name))

    def read(self, spark: SparkSession, pin: Pin) -> DataFrame:
        """Return the rows of exactly the pinned snapshot. Lazy."""
        with translating_reads(pin):
            if pin.metadata is not None:
                # a table that never moves; without this name Iceberg takes the schema of then
                reader = spark.read.format("iceberg").option("branch", str(pin.branch))
                return analysed(reader.load(pin.metadata))
            if self.name.path is None:
                return analysed(rows_at(spark, str(self.name), str(pin.version)))
            reader = spark.read.format("iceberg").option("versionAsOf", str(pin.version))
            return analysed(reader.load(self.name.path))

    def read_numbered(self, spark: SparkSession, pin: Pin, name: str) -> None:
        """Leave it: the rows of an Iceberg table have no order."""

    def plain_files(self, pin: Pin) -> Sequence[str] | NoPlainFiles:
        """List the data files of the pinned snapshot, unless the table changes what they mean.

        Parameters
        ----------
        pin : Pin

        Returns
        -------
        sequence of str or NoPlainFiles

        Notes
        -----
        Reads metadata only. Columns go by ids in Iceberg: names will do as long as the table has
        had no other schema.
        """
        if self.name.path is not None:
            return NoPlainFiles(f"{self.location} is named by its path, not in a catalog")
        with translating_reads(pin):
            self.refresh()
            files = rows_at(self.spark, f"{self.name}.files", str(pin.version))
            rows = files.select("content", "file_format", "file_path").collect()
            _, metadata = self._metadata()
        if any(row["content"] for row in rows):
            return NoPlainFiles(f"{self.location} has delete files")
        if any(row["file_format"] != "PARQUET" for row in rows):
            return NoPlainFiles(f"{self.location} has files that are not Parquet")
        if metadata is None or [entry["schema-id"] for entry in metadata.get("schemas", ())] != [0]:
            return NoPlainFiles(f"the schema of {self.location} has changed, or cannot be read")
        return local_files([row["file_path"] for row in rows])

    def _metadata(self) -> tuple[str, dict[str, Any] | None]:
        """Find the newest metadata file, and read it: None where that cannot be done here."""
        log = self.metadata("metadata_log_entries").orderBy(F.desc("timestamp"), F.desc("file"))
        file = log.select("file").limit(1).collect()[0][0]
        try:
            found = local_files([file])
            if isinstance(found, NoPlainFiles):
                raw = self.spark.read.format("binaryFile").load(file).select("content")
                content = bytes(raw.collect()[0][0])
            else:
                content = Path(found[0]).read_bytes()
            if file.endswith(".gz.metadata.json"):
                content = gzip.decompress(content)
            return file, json.loads(content)
        except Exception:  # noqa: BLE001 (a file system that the session cannot read, in many ways)
            return file, None

    def verify(self, pin: Pin) -> None:
        """Check that the pinned snapshot is still there.

        Parameters
        ----------
        pin : Pin

        Raises
        ------
        InputChangedError
            If it was expired, or the table dropped.
        """
        with verifying(pin):
            self.refresh()
            found = self.metadata("snapshots").where(F.col("snapshot_id") == int(str(pin.version)))
            if found.limit(1).count() and not missing_files([pin.metadata] if pin.metadata else []):
                return
        raise InputChangedError(
            f"input.table: snapshot {pin.version} of {self.location}, or the metadata of then, was "
            "expired during the run. Nothing was published; start again with a new run id, and "
            "keep snapshots for longer than a run takes"
        )
