"""Cleaned versions beside a Delta table: shallow clones, each with the changes of one run."""

from __future__ import annotations

import contextlib
import errno
import json
import time
import uuid
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sparkclean.errors import InputError
from sparkclean.faults import fault_point
from sparkclean.lake.base import MAIN_OUTPUT, CleanUp, Pin, Version, without_newest
from sparkclean.lake.delta.source import delta_sql
from sparkclean.lake.edited import EditedTarget, change_sql
from sparkclean.lake.edits import Edit
from sparkclean.lake.files import put_if_absent, read_json, size_below
from sparkclean.lake.formats import CLONES
from sparkclean.lake.parquet.clean_up import children, is_left
from sparkclean.lake.parquet.staging import DATA, STAGING, Staging
from sparkclean.lake.plain_folders import check_plain, move, remove_tree
from sparkclean.lake.protocols import OpenTable
from sparkclean.lake.timestamps import utc_text
from sparkclean.lake.writing import write_errors
from sparkclean.locations import local_path
from sparkclean.names import TableName, parse_table_name

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_METADATA = "spark.databricks.delta.commitInfo.userMetadata"
_WEEK_SECONDS = 7 * 86400.0


class DeltaCloneTarget(EditedTarget):
    """Shallow clones of a Delta table below one folder, ``<folder>/<run id>`` each.

    An attempt clones and changes in a folder of its own below ``_staging``, which is renamed once.

    A clone names the files of its source: a vacuum of the source beyond its retention breaks it,
    which `data_files` helps to find out.

    Raises
    ------
    UnsupportedFeatureError
        If the location is not on a local or shared file system.
    InputError
        If it is a name in a catalog.
    """

    format = "delta"

    def __init__(
        self,
        spark: SparkSession,
        name: TableName,
        work: Path | None,
        open_runs: OpenTable,
        *,
        output: str = MAIN_OUTPUT,
    ) -> None:
        super().__init__(spark, name, work, open_runs, output=output)
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

    def version_location(self, version: Version) -> str:
        """Name the clone of a version, which is a table of its own."""
        return f"{self.location}/{version.name}"

    def version_selector(self, version: Version) -> None:  # noqa: ARG002
        """Give no version: a clone has one alone."""
        return

    def check_writable(self) -> None:
        """Refuse a folder that holds other files."""
        with write_errors(self.root):
            if not self.root.exists() or (self.root / CLONES).is_dir():
                return
            others = [path.name for path in self.root.iterdir() if not path.name.startswith(".")]
        if others:
            raise InputError(
                f"{self.root} holds other files ({others[0]}); choose a location of its own for "
                "clones"
            )

    def _read(self, version: Version) -> DataFrame:
        return self.spark.read.format("delta").load(str(self.root / version.name))

    def data_files(self, version: str) -> list[str]:
        """List the data files of a version; most of them are those of the source."""
        return self._read(self._find(version)).inputFiles()

    # -- writing -------------------------------------------------------------------------------

    def _write(
        self,
        own: SparkSession,
        run: str,  # noqa: ARG002 (of which each attempt has a folder)
        pin: Pin,
        edit: Edit,
        properties: Mapping[str, str],
    ) -> str:
        with write_errors(self.root):
            for name in (CLONES, STAGING):  # a folder with attempts in it counts as ours
                (self.root / name).mkdir(parents=True, exist_ok=True)
        attempt = Staging(self.root, properties["original_run_id"])
        clone, source = _sql(attempt.data_path), delta_sql(parse_table_name(pin.table))
        own.conf.set(_METADATA, json.dumps(dict(properties)))
        own.sql(
            f"CREATE TABLE {clone} SHALLOW CLONE {source} VERSION AS OF {pin.version} "
            # deletes in small files of their own; a property that forbids deletes comes along
            "TBLPROPERTIES ('delta.enableDeletionVectors' = 'true', 'delta.appendOnly' = 'false')"
        )
        fault_point("edit.made")
        own.sql(change_sql(edit, clone, delete=False))
        fault_point("edit.written")
        return attempt.path

    def _count(self, own: SparkSession, place: str) -> int:
        return own.read.format("delta").load(f"{place}/{DATA}").count()

    def _discard(self, run: str, place: str) -> None:  # noqa: ARG002
        with contextlib.suppress(OSError):
            remove_tree(self.root, Path(place))

    def _seal(self, run: str, place: str, rows: int, properties: Mapping[str, str]) -> None:
        with write_errors(self.root):
            if (self.root / run).exists() and not self._is_of(run, properties):
                self._remove(self.root / run)
            # of two attempts of a run one is first; the other has the same rows, and goes
            with contextlib.suppress(FileExistsError):
                _rename(Path(place) / DATA, self.root / run)
            content = {
                "rows": rows,
                "bytes_written": size_below(self.root / run),
                "created_at": utc_text(datetime.now()),
                "properties": dict(properties),
            }
            put_if_absent(self._sealed(run), json.dumps(content))

    def _is_of(self, run: str, properties: Mapping[str, str]) -> bool:
        """Tell whether a clone that is no version is what an attempt of this very run has left."""
        # from the log, as a session would go on with what it has seen here
        log = sorted((self.root / run / "_delta_log").glob("*.json"))
        entries = [json.loads(line) for path in log for line in path.read_text().splitlines()]
        commits = [entry["commitInfo"] for entry in entries if "commitInfo" in entry]
        texts = [commit.get("userMetadata") or "{}" for commit in commits]
        return len(texts) == 2 and all(json.loads(text) == dict(properties) for text in texts)

    def _remove(self, folder: Path) -> None:
        """Take a folder out of sight at once, then file by file."""
        gone = self.root / STAGING / f"{folder.name}-{uuid.uuid4().hex}"
        gone.parent.mkdir(exist_ok=True)
        move(self.root, folder, gone)
        remove_tree(self.root, gone)

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
        known, current = self.versions(), self.current()
        old: list[Version] = []
        if older_than_seconds is not None or keep is not None:
            limit = time.time() - (older_than_seconds or 0.0)
            old = [
                version
                for version in without_newest(known, keep or 0)
                if datetime.fromisoformat(version.created_at).timestamp() < limit
                and version != current
            ]
        check_plain(self.root / STAGING, self.root / CLONES)
        names = {version.name for version in known}
        age = _WEEK_SECONDS if older_than_seconds is None else older_than_seconds
        dead = [path for path in children(self.root / STAGING) if is_left(path, age)]
        dead += [
            path
            for path in children(self.root)
            if path.name not in {CLONES, STAGING, *names} and _changed_at(path) < time.time() - age
        ]
        paths = [*(self.root / version.name for version in old), *dead]
        size = sum(size_below(path) for path in paths)
        if not dry_run:
            with write_errors(self.root):
                for version in old:
                    self._sealed(version.name).unlink(missing_ok=True)
                for path in paths:
                    self._remove(path)
        return CleanUp(tuple(map(str, paths)), tuple(version.name for version in old), size)


def _sql(folder: str) -> str:
    return delta_sql(TableName(path=folder))


def _rename(folder: Path, to: Path) -> None:
    """Rename a folder, never over another."""
    try:
        folder.rename(to)
    except OSError as exc:
        if exc.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        raise FileExistsError(exc.errno, exc.strerror, str(to)) from exc


def _changed_at(folder: Path) -> float:
    """When something in a folder was written last."""
    newest = folder.stat().st_mtime
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            newest = max(newest, path.stat().st_mtime)
    return newest
