"""Staging: what an attempt writes before anybody may see it, and the receipt that closes it."""

from __future__ import annotations

import json
import os
import shlex
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from sparkclean.errors import InputError, SparkCleanError
from sparkclean.faults import fault_point
from sparkclean.lake.files import (
    in_threads,
    list_data_files,
    read_json,
    replace_durably,
    spark_path,
    spark_paths,
    sync,
)
from sparkclean.lake.parquet.footers import Unreadable, read_footers
from sparkclean.lake.parquet.owner import Owner
from sparkclean.lake.plain_folders import check_plain, remove_tree
from sparkclean.lake.run_ids import safe_run_id
from sparkclean.lake.writing import write_errors

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

STAGING, DATA = "_staging", "data"
RECEIPT, OWNER = "_receipt.json", "_owner.json"


@dataclass(frozen=True)
class StagedFile:
    """A data file, its path relative to the folder of the receipt."""

    path: str
    size_bytes: int
    rows: int


@dataclass(frozen=True)
class Receipt:
    """Closes a data folder: what is in it, and what it may be published as.

    Attributes
    ----------
    run_id, original_run_id : str
    schema : str
    identity : mapping
    files : tuple of StagedFile
    """

    run_id: str
    original_run_id: str
    schema: str
    identity: Mapping[str, str]
    files: tuple[StagedFile, ...]

    def write(self, folder: Path) -> None:
        """Write the receipt into its folder."""
        replace_durably(folder / RECEIPT, json.dumps(asdict(self)))

    @classmethod
    def read(cls, folder: Path) -> Receipt | None:
        """Read the receipt of a folder; None if there is none."""
        content = read_json(folder / RECEIPT)
        if content is None:
            return None
        try:
            content["files"] = tuple(StagedFile(**entry) for entry in content["files"])
            return cls(**content)
        except (KeyError, TypeError) as exc:
            raise SparkCleanError(f"{folder / RECEIPT} is damaged: it is no receipt") from exc

    def is_complete(self, folder: Path) -> bool:
        """Tell whether the folder holds all that the receipt lists."""

        def there(file: StagedFile) -> bool:
            try:
                return (folder / file.path).stat().st_size == file.size_bytes
            except OSError:
                return False

        return all(in_threads(there, self.files))


