"""A Parquet target: staged writes, atomic publishing, versions."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from sparkclean.errors import InputError, PublishConflictError, SparkCleanError, VersionExistsError
from sparkclean.faults import fault_point
from sparkclean.lake.base import CleanUp, Version
from sparkclean.lake.files import (
    is_alive,
    list_data_files,
    owner_of_process,
    read_json,
    sync_folder,
    without_globs,
    write_durably,
    write_errors,
)
from sparkclean.lake.manifest import Manifest, ManifestFile, ManifestLog
from sparkclean.lake.run_ids import safe_run_id
from sparkclean.locations import local_path

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_STAGING, _DATA = "_staging", "data"
_RECEIPT, _OWNER = "_receipt.json", "_owner.json"
_REBASES = 100
_WEEK_SECONDS = 7 * 86400.0
#: Statuses of run records whose rows count.
_COUNTED = ("published", "cleaned_conflict")


class Staging:
    """A folder of one attempt of one run, seen by nobody until it is published.

    Parameters
    ----------
    target : ParquetTarget
    run_id : str
    """

    def __init__(self, target: ParquetTarget, run_id: str) -> None:
        self.run_id = run_id
        name, parent = safe_run_id(run_id), target.root / _STAGING
        with write_errors(target.root):
            parent.mkdir(parents=True, exist_ok=True)
            attempt = 1
            while True:
                self.folder = parent / f"{name}-{attempt}"
                try:
                    self.folder.mkdir()
                    break
                except FileExistsError:
                    attempt += 1
            write_durably(self.folder / _OWNER, json.dumps(owner_of_process()))
        self.attempt = attempt

    @property
    def path(self) -> str:
        """The attempt's folder."""
        return str(self.folder)

    @property
    def data_path(self) -> str:
        """Where Spark writes; does not exist before."""
        return str(self.folder / _DATA)

    def write_arrow(self, table: pa.Table) -> None:
        """Write one Parquet file from the driver."""
        with write_errors(self.data_path):
            Path(self.data_path).mkdir()
            pq.write_table(table, f"{self.data_path}/part-00000.parquet", compression="zstd")

    def files(self) -> list[Path]:
        """List the data files written so far."""
        return list_data_files(Path(self.data_path))

    def count_rows(self) -> int:
        """Rows written so far, from the footers."""
        return sum(_footer_rows(path) for path in self.files())

    def discard(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


class ParquetTarget:
    """An output table: versions over immutable Parquet files.

    Parameters
    ----------
    location : str
        Folder on a local or shared file system; created when something is staged.
    """

    def __init__(self, location: str) -> None:
        self.root = local_path(location)
        self._log = ManifestLog(self.root)

    @property
    def location(self) -> str:
        """Absolute path."""
        return str(self.root)

    # -- reading ---------------------------------------------------------------------------------

    def current(self) -> Version | None:
        """Return the current version; None where nothing was published."""
        manifest = self._log.current()
        return manifest.version() if manifest else None

    def versions(self) -> list[Version]:
        """List all versions, oldest first."""
        self._check_exists()
        return [manifest.version() for manifest in self._log.all()]

    def find_run(self, run_id: str) -> Version | None:
        """Find the first version that holds a run's rows, reverted away since or not."""
        name = safe_run_id(run_id)
        for manifest in self._log.all():
            version = manifest.version()
            if name in version.run_ids:
                return version
        return None

    def run_status(self, run_id: str) -> str | None:
        """Status of a run by this target of run records; None without a record."""
        return self.run_statuses().get(safe_run_id(run_id))

    def run_statuses(self) -> dict[str, str]:
        """Statuses of all runs by this target of run records."""
        manifest = self._log.current()
        statuses: dict[str, str] = {}
        for file in manifest.files if manifest else ():
            table = pq.read_table(self.root / file.path, columns=["run_id", "status"])
            statuses.update(zip(*(column.to_pylist() for column in table.columns), strict=True))
        return statuses

    def frame(self, spark: SparkSession, version: str | int | None = None) -> DataFrame:
        """Return the rows of a version; the current one by default.

        Parameters
        ----------
        spark : SparkSession
        version : str or int, optional
            Number, or name such as ``v00000003``.

        Returns
        -------
        DataFrame
            Lazy. Rows of runs without a run record are left out.

        Raises
        ------
        InputError
            If there is no such target or version.
        """
        from pyspark.sql.types import StructType  # noqa: PLC0415 (metadata needs no Spark)

        manifest = self.manifest(version)
        schema = StructType.fromJson(json.loads(manifest.schema))
        files = self._counted(manifest)
        if not files:
            return spark.createDataFrame([], schema)
        paths = [without_globs(str(self.root / file.path)) for file in files]
        return spark.read.schema(schema).parquet(*paths)

    def head(self, rows: int, *, version: str | int | None = None) -> pa.Table:
        """Read the first rows of the newest run's files, by rank where there is one.

        Parameters
        ----------
        rows : int
        version : str or int, optional

        Returns
        -------
        pyarrow.Table

        Notes
        -----
        Reads with pyarrow, without Spark; whole row groups until there are enough rows.
        """
        files = self._counted(self.manifest(version))
        newest = [file for file in files if file.run_id == files[-1].run_id] if files else []
        parts: list[pa.Table] = []
        for file in newest:
            for batch in pq.ParquetFile(self.root / file.path).iter_batches(batch_size=rows):
                parts.append(pa.Table.from_batches([batch]))
                if sum(part.num_rows for part in parts) >= rows:
                    break
            if sum(part.num_rows for part in parts) >= rows:
                break
        if not parts:
            return pa.table({})
        table = pa.concat_tables(parts).slice(0, rows)
        return table.sort_by("rank") if "rank" in table.column_names else table

    def manifest(self, version: str | int | None = None) -> Manifest:
        """Read the manifest of a version; the current one by default."""
        self._check_exists()
        if version is None:
            manifest = self._log.current()
            if manifest is None:
                raise InputError(f"{self.root} has no versions: nothing was published to it yet")
            return manifest
        text = str(version).removeprefix("v")
        if not text.isdigit():
            raise InputError(f"{version!r} is not a version of {self.root}; write 3 or v00000003")
        return self._log.load(int(text))

    def _check_exists(self) -> None:
        if not self.root.is_dir():
            raise InputError(f"{self.root} does not exist; check the path")

    def _counted(self, manifest: Manifest) -> list[ManifestFile]:
        """Leave out files of runs that have no run record."""
        runs = manifest.properties.get("runs")
        if runs is None:
            return list(manifest.files)
        records = ParquetTarget(os.path.normpath(self.root / runs))
        if not records.root.is_dir():
            return list(manifest.files)
        statuses = records.run_statuses()
        return [file for file in manifest.files if statuses.get(file.run_id) in _COUNTED]

    # -- writing ---------------------------------------------------------------------------------

    def stage(self, run_id: str) -> Staging:
        """Open a staging folder for an attempt of a run.

        Raises
        ------
        InputError
            If the target cannot be written to.
        """
        return Staging(self, run_id)

    def publish(
        self,
        staging: Staging,
        *,
        expected_parent: int | None,
        accumulate: bool,
        properties: Mapping[str, str],
        schema: str,
        replace_run: bool = False,
    ) -> Version:
        """Publish a staging folder as the new current version, in one atomic step.

        Parameters
        ----------
        staging : Staging
        expected_parent : int or None
            Version that was current when the run began; not looked at with ``accumulate``.
        accumulate : bool
            Whether the rows are added to those of the current version.
        properties : mapping
        schema : str
            Spark's JSON.
        replace_run : bool
            Whether this run's earlier rows give way.

        Returns
        -------
        Version
            The existing one if this run's rows are published already.

        Raises
        ------
        PublishConflictError
            If another run was first; nothing is published.
        VersionExistsError
            If the run id was used with another configuration.
        """
        name = safe_run_id(staging.run_id)
        before = None if replace_run else self.find_run(staging.run_id)
        if before is not None:
            self._check_same(before, properties, staging.run_id)
            staging.discard()
            return before
        current = self._log.current()
        if not accumulate:
            self._check_parent(current, expected_parent)
        files = self._move_data(staging, name, fresh=replace_run)

        def build(parent: Manifest | None) -> Manifest:
            older: Iterable[ManifestFile] = parent.files if parent and accumulate else ()
            kept = [file for file in older if file.run_id != name]
            return Manifest(
                number=parent.number + 1 if parent else 1,
                parent=parent.number if parent else None,
                run_id=name,
                operation="publish",
                schema=schema,
                files=(*kept, *files),
                properties=dict(properties) | {"original_run_id": staging.run_id},
            )

        manifest = self._commit(build, current, rebase=accumulate)
        staging.discard()
        return manifest.version()

    def _commit(
        self, build: Callable[[Manifest | None], Manifest], parent: Manifest | None, *, rebase: bool
    ) -> Manifest:
        """Commit on the parent, or on whatever became current since where that is allowed."""
        for _ in range(_REBASES):
            manifest = build(parent)
            try:
                self._log.commit(manifest)
            except PublishConflictError:
                if not rebase:
                    raise
                parent = self._log.current()
            else:
                return manifest
        raise PublishConflictError(
            f"{self.root}: other runs were first {_REBASES} times; run again"
        )

    def _check_parent(self, current: Manifest | None, expected: int | None) -> None:
        found = current.number if current else None
        if found != expected:
            by = f", published by run {current.run_id!r}" if current else ""
            raise PublishConflictError(
                f"{self.root}: version {found} is current{by}, while this run expected "
                f"{'no version' if expected is None else f'version {expected}'}; nothing of this "
                "run's version was published. Run again to build on it"
            )

    def _check_same(self, before: Version, properties: Mapping[str, str], run_id: str) -> None:
        for key in ("config_fingerprint", "input"):
            if key in properties and before.properties.get(key, properties[key]) != properties[key]:
                raise VersionExistsError(
                    f"{self.root}: run id {run_id!r} has published {before.name} with another "
                    f"{key} ({before.properties[key]}, now {properties[key]}); use a new run id"
                )

    def _move_data(self, staging: Staging, name: str, *, fresh: bool) -> list[ManifestFile]:
        """Rename the staged data to its place, or adopt what a dead attempt left there."""
        place = self.root / _DATA / (f"{name}~{staging.attempt}" if fresh else name)
        data = Path(staging.data_path)
        with write_errors(self.root):
            data.mkdir(exist_ok=True)
            files = [
                ManifestFile(
                    path=str(Path(_DATA) / place.name / path.relative_to(data)),
                    size_bytes=path.stat().st_size,
                    rows=_footer_rows(path),
                    run_id=name,
                )
                for path in staging.files()
            ]
            receipt = {"run_id": name, "files": [asdict(file) for file in files]}
            write_durably(data / _RECEIPT, json.dumps(receipt))
            write_durably(data / _OWNER, json.dumps(owner_of_process()))
            fault_point("target.receipt_written")
            place.parent.mkdir(parents=True, exist_ok=True)
            if fresh:
                shutil.rmtree(place, ignore_errors=True)
            try:
                data.rename(place)
            except OSError:
                if not place.is_dir():
                    raise
                return self._adopt(place)
            sync_folder(place.parent)
        fault_point("target.renamed")
        return files

    def _adopt(self, place: Path) -> list[ManifestFile]:
        """Take over a complete folder of an attempt that died between rename and manifest."""
        receipt = read_json(place / _RECEIPT)
        files = [ManifestFile(**entry) for entry in receipt["files"]] if receipt else []
        damaged = [
            file.path
            for file in files
            if not (self.root / file.path).is_file()
            or (self.root / file.path).stat().st_size != file.size_bytes
        ]
        if receipt is None or damaged:
            raise SparkCleanError(
                f"{place} is left from a run that died and is not complete; remove it, then repeat"
            )
        return files

    def revert(self, to: int) -> Version:
        """Publish an older version's files as the new current version.

        Parameters
        ----------
        to : int

        Returns
        -------
        Version

        Raises
        ------
        InputError
            If there is no such version, or files of it are gone.
        PublishConflictError
            If another writer was first.
        """
        old, current = self.manifest(to), self.manifest()
        missing = [file.path for file in old.files if not (self.root / file.path).is_file()]
        if missing:
            raise InputError(f"version {to} lacks {len(missing)} files, {missing[0]} among them")
        manifest = Manifest(
            number=current.number + 1,
            parent=current.number,
            run_id=old.run_id,
            operation="revert",
            schema=old.schema,
            files=old.files,
            properties=dict(old.properties) | {"reverted_to": str(to)},
        )
        self._log.commit(manifest)
        return manifest.version()

    # -- cleaning up -----------------------------------------------------------------------------

    def clean_up(
        self, *, older_than_seconds: float | None, keep: int | None, dry_run: bool
    ) -> CleanUp:
        """Remove what dead runs left, and retire old versions if asked.

        Parameters
        ----------
        older_than_seconds : float or None
            Age from which versions are retired; also from which a run of another host counts as
            dead (a week by default).
        keep : int or None
            Number of newest versions to keep; None: all.
        dry_run : bool
            Whether to tell only.

        Returns
        -------
        CleanUp
            Nothing in it is named by a manifest that stays.
        """
        self._check_exists()
        manifests = self._log.all()
        retired = self._retired(manifests, older_than_seconds, keep)
        stay = [manifest for manifest in manifests if manifest.number not in retired]
        named = {str(Path(file.path).parts[1]) for manifest in stay for file in manifest.files}
        doomed: list[Path] = []
        age = _WEEK_SECONDS if older_than_seconds is None else older_than_seconds
        for parent, known in ((self.root / _STAGING, set()), (self.root / _DATA, named)):
            folders = sorted(parent.iterdir()) if parent.is_dir() else []
            doomed += [path for path in folders if path.name not in known and _is_dead(path, age)]
        size = sum(
            file.stat().st_size for path in doomed for file in path.rglob("*") if file.is_file()
        )
        if not dry_run:
            # versions first: no reader may find a manifest whose files are gone
            for number in sorted(retired):
                self._log.path(number).unlink()
            for path in doomed:
                shutil.rmtree(path)
        return CleanUp(
            tuple(str(path) for path in doomed), tuple(f"v{n:08d}" for n in sorted(retired)), size
        )

    @staticmethod
    def _retired(
        manifests: list[Manifest], older_than_seconds: float | None, keep: int | None
    ) -> set[int]:
        from datetime import datetime  # noqa: PLC0415

        if keep is None:
            return set()
        old = manifests[:-1][: max(0, len(manifests) - max(keep, 1))]
        if older_than_seconds is None:
            return {manifest.number for manifest in old}
        now = time.time()
        return {
            manifest.number
            for manifest in old
            if now - datetime.fromisoformat(manifest.created_at).timestamp() > older_than_seconds
        }


def _footer_rows(path: Path) -> int:
    rows: int = pq.read_metadata(path).num_rows
    return rows


def _is_dead(folder: Path, older_than_seconds: float) -> bool:
    """Tell whether no living process can still need a folder."""
    owner: dict[str, Any] | None = read_json(folder / _OWNER)
    alive = is_alive(owner) if owner else None
    if alive is None:
        return time.time() - folder.stat().st_mtime > older_than_seconds
    return not alive
