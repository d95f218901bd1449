"""Cleaned versions beside a Delta table: shallow clones, each with the changes of one run."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sparkclean.errors import InputError
from sparkclean.faults import fault_point
from sparkclean.lake.base import CleanUp, Pin, Version, without_newest
from sparkclean.lake.delta.source import delta_sql
from sparkclean.lake.edited import EditedTarget, change_sql
from sparkclean.lake.edits import Edit
from sparkclean.lake.engine_errors import is_missing_table
from sparkclean.lake.files import put_if_absent, read_json, size_below, write_errors
from sparkclean.lake.formats import CLONES
from sparkclean.lake.timestamps import utc_text
from sparkclean.locations import local_path
from sparkclean.names import TableName, parse_table_name

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_SETTINGS = "spark.databricks.delta"
_WEEK_SECONDS = 7 * 86400.0


class DeltaCloneTarget(EditedTarget):
    """Shallow clones of a Delta table below one folder, ``<folder>/<run id>`` each.

    A clone names the files of its source: a vacuum of the source beyond its retention breaks it,
    which `data_files` helps to find out.

    Raises
    ------
    UnsupportedFeatureError
        If the place is not on a local or shared file system.
    InputError
        If it is a name in a catalog.
    """

    format = "delta"

    def __init__(
        self,
        spark: SparkSession,
        name: TableName,
        work: Path | None = None,
        output: str = "cleaned",
    ) -> None:
        super().__init__(spark, name, work, output)
        if name.path is None:
            raise InputError(
                f"{name}: clones lie in folders, one for each run; write a path, or use "
                "clean.layout copy"
            )
        self.root = local_path(name.path)

    @property
    def location(self) -> str:
        """Folder of all versions."""
        return str(self.root)

    def _sql(self, run: str) -> str:
        return delta_sql(TableName(path=str(self.root / run)))

    def _sealed(self, run: str) -> Path:
        return self.root / CLONES / f"{run}.json"

    # -- reading -------------------------------------------------------------------------------

    def versions(self) -> list[Version]:
        """List all versions, oldest first."""
        contents = [read_json(path) for path in (self.root / CLONES).glob("[!.]*.json")]
        found = [
            Version(
                number=0,
                name=content["properties"]["run_id"],
                parent=None,
                run_id=content["properties"]["run_id"],
                run_ids=(content["properties"]["run_id"],),
                created_at=content["created_at"],
                rows=content["rows"],
                files=None,
                size_bytes=None,
                operation="publish",
                properties=content["properties"],
                bytes_written=content["bytes_written"],
            )
            for content in contents
            if content is not None
        ]
        return sorted(found, key=lambda version: (version.created_at, version.name))

    def check_writable(self) -> None:
        """Refuse a folder that holds something else."""
        with write_errors(self.root):
            if not self.root.exists() or (self.root / CLONES).is_dir():
                return
            others = [path.name for path in self.root.iterdir() if not path.name.startswith(".")]
        if others:
            raise InputError(
                f"{self.root} holds something else ({others[0]}); choose a place of its own for "
                "clones"
            )

    def _read(self, version: Version) -> DataFrame:
        return self.spark.read.format("delta").load(str(self.root / version.name))

    def data_files(self, version: str) -> list[str]:
        """List the data files of a version; most of them are those of the source."""
        return self._read(self._find(version)).inputFiles()

    # -- writing -------------------------------------------------------------------------------

    def _write(
        self, own: SparkSession, run: str, pin: Pin, edit: Edit, properties: Mapping[str, str]
    ) -> None:
        metadata = f"{_SETTINGS}.commitInfo.userMetadata"
        own.conf.set(metadata, json.dumps(dict(properties)))
        steps = self._steps(own, run, pin, properties)
        if steps is None:
            with write_errors(self.root):
                shutil.rmtree(self.root / run, ignore_errors=True)
                (self.root / CLONES).mkdir(parents=True, exist_ok=True)
            source = delta_sql(parse_table_name(pin.table))
            own.sql(
                f"CREATE TABLE {self._sql(run)} SHALLOW CLONE {source} VERSION AS OF {pin.version} "
                # deletes in small files of their own; a property that forbids deletes comes along
                "TBLPROPERTIES ('delta.enableDeletionVectors' = 'true', "
                "'delta.appendOnly' = 'false')"
            )
        fault_point("edit.made")
        if steps != 2:
            # written once, also by two attempts of one run
            own.conf.set(f"{_SETTINGS}.write.txnAppId", "sparkclean")
            own.conf.set(f"{_SETTINGS}.write.txnVersion", "1")
            own.sql(change_sql(edit, self._sql(run), delete=False))
        fault_point("edit.written")

    def _steps(
        self, own: SparkSession, run: str, pin: Pin, properties: Mapping[str, str]
    ) -> int | None:
        """Count the commits of an earlier attempt; None where the run must begin anew."""
        if not (self.root / run).exists():
            return None
        try:
            history = own.sql(f"DESCRIBE HISTORY {self._sql(run)}").orderBy("version").collect()
        except Exception as exc:
            if is_missing_table(exc):
                return None  # it died before the first commit
            raise
        ours = [json.loads(row["userMetadata"] or "{}") == dict(properties) for row in history]
        clone = json.loads(history[0]["operationParameters"].get("sourceVersion") or "null")
        kinds = [row["operation"] for row in history]
        if all(ours) and kinds in (["CLONE"], ["CLONE", "MERGE"]) and str(clone) == pin.version:
            return len(kinds)
        return None

    def _count(self, own: SparkSession, run: str) -> int:
        return own.read.format("delta").load(str(self.root / run)).count()

    def _discard(self, run: str) -> None:
        if not self._sealed(run).exists():
            shutil.rmtree(self.root / run, ignore_errors=True)

    def _seal(self, run: str, rows: int, properties: Mapping[str, str]) -> None:
        content = {
            "rows": rows,
            "bytes_written": size_below(self.root / run),
            "created_at": utc_text(datetime.now()),
            "properties": dict(properties),
        }
        with write_errors(self.root):
            put_if_absent(self._sealed(run), json.dumps(content))

    def clean_up(
        self,
        *,
        older_than_seconds: float | None = None,
        keep: int | None = None,
        dry_run: bool = False,
    ) -> CleanUp:
        """Remove clones of old versions and of dead runs.

        Parameters
        ----------
        older_than_seconds : float, optional
            Age from which a version is retired; clones that are no version go after a week, or
            this age.
        keep : int, optional
            Number of newest versions that stay, of whatever age.
        dry_run : bool

        Returns
        -------
        CleanUp
            The current version stays. Files of the source are never touched.
        """
        now, known, current = time.time(), self.versions(), self.current()
        old: list[Version] = []
        if older_than_seconds is not None or keep is not None:
            limit = now - (older_than_seconds or 0.0)
            old = [
                version
                for version in without_newest(known, keep or 0)
                if datetime.fromisoformat(version.created_at).timestamp() < limit
                and version != current
            ]
        names = {version.name for version in known}
        limit = now - (_WEEK_SECONDS if older_than_seconds is None else older_than_seconds)
        dead = [
            path
            for path in (self.root.iterdir() if self.root.is_dir() else ())
            if path.is_dir() and path.name not in {CLONES, *names} and _changed_at(path) < limit
        ]
        paths = [*(self.root / version.name for version in old), *dead]
        size = sum(size_below(path) for path in paths)
        if not dry_run:
            with write_errors(self.root):
                for version in old:
                    self._sealed(version.name).unlink(missing_ok=True)
                for path in paths:
                    shutil.rmtree(path)
        return CleanUp(tuple(map(str, paths)), tuple(version.name for version in old), size)


def _changed_at(folder: Path) -> float:
    """When something in a folder was written last."""
    newest = folder.stat().st_mtime
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            newest = max(newest, path.stat().st_mtime)
    return newest