class Staging:
    """A folder of one attempt of one run, seen by nobody until it is published.

    Parameters
    ----------
    root : Path
        Of the target.
    run_id : str
        The scheduler's.

    Raises
    ------
    InputError
        If the target cannot be written to, or is a folder of somebody else.
    """

    def __init__(self, root: Path, run_id: str) -> None:
        self.root = root
        self.run_id = run_id
        self.name = safe_run_id(run_id)
        self.owner = Owner(uuid.uuid4().hex)
        check_ours(root)
        parent = root / STAGING
        with write_errors(root):
            parent.mkdir(parents=True, exist_ok=True)
            taken = {path.name.rpartition("-") for path in parent.iterdir()}
            attempts = [int(n) for name, _, n in taken if name == self.name and n.isdigit()]
            self.attempt = max(attempts, default=0) + 1
            while not self._create(parent / f"{self.name}-{self.attempt}"):
                self.attempt += 1
            self.folder = parent / f"{self.name}-{self.attempt}"
            fault_point("target.staged")
            self.owner.write(self.folder / OWNER)
            fault_point("target.owned")

    @staticmethod
    def _create(folder: Path) -> bool:
        try:
            folder.mkdir()
        except FileExistsError:
            return False
        return True

    @property
    def path(self) -> str:
        """The attempt's folder."""
        return str(self.folder)

    def command_to_show(self) -> str:
        """Write the command that shows what is staged."""
        return f"sparkclean show {shlex.quote(str(self.root))} --run-id {shlex.quote(self.run_id)}"

    @property
    def data_path(self) -> str:
        """Where rows are written; does not exist before."""
        return str(self.folder / DATA)

    def write_frame(self, frame: DataFrame, timestamps: str | None = None) -> None:
        """Write Parquet files with Spark.

        Parameters
        ----------
        frame : DataFrame
        timestamps : str, optional
            How moments are stored (`stored_exactly`).

        Notes
        -----
        One job, that of the frame.
        """
        from sparkclean.lake.staged import stored_exactly  # noqa: PLC0415 (files need no Spark)

        with stored_exactly(frame, timestamps) as rows:
            rows.write.parquet(spark_path(self.data_path))

    def write_arrow(self, table: pa.Table) -> None:
        """Write one Parquet file from the driver.

        Parameters
        ----------
        table : pyarrow.Table
        """
        data = Path(self.data_path)
        with write_errors(data):
            data.mkdir(exist_ok=True)
            number = len(list_data_files(data))
            pq.write_table(table, data / f"part-{number:05d}.parquet", compression="zstd")

    def write_files(self, write: Callable[[str], Sequence[str]]) -> None:
        """Have Parquet files written by tasks of one's own.

        Parameters
        ----------
        write : callable
            Writes files to a folder; their names, in order. Others that are there are of tasks that
            were repeated, and are left behind.
        """
        data, attempts = Path(self.data_path), self.folder / "attempts"
        with write_errors(data):
            attempts.mkdir()
        names = write(str(attempts))
        with write_errors(data):
            data.mkdir()
            for number, name in enumerate(names):
                (attempts / name).replace(data / f"part-{number:05d}.parquet")

    def files(self) -> list[StagedFile]:
        """Look what was written so far.

        Returns
        -------
        list of StagedFile

        Raises
        ------
        SparkCleanError
            If nothing was written, or writing did not come to an end.

        Notes
        -----
        Reads the footer of every file, 16 at a time.
        """
        data = Path(self.data_path)
        paths = list_data_files(data) if data.is_dir() else []
        if (data / "_temporary").exists():
            raise SparkCleanError(f"{data} is not complete: a job still writes to it, or has died")
        if not paths:
            raise SparkCleanError(
                f"no file was written to {data}. If Spark wrote without an error, its executors "
                "have disks of their own: choose a folder that driver and executors share"
            )
        staged = []
        for path, footer in zip(paths, read_footers(paths), strict=True):
            if isinstance(footer, Unreadable):
                raise SparkCleanError(f"{path} was not written as Parquet: {footer.reason}")
            staged.append(
                StagedFile(path.relative_to(data).as_posix(), footer.size_bytes, footer.rows)
            )
        return staged

    def count_rows(self) -> int:
        """Count the rows written so far, from the footers."""
        return sum(file.rows for file in self.files())

    def frame(self, spark: SparkSession, schema: str) -> DataFrame:
        """Return the rows written so far. Lazy.

        Parameters
        ----------
        spark : SparkSession
        schema : str
            Spark's JSON.

        Returns
        -------
        DataFrame
        """
        from pyspark.sql.types import StructType  # noqa: PLC0415 (files need no Spark)

        kind = StructType.fromJson(json.loads(schema))
        return spark.read.schema(kind).parquet(*spark_paths([self.data_path]))

    def close(self, schema: str, identity: Mapping[str, str]) -> Receipt:
        """Make what was written durable and put the receipt and its owner beside it.

        Parameters
        ----------
        schema : str
        identity : mapping

        Returns
        -------
        Receipt

        Notes
        -----
        Waits until the disk holds every file.
        """
        data = Path(self.data_path)
        receipt = Receipt(self.name, self.run_id, schema, identity, tuple(self.files()))
        with write_errors(self.root):
            in_threads(sync, [data / file.path for file in receipt.files])
            for folder in {(data / file.path).parent for file in receipt.files} | {data}:
                sync(folder)
            self.owner.write(data / OWNER)
            receipt.write(data)
            sync(data)
        return receipt

    def discard(self) -> None:
        """Remove the folder."""
        with suppress(OSError):
            remove_tree(self.root, self.folder)


def staged_files(root: Path, run_id: str) -> list[Path]:
    """List the files that the last attempt of a run has staged and left.

    Parameters
    ----------
    root : Path
        Of the target, or the folder of intermediate files.
    run_id : str
        The scheduler's.

    Returns
    -------
    list of Path
        Sorted; empty where nothing is staged.
    """
    name, parent = safe_run_id(run_id), root / STAGING
    names = [p.name.rpartition("-") for p in parent.iterdir()] if parent.is_dir() else []
    attempts = sorted(int(n) for own, _, n in names if own == name and n.isdigit())
    folders = [parent / f"{name}-{attempt}" / DATA for attempt in attempts]
    there = [folder for folder in folders if folder.is_dir()]
    return list_data_files(there[-1]) if there else []


def check_ours(root: Path) -> None:
    """Refuse to publish into a folder that holds other files, or is none.

    Parameters
    ----------
    root : Path

    Raises
    ------
    InputError
    """
    nearest = root
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    if not nearest.is_dir():
        raise InputError(
            f"{root} cannot be written to: {nearest} is a file, not a folder; choose another output"
        )
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(f"{nearest} is not writable; check its owner and permissions")
    if nearest != root:
        return
    check_plain(*(root / name for name in (DATA, STAGING, "_manifests", "_pins")))
    try:
        names = {path.name for path in root.iterdir()}
    except OSError as exc:
        raise InputError(f"{root} cannot be listed: {exc.strerror}; check its permissions") from exc
    foreign = sorted(name for name in names if not name.startswith(".") and name != "lost+found")
    if foreign and not names & {STAGING, "_manifests", "_pins"}:
        raise InputError(
            f"{root} holds other files ({', '.join(foreign[:5])}); choose another location: "
            "sparkclean never writes into a folder with other data"
        )
