"""A Parquet source: a folder, a file, or an output of ours, pinned to its list of files."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sparkclean.errors import InputChangedError, InputError, UnsupportedFeatureError, first_of
from sparkclean.lake.base import DataFile, Pin, version_name
from sparkclean.lake.engine_errors import analysed, translating_reads
from sparkclean.lake.files import changed_files, format_of_folder, list_data_files
from sparkclean.lake.parquet.conversion import how_to_convert
from sparkclean.lake.parquet.footers import Footer, Unreadable, read_footers
from sparkclean.lake.parquet.layout import check_layout
from sparkclean.lake.parquet.manifest import FOLDER, ManifestFile
from sparkclean.lake.parquet.runs import counted_files
from sparkclean.lake.parquet.target import ParquetTarget
from sparkclean.locations import local_path

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_SHOWN = 5


class ParquetSource:
    """Parquet files on a local or shared file system.

    Parameters
    ----------
    location : str
        A folder, one file, or an output of ours.

    Raises
    ------
    UnsupportedFeatureError
        If the location is elsewhere.
    """

    format = "parquet"

    def __init__(self, location: str) -> None:
        self.location = location
        self.path = local_path(location)

    def pin(self, version: str | int | None = None) -> Pin:
        """List the files that are read: path, size, modification time, rows.

        Parameters
        ----------
        version : str or int, optional
            Of an output of ours; the current one by default.

        Returns
        -------
        Pin

        Raises
        ------
        InputError
            If there is nothing to read, a file is not Parquet, corrupt or of float16, or Spark
            would read other files than those below the folder (`check_layout`).
        UnsupportedFeatureError
            If the folder is a table of another format.

        Notes
        -----
        Reads the footer of every file, 16 at a time; no Spark job.
        """
        self._check_place()
        name = None
        published: Sequence[ManifestFile] = ()
        if (self.path / FOLDER).is_dir():
            manifest = ParquetTarget(str(self.path)).manifest(version)
            name = version_name(manifest.number)
            published = counted_files(self.path, manifest)
            paths = [self.path / file.path for file in published]
        elif version is not None:
            raise InputError(
                f"input.version: {version!r}, but {self.location} has no versions: it is a plain "
                "folder of files; set input.version to null"
            )
        else:
            paths = [self.path] if self.path.is_file() else list_data_files(self.path)
        if not paths:
            raise InputError(
                f"input.table: {self.location} holds no Parquet files{self._listing()}; "
                "check the path"
            )
        footers = self._read_footers(paths)
        if not published and self.path.is_dir():
            check_layout(self.location, self.path, paths)
        for file, footer in zip(published, footers, strict=False):
            if file.rows != footer.rows:
                raise InputError(
                    f"input.table: {file.path} of {self.location} has {footer.rows} rows, while "
                    f"version {name} was published with {file.rows}; it was replaced"
                )
        return self._pin(name, paths, footers)

    def _pin(self, name: str | None, paths: Sequence[Path], footers: Sequence[Footer]) -> Pin:
        files = tuple(
            DataFile(str(path), footer.size_bytes, footer.modified_ns, footer.rows)
            for path, footer in zip(paths, footers, strict=True)
        )
        groups: dict[str, list[int]] = {}
        # a file without rows often has types that nobody chose
        for index, footer in enumerate(footers):
            if footer.rows:
                groups.setdefault(footer.schema, []).append(index)
        if not groups:
            raise InputError(
                f"input.table: {self.location} is empty (0 rows in {len(files)} files); check "
                "input.table and input.version"
            )
        root = self.path.parent if self.path.is_file() else self.path
        return Pin(
            format=self.format,
            table=str(self.path),
            version=name,
            dataset_version=name or _digest(files, root),
            root=str(root),
            rows=sum(file.rows for file in files),
            size_bytes=sum(file.size_bytes for file in files),
            files=files,
            schema_groups=tuple(tuple(group) for group in groups.values()),
        )

    def _check_place(self) -> None:
        if not self.path.exists():
            parent = self.path.parent
            names = sorted(p.name for p in parent.iterdir()) if parent.is_dir() else []
            near = difflib.get_close_matches(self.path.name, names, 1)
            hint = f"; did you mean {str(parent / near[0])!r}?" if near else ""
            shown = ", ".join(name for name in names if not name.startswith("."))
            there = f"; {parent} holds {_shorten(shown)}" if shown and not near else ""
            raise InputError(f"input.table: {self.location} does not exist{hint}{there}")
        if (self.path / ".hoodie").is_dir():
            raise UnsupportedFeatureError(
                f"input.table: {self.location} is a Hudi table, which is not supported; its files "
                "also hold rows that were deleted from the table; export it as Parquet"
            )
        kind = format_of_folder(self.path)
        if kind is not None:
            raise UnsupportedFeatureError(
                f"input.table: {self.location} is a table of format {kind}: its files also hold "
                f"rows that were deleted from the table; set input.format to {kind}, or auto"
            )

    def _listing(self) -> str:
        names = sorted(path.name for path in self.path.iterdir()) if self.path.is_dir() else []
        return f" (it holds {_shorten(', '.join(names))})" if names else " (it is empty)"

    def _read_footers(self, paths: Sequence[Path]) -> list[Footer]:
        footers: list[Footer] = []
        broken: list[Unreadable] = []
        for found in read_footers(paths):
            if isinstance(found, Unreadable):
                broken.append(found)
            else:
                footers.append(found)
        if broken and len(broken) == len(paths):
            conversion = how_to_convert(self.path, paths)
            if conversion is not None:
                raise InputError(f"input.table: {self.location} {conversion}")
        if broken:
            shown = "; ".join(f"{file.path} ({file.reason})" for file in broken[:_SHOWN])
            more = "; ..." if len(broken) > _SHOWN else ""
            foreign = all(path.suffix != ".parquet" for path in paths)
            remedy = (
                "Convert them to Parquet first"
                if foreign and len(broken) == len(paths)
                else "Write them again, or move them elsewhere"
            )
            raise InputError(
                f"input.table: {len(broken)} of {len(paths)} files in {self.location} are not "
                f"readable Parquet: {shown}{more}. {remedy}"
            )
        for path, footer in zip(paths, footers, strict=True):
            if footer.float16:
                raise InputError(
                    f"input.table: column {footer.float16[0]!r} of {path} is float16, which Spark "
                    "cannot read; write it as float32"
                )
        return footers

    def read(self, spark: SparkSession, pin: Pin) -> DataFrame:
        """Return the rows of exactly the pinned files. Lazy; see `frame_of_pin`.

        Parameters
        ----------
        spark : SparkSession
        pin : Pin

        Returns
        -------
        DataFrame

        Raises
        ------
        InputError
            If columns of one name have types that cannot be united, or a file cannot be read.

        Notes
        -----
        One small job for each group of files with one schema.
        """
        return self._frame(spark, pin)

    def read_numbered(self, spark: SparkSession, pin: Pin, name: str) -> DataFrame:
        """Return the rows of the pinned files, numbered in a column behind the others. Lazy.

        Parameters
        ----------
        spark : SparkSession
        pin : Pin
        name : str
            Of the column, which the table must not have.

        Returns
        -------
        DataFrame
            The number of a row is that of the first row of its file (`Pin.first_rows`), and its
            place in the file.

        Notes
        -----
        As `read`. Of several files, a join with the broadcast list of files.
        """
        return self._frame(spark, pin, number=name)

    def _frame(self, spark: SparkSession, pin: Pin, number: str | None = None) -> DataFrame:
        from sparkclean.lake.parquet.frames import frame_of_pin  # noqa: PLC0415 (pins need no Spark)

        with translating_reads(pin):
            return analysed(frame_of_pin(spark, pin, number=number))

    def plain_files(self, pin: Pin) -> Sequence[str]:
        """List the pinned files that have rows."""
        return [pin.files[index].path for group in pin.schema_groups for index in group]

    def verify(self, pin: Pin) -> None:
        """Check that the pinned files are still what they were.

        Parameters
        ----------
        pin : Pin

        Raises
        ------
        InputChangedError
            Names up to five files that changed or vanished.

        Notes
        -----
        Looks at size and modification time of every file, 16 at a time; reads none.
        """
        found = changed_files(pin)
        if found:
            shown = first_of(found, _SHOWN)
            raise InputChangedError(
                f"input.table: {len(found)} of {len(pin.files)} files changed since the run "
                f"started: {shown}. Nothing was published; start again with a new run id, "
                "and write new files instead of replacing old ones"
            )


def _shorten(text: str) -> str:
    parts = text.split(", ")
    return first_of(parts, _SHOWN)


def _digest(files: Sequence[DataFile], root: Path) -> str:
    entries = [
        [os.path.relpath(file.path, root), file.size_bytes, file.rows, file.modified_ns]
        for file in files
    ]
    return "files-" + hashlib.sha256(json.dumps(entries).encode()).hexdigest()[:12]
